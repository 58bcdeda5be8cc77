//! How bad the network is to be, as it is written on a command line: `loss=20,delay=150,up.rate=500kbps`.

use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

/// Keys, and what their values are.
const KEYS: [(&str, &str); 10] = [
    ("loss", "a percentage, as in loss=20"),
    ("burst", "how many are lost in a row on average, as in burst=3"),
    ("delay", "milliseconds of each way, as in delay=150"),
    ("jitter", "milliseconds more at most, as in jitter=30"),
    ("reorder", "a percentage, as in reorder=1"),
    ("duplicate", "a percentage, as in duplicate=1"),
    ("rate", "a rate with its unit, as in rate=500kbps or rate=2mbps"),
    ("queue", "milliseconds before a link with a rate, as in queue=200"),
    ("hole", "milliseconds of nothing, as in hole=2000"),
    ("every", "milliseconds from hole to hole, as in every=20000"),
];
/// A packet that is late by more is a lost one to every program.
const MAX_DELAY: Duration = Duration::from_secs(10);
/// Longest time from hole to hole.
const MAX_PERIOD: Duration = Duration::from_secs(3_600);
/// As long as the queues of the narrow links that people have.
const QUEUE: Duration = Duration::from_millis(200);
/// From hole to hole.
const PERIOD: Duration = Duration::from_secs(30);
const MAX_BURST: f64 = 1_000.0;
/// A link on which a key frame takes minutes, and one that no socket of this machine fills.
const RATES_BPS: std::ops::RangeInclusive<f64> = 8_000.0..=10e9;

/// One direction of every client's network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Direction {
    /// Share of the datagrams that is lost, 0 to 1.
    pub loss: f64,
    /// How many are lost in a row on average, at least 1: each for itself.
    pub burst: f64,
    /// On the way at least.
    pub delay: Duration,
    /// On the way longer than that at most; the order stays.
    pub jitter: Duration,
    /// Share of the datagrams that is overtaken by those behind it, 0 to 1.
    pub reorder: f64,
    /// Share of the datagrams that arrives twice, 0 to 1.
    pub duplicate: f64,
    /// Bits per second, IP and UDP headers included.
    pub rate_bps: Option<f64>,
    /// What may wait for a link with a rate; what comes when it is full is lost.
    pub queue: Duration,
    /// How long nothing passes at the end of every period.
    pub hole: Duration,
    /// That period.
    pub every: Duration,
}

impl Default for Direction {
    /// A network that is as good as its cables.
    fn default() -> Self {
        Self {
            loss: 0.0,
            burst: 1.0,
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            reorder: 0.0,
            duplicate: 0.0,
            rate_bps: None,
            queue: QUEUE,
            hole: Duration::ZERO,
            every: PERIOD,
        }
    }
}

/// Both directions, each client's own.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Conditions {
    /// From clients to the router.
    pub up: Direction,
    /// From the router to clients.
    pub down: Direction,
    /// Of everything random; none: another one each time.
    pub seed: Option<u64>,
}

/// A text that says no conditions.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct ConditionsError(String);

impl FromStr for Conditions {
    type Err = ConditionsError;

    /// Reads `key=value` pairs, separated by commas. A key with `up.` or `down.` before it holds for that direction
    /// alone, whatever is said for both, wherever it stands.
    fn from_str(text: &str) -> Result<Self, ConditionsError> {
        let mut pairs = Vec::new();
        for word in text.split(',') {
            let (key, value) = word.trim().split_once('=').ok_or_else(|| no_pair(word.trim()))?;
            if pairs.iter().any(|(known, _)| *known == key) {
                return Err(ConditionsError(format!("`{key}` is said twice")));
            }
            pairs.push((key, value));
        }
        let mut conditions = Self::default();
        // What holds for one direction comes after what holds for both.
        pairs.sort_by_key(|(key, _)| key.contains('.'));
        for (key, value) in pairs {
            conditions.set(key, value)?;
        }
        for (way, direction) in [("up", &conditions.up), ("down", &conditions.down)] {
            if direction.hole >= direction.every {
                let (hole, every) = (direction.hole.as_millis(), direction.every.as_millis());
                let message = format!("{way}: a hole of {hole} ms every {every} ms leaves nothing");
                return Err(ConditionsError(message));
            }
        }
        Ok(conditions)
    }
}

impl Conditions {
    fn set(&mut self, key: &str, value: &str) -> Result<(), ConditionsError> {
        match key.split_once('.') {
            Some(("up", of_way)) => self.up.set(key, of_way, value),
            Some(("down", of_way)) => self.down.set(key, of_way, value),
            None if key == "seed" => {
                self.seed = Some(value.parse().map_err(|_| {
                    ConditionsError(format!("seed={value}: a seed is a whole number"))
                })?);
                Ok(())
            }
            None => {
                self.up.set(key, key, value)?;
                self.down.set(key, key, value)
            }
            Some(_) => Err(unknown(key)),
        }
    }
}

impl Direction {
    /// Sets what `name` says; `key` is the same as it was written.
    fn set(&mut self, key: &str, name: &str, value: &str) -> Result<(), ConditionsError> {
        let (_, what) =
            KEYS.iter().find(|(known, _)| *known == name).ok_or_else(|| unknown(key))?;
        let refused = || ConditionsError(format!("{key}={value}: a {name} is {what}"));
        let share = || number(value, "%").filter(|n| *n <= 100.0).map(|n| n / 100.0);
        let time = |most: Duration| duration(value).filter(|time| *time <= most);
        match name {
            "loss" => self.loss = share().ok_or_else(refused)?,
            "reorder" => self.reorder = share().ok_or_else(refused)?,
            "duplicate" => self.duplicate = share().ok_or_else(refused)?,
            "burst" => {
                let is_possible = |n: &f64| (1.0..=MAX_BURST).contains(n);
                self.burst = number(value, "").filter(is_possible).ok_or_else(refused)?;
            }
            "delay" => self.delay = time(MAX_DELAY).ok_or_else(refused)?,
            "jitter" => self.jitter = time(MAX_DELAY).ok_or_else(refused)?,
            "queue" => self.queue = time(MAX_DELAY).ok_or_else(refused)?,
            "hole" => self.hole = time(MAX_PERIOD).ok_or_else(refused)?,
            "every" => self.every = time(MAX_PERIOD).ok_or_else(refused)?,
            _ => self.rate_bps = Some(rate_bps(value).ok_or_else(refused)?),
        }
        Ok(())
    }
}

/// A number that is not negative, with or without this unit.
fn number(value: &str, unit: &str) -> Option<f64> {
    let digits = value.strip_suffix(unit).unwrap_or(value);
    digits.parse().ok().filter(|n: &f64| n.is_finite() && *n >= 0.0)
}

fn duration(value: &str) -> Option<Duration> {
    let milliseconds = match value.strip_suffix("ms") {
        Some(digits) => number(digits, "")?,
        None => match value.strip_suffix('s') {
            Some(digits) => number(digits, "")? * 1_000.0,
            None => number(value, "")?,
        },
    };
    Duration::try_from_secs_f64(milliseconds / 1_000.0).ok()
}

fn rate_bps(value: &str) -> Option<f64> {
    let (digits, factor) = [("kbps", 1e3), ("mbps", 1e6), ("gbps", 1e9)]
        .iter()
        .find_map(|(unit, factor)| Some((value.strip_suffix(unit)?, factor)))?;
    number(digits, "").map(|n| n * factor).filter(|rate| RATES_BPS.contains(rate))
}

fn no_pair(word: &str) -> ConditionsError {
    if word.is_empty() {
        return ConditionsError("something is missing before or after a comma".into());
    }
    match KEYS.iter().find(|(key, _)| *key == word) {
        Some((key, what)) => ConditionsError(format!("`{key}` has no value; it is {what}")),
        None => unknown(word),
    }
}

/// Names the key that was probably meant.
fn unknown(key: &str) -> ConditionsError {
    let (way, name) = match key.split_once('.') {
        Some((way @ ("up" | "down"), name)) => (format!("{way}."), name),
        Some((_, name)) => (String::new(), name),
        None => (String::new(), key),
    };
    let keys = KEYS.iter().map(|(key, _)| *key).chain(["seed"]);
    let nearest = keys.clone().min_by_key(|known| distance(name, known)).unwrap_or_default();
    // A seed is of both.
    let way = if nearest == "seed" { String::new() } else { way };
    ConditionsError(if distance(name, nearest) <= nearest.len() / 2 {
        format!("there is no `{key}`; did you mean `{way}{nearest}`?")
    } else {
        let all: Vec<_> = keys.collect();
        format!(
            "there is no `{key}`; there are {}, with `up.` or `down.` before them for one way",
            all.join(", ")
        )
    })
}

/// How many letters must be changed, added or taken away (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, of_a) in a.chars().enumerate() {
        let mut corner = i;
        let mut left = i + 1;
        for (place, of_b) in row.iter_mut().skip(1).zip(b.chars()) {
            let changed = corner + usize::from(of_a != of_b);
            corner = *place;
            left = changed.min(left + 1).min(corner + 1);
            *place = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        text.parse::<Conditions>().expect_err(text).to_string()
    }

    #[test]
    fn what_is_said_for_both_ways_yields_to_what_is_said_for_one() {
        let read: Conditions =
            "up.loss=5, loss=20,delay=150ms,jitter=30,down.rate=0.5mbps,queue=0.3s,seed=7"
                .parse()
                .unwrap();
        let ms = Duration::from_millis;
        let both = Direction {
            loss: 0.2,
            delay: ms(150),
            jitter: ms(30),
            queue: ms(300),
            ..Direction::default()
        };
        assert_eq!(read.up, Direction { loss: 0.05, ..both });
        assert_eq!(read.down, Direction { rate_bps: Some(500_000.0), ..both });
        assert_eq!(read.seed, Some(7));
        let rest: Conditions =
            "burst=2.5,reorder=1%,duplicate=2,hole=2s,every=20s".parse().unwrap();
        let both = Direction {
            burst: 2.5,
            reorder: 0.01,
            duplicate: 0.02,
            hole: ms(2_000),
            every: ms(20_000),
            ..Direction::default()
        };
        assert_eq!((rest.up, rest.down), (both, both));
    }

    #[test]
    fn a_key_that_does_not_exist_is_answered_with_the_nearest_that_does() {
        for (text, meant) in [
            ("los=20", "`los`; did you mean `loss`?"),
            ("loss=1,dealy=3", "`dealy`; did you mean `delay`?"),
            ("down.jiter=3", "`down.jiter`; did you mean `down.jitter`?"),
            ("left.rate=1mbps", "`left.rate`; did you mean `rate`?"),
            ("Loss=1", "`Loss`; did you mean `loss`?"),
            ("bandwidth=3", "`bandwidth`; there are loss, burst, delay"),
            ("up.seed=3", "`up.seed`; did you mean `seed`?"),
        ] {
            assert!(refused(text).contains(meant), "{text}: {}", refused(text));
        }
    }

    #[test]
    fn a_value_that_makes_no_sense_is_answered_with_what_it_should_be() {
        for (text, why) in [
            ("", "something is missing before or after a comma"),
            ("loss=1,", "something is missing before or after a comma"),
            ("loss", "`loss` has no value; it is a percentage"),
            ("loss=", "loss=: a loss is a percentage"),
            ("loss=101", "a loss is a percentage"),
            ("loss=-1", "a loss is a percentage"),
            ("loss=NaN", "a loss is a percentage"),
            ("burst=0.5", "a burst is how many are lost in a row"),
            ("delay=10001", "a delay is milliseconds"),
            ("delay=1m", "a delay is milliseconds"),
            ("rate=500", "a rate is a rate with its unit"),
            ("rate=1kbps", "a rate is a rate with its unit"),
            ("up.rate=20gbps", "up.rate=20gbps: a rate is"),
            ("hole=2000,every=2000", "up: a hole of 2000 ms every 2000 ms leaves nothing"),
            ("down.hole=60s", "down: a hole of 60000 ms every 30000 ms leaves nothing"),
            ("loss=1,loss=2", "`loss` is said twice"),
            ("seed=x", "a seed is a whole number"),
        ] {
            assert!(refused(text).contains(why), "{text}: {}", refused(text));
        }
    }

    #[test]
    fn the_distance_of_words_is_the_number_of_changes() {
        for (a, b, changes) in
            [("", "", 0), ("", "ab", 2), ("loss", "los", 1), ("kitten", "sitting", 3)]
        {
            assert_eq!((distance(a, b), distance(b, a)), (changes, changes), "{a} {b}");
        }
    }
}

//! What a peer says that it takes at most (draft-alvestrand-rmcat-remb-03).
//!
//! A receiver that estimates cannot know more than some 1.5 times what it gets. So what it says is a limit only
//! while it is near what is sent; above that it has seen none, and more is tried little by little.

use std::time::{Duration, Instant};

use super::bitrate::Bitrate;
use super::estimator::Limits;

/// What was said holds for this long: receivers repeat it each second while something comes.
const HOLDS: Duration = Duration::from_secs(10);
/// A receiver that says this multiple of what it is sent has seen no limit.
const IS_FREE: f64 = 1.25;
/// What is tried grows by this in a second then, as an estimate of our own does.
const GROWTH: f64 = 1.08;
/// Weight of the newest look in what is sent.
const NEWEST: f64 = 0.2;
/// Between two looks at least.
const INTERVAL_AT_LEAST: Duration = Duration::from_millis(50);

/// The newest word of one peer, and what it is taken to mean.
#[derive(Debug, Default)]
pub(super) struct Ceiling {
    told: Option<(Bitrate, Instant)>,
    /// At least what was told.
    tried: Bitrate,
    sent: Bitrate,
    sent_bytes: u64,
    looked_at: Option<Instant>,
}

impl Ceiling {
    /// The peer says what it takes; whatever it says is kept within what an estimate may be.
    pub(super) fn note(&mut self, now: Instant, told: Bitrate) {
        let Limits { min, max, .. } = Limits::default();
        let told = told.clamp(min, max);
        self.told = Some((told, now));
        self.judge();
    }

    /// Time passed; `sent_bytes` left in all.
    pub(super) fn look(&mut self, now: Instant, sent_bytes: u64) {
        let passed = self.looked_at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        if self.looked_at.is_some() && passed < INTERVAL_AT_LEAST {
            return;
        }
        if !passed.is_zero() {
            let newest = Bitrate::of(sent_bytes.saturating_sub(self.sent_bytes), passed);
            self.sent = self.sent.scaled(1.0 - NEWEST).plus(newest.scaled(NEWEST));
        }
        (self.sent_bytes, self.looked_at) = (sent_bytes, Some(now));
        if self.told.is_some_and(|(_, at)| now.saturating_duration_since(at) >= HOLDS) {
            self.told = None;
        }
        let grown = self.tried.scaled(GROWTH.powf(passed.min(HOLDS).as_secs_f64()));
        self.tried = grown.min(Limits::default().max);
        self.judge();
    }

    /// What may be sent; none if nothing was said lately.
    pub(super) fn rate(&self) -> Option<Bitrate> {
        self.told.map(|_| self.tried)
    }

    fn judge(&mut self) {
        let Some((told, _)) = self.told else {
            self.tried = Bitrate::ZERO;
            return;
        };
        let is_limit = told < self.sent.scaled(IS_FREE);
        self.tried = if is_limit { told } else { self.tried.max(told) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is sent in a second, and what the peer says to it ten times meanwhile.
    fn second(ceiling: &mut Ceiling, now: &mut Instant, bytes: &mut u64, sent: u64, told: u64) {
        for _ in 0..10 {
            *now += Duration::from_millis(100);
            *bytes += sent * 1_000 / 8 / 10;
            ceiling.look(*now, *bytes);
            ceiling.note(*now, Bitrate::from_kbps(told));
        }
    }

    fn kbps(ceiling: &Ceiling) -> Option<u64> {
        ceiling.rate().map(|rate| rate.bps() / 1_000)
    }

    #[test]
    fn what_a_peer_says_is_a_limit_while_it_is_near_what_is_sent() {
        let (mut ceiling, mut now, mut bytes) = (Ceiling::default(), Instant::now(), 0);
        assert_eq!(ceiling.rate(), None);
        for _ in 0..20 {
            second(&mut ceiling, &mut now, &mut bytes, 480, 500);
        }
        assert_eq!(kbps(&ceiling), Some(500));
        second(&mut ceiling, &mut now, &mut bytes, 480, 300);
        assert_eq!(kbps(&ceiling), Some(300));
    }

    #[test]
    fn a_peer_that_has_seen_no_limit_is_sent_more_little_by_little_until_it_has() {
        let (mut ceiling, mut now, mut bytes) = (Ceiling::default(), Instant::now(), 0);
        for _ in 0..12 {
            second(&mut ceiling, &mut now, &mut bytes, 150, 235);
        }
        let tried = kbps(&ceiling).expect("told");
        assert!((500..=600).contains(&tried), "{tried} kbit/s");
        // The next layer is sent and does not fit.
        second(&mut ceiling, &mut now, &mut bytes, 450, 320);
        assert_eq!(kbps(&ceiling), Some(320));
    }

    #[test]
    fn what_was_said_long_ago_holds_no_more() {
        let (mut ceiling, mut now) = (Ceiling::default(), Instant::now());
        ceiling.note(now, Bitrate::from_kbps(100));
        now += HOLDS / 2;
        ceiling.look(now, 0);
        assert!(ceiling.rate().is_some());
        now += HOLDS / 2;
        ceiling.look(now, 0);
        assert_eq!(ceiling.rate(), None);
        ceiling.note(now, Bitrate::from_kbps(100));
        assert_eq!(kbps(&ceiling), Some(100));
    }

    #[test]
    fn nonsense_is_kept_within_what_an_estimate_may_be() {
        let Limits { min, max, .. } = Limits::default();
        let (mut ceiling, mut now) = (Ceiling::default(), Instant::now());
        for (told, sent_bytes) in [(0, 0), (u64::MAX, u64::MAX), (1, 0), (u64::MAX, u64::MAX)] {
            ceiling.note(now, Bitrate::from_bps(told));
            ceiling.look(now, sent_bytes);
            now += Duration::from_secs(1);
            let rate = ceiling.rate().expect("told");
            assert!((min..=max).contains(&rate), "{rate:?}");
        }
    }
}

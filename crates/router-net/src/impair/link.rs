//! One direction of one client's network: whether a datagram gets through, and when.

use std::time::{Duration, Instant};

use super::conditions::Direction;

/// What an IPv4 and a UDP header weigh: a link carries them too.
const HEADER_BYTES: usize = 28;
/// By how much a datagram that is overtaken is late, at least.
const OVERTAKEN: Duration = Duration::from_millis(10);

/// What becomes of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Lost on the way, or in a hole.
    Lost,
    /// It found the queue full.
    Overflowed,
    /// It arrives, and perhaps once more right after.
    Arrives {
        /// When.
        at: Instant,
        /// Whether it does so twice.
        twice: bool,
    },
}

/// What the next datagram depends on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    /// When the link has sent all that waits for it.
    free_at: Instant,
    /// When the last one arrives that keeps its place.
    last_at: Instant,
    is_losing: bool,
}

impl Link {
    pub(super) fn new(now: Instant) -> Self {
        Self { free_at: now, last_at: now, is_losing: false }
    }

    /// Whether it is as one that has carried nothing, for so long.
    pub(super) fn is_idle(&self, now: Instant, idle: Duration) -> bool {
        self.last_at + idle <= now
    }

    /// A datagram enters at `now`; holes are counted from `epoch`.
    pub(super) fn admit(
        &mut self,
        now: Instant,
        bytes: usize,
        conditions: &Direction,
        epoch: Instant,
        random: &mut fastrand::Rng,
    ) -> Fate {
        let mut leaves_at = now;
        if let Some(rate_bps) = conditions.rate_bps {
            let begins_at = self.free_at.max(now);
            if begins_at - now > conditions.queue {
                return Fate::Overflowed;
            }
            let bits = 8 * (bytes + HEADER_BYTES);
            self.free_at = begins_at + Duration::from_secs_f64(bits as f64 / rate_bps);
            leaves_at = self.free_at;
        }
        // What is lost has been sent: it took its time of the link.
        if self.loses(conditions, random) || is_in_hole(leaves_at, conditions, epoch) {
            return Fate::Lost;
        }
        let at = leaves_at + conditions.delay + conditions.jitter.mul_f64(random.f64());
        let twice = happens(conditions.duplicate, random);
        if happens(conditions.reorder, random) {
            return Fate::Arrives {
                at: at.max(self.last_at) + conditions.jitter.max(OVERTAKEN),
                twice,
            };
        }
        self.last_at = at.max(self.last_at);
        Fate::Arrives { at: self.last_at, twice }
    }

    /// Two states (Gilbert's model): in the one everything is lost, `burst` datagrams on average, and the other lasts
    /// so long that the share of all is as asked for.
    fn loses(&mut self, conditions: &Direction, random: &mut fastrand::Rng) -> bool {
        let Direction { loss, burst, .. } = *conditions;
        if burst <= 1.0 || loss >= 1.0 {
            return happens(loss, random);
        }
        let ends = 1.0 / burst;
        self.is_losing = if self.is_losing {
            !happens(ends, random)
        } else {
            happens(ends * loss / (1.0 - loss), random)
        };
        self.is_losing
    }
}

fn is_in_hole(at: Instant, conditions: &Direction, epoch: Instant) -> bool {
    if conditions.hole.is_zero() {
        return false;
    }
    let period = conditions.every.as_nanos().max(1);
    let place = at.saturating_duration_since(epoch).as_nanos() % period;
    place + conditions.hole.as_nanos() >= period
}

fn happens(share: f64, random: &mut fastrand::Rng) -> bool {
    share > 0.0 && random.f64() < share
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    /// A datagram of 1,222 bytes, which are 10,000 bits of the link, every `interval`.
    fn run(conditions: &str, count: u32, interval: Duration) -> (Instant, Vec<Fate>) {
        let conditions: super::super::Conditions = conditions.parse().unwrap();
        let start = Instant::now();
        let mut random = fastrand::Rng::with_seed(conditions.seed.unwrap_or(1));
        let mut link = Link::new(start);
        let mut admit =
            |n| link.admit(start + interval * n, 1_222, &conditions.down, start, &mut random);
        (start, (0..count).map(&mut admit).collect())
    }

    fn lost(fates: &[Fate]) -> usize {
        fates.iter().filter(|fate| **fate == Fate::Lost).count()
    }

    fn delays(start: Instant, fates: &[Fate], interval: Duration) -> Vec<Duration> {
        let of = |(n, fate): (u32, &Fate)| match fate {
            Fate::Arrives { at, .. } => Some(*at - (start + interval * n)),
            _ => None,
        };
        (0..).zip(fates).filter_map(of).collect()
    }

    #[test]
    fn a_good_network_loses_and_holds_nothing() {
        let (start, fates) = run("loss=0", 1_000, MS(1));
        assert!(delays(start, &fates, MS(1)).iter().all(Duration::is_zero));
        assert_eq!(fates.len(), delays(start, &fates, MS(1)).len());
    }

    #[test]
    fn as_many_are_lost_as_was_asked_for_alone_and_in_a_row() {
        for (conditions, mean_row) in [("loss=20,seed=3", 1.25), ("loss=20,burst=5,seed=3", 5.0)] {
            let (_, fates) = run(conditions, 100_000, MS(1));
            let share = lost(&fates) as f64 / 100_000.0;
            assert!((0.19..0.21).contains(&share), "{conditions}: {share}");
            let rows = fates.chunk_by(|a, b| a == b && *a == Fate::Lost);
            let rows = rows.filter(|row| row[0] == Fate::Lost).count();
            let mean = lost(&fates) as f64 / rows as f64;
            assert!((mean - mean_row).abs() < 0.1 * mean_row, "{conditions}: {mean} in a row");
        }
        assert_eq!(lost(&run("loss=100", 1_000, MS(1)).1), 1_000);
        assert_eq!(lost(&run("loss=100,burst=3", 1_000, MS(1)).1), 1_000);
    }

    #[test]
    fn one_seed_is_one_network() {
        let relative = |(start, fates): (Instant, Vec<Fate>)| delays(start, &fates, MS(1));
        let again = || relative(run("loss=30,jitter=20,seed=9", 1_000, MS(1)));
        assert_eq!(again(), again());
        assert_ne!(again(), relative(run("loss=30,jitter=20,seed=10", 1_000, MS(1))));
    }

    #[test]
    fn jitter_keeps_the_order_and_its_bounds() {
        let (start, fates) = run("delay=100,jitter=30", 10_000, MS(5));
        let delays = delays(start, &fates, MS(5));
        assert!(delays.iter().all(|delay| (MS(100)..MS(130)).contains(delay)));
        assert!(delays.iter().max().unwrap().abs_diff(MS(130)) < MS(1));
        let arrivals = fates.iter().map(|fate| match fate {
            Fate::Arrives { at, .. } => *at,
            other => panic!("{other:?}"),
        });
        assert!(arrivals.is_sorted());
    }

    #[test]
    fn some_are_overtaken_and_some_come_twice() {
        let (start, fates) = run("delay=20,reorder=10,duplicate=5,seed=4", 10_000, MS(1));
        let late = delays(start, &fates, MS(1)).iter().filter(|delay| **delay > MS(20)).count();
        assert!((900..1_100).contains(&late), "{late}");
        let is_double = |fate: &&Fate| matches!(fate, Fate::Arrives { twice: true, .. });
        let double = fates.iter().filter(is_double).count();
        assert!((400..600).contains(&double), "{double}");
    }

    #[test]
    fn a_narrow_link_sends_one_after_the_other_and_drops_what_its_queue_cannot_hold() {
        // 1 Mbit/s is a datagram in 10 ms; they come in 5 ms, so the wait grows by 5 ms with each.
        let (start, fates) = run("rate=1mbps,queue=100", 200, MS(5));
        let delays = delays(start, &fates, MS(5));
        assert_eq!(delays[..4], [MS(10), MS(15), MS(20), MS(25)]);
        assert_eq!(*delays.iter().max().unwrap(), MS(110));
        let overflowed = fates.iter().filter(|fate| **fate == Fate::Overflowed).count();
        // Half of those that come when it is full, which is after 21 of them.
        assert!((85..95).contains(&overflowed), "{overflowed}");
        let (start, wide) = run("rate=3mbps", 200, MS(5));
        assert_eq!(
            self::delays(start, &wide, MS(5)).len(),
            200,
            "a link that is wide enough loses nothing"
        );
    }

    #[test]
    fn nothing_passes_in_a_hole_and_everything_between_them() {
        let (_, fates) = run("hole=2000,every=10000", 3_000, MS(10));
        for (n, fate) in fates.iter().enumerate() {
            assert_eq!(*fate == Fate::Lost, n % 1_000 >= 800, "after {n} hundredths");
        }
    }
}

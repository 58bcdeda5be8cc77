//! How long packets are in the router: from the kernel's receipt to the return of the call that sent them.

use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};

/// When the kernel took a packet in, by the wall clock. Only packets that are followed carry it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReceivedAt(NonZeroU64);

impl ReceivedAt {
    /// `nanoseconds` since 1970; `None` for 0, which no clock shows any more.
    #[must_use]
    pub fn new(nanoseconds: u64) -> Option<Self> {
        NonZeroU64::new(nanoseconds).map(Self)
    }

    /// Nanoseconds from then to `now`, which counts like it. A clock that was set back makes it 0.
    #[must_use]
    pub fn elapsed_ns(self, now: u64) -> u64 {
        now.saturating_sub(self.0.get())
    }
}

/// How many sojourns were how long, since the router started: of each followed packet, every copy counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sojourns {
    /// Upper bounds in microseconds, inclusive, the smallest first; the same in every version of the counters.
    pub bounds_us: Vec<u32>,
    /// How many are within each bound and above the one before; one more than bounds, for what is longer.
    pub counts: Vec<u64>,
    /// All of them together, in microseconds.
    pub sum_us: u64,
}

/// Fine where the bars of `bench/` are: 0.3 and 2 ms.
const BOUNDS_US: [u32; 18] = [
    25, 50, 100, 150, 200, 300, 400, 500, 750, 1_000, 1_500, 2_000, 3_000, 5_000, 10_000, 20_000,
    50_000, 100_000,
];
/// A clock that was set in between says more; it is no sojourn.
const LONGEST_NS: u64 = 10_000_000_000;

impl Default for Sojourns {
    fn default() -> Self {
        let bounds_us = BOUNDS_US.to_vec();
        Self { counts: vec![0; bounds_us.len() + 1], bounds_us, sum_us: 0 }
    }
}

impl Sojourns {
    /// Counts one.
    pub fn add(&mut self, nanoseconds: u64) {
        if nanoseconds > LONGEST_NS {
            return;
        }
        let place = self.bounds_us.partition_point(|b| u64::from(*b) * 1_000 < nanoseconds);
        if let Some(count) = self.counts.get_mut(place) {
            *count += 1;
            self.sum_us += nanoseconds / 1_000;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sojourn_counts_within_its_bound() {
        let mut sojourns = Sojourns::default();
        for nanoseconds in [0, 25_000, 25_001, 99_000_000, 100_000_001, LONGEST_NS + 1] {
            sojourns.add(nanoseconds);
        }
        let mut expected = vec![0; BOUNDS_US.len() + 1];
        expected[..2].copy_from_slice(&[2, 1]);
        expected[BOUNDS_US.len() - 1..].copy_from_slice(&[1, 1]);
        assert_eq!(sojourns.counts, expected);
        assert_eq!(sojourns.sum_us, 25 + 25 + 99_000 + 100_000);
    }

    #[test]
    fn a_clock_that_was_set_back_makes_no_sojourn_longer() {
        let received = ReceivedAt::new(5_000).unwrap();
        assert_eq!((received.elapsed_ns(7_000), received.elapsed_ns(1)), (2_000, 0));
        assert_eq!(ReceivedAt::new(0), None);
    }
}

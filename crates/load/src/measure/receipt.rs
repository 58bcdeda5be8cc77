//! Which packets of one source arrived at one receiver.

use std::time::{Duration, Instant};

/// A packet that is further behind the newest than this is counted as lost, even if it comes after all.
const WINDOW: u64 = 1_024;
const WORDS: usize = (WINDOW / 64) as usize;

/// Counts by the numbers that the sender wrote into the packets.
#[derive(Debug, Clone)]
pub struct Receipt {
    first: u64,
    newest: u64,
    seen: [u64; WORDS],
    /// Different packets.
    pub received: u64,
    /// Packets that had come already.
    pub duplicates: u64,
    /// Packets that came after one with a greater number.
    pub reordered: u64,
    last_at: Instant,
    /// The longest time between two packets.
    pub longest_gap: Duration,
}

impl Receipt {
    /// The receipt of a source's first packet here.
    #[must_use]
    pub fn new(number: u64, now: Instant) -> Self {
        let mut receipt = Self {
            first: number,
            newest: number,
            seen: [0; WORDS],
            received: 1,
            duplicates: 0,
            reordered: 0,
            last_at: now,
            longest_gap: Duration::ZERO,
        };
        receipt.mark(number);
        receipt
    }

    /// Another packet came. Returns whether it is new.
    pub fn add(&mut self, number: u64, now: Instant) -> bool {
        self.longest_gap = self.longest_gap.max(now.saturating_duration_since(self.last_at));
        self.last_at = now;
        if number > self.newest {
            self.advance(number);
        } else if number < self.first || self.newest - number >= WINDOW {
            // From before the subscription, or too late to be told from a repetition.
            self.reordered += 1;
            return false;
        } else if self.is_marked(number) {
            self.duplicates += 1;
            return false;
        } else {
            self.reordered += 1;
        }
        self.mark(number);
        self.received += 1;
        true
    }

    /// Packets that should have come: from the first that did to the newest, or to the last that was `sent`.
    #[must_use]
    pub fn expected(&self, sent: Option<u64>) -> u64 {
        let end = sent.unwrap_or(0).max(self.newest + 1);
        end - self.first
    }

    /// Packets that should have come and did not; `sent` is how many the source sent in all, if that is known.
    #[must_use]
    pub fn lost(&self, sent: Option<u64>) -> u64 {
        self.expected(sent) - self.received
    }

    fn advance(&mut self, number: u64) {
        if number - self.newest >= WINDOW {
            self.seen = [0; WORDS];
        } else {
            for passed in self.newest + 1..number {
                self.clear(passed);
            }
        }
        self.newest = number;
    }

    fn mark(&mut self, number: u64) {
        if let Some(word) = self.seen.get_mut((number % WINDOW / 64) as usize) {
            *word |= 1 << (number % 64);
        }
    }

    fn clear(&mut self, number: u64) {
        if let Some(word) = self.seen.get_mut((number % WINDOW / 64) as usize) {
            *word &= !(1 << (number % 64));
        }
    }

    fn is_marked(&self, number: u64) -> bool {
        self.seen
            .get((number % WINDOW / 64) as usize)
            .is_some_and(|word| word & (1 << (number % 64)) != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(numbers: &[u64]) -> Receipt {
        let now = Instant::now();
        let mut numbers = numbers.iter();
        let mut receipt = Receipt::new(*numbers.next().unwrap(), now);
        for number in numbers {
            receipt.add(*number, now);
        }
        receipt
    }

    fn counts(receipt: &Receipt) -> (u64, u64, u64, u64) {
        (receipt.received, receipt.lost(None), receipt.duplicates, receipt.reordered)
    }

    #[test]
    fn an_unbroken_sequence_has_nothing_to_report() {
        assert_eq!(counts(&after(&[7, 8, 9, 10])), (4, 0, 0, 0));
    }

    #[test]
    fn loss_duplicates_and_reordering_are_told_apart() {
        assert_eq!(counts(&after(&[0, 1, 4])), (3, 2, 0, 0));
        assert_eq!(counts(&after(&[0, 1, 1, 0])), (2, 0, 2, 0));
        assert_eq!(counts(&after(&[0, 2, 1, 3])), (4, 0, 0, 1), "late, but not lost");
        assert_eq!(counts(&after(&[0, 2, 1, 1, 5])), (4, 2, 1, 1));
    }

    #[test]
    fn what_came_before_the_first_packet_is_not_expected() {
        assert_eq!(counts(&after(&[10, 9, 11])), (2, 0, 0, 1));
    }

    #[test]
    fn a_loss_at_the_end_shows_by_what_was_sent() {
        let receipt = after(&[3, 4, 5]);
        assert_eq!((receipt.expected(Some(10)), receipt.lost(Some(10))), (7, 4));
        assert_eq!(receipt.lost(Some(2)), 0, "the sender's count came too early");
    }

    #[test]
    fn a_jump_beyond_the_window_is_loss_and_forgets_nothing_else() {
        let mut receipt = after(&[0, 5_000]);
        assert_eq!(receipt.lost(None), 4_999);
        assert!(!receipt.add(1, Instant::now()), "too late to be told from a repetition");
        assert_eq!(receipt.duplicates, 0);
        assert!(receipt.add(4_999, Instant::now()));
        assert!(!receipt.add(4_999, Instant::now()));
        assert_eq!(counts(&receipt), (3, 4_998, 1, 2));
    }

    #[test]
    fn random_arrivals_agree_with_a_set() {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let mut newest = 1_000;
        let mut set = std::collections::BTreeSet::from([newest]);
        let mut receipt = after(&[newest]);
        let mut duplicates = 0;
        for _ in 0..10_000 {
            let number = (newest + random.u64(0..30)).saturating_sub(random.u64(0..40)).max(1_000);
            newest = newest.max(number);
            let is_new = set.insert(number);
            duplicates += u64::from(!is_new);
            assert_eq!(receipt.add(number, Instant::now()), is_new);
        }
        assert_eq!(receipt.received, set.len() as u64);
        assert_eq!(receipt.duplicates, duplicates);
        assert_eq!(receipt.lost(None), newest + 1 - 1_000 - set.len() as u64);
    }

    #[test]
    fn the_longest_gap_is_kept() {
        let start = Instant::now();
        let mut receipt = Receipt::new(0, start);
        for (number, at_ms) in [(1, 20), (2, 320), (3, 340)] {
            receipt.add(number, start + Duration::from_millis(at_ms));
        }
        assert_eq!(receipt.longest_gap, Duration::from_millis(300));
    }
}

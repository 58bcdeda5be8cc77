//! Which packets of a source did not come, and when they are asked for (RFC 4585 section 6.2.1).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Packets of one source that are asked for at once: a third of a second at 11 Mbit/s. If more are
/// missing, a key frame is quicker.
const MAX_MISSING: usize = 384;
/// Packets overtake each other by this much; those that come later were better asked for.
const REORDERING: Duration = Duration::from_millis(5);
/// Between two requests for the same packet, beyond the round trip.
const SPACING: Duration = Duration::from_millis(15);
/// The round trip before anything is known of it.
const FIRST_ROUND_TRIP: Duration = Duration::from_millis(100);
/// The longest that is believed.
const LONGEST_ROUND_TRIP: Duration = Duration::from_millis(500);
/// Between a request and its second copy, where many are lost; the sender answers once per round trip.
const COPY_AFTER: Duration = Duration::from_millis(8);
/// How often one packet is asked for. Of Chromium, at 30 % loss both ways, about four in ten requests bring it: ten of
/// them, as on a short way make 0.7 s, leave one in 200, fifteen one in 2,000.
const MAX_REQUESTS: u8 = 20;
/// A packet that is missing for longer is worse than a key frame.
const MAX_AGE: Duration = Duration::from_secs(1);
/// As many round trips are waited for in any case.
const LEAST_ROUND_TRIPS: u32 = 3;

#[derive(Debug, Clone, Copy)]
struct Gap {
    sequence: u64,
    noticed_at: Instant,
    due_at: Instant,
    /// The first time, of the two copies of a request the first.
    asked_at: Option<Instant>,
    requests: u8,
    /// The second copy of the last request is still to leave.
    is_copied: bool,
}

/// The packets that are missing from one source, oldest first.
#[derive(Debug, Default)]
pub(super) struct Missing {
    gaps: VecDeque<Gap>,
    /// No gap is due earlier; a wake-up for nothing is harmless.
    next_due: Option<Instant>,
}

impl Missing {
    /// Packets `first..end` were passed over.
    pub(super) fn note_gap(&mut self, now: Instant, first: u64, end: u64) {
        let first = first.max(end.saturating_sub(MAX_MISSING as u64));
        let due_at = now + REORDERING;
        for sequence in first..end {
            if self.gaps.len() == MAX_MISSING {
                self.gaps.pop_front();
            }
            let gap = Gap {
                sequence,
                noticed_at: now,
                due_at,
                asked_at: None,
                requests: 0,
                is_copied: false,
            };
            self.gaps.push_back(gap);
        }
        if first < end {
            self.next_due = Some(self.next_due.map_or(due_at, |at| at.min(due_at)));
        }
    }

    /// A packet came late. Returns the round trip if it was asked for once, so that it is clear which
    /// request it answers.
    pub(super) fn note_found(&mut self, now: Instant, sequence: u64) -> Option<Duration> {
        let place = self.gaps.binary_search_by_key(&sequence, |gap| gap.sequence).ok()?;
        let gap = self.gaps.remove(place)?;
        if self.gaps.is_empty() {
            self.next_due = None;
        }
        gap.asked_at.filter(|_| gap.requests == 1).map(|at| now.saturating_duration_since(at))
    }

    /// When [`Self::take_due`] has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.next_due
    }

    /// The packets to ask for now, in order, at most as many as may be missing. Each request is made twice
    /// where many are lost. Returns whether a packet was given up.
    pub(super) fn take_due(
        &mut self,
        now: Instant,
        round_trip: Option<Duration>,
        is_lossy: bool,
        due: &mut Vec<u16>,
    ) -> bool {
        let round_trip = round_trip.unwrap_or(FIRST_ROUND_TRIP).min(LONGEST_ROUND_TRIP);
        let most = MAX_AGE.max(LEAST_ROUND_TRIPS * round_trip);
        let is_over = |gap: &Gap| gap.requests >= MAX_REQUESTS || now >= gap.noticed_at + most;
        let before = self.gaps.len();
        self.gaps.retain(|gap| gap.due_at > now || gap.is_copied || !is_over(gap));
        let has_given_up = self.gaps.len() < before;
        self.next_due = None;
        for gap in &mut self.gaps {
            if gap.due_at <= now {
                due.push(gap.sequence as u16);
                if gap.is_copied {
                    gap.is_copied = false;
                    gap.due_at = now + round_trip + SPACING.saturating_sub(COPY_AFTER);
                } else {
                    gap.requests += 1;
                    gap.asked_at = Some(now);
                    gap.is_copied = is_lossy;
                    gap.due_at = now + if is_lossy { COPY_AFTER } else { round_trip + SPACING };
                }
            }
            self.next_due = Some(self.next_due.map_or(gap.due_at, |at| at.min(gap.due_at)));
        }
        has_given_up
    }

    /// Nothing is missing any more.
    pub(super) fn clear(&mut self) {
        self.gaps.clear();
        self.next_due = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(v: u64) -> Duration {
        Duration::from_millis(v)
    }

    fn due(missing: &mut Missing, now: Instant, round_trip: u64) -> Vec<u16> {
        let mut due = Vec::new();
        missing.take_due(now, Some(ms(round_trip)), false, &mut due);
        due
    }

    #[test]
    fn what_is_merely_late_is_not_asked_for() {
        let t = Instant::now();
        let mut missing = Missing::default();
        missing.note_gap(t, 10, 13);
        assert_eq!(missing.deadline(), Some(t + REORDERING));
        assert_eq!(due(&mut missing, t + ms(4), 50), []);
        assert_eq!(missing.note_found(t + ms(4), 11), None);
        assert_eq!(due(&mut missing, t + ms(5), 50), [10, 12]);
    }

    #[test]
    fn requests_are_a_round_trip_apart_and_come_to_an_end() {
        let t = Instant::now();
        for (round_trip, expected) in [(20, 20), (70, 12), (200, 5), (60_000, 3)] {
            let mut missing = Missing::default();
            missing.note_gap(t, 70_000, 70_001);
            let (mut asked, mut last) = (0, None);
            while let Some(at) = missing.deadline() {
                for number in due(&mut missing, at, round_trip) {
                    assert_eq!(number, 70_000_u64 as u16);
                    let spaced = last.is_none_or(|last| at >= last + ms(round_trip.min(500)));
                    assert!(spaced, "a request of {round_trip} ms came early");
                    last = Some(at);
                    asked += 1;
                }
            }
            assert_eq!(asked, expected, "round trip of {round_trip} ms");
        }
    }

    #[test]
    fn a_request_is_made_twice_where_many_are_lost() {
        let t = Instant::now();
        let mut missing = Missing::default();
        missing.note_gap(t, 7, 8);
        let (mut asked, mut has_given_up) = (Vec::new(), false);
        while let Some(at) = missing.deadline() {
            let mut due = Vec::new();
            has_given_up = missing.take_due(at, Some(ms(85)), true, &mut due);
            asked.extend(due.iter().map(|_| (at - t).as_millis()));
        }
        assert_eq!(asked[..6], [5, 13, 105, 113, 205, 213]);
        assert_eq!(asked.len(), 2 * 10, "for a second");
        assert!(has_given_up);
    }

    #[test]
    fn the_answer_to_the_only_request_tells_the_round_trip() {
        let t = Instant::now();
        let mut missing = Missing::default();
        missing.note_gap(t, 1, 3);
        due(&mut missing, t + ms(5), 30);
        assert_eq!(missing.note_found(t + ms(45), 1), Some(ms(40)));
        due(&mut missing, t + ms(60), 30);
        assert_eq!(missing.note_found(t + ms(70), 2), None, "which request it was is not known");
        assert_eq!(missing.note_found(t + ms(70), 2), None);
        assert_eq!(missing.deadline(), None);
    }

    #[test]
    fn a_great_gap_keeps_its_newest_packets() {
        let t = Instant::now();
        let mut missing = Missing::default();
        missing.note_gap(t, 0, 1_000_000);
        missing.note_gap(t, 1_000_010, 1_000_020);
        let asked = due(&mut missing, t + ms(5), 30);
        assert_eq!(asked.len(), MAX_MISSING);
        assert_eq!(asked.last(), Some(&(1_000_019_u64 as u16)));
    }
}

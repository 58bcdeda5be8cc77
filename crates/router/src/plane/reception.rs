//! What is known of one source that a client sends: which packets came, and how regularly.

use std::time::{Duration, Instant};

use super::missing::Missing;
use crate::rtp::rtcp::{ReportBlock, SenderInfo, compact_ntp};

/// Numbers below the newest that are remembered one by one, so that none is taken twice.
const WINDOW: u64 = 2048;
/// A jump beyond this is a new beginning of the same source.
const LARGEST_JUMP: u64 = 10_000;
/// A sender report is told back for as long; RFC 3550 appendix A.8 has no bound.
const MAX_DELAY: Duration = Duration::from_secs(60);

/// What a packet is to its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The newest so far, and these came not yet: from the first up to it.
    Ahead { missing_from: u64 },
    /// It fills a gap.
    Late,
    /// It came before, or is too old to tell.
    Known,
    /// The source began anew.
    Restart,
}

/// The packets of one source.
#[derive(Debug)]
pub(super) struct Reception {
    pub(super) missing: Missing,
    clock_hz: u32,
    /// Greatest number, extended beyond 16 bits.
    newest: u64,
    first: u64,
    came: Box<[u64; (WINDOW / 64) as usize]>,
    received: u64,
    /// What was expected and received at the last report.
    reported: (u64, u64),
    /// Arrival minus timestamp of the last packet, and the jitter in 1/16, in units of the clock.
    transit: Option<u32>,
    jitter: u32,
    sender_report: Option<(u32, Instant)>,
}

impl Reception {
    /// Nothing came yet; `first` is about to.
    pub(super) fn new(first: u64, clock_hz: u32) -> Self {
        Self {
            missing: Missing::default(),
            clock_hz,
            newest: first.wrapping_sub(1),
            first,
            came: Box::new([0; (WINDOW / 64) as usize]),
            received: 0,
            reported: (0, 0),
            transit: None,
            jitter: 0,
            sender_report: None,
        }
    }

    /// The number with these lower bits that is nearest to the newest.
    pub(super) fn extend(&self, number: u16) -> u64 {
        super::arrivals::extend(number, self.newest)
    }

    /// A packet came, for the first time or again.
    pub(super) fn note(&mut self, number: u64) -> Place {
        if self.received == 0 {
            *self = Self::new(number, self.clock_hz);
            self.newest = number;
            self.mark(number);
            return Place::Ahead { missing_from: number };
        }
        if number > self.newest {
            let missing_from = self.newest + 1;
            if number - self.newest > LARGEST_JUMP {
                let report = self.sender_report;
                *self = Self { sender_report: report, ..Self::new(number, self.clock_hz) };
                self.newest = number;
                self.mark(number);
                return Place::Restart;
            }
            for passed in missing_from.max(number.saturating_sub(WINDOW - 1))..number {
                self.set(passed, false);
            }
            self.newest = number;
            self.mark(number);
            return Place::Ahead { missing_from };
        }
        if self.newest - number >= WINDOW || self.is_marked(number) {
            return Place::Known;
        }
        self.mark(number);
        self.first = self.first.min(number);
        Place::Late
    }

    /// What a packet carried came in a later one. Returns whether it had not come before; reports go on
    /// counting the packet as lost.
    pub(super) fn note_recovered(&mut self, number: u64) -> bool {
        let behind = self.newest.saturating_sub(number);
        let is_lost =
            number >= self.first && (1..WINDOW).contains(&behind) && !self.is_marked(number);
        if is_lost {
            self.set(number, true);
        }
        is_lost
    }

    fn mark(&mut self, number: u64) {
        self.received += 1;
        self.set(number, true);
    }

    fn set(&mut self, number: u64, came: bool) {
        let at = number % WINDOW;
        if let Some(word) = self.came.get_mut((at / 64) as usize) {
            let bit = 1 << (at % 64);
            *word = if came { *word | bit } else { *word & !bit };
        }
    }

    fn is_marked(&self, number: u64) -> bool {
        let at = number % WINDOW;
        // Below the first nothing was marked, and nothing was cleared.
        number >= self.first
            && self.came.get((at / 64) as usize).is_some_and(|word| word >> (at % 64) & 1 == 1)
    }

    /// Follows the arrival times (RFC 3550 appendix A.8); for packets that were not sent again.
    pub(super) fn note_time(&mut self, since_start: Duration, timestamp: u32) {
        let arrival = since_start.as_micros() * u128::from(self.clock_hz) / 1_000_000;
        let transit = (arrival as u32).wrapping_sub(timestamp);
        if let Some(former) = self.transit.replace(transit) {
            let difference = (transit.wrapping_sub(former) as i32).unsigned_abs();
            // Timestamps may begin anew; that is no jitter.
            if difference < self.clock_hz {
                self.jitter = self.jitter + difference - ((self.jitter + 8) >> 4);
            }
        }
    }

    /// The source said when it is.
    pub(super) fn note_sender_report(&mut self, now: Instant, info: &SenderInfo) {
        self.sender_report = Some((compact_ntp(info.ntp), now));
    }

    /// The report block on this source, after which the next loss is counted.
    pub(super) fn report(&mut self, now: Instant, ssrc: u32) -> ReportBlock {
        // Before the first packet was taken the newest is the one before it, even of number 0.
        let expected = self.newest.wrapping_add(1).wrapping_sub(self.first);
        let (former_expected, former_received) = self.reported;
        self.reported = (expected, self.received);
        let expected_now = expected.saturating_sub(former_expected);
        let lost_now = expected_now.saturating_sub(self.received.saturating_sub(former_received));
        let fraction = (lost_now * 256).checked_div(expected_now).unwrap_or(0).min(255);
        let report = self.sender_report.filter(|(_, at)| now < *at + MAX_DELAY);
        let (last_sender_report, delay) = report.map_or((0, 0), |(ntp, at)| {
            let delay = now.saturating_duration_since(at).as_micros() * 65_536 / 1_000_000;
            (ntp, delay as u32)
        });
        ReportBlock {
            ssrc,
            fraction_lost: fraction as u8,
            cumulative_lost: (expected as i64 - self.received as i64).clamp(-0x80_0000, 0x7f_ffff)
                as i32,
            highest_sequence: self.newest as u32,
            jitter: self.jitter >> 4,
            last_sender_report,
            delay,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reception(numbers: &[u64]) -> Reception {
        let mut reception = Reception::new(numbers[0], 90_000);
        for number in numbers {
            reception.note(*number);
        }
        reception
    }

    #[test]
    fn every_number_is_taken_once() {
        let mut reception = reception(&[65_530]);
        assert_eq!(reception.note(65_530), Place::Known);
        assert_eq!(reception.note(65_540), Place::Ahead { missing_from: 65_531 });
        assert_eq!(reception.note(65_535), Place::Late);
        assert_eq!(reception.note(65_535), Place::Known);
        assert_eq!(reception.note(65_529), Place::Late, "one that was overtaken by the first");
        assert_eq!(reception.note(65_529), Place::Known);
        assert_eq!(reception.extend(0), 65_536);
        assert_eq!(reception.note(65_536), Place::Late);
        assert_eq!(reception.note(65_540 + WINDOW), Place::Ahead { missing_from: 65_541 });
        assert_eq!(reception.note(65_540), Place::Known, "too old to tell");
        assert_eq!(reception.note(65_541), Place::Late);
        assert_eq!(reception.note(65_540 + 2 * LARGEST_JUMP), Place::Restart);
    }

    #[test]
    fn what_was_recovered_is_taken_once_and_reported_lost() {
        let mut reception = reception(&[10, 13]);
        assert!(!reception.note_recovered(9), "before the first");
        assert!(!reception.note_recovered(13) && !reception.note_recovered(14));
        assert!(reception.note_recovered(12) && !reception.note_recovered(12));
        assert_eq!(reception.note(12), Place::Known);
        assert_eq!(reception.note(11), Place::Late);
        assert!(!reception.note_recovered(11));
        assert_eq!(reception.report(Instant::now(), 7).cumulative_lost, 1);
    }

    #[test]
    fn a_report_tells_the_loss_since_the_last_one_and_altogether() {
        let now = Instant::now();
        let mut reception = reception(&[10, 11, 13, 14]);
        let block = reception.report(now, 7);
        assert_eq!((block.ssrc, block.cumulative_lost, block.fraction_lost), (7, 1, 51));
        assert_eq!((block.highest_sequence, block.last_sender_report, block.delay), (14, 0, 0));
        reception.note(12);
        reception.note(15);
        let info =
            SenderInfo { ntp: 0x0001_2345_6789_0000, rtp_timestamp: 1, packets: 2, bytes: 3 };
        reception.note_sender_report(now, &info);
        let block = reception.report(now + Duration::from_millis(500), 7);
        assert_eq!((block.cumulative_lost, block.fraction_lost), (0, 0));
        assert_eq!((block.last_sender_report, block.delay), (0x2345_6789, 32_768));
        let block = reception.report(now + Duration::from_secs(100), 7);
        assert_eq!((block.last_sender_report, block.delay), (0, 0), "too long ago");
    }

    #[test]
    fn a_source_of_which_nothing_was_taken_yet_is_reported_without_loss() {
        for first in [0, 1, 65_535] {
            let mut reception = Reception::new(first, 48_000);
            let block = reception.report(Instant::now(), 7);
            assert_eq!((block.cumulative_lost, block.fraction_lost), (0, 0));
            reception.note(first);
            let block = reception.report(Instant::now(), 7);
            assert_eq!((block.cumulative_lost, block.fraction_lost), (0, 0));
        }
    }

    #[test]
    fn jitter_is_that_of_the_arrivals_and_not_of_the_clock() {
        let now = Instant::now();
        let mut regular = reception(&[1]);
        let mut shaken = reception(&[1]);
        for packet in 0..200_u32 {
            let at = Duration::from_millis(u64::from(packet) * 20);
            regular.note_time(at, packet * 1800);
            shaken.note_time(at + Duration::from_millis(u64::from(packet % 2) * 10), packet * 1800);
        }
        assert_eq!(regular.report(now, 1).jitter, 0);
        let jitter = shaken.report(now, 1).jitter;
        assert!((850..=900).contains(&jitter), "10 ms are 900 ticks: {jitter}");
    }
}

//! What left a transport lately, by the numbers that the peer's feedback names, and repeats that are to leave
//! twice.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Packets that are remembered: 2 s at 4 Mbit/s; feedback is never later than that.
const REMEMBERED: usize = 1024;
/// Second copies that wait, and repeats that are looked at again; beyond, the newest is left out.
const MAX_COPIES: usize = 256;
/// Beyond the round trip: so much later a repeat is reported, unless it or the report was lost.
const REPORTED_AFTER: Duration = Duration::from_millis(100);
/// Between a repeat and its second copy: bursts of loss are mostly shorter.
const COPY_AFTER: Duration = Duration::from_millis(6);
/// The share of a new report in the loss, for each packet of it: it follows within about 50 packets.
const SHARE: f32 = 0.02;
/// From here on one of 25 repeats is lost as well, which is a frame that stands still every few seconds.
const LOSSY: f32 = 0.04;

/// A packet that left with a number of the transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Departed {
    pub(super) line: usize,
    /// Lower bits of its number in the line.
    pub(super) number: u16,
    pub(super) is_repeat: bool,
}

/// A repeat that is to leave once more.
#[derive(Debug, Clone, Copy)]
struct Copy {
    at: Instant,
    line: usize,
    number: u16,
}

/// One of those that are remembered, in eight bytes: there are many, and each is written and read once.
#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    sequence: u16,
    line: u16,
    number: u16,
    is_there: bool,
    is_repeat: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Departures {
    /// By number of the transport.
    entries: Vec<Entry>,
    copies: VecDeque<Copy>,
    /// Repeats whose arrival is to be known by then.
    awaited: VecDeque<Copy>,
    /// Share of the packets that does not come, as the peer says.
    loss: f32,
}

impl Departures {
    /// A packet left with this number of the transport.
    pub(super) fn note(&mut self, sequence: u16, departed: Departed) {
        if self.entries.is_empty() {
            self.entries.resize(REMEMBERED, Entry::default());
        }
        if let Some(entry) = self.entries.get_mut(usize::from(sequence) % REMEMBERED) {
            let Departed { line, number, is_repeat } = departed;
            // A transport has far fewer lines.
            let line = u16::try_from(line);
            let is_there = line.is_ok();
            let line = line.unwrap_or_default();
            *entry = Entry { sequence, line, number, is_there, is_repeat };
        }
    }

    /// The peer tells of a packet, whether it came. Returns which one it was, the first time that it is told.
    pub(super) fn take(&mut self, sequence: u16, came: bool) -> Option<Departed> {
        let entry = self.entries.get_mut(usize::from(sequence) % REMEMBERED)?;
        if entry.sequence != sequence || !std::mem::take(&mut entry.is_there) {
            return None;
        }
        let Entry { line, number, is_repeat, .. } = *entry;
        let departed = Departed { line: line.into(), number, is_repeat };
        let lost = if came { 0.0 } else { 1.0 };
        self.loss += SHARE * (lost - self.loss);
        Some(departed)
    }

    /// Reads what [`Self::note`] is about to write to.
    pub(super) fn look_at(&self, sequence: u16) -> u64 {
        let entry = self.entries.get(usize::from(sequence) % REMEMBERED);
        entry.map_or(0, |entry| u64::from(entry.number))
    }

    /// Whether so much is lost that repeats leave twice.
    pub(super) fn is_lossy(&self) -> bool {
        self.loss >= LOSSY
    }

    /// A repeat of this packet leaves now; its copy will soon.
    pub(super) fn copy(&mut self, now: Instant, line: usize, number: u16) {
        if self.copies.len() < MAX_COPIES {
            self.copies.push_back(Copy { at: now + COPY_AFTER, line, number });
        }
    }

    /// A repeat of this packet leaves now; if nobody knows then that one came, it shall leave again.
    pub(super) fn await_report(
        &mut self,
        now: Instant,
        round_trip: Duration,
        line: usize,
        number: u16,
    ) {
        if self.awaited.len() < MAX_COPIES {
            self.awaited.push_back(Copy { at: now + round_trip + REPORTED_AFTER, line, number });
        }
    }

    /// When [`Self::take_due`] or [`Self::take_awaited`] has something.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let fronts = self.copies.front().into_iter().chain(self.awaited.front());
        fronts.map(|copy| copy.at).min()
    }

    /// Line and number of the next packet of which a repeat should have been reported by now.
    pub(super) fn take_awaited(&mut self, now: Instant) -> Option<(usize, u16)> {
        self.awaited.front().filter(|copy| copy.at <= now)?;
        let Copy { line, number, .. } = self.awaited.pop_front()?;
        Some((line, number))
    }

    /// Line and number of the next copy that is due.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<(usize, u16)> {
        self.copies.front().filter(|copy| copy.at <= now)?;
        let Copy { line, number, .. } = self.copies.pop_front()?;
        Some((line, number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn departed(number: u16) -> Departed {
        Departed { line: 3, number, is_repeat: false }
    }

    #[test]
    fn a_packet_is_found_once_by_its_number_while_it_is_remembered() {
        let mut departures = Departures::default();
        assert_eq!(departures.take(7, false), None);
        for sequence in 65_000..66_100_u32 {
            departures.note(sequence as u16, departed(sequence as u16 ^ 1));
        }
        assert_eq!(departures.take(65_000, false), None, "too long ago");
        assert_eq!(departures.take(500, false), Some(departed(501)));
        assert_eq!(departures.take(500, false), None);
        assert_eq!(departures.entries.len(), REMEMBERED);
    }

    #[test]
    fn copies_leave_where_much_is_lost_in_order_and_bounded() {
        let t = Instant::now();
        let mut departures = Departures::default();
        let report = |departures: &mut Departures, every: u16| {
            for sequence in 0..500 {
                departures.note(sequence, departed(sequence));
                departures.take(sequence, sequence % every != 0);
            }
        };
        report(&mut departures, 100);
        assert!(!departures.is_lossy());
        report(&mut departures, 8);
        assert!(departures.is_lossy());
        assert_eq!(departures.deadline(), None);
        for number in 0..2 * MAX_COPIES as u16 {
            departures.copy(t, 1, number);
        }
        assert_eq!(departures.deadline(), Some(t + COPY_AFTER));
        assert_eq!(departures.take_due(t), None);
        for number in 0..MAX_COPIES as u16 {
            assert_eq!(departures.take_due(t + COPY_AFTER), Some((1, number)));
        }
        assert_eq!(departures.deadline(), None);
    }
}

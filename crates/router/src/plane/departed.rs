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
/// A peer that tells nothing for so long does not say what came either; before, nobody knows if a repeat did.
const LONGEST_SILENCE: Duration = Duration::from_secs(1);
/// How often a packet is watched for the report on it, and how many are.
const WATCH_EVERY: Duration = Duration::from_millis(20);
const MAX_WATCHED: usize = 32;
/// Between a repeat and its second copy: bursts of loss are mostly shorter.
const COPY_AFTER: Duration = Duration::from_millis(6);
/// The share of a new report in the loss, for each packet of it: it follows within about 50 packets.
const SHARE: f32 = 0.02;
/// From here on one of 25 repeats is lost as well, which is a frame that stands still every few seconds.
const LOSSY: f32 = 0.04;
/// The same of a repeat in the share of those that come: it follows within about twenty.
const REPEAT_SHARE: f32 = 1.0 / 16.0;
/// Where fewer repeats come it is they that fill the network, for chance alone takes 30 in 100 at worst.
const WORTHWHILE: f32 = 0.35;

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
#[derive(Debug)]
pub(super) struct Departures {
    /// By number of the transport.
    entries: Vec<Entry>,
    copies: VecDeque<Copy>,
    /// Repeats whose arrival is to be known by then, and when each left.
    awaited: VecDeque<(Instant, Copy)>,
    /// Share of the packets that does not come, as the peer says.
    loss: f32,
    /// Share of the repeats that comes.
    repeats_come: f32,
    /// Some of the packets that no report has told of yet, the oldest first, and when they left.
    watched: VecDeque<(u16, Instant)>,
    /// All that left until then was told of, as far as its report came.
    told_until: Option<Instant>,
}

impl Default for Departures {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            copies: VecDeque::new(),
            awaited: VecDeque::new(),
            loss: 0.0,
            repeats_come: 1.0,
            watched: VecDeque::new(),
            told_until: None,
        }
    }
}

impl Departures {
    /// A packet left with this number of the transport.
    pub(super) fn note(&mut self, now: Instant, sequence: u16, departed: Departed) {
        if self.entries.is_empty() {
            self.entries.resize(REMEMBERED, Entry::default());
            self.watched.reserve_exact(MAX_WATCHED);
        }
        let is_due = self.watched.back().is_none_or(|(_, at)| now >= *at + WATCH_EVERY);
        if is_due && self.watched.len() < MAX_WATCHED {
            self.watched.push_back((sequence, now));
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
        if is_repeat {
            self.repeats_come += REPEAT_SHARE * (1.0 - lost - self.repeats_come);
        }
        Some(departed)
    }

    /// The peer told of all packets up to this one.
    pub(super) fn note_report(&mut self, newest: u16) {
        let is_reported = |watched: u16| newest.wrapping_sub(watched) < u16::MAX / 2;
        while let Some((watched, at)) = self.watched.front().copied()
            && is_reported(watched)
        {
            self.watched.pop_front();
            self.told_until = Some(at);
        }
    }

    /// Whether a packet is worth to be repeated more than once.
    pub(super) fn repeats_come(&self) -> bool {
        self.repeats_come >= WORTHWHILE
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
            let at = now + round_trip + REPORTED_AFTER;
            self.awaited.push_back((now, Copy { at, line, number }));
        }
    }

    /// When [`Self::take_due`] or [`Self::take_awaited`] has something.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let copy = self.copies.front().map(|copy| copy.at);
        copy.into_iter().chain(self.awaited_at()).min()
    }

    /// When the first repeat that is awaited is missed. Behind a queue the reports on it are late as well.
    fn awaited_at(&self) -> Option<Instant> {
        let (left, copy) = self.awaited.front()?;
        let is_told = self.told_until.is_some_and(|until| until >= *left);
        Some(if is_told { copy.at } else { copy.at.max(*left + LONGEST_SILENCE) })
    }

    /// Line and number of the next packet of which a repeat should have been reported by now.
    pub(super) fn take_awaited(&mut self, now: Instant) -> Option<(usize, u16)> {
        self.awaited_at().filter(|at| *at <= now)?;
        let (_, Copy { line, number, .. }) = self.awaited.pop_front()?;
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
        let (t, mut departures) = (Instant::now(), Departures::default());
        assert_eq!(departures.take(7, false), None);
        for sequence in 65_000..66_100_u32 {
            departures.note(t, sequence as u16, departed(sequence as u16 ^ 1));
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
                departures.note(t, sequence, departed(sequence));
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

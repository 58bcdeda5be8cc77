//! When packets of one transport came, for the feedback that publishers estimate their bandwidth from
//! (draft-holmer-rmcat-transport-wide-cc-extensions-01).

use std::time::{Duration, Instant};

use super::losses::Losses;
use crate::rtp::NoRoom;
use crate::rtp::rtcp::{Arrival, Compound, TICK_MICROSECONDS};

/// How often feedback leaves while packets come.
const INTERVAL: Duration = Duration::from_millis(50);
/// Packets of one interval: 200 Mbit/s. What is beyond is told at once.
const MAX_PACKETS: usize = 1024;
/// Packets that came after they were told missing, in one interval.
const MAX_LATE: usize = 16;
/// A jump of numbers beyond this is a new beginning.
const LARGEST_JUMP: u64 = 4096;

/// The packets since the last feedback.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    /// What ticks are counted from.
    origin: Option<Instant>,
    /// The first number, extended beyond 16 bits, that was not told.
    base: u64,
    newest: u64,
    /// By number.
    came: Vec<Arrival>,
    late: Vec<Arrival>,
    /// Of what came since feedback left.
    bytes: u64,
    /// What did not come up to here was judged.
    judged: u64,
    /// Numbers before which something is withheld, in order; at most as many as `came`.
    begins: Vec<u64>,
    due_at: Option<Instant>,
    /// Counts feedback packets.
    feedbacks: u8,
}

impl Arrivals {
    /// A packet with this number came, of so many bytes.
    pub(super) fn note(&mut self, now: Instant, number: u16, bytes: usize) {
        let is_first = self.origin.is_none();
        let origin = *self.origin.get_or_insert(now);
        let since = now.saturating_duration_since(origin).as_micros() as u64;
        let number = extend(number, if is_first { u64::from(number) } else { self.newest });
        if is_first || number.abs_diff(self.newest) > LARGEST_JUMP {
            self.came.clear();
            self.late.clear();
            self.begins.clear();
            (self.base, self.newest, self.judged) = (number, number, number);
        }
        let arrival = Arrival { number, ticks: since / TICK_MICROSECONDS };
        if number < self.base {
            if self.late.len() < MAX_LATE {
                self.late.push(arrival);
            }
        } else if self.came.len() < MAX_PACKETS {
            match self.came.binary_search_by_key(&number, |known| known.number) {
                Ok(_) => return,
                Err(place) => self.came.insert(place, arrival),
            }
        }
        self.bytes += bytes as u64;
        self.newest = self.newest.max(number);
        let due_at = if self.came.len() < MAX_PACKETS { now + INTERVAL } else { now };
        self.due_at = Some(self.due_at.map_or(due_at, |at| at.min(due_at)));
    }

    /// When feedback is due, if anything came.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.due_at
    }

    /// Judges what did not come since this was called last; a queue of this length stands on the way, as far
    /// as that is known. To be called once before feedback is composed.
    pub(super) fn judge(&mut self, now: Instant, queue: Option<Duration>, losses: &mut Losses) {
        let first = self.came.partition_point(|arrival| arrival.number < self.judged);
        let new = self.came.get(first..).unwrap_or_default();
        let end = new.last().map_or(self.judged, |last| last.number + 1);
        let missing = (end - self.judged).saturating_sub(new.len() as u64);
        let lost = missing.saturating_sub(self.late.len() as u64) as u32;
        losses.note(now, new.len() as u32, lost, std::mem::take(&mut self.bytes), queue);
        self.begins.retain(|begin| *begin >= self.base);
        let mut expected = self.judged;
        for arrival in new {
            let gap = arrival.number - expected;
            if gap > 0 && losses.withhold(gap) {
                self.begins.push(arrival.number);
            }
            expected = arrival.number + 1;
        }
        self.judged = end;
    }

    /// Adds feedback to a compound, as much as there is room for. Returns whether that was all. What
    /// is withheld lies between two feedback packets and is in none.
    pub(super) fn compose(&mut self, compound: &mut Compound<'_>, sender: u32, media: u32) -> bool {
        while let Some(late) = self.late.last().copied() {
            if self.feedback(compound, (sender, media), late.number, &[late]).is_err() {
                return false;
            }
            self.late.pop();
        }
        while let Some(first) = self.came.first() {
            let is_begin = |arrival: &Arrival| self.begins.binary_search(&arrival.number).is_ok();
            let base = if is_begin(first) { first.number } else { self.base };
            let others = self.came.iter().skip(1);
            let end = others.clone().position(is_begin).map_or(self.came.len(), |place| place + 1);
            let came = std::mem::take(&mut self.came);
            let told = came.get(..end).unwrap_or_default();
            let composed = self.feedback(compound, (sender, media), base, told);
            self.came = came;
            let Ok((told, next)) = composed else {
                return false;
            };
            self.came.drain(..told.min(self.came.len()));
            self.base = next;
        }
        self.due_at = None;
        true
    }

    fn feedback(
        &mut self,
        compound: &mut Compound<'_>,
        (sender, media): (u32, u32),
        base: u64,
        arrivals: &[Arrival],
    ) -> Result<(usize, u64), NoRoom> {
        let composed =
            compound.transport_feedback(sender, media, self.feedbacks, base, arrivals)?;
        self.feedbacks = self.feedbacks.wrapping_add(1);
        Ok((composed.arrivals.max(1), composed.next))
    }
}

/// The number nearest to `near` with these lower bits.
pub(super) fn extend(number: u16, near: u64) -> u64 {
    let ahead = i64::from(number.wrapping_sub(near as u16) as i16);
    near.checked_add_signed(ahead).unwrap_or(u64::from(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::rtcp::{self, Packet};

    const fn ms(v: u64) -> Duration {
        Duration::from_millis(v)
    }

    /// What the next feedback says: numbers, and when they came, in ticks since the first.
    fn feedback(arrivals: &mut Arrivals) -> Vec<Vec<(u16, Option<i16>)>> {
        let mut buffer = [0; 1200];
        let mut compound = Compound::new(&mut buffer);
        assert!(arrivals.compose(&mut compound, 1, 2));
        let length = compound.length();
        let packets = rtcp::packets(&buffer[..length]).map(|packet| match packet {
            Ok(Packet::TransportFeedback(feedback)) => feedback.statuses().collect(),
            other => panic!("{other:?}"),
        });
        packets.collect()
    }

    #[test]
    fn packets_are_told_in_order_with_those_that_are_missing() {
        let t = Instant::now();
        let mut arrivals = Arrivals::default();
        for (at, number) in [(0, 65_534), (1, 65_535), (3, 1), (2, 0), (9, 4), (10, 4)] {
            arrivals.note(t + ms(at), number, 100);
        }
        assert_eq!(arrivals.deadline(), Some(t + INTERVAL));
        let told = feedback(&mut arrivals);
        let came = |number, ticks| (number, Some(ticks));
        let expected = [
            came(65_534, 0),
            came(65_535, 4),
            came(0, 4),
            came(1, 4),
            (2, None),
            (3, None),
            came(4, 24),
        ];
        assert_eq!(told, [expected]);
        assert_eq!(arrivals.deadline(), None);
        arrivals.note(t + ms(60), 6, 100);
        assert_eq!(feedback(&mut arrivals)[0][0], (5, None), "it goes on where it ended");
    }

    #[test]
    fn one_that_comes_after_it_was_told_missing_is_told_by_itself() {
        let t = Instant::now();
        let mut arrivals = Arrivals::default();
        arrivals.note(t, 10, 100);
        arrivals.note(t, 12, 100);
        feedback(&mut arrivals);
        arrivals.note(t + ms(1), 11, 100);
        let told = feedback(&mut arrivals);
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].iter().map(|(number, _)| *number).collect::<Vec<_>>(), [11]);
    }

    #[test]
    fn what_is_withheld_is_neither_told_lost_nor_come() {
        let t = Instant::now();
        let (mut arrivals, mut losses) = (Arrivals::default(), Losses::default());
        // Every fourth is lost, for so long that this is known to have nothing to do with the rate.
        let came = |number: &u16| number % 4 != 3;
        for number in (0..400).filter(came) {
            arrivals.note(t + ms(u64::from(number) * 10), number, 1000);
            if number % 8 == 6 {
                arrivals.judge(t + ms(u64::from(number) * 10), None, &mut losses);
                feedback(&mut arrivals);
            }
        }
        for number in (400..440).filter(came) {
            arrivals.note(t + ms(u64::from(number) * 10), number, 1000);
        }
        arrivals.judge(t + ms(4400), None, &mut losses);
        let told: Vec<_> = feedback(&mut arrivals).concat();
        let numbers: Vec<_> = told.iter().map(|(number, _)| *number).collect();
        let lost = told.iter().filter(|(_, ticks)| ticks.is_none()).count();
        assert_eq!(numbers, (400..439).filter(came).collect::<Vec<_>>());
        assert_eq!(lost, 0);
        // A gap that is longer than chance makes them is told.
        arrivals.note(t + ms(4800), 480, 1000);
        arrivals.judge(t + ms(4800), None, &mut losses);
        assert_eq!(feedback(&mut arrivals).concat().len(), 42);
    }

    #[test]
    fn memory_is_bounded_whatever_the_numbers_are() {
        let t = Instant::now();
        let mut arrivals = Arrivals::default();
        let mut number = 1_u32;
        for _ in 0..20_000 {
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            arrivals.note(t, (number >> 16) as u16, 100);
            assert!(arrivals.came.len() <= MAX_PACKETS && arrivals.late.len() <= MAX_LATE);
        }
        for number in 0..5000 {
            arrivals.note(t, number, 100);
            assert!(arrivals.came.len() <= MAX_PACKETS);
        }
        assert_eq!(arrivals.deadline(), Some(t), "told at once");
        let mut compounds = 0;
        while arrivals.deadline().is_some() {
            let mut buffer = [0; 1200];
            arrivals.compose(&mut Compound::new(&mut buffer), 1, 2);
            compounds += 1;
            assert!(compounds < 100);
        }
    }
}

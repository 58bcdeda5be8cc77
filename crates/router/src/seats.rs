//! Who of those that a subscriber wants to hear is forwarded to it, while not all are. Pure.
//!
//! Each audio slot is a seat. Whoever has one keeps it until somebody else needs it: a seat that is
//! empty, or whose stream has been silent for [`HOLD`], is taken at once; one that is spoken on only
//! after [`STAY`], and by somebody who is clearly louder.

use std::time::{Duration, Instant};

use crate::ids::{Generation, SlotIndex, TransportId};

/// So long after its last word a stream keeps its seat against everybody: people breathe.
const HOLD: Duration = Duration::from_millis(1500);
/// So long a stream that speaks keeps its seat against louder ones.
const STAY: Duration = Duration::from_secs(1);
/// So many dB louder somebody must be to take the seat of one who speaks.
const MARGIN: f32 = 6.0;
/// What somebody with a seat counts as falls by so many dB per second at most: a word begins softly.
const FALL: f32 = 3.0;

/// A binding whose sound may be forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// The pair that it is bound to.
    pub(crate) slot: SlotIndex,
    pub(crate) generation: Generation,
    pub(crate) publisher: TransportId,
}

#[derive(Debug)]
pub(crate) struct Occupant {
    pub(crate) of: Candidate,
    /// First timestamp that it can have on the audio slot.
    pub(crate) rtp_timestamp: u32,
    since: Instant,
    spoke_at: Instant,
    score: f32,
}

/// An audio slot.
#[derive(Debug)]
pub(crate) struct Seat {
    /// The pair whose audio line it is.
    pub(crate) slot: SlotIndex,
    pub(crate) occupant: Option<Occupant>,
}

/// The audio slots of one subscriber.
#[derive(Debug)]
pub(crate) struct Seats {
    pub(crate) all: Vec<Seat>,
}

impl Seats {
    pub(crate) fn new(slots: &[SlotIndex]) -> Self {
        Self { all: slots.iter().map(|slot| Seat { slot: *slot, occupant: None }).collect() }
    }

    /// Where a binding sits.
    pub(crate) fn seat_of(&self, slot: SlotIndex) -> Option<usize> {
        self.all.iter().position(|seat| seat.occupant.as_ref().is_some_and(|o| o.of.slot == slot))
    }

    /// A binding speaks; `false` if it has no seat.
    pub(crate) fn hear(&mut self, now: Instant, of: Candidate, score: f32) -> bool {
        let occupants = self.all.iter_mut().filter_map(|seat| seat.occupant.as_mut());
        let Some(occupant) = occupants.into_iter().find(|occupant| occupant.of == of) else {
            return false;
        };
        let since = now.saturating_duration_since(occupant.spoke_at).as_secs_f32();
        occupant.score = score.max(occupant.score - FALL * since);
        occupant.spoke_at = now;
        true
    }

    /// The seat that somebody who speaks without one may take.
    ///
    /// One publisher has all seats but one at most, however many streams it sends.
    pub(crate) fn place(&self, now: Instant, of: Candidate, score: f32) -> Option<usize> {
        let most = self.all.len().saturating_sub(1).max(1);
        let is_own = |seat: &Seat| {
            seat.occupant.as_ref().is_some_and(|occupant| occupant.of.publisher == of.publisher)
        };
        let is_full = self.all.iter().filter(|seat| is_own(seat)).count() >= most;
        let open = self.all.iter().enumerate().filter(|(_, seat)| !is_full || is_own(seat));
        let mut best: Option<(usize, f32)> = None;
        for (index, seat) in open {
            let Some(occupant) = &seat.occupant else {
                return Some(index);
            };
            let silent = now.saturating_duration_since(occupant.spoke_at);
            let stayed = now.saturating_duration_since(occupant.since);
            // Of several that have fallen silent the longest silent goes.
            let worth = if silent >= HOLD { -silent.as_secs_f32() } else { occupant.score };
            let may_go = silent >= HOLD || (stayed >= STAY && score >= occupant.score + MARGIN);
            if may_go && best.is_none_or(|(_, least)| worth < least) {
                best = Some((index, worth));
            }
        }
        best.map(|(index, _)| index)
    }

    /// Seats somebody.
    pub(crate) fn take(
        &mut self,
        now: Instant,
        index: usize,
        (of, score): (Candidate, f32),
        rtp_timestamp: u32,
    ) {
        if let Some(seat) = self.all.get_mut(index) {
            let occupant = Occupant { of, rtp_timestamp, since: now, spoke_at: now, score };
            seat.occupant = Some(occupant);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(number: u32) -> Candidate {
        Candidate {
            slot: SlotIndex(number),
            generation: Generation(1),
            publisher: TransportId(u64::from(number)),
        }
    }

    /// Somebody speaks: it keeps its seat, gets one, or does not.
    fn speak(seats: &mut Seats, now: Instant, of: Candidate, score: f32) -> Option<usize> {
        if seats.hear(now, of, score) {
            return seats.seat_of(of.slot);
        }
        let place = seats.place(now, of, score)?;
        seats.take(now, place, (of, score), 0);
        Some(place)
    }

    fn three(now: Instant) -> Seats {
        let mut seats = Seats::new(&[SlotIndex(7), SlotIndex(8), SlotIndex(9)]);
        for number in 0..3 {
            let score = 80.0 + number as f32;
            assert_eq!(speak(&mut seats, now, candidate(number), score), Some(number as usize));
        }
        seats
    }

    #[test]
    fn a_seat_is_kept_while_nobody_needs_it() {
        let start = Instant::now();
        let mut seats = three(start);
        assert_eq!(speak(&mut seats, start + Duration::from_secs(60), candidate(1), 75.0), Some(1));
        assert!(seats.all.iter().all(|seat| seat.occupant.is_some()));
    }

    #[test]
    fn the_longest_silent_goes_first_and_only_after_a_while() {
        let start = Instant::now();
        let mut seats = three(start);
        let later = start + Duration::from_secs(3);
        speak(&mut seats, later, candidate(0), 80.0);
        speak(&mut seats, start + Duration::from_secs(1), candidate(2), 80.0);
        assert_eq!(speak(&mut seats, later, candidate(5), 73.0), Some(1));
        assert_eq!(speak(&mut seats, start + HOLD / 2, candidate(6), 73.0), None);
    }

    #[test]
    fn one_who_speaks_gives_way_to_a_clearly_louder_one_only() {
        let start = Instant::now();
        let mut seats = three(start);
        let soon = start + Duration::from_millis(1200);
        for number in 0..3 {
            speak(&mut seats, soon, candidate(number), 80.0 + number as f32);
        }
        assert_eq!(speak(&mut seats, soon, candidate(5), 85.0), None, "5 dB is not clear");
        assert_eq!(speak(&mut seats, soon, candidate(5), 86.0), Some(0), "the quietest goes");
        assert_eq!(speak(&mut seats, soon, candidate(6), 107.0), Some(1));
        assert_eq!(speak(&mut seats, soon, candidate(0), 107.0), Some(2), "the others just came");
        assert_eq!(speak(&mut seats, soon, candidate(1), 107.0), None, "all have just come");
    }

    #[test]
    fn one_publisher_does_not_take_all() {
        let start = Instant::now();
        let mut seats = Seats::new(&[SlotIndex(7), SlotIndex(8), SlotIndex(9)]);
        let many = |slot| Candidate { publisher: TransportId(99), ..candidate(slot) };
        let got: Vec<_> = (0..4).map(|n| speak(&mut seats, start, many(n), 100.0)).collect();
        assert_eq!(got, [Some(0), Some(1), None, None]);
        assert_eq!(speak(&mut seats, start, candidate(20), 73.0), Some(2));
    }
}

//! What left a line, for as long as its receiver may ask for it again.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::buffers::MediaBytes;
use crate::engine::RtpOut;

/// Packets that one line keeps: 3 s at 5 Mbit/s and 1,150 bytes.
const MAX_PACKETS: usize = 2048;
/// Those that are too old go by so many: each of them was not looked at for long and costs a look at memory,
/// several at once cost little more.
const BATCH: usize = 32;
/// How long. A receiver that still lacks a packet then has asked for a key frame.
const MAX_AGE: Duration = Duration::from_secs(3);
/// Between two repetitions of one packet at least; more if the round trip is longer.
const LEAST_SPACING: Duration = Duration::from_millis(10);
/// A probe repeats the largest of this many.
const NEWEST: usize = 8;
/// The longest round trip that is believed.
const MOST_SPACING: Duration = Duration::from_millis(300);

/// How often one packet leaves again, second copies included: what asks more often never gets it.
const MAX_REPETITIONS: u8 = 20;

/// A packet that left. There are thousands of it, and they are rarely looked at: the smaller the better.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) packet: RtpOut,
    /// In milliseconds since the line's first.
    left_ms: u32,
    /// The same, of the newest repetition.
    repeated_ms: u32,
    repetitions: u8,
    /// Its payload is the whole datagram, as it can only be repeated to the bit.
    pub(super) is_sealed: bool,
    /// A repeat of it came.
    arrived: bool,
}

impl Sent {
    fn is_over(&self, now_ms: u32) -> bool {
        Duration::from_millis(now_ms.wrapping_sub(self.left_ms).into()) >= MAX_AGE
    }
}

/// Why a packet is to leave again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// The peer asks for it.
    Asked,
    /// The peer says that it did not come.
    Lost,
    /// The peer says that its repeat did not come.
    RepeatLost,
    /// It just left again, and shall once more.
    Copy,
}

/// The packets of one line, in the order of their numbers.
#[derive(Debug, Default)]
pub(super) struct History {
    packets: VecDeque<Sent>,
    /// What times are counted from.
    origin: Option<Instant>,
    /// Before this nothing is too old, so that the oldest need not be looked at for each packet.
    none_over_before_ms: u32,
}

impl History {
    /// A packet left for the first time; `sealed` is the whole of it, where it can only be repeated to the bit.
    pub(super) fn push(&mut self, now: Instant, mut packet: RtpOut, sealed: Option<MediaBytes>) {
        let now_ms = self.ms(now);
        while self.packets.len() >= MAX_PACKETS || self.is_batch_over(now_ms) {
            self.packets.drain(..BATCH);
        }
        let number = packet.sequence_number;
        let is_sealed = sealed.is_some();
        if let Some(sealed) = sealed {
            packet.payload = sealed;
        }
        let sent = Sent {
            packet,
            left_ms: now_ms,
            repeated_ms: 0,
            repetitions: 0,
            is_sealed,
            arrived: false,
        };
        let is_later = |known: &Sent| known.packet.sequence_number < number;
        match self.packets.back() {
            Some(last) if !is_later(last) => {
                let place = self.packets.partition_point(is_later);
                self.packets.insert(place, sent);
            }
            _ => self.packets.push_back(sent),
        }
    }

    fn is_batch_over(&mut self, now_ms: u32) -> bool {
        if (now_ms.wrapping_sub(self.none_over_before_ms) as i32) < 0 {
            return false;
        }
        let Some(last) = self.packets.get(BATCH - 1) else {
            return false;
        };
        let is_over = last.is_over(now_ms);
        if !is_over {
            self.none_over_before_ms = last.left_ms.wrapping_add(MAX_AGE.as_millis() as u32);
        }
        is_over
    }

    /// Reads what the next [`Self::push`] is about to read.
    pub(super) fn look_at(&self) -> u64 {
        let newest = self.packets.back().map_or(0, |sent| sent.packet.sequence_number);
        newest ^ u64::from(self.none_over_before_ms)
    }

    /// The packet with these lower bits, if it may leave again now; it counts as repeated. Unless it may be tried
    /// again, it leaves again only once.
    pub(super) fn take_again(
        &mut self,
        now: Instant,
        number: u16,
        round_trip: Option<Duration>,
        (cause, may_try_again): (Cause, bool),
    ) -> Option<&Sent> {
        let round_trip = round_trip.unwrap_or_default().clamp(LEAST_SPACING, MOST_SPACING);
        let spacing = match cause {
            Cause::Asked | Cause::Lost => round_trip,
            Cause::RepeatLost => LEAST_SPACING,
            Cause::Copy => Duration::ZERO,
        };
        let now_ms = self.ms(now);
        let sent = self.find(number)?;
        let repeated_for = Duration::from_millis(now_ms.wrapping_sub(sent.repeated_ms).into());
        let is_under_way = sent.repetitions > 0 && repeated_for < spacing;
        let most = if may_try_again { MAX_REPETITIONS } else { 1 };
        let is_over = sent.is_over(now_ms) || sent.repetitions >= most;
        let is_there = sent.arrived && cause != Cause::Asked;
        if is_under_way || is_over || is_there {
            return None;
        }
        sent.repeated_ms = now_ms;
        sent.repetitions += 1;
        Some(sent)
    }

    /// The largest of the packets that left last.
    pub(super) fn largest_of_newest(&self) -> Option<&RtpOut> {
        let newest = self.packets.iter().rev().take(NEWEST).filter(|sent| !sent.is_sealed);
        let newest = newest.map(|sent| &sent.packet);
        newest.max_by_key(|packet| packet.payload.len())
    }

    /// A repeat of the packet with these lower bits came.
    pub(super) fn note_arrived(&mut self, number: u16) {
        if let Some(sent) = self.find(number) {
            sent.arrived = true;
        }
    }

    fn find(&mut self, number: u16) -> Option<&mut Sent> {
        let newest = self.packets.back()?.packet.sequence_number;
        let behind = u64::from((newest as u16).wrapping_sub(number));
        let number = newest.checked_sub(behind)?;
        let place =
            self.packets.binary_search_by_key(&number, |s| s.packet.sequence_number).ok()?;
        self.packets.get_mut(place)
    }

    /// Wraps after 49 days.
    fn ms(&mut self, now: Instant) -> u32 {
        let origin = *self.origin.get_or_insert(now);
        now.saturating_duration_since(origin).as_millis() as u32
    }

    /// Forgets everything but a packet for probes, which nobody gets by asking.
    pub(super) fn rest(&mut self) {
        let newest = self.packets.iter().rev().take(NEWEST).filter(|sent| !sent.is_sealed);
        let largest = newest.max_by_key(|sent| sent.packet.payload.len());
        let number = largest.map(|sent| sent.packet.sequence_number);
        self.packets.retain_mut(|sent| {
            sent.repetitions = MAX_REPETITIONS;
            Some(sent.packet.sequence_number) == number
        });
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.packets.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Codec;
    use crate::engine::{DescriptorRewrite, Extensions};

    fn packet(now: Instant, sequence_number: u64) -> RtpOut {
        RtpOut {
            payload_type: 96,
            sequence_number,
            timestamp: 0,
            captured: now,
            marker: false,
            extensions: Extensions::default(),
            payload: (&[1_u8, 2, 3][..]).into(),
            rewrite: DescriptorRewrite::default(),
            codec: Codec::Vp8,
            received: None,
        }
    }

    fn again(history: &mut History, now: Instant, number: u16) -> Option<u64> {
        let round_trip = Some(Duration::from_millis(40));
        history
            .take_again(now, number, round_trip, (Cause::Asked, true))
            .map(|sent| sent.packet.sequence_number)
    }

    #[test]
    fn packets_are_found_by_their_lower_bits_and_once_per_round_trip() {
        let t = Instant::now();
        let mut history = History::default();
        for number in [65_530, 65_531, 65_540, 65_536, 65_541] {
            history.push(t, packet(t, number), None);
        }
        assert_eq!(again(&mut history, t, 65_531), Some(65_531));
        assert_eq!(again(&mut history, t, 0), Some(65_536), "one that left out of order");
        assert_eq!(again(&mut history, t, 1), None);
        assert_eq!(again(&mut history, t, 10_000), None, "one that never left");
        assert_eq!(again(&mut history, t + Duration::from_millis(39), 0), None);
        assert_eq!(again(&mut history, t + Duration::from_millis(40), 0), Some(65_536));
        history.clear();
        assert_eq!(again(&mut history, t, 65_531), None);
    }

    #[test]
    fn what_the_peer_says_of_a_repeat_decides_whether_it_leaves_once_more() {
        let t = Instant::now();
        let mut history = History::default();
        history.push(t, packet(t, 7), None);
        let mut again = |ms, cause| {
            let (now, round_trip) = (t + Duration::from_millis(ms), Duration::from_millis(40));
            history.take_again(now, 7, Some(round_trip), (cause, true)).is_some()
        };
        assert!(again(10, Cause::Lost));
        assert!(!again(20, Cause::Asked), "the repeat is under way");
        assert!(again(16, Cause::Copy), "but its copy may leave");
        assert!(!again(25, Cause::RepeatLost));
        assert!(again(26, Cause::RepeatLost), "it is known to be lost before a round trip is over");
        history.note_arrived(7);
        for cause in [Cause::Lost, Cause::RepeatLost, Cause::Copy] {
            let now = t + Duration::from_millis(500);
            assert!(history.take_again(now, 7, None, (cause, true)).is_none());
        }
        let now = t + Duration::from_millis(500);
        assert!(
            history.take_again(now, 7, None, (Cause::Asked, true)).is_some(),
            "who asks lacks it"
        );
    }

    #[test]
    fn what_rests_keeps_one_packet_for_probes_that_nobody_gets_by_asking() {
        let t = Instant::now();
        let mut history = History::default();
        for number in 1..=20 {
            let mut packet = packet(t, number);
            packet.payload = (&vec![0; if number == 15 { 900 } else { 100 }][..]).into();
            history.push(t, packet, None);
        }
        history.rest();
        assert_eq!(history.packets.len(), 1);
        assert_eq!(history.largest_of_newest().map(|packet| packet.sequence_number), Some(15));
        for cause in [Cause::Asked, Cause::Lost, Cause::RepeatLost, Cause::Copy] {
            assert!(history.take_again(t, 15, None, (cause, true)).is_none());
        }
    }

    #[test]
    fn what_is_old_or_one_too_many_goes() {
        let t = Instant::now();
        let mut history = History::default();
        for number in 0..=MAX_PACKETS as u64 {
            history.push(t, packet(t, number), None);
        }
        assert!(history.packets.len() <= MAX_PACKETS);
        assert_eq!(again(&mut history, t, 0), None);
        assert_eq!(again(&mut history, t + MAX_AGE, 100), None);
        history.push(t + MAX_AGE, packet(t, MAX_PACKETS as u64 + 1), None);
        assert!(history.packets.len() <= BATCH);
    }
}

//! Whether a receiver has a picture, and when it asks for a key frame: as browsers do, which wait for what is missing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// For a key frame, from the first packet on and after each request (Chromium: `kMaxWaitForKeyFrame`).
const KEY_FRAME_WAIT: Duration = Duration::from_millis(200);
/// For the packets that the next frame needs (Chromium: `kMaxWaitForFrame`).
const FRAME_WAIT: Duration = Duration::from_secs(3);
/// Missing packets that are waited for; with more, only a key frame helps (Chromium: `kMaxPacketAge`, `kMaxNackPackets`).
const MAX_MISSING: usize = 1_000;

/// The picture of one source at one receiver.
#[derive(Debug)]
pub(super) struct Picture {
    /// Number of the next packet.
    next: u64,
    /// Packets that are missing, and since when.
    missing: BTreeMap<u64, Instant>,
    /// Since when there is nothing to decode from: at first, and when what is missing is given up.
    lacks_key_frame_since: Option<Instant>,
    asked_at: Option<Instant>,
}

impl Picture {
    /// One whose first packet is about to come.
    pub(super) fn new(number: u64, now: Instant) -> Self {
        Self {
            next: number,
            missing: BTreeMap::new(),
            lacks_key_frame_since: Some(now),
            asked_at: None,
        }
    }

    /// A packet came.
    pub(super) fn add(&mut self, number: u64, starts_key_frame: bool, now: Instant) {
        if starts_key_frame && number >= self.next {
            // What was before it is needed no more.
            self.missing.clear();
            self.next = number;
            self.lacks_key_frame_since = None;
            self.asked_at = None;
        }
        if number < self.next {
            self.missing.remove(&number);
            return;
        }
        if number - self.next > MAX_MISSING as u64 {
            self.give_up(now);
        } else {
            self.missing.extend((self.next..number).map(|missing| (missing, now)));
        }
        self.next = number + 1;
        if self.missing.len() > MAX_MISSING {
            self.give_up(now);
        }
    }

    /// Whether a key frame is to be asked for now.
    pub(super) fn wants_key_frame(&mut self, now: Instant) -> bool {
        let is_old = |since: &Instant| *since + FRAME_WAIT <= now;
        if self.lacks_key_frame_since.is_none() && self.missing.values().any(is_old) {
            self.give_up(now);
            self.asked_at = Some(now);
            return true;
        }
        let Some(since) = self.lacks_key_frame_since else { return false };
        let is_due = self.asked_at.unwrap_or(since) + KEY_FRAME_WAIT <= now;
        if is_due {
            self.asked_at = Some(now);
        }
        is_due
    }

    fn give_up(&mut self, now: Instant) {
        self.missing.clear();
        self.lacks_key_frame_since.get_or_insert(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;
    const NEVER: [u64; 0] = [];

    /// Milliseconds after `start` at which a key frame is asked for.
    fn asked(picture: &mut Picture, start: Instant, times: std::ops::Range<u64>) -> Vec<u64> {
        times.filter(|at| picture.wants_key_frame(start + MS(*at))).collect()
    }

    #[test]
    fn a_receiver_that_begins_in_the_middle_asks_until_it_has_a_key_frame() {
        let start = Instant::now();
        let mut picture = Picture::new(7, start);
        picture.add(7, false, start);
        assert_eq!(asked(&mut picture, start, 0..500), [200, 400]);
        picture.add(8, true, start + MS(500));
        assert_eq!(asked(&mut picture, start, 500..9_000), NEVER);
    }

    #[test]
    fn what_is_missing_is_waited_for_and_then_given_up() {
        let start = Instant::now();
        let mut picture = Picture::new(0, start);
        picture.add(0, true, start);
        picture.add(3, false, start + MS(10));
        picture.add(1, false, start + MS(500));
        picture.add(2, false, start + MS(900));
        assert_eq!(asked(&mut picture, start, 0..5_000), NEVER, "all of it came");
        picture.add(5, false, start + MS(5_000));
        assert_eq!(asked(&mut picture, start, 5_000..8_500), [8_000, 8_200, 8_400]);
        picture.add(4, false, start + MS(8_500));
        assert_eq!(asked(&mut picture, start, 8_500..8_700), [8_600], "too late for the decoder");
        picture.add(6, true, start + MS(8_700));
        assert_eq!(asked(&mut picture, start, 8_700..20_000), NEVER);
    }

    #[test]
    fn a_long_gap_is_given_up_at_once_and_never_kept_in_mind() {
        let start = Instant::now();
        let mut picture = Picture::new(0, start);
        picture.add(0, true, start);
        picture.add(u64::MAX - 1, false, start);
        assert_eq!(asked(&mut picture, start, 0..201), [200]);
        assert!(picture.missing.is_empty());
        let mut slow = Picture::new(0, start);
        slow.add(0, true, start);
        for number in (2..2_100).step_by(2) {
            slow.add(number, false, start);
            assert!(slow.missing.len() <= MAX_MISSING);
        }
        assert_eq!(asked(&mut slow, start, 0..201), [200]);
    }
}

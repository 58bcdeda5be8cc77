//! When a publisher is asked for a key frame.

use std::time::{Duration, Instant};

/// Shortest time between two requests to one encoding: a key frame costs a publisher about ten times
/// a normal frame, and twenty subscribers that join at once should cost it one. Chromium ignores a
/// request within 300 ms of the one before, so 300 ms and some jitter.
const SPACING: Duration = Duration::from_millis(320);

/// A subscriber that still waits asks again after this long: the request or the frame was lost.
const RETRY: Duration = Duration::from_millis(500);

/// A request that no key frame follows is made again this often, each [`RETRY`] after the one before, while packets
/// come: at 30 % loss five requests leave one in 400. Whoever sends none in spite of that has none to send.
const REPEATS: u8 = 4;

/// What has not begun in spite of that is asked for again this often: it cannot be chosen before.
const LONG_RETRY: Duration = Duration::from_secs(2);

/// Lets the first request through at once, then at most one per 320 ms; a request that comes too
/// early is remembered, unless a key frame starts meanwhile.
#[derive(Debug, Default)]
pub(crate) struct KeyFrameThrottle {
    last: Option<Instant>,
    /// Since when packets come of what has not begun.
    awaited_since: Option<Instant>,
    pending: bool,
    /// How often the last request may be made again.
    repeats: u8,
    /// The answer to the last request came too late to begin with.
    has_come_late: bool,
}

impl KeyFrameThrottle {
    /// Somebody needs a key frame. Returns whether to ask the publisher now.
    pub(crate) fn request(&mut self, now: Instant) -> bool {
        if self.last.is_some_and(|last| now < last + SPACING) {
            self.pending = true;
            return false;
        }
        self.note_request(now);
        true
    }

    /// The publisher is asked now, by whomever.
    pub(crate) fn note_request(&mut self, now: Instant) {
        self.last = Some(now);
        self.pending = false;
        self.repeats = REPEATS;
        self.has_come_late = false;
    }

    /// A packet came of what no key frame has begun: the one that should have may be lost, and nobody misses what
    /// nobody knows of. If none follows, one is asked for as if somebody had asked now.
    #[inline]
    pub(crate) fn await_first(&mut self, now: Instant) {
        match self.last.or(self.awaited_since) {
            None => {
                self.awaited_since = Some(now);
                self.repeats = REPEATS;
            }
            Some(at) if self.repeats == 0 && now >= at + LONG_RETRY => self.repeats = 1,
            Some(_) => {}
        }
    }

    /// A packet came that starts no key frame. Returns whether to ask again, because what was asked for should have
    /// come by now.
    #[inline]
    pub(crate) fn repeat(&mut self, now: Instant) -> bool {
        let since = self.last.or(self.awaited_since);
        let is_due = self.repeats > 0 && since.is_some_and(|since| now >= since + RETRY);
        if is_due {
            self.repeats -= 1;
            self.last = Some(now);
        }
        is_due
    }

    /// A packet came that is useless before a key frame. Returns whether to ask again.
    pub(crate) fn retry(&mut self, now: Instant) -> bool {
        let wait = if self.has_come_late { SPACING } else { RETRY };
        match self.last {
            Some(last) if now < last + wait => false,
            _ => self.request(now),
        }
    }

    /// A key frame starts: everyone who asked so far is served by it.
    pub(crate) fn key_frame_started(&mut self) {
        self.pending = false;
        self.repeats = 0;
        self.has_come_late = false;
    }

    /// The first packet of a key frame came after what followed it: who shows the picture already is served by it; who
    /// does not may ask again at once.
    pub(crate) fn key_frame_came_late(&mut self) {
        self.repeats = 0;
        self.has_come_late = true;
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.last.filter(|_| self.pending).map(|last| last + SPACING)
    }

    /// Returns whether the remembered request is due now.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> bool {
        self.deadline().is_some_and(|at| now >= at) && self.request(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(v: u64) -> Duration {
        Duration::from_millis(v)
    }

    #[test]
    fn first_request_passes_and_a_burst_becomes_one_trailing_request() {
        let t = Instant::now();
        let mut throttle = KeyFrameThrottle::default();
        assert!(throttle.request(t));
        assert!(!throttle.request(t + ms(10)));
        assert!(!throttle.request(t + ms(20)));
        assert_eq!(throttle.deadline(), Some(t + SPACING));
        assert!(!throttle.handle_timeout(t + ms(319)));
        assert!(throttle.handle_timeout(t + ms(320)));
        assert_eq!(throttle.deadline(), None);
        assert!(!throttle.handle_timeout(t + ms(900)));
    }

    #[test]
    fn a_key_frame_satisfies_the_remembered_request() {
        let t = Instant::now();
        let mut throttle = KeyFrameThrottle::default();
        assert!(throttle.request(t));
        assert!(!throttle.request(t + ms(10)));
        throttle.key_frame_started();
        assert_eq!(throttle.deadline(), None);
    }

    #[test]
    fn a_request_without_an_answer_is_made_again_while_packets_come_and_comes_to_an_end() {
        let t = Instant::now();
        let mut throttle = KeyFrameThrottle::default();
        assert!(!throttle.repeat(t), "nobody asked");
        throttle.request(t);
        let again: Vec<_> = (0..5_000).filter(|at| throttle.repeat(t + ms(*at))).collect();
        assert_eq!(again, [500, 1_000, 1_500, 2_000]);
        throttle.request(t + ms(6_000));
        throttle.key_frame_started();
        assert!(!throttle.repeat(t + ms(7_000)));
        throttle.note_request(t + ms(8_000));
        throttle.key_frame_came_late();
        assert!(!throttle.repeat(t + ms(9_000)));
    }

    #[test]
    fn what_begins_without_a_key_frame_is_asked_for_one_until_it_comes() {
        let t = Instant::now();
        let asked = |answer: Option<u64>| {
            let mut throttle = KeyFrameThrottle::default();
            let asks = |at: &u64| {
                if Some(*at) == answer {
                    throttle.key_frame_started();
                }
                if answer.is_none_or(|answer| *at < answer) {
                    throttle.await_first(t + ms(*at));
                }
                throttle.repeat(t + ms(*at))
            };
            (0..7_000).filter(asks).collect::<Vec<_>>()
        };
        assert_eq!(asked(None), [500, 1_000, 1_500, 2_000, 4_000, 6_000]);
        assert_eq!(asked(Some(700)), [500]);
        assert!(asked(Some(20)).is_empty(), "it only came late");
    }

    #[test]
    fn waiting_packets_ask_again_only_after_the_retry_time() {
        let t = Instant::now();
        let mut throttle = KeyFrameThrottle::default();
        assert!(throttle.retry(t));
        assert!(!throttle.retry(t + ms(499)));
        assert!(throttle.retry(t + ms(500)));
    }

    #[test]
    fn who_cannot_begin_at_a_key_frame_that_came_late_asks_again_as_soon_as_may_be() {
        let t = Instant::now();
        let mut throttle = KeyFrameThrottle::default();
        assert!(throttle.request(t));
        throttle.key_frame_came_late();
        assert!(!throttle.retry(t + ms(319)));
        assert!(throttle.retry(t + ms(320)));
        assert!(!throttle.retry(t + ms(320 + 499)), "the next answer has its time");
    }
}

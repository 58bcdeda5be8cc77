//! When a publisher is asked for a key frame.

use std::time::{Duration, Instant};

/// Shortest time between two requests to one encoding: a key frame costs a publisher about ten times
/// a normal frame, and twenty subscribers that join at once should cost it one. Chromium ignores a
/// request within 300 ms of the one before, so 300 ms and some jitter.
const SPACING: Duration = Duration::from_millis(320);

/// A subscriber that still waits asks again after this long: the request or the frame was lost.
const RETRY: Duration = Duration::from_millis(500);

/// Lets the first request through at once, then at most one per 320 ms; a request that comes too
/// early is remembered, unless a key frame starts meanwhile.
#[derive(Debug, Default)]
pub(crate) struct KeyFrameThrottle {
    last: Option<Instant>,
    pending: bool,
}

impl KeyFrameThrottle {
    /// Somebody needs a key frame. Returns whether to ask the publisher now.
    pub(crate) fn request(&mut self, now: Instant) -> bool {
        if self.last.is_some_and(|last| now < last + SPACING) {
            self.pending = true;
            return false;
        }
        self.last = Some(now);
        self.pending = false;
        true
    }

    /// A packet came that is useless before a key frame. Returns whether to ask again.
    pub(crate) fn retry(&mut self, now: Instant) -> bool {
        match self.last {
            Some(last) if now < last + RETRY => false,
            _ => self.request(now),
        }
    }

    /// A key frame starts: everyone who asked so far is served by it.
    pub(crate) fn key_frame_started(&mut self) {
        self.pending = false;
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
    fn waiting_packets_ask_again_only_after_the_retry_time() {
        let t = Instant::now();
        let mut throttle = KeyFrameThrottle::default();
        assert!(throttle.retry(t));
        assert!(!throttle.retry(t + ms(499)));
        assert!(throttle.retry(t + ms(500)));
    }
}

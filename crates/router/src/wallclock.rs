//! When a packet was captured, in the router's time, from a publisher's sender reports.
//!
//! A receiver plays the two lines of a slot pair in sync if their sender reports give the same time
//! for what was captured together. Only the publisher knows that; it says so by its own sender
//! reports, on a wall clock of its own. One offset from that clock to the router's is kept for the
//! whole transport, so an error in it moves audio and video alike and sync is exact.

use std::time::{Duration, Instant, SystemTime};

/// A jump of a publisher's clock beyond this is a new clock, not the network.
const JUMP_US: i64 = 1_000_000;
/// How fast the offset follows a slower clock or a longer path, per report.
const FOLLOW_US: i64 = 100;
/// Captures that look older than this are not believed.
const MAX_AGE: Duration = Duration::from_secs(10);

/// The offset from one publisher's wall clock to the router's time.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PublisherClock {
    offset_us: Option<i64>,
}

/// The newest sender report of one encoding.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Report {
    ntp_us: i64,
    timestamp: u32,
}

impl Report {
    /// When `timestamp` was captured on the publisher's clock, in microseconds.
    pub(crate) fn source_us(self, timestamp: u32, clock_hz: u32) -> i64 {
        let ticks = i64::from(timestamp.wrapping_sub(self.timestamp) as i32);
        self.ntp_us.saturating_add(ticks * 1_000_000 / i64::from(clock_hz))
    }
}

impl PublisherClock {
    /// Learns from a report that came at `received`, counted from `start`.
    pub(crate) fn learn(
        &mut self,
        start: Instant,
        received: Instant,
        ntp: SystemTime,
        timestamp: u32,
    ) -> Report {
        let ntp_us = micros(ntp);
        let seen = since(start, received).saturating_sub(ntp_us);
        self.offset_us = Some(match self.offset_us {
            Some(offset) if seen.saturating_sub(offset).saturating_abs() > JUMP_US => seen,
            // The report with the shortest way is the truest.
            Some(offset) if seen < offset => seen,
            Some(offset) => offset.saturating_add(FOLLOW_US).min(seen),
            None => seen,
        });
        Report { ntp_us, timestamp }
    }

    /// When `timestamp` was captured: by the report, or `now` if that cannot be true.
    pub(crate) fn captured(
        &self,
        start: Instant,
        now: Instant,
        report: Option<Report>,
        timestamp: u32,
        clock_hz: u32,
    ) -> Instant {
        let (Some(report), Some(offset)) = (report, self.offset_us) else {
            return now;
        };
        let at_us = report.source_us(timestamp, clock_hz).saturating_add(offset);
        let at =
            u64::try_from(at_us).ok().and_then(|us| start.checked_add(Duration::from_micros(us)));
        match at {
            Some(at) if now.saturating_duration_since(at) <= MAX_AGE => at.min(now),
            _ => now,
        }
    }
}

fn micros(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

fn since(start: Instant, at: Instant) -> i64 {
    i64::try_from(at.saturating_duration_since(start).as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn ntp(ms: u32) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000) + MS * ms
    }

    #[test]
    fn audio_and_video_of_one_moment_get_one_time() {
        let start = Instant::now();
        let mut clock = PublisherClock::default();
        let audio = clock.learn(start, start + MS * 1050, ntp(1000), 48_000);
        let video = clock.learn(start, start + MS * 1090, ntp(1010), 7);
        let now = start + MS * 2000;
        let a = clock.captured(start, now, Some(audio), 48_000 + 24_000, 48_000);
        let v = clock.captured(start, now, Some(video), 7 + 90 * 490, 90_000);
        assert_eq!(a, v);
    }

    #[test]
    fn timestamps_wrap() {
        let start = Instant::now();
        let mut clock = PublisherClock::default();
        let report = clock.learn(start, start + MS * 1000, ntp(1000), u32::MAX);
        let now = start + MS * 1100;
        let at = clock.captured(start, now, Some(report), 90 * 50 - 1, 90_000);
        assert_eq!(at, start + MS * 1050);
    }

    #[test]
    fn without_a_report_or_with_a_lying_one_the_arrival_counts() {
        let start = Instant::now();
        let now = start + MS * 60_000;
        let mut clock = PublisherClock::default();
        assert_eq!(clock.captured(start, now, None, 0, 90_000), now);
        let future = clock.learn(start, start, ntp(0), 0);
        assert_eq!(clock.captured(start, now, Some(future), 90_000 * 90, 90_000), now);
        assert_eq!(clock.captured(start, now, Some(future), 0, 90_000), now, "60 s old");
        let far = clock.learn(start, start, SystemTime::UNIX_EPOCH, 0);
        assert!(clock.captured(start, now, Some(far), 0x8000_0000, 1) <= now);
    }
}

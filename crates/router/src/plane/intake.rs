//! How much of what a peer sends is taken.
//!
//! Whatever an authentic client sends costs the shard time that it owes the others. What is more than a
//! browser's most is dropped before it is opened, and what is asked for beyond that is not looked up.
//! Only packets that were authentic are counted: nobody uses up another's allowance by forgery.

use std::time::{Duration, Instant};

/// Media of one transport: two dozen streams in three sizes.
const MEDIA_BYTES_PER_S: u64 = 20_000_000;
/// A packet counts at least this many bytes: small ones cost as much time as large ones.
const LEAST_BYTES: u64 = 1000;
/// Control packets: one request in 20 ms for each of 48 lost streams, and reports.
const CONTROL_PER_S: u64 = 2500;
/// What control packets are about, one by one: packets that are missing, or that came.
const ITEMS_PER_S: u64 = 50_000;
/// So much of it at once after a rest, of media in milliseconds of the rate.
const MEDIA_BURST_MS: u64 = 250;
/// The same of control packets and what they are about.
const CONTROL_BURST_MS: u64 = 400;

/// The allowances of one transport.
#[derive(Debug)]
pub(super) struct Intake {
    media: Allowance,
    control: Allowance,
    items: Allowance,
}

impl Default for Intake {
    fn default() -> Self {
        Self {
            media: Allowance::new(MEDIA_BYTES_PER_S, MEDIA_BURST_MS),
            control: Allowance::new(CONTROL_PER_S, CONTROL_BURST_MS),
            items: Allowance::new(ITEMS_PER_S, CONTROL_BURST_MS),
        }
    }
}

impl Intake {
    /// Whether another datagram may be opened.
    pub(super) fn admits(&self, now: Instant, is_control: bool) -> bool {
        let allowance = if is_control { &self.control } else { &self.media };
        allowance.is_left(now)
    }

    /// A media packet of this many bytes was authentic.
    pub(super) fn note_media(&mut self, now: Instant, bytes: usize) {
        self.media.spend(now, LEAST_BYTES.max(bytes as u64));
    }

    /// A control packet was authentic.
    pub(super) fn note_control(&mut self, now: Instant) {
        self.control.spend(now, 1);
    }

    /// Something that a control packet is about is to be looked at. Returns whether it may be.
    pub(super) fn take_item(&mut self, now: Instant) -> bool {
        self.take_items(now, 1)
    }

    /// The same of several; all or none.
    pub(super) fn take_items(&mut self, now: Instant, count: usize) -> bool {
        let is_left = self.items.is_left(now);
        if is_left {
            self.items.spend(now, count as u64);
        }
        is_left
    }
}

/// So many units per second, and a burst.
#[derive(Debug)]
struct Allowance {
    unit: Duration,
    burst: Duration,
    /// When everything that was spent will have been earned.
    earned_at: Option<Instant>,
}

impl Intake {
    /// Reads what [`Self::admits`] is about to read.
    pub(super) fn look_at(&self) -> u64 {
        let known = [&self.media, &self.control, &self.items];
        known.iter().filter(|allowance| allowance.earned_at.is_some()).count() as u64
    }
}

impl Allowance {
    fn new(per_s: u64, burst_ms: u64) -> Self {
        let unit = Duration::from_nanos(1_000_000_000 / per_s);
        Self { unit, burst: Duration::from_millis(burst_ms), earned_at: None }
    }

    fn is_left(&self, now: Instant) -> bool {
        self.earned_at.is_none_or(|at| at <= now + self.burst)
    }

    fn spend(&mut self, now: Instant, units: u64) {
        let from = self.earned_at.map_or(now, |at| at.max(now));
        // Datagrams are small, so this neither saturates nor gets far ahead.
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        self.earned_at = Some(from + self.unit.saturating_mul(units));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of the packets that come each `gap` in `time` are taken.
    fn taken(intake: &mut Intake, now: &mut Instant, time: Duration, gap: Duration) -> u64 {
        let end = *now + time;
        let mut count = 0;
        while *now < end {
            if intake.admits(*now, false) {
                intake.note_media(*now, 1150);
                count += 1;
            }
            *now += gap;
        }
        count
    }

    #[test]
    fn ten_times_too_much_is_cut_to_the_rate_and_the_usual_passes_whole() {
        let (mut intake, mut now) = (Intake::default(), Instant::now());
        let usual = Duration::from_micros(100);
        assert_eq!(taken(&mut intake, &mut now, Duration::from_secs(2), usual), 20_000);
        let flood = Duration::from_micros(6);
        let most = MEDIA_BYTES_PER_S / 1150;
        let in_a_second = taken(&mut intake, &mut now, Duration::from_secs(1), flood);
        let burst = most * MEDIA_BURST_MS / 1000;
        assert!((most..=most + burst + 10).contains(&in_a_second), "{in_a_second}");
        let in_the_next = taken(&mut intake, &mut now, Duration::from_secs(1), flood);
        assert!((most - 10..=most + 10).contains(&in_the_next), "{in_the_next}");
    }

    #[test]
    fn what_control_packets_are_about_is_bounded_apart_from_their_number() {
        let (mut intake, now) = (Intake::default(), Instant::now());
        assert!(intake.take_items(now, 30_000), "all or none, so the last may be many");
        assert!(!intake.take_item(now));
        assert!(intake.admits(now, true));
        assert!(intake.take_item(now + Duration::from_secs(1)));
        for _ in 0..=CONTROL_PER_S * CONTROL_BURST_MS / 1000 {
            intake.note_control(now);
        }
        assert!(!intake.admits(now, true));
        assert!(intake.admits(now + Duration::from_millis(500), true));
    }
}

//! What the packets of one probe say: at which rate they left, and at which they came.

use std::time::Duration;

use super::super::bitrate::Bitrate;
use super::super::probe::ClusterId;

/// Fewer packets say nothing.
const LEAST_PACKETS: u32 = 4;
/// They came as fast as they left, if at this part of the rate at least.
const AS_FAST: f64 = 0.9;
/// Else the link is full: this part of what came through.
const BELOW_FULL: f64 = 0.95;
/// They cannot come much faster than they left; a peer that says so is not believed.
const TOO_FAST: f64 = 2.0;
const SHORTEST: Duration = Duration::from_millis(2);
const LONGEST: Duration = Duration::from_secs(1);

/// First and last of some packets, and their bytes.
#[derive(Debug, Clone, Copy, Default)]
struct Span {
    first: Option<(u64, u32)>,
    last: (u64, u32),
    bytes: u64,
    packets: u32,
}

impl Span {
    fn add(&mut self, at_us: u64, bytes: u32) {
        if self.first.is_none_or(|(first, _)| at_us < first) {
            self.first = Some((at_us, bytes));
        }
        if at_us >= self.last.0 {
            self.last = (at_us, bytes);
        }
        self.bytes += u64::from(bytes);
        self.packets += 1;
    }

    fn lasts(&self) -> Option<Duration> {
        let (first, _) = self.first?;
        let lasts = Duration::from_micros(self.last.0.saturating_sub(first));
        (SHORTEST..=LONGEST).contains(&lasts).then_some(lasts)
    }

    /// The last packet leaves after the span.
    fn rate_of_departure(&self) -> Option<Bitrate> {
        Some(Bitrate::of(self.bytes.saturating_sub(u64::from(self.last.1)), self.lasts()?))
    }

    /// The first packet came before the span.
    fn rate_of_arrival(&self) -> Option<Bitrate> {
        let (_, first) = self.first?;
        Some(Bitrate::of(self.bytes.saturating_sub(u64::from(first)), self.lasts()?))
    }
}

/// The newest cluster of one transport.
#[derive(Debug, Default)]
pub(super) struct ClusterTally {
    id: Option<ClusterId>,
    left: Span,
    departures: Span,
    arrivals: Span,
    reported: u32,
    is_done: bool,
}

impl ClusterTally {
    pub(super) fn sent(&mut self, id: ClusterId, at_us: u64, bytes: u32) {
        if self.id != Some(id) {
            *self = Self { id: Some(id), ..Self::default() };
        }
        self.left.add(at_us, bytes);
    }

    pub(super) fn arrived(&mut self, id: ClusterId, sent_us: u64, arrival_us: u64, bytes: u32) {
        if self.id == Some(id) {
            self.departures.add(sent_us, bytes);
            self.arrivals.add(arrival_us, bytes);
            self.reported += 1;
        }
    }

    pub(super) fn lost(&mut self, id: ClusterId) {
        if self.id == Some(id) {
            self.reported += 1;
        }
    }

    /// What the link carries by this cluster, once, when `is_over` and all of it was reported; or half of it, and
    /// the report on the rest must have been lost.
    pub(super) fn conclude(&mut self, is_over: bool, is_overdue: bool) -> Option<Bitrate> {
        let is_known = self.reported >= self.left.packets
            || (is_overdue && self.reported * 2 >= self.left.packets);
        if self.is_done || !is_over || !is_known {
            return None;
        }
        self.is_done = true;
        let arrived = self.arrivals.packets;
        if arrived < LEAST_PACKETS || arrived * 2 < self.reported {
            return None;
        }
        // The same packets on both sides, so their spans compare; their sizes differ.
        let (left, came) = (self.departures.lasts()?, self.arrivals.lasts()?);
        let part = left.as_secs_f64() / came.as_secs_f64();
        let (all, through) = (self.left.rate_of_departure()?, self.arrivals.rate_of_arrival()?);
        // What was lost on the way left too, and would have taken its part of the link.
        let lost = self.left.bytes as f64 / self.arrivals.bytes.max(1) as f64;
        match part {
            part if part > TOO_FAST => None,
            part if part >= AS_FAST => Some(all),
            _ => Some(through.scaled(BELOW_FULL * lost).min(all)),
        }
    }
}

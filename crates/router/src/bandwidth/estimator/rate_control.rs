//! The rate by the delay: up while the queue does not grow, down below what arrives when it does
//! (draft-ietf-rmcat-gcc-02, section 5.5).

use std::time::Duration;

use super::super::bitrate::Bitrate;
use super::Limits;
use super::trend::Usage;

/// Far from the last known bottleneck: per second.
const GROWTH: f64 = 1.08;
/// Near it: one packet in each response time, and this part per second at least.
const PACKET_BYTES: u64 = 1_200;
const GROWTH_NEAR: f64 = 0.02;
/// What is left of what arrives when the queue grows.
const CUT: f64 = 0.85;
/// The detector's own part of a response.
const DETECTION: Duration = Duration::from_millis(100);
const ROUND_TRIP_AT_START: Duration = Duration::from_millis(200);
/// The estimate is at most this multiple of what is sent, and this beside it: what was never tried
/// is not known.
const LEAD: f64 = 1.5;
const LEAD_BESIDE: Bitrate = Bitrate::from_kbps(10);
/// Weight of the past in the mean of a bottleneck.
const MEMORY: f64 = 0.95;

/// What arrived at the times when the queue grew.
#[derive(Debug, Clone, Copy)]
struct Bottleneck {
    kbps: f64,
    /// Variance over the mean.
    spread: f64,
}

impl Bottleneck {
    fn deviation(self) -> f64 {
        (self.spread * self.kbps).sqrt()
    }

    fn learn(known: Option<Self>, sample: f64) -> Self {
        let Some(mut known) = known else {
            return Self { kbps: sample, spread: 0.4 };
        };
        known.kbps = MEMORY * known.kbps + (1.0 - MEMORY) * sample;
        let error = known.kbps - sample;
        let spread = MEMORY * known.spread + (1.0 - MEMORY) * error * error / known.kbps.max(1.0);
        known.spread = spread.clamp(0.4, 2.5);
        known
    }
}

#[derive(Debug)]
pub(super) struct RateControl {
    limits: Limits,
    rate: Bitrate,
    bottleneck: Option<Bottleneck>,
    /// The queue emptied or grew: wait until it does neither.
    is_holding: bool,
    updated_us: Option<u64>,
    cut_us: Option<u64>,
    round_trip: Duration,
}

impl RateControl {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            rate: limits.start,
            bottleneck: None,
            is_holding: false,
            updated_us: None,
            cut_us: None,
            round_trip: ROUND_TRIP_AT_START,
        }
    }

    pub(super) fn rate(&self) -> Bitrate {
        self.rate
    }

    pub(super) fn set_round_trip(&mut self, round_trip: Duration) {
        self.round_trip = round_trip.clamp(Duration::from_millis(1), Duration::from_secs(2));
    }

    pub(super) fn round_trip_us(&self) -> u64 {
        self.round_trip.as_micros() as u64
    }

    /// A probe was answered, or the peer was silent: the rate is another one.
    pub(super) fn set_rate(&mut self, rate: Bitrate) {
        self.rate = rate.clamp(self.limits.min, self.limits.max);
        if self.bottleneck.is_some_and(|b| kbps(rate) > b.kbps + 3.0 * b.deviation()) {
            self.bottleneck = None;
        }
    }

    /// When the rate was last cut.
    pub(super) fn cut_us(&self) -> Option<u64> {
        self.cut_us
    }

    /// Feedback came. `through` is what gets through at the bottleneck, `sent` what was sent when that
    /// was.
    pub(super) fn update(
        &mut self,
        now_us: u64,
        usage: Usage,
        through: Option<Bitrate>,
        sent: Option<Bitrate>,
    ) {
        let passed_us = self.updated_us.map_or(0, |at| now_us.saturating_sub(at)).min(1_000_000);
        self.updated_us = Some(now_us);
        match usage {
            Usage::Over => self.cut(now_us, through),
            Usage::Under => self.is_holding = true,
            Usage::Normal if self.is_holding => self.is_holding = false,
            Usage::Normal => self.grow(Duration::from_micros(passed_us), through, sent),
        }
    }

    fn cut(&mut self, now_us: u64, through: Option<Bitrate>) {
        self.is_holding = true;
        let pause = self.round_trip.max(Duration::from_millis(100)) + DETECTION;
        let lately =
            self.cut_us.is_some_and(|at| Duration::from_micros(now_us.saturating_sub(at)) < pause);
        let is_far = through.is_some_and(|t| t < self.rate.scaled(0.5));
        if lately && !is_far {
            return;
        }
        self.cut_us = Some(now_us);
        let through = through.unwrap_or(self.rate);
        if through <= self.rate {
            let sample = kbps(through);
            if self.bottleneck.is_some_and(|b| sample < b.kbps - 3.0 * b.deviation()) {
                self.bottleneck = None;
            }
            self.bottleneck = Some(Bottleneck::learn(self.bottleneck, sample));
        }
        self.rate = self.rate.min(through.scaled(CUT)).max(self.limits.min);
    }

    fn grow(&mut self, passed: Duration, through: Option<Bitrate>, sent: Option<Bitrate>) {
        let ceiling = sent.map_or(self.rate, |sent| sent.scaled(LEAD).plus(LEAD_BESIDE));
        if let (Some(bottleneck), Some(through)) = (self.bottleneck, through)
            && kbps(through) > bottleneck.kbps + 3.0 * bottleneck.deviation()
        {
            self.bottleneck = None;
        }
        let seconds = passed.as_secs_f64();
        let more = if self
            .bottleneck
            .is_some_and(|b| kbps(self.rate) > b.kbps - 3.0 * b.deviation() - 0.2 * b.kbps)
        {
            let response = self.round_trip + DETECTION;
            let packet = Bitrate::of(PACKET_BYTES, response).scaled(seconds);
            packet.max(self.rate.scaled(GROWTH_NEAR * seconds))
        } else {
            self.rate.scaled(GROWTH.powf(seconds) - 1.0).max(Bitrate::from_kbps(4).scaled(seconds))
        };
        let grown = self.rate.plus(more).min(ceiling).min(self.limits.max);
        self.rate = self.rate.max(grown);
    }
}

fn kbps(rate: Bitrate) -> f64 {
    rate.bps() as f64 / 1000.0
}

//! When a subscriber's network is asked with extra packets whether it carries more.

use std::time::{Duration, Instant};

use super::bitrate::Bitrate;

/// At the start, and when the network was away: multiples of the estimate.
const STEPS_AT_START: [f64; 2] = [3.0, 6.0];
/// Later: multiple of the estimate.
const STEP: f64 = 2.0;
/// Nothing is asked while this much more than is wanted fits: a video that was stopped needs it to return.
const ENOUGH: f64 = 1.35;
/// More than that is asked for, because a little less is found.
const MARGIN: f64 = 1.5;
/// Between two clusters, so that the first is through and answered.
const REST: Duration = Duration::from_millis(250);
/// A cluster that found this part of its rate has found what it asked for.
const FOUND: f64 = 0.85;
/// While something is wanted that does not fit; doubled after each that found nothing.
const PERIOD: Duration = Duration::from_secs(4);
/// Most that it is doubled to.
const PERIOD_AT_MOST: Duration = Duration::from_secs(10);
/// Something more is wanted than before by this factor: asked for at once, if the last is this long ago.
const RISE: f64 = 1.2;
const REST_BEFORE_RISE: Duration = Duration::from_secs(1);
/// How long a cluster lasts.
const LENGTH: Duration = Duration::from_millis(30);
/// Its bytes at least: few packets say little about a rate.
const BYTES_AT_LEAST: u64 = 5_000;
/// It is never faster.
const FASTEST: Bitrate = Bitrate::from_kbps(20_000);
/// Bytes that are due at once.
const CHUNK: u64 = 900;
/// Given up if it could not be sent in this time.
const GIVE_UP: Duration = Duration::from_secs(1);

/// Names a cluster of one transport; wraps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ClusterId(pub(crate) u32);

/// Packets that leave at one rate, so that feedback tells at which they arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cluster {
    /// Its name.
    pub(crate) id: ClusterId,
    /// At which its packets leave.
    pub(crate) rate: Bitrate,
    /// What it takes in all.
    pub(crate) bytes: u64,
}

#[derive(Debug, Clone, Copy)]
struct Running {
    cluster: Cluster,
    begun: Instant,
    sent: u64,
}

/// Decides on probes and says which bytes are missing to one. Media that leaves meanwhile counts.
#[derive(Debug)]
pub(crate) struct Prober {
    last_id: u32,
    running: Option<Running>,
    /// Steps of the start that are still to be asked for.
    steps: &'static [f64],
    next_at: Option<Instant>,
    last_at: Option<Instant>,
    period: Duration,
    wanted: Bitrate,
    asked: Option<Bitrate>,
    /// Begun, and found what they asked for, since somebody asked.
    counts: (u64, u64),
}

impl Default for Prober {
    fn default() -> Self {
        Self {
            last_id: 0,
            running: None,
            steps: &STEPS_AT_START,
            next_at: None,
            last_at: None,
            period: PERIOD,
            wanted: Bitrate::ZERO,
            asked: None,
            counts: (0, 0),
        }
    }
}

impl Prober {
    /// Call it with each new estimate, and every 200 ms, once the transport is connected. `wanted` is
    /// what the subscriber would be sent if its network bore everything.
    pub(crate) fn update(&mut self, now: Instant, estimate: Bitrate, wanted: Bitrate) {
        if let Some(running) = self.running {
            if now.saturating_duration_since(running.begun) < GIVE_UP {
                return;
            }
            self.finish(now);
        }
        let rises = wanted > self.wanted.scaled(RISE);
        if wanted.scaled(ENOUGH) <= estimate {
            self.wanted = self.wanted.min(wanted);
            self.period = PERIOD;
            return;
        }
        if rises {
            self.hurry(now);
        }
        if self.next_at.is_some_and(|at| at > now) {
            return;
        }
        self.wanted = wanted;
        self.judge_last(now, estimate);
        if self.next_at.is_none_or(|at| at <= now) {
            let step = match self.steps {
                [first, rest @ ..] => {
                    self.steps = rest;
                    *first
                }
                [] => STEP,
            };
            self.start(now, estimate.scaled(step).min(wanted.scaled(MARGIN)));
        }
    }

    /// The network was away or is another one: the start steps are due again.
    pub(crate) fn restart(&mut self) {
        *self = Self { last_id: self.last_id, counts: self.counts, ..Self::default() };
    }

    /// Something of `bytes` leaves; names the cluster that it counts for.
    pub(crate) fn handle_sent(&mut self, now: Instant, bytes: u32) -> Option<ClusterId> {
        let running = self.running.as_mut()?;
        running.sent += u64::from(bytes);
        let Running { cluster, sent, .. } = *running;
        if sent >= cluster.bytes {
            self.finish(now);
        }
        Some(cluster.id)
    }

    /// How many bytes of padding or repetition should leave now; ask at [`Self::deadline`].
    #[must_use]
    pub(crate) fn bytes_due(&self, now: Instant) -> u64 {
        let Some(Running { cluster, begun, sent }) = self.running else {
            return 0;
        };
        let passed = cluster.rate.bytes_in(now.saturating_duration_since(begun));
        let due = if passed < sent { 0 } else { passed - sent + CHUNK };
        due.min(cluster.bytes.saturating_sub(sent))
    }

    /// When bytes are due next.
    #[must_use]
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let running = self.running?;
        running.begun.checked_add(running.cluster.rate.time_of(running.sent).min(GIVE_UP))
    }

    /// How many were begun since the last call, and how many found what they asked for.
    pub(crate) fn take_counts(&mut self) -> (u64, u64) {
        std::mem::take(&mut self.counts)
    }

    /// The cluster cannot be sent.
    pub(crate) fn abandon(&mut self, now: Instant) {
        self.running = None;
        self.asked = None;
        self.next_at = Some(now + PERIOD);
    }

    /// More is wanted than ever: what the last cluster found nothing about is asked again soon.
    fn hurry(&mut self, now: Instant) {
        let soonest = self.last_at.map_or(now, |at| at + REST_BEFORE_RISE);
        self.next_at = Some(self.next_at.map_or(soonest, |at| at.min(soonest)));
        self.period = PERIOD;
        self.asked = None;
    }

    /// If the last cluster found nothing, or asked for all that is wanted, the next one has to wait.
    fn judge_last(&mut self, now: Instant, estimate: Bitrate) {
        let Some(asked) = self.asked.take() else {
            return;
        };
        let is_found = estimate >= asked.scaled(FOUND);
        self.counts.1 += u64::from(is_found);
        let is_all = asked >= self.wanted.scaled(MARGIN);
        if self.steps.is_empty() && (is_all || !is_found) {
            self.next_at = Some(now + self.period);
            self.period = (self.period * 2).min(PERIOD_AT_MOST);
        }
    }

    fn start(&mut self, now: Instant, rate: Bitrate) {
        self.last_id = self.last_id.wrapping_add(1);
        let rate = rate.min(FASTEST);
        let bytes = rate.bytes_in(LENGTH).max(BYTES_AT_LEAST);
        let cluster = Cluster { id: ClusterId(self.last_id), rate, bytes };
        self.running = Some(Running { cluster, begun: now, sent: 0 });
        self.asked = Some(rate);
        self.counts.0 += 1;
    }

    fn finish(&mut self, now: Instant) {
        self.running = None;
        self.last_at = Some(now);
        self.next_at = Some(now + REST);
    }
}

#[cfg(test)]
#[path = "probe_tests.rs"]
mod tests;

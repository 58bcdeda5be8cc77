//! Send-side estimation of what one subscriber's network carries, from transport-wide feedback.
//!
//! Three opinions, of which the lowest counts: the rate by the delay ([`rate_control`]), up while the
//! queue before the bottleneck does not grow and down when it does; a bound by losses as far as they
//! depend on the rate ([`loss`]); and, while a queue stands, a little less than both so that it
//! empties. Probes raise the first at once. A peer that says nothing is sent less and less.

mod cluster;
mod groups;
mod history;
mod loss;
mod rate_control;
mod throughput;
mod trend;

use std::time::{Duration, Instant};

use super::bitrate::Bitrate;
use super::probe::ClusterId;
use cluster::ClusterTally;
use groups::{Groups, Progress, difference};
use history::{History, News};
use loss::LossBound;
use rate_control::RateControl;
use throughput::Throughput;
use trend::{Trend, Usage};

/// Without feedback for this long while something is sent, the rate falls ...
const SILENCE_US: u64 = 1_500_000;
/// ... to this part, once in each such time.
const SILENCE_CUT: f64 = 0.7;
const SILENCE_STEP_US: u64 = 500_000;
/// A queue of this much is emptied by sending this part of the estimate.
const QUEUE_TO_DRAIN_US: i64 = 80_000;
const DRAINED_US: i64 = 20_000;
const DRAIN: f64 = 0.8;
/// For no longer than this after a cut: another's queue cannot be emptied.
const DRAIN_AT_MOST_US: u64 = 2_500_000;
/// A queue that grows to less than this is jitter, or too short to be of any concern.
const QUEUE_TO_CUT_US: i64 = 25_000;
/// While a queue of this much stands, losses may be those of a full one.
const QUEUE_OF_NOTE_US: i64 = 50_000;
/// While a queue of this much stands, the rate does not grow.
const QUEUE_TO_STAY_US: i64 = 150_000;
/// What was sent before a probe raised the rate is in the window for this long.
const RAISED_LATELY_US: u64 = 700_000;
/// The shortest way is looked for over this time, twice.
const SHORTEST_US: u64 = 8_000_000;
/// A limit that was met is known for this long.
const LIMIT_KNOWN_US: u64 = 30_000_000;
/// A cluster is over when nothing of it left for this long ...
const CLUSTER_OVER_US: u64 = 20_000;
/// ... and this much beyond the round trip later no report on it is to come any more.
const CLUSTER_OVERDUE_US: u64 = 200_000;

/// Bounds of an estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Never below.
    pub(crate) min: Bitrate,
    /// Before anything is known.
    pub(crate) start: Bitrate,
    /// Never above.
    pub(crate) max: Bitrate,
}

impl Default for Limits {
    /// 40 kbit/s is what audio needs; 600 kbit/s is a small picture, which nearly every network bears;
    /// 50 Mbit/s is more than a browser decodes.
    fn default() -> Self {
        Self {
            min: Bitrate::from_kbps(40),
            start: Bitrate::from_kbps(600),
            max: Bitrate::from_kbps(50_000),
        }
    }
}

/// A packet that left with a transport-wide sequence number. Each number is one more than the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    /// As on the wire.
    pub(crate) sequence: u16,
    /// When it left.
    pub(crate) at: Instant,
    /// Of the whole datagram, without IP and UDP.
    pub(crate) bytes: u32,
    /// The probe that it belongs to.
    pub(crate) cluster: Option<ClusterId>,
}

/// What a feedback message says of one packet (draft-holmer-rmcat-transport-wide-cc-extensions).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reported {
    /// As on the wire.
    pub(crate) sequence: u16,
    /// When it came, on the peer's clock from any origin, in microseconds; absent: it did not come.
    pub(crate) arrival_us: Option<u64>,
}

/// What is known of the way to one subscriber.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Estimate {
    /// What may be sent, everything counted.
    pub(crate) target: Bitrate,
    /// Part of the packets that do not arrive, 0 to 1, lately.
    pub(crate) loss: f64,
    /// How long a packet waits before the bottleneck.
    pub(crate) queue: Duration,
}

/// How far the newest packet came later than the fastest lately, on two clocks that drift.
#[derive(Debug, Default)]
struct Queue {
    /// Least way in this and in the former stretch of time.
    shortest: Option<i64>,
    former: Option<i64>,
    since_us: u64,
    now_us: i64,
}

impl Queue {
    fn push(&mut self, sent_us: u64, arrival_us: u64) {
        let way = difference(arrival_us, sent_us);
        if sent_us.saturating_sub(self.since_us) > SHORTEST_US {
            self.former = self.shortest.take();
            self.since_us = sent_us;
        }
        self.shortest = Some(self.shortest.map_or(way, |least| least.min(way)));
        let least = self.former.into_iter().chain(self.shortest).min().unwrap_or(way);
        let waited = way.saturating_sub(least).clamp(0, 10_000_000);
        // A quarter of the newest: one late packet is no queue.
        self.now_us += (waited - self.now_us) / 4;
    }
}

/// The estimate for one transport. Memory is bounded, and so is the work for each packet.
#[derive(Debug)]
pub(crate) struct Estimator {
    limits: Limits,
    /// Microseconds count from here.
    origin: Option<Instant>,
    history: History,
    groups: Groups,
    trend: Trend,
    control: RateControl,
    loss: LossBound,
    cluster: ClusterTally,
    cluster_left_us: u64,
    queue: Queue,
    /// What was reported, by departure; what came of it, by arrival.
    reported: Throughput,
    arrivals: Throughput,
    /// When a probe last raised the rate.
    raised_us: Option<u64>,
    /// The newest news, or the first departure before there is any; and the newest cut for silence.
    heard_us: Option<u64>,
    silence_cut_us: u64,
    last_sent_us: u64,
    is_draining: bool,
}

impl Estimator {
    /// Knows nothing but the limits.
    #[must_use]
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            origin: None,
            history: History::default(),
            groups: Groups::default(),
            trend: Trend::default(),
            control: RateControl::new(limits),
            loss: LossBound::default(),
            cluster: ClusterTally::default(),
            cluster_left_us: 0,
            queue: Queue::default(),
            reported: Throughput::default(),
            arrivals: Throughput::default(),
            raised_us: None,
            heard_us: None,
            silence_cut_us: 0,
            last_sent_us: 0,
            is_draining: false,
        }
    }

    /// A packet left.
    pub(crate) fn handle_sent(&mut self, sent: Sent) {
        let at_us = self.since_origin(sent.at);
        self.last_sent_us = at_us;
        self.heard_us.get_or_insert(at_us);
        self.history.push(sent.sequence, at_us, sent.bytes, sent.cluster);
        if let Some(cluster) = sent.cluster {
            self.cluster.sent(cluster, at_us, sent.bytes);
            self.cluster_left_us = at_us;
        }
    }

    /// Reads what [`Self::handle_sent`] is about to read.
    pub(crate) fn look_at(&self) -> u64 {
        self.last_sent_us ^ u64::from(self.origin.is_some()) ^ self.history.look_at()
    }

    /// A feedback message came: its packets in the order of their numbers.
    pub(crate) fn handle_feedback(
        &mut self,
        now: Instant,
        round_trip: Option<Duration>,
        reports: impl IntoIterator<Item = Reported>,
    ) {
        let now_us = self.since_origin(now);
        if let Some(round_trip) = round_trip {
            self.control.set_round_trip(round_trip);
        }
        let mut is_overused = false;
        let mut is_news = false;
        for report in reports {
            match self.history.report(report) {
                Some(News::Arrived { packet, arrival_us, was_lost }) => {
                    is_news = true;
                    self.take_arrival(&packet, arrival_us, was_lost);
                    is_overused |= self.trend.usage() == Usage::Over;
                }
                Some(News::Lost(packet)) => {
                    is_news = true;
                    self.reported.add(packet.sent_us, packet.bytes);
                    self.loss.count(&packet, true);
                    if let Some(cluster) = packet.cluster {
                        self.cluster.lost(cluster);
                    }
                }
                None => {}
            }
        }
        if is_news {
            self.heard_us = Some(now_us);
            self.conclude(now_us, is_overused);
        }
    }

    fn take_arrival(&mut self, packet: &history::Packet, arrival_us: u64, was_lost: bool) {
        if was_lost {
            self.loss.correct(packet.sent_us);
        } else {
            self.reported.add(packet.sent_us, packet.bytes);
            self.loss.count(packet, false);
            if let Some(cluster) = packet.cluster {
                self.cluster.arrived(cluster, packet.sent_us, arrival_us, packet.bytes);
            }
        }
        self.arrivals.add(arrival_us, packet.bytes);
        self.queue.push(packet.sent_us, arrival_us);
        match self.groups.push(packet.sent_us, arrival_us) {
            Progress::Same => {}
            Progress::Step(step) => self.trend.push(step),
            Progress::Reset => {
                self.trend = Trend::default();
                self.queue = Queue::default();
                self.arrivals = Throughput::default();
            }
        }
    }

    fn conclude(&mut self, now_us: u64, is_overused: bool) {
        let usage = if is_overused { Usage::Over } else { self.trend.usage() };
        // Of packets whose report was lost nobody knows; they fared like the others.
        let all = self.loss.unheard();
        let sent = self.reported.rate().map(|heard| heard.scaled(all));
        // Losses before the bottleneck take no part of it: what arrives is more in its place.
        let through = self.through(now_us).map(|came| came.scaled(all / (1.0 - self.loss.known())));
        let is_steady = match usage {
            Usage::Over => self.queue.now_us < QUEUE_TO_CUT_US,
            Usage::Normal => self.queue.now_us >= QUEUE_TO_STAY_US,
            Usage::Under => false,
        };
        if !is_steady {
            self.control.update(now_us, usage, through, sent);
        }
        let passed_us = now_us.saturating_sub(self.cluster_left_us);
        let is_overdue = passed_us > CLUSTER_OVERDUE_US + self.control.round_trip_us();
        if let Some(rate) = self.cluster.conclude(passed_us > CLUSTER_OVER_US, is_overdue)
            && rate > self.control.rate()
        {
            self.control.set_rate(rate);
            self.raised_us = Some(now_us);
        }
        let is_empty = !self.has_queue();
        self.loss.conclude(now_us, self.control.rate(), is_overused, is_empty);
        self.watch_queue(now_us);
    }

    /// What comes through. Soon after a probe raised the rate, what was sent before says nothing.
    fn through(&self, now_us: u64) -> Option<Bitrate> {
        let rate = self.arrivals.rate()?;
        let is_raised =
            self.raised_us.is_some_and(|at| now_us.saturating_sub(at) < RAISED_LATELY_US);
        let recent = self.arrivals.recent_rate().filter(|_| is_raised);
        Some(recent.map_or(rate, |recent| recent.max(rate)))
    }

    fn watch_queue(&mut self, now_us: u64) {
        // A full queue stays full at the rate that it lets through.
        let cut_us = self.control.cut_us().max(self.loss.cut_us());
        let cut_lately = cut_us.is_some_and(|at| now_us.saturating_sub(at) < DRAIN_AT_MOST_US);
        self.is_draining = cut_lately
            && self.queue.now_us > if self.is_draining { DRAINED_US } else { QUEUE_TO_DRAIN_US };
    }

    /// Call it every 200 ms.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        let now_us = self.since_origin(now);
        let Some(heard_us) = self.heard_us else {
            return;
        };
        // Nothing that was sent since is due to be answered.
        let is_due = self.last_sent_us > heard_us;
        if !is_due {
            self.heard_us = Some(now_us);
            return;
        }
        let silent = now_us.saturating_sub(heard_us) >= SILENCE_US
            && now_us.saturating_sub(self.silence_cut_us) >= SILENCE_STEP_US;
        if silent {
            self.silence_cut_us = now_us;
            self.control.set_rate(self.control.rate().scaled(SILENCE_CUT));
        }
    }

    /// Since when the peer owes an answer; nothing while it owes none.
    #[must_use]
    pub(crate) fn silence(&self, now: Instant) -> Duration {
        let heard_us = self.heard_us.filter(|heard_us| self.last_sent_us > *heard_us);
        let Some((heard_us, origin)) = heard_us.zip(self.origin) else {
            return Duration::ZERO;
        };
        now.saturating_duration_since(origin + Duration::from_micros(heard_us))
    }

    /// What is known.
    #[must_use]
    pub(crate) fn estimate(&self) -> Estimate {
        let rate = self.control.rate();
        let bounded = self.loss.bound().map_or(rate, |bound| bound.min(rate));
        let drained = if self.is_draining { bounded.scaled(DRAIN) } else { bounded };
        let target = drained.clamp(self.limits.min, self.limits.max);
        Estimate {
            target,
            loss: self.loss.loss(),
            queue: Duration::from_micros(u64::try_from(self.queue.now_us).unwrap_or(0)),
        }
    }

    /// Whether less is sent at present only to see if less is lost.
    #[must_use]
    pub(crate) fn is_trying(&self) -> bool {
        self.loss.is_trying() && !self.has_queue()
    }

    fn has_queue(&self) -> bool {
        self.queue.now_us >= QUEUE_OF_NOTE_US
    }

    /// Whether the network showed lately what it bears at most; else nothing is known of its limit.
    #[must_use]
    pub(crate) fn has_met_limit(&self) -> bool {
        let cut = self.control.cut_us();
        let lately = cut.is_some_and(|at| self.last_sent_us.saturating_sub(at) < LIMIT_KNOWN_US);
        lately || self.loss.bound().is_some()
    }

    fn since_origin(&mut self, now: Instant) -> u64 {
        let origin = *self.origin.get_or_insert(now);
        u64::try_from(now.saturating_duration_since(origin).as_micros()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
#[path = "estimator_tests.rs"]
mod tests;

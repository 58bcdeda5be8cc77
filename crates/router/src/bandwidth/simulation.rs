//! A bottleneck in virtual time for the tests of this folder: senders that follow their estimates, one
//! queue with a rate that changes, random loss and jitter, and feedback.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use super::{Bitrate, Estimate, Estimator, Limits, Prober, Reported, Sent};

const TICK: Duration = Duration::from_millis(1);
const FEEDBACK: Duration = Duration::from_millis(50);

/// `splitmix64`.
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn part(&mut self) -> f64 {
        f64::from(u32::try_from(self.next() >> 32).unwrap_or(0)) / f64::from(u32::MAX)
    }
}

/// What the link does to packets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    pub(super) capacity: Bitrate,
    /// One way, without waiting.
    pub(super) delay: Duration,
    /// At most this much more for each packet, in order.
    pub(super) jitter: Duration,
    /// Part of the packets that is lost whatever the rate.
    pub(super) loss: f64,
    /// Part of the feedback that is lost.
    pub(super) report_loss: f64,
    /// Once in each second the receiver takes nothing for up to this long, and then all at once.
    pub(super) stall: Duration,
    /// Longest that a packet waits; beyond it is dropped.
    pub(super) queue: Duration,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            capacity: Bitrate::from_kbps(1_000),
            delay: Duration::from_millis(25),
            jitter: Duration::ZERO,
            loss: 0.0,
            report_loss: 0.0,
            stall: Duration::ZERO,
            queue: Duration::from_millis(300),
        }
    }
}

/// What one sender would send, its estimate allowing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sender {
    pub(super) starts: Duration,
    /// It sends no more, whatever its estimate.
    pub(super) wanted: Bitrate,
    /// What it tells the prober that it wants.
    pub(super) asks: Bitrate,
    /// All of a frame leaves at once.
    pub(super) frame: Duration,
    /// Bytes.
    pub(super) packet: u32,
}

impl Default for Sender {
    fn default() -> Self {
        let much = Bitrate::from_kbps(20_000);
        let frame = Duration::from_millis(33);
        Self { starts: Duration::ZERO, wanted: much, asks: much, frame, packet: 1_100 }
    }
}

struct Flow {
    sender: Sender,
    estimator: Estimator,
    prober: Prober,
    sequence: u16,
    frame_at: Instant,
    report_at: Instant,
    timer_at: Instant,
    debt: u64,
    /// What is still to be reported: arrival by number in order of sending.
    unreported: BTreeMap<u64, Option<u64>>,
    sent: u64,
    arrived: VecDeque<(Instant, u64, Option<Instant>)>,
    feedback: VecDeque<(Instant, Vec<Reported>)>,
    bytes_arrived: u64,
}

/// One sample of a flow, ten a second.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub(super) at: Duration,
    pub(super) estimate: Estimate,
    pub(super) is_trying: bool,
    /// How long a packet that leaves now waits.
    pub(super) wait: Duration,
    /// What arrived since the start.
    pub(super) bytes_arrived: u64,
}

pub(super) struct World {
    start: Instant,
    now: Instant,
    pub(super) link: Link,
    /// The link is busy until then.
    busy: Instant,
    flows: Vec<Flow>,
    chance: Chance,
    pub(super) samples: Vec<Vec<Sample>>,
    /// The sender hears nothing.
    pub(super) is_feedback_cut: bool,
}

impl World {
    /// `name` and seed are printed: a failure can be repeated.
    pub(super) fn new(name: &str, seed: u64, link: Link, senders: &[Sender]) -> Self {
        println!("{name}: seed {seed}");
        let start = Instant::now();
        let flows = senders.iter().map(|sender| {
            let at = start + sender.starts;
            Flow {
                sender: *sender,
                estimator: Estimator::new(Limits::default()),
                prober: Prober::default(),
                sequence: 65_000,
                frame_at: at,
                report_at: at,
                timer_at: at,
                debt: 0,
                unreported: BTreeMap::new(),
                sent: 0,
                arrived: VecDeque::new(),
                feedback: VecDeque::new(),
                bytes_arrived: 0,
            }
        });
        Self {
            start,
            now: start,
            link,
            busy: start,
            flows: flows.collect(),
            chance: Chance(seed),
            samples: vec![Vec::new(); senders.len()],
            is_feedback_cut: false,
        }
    }

    /// Whether a sender's network has shown what it bears.
    pub(super) fn has_met_limit(&self, flow: usize) -> bool {
        self.flows[flow].estimator.has_met_limit()
    }

    pub(super) fn run(&mut self, for_time: Duration) {
        let end = self.now + for_time;
        while self.now < end {
            for index in 0..self.flows.len() {
                self.step(index);
            }
            self.now += TICK;
        }
    }

    fn step(&mut self, index: usize) {
        let now = self.now;
        if now < self.start + self.flows[index].sender.starts {
            return;
        }
        self.deliver(index);
        let flow = &mut self.flows[index];
        let target = flow.estimator.estimate().target.min(flow.sender.wanted);
        if now >= flow.frame_at {
            flow.frame_at += flow.sender.frame;
            flow.debt += target.bytes_in(flow.sender.frame);
        }
        if now >= flow.timer_at {
            flow.timer_at += Duration::from_millis(100);
            flow.estimator.handle_timeout(now);
            let estimate = flow.estimator.estimate();
            flow.prober.update(now, estimate.target, flow.sender.asks);
            let (at, wait) = (now - self.start, self.busy.saturating_duration_since(now));
            let bytes_arrived = flow.bytes_arrived;
            let is_trying = flow.estimator.is_trying();
            self.samples[index].push(Sample { at, estimate, is_trying, wait, bytes_arrived });
        }
        let packet = self.flows[index].sender.packet;
        while self.flows[index].debt >= u64::from(packet) {
            self.flows[index].debt -= u64::from(packet);
            self.send(index, packet);
        }
        while self.flows[index].prober.bytes_due(now) > 0 {
            let due = self.flows[index].prober.bytes_due(now).min(u64::from(packet));
            self.send(index, u32::try_from(due).unwrap_or(packet).max(60));
        }
    }

    fn send(&mut self, index: usize, bytes: u32) {
        let (now, link) = (self.now, self.link);
        let flow = &mut self.flows[index];
        let cluster = flow.prober.handle_sent(now, bytes);
        flow.estimator.handle_sent(Sent { sequence: flow.sequence, at: now, bytes, cluster });
        flow.sequence = flow.sequence.wrapping_add(1);
        let number = flow.sent;
        flow.sent += 1;
        let is_lost = self.chance.part() < link.loss;
        let waits = self.busy.saturating_duration_since(now);
        let arrival = if is_lost || waits > link.queue {
            None
        } else {
            self.busy = self.busy.max(now) + link.capacity.time_of(u64::from(bytes));
            let at = self.busy + link.delay + link.jitter.mul_f64(self.chance.part());
            let at = after_stall(at, self.start, link.stall);
            flow.bytes_arrived += u64::from(bytes);
            Some(at)
        };
        let last = flow.arrived.iter().rev().find_map(|(_, _, at)| *at);
        let arrival = arrival.map(|at| last.map_or(at, |last| at.max(last)));
        flow.arrived.push_back((arrival.unwrap_or(now + link.delay), number, arrival));
    }

    fn deliver(&mut self, index: usize) {
        let (now, start, delay) = (self.now, self.start, self.link.delay);
        let flow = &mut self.flows[index];
        // A gap shows when a later packet comes.
        while let Some(&(_, number, arrival)) = flow.arrived.front() {
            let shown = flow.arrived.iter().find_map(|(_, _, at)| *at);
            if arrival.or(shown).is_none_or(|at| at > now) {
                break;
            }
            flow.arrived.pop_front();
            let us = arrival.map(|at| {
                let us = u64::try_from((at - start).as_micros()).unwrap_or(0);
                7_000_000_000 + us / 250 * 250
            });
            flow.unreported.insert(number, us);
        }
        if now >= flow.report_at {
            flow.report_at += FEEDBACK;
            let unreported = std::mem::take(&mut flow.unreported);
            let is_lost = self.link.report_loss > 0.0 && self.chance.part() < self.link.report_loss;
            if !unreported.is_empty() && !self.is_feedback_cut && !is_lost {
                let reports = unreported.into_iter().map(|(number, arrival_us)| Reported {
                    sequence: u16::try_from((65_000 + number) % 65_536).unwrap_or(0),
                    arrival_us,
                });
                flow.feedback.push_back((now + delay, reports.collect()));
            }
        }
        while flow.feedback.front().is_some_and(|(at, _)| *at <= now) {
            let Some((_, reports)) = flow.feedback.pop_front() else {
                return;
            };
            flow.estimator.handle_feedback(now, Some(delay * 2), reports);
            let estimate = flow.estimator.estimate();
            flow.prober.update(now, estimate.target, flow.sender.asks);
        }
    }

    /// Samples of a flow from `from` on.
    pub(super) fn since(&self, index: usize, from: Duration) -> impl Iterator<Item = &Sample> {
        self.samples[index].iter().filter(move |s| s.at >= from)
    }

    /// The mean estimate of a flow from `from` on, in kbit/s.
    pub(super) fn mean_kbps(&self, index: usize, from: Duration) -> f64 {
        let (count, sum) = self.since(index, from).fold((0.0, 0.0), |(count, sum), sample| {
            (count + 1.0, sum + kbps(sample.estimate.target))
        });
        sum / f64::max(count, 1.0)
    }

    /// What arrived of a flow from `from` on, in kbit/s.
    pub(super) fn goodput_kbps(&self, index: usize, from: Duration) -> f64 {
        let mut samples = self.since(index, from);
        let (Some(first), Some(last)) = (samples.next(), samples.last()) else {
            return 0.0;
        };
        kbps(Bitrate::of(
            last.bytes_arrived - first.bytes_arrived,
            last.at.saturating_sub(first.at),
        ))
    }

    /// When the estimate first was within these bounds (kbit/s), after `from`.
    pub(super) fn first_within(
        &self,
        index: usize,
        from: Duration,
        low: f64,
        high: f64,
    ) -> Option<Duration> {
        self.since(index, from)
            .find(|s| (low..=high).contains(&kbps(s.estimate.target)))
            .map(|s| s.at.saturating_sub(from))
    }
}

pub(super) fn kbps(rate: Bitrate) -> f64 {
    f64::from(u32::try_from(rate.bps() / 100).unwrap_or(u32::MAX)) / 10.0
}

/// When what would arrive at `at` is taken by a receiver that takes nothing for up to `stall` in each second.
fn after_stall(at: Instant, start: Instant, stall: Duration) -> Instant {
    let second = (at - start).as_secs();
    let mut chance = Chance(second);
    let begins = start + Duration::from_secs_f64(second as f64 + 0.8 * chance.part());
    let ends = begins + stall.mul_f64(chance.part());
    if (begins..ends).contains(&at) { ends } else { at }
}

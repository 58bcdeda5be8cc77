//! One subscriber's network over time: its estimate, its probes, and what its videos get.

use std::time::{Duration, Instant};

use super::ceiling::Ceiling;
use super::{
    Bitrate, Demand, Estimate, Estimator, Limits, Prober, Reported, Sent, Share, allocate,
    redundancy,
};

/// Between two looks at what the videos get.
const INTERVAL: Duration = Duration::from_millis(200);
/// Feedback that changes the estimate much is acted on sooner, but not more often than this.
const INTERVAL_AT_LEAST: Duration = Duration::from_millis(50);
/// That much, in parts of what was acted on.
const MUCH: f64 = 0.1;
/// Repairs are kept room for, up to this part of the estimate.
const MOST_FOR_REPAIRS: f64 = 0.3;
/// Sound is not less than this for each stream: one that is silent now may speak in a moment.
const LEAST_SOUND: Bitrate = Bitrate::from_kbps(24);
/// What each repeat beyond the first adds to the rate of sound: headers are not repeated.
const REPEATED: f64 = 0.6;
/// At the start the first probes have to be answered before anything is taken away ...
const SETTLING: Duration = Duration::from_secs(1);
/// ... unless a queue of this much stands.
const QUEUE_TO_ACT: Duration = Duration::from_millis(100);
/// A peer that owes an answer for so long is cut off, which says nothing of what its network bears.
const CUT_OFF: Duration = Duration::from_secs(3);
/// New video leaves at this multiple of the estimate at most: a picture is through before the next is due.
const PACE: f64 = 2.5;
/// Between two looks at a probe at least.
const PROBE_PAUSE: Duration = Duration::from_millis(2);
/// Weight of the newest look in the rate of sound.
const NEWEST_SOUND: f64 = 0.2;

/// See the module. There is one for each transport whose peer reports on what arrives, or says what it takes at most.
#[derive(Debug)]
pub(crate) struct Network {
    estimator: Estimator,
    prober: Prober,
    ceiling: Ceiling,
    /// What leaves has numbers, on which the peer reports.
    is_reported: bool,
    begun: Instant,
    wanted: Bitrate,
    looked_at: Option<Instant>,
    next_look: Instant,
    next_probe: Instant,
    acted_on: Bitrate,
    sound_bytes: u64,
    sound: Bitrate,
    given: Bitrate,
    redundancy: u8,
}

impl Network {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            estimator: Estimator::new(Limits::default()),
            prober: Prober::default(),
            ceiling: Ceiling::default(),
            is_reported: false,
            begun: now,
            wanted: Bitrate::ZERO,
            looked_at: None,
            next_look: now,
            next_probe: now,
            acted_on: Limits::default().start,
            sound_bytes: 0,
            sound: Bitrate::ZERO,
            given: Bitrate::ZERO,
            redundancy: 1,
        }
    }

    /// How many packets each one of audio is to repeat, since the last [`Self::look`].
    pub(crate) fn redundancy(&self) -> u8 {
        self.redundancy
    }

    /// Where nothing is known there is no limit.
    pub(crate) fn estimate(&self) -> Estimate {
        let estimate = self.estimator.estimate();
        let own = if self.is_reported { estimate.target } else { Limits::default().max };
        Estimate { target: self.ceiling.rate().map_or(own, |most| most.min(own)), ..estimate }
    }

    /// Whether anything is known.
    pub(crate) fn is_known(&self) -> bool {
        self.is_reported || self.ceiling.rate().is_some()
    }

    /// What the newest look gave to sound and videos.
    pub(crate) fn given(&self) -> Bitrate {
        self.given
    }

    /// How many probes were begun since the last call, and how many found what they asked for.
    pub(crate) fn take_probes(&mut self) -> (u64, u64) {
        self.prober.take_counts()
    }

    /// What new video may take before it is evened out: above the estimate, so that only bursts are. None
    /// while the network has not shown a limit: then there is room, as far as anybody knows.
    pub(crate) fn pace(&self) -> Option<Bitrate> {
        let target = self.estimate().target;
        self.estimator.has_met_limit().then(|| target.scaled(PACE))
    }

    /// A packet left. Those of a probe count for it, whatever they carry.
    pub(crate) fn note_sent(&mut self, sequence: u16, at: Instant, bytes: u32) {
        self.is_reported = true;
        let cluster = self.prober.handle_sent(at, bytes);
        self.estimator.handle_sent(Sent { sequence, at, bytes, cluster });
    }

    /// Reads what [`Self::note_sent`] and [`Self::deadline`] are about to read.
    pub(crate) fn look_at(&self) -> u64 {
        let looks = u64::from(self.is_reported) ^ u64::from(self.prober.deadline().is_some());
        looks ^ self.estimator.look_at() ^ u64::from(self.next_look > self.next_probe)
    }

    /// The peer reports.
    pub(crate) fn note_feedback(
        &mut self,
        now: Instant,
        round_trip: Option<Duration>,
        reports: impl IntoIterator<Item = Reported>,
    ) {
        let was_cut_off = self.is_cut_off(now);
        self.estimator.handle_feedback(now, round_trip, reports);
        if was_cut_off && !self.is_cut_off(now) {
            self.begin_anew(now);
        }
        let target = self.estimate().target;
        self.prober.update(now, target, self.wanted);
        self.hasten(now, target);
    }

    /// The peer says what it takes at most.
    pub(crate) fn note_ceiling(&mut self, now: Instant, most: Bitrate) {
        self.ceiling.note(now, most);
        self.hasten(now, self.estimate().target);
    }

    /// What may be sent is this now: much that changed is acted on soon.
    fn hasten(&mut self, now: Instant, target: Bitrate) {
        let change = target.bps().abs_diff(self.acted_on.bps());
        if Bitrate::from_bps(change) > self.acted_on.scaled(MUCH) {
            let soonest = self.looked_at.map_or(now, |at| at + INTERVAL_AT_LEAST);
            self.next_look = self.next_look.min(soonest.max(now));
        }
    }

    /// The way to the peer is another one.
    pub(crate) fn note_move(&mut self) {
        self.ceiling = Ceiling::default();
        self.prober.restart();
    }

    /// When [`Self::look`], or bytes of a probe, are due.
    pub(crate) fn deadline(&self) -> Instant {
        let probe = self.prober.deadline().map(|at| at.max(self.next_probe));
        probe.map_or(self.next_look, |at| at.min(self.next_look))
    }

    /// Whether [`Self::look`] is due.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.next_look <= now
    }

    /// How many bytes of a probe should leave now.
    pub(crate) fn probe_bytes(&mut self, now: Instant) -> u64 {
        self.next_probe = now + PROBE_PAUSE;
        self.prober.bytes_due(now)
    }

    /// There is nothing that a probe could be made of.
    pub(crate) fn note_nothing_to_probe(&mut self, now: Instant) {
        self.prober.abandon(now);
    }

    /// Looks at what the videos may have now: `sounds` streams with sound, of which `sound_bytes` of
    /// `bytes` left since the start, go first. Nothing: leave everything as it is.
    pub(crate) fn look(
        &mut self,
        now: Instant,
        sounds: u32,
        (sound_bytes, bytes): (u64, u64),
        demands: &[Demand<'_>],
    ) -> Vec<Share> {
        self.estimator.handle_timeout(now);
        self.ceiling.look(now, bytes);
        self.measure_sound(now, sound_bytes);
        self.looked_at = Some(now);
        self.next_look = now + INTERVAL;
        let estimate = self.estimate();
        self.acted_on = estimate.target;
        let sound = self.sound.max(LEAST_SOUND.scaled(f64::from(sounds)));
        self.redundancy = redundancy::depth(self.redundancy, estimate.loss, estimate.target, sound);
        let sound = sound.scaled(1.0 + REPEATED * f64::from(self.redundancy - 1));
        let free = 1.0 - estimate.loss.min(MOST_FOR_REPAIRS);
        let budget = estimate.target.scaled(free).minus(sound);
        let best = demands.iter().filter_map(|d| d.steps.last());
        let best = best.fold(Bitrate::ZERO, |sum, rate| sum.plus(*rate));
        self.wanted =
            if best == Bitrate::ZERO { best } else { best.plus(sound).scaled(1.0 / free) };
        if let Some(most) = self.ceiling.rate() {
            self.wanted = self.wanted.min(most);
        }
        if self.is_reported {
            self.prober.update(now, estimate.target, self.wanted);
        }
        self.given = sound;
        let is_settling = now.saturating_duration_since(self.begun) < SETTLING;
        if is_settling && estimate.queue < QUEUE_TO_ACT {
            return Vec::new();
        }
        let mut shares = allocate(budget, demands);
        let chosen = shares.iter().zip(demands);
        let chosen = chosen.filter_map(|(share, demand)| demand.steps.get(share.step?));
        self.given = chosen.fold(sound, |sum, rate| sum.plus(*rate));
        if self.is_cut_off(now) || self.estimator.is_trying() {
            // Less is sent, but nobody is told of a network that is too narrow.
            for share in &mut shares {
                share.fits = true;
            }
        }
        shares
    }

    fn is_cut_off(&self, now: Instant) -> bool {
        self.estimator.silence(now) >= CUT_OFF
    }

    /// What was known was of the way before.
    fn begin_anew(&mut self, now: Instant) {
        self.estimator = Estimator::new(Limits::default());
        self.prober.restart();
        self.begun = now;
    }

    fn measure_sound(&mut self, now: Instant, sound_bytes: u64) {
        let passed = self.looked_at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        if passed >= INTERVAL_AT_LEAST {
            let newest = Bitrate::of(sound_bytes.saturating_sub(self.sound_bytes), passed);
            self.sound = self.sound.scaled(1.0 - NEWEST_SOUND).plus(newest.scaled(NEWEST_SOUND));
            self.sound_bytes = sound_bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Bitrate = Bitrate::from_kbps(200);

    /// What a video of 200 kbit/s gets during ten looks; the peer answers what leaves, or nothing.
    fn looks(
        network: &mut Network,
        now: &mut Instant,
        sequence: &mut u16,
        answers: bool,
    ) -> Vec<Share> {
        let demand = Demand {
            steps: &[STEP],
            current: Some(0),
            pixels: 640 * 360,
            is_screen: false,
            stay: super::super::Stay::Sent,
        };
        let mut last = Vec::new();
        for _ in 0..10 {
            for _ in 0..10 {
                network.note_sent(*sequence, *now, 500);
                let arrival_us = now.duration_since(network.begun).as_micros() as u64 + 1_000_000;
                let report = Reported { sequence: *sequence, arrival_us: Some(arrival_us) };
                *sequence = sequence.wrapping_add(1);
                *now += Duration::from_millis(20);
                if answers {
                    network.note_feedback(*now, None, [report]);
                }
            }
            let shares = network.look(*now, 0, (0, 0), std::slice::from_ref(&demand));
            if !shares.is_empty() {
                last = shares;
            }
        }
        last
    }

    #[test]
    fn a_network_that_was_cut_off_is_not_a_narrow_one() {
        let mut now = Instant::now();
        let mut network = Network::new(now);
        let mut sequence = 0;
        assert!(looks(&mut network, &mut now, &mut sequence, true)[0].fits);

        for _ in 0..10 {
            let shares = looks(&mut network, &mut now, &mut sequence, false);
            if network.estimator.silence(now) >= CUT_OFF {
                assert!(shares[0].fits, "{:?} of silence", network.estimator.silence(now));
            }
        }
        assert!(network.estimate().target < STEP, "the least is sent meanwhile");

        assert!(looks(&mut network, &mut now, &mut sequence, true)[0].fits);
        assert!(network.estimate().target >= STEP, "{:?}", network.estimate());
    }

    /// So many seconds of sound at 50 packets of 120 bytes, of which every `n`th is lost, if any.
    fn talk(network: &mut Network, now: &mut Instant, seconds: u32, lost: Option<u32>) -> u8 {
        for n in 0..seconds * 50 {
            let (sequence, since) =
                (n as u16, now.duration_since(network.begun).as_micros() as u64);
            network.note_sent(sequence, *now, 120);
            *now += Duration::from_millis(20);
            let is_lost = lost.is_some_and(|every| n % every == 0);
            let arrival_us = (!is_lost).then_some(since + 1_000_000);
            network.note_feedback(*now, None, [Reported { sequence, arrival_us }]);
            if n % 10 == 9 {
                let bytes = u64::from(n) * 120;
                network.look(*now, 1, (bytes, bytes), &[]);
            }
        }
        network.redundancy()
    }

    #[test]
    fn sound_repeats_more_while_more_is_lost() {
        let mut depths = Vec::new();
        for lost in [None, Some(10), Some(5)] {
            let mut now = Instant::now();
            depths.push(talk(&mut Network::new(now), &mut now, 20, lost));
        }
        assert_eq!(depths, [1, 2, 3]);
    }
}

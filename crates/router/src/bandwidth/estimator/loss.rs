//! A bound by losses, only as far as losses depend on the rate.
//!
//! Loss alone says little: a radio link loses at any rate, a short queue loses because of the rate.
//! So more loss than is known is answered by a trial: the rate is cut once to what gets through. If as
//! much is lost at the lower rate, the link loses at random: the loss is taken as given and the
//! cut is undone. If less is lost, the cut was right. Twenty packets seldom tell the two apart, so a trial
//! goes on until one is far likelier. If there is nothing lower to send, nothing can be learnt, and the
//! loss is taken as given too unless a queue stands.

use super::super::bitrate::Bitrate;
use super::Limits;
use super::history::Packet;

/// An observation lasts this long at least, and has this many packets or lasts this much longer.
const LEAST_US: u64 = 400_000;
const LEAST_PACKETS: u32 = 20;
const LONGEST_US: u64 = 2_000_000;
/// Fewer say nothing even then.
const FEWEST_PACKETS: u32 = 8;
/// Losses of this much beyond the known are no concern, and as many standard deviations of chance.
const TOLERANCE: f64 = 0.04;
const DEVIATIONS: f64 = 2.0;
/// Observations in a row with too much loss before a trial.
const STRIKES: u32 = 2;
/// A trial cuts at least and at most to these parts.
const CUT_LEAST: f64 = 0.8;
const CUT_MOST: f64 = 0.5;
/// A rate above this part of the former is no trial.
const IS_LOWER: f64 = 0.92;
/// How many observations a trial lasts at most.
const PATIENCE: u32 = 6;
/// Where nothing is lost something is lost at times.
const LEAST_LOSS: f64 = 0.02;
/// Evidence of a trial is decisive when one of the two is so many times likelier (as a logarithm).
const DECISIVE: f64 = 3.0;
/// No more random loss than this is taken as given; beyond it nothing can be saved by a higher rate.
const MOST_ACCEPTED: f64 = 0.45;
const BLACKOUT: f64 = 0.6;
const BLACKOUT_CUT: f64 = 0.7;
/// How the bound rises, for each [`LEAST_US`] of observations without more loss than known.
const GROWTH: f64 = 1.05;
const GROWTH_AFTER_BLACKOUT: f64 = 1.5;
/// So many times at once at most.
const MOST_GROWTHS: f64 = 4.0;
/// A bound this far above the rate binds nothing.
const FREE_ABOVE: f64 = 1.3;
/// Reports are lost too, of this many times the packets that were heard of at most.
const MOST_UNHEARD: f64 = 2.0;
/// Weight of the newest observation in the loss that is told, and in the loss that is known.
const NEWEST: f64 = 0.3;
const NEWEST_KNOWN: f64 = 0.1;

/// What became of the packets of half a second.
#[derive(Debug, Clone, Copy)]
struct Observation {
    rate: Bitrate,
    loss: f64,
    packets: u32,
    lasted_us: u64,
    /// Packets that left, in parts of those that were heard of.
    unheard: f64,
}

impl Observation {
    /// How far chance may take the part that is lost.
    fn noise(&self) -> f64 {
        let chance = self.loss.clamp(LEAST_LOSS, 0.5);
        DEVIATIONS * (chance * (1.0 - chance) / f64::from(self.packets)).sqrt()
    }
}

#[derive(Debug, Default)]
struct Tally {
    first_us: Option<u64>,
    last_us: u64,
    /// Number of the first, and how many numbers there are from it to the newest.
    first: u16,
    numbers: u16,
    packets: u32,
    lost: u32,
    bytes: u64,
}

#[derive(Debug, Clone, Copy)]
struct Trial {
    before: Observation,
    /// The bound that holds again if the loss is random.
    resume: Option<Bitrate>,
    waited: u32,
    /// How much likelier what was seen at the lower rate is if as much is lost there as before than if no more is
    /// lost than is known, as a logarithm.
    evidence: f64,
}

#[derive(Debug)]
pub(super) struct LossBound {
    tally: Tally,
    bound: Option<Bitrate>,
    trial: Option<Trial>,
    /// Loss that does not depend on the rate, 0 to [`MOST_ACCEPTED`].
    known: f64,
    /// Smoothed.
    loss: f64,
    /// Packets that left in parts of those that were heard of, smoothed, 1 to [`MOST_UNHEARD`].
    unheard: f64,
    strikes: u32,
    /// Packets that left before do not count for the next observation.
    from_us: u64,
    was_blackout: bool,
    /// When the rate was last cut to see if less is lost.
    cut_us: Option<u64>,
}

impl Default for LossBound {
    fn default() -> Self {
        Self {
            tally: Tally::default(),
            bound: None,
            trial: None,
            known: 0.0,
            loss: 0.0,
            unheard: 1.0,
            strikes: 0,
            from_us: 0,
            was_blackout: false,
            cut_us: None,
        }
    }
}

impl LossBound {
    pub(super) fn bound(&self) -> Option<Bitrate> {
        self.bound
    }

    /// Part of the packets that does not arrive, lately.
    pub(super) fn loss(&self) -> f64 {
        self.loss
    }

    /// Part of the packets that is lost at any rate.
    pub(super) fn known(&self) -> f64 {
        self.known
    }

    /// What is heard of stands for this many times as much: reports are lost too.
    pub(super) fn unheard(&self) -> f64 {
        self.unheard
    }

    /// When the rate was last cut for losses.
    pub(super) fn cut_us(&self) -> Option<u64> {
        self.cut_us
    }

    /// Whether it is tried at present if less is lost at a lower rate.
    pub(super) fn is_trying(&self) -> bool {
        self.trial.is_some()
    }

    /// A packet was reported for the first time.
    pub(super) fn count(&mut self, packet: &Packet, is_lost: bool) {
        if packet.sent_us < self.from_us {
            return;
        }
        let tally = &mut self.tally;
        if tally.first_us.is_none() {
            tally.first_us = Some(packet.sent_us);
            tally.first = packet.sequence;
        }
        let number = packet.sequence.wrapping_sub(tally.first);
        // Of before the first, if a report was late.
        if number < u16::MAX / 2 {
            tally.numbers = tally.numbers.max(number + 1);
        }
        tally.last_us = tally.last_us.max(packet.sent_us);
        tally.packets += 1;
        tally.lost += u32::from(is_lost);
        tally.bytes += u64::from(packet.bytes);
    }

    /// A packet that was reported lost came after all.
    pub(super) fn correct(&mut self, sent_us: u64) {
        if self.tally.first_us.is_some_and(|first| sent_us >= first) {
            self.tally.lost = self.tally.lost.saturating_sub(1);
        }
    }

    /// All packets of a feedback message are counted. `rate` is what the delay allows, `is_overused`
    /// whether it grew: then losses are the delay's business. `is_empty`: no queue stands that could lose them.
    pub(super) fn conclude(
        &mut self,
        now_us: u64,
        rate: Bitrate,
        is_overused: bool,
        is_empty: bool,
    ) {
        let Some(observation) = self.observe() else {
            return;
        };
        self.loss += NEWEST * (observation.loss - self.loss);
        self.unheard += NEWEST * (observation.unheard - self.unheard);
        let excess = observation.loss - self.known;
        let is_bad = excess > TOLERANCE + observation.noise();
        if observation.loss > BLACKOUT {
            self.black_out(observation, rate);
            return;
        }
        match self.trial.take() {
            Some(trial) => self.judge(now_us, trial, observation, is_empty),
            None if is_bad && !is_overused => self.strike(now_us, observation),
            None => {
                self.strikes = 0;
                if !is_bad {
                    self.relax(observation, rate);
                }
            }
        }
    }

    fn observe(&mut self) -> Option<Observation> {
        let tally = &self.tally;
        let lasted = tally.last_us.saturating_sub(tally.first_us?);
        let is_full = lasted >= LEAST_US && tally.packets >= LEAST_PACKETS;
        if !is_full && lasted < LONGEST_US {
            return None;
        }
        let tally = std::mem::take(&mut self.tally);
        if tally.packets < FEWEST_PACKETS {
            return None;
        }
        let heard = f64::from(tally.packets);
        let unheard = (f64::from(tally.numbers) / heard).clamp(1.0, MOST_UNHEARD);
        let rate = Bitrate::of(tally.bytes, std::time::Duration::from_micros(lasted));
        Some(Observation {
            rate: rate.scaled(unheard),
            loss: f64::from(tally.lost) / heard,
            packets: tally.packets,
            lasted_us: lasted,
            unheard,
        })
    }

    fn strike(&mut self, now_us: u64, observation: Observation) {
        self.strikes += 1;
        if self.strikes < STRIKES {
            return;
        }
        self.strikes = 0;
        let through = (1.0 - observation.loss) / (1.0 - self.known);
        let cut = observation.rate.scaled((0.95 * through).clamp(CUT_MOST, CUT_LEAST));
        self.trial =
            Some(Trial { before: observation, resume: self.bound, waited: 0, evidence: 0.0 });
        self.bound = Some(self.bound.map_or(cut, |bound| bound.min(cut)));
        self.cut_us = Some(now_us);
        self.start_over(now_us);
    }

    fn judge(&mut self, now_us: u64, mut trial: Trial, observation: Observation, is_empty: bool) {
        if observation.rate > trial.before.rate.scaled(IS_LOWER) {
            trial.waited += 1;
            if trial.waited < PATIENCE {
                self.trial = Some(trial);
            } else if is_empty && observation.loss <= MOST_ACCEPTED {
                self.known = observation.loss.min(trial.before.loss);
                self.bound = trial.resume;
            }
            self.start_over(now_us);
            return;
        }
        trial.evidence += evidence(observation, trial.before.loss, self.known);
        trial.waited += 1;
        if trial.evidence.abs() < DECISIVE && trial.waited < PATIENCE {
            self.trial = Some(trial);
        } else if trial.evidence > 0.0 {
            self.known = observation.loss.min(trial.before.loss).min(MOST_ACCEPTED);
            self.bound = trial.resume;
        }
    }

    fn relax(&mut self, observation: Observation, rate: Bitrate) {
        // What is less by more than chance is not what was known.
        let is_less = observation.loss + observation.noise() < self.known;
        let weight = if is_less { NEWEST } else { NEWEST_KNOWN };
        if self.known > 0.0 {
            self.known += weight * (observation.loss - self.known);
        }
        let growth = if self.was_blackout { GROWTH_AFTER_BLACKOUT } else { GROWTH };
        if let Some(bound) = self.bound {
            let lasted = observation.lasted_us as f64 / LEAST_US as f64;
            let raised = bound.scaled(growth.powf(lasted.min(MOST_GROWTHS)));
            self.bound = (raised <= rate.scaled(FREE_ABOVE)).then_some(raised);
        }
        self.was_blackout &= self.bound.is_some();
    }

    /// Nearly nothing arrives.
    fn black_out(&mut self, observation: Observation, rate: Bitrate) {
        let from = self.bound.unwrap_or(rate).min(observation.rate.max(Bitrate::from_kbps(1)));
        // No estimate is lower, and from nothing no bound rises again.
        self.bound = Some(from.scaled(BLACKOUT_CUT).max(Limits::default().min));
        self.trial = None;
        self.strikes = 0;
        self.was_blackout = true;
    }

    fn start_over(&mut self, now_us: u64) {
        self.tally = Tally::default();
        self.from_us = now_us;
    }
}

/// The logarithm of how much likelier an observation is if `more` is lost than if `less` is.
fn evidence(observation: Observation, more: f64, less: f64) -> f64 {
    let less = less.max(LEAST_LOSS);
    let more = more.max(less + TOLERANCE);
    let lost = observation.loss * f64::from(observation.packets);
    let came = f64::from(observation.packets) - lost;
    lost * (more / less).ln() + came * ((1.0 - more) / (1.0 - less)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets of a second, of which some are lost.
    fn second(losses: &mut LossBound, now_us: &mut u64, lost_of_ten: u32) {
        for number in 0..50 {
            let sequence = (*now_us / 20_000) as u16;
            let packet = Packet { sequence, sent_us: *now_us, bytes: 200, cluster: None };
            losses.count(&packet, number % 10 < lost_of_ten);
            *now_us += 20_000;
            losses.conclude(*now_us, Bitrate::from_kbps(100), false, true);
        }
    }

    #[test]
    fn however_long_nearly_nothing_arrived_the_bound_is_gone_soon_after() {
        let (mut losses, mut now_us) = (LossBound::default(), 1);
        for _ in 0..120 {
            second(&mut losses, &mut now_us, 8);
        }
        assert_eq!(losses.bound(), Some(Limits::default().min));
        for _ in 0..3 {
            second(&mut losses, &mut now_us, 0);
        }
        assert_eq!(losses.bound(), None);
    }
}

//! What one video gets of its subscriber's bandwidth, over time.

use std::time::{Duration, Instant};

use super::{Fallback, FallbackChange, Share, Stay};
use crate::event::VideoFallback;
use crate::layers::{Budget, Step};

/// After a step down a video stays there for this long, so that it does not swing.
const REST: Duration = Duration::from_secs(3);
/// A layer that was lost again so soon after it was reached is tried again after twice the time that it was before, as
/// each try costs its publisher a key frame ...
const RELAPSE: Duration = Duration::from_secs(60);
/// ... and that is at most this.
const LONGEST_REST: Duration = Duration::from_secs(60);

/// A layer that did not fit is not tried for a while; steps inside of one below are.
#[derive(Debug, Clone, Copy)]
struct HoldOff {
    layer: u8,
    until: Instant,
    rest: Duration,
}

/// The state of one binding.
#[derive(Debug, Default)]
pub(crate) struct Sharing {
    /// The publisher allows that the video is left out.
    may_stop: bool,
    fallback: Fallback,
    /// What was told last; none before the first change.
    told: Option<VideoFallback>,
    /// Encoding and temporal layer.
    current: Option<(u8, u8)>,
    fell_at: Option<Instant>,
    /// When the layer that it has was reached.
    rose_at: Option<Instant>,
    hold_off: Option<HoldOff>,
}

impl Sharing {
    pub(crate) fn new(may_stop: bool) -> Self {
        Self { may_stop, ..Self::default() }
    }

    /// What became of the video; none if it was always sent.
    pub(crate) fn told(&self) -> Option<VideoFallback> {
        self.told
    }

    /// Whether it is left out for bandwidth.
    pub(crate) fn is_stopped(&self) -> bool {
        self.fallback.is_stopped()
    }

    pub(crate) fn stay(&self, now: Instant) -> Stay {
        let rests = self.fell_at.is_some_and(|at| now.saturating_duration_since(at) < REST);
        match (self.fallback.is_stopped(), rests) {
            (true, _) => Stay::Stopped,
            (false, true) => Stay::Held,
            (false, false) => Stay::Sent,
        }
    }

    /// So many of these steps may be had now.
    pub(crate) fn open(&self, now: Instant, steps: &[Step]) -> usize {
        let held = self.hold_off.filter(|hold| now < hold.until);
        let first = held.and_then(|hold| steps.iter().position(|s| s.encoding == hold.layer));
        first.map_or(steps.len(), |first| first.max(1))
    }

    /// Where it is among these steps.
    pub(crate) fn current(&self, steps: &[Step]) -> Option<usize> {
        let (encoding, temporal) = self.current?;
        steps.iter().position(|s| (s.encoding, s.temporal) == (encoding, temporal))
    }

    /// The subscriber turned the video off: it is not left out for bandwidth any more.
    pub(crate) fn pause(&mut self) -> Option<VideoFallback> {
        self.current = None;
        let change = self.fallback.reset();
        self.tell(change)
    }

    /// Follows a share. Returns what the binding may have, and what is to be told.
    pub(crate) fn follow(
        &mut self,
        now: Instant,
        steps: &[Step],
        share: Share,
    ) -> (Budget, Option<VideoFallback>) {
        if steps.is_empty() {
            let budget =
                if self.fallback.is_stopped() { Budget::Nothing } else { Budget::Unlimited };
            return (budget, None);
        }
        let change = if self.may_stop { self.fallback.update(now, share.fits) } else { None };
        let news = self.tell(change);
        if self.fallback.is_stopped() {
            self.current = None;
            return (Budget::Nothing, news);
        }
        let place = share.step.unwrap_or(0);
        let step = steps.get(place);
        match self.current(steps) {
            Some(before) if place < before => {
                self.fell_at = Some(now);
                self.fall(now, step);
            }
            Some(before) if place > before => self.rise(now, step),
            _ => {}
        }
        self.current = step.map(|step| (step.encoding, step.temporal));
        let budget = match step {
            Some(step) if place + 1 < steps.len() => {
                Budget::UpTo { encoding: step.encoding, temporal: step.temporal }
            }
            // There is no more to have.
            _ => Budget::Unlimited,
        };
        (budget, news)
    }

    /// Another layer is reached.
    fn rise(&mut self, now: Instant, step: Option<&Step>) {
        let layer = self.current.map(|(layer, _)| layer);
        if step.map(|step| step.encoding) != layer {
            self.rose_at = Some(now);
        }
    }

    /// The layer that it has does not fit any more.
    fn fall(&mut self, now: Instant, step: Option<&Step>) {
        let lost = self.current.map(|(layer, _)| layer);
        let Some(layer) = lost.filter(|layer| step.is_none_or(|step| step.encoding != *layer))
        else {
            return;
        };
        let is_relapse = self.rose_at.is_some_and(|at| now.saturating_duration_since(at) < RELAPSE);
        let former = self.hold_off.filter(|hold| is_relapse && hold.layer == layer);
        let rest = former.map_or(REST, |hold| (hold.rest * 2).min(LONGEST_REST));
        self.hold_off = Some(HoldOff { layer, until: now + rest, rest });
    }

    fn tell(&mut self, change: Option<FallbackChange>) -> Option<VideoFallback> {
        let told = match change? {
            FallbackChange::Warned => VideoFallback::Warned,
            FallbackChange::Stopped => VideoFallback::Stopped,
            FallbackChange::Lifted | FallbackChange::Returned => VideoFallback::Sent,
        };
        self.told = Some(told);
        Some(told)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Bitrate, Demand, allocate};
    use super::*;

    /// Two temporal layers of a small picture, and a large one.
    const STEPS: [Step; 3] = [
        Step { encoding: 0, temporal: 0, bitrate_bps: 100_000 },
        Step { encoding: 0, temporal: 1, bitrate_bps: 150_000 },
        Step { encoding: 1, temporal: 1, bitrate_bps: 500_000 },
    ];

    /// What a video has at each fifth of a second, while there is so much for it.
    fn play(
        sharing: &mut Sharing,
        now: &mut Instant,
        seconds: u64,
        kbps: impl Fn(u64) -> u64,
    ) -> Vec<Step> {
        let rates = STEPS.map(|step| Bitrate::from_bps(step.bitrate_bps.into()));
        let looks = (0..5 * seconds).map(|look| {
            let demand = Demand {
                steps: &rates[..sharing.open(*now, &STEPS)],
                current: sharing.current(&STEPS),
                pixels: 1,
                is_screen: false,
                stay: sharing.stay(*now),
            };
            let shares = allocate(Bitrate::from_kbps(kbps(look / 5)), &[demand]);
            sharing.follow(*now, &STEPS, shares[0]);
            *now += Duration::from_millis(200);
            STEPS[sharing.current(&STEPS).expect("it is sent")]
        });
        looks.collect()
    }

    /// How often another layer is had, which takes a key frame.
    fn changes(had: &[Step]) -> usize {
        had.windows(2).filter(|pair| pair[0].encoding != pair[1].encoding).count()
    }

    #[test]
    fn a_layer_that_keeps_getting_lost_is_tried_more_and_more_seldom() {
        let (mut sharing, mut now) = (Sharing::new(true), Instant::now());
        let had =
            play(&mut sharing, &mut now, 180, |second| if second % 8 < 5 { 600 } else { 400 });
        let count = changes(&had);
        assert!((6..=12).contains(&count), "{count} key frames in 22 swings");
        // Once it lasts it stays, and an old trouble is forgotten.
        let had = play(&mut sharing, &mut now, 130, |_| 600);
        assert!(changes(&had) <= 1 && had.last() == Some(&STEPS[2]));
        let had = play(&mut sharing, &mut now, 10, |second| if second < 1 { 400 } else { 600 });
        assert_eq!(had[0].encoding, 0);
        assert_eq!((changes(&had), had.last()), (1, Some(&STEPS[2])), "back after a short rest");
    }

    #[test]
    fn steps_inside_of_a_layer_are_not_held_off() {
        let (mut sharing, mut now) = (Sharing::new(true), Instant::now());
        play(&mut sharing, &mut now, 40, |second| if second % 4 < 2 { 600 } else { 400 });
        let had = play(&mut sharing, &mut now, 20, |second| if second < 4 { 110 } else { 300 });
        assert_eq!((had[10], had.last()), (STEPS[0], Some(&STEPS[1])));
    }
}

//! What one video gets of its subscriber's bandwidth, over time.

use std::time::{Duration, Instant};

use super::{Fallback, FallbackChange, Share, Stay};
use crate::event::VideoFallback;
use crate::layers::{Budget, Step};

/// After a step down a video stays there for this long, so that it does not swing.
const REST: Duration = Duration::from_secs(3);

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
        if self.current(steps).is_some_and(|before| place < before) {
            self.fell_at = Some(now);
        }
        let step = steps.get(place);
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

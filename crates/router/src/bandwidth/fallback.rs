//! When a subscriber's video is left out because its network cannot carry it, and when it is back.

use std::time::{Duration, Instant};

/// Not fitting for this long is warned of.
const WARN_AFTER: Duration = Duration::from_secs(1);
/// Fitting for this long lifts a warning.
const LIFT_AFTER: Duration = Duration::from_secs(3);
/// Not fitting for this long, with at most [`LIFT_AFTER`] between, stops the video.
const STOP_AFTER: Duration = Duration::from_secs(5);
/// Fitting for this long starts it again; doubled each time that it is stopped soon after.
const RETURN_AFTER: Duration = Duration::from_secs(5);
/// Most that it is doubled to.
const RETURN_AFTER_AT_MOST: Duration = Duration::from_secs(60);
/// A video that stayed for this long is treated as one that was never stopped.
const STABLE_AFTER: Duration = Duration::from_secs(60);

/// What changed, to be told to the subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FallbackChange {
    /// The video may be stopped soon.
    Warned,
    /// It will not.
    Lifted,
    /// It is stopped.
    Stopped,
    /// It is sent again.
    Returned,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Sent,
    Warned,
    Stopped,
}

/// The state of one video of one subscriber.
#[derive(Debug, Clone)]
pub(crate) struct Fallback {
    state: State,
    /// When the fit last changed to what it is now.
    fits: bool,
    fit_since: Option<Instant>,
    /// When the fit was first missed in this bad spell.
    bad_since: Option<Instant>,
    returned_at: Option<Instant>,
    return_after: Duration,
}

impl Default for Fallback {
    fn default() -> Self {
        Self {
            state: State::Sent,
            fits: true,
            fit_since: None,
            bad_since: None,
            returned_at: None,
            return_after: RETURN_AFTER,
        }
    }
}

impl Fallback {
    /// Whether the video is left out.
    #[must_use]
    pub(crate) fn is_stopped(&self) -> bool {
        self.state == State::Stopped
    }

    /// Takes whether the lowest step of the video fits the estimate now; call it at least twice a second.
    pub(crate) fn update(&mut self, now: Instant, fits: bool) -> Option<FallbackChange> {
        if self.fit_since.is_none() || fits != self.fits {
            self.fits = fits;
            self.fit_since = Some(now);
        }
        let lasts = self.fit_since.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        match self.state {
            State::Stopped => (fits && lasts >= self.return_after).then(|| self.give_back(now)),
            _ if fits => (lasts >= LIFT_AFTER).then(|| self.recover()).flatten(),
            _ => self.suffer(now),
        }
    }

    /// The video may not be stopped any more, or is another one: as at the start.
    pub(crate) fn reset(&mut self) -> Option<FallbackChange> {
        let change = match self.state {
            State::Sent => None,
            State::Warned => Some(FallbackChange::Lifted),
            State::Stopped => Some(FallbackChange::Returned),
        };
        *self = Self::default();
        change
    }

    fn give_back(&mut self, now: Instant) -> FallbackChange {
        self.state = State::Sent;
        self.bad_since = None;
        self.returned_at = Some(now);
        FallbackChange::Returned
    }

    fn recover(&mut self) -> Option<FallbackChange> {
        self.bad_since = None;
        let was_warned = std::mem::replace(&mut self.state, State::Sent) == State::Warned;
        was_warned.then_some(FallbackChange::Lifted)
    }

    fn suffer(&mut self, now: Instant) -> Option<FallbackChange> {
        let since = *self.bad_since.get_or_insert(now);
        let suffered = now.saturating_duration_since(since);
        if self.state == State::Sent {
            return (suffered >= WARN_AFTER).then(|| {
                self.state = State::Warned;
                FallbackChange::Warned
            });
        }
        (suffered >= STOP_AFTER).then(|| {
            let is_relapse =
                self.returned_at.is_some_and(|at| now.saturating_duration_since(at) < STABLE_AFTER);
            self.return_after = if is_relapse {
                (self.return_after * 2).min(RETURN_AFTER_AT_MOST)
            } else {
                RETURN_AFTER
            };
            self.state = State::Stopped;
            self.fits = false;
            self.fit_since = Some(now);
            FallbackChange::Stopped
        })
    }
}

#[cfg(test)]
#[path = "fallback_tests.rs"]
mod tests;

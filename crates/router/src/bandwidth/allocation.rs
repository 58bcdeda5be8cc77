//! What each of a subscriber's videos gets of an estimate. Pure and deterministic.

use std::cmp::Reverse;

use super::bitrate::Bitrate;

/// A step that was not given before has to fit with this much to spare, in parts of its rate.
const HEADROOM_TO_RISE: f64 = 1.15;
/// As above, for a video that is stopped.
const HEADROOM_TO_RETURN: f64 = 1.3;

/// How a video stands before an allocation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Stay {
    /// It goes at its lowest step at least, whether that fits or not.
    #[default]
    Sent,
    /// As `Sent`, and it may not rise above its current step now.
    Held,
    /// It is not sent; whether its lowest step would fit is asked all the same.
    Stopped,
}

/// One video that the subscriber wants.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Demand<'a> {
    /// The rate at each step, lowest first, ascending; only steps that the subscriber has a use for.
    /// Empty while nothing is known of the publisher's layers.
    pub(crate) steps: &'a [Bitrate],
    /// The step that it has now.
    pub(crate) current: Option<usize>,
    /// How large it is shown, in pixels; a video gets bits in this proportion, beyond its lowest step.
    pub(crate) pixels: u32,
    /// Screens come before cameras: what is shared is what is spoken of, and text is lost first.
    pub(crate) is_screen: bool,
    /// See there.
    pub(crate) stay: Stay,
}

/// What a video gets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Share {
    /// The step to send; none if it is stopped or has no steps.
    pub(crate) step: Option<usize>,
    /// Whether the lowest step fits (for a stopped one: would fit, with room to spare).
    pub(crate) fits: bool,
}

/// Shares `budget`, what is left of the estimate after audio and repairs, among videos; returns what
/// each gets, in the order of `demands`.
///
/// Every video gets its lowest step before any gets its next, screens first, then the largest. Then
/// the video that has least for its size is raised, screens first again, until nothing more fits.
#[must_use]
pub(crate) fn allocate(budget: Bitrate, demands: &[Demand<'_>]) -> Vec<Share> {
    let mut left = budget;
    let mut entries: Vec<Entry<'_>> = demands
        .iter()
        .enumerate()
        .map(|(place, demand)| Entry { place, demand, share: Share::default(), is_open: true })
        .collect();
    entries.sort_by_key(|Entry { demand, .. }| {
        // A stopped one is asked last: it may only have what nobody who is sent needs.
        (demand.stay == Stay::Stopped, !demand.is_screen, Reverse(demand.pixels))
    });
    for Entry { demand, share, .. } in &mut entries {
        let Some(&lowest) = demand.steps.first() else {
            share.fits = true;
            continue;
        };
        if demand.stay == Stay::Stopped {
            let needed = lowest.scaled(HEADROOM_TO_RETURN);
            share.fits = needed <= left;
            if share.fits {
                left = left.minus(needed);
            }
        } else {
            share.step = Some(0);
            share.fits = lowest <= left;
            left = left.minus(lowest);
        }
    }
    raise(left, &mut entries);
    entries.sort_by_key(|entry| entry.place);
    entries.into_iter().map(|entry| entry.share).collect()
}

/// A demand while it is served.
struct Entry<'a> {
    place: usize,
    demand: &'a Demand<'a>,
    share: Share,
    /// It may still get more.
    is_open: bool,
}

impl Entry<'_> {
    /// Whoever has least is raised first.
    fn rank(&self) -> (bool, u128, usize) {
        let has = self.share.step.and_then(|step| self.demand.steps.get(step));
        let has = u128::from(has.map_or(0, |rate| rate.bps()));
        let per_pixel = has * 1_000_000 / u128::from(self.demand.pixels.max(1));
        (!self.demand.is_screen, per_pixel, self.place)
    }
}

/// Raises step by step.
fn raise(mut left: Bitrate, entries: &mut [Entry<'_>]) {
    while let Some(next) = entries.iter_mut().filter(|e| e.is_open).min_by_key(|e| e.rank()) {
        match cost_of_next(next.demand, next.share).filter(|&(cost, _)| cost <= left) {
            Some((_, more)) => {
                left = left.minus(more);
                next.share.step = next.share.step.map(|step| step + 1);
            }
            None => next.is_open = false,
        }
    }
}

/// What has to be free for the next step, and what it then takes.
fn cost_of_next(demand: &Demand<'_>, share: Share) -> Option<(Bitrate, Bitrate)> {
    let at = share.step?;
    let (now, next) = (*demand.steps.get(at)?, *demand.steps.get(at + 1)?);
    let had = demand.current.is_some_and(|current| at < current);
    if !had && demand.stay == Stay::Held {
        return None;
    }
    let more = next.minus(now);
    let cost = if had { more } else { next.scaled(HEADROOM_TO_RISE).minus(now) };
    Some((cost, more))
}

#[cfg(test)]
#[path = "allocation_tests.rs"]
mod tests;

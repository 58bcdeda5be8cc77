//! Whether the queue before the bottleneck grows: the slope of the delay over the last groups against
//! a threshold that adapts (draft-ietf-rmcat-gcc-02, sections 5.3 to 5.5, with a line fitted by least
//! squares in place of its Kalman filter, as browsers do).

use std::collections::VecDeque;

use super::groups::Step;

/// Groups that a line is fitted to.
const WINDOW: usize = 20;
/// Weight of the past in the smoothed delay.
const SMOOTHING: f64 = 0.9;
/// A slope is compared as if it went on for this many groups, times [`GAIN`].
const MOST_GROUPS: f64 = 60.0;
const GAIN: f64 = 4.0;
/// Above the threshold for this long, in ms, before it counts as overuse.
const OVERUSE_MS: f64 = 10.0;
/// How fast the threshold follows a larger and a smaller slope, per ms (section 5.4).
const RISE: f64 = 0.0087;
const FALL: f64 = 0.039;
/// A slope that is farther above the threshold is a spike that it does not follow.
const SPIKE: f64 = 15.0;
const THRESHOLD_AT_START: f64 = 12.5;
const THRESHOLD_MIN: f64 = 6.0;
const THRESHOLD_MAX: f64 = 600.0;

/// What the delay says of the link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Usage {
    /// The queue empties.
    Under,
    /// It stays.
    #[default]
    Normal,
    /// It grows.
    Over,
}

#[derive(Debug)]
pub(super) struct Trend {
    /// Arrival in ms since the first, and smoothed delay in ms.
    points: VecDeque<(f64, f64)>,
    groups: f64,
    first_at_us: Option<u64>,
    delay_ms: f64,
    smoothed_ms: f64,
    threshold: f64,
    former: f64,
    over_for_ms: f64,
    over_groups: u32,
    usage: Usage,
}

impl Default for Trend {
    fn default() -> Self {
        Self {
            points: VecDeque::with_capacity(WINDOW + 1),
            groups: 0.0,
            first_at_us: None,
            delay_ms: 0.0,
            smoothed_ms: 0.0,
            threshold: THRESHOLD_AT_START,
            former: 0.0,
            over_for_ms: 0.0,
            over_groups: 0,
            usage: Usage::Normal,
        }
    }
}

impl Trend {
    /// The newest verdict.
    pub(super) fn usage(&self) -> Usage {
        self.usage
    }

    /// A group is complete.
    pub(super) fn push(&mut self, step: Step) {
        let (sent_ms, arrival_ms) = (milliseconds(step.sent), milliseconds(step.arrival));
        let first = *self.first_at_us.get_or_insert(step.at);
        self.groups = (self.groups + 1.0).min(MOST_GROUPS);
        self.delay_ms += arrival_ms - sent_ms;
        self.smoothed_ms = SMOOTHING * self.smoothed_ms + (1.0 - SMOOTHING) * self.delay_ms;
        self.points
            .push_back((milliseconds(super::groups::difference(step.at, first)), self.smoothed_ms));
        if self.points.len() > WINDOW {
            self.points.pop_front();
        }
        let slope = if self.points.len() == WINDOW { slope(&self.points) } else { None };
        if let Some(slope) = slope {
            self.judge(slope, sent_ms, arrival_ms);
        }
    }

    fn judge(&mut self, slope: f64, sent_ms: f64, arrival_ms: f64) {
        let scaled = self.groups * slope * GAIN;
        if scaled > self.threshold {
            self.over_for_ms += if self.over_groups == 0 { sent_ms / 2.0 } else { sent_ms };
            self.over_groups += 1;
            if self.over_for_ms > OVERUSE_MS && self.over_groups > 1 && slope >= self.former {
                self.over_for_ms = 0.0;
                self.over_groups = 0;
                self.usage = Usage::Over;
            }
        } else {
            self.over_for_ms = 0.0;
            self.over_groups = 0;
            self.usage = if scaled < -self.threshold { Usage::Under } else { Usage::Normal };
        }
        self.former = slope;
        self.adapt(scaled.abs(), arrival_ms);
    }

    fn adapt(&mut self, size: f64, passed_ms: f64) {
        if size > self.threshold + SPIKE {
            return;
        }
        let rate = if size < self.threshold { FALL } else { RISE };
        self.threshold += rate * (size - self.threshold) * passed_ms.clamp(0.0, 100.0);
        self.threshold = self.threshold.clamp(THRESHOLD_MIN, THRESHOLD_MAX);
    }
}

fn milliseconds(us: i64) -> f64 {
    us as f64 / 1000.0
}

/// Of the line with the least squared distance; none if all points stand at one time.
fn slope(points: &VecDeque<(f64, f64)>) -> Option<f64> {
    let count = points.len() as f64;
    let (sum_x, sum_y) = points.iter().fold((0.0, 0.0), |(sx, sy), (x, y)| (sx + x, sy + y));
    let (mean_x, mean_y) = (sum_x / count, sum_y / count);
    let (over, under) = points.iter().fold((0.0, 0.0), |(over, under), (x, y)| {
        let dx = x - mean_x;
        (over + dx * (y - mean_y), under + dx * dx)
    });
    (under > 0.0).then(|| over / under)
}

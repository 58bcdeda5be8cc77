//! Evens out bursts of new video for a peer whose network has shown its limit.
//!
//! Only what exceeds the pace waits, in order, and never for longer than [`LONGEST`]. Sound and
//! repetitions never wait; they use up the room of video that does.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::outgoing::Waiting;
use crate::engine::RtpOut;

/// Packets of one transport that are held; with more of them the oldest leaves at once.
const MAX_HELD: usize = 1024;
/// How long a packet is held at most: later it would be late for its picture.
const LONGEST: Duration = Duration::from_millis(250);
/// What was not used is saved up for this long ...
const SAVED: Duration = Duration::from_millis(40);
/// ... and is this much at least: a usual picture of a small video.
const SAVED_BYTES: i64 = 6_000;
/// Between two releases at least: a timer for each packet would cost more than it evens out.
const TICK: Duration = Duration::from_millis(2);

/// A packet that is held.
#[derive(Debug)]
struct Held {
    since: Instant,
    line: usize,
    packet: RtpOut,
}

/// The pace of one transport, and what it holds back.
#[derive(Debug, Default)]
pub(super) struct Pacing {
    /// Bits per second; absent: nothing waits.
    rate: Option<u64>,
    /// Bytes that may leave now; below zero after a packet that was larger than what was left.
    credit: i64,
    filled_at: Option<Instant>,
    held: VecDeque<Held>,
}

impl Pacing {
    /// What new video may take, in bits per second; without one nothing waits.
    pub(super) fn set_rate(&mut self, rate: Option<u64>) {
        if self.rate.is_none() {
            self.filled_at = None;
        }
        self.rate = rate;
    }

    /// Time passed.
    pub(super) fn fill(&mut self, now: Instant) {
        let Some(rate) = self.rate else {
            return;
        };
        let most = bytes_in(rate, SAVED).max(SAVED_BYTES);
        self.credit = match self.filled_at {
            Some(at) => {
                let more = bytes_in(rate, now.saturating_duration_since(at).min(LONGEST));
                // Less than a byte is not lost: it is counted with what comes next.
                if more == 0 {
                    return;
                }
                self.credit.saturating_add(more).min(most)
            }
            None => most,
        };
        self.filled_at = Some(now);
    }

    /// Whether a new packet of a video has to wait.
    pub(super) fn must_wait(&self) -> bool {
        !self.held.is_empty() || self.is_short()
    }

    /// Whether all that may leave has left: what is repeated of a video then takes the place of what is new.
    pub(super) fn is_short(&self) -> bool {
        self.rate.is_some() && self.credit <= 0
    }

    /// Holds a packet.
    pub(super) fn hold(&mut self, now: Instant, line: usize, packet: RtpOut) {
        self.held.push_back(Held { since: now, line, packet });
    }

    /// Something left. What leaves again takes no room that was not there.
    pub(super) fn note_sent(&mut self, bytes: usize, is_new_video: bool) {
        if self.rate.is_some() {
            let left = self.credit.saturating_sub(i64::try_from(bytes).unwrap_or(i64::MAX));
            self.credit = if is_new_video { left } else { left.max(self.credit.min(0)) };
        }
    }

    /// The next packet that is due.
    pub(super) fn next(&mut self, now: Instant) -> Option<Waiting> {
        let first = self.held.front()?;
        let is_due = self.rate.is_none()
            || self.credit > 0
            || self.held.len() > MAX_HELD
            || now >= first.since + LONGEST;
        if !is_due {
            return None;
        }
        let Held { line, packet, .. } = self.held.pop_front()?;
        Some(Waiting::New { line, packet })
    }

    /// When something is due.
    pub(super) fn release_at(&self) -> Option<Instant> {
        let first = self.held.front()?;
        let (Some(rate), Some(filled_at)) = (self.rate, self.filled_at) else {
            return Some(first.since);
        };
        let missing = u64::try_from(1 - self.credit).unwrap_or(0);
        let wait = Duration::from_micros(missing.saturating_mul(8_000_000).div_ceil(rate.max(1)));
        let paid = filled_at.checked_add(wait.max(TICK).min(LONGEST))?;
        Some(paid.min(first.since + LONGEST))
    }

    /// Whether something is held.
    pub(super) fn is_holding(&self) -> bool {
        !self.held.is_empty()
    }

    /// What is held of a line is held no longer: it is handed out, the newest first.
    pub(super) fn let_out(&mut self, line: usize) -> impl Iterator<Item = Waiting> {
        let all = std::mem::take(&mut self.held).into_iter();
        let (ended, others): (VecDeque<_>, _) = all.partition(|held| held.line == line);
        self.held = others;
        let ended = ended.into_iter().rev();
        ended.map(|Held { line, packet, .. }| Waiting::Last { line, packet })
    }

    /// Forgets what is held.
    pub(super) fn clear(&mut self) {
        self.held.clear();
    }
}

/// How many bytes a rate makes of a time.
fn bytes_in(rate: u64, time: Duration) -> i64 {
    let bytes = u128::from(rate) * time.as_micros() / 8_000_000;
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[path = "pacing_tests.rs"]
mod tests;

//! Which losses a publisher is told of by transport-wide feedback; every rule about that is here.
//!
//! Browsers take each reported loss for a sign of congestion and send less, down to nothing that is worth looking at, on
//! radio links that lose a tenth whatever is sent. What is lost in any case ([`Losses::base`]) is repaired by
//! requests and redundancy and not mentioned; what comes with a standing queue, or grows with the rate, is told. See
//! `docs/decisions/router-random-loss.md`.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Loss and rate are looked at in spans of at least this, and of at least so many packets; a span that lasts
/// longer than the last figure counts for nothing.
const SPAN: Duration = Duration::from_millis(750);
const LEAST_PACKETS: u32 = 20;
const LONGEST_SPAN: Duration = Duration::from_secs(5);
/// How long a span says something about the network.
const MAX_AGE: Duration = Duration::from_secs(120);
/// Spans that are remembered: those of two minutes at the shortest.
const MAX_SPANS: usize = 160;
/// Spans that the base is made of: at 100 packets/s and 10 % its standard deviation is 1.2 %.
const NEWEST: usize = 8;
/// Packets at lower rates that say more than those at the same rate.
const ENOUGH: u32 = 100;
/// Standard deviations between what was seen and what the base is said to be at most.
const CERTAINTY: f32 = 2.0;
/// What loss has nothing to do with the rate also came at a rate that is lower by this.
const LOWER: f32 = 0.8;
/// A rate that is not higher than another by more is the same.
const SAME: f32 = 1.1;
/// Beyond the base, so that chance is not told as congestion: browsers bear as much again.
const MARGIN: f32 = 1.2;
/// Whatever the base is, never more than this share goes unmentioned: 30 % is the most that is worth
/// repairing.
const MOST: f32 = 0.4;
/// Packets that may go unmentioned in a row or by chance beyond the share.
const MAX_ALLOWANCE: f32 = 16.0;
/// Packets that a share was earned by count so long: where nothing is lost, next to nothing goes unmentioned.
const EARNING: f32 = 80.0;
/// From here on one of 25 requests is lost.
const MANY: f32 = 0.04;
/// From here on a third copy of feedback keeps what a publisher hears of above two of three packets. Browsers let their
/// estimate grow to 1.5 times of what they hear that came.
const VERY_MANY: f32 = 0.15;
/// A queue that stands for a whole span is one that this publisher fills: browsers act on less.
const STANDING: Duration = Duration::from_millis(40);

/// What came and did not come in a span.
#[derive(Debug, Clone, Copy)]
struct Span {
    ended: Instant,
    packets: u32,
    lost: u32,
    /// In bytes per second, what was lost included.
    rate: f32,
}

/// What is known of the losses on the way from one publisher.
#[derive(Debug)]
pub(super) struct Losses {
    since: Option<Instant>,
    packets: u32,
    lost: u32,
    bytes: u64,
    /// The newest last.
    spans: VecDeque<Span>,
    /// Share of the packets that goes unmentioned when they are lost.
    share: f32,
    allowance: f32,
}

impl Default for Losses {
    fn default() -> Self {
        Self {
            since: None,
            packets: 0,
            lost: 0,
            bytes: 0,
            spans: VecDeque::new(),
            // It takes a browser's estimate minutes to rise again from what the first second costs.
            share: MOST,
            allowance: MAX_ALLOWANCE / 2.0,
        }
    }
}

impl Losses {
    /// So much came since the last feedback, so many packets did not, and a queue of this length stands
    /// on the way, as far as that is known.
    pub(super) fn note(
        &mut self,
        now: Instant,
        came: u32,
        lost: u32,
        bytes: u64,
        queue: Option<Duration>,
    ) {
        let since = *self.since.get_or_insert(now);
        self.packets = self.packets.saturating_add(came).saturating_add(lost);
        self.lost = self.lost.saturating_add(lost);
        self.bytes = self.bytes.saturating_add(bytes);
        let elapsed = now.saturating_duration_since(since);
        if elapsed >= SPAN && self.packets >= LEAST_PACKETS {
            self.close(now, elapsed);
        }
        if queue.is_some_and(|queue| queue >= STANDING) {
            self.share = 0.0;
            self.allowance = 0.0;
        }
        let earned = self.share * (came.saturating_add(lost)) as f32;
        let most = (self.share * EARNING).min(MAX_ALLOWANCE);
        self.allowance = (self.allowance + earned).min(most);
    }

    fn close(&mut self, now: Instant, elapsed: Duration) {
        let (packets, lost) = (self.packets, self.lost);
        // What was lost weighed as much as what came.
        let came = packets.saturating_sub(lost).max(1);
        let whole = self.bytes as f32 * packets as f32 / came as f32;
        let rate = whole / elapsed.as_secs_f32();
        (self.since, self.packets, self.lost, self.bytes) = (Some(now), 0, 0, 0);
        if elapsed > LONGEST_SPAN {
            return;
        }
        while self.spans.len() >= MAX_SPANS
            || self.spans.front().is_some_and(|span| now >= span.ended + MAX_AGE)
        {
            self.spans.pop_front();
        }
        self.spans.push_back(Span { ended: now, packets, lost, rate });
        self.share = self.base(rate).min(MOST);
    }

    /// The share that is lost at lower rates than this one too, at most as far as can be said; where there were none,
    /// at this one: what comes of saying nothing shows whether it is the rate's fault.
    fn base(&self, rate: f32) -> f32 {
        let below = |most: f32| {
            let spans = self.spans.iter().rev().filter(move |span| span.rate <= most);
            let sum = |(packets, lost): (u32, u32), span: &Span| {
                (packets + span.packets, lost + span.lost)
            };
            spans.take(NEWEST).fold((0, 0), sum)
        };
        let lower = below(rate * LOWER);
        let (packets, lost) = if lower.0 >= ENOUGH { lower } else { below(rate * SAME) };
        at_most(lost, packets).max(MARGIN * lost as f32 / packets.max(1) as f32)
    }

    /// Whether so much is lost that requests are made twice: what is lost one way mostly is the other way too.
    pub(super) fn are_many(&self) -> bool {
        self.newest_share() >= MANY
    }

    /// How often feedback leaves once more: it is lost as well.
    pub(super) fn copies(&self) -> u32 {
        let share = self.newest_share();
        u32::from(share >= MANY) + u32::from(share >= VERY_MANY)
    }

    fn newest_share(&self) -> f32 {
        let newest = self.spans.iter().rev().take(2);
        let (packets, lost) =
            newest.fold((0, 0), |(packets, lost), span| (packets + span.packets, lost + span.lost));
        lost as f32 / packets.max(1) as f32
    }

    /// Whether the loss of these packets, which followed each other, goes unmentioned.
    pub(super) fn withhold(&mut self, packets: u64) -> bool {
        let is_covered = packets as f32 <= self.allowance;
        if is_covered {
            self.allowance -= packets as f32;
        }
        is_covered
    }
}

/// The upper end of Wilson's interval: what few packets say of a share is off by much.
fn at_most(lost: u32, packets: u32) -> f32 {
    if packets == 0 {
        return 1.0;
    }
    let (n, squared) = (packets as f32, CERTAINTY * CERTAINTY);
    let seen = lost as f32 / n;
    let spread = CERTAINTY * (seen * (1.0 - seen) / n + squared / (4.0 * n * n)).sqrt();
    (seen + squared / (2.0 * n) + spread) / (1.0 + squared / n)
}

#[cfg(test)]
#[path = "losses_tests.rs"]
mod tests;

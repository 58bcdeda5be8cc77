//! Requests for key frames: a publisher gets few of them, and what a subscriber asks for is asked of it.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::watch::LineKey;

/// A publisher is asked for a key frame of one encoding so often in a second at most: every 320 ms, and every
/// 500 ms because of holes;
const MOST: usize = 7;
/// and where many packets are lost at once twice, which senders answer once.
const COPIES: usize = 2;
/// What was asked for so long before a subscriber asks serves it, too.
const BEFORE: Duration = Duration::from_millis(500);
/// So soon it is asked for: that is the time between two requests, and the way to another shard.
const AFTER: Duration = Duration::from_millis(600);

/// A subscriber asks.
#[derive(Debug)]
pub(crate) struct Plea {
    pub(crate) at: Instant,
    pub(crate) key: LineKey,
    /// The peer whose video the line carried.
    pub(crate) publisher: usize,
}

/// All of a run.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    /// When publishers were asked, by peer and source.
    asked: HashMap<(usize, u32), VecDeque<Instant>>,
    last: HashMap<usize, Instant>,
    pleas: VecDeque<Plea>,
}

impl Requests {
    /// The router asks a publisher.
    pub(crate) fn ask(&mut self, now: Instant, peer: usize, ssrc: u32) -> Result<(), String> {
        self.last.insert(peer, now);
        let asked = self.asked.entry((peer, ssrc)).or_default();
        while asked
            .front()
            .is_some_and(|at| now.saturating_duration_since(*at) >= Duration::from_secs(1))
        {
            asked.pop_front();
        }
        asked.push_back(now);
        let moments = asked.iter().zip(asked.iter().skip(1)).filter(|(a, b)| a != b).count() + 1;
        if moments > MOST || asked.len() > MOST * COPIES {
            return Err(format!(
                "source {ssrc:x} was asked for {} key frames in a second",
                asked.len()
            ));
        }
        Ok(())
    }

    /// A subscriber's request came to the router.
    pub(crate) fn plead(&mut self, plea: Plea) {
        self.pleas.push_back(plea);
    }

    /// The next request of a subscriber that nobody has passed on in time.
    pub(crate) fn take_forgotten(&mut self, now: Instant) -> Option<Plea> {
        while self.pleas.front().is_some_and(|plea| now >= plea.at + AFTER)
            && let Some(plea) = self.pleas.pop_front()
        {
            let last = self.last.get(&plea.publisher);
            if last.is_none_or(|last| *last + BEFORE < plea.at) {
                return Some(plea);
            }
        }
        None
    }
}

//! Packets of sound that came to a shard, all of which leave it to whoever wants them.

use std::collections::HashMap;
use std::time::Instant;

/// So many packets before the newest are looked for.
const LATELY: u64 = 6;

/// All of a run.
#[derive(Debug, Default)]
pub(crate) struct Sound {
    /// When, by shard, source and number.
    came: HashMap<(usize, u32, u16), Instant>,
    newest: HashMap<(usize, u32), u16>,
}

impl Sound {
    /// A shard took a packet of sound. What comes late may have been told by redundant audio before.
    pub(crate) fn note_taken(&mut self, now: Instant, shard: usize, (ssrc, number): (u32, u16)) {
        let newest = self.newest.entry((shard, ssrc)).or_insert(number.wrapping_sub(1));
        if number.wrapping_sub(*newest) as i16 > 0 {
            *newest = number;
            self.came.insert((shard, ssrc, number), now);
        }
    }

    /// Those that came of a source, after the first that left and lately before this one.
    pub(crate) fn before(
        &self,
        shard: usize,
        ssrc: u32,
        (first, since): (u64, Instant),
        number: u64,
    ) -> impl Iterator<Item = u64> {
        let from = number.saturating_sub(LATELY).max(first);
        let at = move |number: u64| self.came.get(&(shard, ssrc, number as u16));
        (from..number).filter(move |number| at(*number).is_some_and(|at| *at > since))
    }
}

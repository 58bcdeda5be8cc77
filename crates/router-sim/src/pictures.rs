//! Streams with layers inside: that no frame leaves without the one that it needs, unless that never
//! came to the router.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use crate::watch::LineKey;

/// Which frame a packet is of, and which one a decoder needs for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) number: u64,
    pub(crate) needs: Option<u64>,
    /// It is of the upper spatial layer.
    pub(crate) is_upper: bool,
}

/// Packets of a frame.
pub(crate) const PACKETS: usize = 2;

/// All of a run.
#[derive(Debug, Default)]
pub(crate) struct Pictures {
    /// By source and sequence number.
    packets: HashMap<(u32, u16), Frame>,
    /// What came to a shard in order, by source and frame.
    came: HashMap<(usize, u32, u64), usize>,
    newest: HashMap<(usize, u32), u16>,
    /// The source that a line carries, and the frames of it that left.
    left: HashMap<LineKey, (u32, HashSet<u64>)>,
    /// When the upper spatial layer last left on a line.
    upper: HashMap<LineKey, Instant>,
}

impl Pictures {
    /// A publisher sends a packet.
    pub(crate) fn note_sent(&mut self, (ssrc, number): (u32, u16), frame: Frame) {
        self.packets.insert((ssrc, number), frame);
    }

    /// A shard took a packet.
    pub(crate) fn note_taken(&mut self, shard: usize, (ssrc, number): (u32, u16)) {
        let Some(frame) = self.packets.get(&(ssrc, number)) else { return };
        let newest = self.newest.entry((shard, ssrc)).or_insert(number.wrapping_sub(1));
        let ahead = number.wrapping_sub(*newest) as i16;
        if ahead > 0 {
            *newest = number;
            *self.came.entry((shard, ssrc, frame.number)).or_default() += 1;
        }
    }

    /// The number of the frame that a packet is of, if its stream is such a one.
    pub(crate) fn frame_of(&self, ssrc: u32, number: u16) -> Option<u64> {
        self.packets.get(&(ssrc, number)).map(|frame| frame.number)
    }

    /// A line begins with something else.
    pub(crate) fn begin(&mut self, key: LineKey) {
        self.left.remove(&key);
        self.upper.remove(&key);
    }

    /// When the upper spatial layer last left on a line.
    pub(crate) fn upper_left_at(&self, key: LineKey) -> Option<Instant> {
        self.upper.get(&key).copied()
    }

    /// A packet leaves a shard for the first time.
    pub(crate) fn leave(
        &mut self,
        now: Instant,
        (shard, key): (usize, LineKey),
        (ssrc, number): (u32, u16),
    ) -> Result<(), String> {
        let (source, left) = self.left.entry(key).or_insert_with(|| (ssrc, HashSet::new()));
        if *source != ssrc {
            *source = ssrc;
            left.clear();
        }
        let Some(Frame { number, needs, is_upper }) = self.packets.get(&(ssrc, number)) else {
            return Ok(());
        };
        if *is_upper {
            self.upper.insert(key, now);
        }
        left.insert(*number);
        let Some(needed) = needs.filter(|needed| !left.contains(needed)) else { return Ok(()) };
        if self.came.get(&(shard, ssrc, needed)) == Some(&PACKETS) {
            let lately = number.saturating_sub(12)..=*number;
            let lately = lately.map(|n| {
                let came = self.came.get(&(shard, ssrc, n)).copied().unwrap_or(0);
                format!("{n}: {came}{}", if left.contains(&n) { " left" } else { "" })
            });
            return Err(format!(
                "{key:?} carries frame {number} of source {ssrc:x} without frame {needed}, which it \
                 needs and which came; packets that came of each: {}",
                lately.collect::<Vec<_>>().join(", ")
            ));
        }
        Ok(())
    }
}

//! Where a line begins with a source: not at a packet that came after one that follows it, for what follows was
//! refused and does not come again.

use std::collections::{HashMap, HashSet};

use crate::watch::LineKey;

/// All of a run.
#[derive(Debug, Default)]
pub(crate) struct Beginnings {
    newest: HashMap<u32, u16>,
    /// What came to its publisher's shard after something that follows it, by source and number.
    late: HashSet<(u32, u16)>,
    /// The source that a line carries.
    carried: HashMap<LineKey, u32>,
}

impl Beginnings {
    /// A publisher's shard took a packet of video.
    pub(crate) fn note_taken(&mut self, (ssrc, number): (u32, u16)) {
        let newest = self.newest.entry(ssrc).or_insert(number);
        if (number.wrapping_sub(*newest) as i16) < 0 {
            self.late.insert((ssrc, number));
        } else {
            *newest = number;
        }
    }

    /// A line is bound to something else.
    pub(crate) fn begin(&mut self, key: LineKey) {
        self.carried.remove(&key);
    }

    /// A packet of video leaves for the first time.
    pub(crate) fn leave(&mut self, key: LineKey, (ssrc, number): (u32, u16)) -> Result<(), String> {
        let is_first = self.carried.insert(key, ssrc) != Some(ssrc);
        if is_first && self.late.contains(&(ssrc, number)) {
            return Err(format!(
                "{key:?} begins with packet {number} of source {ssrc:x}, which came late"
            ));
        }
        Ok(())
    }
}

//! Where a line begins with a source: at a packet that came after one that follows it only if it gets all that follows,
//! for what was refused does not come again.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::watch::LineKey;

/// So many numbers of each source are remembered.
const MOST: usize = 512;

/// All of a run.
#[derive(Debug, Default)]
pub(crate) struct Beginnings {
    /// What came to its publisher's shard, by source, the newest last.
    taken: HashMap<u32, VecDeque<u16>>,
    /// What came there after something that follows it, by source and number.
    late: HashSet<(u32, u16)>,
    /// What is on its way to another shard.
    handed: HashSet<(usize, u32, u16)>,
    /// The source that a line carries.
    carried: HashMap<LineKey, u32>,
    /// What is to leave next, where a line began with what was late.
    owed: HashMap<LineKey, VecDeque<u16>>,
}

impl Beginnings {
    /// A publisher's shard took a packet of video.
    pub(crate) fn note_taken(&mut self, (ssrc, number): (u32, u16)) {
        let taken = self.taken.entry(ssrc).or_default();
        let is_before = |known: &u16| (known.wrapping_sub(number) as i16) < 0;
        let place = taken.partition_point(is_before);
        if taken.get(place) == Some(&number) {
            return;
        }
        if place < taken.len() {
            self.late.insert((ssrc, number));
        }
        taken.insert(place, number);
        if taken.len() > MOST {
            taken.pop_front();
        }
    }

    /// A packet of video is handed to another shard.
    pub(crate) fn note_handed(&mut self, shard: usize, (ssrc, number): (u32, u16)) {
        self.handed.insert((shard, ssrc, number));
    }

    /// It came there.
    pub(crate) fn note_come(&mut self, shard: usize, (ssrc, number): (u32, u16)) {
        self.handed.remove(&(shard, ssrc, number));
    }

    /// A line is bound to something else.
    pub(crate) fn begin(&mut self, key: LineKey) {
        self.carried.remove(&key);
        self.owed.remove(&key);
    }

    /// A packet of video leaves for the first time.
    pub(crate) fn leave(&mut self, key: LineKey, (ssrc, number): (u32, u16)) -> Result<(), String> {
        if self.carried.insert(key, ssrc) != Some(ssrc) {
            self.owed.remove(&key);
            if self.late.contains(&(ssrc, number)) {
                let taken = self.taken.get(&ssrc).into_iter().flatten().copied();
                let shard = usize::from(key.0.shard().0);
                let follows = |other: &u16| {
                    (other.wrapping_sub(number) as i16) > 0
                        && !self.handed.contains(&(shard, ssrc, *other))
                };
                self.owed.insert(key, taken.filter(follows).collect());
            }
            return Ok(());
        }
        let next = self.owed.get_mut(&key).and_then(VecDeque::pop_front);
        match next.filter(|next| *next != number) {
            None => Ok(()),
            Some(next) => Err(format!(
                "{key:?} began late with source {ssrc:x}, and {number} leaves before {next}"
            )),
        }
    }
}

//! Streams with layers inside: that no frame leaves without the one that it needs, unless that never
//! came to the router.

use std::collections::{HashMap, HashSet};

use tertulia_router_core::rtp::{Header, is_rtcp};

use crate::watch::LineKey;

/// Which frame a packet is of, and which one a decoder needs for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) number: u64,
    pub(crate) needs: Option<u64>,
}

/// Packets of a frame.
pub(crate) const PACKETS: usize = 2;

/// All of a run.
#[derive(Debug, Default)]
pub(crate) struct Pictures {
    /// By source and sequence number.
    packets: HashMap<(u32, u16), Frame>,
    /// What came to the router in order, by source and frame.
    came: HashMap<(u32, u64), usize>,
    newest: HashMap<u32, u16>,
    /// The source that a line carries, and the frames of it that left.
    left: HashMap<LineKey, (u32, HashSet<u64>)>,
}

impl Pictures {
    /// A publisher sends a packet.
    pub(crate) fn note_sent(&mut self, (ssrc, number): (u32, u16), frame: Frame) {
        self.packets.insert((ssrc, number), frame);
    }

    /// The router took a datagram.
    pub(crate) fn note_taken(&mut self, datagram: &[u8]) {
        if self.packets.is_empty() || is_rtcp(datagram) {
            return;
        }
        let Ok(Header { ssrc, sequence_number, .. }) = Header::parse(datagram) else { return };
        let Some(frame) = self.packets.get(&(ssrc, sequence_number)) else { return };
        let newest = self.newest.entry(ssrc).or_insert(sequence_number.wrapping_sub(1));
        let ahead = sequence_number.wrapping_sub(*newest) as i16;
        if ahead > 0 {
            *newest = sequence_number;
            *self.came.entry((ssrc, frame.number)).or_default() += 1;
        }
    }

    /// Whether a packet is of such a stream.
    pub(crate) fn knows(&self, ssrc: u32, number: u16) -> bool {
        self.packets.contains_key(&(ssrc, number))
    }

    /// A line begins with something else.
    pub(crate) fn begin(&mut self, key: LineKey) {
        self.left.remove(&key);
    }

    /// A packet leaves for the first time.
    pub(crate) fn leave(&mut self, key: LineKey, ssrc: u32, number: u16) -> Result<(), String> {
        let (source, left) = self.left.entry(key).or_insert_with(|| (ssrc, HashSet::new()));
        if *source != ssrc {
            *source = ssrc;
            left.clear();
        }
        let Some(Frame { number, needs }) = self.packets.get(&(ssrc, number)) else {
            return Ok(());
        };
        left.insert(*number);
        let Some(needed) = needs.filter(|needed| !left.contains(needed)) else { return Ok(()) };
        if self.came.get(&(ssrc, needed)) == Some(&PACKETS) {
            return Err(format!(
                "{key:?} carries frame {number} of source {ssrc:x} without frame {needed}, which it \
                 needs and which came"
            ));
        }
        Ok(())
    }
}

//! What a packet of audio repeats of those that left just before it (RFC 2198): more where more is lost.

use std::collections::VecDeque;

use super::buffers::MediaBytes;
use crate::engine::RtpOut;
use crate::rtp::red::{self, Repeated};

/// Packets that one repeats at most. Of 30 lost in a hundred, one in 120 is then lost with all its repeats.
pub(crate) const MAX_DEPTH: u8 = 3;
/// Most of all payloads in one packet: what fits into any path's datagram with all headers.
const MAX_COMBINED_BYTES: usize = 1100;

const KEPT: usize = MAX_DEPTH as usize;

/// A packet that left.
#[derive(Debug)]
struct Former {
    number: u64,
    timestamp: u32,
    payload: MediaBytes,
}

/// The last packets that left a line, in the order of their numbers, all of one payload type.
#[derive(Debug, Default)]
pub(super) struct Formers {
    payload_type: u8,
    packets: VecDeque<Former>,
}

/// What one packet repeats.
#[derive(Debug)]
pub(super) struct Blocks<'a> {
    blocks: [Repeated<'a>; KEPT],
    first: usize,
}

impl<'a> Blocks<'a> {
    /// Oldest first.
    pub(super) fn as_slice(&self) -> &[Repeated<'a>] {
        self.blocks.get(self.first..).unwrap_or_default()
    }
}

impl Formers {
    /// Repeats nothing of what left so far.
    pub(super) fn clear(&mut self) {
        self.packets.clear();
    }

    /// A packet left; it may have been late.
    pub(super) fn push(&mut self, packet: &RtpOut) {
        if self.payload_type != packet.payload_type {
            self.packets.clear();
            self.payload_type = packet.payload_type;
        }
        let (number, payload) = (packet.sequence_number, packet.payload.clone());
        let place = self.packets.partition_point(|former| former.number < number);
        self.packets.reserve(KEPT + 1);
        self.packets.insert(place, Former { number, timestamp: packet.timestamp, payload });
        if self.packets.len() > KEPT {
            self.packets.pop_front();
        }
    }

    /// What a packet repeats: at most `depth` of those just before it, none left out, for their place says
    /// which they are.
    pub(super) fn before(&self, packet: &RtpOut, depth: u8) -> Blocks<'_> {
        let mut found = Blocks { blocks: [Repeated::default(); KEPT], first: KEPT };
        let is_same = self.payload_type == packet.payload_type;
        let mut room = MAX_COMBINED_BYTES.saturating_sub(packet.payload.len());
        let formers = self.packets.iter().rev().filter(|_| is_same);
        let formers = formers.skip_while(|former| former.number >= packet.sequence_number);
        for (former, distance) in formers.zip(1..=u64::from(depth.min(MAX_DEPTH))) {
            let (payload, length) = (&*former.payload, former.payload.len());
            let offset = packet.timestamp.wrapping_sub(former.timestamp);
            let fits = former.number + distance == packet.sequence_number
                && (1..=red::MAX_REPEATED_BYTES.min(room)).contains(&length)
                && (1..=red::MAX_TIMESTAMP_OFFSET).contains(&offset);
            let Some(block) = found.first.checked_sub(1).filter(|_| fits) else {
                break;
            };
            found.first = block;
            if let Some(block) = found.blocks.get_mut(block) {
                *block = Repeated { timestamp_offset: offset, payload };
            }
            room -= length;
        }
        found
    }
}

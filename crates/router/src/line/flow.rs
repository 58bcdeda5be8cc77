//! How the numbers of one source become those of a line: sequence numbers, picture identifiers, frame numbers and
//! timestamps.

use crate::codec::{Codec, FrameInfo, PictureId};
use crate::engine::{DescriptorRewrite, RtpIn};
use crate::renumbering::Renumbering;
use crate::rtp::dependency::Rewrite;
use crate::scalability::Selection;
use crate::thinning::Thinning;

/// So long after a change of encoding its first timestamps may have been pressed together, in ticks.
const SQUEEZED: u32 = 1 << 20;
/// How closely: of two timestamps that are at least this far apart the later stays the later.
const SQUEEZE_SHIFT: u32 = 6;

/// How one SSRC's numbers become the line's.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) ssrc: u32,
    pub(super) codec: Codec,
    pub(super) encoding: u8,
    pub(super) sequence: Renumbering,
    pub(super) pictures: Option<Pictures>,
    pub(super) tl0_picture_index: u8,
    pub(super) thinning: Thinning,
    /// Of layers inside of the stream.
    pub(super) selection: Selection,
    /// What is added to frame numbers.
    pub(super) frames: u16,
}

impl Flow {
    /// The packet is not sent: what follows closes the gap.
    pub(super) fn leave_out(&mut self, sequence_number: u64, frame: &FrameInfo) {
        self.sequence.leave_out(sequence_number);
        if let (Some(pictures), Some(id)) = (&mut self.pictures, frame.picture_id) {
            let number = pictures.extend(id);
            pictures.numbers.leave_out(number);
        }
    }

    /// Whether its picture was not left out.
    pub(super) fn has_place_for(&mut self, frame: &FrameInfo) -> bool {
        let (Some(pictures), Some(id)) = (&mut self.pictures, frame.picture_id) else {
            return true;
        };
        let number = pictures.extend(id);
        pictures.numbers.map(number).is_some()
    }

    /// The identifiers that the packet leaves with.
    pub(super) fn rewrite(&mut self, frame: &FrameInfo) -> DescriptorRewrite {
        let pictures = &mut self.pictures;
        DescriptorRewrite {
            picture_id: frame.picture_id.map(|mut id| {
                if let Some(pictures) = pictures {
                    let number = pictures.extend(id);
                    let mapped = pictures.numbers.map(number).unwrap_or(number);
                    id.value = mapped as u16 & id.mask();
                }
                id
            }),
            tl0_picture_index: frame.tl0_picture_index.map(|mut index| {
                index.value = index.value.wrapping_add(self.tl0_picture_index);
                index
            }),
            dependency: Rewrite::default(),
        }
    }

    /// The dependency descriptor that the packet leaves with, if it has one. Who gets other layers from
    /// here on is told, and so is who gets a structure.
    pub(super) fn rewrite_dependency(
        &self,
        packet: &RtpIn,
        frame: &FrameInfo,
        is_change: bool,
    ) -> Rewrite {
        let number = frame_number(packet).unwrap_or(0).wrapping_add(self.frames);
        let targets = frame.layers.as_ref().and_then(|layers| layers.targets.as_ref());
        let cell = self.selection.current();
        let told = targets.zip(cell).filter(|(targets, _)| targets.is_told || is_change);
        let active = told.map(|(targets, cell)| (targets.mask, targets.within(cell)));
        Rewrite { number, active }
    }
}

/// How picture identifiers become the line's.
#[derive(Debug)]
pub(super) struct Pictures {
    pub(super) numbers: Renumbering,
    /// Greatest identifier so far, extended beyond its length.
    pub(super) newest: u64,
}

impl Pictures {
    /// Extends an identifier to the nearest number.
    fn extend(&mut self, id: PictureId) -> u64 {
        let mask = u64::from(id.mask());
        let ahead = u64::from(id.value).wrapping_sub(self.newest) & mask;
        if ahead <= mask / 2 {
            self.newest += ahead;
            return self.newest;
        }
        self.newest.saturating_sub(mask + 1 - ahead)
    }
}

/// How one SSRC's timestamps become the line's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    pub(super) ssrc: u32,
    /// What is added.
    pub(super) offset: u32,
    /// The first timestamp of the SSRC.
    pub(super) first: u32,
    /// It comes after this one, which has left.
    pub(super) floor: u32,
}

impl Clock {
    /// What a timestamp becomes. Frames of the former encoding may have left that were captured after
    /// the first of this one; those that would come before are pressed together behind them.
    pub(super) fn map(&self, timestamp: u32) -> u32 {
        let exact = timestamp.wrapping_add(self.offset);
        let since_first = timestamp.wrapping_sub(self.first);
        if since_first >= SQUEEZED {
            return exact;
        }
        let least = self.floor.wrapping_add(1).wrapping_add(since_first >> SQUEEZE_SHIFT);
        if is_before(exact, least) { least } else { exact }
    }
}

/// The frame number in a packet's dependency descriptor.
pub(super) fn frame_number(packet: &RtpIn) -> Option<u16> {
    let descriptor = packet.payload.beside(packet.extensions.dependency?);
    let [_, high, low] = *descriptor.first_chunk()?;
    Some(u16::from_be_bytes([high, low]))
}

/// Whether `a` is earlier than `b` (mod 2^32).
pub(super) fn is_before(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}

//! The VP9 payload descriptor (RFC 9628 section 4.2).

use super::{FrameInfo, FrameSize, Tl0PictureIndex, read_picture_id};

/// Spatial layers whose sizes are kept; more are told apart by nobody.
const MAX_SPATIAL_LAYERS: usize = 4;
/// References of one frame in flexible mode.
const MAX_DISTANCES: usize = 3;

/// What a payload descriptor says of layers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "the bits of the descriptor")]
pub struct Vp9Layers {
    /// P: refers to earlier pictures.
    pub is_predicted: bool,
    /// F: the descriptor says to which.
    pub is_flexible: bool,
    /// B: the packet is the first of a frame.
    pub starts_frame: bool,
    /// E: the packet is the last of a frame.
    pub ends_frame: bool,
    /// Z: no higher spatial layer refers to the frame.
    pub is_not_reference: bool,
    /// TID.
    pub temporal: u8,
    /// U. Encoders set it on a frame that refers to lower temporal layers only.
    pub is_switching_up: bool,
    /// SID.
    pub spatial: u8,
    /// D: refers to the spatial layer below.
    pub is_dependent: bool,
    /// `P_DIFF`, in pictures.
    pub distances: [Option<u8>; MAX_DISTANCES],
    /// `N_S` + 1 of the scalability structure.
    pub spatial_layers: Option<u8>,
    /// By spatial layer, from the scalability structure.
    pub sizes: [Option<FrameSize>; MAX_SPATIAL_LAYERS],
}

pub(super) fn parse(payload: &[u8]) -> Option<FrameInfo> {
    let (info, _, _) = read(payload)?;
    Some(info)
}

/// The layers of a packet; `None` if its descriptor has none or is malformed.
#[must_use]
pub fn layers(payload: &[u8]) -> Option<Vp9Layers> {
    let (_, layers, mut rest) = read(payload)?;
    let mut layers = layers?;
    if layers.is_flexible && layers.is_predicted {
        for distance in &mut layers.distances {
            let (byte, after) = rest.split_first()?;
            rest = after;
            *distance = Some(byte >> 1);
            if byte & 1 == 0 {
                break;
            }
        }
    }
    if *payload.first()? & 0x02 != 0 {
        let (byte, mut sizes) = rest.split_first()?;
        layers.spatial_layers = Some((byte >> 5) + 1);
        let has_sizes = byte & 0x10 != 0;
        for place in 0..=usize::from(byte >> 5) {
            if !has_sizes {
                break;
            }
            let ([w0, w1, h0, h1], after) = sizes.split_first_chunk::<4>()?;
            sizes = after;
            if let Some(size) = layers.sizes.get_mut(place) {
                let extent = |high, low| u16::from_be_bytes([high, low]);
                *size = FrameSize::new(extent(*w0, *w1), extent(*h0, *h1));
            }
        }
    }
    Some(layers)
}

/// Reads up to the layer indices; also returns what follows them.
fn read(payload: &[u8]) -> Option<(FrameInfo, Option<Vp9Layers>, &[u8])> {
    let first = *payload.first()?;
    let has = |bit: u8| first & bit != 0;
    let mut next = 1;
    let mut info = FrameInfo::default();
    if has(0x80) {
        let (id, after) = read_picture_id(payload, next)?;
        info.picture_id = Some(id);
        next = after;
    }
    let mut layers = None;
    if has(0x20) {
        let indices = *payload.get(next)?;
        next += 1;
        if !has(0x10) {
            let value = *payload.get(next)?;
            info.tl0_picture_index = Some(Tl0PictureIndex { value, offset: next as u8 });
            next += 1;
        }
        layers = Some(Vp9Layers {
            is_predicted: has(0x40),
            is_flexible: has(0x10),
            starts_frame: has(0x08),
            ends_frame: has(0x04),
            is_not_reference: has(0x01),
            temporal: indices >> 5,
            is_switching_up: indices & 0x10 != 0,
            spatial: indices >> 1 & 0x07,
            is_dependent: indices & 1 != 0,
            ..Vp9Layers::default()
        });
    }
    let spatial = layers.map_or(0, |layers| layers.spatial);
    info.starts_key_frame = has(0x08) && !has(0x40) && spatial == 0;
    Some((info, layers, payload.get(next..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::PictureId;

    #[test]
    fn only_the_lowest_spatial_layer_of_an_unpredicted_picture_starts() {
        assert!(parse(&[0x08]).unwrap().starts_key_frame);
        assert!(!parse(&[0x48]).unwrap().starts_key_frame, "predicted");
        assert!(!parse(&[0x00]).unwrap().starts_key_frame, "not the first packet");
        assert!(!parse(&[0x28, 0x02, 0x00]).unwrap().starts_key_frame, "spatial layer 1");
    }

    #[test]
    fn identifiers_are_found_in_both_modes() {
        let info = parse(&[0xa8, 0x81, 0x02, 0x00, 9]).unwrap();
        assert_eq!(info.picture_id, Some(PictureId { value: 0x102, is_long: true, offset: 1 }));
        assert_eq!(info.tl0_picture_index, Some(Tl0PictureIndex { value: 9, offset: 4 }));
        assert_eq!(parse(&[0xb8, 0x01, 0x00, 9]).unwrap().tl0_picture_index, None, "flexible");
    }

    #[test]
    fn layers_are_read_in_both_modes() {
        // I, P, L, B, E and Z; TID 2, U, SID 1, D; TL0PICIDX.
        let read = layers(&[0xed, 0x05, 0x53, 9, 0xff]).unwrap();
        assert!(read.is_predicted && read.is_not_reference && read.ends_frame);
        assert!(read.is_switching_up && read.is_dependent && !read.is_flexible);
        assert_eq!((read.temporal, read.spatial), (2, 1));
        // I, P, L, F and B; two distances.
        let read = layers(&[0xf8, 0x05, 0x00, 3 << 1 | 1, 70 << 1, 0xff]).unwrap();
        assert_eq!(read.distances, [Some(3), Some(70), None]);
        assert_eq!(layers(&[0xf8, 0x05, 0x00, 3 << 1 | 1]), None, "cut off");
        assert_eq!(layers(&[0x88, 0x05, 0xff]), None, "without layers");
    }

    #[test]
    fn the_sizes_of_spatial_layers_stand_in_the_scalability_structure() {
        // I, L, B and V; N_S 1, Y, G; two sizes; one picture in the group.
        let payload =
            [0xaa, 0x05, 0x00, 0, 0x38, 0x01, 0x40, 0, 0xb4, 0x02, 0x80, 0x01, 0x68, 1, 0, 0xff];
        let read = layers(&payload).unwrap();
        assert_eq!(read.spatial_layers, Some(2));
        let sizes = [FrameSize::new(320, 180), FrameSize::new(640, 360), None, None];
        assert_eq!(read.sizes, sizes);
        assert_eq!(layers(payload.get(..10).unwrap()), None, "cut off");
    }

    #[test]
    fn every_truncation_is_harmless() {
        let whole = [0xa8, 0x81, 0x02, 0x00, 9];
        for len in 0..whole.len() {
            assert_eq!(parse(whole.get(..len).unwrap()), None);
        }
    }
}

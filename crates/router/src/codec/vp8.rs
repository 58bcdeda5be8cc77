//! The VP8 payload descriptor (RFC 7741 section 4.2) and key frames (section 4.3).

use super::{FrameInfo, FrameSize, TemporalLayer, Tl0PictureIndex, read_picture_id};

/// Before the size in the header of a key frame (RFC 6386 section 9.1).
const START_CODE: [u8; 3] = [0x9d, 0x01, 0x2a];

pub(super) fn parse(payload: &[u8]) -> Option<FrameInfo> {
    let first = *payload.first()?;
    let (extended, starts_partition, partition) =
        (first & 0x80 != 0, first & 0x10 != 0, first & 0x07);
    let mut next = 1;
    let mut info = FrameInfo::default();
    if extended {
        let flags = *payload.get(next)?;
        next += 1;
        if flags & 0x80 != 0 {
            let (id, after) = read_picture_id(payload, next)?;
            info.picture_id = Some(id);
            next = after;
        }
        if flags & 0x40 != 0 {
            let value = *payload.get(next)?;
            info.tl0_picture_index = Some(Tl0PictureIndex { value, offset: next as u8 });
            next += 1;
        }
        if flags & 0x30 != 0 {
            let layer = *payload.get(next)?;
            next += 1;
            info.temporal_layer = (flags & 0x20 != 0).then_some(TemporalLayer {
                index: layer >> 6,
                is_switching_point: layer & 0x20 != 0,
            });
        }
    }
    let inverse_key_frame = *payload.get(next)? & 0x01;
    info.starts_key_frame = starts_partition && partition == 0 && inverse_key_frame == 0;
    if info.starts_key_frame {
        info.size = payload.get(next + 3..).and_then(read_size);
    }
    Some(info)
}

/// Reads the size that follows the frame tag of a key frame; the upper two bits of each half say how
/// the picture is to be scaled.
fn read_size(header: &[u8]) -> Option<FrameSize> {
    let [a, b, c, wl, wh, hl, hh] = *header.first_chunk::<7>()?;
    let extent = |low, high| u16::from_le_bytes([low, high & 0x3f]);
    if [a, b, c] == START_CODE { FrameSize::new(extent(wl, wh), extent(hl, hh)) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::PictureId;

    #[test]
    fn a_plain_key_frame_starts() {
        assert!(parse(&[0x10, 0x00]).unwrap().starts_key_frame);
        assert!(!parse(&[0x10, 0x01]).unwrap().starts_key_frame, "inter frame");
        assert!(!parse(&[0x00, 0x00]).unwrap().starts_key_frame, "not the first packet");
        assert!(!parse(&[0x11, 0x00]).unwrap().starts_key_frame, "second partition");
    }

    #[test]
    fn picture_identifiers_are_found() {
        let info = parse(&[0x90, 0xe0, 0x81, 0x02, 7, 0x20, 0x00]).unwrap();
        assert_eq!(info.picture_id, Some(PictureId { value: 0x102, is_long: true, offset: 2 }));
        assert_eq!(info.tl0_picture_index, Some(Tl0PictureIndex { value: 7, offset: 4 }));
        assert!(info.starts_key_frame);
        let short = parse(&[0x90, 0x80, 0x7f, 0x01]).unwrap().picture_id.unwrap();
        assert_eq!((short.value, short.is_long), (0x7f, false));
    }

    #[test]
    fn the_temporal_layer_is_read() {
        let layer = |payload: &[u8]| parse(payload).unwrap().temporal_layer;
        let at = |index, is_switching_point| Some(TemporalLayer { index, is_switching_point });
        assert_eq!(layer(&[0x90, 0x20, 0x60, 0x01]), at(1, true));
        assert_eq!(layer(&[0x90, 0x20, 0x80, 0x01]), at(2, false));
        assert_eq!(layer(&[0x90, 0x10, 0x1f, 0x01]), None, "key index alone");
    }

    #[test]
    fn the_size_stands_in_key_frames() {
        let key = [0x10, 0x00, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x42, 0xe0, 0x81];
        assert_eq!(parse(&key).unwrap().size, FrameSize::new(640, 480));
        assert_eq!(parse(key.get(..10).unwrap()).unwrap().size, None, "cut off");
        let mut other = key;
        other[5] = 0;
        assert_eq!(parse(&other).unwrap().size, None, "no start code");
        other = key;
        other[1] = 1;
        assert_eq!(parse(&other).unwrap().size, None, "inter frame");
    }

    #[test]
    fn every_truncation_is_harmless() {
        let whole = [0x90, 0xf0, 0x81, 0x02, 7, 0x20, 0x00];
        for len in 0..whole.len() {
            assert_eq!(parse(whole.get(..len).unwrap()), None);
        }
    }
}

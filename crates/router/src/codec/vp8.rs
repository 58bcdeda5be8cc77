//! The VP8 payload descriptor (RFC 7741 section 4.2) and key frames (section 4.3).

use super::{FrameInfo, Tl0PictureIndex, read_picture_id};

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
            info.tl0_picture_index = Some(Tl0PictureIndex { value, offset: next });
            next += 1;
        }
        if flags & 0x30 != 0 {
            next += 1;
        }
    }
    let inverse_key_frame = *payload.get(next)? & 0x01;
    info.starts_key_frame = starts_partition && partition == 0 && inverse_key_frame == 0;
    Some(info)
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
    fn every_truncation_is_harmless() {
        let whole = [0x90, 0xf0, 0x81, 0x02, 7, 0x20, 0x00];
        for len in 0..whole.len() {
            assert_eq!(parse(whole.get(..len).unwrap()), None);
        }
    }
}

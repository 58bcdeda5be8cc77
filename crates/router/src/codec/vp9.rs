//! The VP9 payload descriptor (RFC 9628 section 4.2).

use super::{FrameInfo, Tl0PictureIndex, read_picture_id};

pub(super) fn parse(payload: &[u8]) -> Option<FrameInfo> {
    let first = *payload.first()?;
    let has_picture_id = first & 0x80 != 0;
    let is_predicted = first & 0x40 != 0;
    let has_layers = first & 0x20 != 0;
    let is_flexible = first & 0x10 != 0;
    let starts_frame = first & 0x08 != 0;
    let mut next = 1;
    let mut info = FrameInfo::default();
    if has_picture_id {
        let (id, after) = read_picture_id(payload, next)?;
        info.picture_id = Some(id);
        next = after;
    }
    let mut spatial_layer = 0;
    if has_layers {
        spatial_layer = (*payload.get(next)? >> 1) & 0x07;
        next += 1;
        if !is_flexible {
            let value = *payload.get(next)?;
            info.tl0_picture_index = Some(Tl0PictureIndex { value, offset: next });
        }
    }
    info.starts_key_frame = starts_frame && !is_predicted && spatial_layer == 0;
    Some(info)
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
    fn every_truncation_is_harmless() {
        let whole = [0xa8, 0x81, 0x02, 0x00, 9];
        for len in 0..whole.len() {
            assert_eq!(parse(whole.get(..len).unwrap()), None);
        }
    }
}

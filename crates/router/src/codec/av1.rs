//! The AV1 aggregation header (RTP Payload Format For AV1, section 4.4).

use super::FrameInfo;

/// N: the packet is the first of a coded video sequence.
const STARTS_SEQUENCE: u8 = 0x08;

pub(super) fn parse(payload: &[u8]) -> Option<FrameInfo> {
    let starts_key_frame = *payload.first()? & STARTS_SEQUENCE != 0;
    Some(FrameInfo { starts_key_frame, ..FrameInfo::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coded_video_sequence_starts_with_a_key_frame() {
        assert!(parse(&[0x18, 0x0a]).unwrap().starts_key_frame);
        assert!(!parse(&[0x10, 0x32]).unwrap().starts_key_frame);
        assert_eq!(parse(&[]), None);
    }
}

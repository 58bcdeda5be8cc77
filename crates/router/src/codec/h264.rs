//! H.264 profiles (RFC 6184 section 8.1) and key frames in packetization mode 1.

use super::{FrameInfo, parameter_set};

/// The profiles that browsers negotiate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum H264Profile {
    /// `42e0`: what nearly every encoder sends.
    ConstrainedBaseline,
    /// `4200`.
    Baseline,
    /// `4d00`.
    Main,
    /// `6400`.
    High,
}

impl H264Profile {
    /// Reads the `profile-level-id` parameter, 24 bits; an absent one is Baseline (section 8.1).
    #[must_use]
    pub fn from_profile_level_id(id: u32) -> Option<Self> {
        let [_, profile, constraints, _] = id.to_be_bytes();
        match (profile, constraints) {
            (0x42, c) if c & 0x4f == 0x40 => Some(Self::ConstrainedBaseline),
            (0x4d, c) if c & 0x8f == 0x80 => Some(Self::ConstrainedBaseline),
            (0x42, _) => Some(Self::Baseline),
            (0x4d, _) => Some(Self::Main),
            (0x64, _) => Some(Self::High),
            _ => None,
        }
    }

    /// 0 the same, greater if a receiver of `received` merely can decode it, `None` if it cannot.
    pub(super) fn distance(self, received: Self) -> Option<u8> {
        use H264Profile::{Baseline, ConstrainedBaseline, High, Main};
        match (self, received) {
            (sent, received) if sent == received => Some(0),
            (ConstrainedBaseline, Baseline) | (Main, High) => Some(1),
            (ConstrainedBaseline, Main) => Some(2),
            (ConstrainedBaseline, High) => Some(3),
            _ => None,
        }
    }
}

const SEQUENCE_PARAMETER_SET: u8 = 7;
const STAP_A: u8 = 24;

/// A key frame starts at its sequence parameter set: without it a decoder cannot start, and WebRTC
/// encoders repeat it before every IDR picture.
pub(super) fn parse(payload: &[u8]) -> FrameInfo {
    let unit = match payload.split_first() {
        Some((first, _)) if first & 0x1f == SEQUENCE_PARAMETER_SET => Some(payload),
        Some((first, units)) if first & 0x1f == STAP_A => find_parameter_set(units),
        _ => None,
    };
    let Some(unit) = unit else {
        return FrameInfo::default();
    };
    let size = unit.split_first().and_then(|(_, set)| parameter_set::read_size(set));
    FrameInfo { starts_key_frame: true, size, ..FrameInfo::default() }
}

/// Walks the units of an aggregation packet: a 16-bit big-endian length, then the unit.
fn find_parameter_set(mut units: &[u8]) -> Option<&[u8]> {
    while let Some((length, rest)) = units.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length));
        if rest.first().is_some_and(|unit| unit & 0x1f == SEQUENCE_PARAMETER_SET) {
            return Some(rest.get(..length).unwrap_or(rest));
        }
        units = rest.get(length..).unwrap_or_default();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_read_from_their_constraint_bits() {
        use H264Profile::{Baseline, ConstrainedBaseline, High, Main};
        let read = H264Profile::from_profile_level_id;
        assert_eq!(read(0x42_e01f), Some(ConstrainedBaseline));
        assert_eq!(read(0x42_001f), Some(Baseline));
        assert_eq!(read(0x4d_001f), Some(Main));
        assert_eq!(read(0x64_0c1f), Some(High));
        assert_eq!(read(0x58_001f), None);
    }

    #[test]
    fn a_key_frame_starts_at_its_parameter_set() {
        assert!(parse(&[0x67, 1, 2]).starts_key_frame, "single unit");
        assert!(parse(&[0x78, 0, 2, 0x67, 1, 0, 1, 0x68]).starts_key_frame, "aggregated");
        assert!(parse(&[0x78, 0, 1, 0x09, 0, 2, 0x67, 1]).starts_key_frame, "second unit");
        assert!(!parse(&[0x7c, 0x85, 0]).starts_key_frame, "IDR fragment");
        assert!(!parse(&[0x41, 0]).starts_key_frame, "inter frame");
        assert!(!parse(&[]).starts_key_frame);
        assert!(!parse(&[0x78, 0xff, 0xff, 0x09]).starts_key_frame, "length beyond the end");
    }
}

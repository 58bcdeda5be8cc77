//! What the router must know of codecs: names, payload types, key frames, picture identifiers, sizes
//! and temporal layers.

mod av1;
mod h264;
mod parameter_set;
mod vp8;
mod vp9;

pub use h264::H264Profile;
pub use vp9::{Vp9Layers, layers as vp9_layers};

use crate::ids::Kind;
use crate::scalability::LayerFrame;

/// A codec that the router forwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// RFC 7587.
    Opus,
    /// RFC 7741.
    Vp8,
    /// RFC 6184.
    H264,
    /// RFC 9628.
    Vp9,
    /// RTP Payload Format For AV1.
    Av1,
}

impl Codec {
    /// The name on the router link.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Opus => "opus",
            Self::Vp8 => "vp8",
            Self::H264 => "h264",
            Self::Vp9 => "vp9",
            Self::Av1 => "av1",
        }
    }
}

/// A codec with the parameters that decide whether a receiver can decode it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// RFC 7587; every receiver takes every Opus stream.
    Opus,
    /// RFC 7741.
    Vp8,
    /// RFC 9628, by `profile-id`.
    Vp9 {
        /// 0 for 8 bits 4:2:0, 2 for 10 bits.
        profile: u8,
    },
    /// RTP Payload Format For AV1, of the main profile.
    Av1,
    /// RFC 6184, by profile; only packetization mode 1 is negotiated.
    H264(H264Profile),
}

impl Format {
    /// The codec of this format.
    #[must_use]
    pub fn codec(self) -> Codec {
        match self {
            Self::Opus => Codec::Opus,
            Self::Vp8 => Codec::Vp8,
            Self::Vp9 { .. } => Codec::Vp9,
            Self::Av1 => Codec::Av1,
            Self::H264(_) => Codec::H264,
        }
    }

    /// What a media line with this format carries.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self {
            Self::Opus => Kind::Audio,
            _ => Kind::Video,
        }
    }

    /// How well a receiver of `offered` decodes a stream of `self`: 0 exactly, greater is worse,
    /// `None` not at all.
    fn distance(self, offered: Self) -> Option<u8> {
        match (self, offered) {
            (Self::H264(sent), Self::H264(received)) => sent.distance(received),
            (sent, received) => (sent == received).then_some(0),
        }
    }
}

/// A payload type that one media line negotiated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payload {
    /// The payload type in RTP, 0 to 127.
    pub payload_type: u8,
    /// What it stands for.
    pub format: Format,
}

/// The payload type by which a receiver that negotiated `offered` takes a stream of `format`.
pub(crate) fn payload_type_for(format: Format, offered: &[Payload]) -> Option<u8> {
    offered
        .iter()
        .filter_map(|p| Some((format.distance(p.format)?, p.payload_type)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, payload_type)| payload_type)
}

/// What one packet's payload says of its frame.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FrameInfo {
    /// The packet is the first of a key frame, from which a decoder can start.
    pub starts_key_frame: bool,
    /// Picture identifier.
    pub picture_id: Option<PictureId>,
    /// Identifier of the last picture of temporal layer 0.
    pub tl0_picture_index: Option<Tl0PictureIndex>,
    /// Which temporal layer the frame is of, where the packet says so.
    pub temporal_layer: Option<TemporalLayer>,
    /// Size of the picture; only at the start of a key frame.
    pub size: Option<FrameSize>,
    /// Which layers inside of its stream the frame is of, where they can be told apart.
    pub layers: Option<LayerFrame>,
}

/// A place in the temporal layers of an encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TemporalLayer {
    /// 0 is the lowest, of which all others are made.
    pub index: u8,
    /// The frame refers to layer 0 only, so that a decoder may start with this layer here.
    pub is_switching_point: bool,
}

/// The size of a picture in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameSize {
    /// At least 1.
    pub width: u16,
    /// At least 1.
    pub height: u16,
}

impl FrameSize {
    /// `None` if one of them is 0.
    #[must_use]
    pub fn new(width: u16, height: u16) -> Option<Self> {
        (width > 0 && height > 0).then_some(Self { width, height })
    }

    /// Width times height.
    #[must_use]
    pub fn pixels(self) -> u32 {
        u32::from(self.width) * u32::from(self.height)
    }
}

/// The picture identifier in a payload descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureId {
    /// The value, without its length bit.
    pub value: u16,
    /// Whether it has 15 bits; else 7.
    pub is_long: bool,
    /// Where it stands in the payload, in bytes.
    pub offset: u8,
}

impl PictureId {
    /// The greatest value of this length.
    #[must_use]
    pub fn mask(self) -> u16 {
        if self.is_long { 0x7fff } else { 0x7f }
    }
}

/// The index of temporal layer 0 in a payload descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tl0PictureIndex {
    /// The value.
    pub value: u8,
    /// Where it stands in the payload, in bytes.
    pub offset: u8,
}

impl FrameInfo {
    /// Reads the payload descriptor of a packet; a malformed one says nothing.
    #[must_use]
    pub fn of(codec: Codec, payload: &[u8]) -> Self {
        match codec {
            Codec::Opus => Some(Self::default()),
            Codec::Vp8 => vp8::parse(payload),
            Codec::Vp9 => vp9::parse(payload),
            Codec::Av1 => av1::parse(payload),
            Codec::H264 => Some(h264::parse(payload)),
        }
        .unwrap_or_default()
    }
}

/// Reads a picture identifier at `offset`, which is within the first few bytes; shared by VP8 and VP9. Returns where the next field is.
fn read_picture_id(payload: &[u8], offset: usize) -> Option<(PictureId, usize)> {
    let first = *payload.get(offset)?;
    if first & 0x80 == 0 {
        let id = PictureId { value: u16::from(first), is_long: false, offset: offset as u8 };
        return Some((id, offset + 1));
    }
    let second = *payload.get(offset + 1)?;
    let value = u16::from(first & 0x7f) << 8 | u16::from(second);
    Some((PictureId { value, is_long: true, offset: offset as u8 }, offset + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CB: Format = Format::H264(H264Profile::ConstrainedBaseline);
    const HIGH: Format = Format::H264(H264Profile::High);

    fn offered(list: &[(u8, Format)]) -> Vec<Payload> {
        list.iter().map(|&(payload_type, format)| Payload { payload_type, format }).collect()
    }

    #[test]
    fn the_same_format_wins_over_one_that_merely_decodes() {
        let list = offered(&[(100, HIGH), (101, CB), (102, Format::Vp8)]);
        assert_eq!(payload_type_for(CB, &list), Some(101));
        assert_eq!(payload_type_for(Format::Vp8, &list), Some(102));
    }

    #[test]
    fn constrained_baseline_is_decoded_by_high_but_not_the_reverse() {
        assert_eq!(payload_type_for(CB, &offered(&[(100, HIGH)])), Some(100));
        assert_eq!(payload_type_for(HIGH, &offered(&[(101, CB)])), None);
    }

    #[test]
    fn another_codec_or_vp9_profile_is_not_supported() {
        let list = offered(&[(98, Format::Vp9 { profile: 0 })]);
        assert_eq!(payload_type_for(Format::Vp9 { profile: 2 }, &list), None);
        assert_eq!(payload_type_for(Format::Vp8, &list), None);
    }
}

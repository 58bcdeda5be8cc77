//! What scripted clients send: packets that say which stream they are of.

use std::time::Duration;

use str0m::media::Mid;

/// Marks every packet of a stream, so that a receiver knows whose it is.
pub type Colour = u8;

/// The codecs that scripted clients speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Picture {
    Vp8,
    Vp9,
    H264,
    Av1,
}

/// A published pair of lines and the numbers that its packets count.
#[derive(Debug, Clone)]
pub struct PublishedStream {
    pub colour: Colour,
    pub audio: Mid,
    pub video: Mid,
    pub picture: Picture,
    pub audio_sequence: u64,
    pub video_sequence: u64,
    pub audio_timestamp: u32,
    pub video_timestamp: u32,
    pub picture_id: u16,
    pub tl0_picture_index: u8,
    /// The next frame is a key frame.
    pub key_frame_due: bool,
    /// How long a picture takes from its capture to the wire.
    pub video_delay: Duration,
    /// How large a picture is.
    pub video_bytes: usize,
}

impl PublishedStream {
    pub fn new(colour: Colour, audio: Mid, video: Mid, picture: Picture) -> Self {
        let start = u64::from(colour);
        Self {
            colour,
            audio,
            video,
            picture,
            audio_sequence: 1000 * start,
            video_sequence: 2000 * start,
            audio_timestamp: 0xffff_0000_u32.wrapping_add(u32::from(colour) * 77),
            video_timestamp: u32::from(colour) * 1_000_003,
            picture_id: 100 * u16::from(colour),
            tl0_picture_index: 50_u8.wrapping_mul(colour),
            key_frame_due: true,
            video_delay: Duration::ZERO,
            video_bytes: 50,
        }
    }

    /// The payload of a video packet: descriptor, key-frame bit, colour.
    pub fn video_payload(&self, key_frame: bool) -> Vec<u8> {
        let [high, low] = self.picture_id.to_be_bytes();
        let mut payload = match self.picture {
            // X and S; I, L and T; 15 bits of picture id; TL0PICIDX; TID; the frame's own header.
            Picture::Vp8 => {
                vec![0x90, 0xe0, 0x80 | high, low, self.tl0_picture_index, 0, u8::from(!key_frame)]
            }
            // I, P unless a key frame, L, B and E; picture id; layers; TL0PICIDX.
            Picture::Vp9 => {
                let flags = 0xac | if key_frame { 0 } else { 0x40 };
                vec![flags, 0x80 | high, low, 0, self.tl0_picture_index, 0]
            }
            Picture::H264 => vec![if key_frame { 0x67 } else { 0x41 }, 0],
            // One element; N on a key frame.
            Picture::Av1 => vec![if key_frame { 0x18 } else { 0x10 }, 0],
        };
        payload.resize(payload.len() + self.video_bytes, self.colour);
        payload
    }
}

/// What a received video payload says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VideoPayload {
    pub key_frame: bool,
    pub picture_id: u16,
    pub tl0_picture_index: u8,
}

/// Reads what [`PublishedStream::video_payload`] wrote.
pub fn read_video(picture: Picture, payload: &[u8]) -> VideoPayload {
    let id = |at: usize| u16::from_be_bytes([payload[at] & 0x7f, payload[at + 1]]);
    match picture {
        Picture::Vp8 => VideoPayload {
            key_frame: payload[6] & 1 == 0,
            picture_id: id(2),
            tl0_picture_index: payload[4],
        },
        Picture::Vp9 => VideoPayload {
            key_frame: payload[0] & 0x40 == 0,
            picture_id: id(1),
            tl0_picture_index: payload[4],
        },
        Picture::H264 => VideoPayload { key_frame: payload[0] == 0x67, ..Default::default() },
        Picture::Av1 => VideoPayload { key_frame: payload[0] & 8 != 0, ..Default::default() },
    }
}

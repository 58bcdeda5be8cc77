//! What publishers send: decodable VP8 and Opus packets that carry a stamp. Pure: time is an argument.

mod audio;
mod stamp;
mod video;

pub use audio::{AudioOptions, AudioSource};
pub use stamp::{STAMP_BYTES, Stamp};
pub(crate) use video::{HEIGHT, WIDTH};
pub use video::{VideoOptions, VideoSource, starts_key_frame};

use std::time::{Duration, Instant};

/// Bytes of an RTP header without extensions (RFC 3550 section 5.1).
pub const RTP_HEADER_BYTES: usize = 12;

/// A source that is further behind than this (its process was stopped) leaves out what it missed: nobody would
/// send a burst of old frames.
const LARGEST_DELAY: Duration = Duration::from_millis(500);

/// One packet to send now.
#[derive(Debug)]
pub struct MediaPacket {
    /// Counts the packets of this source from 0; the RTP sequence number is its lower half.
    pub number: u64,
    /// In the clock of the codec.
    pub timestamp: u32,
    /// Last packet of a video frame, or first of audio after silence.
    pub marker: bool,
    /// First packet of a key frame.
    pub starts_key_frame: bool,
    /// RTP payload, stamped.
    pub payload: Vec<u8>,
    /// When it should have been sent.
    pub due: Instant,
}

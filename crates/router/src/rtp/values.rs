//! Values of header extensions.

use super::Malformed;

/// How loud an audio packet is (RFC 6464).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioLevel {
    /// 0 the loudest, 127 silence: the negative of dBov.
    pub level: u8,
    /// The encoder heard a voice.
    pub voice: bool,
}

impl AudioLevel {
    pub(super) fn read(data: &[u8]) -> Option<Self> {
        // Two bytes are the two-byte form padded by one (RFC 6464 section 3).
        let byte = data.first()?;
        Some(Self { level: byte & 0x7f, voice: byte & 0x80 != 0 })
    }

    pub(super) fn byte(self) -> u8 {
        u8::from(self.voice) << 7 | self.level & 0x7f
    }
}

/// When a frame was captured (`abs-capture-time`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AbsoluteCaptureTime {
    /// NTP time of the capturing clock, in units of 2^-32 s.
    pub ntp: u64,
    /// What the sender's clock is ahead of the capturing one, in units of 2^-32 s, if it is known.
    pub clock_offset: Option<i64>,
}

impl AbsoluteCaptureTime {
    /// Bytes of the longer form.
    pub(super) const MOST: usize = 16;

    pub(super) fn read(data: &[u8]) -> Option<Self> {
        let (ntp, rest) = data.split_first_chunk()?;
        let clock_offset = match rest {
            [] => None,
            rest => Some(i64::from_be_bytes(rest.try_into().ok()?)),
        };
        Some(Self { ntp: u64::from_be_bytes(*ntp), clock_offset })
    }

    /// The value and how many bytes of it count.
    pub(super) fn bytes(self) -> ([u8; Self::MOST], usize) {
        let mut bytes = [0; Self::MOST];
        let (ntp, offset) = bytes.split_at_mut(8);
        ntp.copy_from_slice(&self.ntp.to_be_bytes());
        offset.copy_from_slice(&self.clock_offset.unwrap_or_default().to_be_bytes());
        (bytes, if self.clock_offset.is_some() { 16 } else { 8 })
    }
}

/// An unsigned number of 16 or 24 bits that fills the data.
pub(super) fn number<const N: usize>(data: &[u8]) -> Option<u32> {
    let bytes: &[u8; N] = data.try_into().ok()?;
    Some(bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

/// An identifier of SDES form: `mid`, `rid` or `repaired-rid` (RFC 9143, 8852).
pub(super) fn identifier(data: &[u8]) -> Result<&[u8], Malformed> {
    let end = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
    let text = data.get(..end).filter(|text| !text.is_empty()).ok_or(Malformed)?;
    if text.iter().all(u8::is_ascii_graphic) { Ok(text) } else { Err(Malformed) }
}

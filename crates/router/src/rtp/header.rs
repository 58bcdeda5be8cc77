//! The RTP header (RFC 3550 section 5.1): read once, and written for one receiver.

use std::ops::Range;

use super::extension::{Elements, ExtensionIds, Extensions, write_block};
use super::{Malformed, NoRoom};

/// Bytes of a header without contributors and extensions.
const FIXED: usize = 12;
const VERSION: u8 = 2 << 6;
const PADDING: u8 = 0x20;
const EXTENSION: u8 = 0x10;

/// Whether a datagram whose first byte is 128 to 191 carries RTCP (RFC 5761 section 4: the payload
/// types 64 to 95 are never RTP). Too short a datagram is neither and counts as RTP.
#[must_use]
pub fn is_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram, [128..=191, 192..=223, ..])
}

/// What stands in the header of a packet that came. None of it is authentic before the packet was
/// opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Last packet of a frame (video), or first after silence (audio).
    pub marker: bool,
    /// 0 to 127.
    pub payload_type: u8,
    /// The lower 16 bits of the packet's index.
    pub sequence_number: u16,
    /// In units of the payload type's clock.
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
    /// Contributing sources, 0 to 15.
    pub contributors: u8,
    /// The payload ends with padding, whose length is known once the packet is open.
    pub has_padding: bool,
    /// "defined by profile" of the header extension, if there is one.
    profile: Option<u16>,
    /// Where the elements of the header extension begin.
    elements: u16,
    /// Where the payload begins.
    length: u16,
}

impl Header {
    /// Reads the header of an SRTP or RTP packet.
    ///
    /// # Errors
    /// [`Malformed`] if the version is not 2, or if the header is longer than the datagram.
    pub fn parse(datagram: &[u8]) -> Result<Self, Malformed> {
        let (fixed, rest) = datagram.split_first_chunk::<FIXED>().ok_or(Malformed)?;
        let [first, second, n0, n1, t0, t1, t2, t3, ssrc @ ..] = *fixed;
        if first & 0xc0 != VERSION {
            return Err(Malformed);
        }
        let contributors = first & 0x0f;
        let mut length = FIXED + 4 * usize::from(contributors);
        let (mut profile, mut elements) = (None, length);
        if first & EXTENSION != 0 {
            let [p0, p1, l0, l1] =
                *rest.get(length - FIXED..).and_then(<[u8]>::first_chunk).ok_or(Malformed)?;
            profile = Some(u16::from_be_bytes([p0, p1]));
            elements = length + 4;
            length = elements + 4 * usize::from(u16::from_be_bytes([l0, l1]));
        }
        if length > datagram.len() {
            return Err(Malformed);
        }
        Ok(Self {
            marker: second & 0x80 != 0,
            payload_type: second & 0x7f,
            sequence_number: u16::from_be_bytes([n0, n1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes(ssrc),
            contributors,
            has_padding: first & PADDING != 0,
            profile,
            elements: u16::try_from(elements).map_err(|_| Malformed)?,
            length: u16::try_from(length).map_err(|_| Malformed)?,
        })
    }

    /// Bytes before the payload.
    #[must_use]
    pub fn length(&self) -> usize {
        self.length.into()
    }

    /// Where the payload of an opened packet stands, without padding. It may be empty.
    ///
    /// # Errors
    /// [`Malformed`] if the padding is none or reaches into the header.
    pub fn payload_range(&self, opened: &[u8]) -> Result<Range<usize>, Malformed> {
        let start = self.length();
        let body = opened.get(start..).ok_or(Malformed)?;
        if !self.has_padding {
            return Ok(start..opened.len());
        }
        let padding = usize::from(*body.last().ok_or(Malformed)?);
        if padding == 0 || padding > body.len() {
            return Err(Malformed);
        }
        Ok(start..opened.len() - padding)
    }

    /// The payload of an opened packet, see [`Header::payload_range`].
    ///
    /// # Errors
    /// As there.
    pub fn payload<'a>(&self, opened: &'a [u8]) -> Result<&'a [u8], Malformed> {
        opened.get(self.payload_range(opened)?).ok_or(Malformed)
    }

    /// The elements of the header extension, in their order (RFC 8285); none if the extension is of
    /// another form.
    #[must_use]
    pub fn elements<'a>(&self, packet: &'a [u8]) -> Elements<'a> {
        let block = packet.get(self.elements.into()..self.length.into()).unwrap_or_default();
        Elements::new(self.profile, block)
    }
}

/// The header of a packet for one receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outgoing {
    /// As in [`Header`].
    pub marker: bool,
    /// 0 to 127.
    pub payload_type: u8,
    /// The lower 16 bits of the packet's index.
    pub sequence_number: u16,
    /// In units of the payload type's clock.
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
}

impl Outgoing {
    /// Writes the header with those extensions that the receiver has an identifier for, and returns
    /// its length, which is a multiple of 4. A value that is longer than its form allows is left out.
    ///
    /// # Errors
    /// [`NoRoom`] if the buffer ends before the header does.
    pub fn write(
        &self,
        buffer: &mut [u8],
        ids: &ExtensionIds,
        extensions: &Extensions<'_>,
    ) -> Result<usize, NoRoom> {
        let (fixed, rest) = buffer.split_first_chunk_mut::<FIXED>().ok_or(NoRoom)?;
        let block = write_block(rest, ids, extensions)?;
        let first = VERSION | if block > 0 { EXTENSION } else { 0 };
        let second = u8::from(self.marker) << 7 | self.payload_type & 0x7f;
        let [n0, n1] = self.sequence_number.to_be_bytes();
        let [t0, t1, t2, t3] = self.timestamp.to_be_bytes();
        let [s0, s1, s2, s3] = self.ssrc.to_be_bytes();
        *fixed = [first, second, n0, n1, t0, t1, t2, t3, s0, s1, s2, s3];
        Ok(FIXED + block)
    }
}

/// Makes a packet of `length` bytes one of `to` bytes by RTP padding. Nothing changes if both are equal.
///
/// Segments of one GSO run have one size; a receiver drops the padding.
///
/// # Errors
/// [`NoRoom`] if the buffer is smaller than `to`, or if the padding would be negative or more than 255 bytes.
pub fn pad(buffer: &mut [u8], length: usize, to: usize) -> Result<(), NoRoom> {
    let count = to.checked_sub(length).and_then(|count| u8::try_from(count).ok()).ok_or(NoRoom)?;
    if count == 0 {
        return Ok(());
    }
    let packet = buffer.get_mut(..to).ok_or(NoRoom)?;
    if let Some(padding) = packet.get_mut(length..) {
        padding.fill(0);
    }
    if let Some(last) = packet.last_mut() {
        *last = count;
    }
    if let Some(first) = packet.first_mut() {
        *first |= PADDING;
    }
    Ok(())
}

/// Writes another sequence number into a packet; too short a one is left alone.
pub fn set_sequence_number(packet: &mut [u8], sequence_number: u16) {
    put(packet, 2, sequence_number.to_be_bytes());
}

/// Writes another timestamp into a packet; too short a one is left alone.
pub fn set_timestamp(packet: &mut [u8], timestamp: u32) {
    put(packet, 4, timestamp.to_be_bytes());
}

/// Writes another synchronisation source into a packet; too short a one is left alone.
pub fn set_ssrc(packet: &mut [u8], ssrc: u32) {
    put(packet, 8, ssrc.to_be_bytes());
}

fn put<const N: usize>(packet: &mut [u8], at: usize, bytes: [u8; N]) {
    if let Some(target) = packet.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
        *target = bytes;
    }
}

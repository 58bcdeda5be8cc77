//! Retransmission streams (RFC 4588): a packet of another source whose payload begins with the
//! original sequence number.

use super::header::{Header, set_sequence_number, set_ssrc};
use super::{Malformed, NoRoom};

/// Bytes that a retransmission is longer than its original.
pub const OVERHEAD: usize = 2;

/// What a retransmission has instead of the original's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stream {
    /// Of the stream that the packet becomes part of.
    pub ssrc: u32,
    /// 0 to 127.
    pub payload_type: u8,
    /// The lower 16 bits of the packet's index in that stream.
    pub sequence_number: u16,
}

/// Makes the plain packet of `length` bytes at the start of `buffer` a retransmission, which it
/// returns the length of. The buffer needs [`OVERHEAD`] bytes more than the packet.
///
/// # Errors
/// [`NoRoom`] if the buffer is too small for that, or if it does not begin with a packet of that length.
pub fn wrap(buffer: &mut [u8], length: usize, stream: Stream) -> Result<usize, NoRoom> {
    let packet = buffer.get(..length).ok_or(NoRoom)?;
    let header = Header::parse(packet).map_err(|Malformed| NoRoom)?;
    let target = buffer.get_mut(..length + OVERHEAD).ok_or(NoRoom)?;
    target.copy_within(header.length()..length, header.length() + OVERHEAD);
    let original = target.get_mut(header.length()..).and_then(<[u8]>::first_chunk_mut);
    *original.ok_or(NoRoom)? = header.sequence_number.to_be_bytes();
    relabel(target, stream);
    Ok(length + OVERHEAD)
}

/// Makes an opened retransmission the packet that it repeats: the header moves over the original
/// sequence number, and the packet is what is returned, of the source and payload type that are given.
/// Padding stays what it was.
///
/// # Errors
/// [`Malformed`] if it repeats nothing, as packets have it that only probe for bandwidth.
pub fn unwrap(packet: &mut [u8], ssrc: u32, payload_type: u8) -> Result<&mut [u8], Malformed> {
    let header = Header::parse(packet)?;
    let payload = header.payload(packet)?;
    let (number, _) = payload.split_first_chunk().ok_or(Malformed)?;
    let sequence_number = u16::from_be_bytes(*number);
    packet.copy_within(..header.length(), OVERHEAD);
    let original = packet.get_mut(OVERHEAD..).ok_or(Malformed)?;
    relabel(original, Stream { ssrc, payload_type, sequence_number });
    Ok(original)
}

fn relabel(packet: &mut [u8], stream: Stream) {
    if let Some(second) = packet.get_mut(1) {
        *second = *second & 0x80 | stream.payload_type & 0x7f;
    }
    set_sequence_number(packet, stream.sequence_number);
    set_ssrc(packet, stream.ssrc);
}

//! Writing compound packets.

use super::feedback::MAX_NACK_ENTRIES;
use super::report::{LAST_REFERENCES, REFERENCE_TIME};
use super::transport_feedback::{self, Arrival, Composed};
use super::{HEAD, Reception, ReportBlock, SenderInfo, kind};
use crate::rtp::NoRoom;

/// Report blocks of one packet.
const MAX_BLOCKS: usize = 31;

/// A compound packet that is being written into the caller's buffer. What does not fit is not written
/// and changes nothing; a compound begins with a report (RFC 3550 section 6.1), unless both sides
/// agreed on reduced size (RFC 5506).
#[derive(Debug)]
pub struct Compound<'a> {
    buffer: &'a mut [u8],
    used: usize,
}

impl<'a> Compound<'a> {
    /// Begins one.
    pub fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, used: 0 }
    }

    /// Bytes so far.
    #[must_use]
    pub fn length(&self) -> usize {
        self.used
    }

    /// Bytes that are left in the buffer.
    #[must_use]
    pub fn room(&self) -> usize {
        self.buffer.len() - self.used
    }

    /// Adds a sender report with as many as 31 blocks; the rest of `blocks` is left out.
    ///
    /// # Errors
    /// [`NoRoom`] if it does not fit.
    pub fn sender_report(
        &mut self,
        ssrc: u32,
        info: &SenderInfo,
        blocks: &[ReportBlock],
    ) -> Result<(), NoRoom> {
        let blocks = blocks.get(..MAX_BLOCKS).unwrap_or(blocks);
        let length = HEAD + SenderInfo::LENGTH + ReportBlock::LENGTH * blocks.len();
        let mut part = self.part(kind::SENDER_REPORT, blocks.len() as u8, ssrc, length)?;
        part.put(&info.ntp.to_be_bytes());
        part.put(&info.rtp_timestamp.to_be_bytes());
        part.put(&info.packets.to_be_bytes());
        part.put(&info.bytes.to_be_bytes());
        for block in blocks {
            part.put(&block.bytes());
        }
        Ok(())
    }

    /// Adds a receiver report with as many as 31 blocks; the rest of `blocks` is left out.
    ///
    /// # Errors
    /// [`NoRoom`] if it does not fit.
    pub fn receiver_report(&mut self, ssrc: u32, blocks: &[ReportBlock]) -> Result<(), NoRoom> {
        let blocks = blocks.get(..MAX_BLOCKS).unwrap_or(blocks);
        let length = HEAD + ReportBlock::LENGTH * blocks.len();
        let mut part = self.part(kind::RECEIVER_REPORT, blocks.len() as u8, ssrc, length)?;
        for block in blocks {
            part.put(&block.bytes());
        }
        Ok(())
    }

    /// Adds the canonical name of a source, at most 255 bytes of it (RFC 3550 section 6.5.1).
    ///
    /// # Errors
    /// [`NoRoom`] if it does not fit.
    pub fn canonical_name(&mut self, ssrc: u32, name: &str) -> Result<(), NoRoom> {
        const CNAME: u8 = 1;
        let name = name.as_bytes();
        let name = name.get(..255).unwrap_or(name);
        // At least one zero ends the list of items.
        let length = (HEAD + 2 + name.len() + 1).next_multiple_of(4);
        let mut part = self.part(kind::SOURCE_DESCRIPTION, 1, ssrc, length)?;
        part.put(&[CNAME, name.len() as u8]);
        part.put(name);
        Ok(())
    }

    /// Adds a request for packets of one source; returns how many of `lost` it names, from the first
    /// on: all, unless the room is short. It is shortest if the numbers are in order.
    ///
    /// # Errors
    /// [`NoRoom`] if not even one entry fits.
    pub fn nack(&mut self, sender: u32, media: u32, lost: &[u16]) -> Result<usize, NoRoom> {
        let rest = self.buffer.get_mut(self.used..).ok_or(NoRoom)?;
        let (_, entries) = rest.split_at_mut_checked(HEAD + 4).ok_or(NoRoom)?;
        let (mut named, mut length) = (0, HEAD + 4);
        for target in entries.chunks_exact_mut(4).take(MAX_NACK_ENTRIES) {
            let Some((entry, taken)) = nack_entry(lost.get(named..).unwrap_or_default()) else {
                break;
            };
            target.copy_from_slice(&entry);
            (named, length) = (named + taken, length + 4);
        }
        if named == 0 {
            return if lost.is_empty() { Ok(0) } else { Err(NoRoom) };
        }
        let body = self.head(kind::TRANSPORT_LAYER, kind::NACK, sender, length)?;
        Part { rest: body }.put(&media.to_be_bytes());
        Ok(named)
    }

    /// Adds a request for a key frame of one source.
    ///
    /// # Errors
    /// [`NoRoom`] if it does not fit.
    pub fn picture_loss(&mut self, sender: u32, media: u32) -> Result<(), NoRoom> {
        self.part(kind::PAYLOAD_SPECIFIC, kind::PICTURE_LOSS, sender, HEAD + 4)?
            .put(&media.to_be_bytes());
        Ok(())
    }

    /// Adds the command to send a key frame of one source; `number` is another one for each that is
    /// not a repetition.
    ///
    /// # Errors
    /// [`NoRoom`] if it does not fit.
    pub fn full_intra(&mut self, sender: u32, media: u32, number: u8) -> Result<(), NoRoom> {
        let mut part = self.part(kind::PAYLOAD_SPECIFIC, kind::FULL_INTRA, sender, HEAD + 12)?;
        part.put(&[0; 4]);
        part.put(&media.to_be_bytes());
        part.put(&[number, 0, 0, 0]);
        Ok(())
    }

    /// Adds the end of sources, of which there are 1 to 31; the rest is left out.
    ///
    /// # Errors
    /// [`NoRoom`] if it does not fit.
    pub fn goodbye(&mut self, sources: &[u32]) -> Result<(), NoRoom> {
        let sources = sources.get(..MAX_BLOCKS).unwrap_or(sources);
        let Some((first, others)) = sources.split_first() else { return Ok(()) };
        let count = sources.len() as u8;
        let mut part = self.part(kind::GOODBYE, count, *first, 4 + 4 * sources.len())?;
        for ssrc in others {
            part.put(&ssrc.to_be_bytes());
        }
        Ok(())
    }

    /// Adds what concerns round trips, one block for each (RFC 3611).
    ///
    /// # Errors
    /// [`NoRoom`] if it does not fit.
    pub fn extended_report(&mut self, ssrc: u32, report: &[Reception]) -> Result<(), NoRoom> {
        let length = |block: &Reception| match block {
            Reception::ReferenceTime { .. } => 12,
            Reception::LastReference { .. } => 16,
        };
        let length = HEAD + report.iter().map(length).sum::<usize>();
        let mut part = self.part(kind::EXTENDED_REPORT, 0, ssrc, length)?;
        for block in report {
            match *block {
                Reception::ReferenceTime { ntp } => {
                    part.put(&[REFERENCE_TIME, 0, 0, 2]);
                    part.put(&ntp.to_be_bytes());
                }
                Reception::LastReference { ssrc, last_reference, delay } => {
                    part.put(&[LAST_REFERENCES, 0, 0, 3]);
                    part.put(&ssrc.to_be_bytes());
                    part.put(&last_reference.to_be_bytes());
                    part.put(&delay.to_be_bytes());
                }
            }
        }
        Ok(())
    }

    /// Adds feedback on packets of the transport that came, from number `base` on; those that are
    /// missing in `arrivals` are reported lost. `number` counts the feedback packets (mod 256).
    /// `arrivals` are in ascending order. Returns how many of them are in it: fewer than all if the
    /// room is short, if the times do not fit into one packet, or if more than 1,024 numbers
    /// would be reported; the next packet begins where this one ends.
    ///
    /// # Errors
    /// [`NoRoom`] if not even one fits, which never happens with 320 bytes; or if there is none from
    /// `base` on.
    pub fn transport_feedback(
        &mut self,
        sender: u32,
        media: u32,
        number: u8,
        base: u64,
        arrivals: &[Arrival],
    ) -> Result<Composed, NoRoom> {
        let rest = self.buffer.get_mut(self.used..).ok_or(NoRoom)?;
        let (_, rest) = rest.split_at_mut_checked(HEAD + 4).ok_or(NoRoom)?;
        let (length, composed) = transport_feedback::compose(rest, number, base, arrivals)?;
        let format = kind::TRANSPORT_FEEDBACK;
        let body = self.head(kind::TRANSPORT_LAYER, format, sender, HEAD + 4 + length)?;
        Part { rest: body }.put(&media.to_be_bytes());
        Ok(composed)
    }

    /// Begins a packet of `length` bytes, a multiple of 4, whose rest is zero.
    fn part(
        &mut self,
        packet_type: u8,
        count: u8,
        ssrc: u32,
        length: usize,
    ) -> Result<Part<'_>, NoRoom> {
        let body = self.head(packet_type, count, ssrc, length)?;
        body.fill(0);
        Ok(Part { rest: body })
    }

    /// Writes the first 8 bytes of a packet of `length` bytes, of which the others stay.
    fn head(
        &mut self,
        packet_type: u8,
        count: u8,
        ssrc: u32,
        length: usize,
    ) -> Result<&mut [u8], NoRoom> {
        let end = self.used + length;
        let words = u16::try_from(length / 4).map_err(|_| NoRoom)?.wrapping_sub(1);
        let packet = self.buffer.get_mut(self.used..end).ok_or(NoRoom)?;
        let (head, body) = packet.split_first_chunk_mut::<HEAD>().ok_or(NoRoom)?;
        let ([w0, w1], [s0, s1, s2, s3]) = (words.to_be_bytes(), ssrc.to_be_bytes());
        *head = [0x80 | count & 0x1f, packet_type, w0, w1, s0, s1, s2, s3];
        self.used = end;
        Ok(body)
    }
}

/// The rest of a packet that is being written; its length was reserved.
struct Part<'a> {
    rest: &'a mut [u8],
}

impl Part<'_> {
    fn put(&mut self, bytes: &[u8]) {
        if let Some((target, rest)) =
            std::mem::take(&mut self.rest).split_at_mut_checked(bytes.len())
        {
            target.copy_from_slice(bytes);
            self.rest = rest;
        }
    }
}

/// One entry for the first of these numbers and for those within 16 behind it, and how many that are.
fn nack_entry(lost: &[u16]) -> Option<([u8; 4], usize)> {
    let (first, others) = lost.split_first()?;
    let (mut mask, mut taken) = (0u16, 1);
    for number in others {
        match number.wrapping_sub(*first) {
            0 => {}
            behind @ 1..=16 => mask |= 1 << (behind - 1),
            _ => break,
        }
        taken += 1;
    }
    let ([n0, n1], [m0, m1]) = (first.to_be_bytes(), mask.to_be_bytes());
    Some(([n0, n1, m0, m1], taken))
}

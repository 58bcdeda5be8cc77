//! RTCP (RFC 3550, 4585, 5104; transport-wide feedback by draft-holmer-rmcat-transport-wide-cc-
//! extensions-01): compound packets are iterated over where they lie and composed where they go.

mod compose;
mod feedback;
mod report;
mod transport_feedback;

pub use compose::Compound;
pub use feedback::{Bitrate, FullIntra, Goodbye, Lost, Nack};
pub use report::{ExtendedReport, Reception, ReportBlock, ReportBlocks, SenderInfo, compact_ntp};
pub use transport_feedback::{
    Arrival, Composed, MAX_STATUSES, Statuses, TICK_MICROSECONDS, TransportFeedback,
};

use super::Malformed;

/// Packets of a compound that are looked at; browsers send fewer than ten.
pub const MAX_PACKETS: usize = 32;

/// Bytes before the part that depends on the type: header and the sender's SSRC.
const HEAD: usize = 8;

pub(super) mod kind {
    //! Packet types and formats.
    pub(crate) const SENDER_REPORT: u8 = 200;
    pub(crate) const RECEIVER_REPORT: u8 = 201;
    pub(crate) const SOURCE_DESCRIPTION: u8 = 202;
    pub(crate) const GOODBYE: u8 = 203;
    pub(crate) const TRANSPORT_LAYER: u8 = 205;
    pub(crate) const PAYLOAD_SPECIFIC: u8 = 206;
    pub(crate) const EXTENDED_REPORT: u8 = 207;

    pub(crate) const NACK: u8 = 1;
    pub(crate) const TRANSPORT_FEEDBACK: u8 = 15;
    pub(crate) const PICTURE_LOSS: u8 = 1;
    pub(crate) const FULL_INTRA: u8 = 4;
    pub(crate) const APPLICATION: u8 = 15;
}

/// One packet of a compound.
#[derive(Debug, Clone)]
pub enum Packet<'a> {
    /// What the sender sent so far, and how it receives others.
    SenderReport {
        /// Source of the report.
        ssrc: u32,
        /// What it sent.
        info: SenderInfo,
        /// How it receives others.
        blocks: ReportBlocks<'a>,
    },
    /// How the sender receives others.
    ReceiverReport {
        /// Source of the report.
        ssrc: u32,
        /// See there.
        blocks: ReportBlocks<'a>,
    },
    /// Sources that have ended.
    Goodbye(Goodbye<'a>),
    /// Packets that are missing.
    Nack(Nack<'a>),
    /// The decoder needs a key frame (RFC 4585 section 6.3.1).
    PictureLoss {
        /// Who asks.
        sender: u32,
        /// Whom.
        media: u32,
    },
    /// The same as a command (RFC 5104 section 4.3.1).
    FullIntra(FullIntra<'a>),
    /// How much the receiver takes altogether (draft-alvestrand-rmcat-remb-03).
    Bitrate(Bitrate<'a>),
    /// Which packets of the transport arrived, and when.
    TransportFeedback(TransportFeedback<'a>),
    /// Reports of RFC 3611.
    ExtendedReport(ExtendedReport<'a>),
    /// Something that nothing is done with: descriptions, application packets, other feedback.
    Other {
        /// Its packet type.
        packet_type: u8,
    },
}

/// Iterates over a compound packet; a malformed part is an error and the end.
#[must_use]
pub fn packets(compound: &[u8]) -> Packets<'_> {
    Packets { rest: compound, left: MAX_PACKETS }
}

/// See [`packets`].
#[derive(Debug, Clone)]
pub struct Packets<'a> {
    rest: &'a [u8],
    left: usize,
}

impl<'a> Iterator for Packets<'a> {
    type Item = Result<Packet<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() || self.left == 0 {
            return None;
        }
        self.left -= 1;
        let read = Part::split(self.rest).and_then(|(part, rest)| Ok((part.read()?, rest)));
        self.rest = read.as_ref().map_or(&[], |(_, rest)| rest);
        Some(read.map(|(packet, _)| packet))
    }
}

/// One packet with its common header read (RFC 3550 section 6.4.1).
struct Part<'a> {
    /// Number of blocks or format, five bits.
    count: u8,
    packet_type: u8,
    /// Behind the first four bytes, without padding.
    body: &'a [u8],
}

impl<'a> Part<'a> {
    fn split(compound: &'a [u8]) -> Result<(Self, &'a [u8]), Malformed> {
        let [first, packet_type, l0, l1] = *compound.first_chunk().ok_or(Malformed)?;
        let length = 4 + 4 * usize::from(u16::from_be_bytes([l0, l1]));
        let (packet, rest) = compound.split_at_checked(length).ok_or(Malformed)?;
        let mut body = packet.get(4..).ok_or(Malformed)?;
        if first >> 6 != 2 {
            return Err(Malformed);
        }
        if first & 0x20 != 0 {
            let padding = usize::from(*body.last().ok_or(Malformed)?);
            let end = body.len().checked_sub(padding).filter(|_| padding > 0).ok_or(Malformed)?;
            body = body.get(..end).ok_or(Malformed)?;
        }
        Ok((Self { count: first & 0x1f, packet_type, body }, rest))
    }

    fn read(&self) -> Result<Packet<'a>, Malformed> {
        match (self.packet_type, self.count) {
            (kind::SENDER_REPORT, count) => {
                let (ssrc, rest) = split_u32(self.body)?;
                let (info, rest) = SenderInfo::split(rest)?;
                let blocks = ReportBlocks::new(rest, count)?;
                Ok(Packet::SenderReport { ssrc, info, blocks })
            }
            (kind::RECEIVER_REPORT, count) => {
                let (ssrc, rest) = split_u32(self.body)?;
                Ok(Packet::ReceiverReport { ssrc, blocks: ReportBlocks::new(rest, count)? })
            }
            (kind::GOODBYE, count) => Goodbye::read(self.body, count).map(Packet::Goodbye),
            (kind::TRANSPORT_LAYER, kind::NACK) => Nack::read(self.body).map(Packet::Nack),
            (kind::TRANSPORT_LAYER, kind::TRANSPORT_FEEDBACK) => {
                TransportFeedback::read(self.body).map(Packet::TransportFeedback)
            }
            (kind::PAYLOAD_SPECIFIC, kind::PICTURE_LOSS) => {
                let (sender, rest) = split_u32(self.body)?;
                let (media, _) = split_u32(rest)?;
                Ok(Packet::PictureLoss { sender, media })
            }
            (kind::PAYLOAD_SPECIFIC, kind::FULL_INTRA) => {
                FullIntra::read(self.body).map(Packet::FullIntra)
            }
            (kind::PAYLOAD_SPECIFIC, kind::APPLICATION) => Ok(Bitrate::read(self.body)
                .map_or(Packet::Other { packet_type: self.packet_type }, Packet::Bitrate)),
            (kind::EXTENDED_REPORT, _) => {
                ExtendedReport::read(self.body).map(Packet::ExtendedReport)
            }
            (packet_type, _) => Ok(Packet::Other { packet_type }),
        }
    }
}

fn split_u16(bytes: &[u8]) -> Result<(u16, &[u8]), Malformed> {
    let (number, rest) = bytes.split_first_chunk().ok_or(Malformed)?;
    Ok((u16::from_be_bytes(*number), rest))
}

fn split_u32(bytes: &[u8]) -> Result<(u32, &[u8]), Malformed> {
    let (number, rest) = bytes.split_first_chunk().ok_or(Malformed)?;
    Ok((u32::from_be_bytes(*number), rest))
}

fn split_u64(bytes: &[u8]) -> Result<(u64, &[u8]), Malformed> {
    let (number, rest) = bytes.split_first_chunk().ok_or(Malformed)?;
    Ok((u64::from_be_bytes(*number), rest))
}

#[cfg(test)]
mod tests;

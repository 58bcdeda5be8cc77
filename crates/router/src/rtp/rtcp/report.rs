//! Sender, receiver and extended reports (RFC 3550 section 6.4, RFC 3611).

use super::{Malformed, split_u32, split_u64};

/// The middle 32 bits of an NTP time, in units of 2^-16 s (RFC 3550 section 4).
#[must_use]
pub fn compact_ntp(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}

/// What a source sent so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderInfo {
    /// Wall clock, in units of 2^-32 s since 1900.
    pub ntp: u64,
    /// The RTP timestamp of that moment.
    pub rtp_timestamp: u32,
    /// Packets so far (mod 2^32).
    pub packets: u32,
    /// Payload bytes so far (mod 2^32).
    pub bytes: u32,
}

impl SenderInfo {
    pub(super) const LENGTH: usize = 20;

    pub(super) fn split(bytes: &[u8]) -> Result<(Self, &[u8]), Malformed> {
        let (ntp, rest) = split_u64(bytes)?;
        let (rtp_timestamp, rest) = split_u32(rest)?;
        let (packets, rest) = split_u32(rest)?;
        let (bytes, rest) = split_u32(rest)?;
        Ok((Self { ntp, rtp_timestamp, packets, bytes }, rest))
    }
}

/// How one source is received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportBlock {
    /// Of which source.
    pub ssrc: u32,
    /// Lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Lost altogether, 24 bits with sign.
    pub cumulative_lost: i32,
    /// Greatest sequence number, with the number of its cycles in the upper 16 bits.
    pub highest_sequence: u32,
    /// Interarrival jitter, in units of the source's clock.
    pub jitter: u32,
    /// [`compact_ntp`] of the last sender report, 0 without one.
    pub last_sender_report: u32,
    /// Time since that came, in units of 2^-16 s.
    pub delay: u32,
}

impl ReportBlock {
    pub(super) const LENGTH: usize = 24;

    fn split(bytes: &[u8]) -> Result<(Self, &[u8]), Malformed> {
        let (ssrc, rest) = split_u32(bytes)?;
        let (lost, rest) = split_u32(rest)?;
        let (highest_sequence, rest) = split_u32(rest)?;
        let (jitter, rest) = split_u32(rest)?;
        let (last_sender_report, rest) = split_u32(rest)?;
        let (delay, rest) = split_u32(rest)?;
        let block = Self {
            ssrc,
            fraction_lost: (lost >> 24) as u8,
            cumulative_lost: (lost << 8) as i32 >> 8,
            highest_sequence,
            jitter,
            last_sender_report,
            delay,
        };
        Ok((block, rest))
    }

    pub(super) fn bytes(&self) -> [u8; Self::LENGTH] {
        const MOST: i32 = 0x7f_ffff;
        let lost = self.cumulative_lost.clamp(-MOST - 1, MOST) as u32 & 0xff_ffff;
        let words = [
            self.ssrc,
            u32::from(self.fraction_lost) << 24 | lost,
            self.highest_sequence,
            self.jitter,
            self.last_sender_report,
            self.delay,
        ];
        let mut bytes = [0; Self::LENGTH];
        for (target, word) in bytes.chunks_exact_mut(4).zip(words) {
            target.copy_from_slice(&word.to_be_bytes());
        }
        bytes
    }
}

/// The report blocks of one packet, at most 31.
#[derive(Debug, Clone)]
pub struct ReportBlocks<'a>(&'a [u8]);

impl<'a> ReportBlocks<'a> {
    pub(super) fn new(bytes: &'a [u8], count: u8) -> Result<Self, Malformed> {
        bytes.get(..usize::from(count) * ReportBlock::LENGTH).map(Self).ok_or(Malformed)
    }
}

impl Iterator for ReportBlocks<'_> {
    type Item = ReportBlock;

    fn next(&mut self) -> Option<Self::Item> {
        let (block, rest) = ReportBlock::split(self.0).ok()?;
        self.0 = rest;
        Some(block)
    }
}

/// How a receiver, without sending media, finds the round trip (RFC 3611 sections 4.4 and 4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reception {
    /// The receiver's wall clock, to be named in an answer.
    ReferenceTime {
        /// In units of 2^-32 s since 1900.
        ntp: u64,
    },
    /// The answer to one receiver.
    LastReference {
        /// Whose reference time it is.
        ssrc: u32,
        /// [`compact_ntp`] of it, 0 without one.
        last_reference: u32,
        /// Time since it came, in units of 2^-16 s.
        delay: u32,
    },
}

/// An extended report: iterates over what of it concerns round trips.
#[derive(Debug, Clone)]
pub struct ExtendedReport<'a> {
    /// Source of the report.
    pub ssrc: u32,
    blocks: &'a [u8],
    answers: &'a [u8],
}

pub(super) const REFERENCE_TIME: u8 = 4;
pub(super) const LAST_REFERENCES: u8 = 5;

impl<'a> ExtendedReport<'a> {
    pub(super) fn read(body: &'a [u8]) -> Result<Self, Malformed> {
        let (ssrc, blocks) = split_u32(body)?;
        Ok(Self { ssrc, blocks, answers: &[] })
    }

    fn answer(&mut self) -> Option<Reception> {
        let (ssrc, rest) = split_u32(self.answers).ok()?;
        let (last_reference, rest) = split_u32(rest).ok()?;
        let (delay, rest) = split_u32(rest).ok()?;
        self.answers = rest;
        Some(Reception::LastReference { ssrc, last_reference, delay })
    }
}

impl Iterator for ExtendedReport<'_> {
    type Item = Reception;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(answer) = self.answer() {
                return Some(answer);
            }
            let ([block_type, _, l0, l1], rest) = self.blocks.split_first_chunk()?;
            let length = 4 * usize::from(u16::from_be_bytes([*l0, *l1]));
            let (content, rest) = rest.split_at_checked(length)?;
            self.blocks = rest;
            match *block_type {
                REFERENCE_TIME => {
                    if let Ok((ntp, _)) = split_u64(content) {
                        return Some(Reception::ReferenceTime { ntp });
                    }
                }
                LAST_REFERENCES => self.answers = content,
                _ => {}
            }
        }
    }
}

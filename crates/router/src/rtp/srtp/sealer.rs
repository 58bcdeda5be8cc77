//! What goes out: encrypted under an index that was never used.

use thiserror::Error;

use super::cipher::{Cipher, ENCRYPTED, RTCP_HEAD};
use super::index::Window;
use crate::rtp::{Header, set_sequence_number, set_ssrc};

/// Remembers 448 packets of a source: how far out of order packets may be sealed.
type SentWindow = Window<8>;

/// Sources that one association may send, more than the lines of an offer, each with retransmissions.
const MAX_SOURCES: usize = 1024;
/// Greatest index of an RTP packet, 48 bits (RFC 3711 section 3.3.1).
const MAX_INDEX: u64 = (1 << 48) - 1;

/// Why a packet was not sealed; it must not be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SealError {
    /// It is no packet, or the buffer has no room for the tag.
    #[error("the buffer does not hold a packet and room for its tag")]
    NoRoom,
    /// The packet is of another source than the handle.
    #[error("the packet is of another source")]
    WrongSource,
    /// The index was used, or is so old that nobody knows: sealing under it would reveal the key.
    #[error("the index was used before")]
    IndexUsed,
    /// All indices of the source, or of RTCP, were used.
    #[error("there is no index left")]
    Exhausted,
    /// The association has as many sources as it may have.
    #[error("there are too many sources")]
    TooManySources,
    /// The cryptographic library failed.
    #[error("the packet was not encrypted")]
    Failed,
}

/// One source of a [`Sealer`], found without a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceHandle(u32);

#[derive(Debug)]
struct Source {
    ssrc: u32,
    /// None before the first packet.
    sent: Option<SentWindow>,
}

impl Source {
    fn use_index(&mut self, index: u64) -> Result<(), SealError> {
        if index > MAX_INDEX {
            return Err(SealError::Exhausted);
        }
        match &mut self.sent {
            Some(sent) => {
                sent.check(index).map_err(|_| SealError::IndexUsed)?;
                sent.mark(index);
            }
            None => self.sent = Some(SentWindow::new(index)),
        }
        Ok(())
    }
}

/// Seals what goes to the peer of one association.
#[derive(Debug)]
pub struct Sealer {
    rtp: Cipher,
    rtcp: Cipher,
    sources: Vec<Source>,
    next_rtcp: u32,
}

impl Sealer {
    pub(super) fn new(rtp: Cipher, rtcp: Cipher) -> Self {
        Self { rtp, rtcp, sources: Vec::new(), next_rtcp: 0 }
    }

    /// The handle of a source, the same one for the same SSRC whenever it is asked for.
    ///
    /// # Errors
    /// [`SealError::TooManySources`] above 1,024 of them.
    pub fn source(&mut self, ssrc: u32) -> Result<SourceHandle, SealError> {
        if let Some(known) = self.sources.iter().position(|source| source.ssrc == ssrc) {
            return Ok(SourceHandle(known as u32));
        }
        if self.sources.len() >= MAX_SOURCES {
            return Err(SealError::TooManySources);
        }
        self.sources.push(Source { ssrc, sent: None });
        Ok(SourceHandle(self.sources.len() as u32 - 1))
    }

    /// Reads what sealing a packet of this source is about to read, as far as it is ours.
    pub(crate) fn look_at(&self, source: SourceHandle) -> u64 {
        let source = self.sources.get(source.0 as usize);
        source.map_or(0, |source| {
            u64::from(source.ssrc) ^ source.sent.as_ref().map_or(0, SentWindow::look_at)
        })
    }

    /// Bytes that sealing adds to an RTP packet.
    #[must_use]
    pub fn rtp_overhead(&self) -> usize {
        self.rtp.rtp_overhead()
    }

    /// Bytes that sealing adds to an RTCP packet.
    #[must_use]
    pub fn rtcp_overhead(&self) -> usize {
        self.rtcp.rtcp_overhead()
    }

    /// Seals the packet of `length` bytes at the start of `buffer` under this index, whose lower 16 bits
    /// become its sequence number, and returns the length with the tag. Packets of a source may be
    /// sealed out of order within 448 of them. The first index of a source must be below 65,536, as its
    /// receiver takes it to be.
    ///
    /// # Errors
    /// See [`SealError`]. An index counts as used even if sealing fails.
    pub fn seal_rtp(
        &mut self,
        source: SourceHandle,
        buffer: &mut [u8],
        length: usize,
        index: u64,
    ) -> Result<usize, SealError> {
        let source = self.sources.get_mut(source.0 as usize).ok_or(SealError::WrongSource)?;
        let end = length + self.rtp.rtp_overhead();
        let buffer = buffer.get_mut(..end).ok_or(SealError::NoRoom)?;
        let packet = buffer.get(..length).ok_or(SealError::NoRoom)?;
        let header = Header::parse(packet).map_err(|_| SealError::NoRoom)?;
        if header.ssrc != source.ssrc {
            return Err(SealError::WrongSource);
        }
        source.use_index(index)?;
        set_sequence_number(buffer, index as u16);
        self.rtp
            .seal_rtp(buffer, header.length(), header.ssrc, index)
            .map_err(|_| SealError::Failed)?;
        Ok(end)
    }

    /// As [`Self::seal_rtp`], of a packet whose header was written just now and has `header` bytes: it is not
    /// read again, only its source and its sequence number are written over.
    ///
    /// # Errors
    /// See [`SealError`]. An index counts as used even if sealing fails.
    #[inline]
    pub(crate) fn seal_written(
        &mut self,
        source: SourceHandle,
        buffer: &mut [u8],
        header: usize,
        length: usize,
        index: u64,
    ) -> Result<usize, SealError> {
        let source = self.sources.get_mut(source.0 as usize).ok_or(SealError::WrongSource)?;
        let end = length + self.rtp.rtp_overhead();
        let buffer = buffer.get_mut(..end).ok_or(SealError::NoRoom)?;
        source.use_index(index)?;
        set_sequence_number(buffer, index as u16);
        set_ssrc(buffer, source.ssrc);
        self.rtp.seal_rtp(buffer, header, source.ssrc, index).map_err(|_| SealError::Failed)?;
        Ok(end)
    }

    /// Seals the compound RTCP packet of `length` bytes at the start of `buffer` under the next index,
    /// and returns the length with tag and index.
    ///
    /// # Errors
    /// See [`SealError`].
    pub fn seal_rtcp(&mut self, buffer: &mut [u8], length: usize) -> Result<usize, SealError> {
        let end = length + self.rtcp.rtcp_overhead();
        let buffer = buffer.get_mut(..end).ok_or(SealError::NoRoom)?;
        let Some([_, _, _, _, ssrc @ ..]) = buffer.first_chunk::<RTCP_HEAD>() else {
            return Err(SealError::NoRoom);
        };
        let ssrc = u32::from_be_bytes(*ssrc);
        if length < RTCP_HEAD {
            return Err(SealError::NoRoom);
        }
        let index = self.next_rtcp;
        if index >= ENCRYPTED {
            return Err(SealError::Exhausted);
        }
        self.next_rtcp += 1;
        self.rtcp.seal_rtcp(buffer, ssrc, index).map_err(|_| SealError::Failed)?;
        Ok(end)
    }

    /// Gives away all indices of RTCP before this one.
    #[cfg(test)]
    pub(super) fn skip_rtcp_to(&mut self, index: u32) {
        self.next_rtcp = self.next_rtcp.max(index);
    }
}

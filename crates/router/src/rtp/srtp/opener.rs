//! What comes in: verified, decrypted, and never twice.

use thiserror::Error;

use super::cipher::{Cipher, ENCRYPTED};
use super::index::{Sources, Unusable, estimate};
use crate::rtp::Header;

/// Remembers 960 packets of an RTP source: a second of a large layer, as a network may delay it.
const RTP_WORDS: usize = 16;
/// Remembers 192 packets of an RTCP source.
const RTCP_WORDS: usize = 4;

/// Why a packet was not opened. It changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It is shorter than any sealed packet.
    #[error("the packet is too short")]
    Malformed,
    /// Its tag is wrong: whoever made it does not have the key, or its index is not what it seems.
    #[error("the packet is not authentic")]
    NotAuthentic,
    /// It came before.
    #[error("the packet came before")]
    Replayed,
    /// It is so late that nobody knows whether it came before.
    #[error("the packet is too late")]
    TooOld,
    /// It would be the first of one source too many.
    #[error("the packet is of one source too many")]
    TooManySources,
    /// It is RTCP that says of itself that it is not encrypted, which WebRTC does not have (RFC 8827
    /// section 6.5).
    #[error("the packet is not encrypted")]
    NotEncrypted,
}

impl From<Unusable> for OpenError {
    fn from(cause: Unusable) -> Self {
        match cause {
            Unusable::Used => Self::Replayed,
            Unusable::TooOld => Self::TooOld,
        }
    }
}

/// An RTP packet that was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// Its length without the tag.
    pub length: usize,
    /// Its index: the sequence number, extended to 48 bits.
    pub index: u64,
    /// Nothing of this source was opened before.
    pub is_new_source: bool,
}

/// Opens what the peer of one association seals.
#[derive(Debug)]
pub struct Opener {
    rtp: Cipher,
    rtcp: Cipher,
    rtp_sources: Sources<RTP_WORDS>,
    rtcp_sources: Sources<RTCP_WORDS>,
    max_sources: usize,
}

impl Opener {
    /// Reads a part of what opening a packet is about to read.
    pub(crate) fn look_at(&self) -> u64 {
        self.max_sources as u64
    }

    pub(super) fn new(rtp: Cipher, rtcp: Cipher, max_sources: usize) -> Self {
        let (rtp_sources, rtcp_sources) = (Sources::default(), Sources::default());
        Self { rtp, rtcp, rtp_sources, rtcp_sources, max_sources }
    }

    /// How many sources of RTP, and how many of RTCP, the association may have altogether. A source is
    /// remembered to its end: once forgotten its packets could be sent again by anybody. One costs about
    /// 150 bytes.
    pub fn set_max_sources(&mut self, max_sources: usize) {
        self.max_sources = max_sources;
    }

    /// Sources of RTP so far.
    #[must_use]
    pub fn sources(&self) -> usize {
        self.rtp_sources.len()
    }

    /// Verifies and decrypts a packet in place; `header` is what [`Header::parse`] read from it.
    ///
    /// The index of a source's first packet is taken to be below 65,536 (RFC 3711 section 3.3.1).
    ///
    /// # Errors
    /// See [`OpenError`]; what is behind the header is undefined then.
    pub fn open_rtp(&mut self, packet: &mut [u8], header: &Header) -> Result<Opened, OpenError> {
        if packet.len() < header.length() + self.rtp.rtp_overhead() {
            return Err(OpenError::Malformed);
        }
        let Header { ssrc, sequence_number, .. } = *header;
        let number_of_sources = self.rtp_sources.len();
        let Some(window) = self.rtp_sources.get_mut(ssrc) else {
            if number_of_sources >= self.max_sources {
                return Err(OpenError::TooManySources);
            }
            let index = sequence_number.into();
            let length = self
                .rtp
                .open_rtp(packet, header.length(), ssrc, index)
                .map_err(|_| OpenError::NotAuthentic)?;
            self.rtp_sources.insert(ssrc, index);
            return Ok(Opened { length, index, is_new_source: true });
        };
        let index = estimate(window.highest(), sequence_number).ok_or(OpenError::TooOld)?;
        window.check(index)?;
        let length = self
            .rtp
            .open_rtp(packet, header.length(), ssrc, index)
            .map_err(|_| OpenError::NotAuthentic)?;
        window.mark(index);
        Ok(Opened { length, index, is_new_source: false })
    }

    /// Verifies and decrypts a compound RTCP packet in place; returns its length without tag and index.
    ///
    /// # Errors
    /// See [`OpenError`]; what is behind the first 8 bytes is undefined then.
    pub fn open_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, OpenError> {
        let Some([_, _, _, _, ssrc @ ..]) = packet.first_chunk::<8>() else {
            return Err(OpenError::Malformed);
        };
        let ssrc = u32::from_be_bytes(*ssrc);
        if packet.len() < 8 + self.rtcp.rtcp_overhead() {
            return Err(OpenError::Malformed);
        }
        let word = self.rtcp.rtcp_word(packet).map_err(|_| OpenError::Malformed)?;
        if word & ENCRYPTED == 0 {
            return Err(OpenError::NotEncrypted);
        }
        let index = word & !ENCRYPTED;
        let number_of_sources = self.rtcp_sources.len();
        let window = self.rtcp_sources.get_mut(ssrc);
        match &window {
            Some(window) => window.check(index.into())?,
            None if number_of_sources >= self.max_sources => {
                return Err(OpenError::TooManySources);
            }
            None => {}
        }
        let length =
            self.rtcp.open_rtcp(packet, ssrc, index).map_err(|_| OpenError::NotAuthentic)?;
        match window {
            Some(window) => window.mark(index.into()),
            None => self.rtcp_sources.insert(ssrc, index.into()),
        }
        Ok(length)
    }
}

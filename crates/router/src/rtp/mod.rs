//! The bytes of RTP, RTCP and SRTP, and nothing else: no clock, no socket, no policy.
//!
//! What comes from a peer is read without allocation and cannot panic; what a peer can make long is
//! bounded by the constants of these modules. Everything that is written goes into a buffer of the
//! caller. State exists only in [`srtp`], where it keeps indices from being used twice.
//!
//! How a packet comes in: [`is_rtcp`] tells the two apart, [`Header::parse`] reads the part that is
//! never encrypted, [`srtp::Opener::open_rtp`] verifies and decrypts in place, [`Header::payload`]
//! cuts off the padding, [`Extensions::read`] gives the header extensions. How one goes out:
//! [`Outgoing::write`] begins the packet, the caller appends the payload, [`pad`] makes it longer if
//! it must be, [`srtp::Sealer::seal_rtp`] encrypts in place and appends the tag.

pub mod dependency;
mod extension;
mod header;
pub mod red;
pub mod rtcp;
pub mod rtx;
pub mod srtp;
mod values;

pub use extension::{Element, Elements, ExtensionIds, ExtensionKind, Extensions, Identifier};
pub use header::{Header, Outgoing, is_rtcp, pad, set_sequence_number, set_ssrc, set_timestamp};
pub use values::{AbsoluteCaptureTime, AudioLevel};

use thiserror::Error;

/// Bytes that are not what they must be. The packet is dropped and counted, nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the packet is malformed")]
pub struct Malformed;

/// The caller's buffer is too small; it is as it was, as far as its length is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the buffer is too small")]
pub struct NoRoom;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

//! SRTP and SRTCP (RFC 3711, RFC 7714) with the keys of a DTLS handshake (RFC 5764), in place and
//! without allocation once a source is known.
//!
//! Nothing that a packet says changes anything before it is authentic. No index is ever used twice
//! with one key, whatever the caller asks for.

#![expect(clippy::similar_names, reason = "RTP and RTCP, sealer and sealed are the words for it")]

mod cipher;
mod index;
mod keys;
mod opener;
mod sealer;

pub use keys::{KeyError, Profile, Role, contexts};
pub use opener::{OpenError, Opened, Opener};
pub use sealer::{SealError, Sealer, SourceHandle};

/// Longest that any profile makes an RTP packet.
pub const MAX_RTP_OVERHEAD: usize = 16;
/// Longest that any profile makes an RTCP packet.
pub const MAX_RTCP_OVERHEAD: usize = 20;

#[cfg(test)]
mod tests;

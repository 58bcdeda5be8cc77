//! What was negotiated for the media of one transport, as far as its packets need it.

use crate::ids::{Kind, Mid};
use crate::rtp::ExtensionIds;

/// All lines of a transport; a later offer brings a whole new description.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Description {
    /// In the order of the offer.
    pub lines: Vec<LineDescription>,
    /// Whom our sources belong to (RFC 3550 section 6.5.1), at most 255 bytes.
    pub cname: String,
}

/// One media line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineDescription {
    /// Its identification.
    pub mid: Mid,
    /// What it carries.
    pub kind: Kind,
    /// The client sends on it.
    pub is_received: bool,
    /// Numbers of header extensions.
    pub extensions: ExtensionIds,
    /// Payload types, repair included.
    pub payloads: Vec<PayloadDescription>,
    /// Sources that the client named in its offer.
    pub sources: Vec<SourceDescription>,
    /// What we send with, if we may send on the line.
    pub own: Option<SourceDescription>,
}

/// A payload type and what may be said back about it.
#[expect(clippy::struct_excessive_bools, reason = "each is one line of a session description")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PayloadDescription {
    /// 0 to 127.
    pub payload_type: u8,
    /// It repeats packets of this payload type (RFC 4588).
    pub repairs: Option<u8>,
    /// Its packets carry several payloads of this payload type (RFC 2198).
    pub combines: Option<u8>,
    /// Lost packets may be asked for (RFC 4585 section 4.2).
    pub has_nack: bool,
    /// Key frames may be asked for by PLI (RFC 4585 section 6.3.1).
    pub has_pli: bool,
    /// Key frames may be asked for by FIR (RFC 5104 section 4.3.1).
    pub has_fir: bool,
    /// The receiver tells when packets arrived.
    pub has_transport_feedback: bool,
}

/// Redundant audio on one line (RFC 2198).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redundancy {
    /// Of its packets.
    pub payload_type: u8,
    /// Of the payloads in them.
    pub combined: u8,
}

/// A source and the one that repeats its packets (`a=ssrc-group:FID`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceDescription {
    /// Of the media.
    pub ssrc: u32,
    /// Of its retransmissions.
    pub repair: Option<u32>,
}

impl LineDescription {
    /// What a payload type of this line stands for.
    #[must_use]
    pub fn payload(&self, payload_type: u8) -> Option<&PayloadDescription> {
        self.payloads.iter().find(|payload| payload.payload_type == payload_type)
    }

    /// The payload type of redundant audio, and that of the payloads in it.
    #[must_use]
    pub fn redundancy(&self) -> Option<Redundancy> {
        let mut payloads = self.payloads.iter();
        payloads.find_map(|payload| {
            let combined = payload.combines?;
            Some(Redundancy { payload_type: payload.payload_type, combined })
        })
    }

    /// The payload type by which packets of this one are repeated.
    #[must_use]
    pub fn repair_of(&self, payload_type: u8) -> Option<u8> {
        let repair = self.payloads.iter().find(|payload| payload.repairs == Some(payload_type));
        repair.map(|payload| payload.payload_type)
    }
}

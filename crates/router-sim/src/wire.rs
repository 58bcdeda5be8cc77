//! What stands for ICE and DTLS between the simulator's engine and its peers, one byte each, and what
//! both say of media once it is open. RTP and RTCP are real.

use tertulia_router_core::Mid;
use tertulia_router_core::rtp::srtp::MAX_RTCP_OVERHEAD;

/// Payloads end with this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Which line of which peer; unique in a run.
    pub(crate) line: u32,
    pub(crate) ssrc: u32,
    pub(crate) sequence_number: u64,
    pub(crate) timestamp: u32,
    /// The picture that it is of, as its source counts them (mod 2^15).
    pub(crate) picture: u16,
}

impl Mark {
    const BYTES: usize = 22;

    pub(crate) fn write(&self, payload: &mut Vec<u8>) {
        payload.extend(self.line.to_be_bytes());
        payload.extend(self.ssrc.to_be_bytes());
        payload.extend(self.sequence_number.to_be_bytes());
        payload.extend(self.timestamp.to_be_bytes());
        payload.extend(self.picture.to_be_bytes());
    }

    pub(crate) fn read(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader(payload.get(payload.len().checked_sub(Self::BYTES)?..)?);
        Some(Self {
            line: reader.take().map(u32::from_be_bytes)?,
            ssrc: reader.take().map(u32::from_be_bytes)?,
            sequence_number: reader.take().map(u64::from_be_bytes)?,
            timestamp: reader.take().map(u32::from_be_bytes)?,
            picture: reader.take().map(u16::from_be_bytes)?,
        })
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }
}

/// A media packet that left the router, open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) mid: Mid,
    /// Of the line, also if it came by another that repeats.
    pub(crate) ssrc: u32,
    /// Of the line, extended; that of the packet which is repeated.
    pub(crate) sequence_number: u64,
    pub(crate) timestamp: u32,
    /// Identifiers of its picture, and of the lowest temporal layer's, as far as its codec has some.
    pub(crate) picture: Option<(u16, u8)>,
    /// The number of its frame in its dependency descriptor.
    pub(crate) frame: Option<u16>,
    /// In the transport.
    pub(crate) transport_sequence: Option<u16>,
    pub(crate) is_audio: bool,
    /// It left before.
    pub(crate) is_repeated: bool,
    /// What it is; none if nobody of the simulation made it.
    pub(crate) mark: Option<Mark>,
    /// What else is in it, with the number that it had (redundant audio).
    pub(crate) former: Vec<(u64, Option<Mark>)>,
}

/// What the router asks of a publisher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    KeyFrame(u32),
    Again(u32, Vec<u16>),
}

/// What a datagram of the router says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heard {
    Alive,
    Bye,
    Media(Box<Packet>),
    Control(Vec<Request>),
}

/// In place of ICE and DTLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Message {
    /// A peer's connectivity check, as STUN, so that the router finds its transport.
    Check {
        ufrag: String,
    },
    /// Its answer.
    Alive,
    Bye,
    /// Breaks the engine of its transport.
    Poison,
}

const STUN_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

/// RTP or RTCP (RFC 7983 section 7).
pub(crate) fn is_media(datagram: &[u8]) -> bool {
    matches!(datagram, [128..=191, ..])
}

/// Room for any compound that peers compose, sealed.
pub(crate) const CONTROL_BYTES: usize = 1200 + MAX_RTCP_OVERHEAD;

impl Message {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Check { ufrag } => check(ufrag),
            Self::Alive => vec![20],
            Self::Bye => vec![21],
            Self::Poison => vec![22],
        }
    }

    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        if let Some(ufrag) = tertulia_router_core::stun_local_ufrag(bytes) {
            return Some(Self::Check { ufrag: ufrag.to_owned() });
        }
        match bytes {
            [20] => Some(Self::Alive),
            [21] => Some(Self::Bye),
            [22] => Some(Self::Poison),
            _ => None,
        }
    }
}

/// A binding request with nothing but a user name (RFC 8489 section 5).
fn check(ufrag: &str) -> Vec<u8> {
    let name = format!("{ufrag}:peer");
    let padded = name.len().next_multiple_of(4);
    let mut out = vec![0, 1];
    out.extend((4 + padded as u16).to_be_bytes());
    out.extend(STUN_COOKIE);
    out.extend([0; 12]);
    out.extend([0, 6]);
    out.extend((name.len() as u16).to_be_bytes());
    out.extend(name.as_bytes());
    out.resize(24 + padded, 0);
    out
}

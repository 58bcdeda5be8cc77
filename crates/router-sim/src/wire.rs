//! What the simulator's engine and its peers say to each other: the first byte says what it is.

use tertulia_router_core::Mid;

/// Payloads end with this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Which line of which peer; unique in a run.
    pub(crate) line: u32,
    pub(crate) ssrc: u32,
    pub(crate) sequence_number: u64,
    pub(crate) timestamp: u32,
}

impl Mark {
    const BYTES: usize = 20;

    pub(crate) fn write(self, payload: &mut Vec<u8>) {
        payload.extend(self.line.to_be_bytes());
        payload.extend(self.ssrc.to_be_bytes());
        payload.extend(self.sequence_number.to_be_bytes());
        payload.extend(self.timestamp.to_be_bytes());
    }

    pub(crate) fn read(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader(payload.get(payload.len().checked_sub(Self::BYTES)?..)?);
        Some(Self {
            line: reader.u32()?,
            ssrc: reader.u32()?,
            sequence_number: reader.u64()?,
            timestamp: reader.u32()?,
        })
    }
}

/// A media packet, of either direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) mid: Mid,
    /// 0 without simulcast.
    pub(crate) rid: u8,
    pub(crate) ssrc: u32,
    pub(crate) payload_type: u8,
    pub(crate) sequence_number: u64,
    pub(crate) timestamp: u32,
    pub(crate) marker: bool,
    /// It left before.
    pub(crate) is_repeated: bool,
    pub(crate) payload: Vec<u8>,
}

/// One datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Message {
    /// A peer's connectivity check, as STUN, so that the router finds its transport.
    Check {
        ufrag: String,
    },
    /// Its answer.
    Alive,
    Media(Packet),
    /// Of a subscriber, or to a publisher (then of one encoding).
    KeyFrame {
        mid: Mid,
        rid: u8,
    },
    Nack {
        mid: Mid,
        sequence_number: u64,
    },
    SenderReport {
        mid: Mid,
        rid: u8,
        ntp_ms: u64,
        timestamp: u32,
    },
    Bye,
    /// Breaks the engine of its transport.
    Poison,
}

const STUN_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

impl Message {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(96);
        match self {
            Self::Check { ufrag } => check(&mut out, ufrag),
            Self::Alive => out.push(0x80),
            Self::Media(packet) => {
                out.push(0x81);
                put_mid(&mut out, packet.mid);
                let flags = u8::from(packet.marker) | u8::from(packet.is_repeated) << 1;
                out.extend([packet.rid, packet.payload_type, flags]);
                out.extend(packet.ssrc.to_be_bytes());
                out.extend(packet.sequence_number.to_be_bytes());
                out.extend(packet.timestamp.to_be_bytes());
                out.extend(&packet.payload);
            }
            Self::KeyFrame { mid, rid } => {
                out.push(0x82);
                put_mid(&mut out, *mid);
                out.push(*rid);
            }
            Self::Nack { mid, sequence_number } => {
                out.push(0x83);
                put_mid(&mut out, *mid);
                out.extend(sequence_number.to_be_bytes());
            }
            Self::SenderReport { mid, rid, ntp_ms, timestamp } => {
                out.push(0x84);
                put_mid(&mut out, *mid);
                out.push(*rid);
                out.extend(ntp_ms.to_be_bytes());
                out.extend(timestamp.to_be_bytes());
            }
            Self::Bye => out.push(0x85),
            Self::Poison => out.push(0x86),
        }
        out
    }

    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        if let Some(ufrag) = tertulia_router_core::stun_local_ufrag(bytes) {
            return Some(Self::Check { ufrag: ufrag.to_owned() });
        }
        let mut reader = Reader(bytes);
        Some(match reader.u8()? {
            0x80 => Self::Alive,
            0x81 => {
                let mid = reader.mid()?;
                let (rid, payload_type, flags) = (reader.u8()?, reader.u8()?, reader.u8()?);
                Self::Media(Packet {
                    mid,
                    rid,
                    payload_type,
                    marker: flags & 1 != 0,
                    is_repeated: flags & 2 != 0,
                    ssrc: reader.u32()?,
                    sequence_number: reader.u64()?,
                    timestamp: reader.u32()?,
                    payload: reader.0.to_vec(),
                })
            }
            0x82 => Self::KeyFrame { mid: reader.mid()?, rid: reader.u8()? },
            0x83 => Self::Nack { mid: reader.mid()?, sequence_number: reader.u64()? },
            0x84 => Self::SenderReport {
                mid: reader.mid()?,
                rid: reader.u8()?,
                ntp_ms: reader.u64()?,
                timestamp: reader.u32()?,
            },
            0x85 => Self::Bye,
            0x86 => Self::Poison,
            _ => return None,
        })
    }
}

/// A binding request with nothing but a user name (RFC 8489 section 5).
fn check(out: &mut Vec<u8>, ufrag: &str) {
    let name = format!("{ufrag}:peer");
    let padded = name.len().next_multiple_of(4);
    out.extend([0, 1]);
    out.extend((4 + padded as u16).to_be_bytes());
    out.extend(STUN_COOKIE);
    out.extend([0; 12]);
    out.extend([0, 6]);
    out.extend((name.len() as u16).to_be_bytes());
    out.extend(name.as_bytes());
    out.resize(24 + padded, 0);
}

fn put_mid(out: &mut Vec<u8>, mid: Mid) {
    out.push(mid.as_str().len() as u8);
    out.extend(mid.as_str().as_bytes());
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }

    fn mid(&mut self) -> Option<Mid> {
        let length = usize::from(self.u8()?);
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Mid::parse(std::str::from_utf8(text).ok()?)
    }
}

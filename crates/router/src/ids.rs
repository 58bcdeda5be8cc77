//! Identifiers and small value types that commands, events and the forwarding core share.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::sink::ShardIndex;

/// One ICE + DTLS association. Given by the router, never 0, never reused while it lives. The lowest
/// 8 bits are the shard that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TransportId(pub u64);

impl TransportId {
    /// Most shards that ids can tell apart.
    pub const MAX_SHARDS: u16 = 256;

    /// The id of the transport with this number, from 1, of a shard.
    #[must_use]
    pub fn new(number: u64, shard: ShardIndex) -> Self {
        Self((number << 8) | u64::from(shard.0 & 0xff))
    }

    /// The shard that has the transport.
    #[must_use]
    pub fn shard(self) -> ShardIndex {
        ShardIndex((self.0 & 0xff) as u16)
    }
}

/// Index of a slot pair on its transport, from 0, in the order in which offers added them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SlotIndex(pub u32);

/// Counts the bindings of one slot pair, from 1; 0 says that the pair was never bound.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Generation(pub u32);

/// What a media line carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Sound, on a 48 kHz RTP clock (Opus).
    Audio,
    /// Pictures, on a 90 kHz RTP clock.
    Video,
}

impl Kind {
    /// The rate of the RTP clock of this kind, in hertz.
    #[must_use]
    pub fn clock_hz(self) -> u32 {
        match self {
            Self::Audio => 48_000,
            Self::Video => 90_000,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Audio => "audio",
            Self::Video => "video",
        })
    }
}

/// Identification of a media line (RFC 8843): 1 to 16 ASCII letters and digits.
///
/// The engine replaces any other character, so that two different identifications could become
/// one; they are refused instead.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mid(str0m::media::Mid);

impl Mid {
    /// Most bytes that an identification has.
    pub const MAX_BYTES: usize = 16;

    /// Parses an identification; `None` if it is empty, too long or has another character.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=Self::MAX_BYTES).contains(&text.len());
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric());
        (fits && plain).then(|| Self(text.into()))
    }

    /// The identification as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn to_engine(self) -> str0m::media::Mid {
        self.0
    }
}

impl fmt::Debug for Mid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mid({})", self.as_str())
    }
}

impl fmt::Display for Mid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Mid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Mid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| D::Error::custom("a mid is 1 to 16 ASCII letters and digits"))
    }
}

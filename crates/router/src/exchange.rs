//! What the shards of one router tell each other.
//!
//! Shards share nothing. What one must know of another travels as a [`ShardMessage`], in order and
//! never lost; media travels as [`Media`], once per shard that has subscribers, and may be lost like
//! any packet. Whoever runs the shards carries both.

use std::time::Instant;

use crate::codec::{Format, FrameInfo};
use crate::command::Source;
use crate::engine::{Extensions, RtpIn};
use crate::error::RouterError;
use crate::ids::{Kind, Mid, TransportId};
use crate::layers::{Layer, Need};
use crate::plane::MediaBytes;
use crate::sink::ShardIndex;
use crate::sojourn::ReceivedAt;

/// For whom a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recipient {
    /// One shard.
    Shard(ShardIndex),
    /// All the others, and whoever else looks for user names.
    Everybody,
}

/// One thing that a shard tells.
#[derive(Debug, Clone, PartialEq)]
pub enum ShardMessage {
    /// Checks with this local ICE user name are for the sender.
    UfragAdded(String),
    /// No longer.
    UfragRemoved(String),
    /// The peer at this address proved itself to the sender, by way of the receiver's socket: what
    /// comes from there is for the sender.
    AddressLearned(PeerAddress),
    /// No longer.
    AddressForgotten(PeerAddress),
    /// A slot of the sender wants a source of the receiver; to be answered.
    Subscribe {
        /// To be repeated in the answer.
        request: u64,
        /// What is wanted.
        source: Source,
    },
    /// The answer: what is known of the formats of audio and video, or why the source cannot be had.
    Subscribed {
        /// As asked.
        request: u64,
        /// Formats of audio and video, where known.
        outcome: Result<Formats, RouterError>,
    },
    /// The last slot of the sender that wanted this line is gone.
    Unsubscribe {
        /// The publisher's transport.
        transport: TransportId,
        /// The line.
        mid: Mid,
    },
    /// What there is to choose from on a line of the sender's, for a shard that has subscribers of it.
    Layers {
        /// The publisher's transport.
        transport: TransportId,
        /// The line.
        mid: Mid,
        /// The lowest first.
        layers: Vec<Layer>,
    },
    /// What the subscribers of the sender need of a line.
    Need {
        /// The publisher's transport.
        transport: TransportId,
        /// The line.
        mid: Mid,
        /// Of all of them together.
        need: Need,
    },
    /// A client of the sender hears the loudest only, and some of them may be streams of the receiver's.
    Listens,
    /// Who speaks of those that the receiver wants, by publisher and line, and how loud: dB above -127
    /// dBov.
    Voices(Vec<((TransportId, Mid), f32)>),
    /// A subscriber of the sender needs a key frame.
    KeyFrame {
        /// The publisher's transport.
        transport: TransportId,
        /// The line.
        mid: Mid,
        /// Of this encoding of it.
        encoding: u8,
        /// It was asked for before and has not come.
        is_retry: bool,
    },
}

/// Where a peer sends from, and to which of the router's sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PeerAddress {
    /// Index of the socket.
    pub socket: usize,
    /// The peer.
    pub source: std::net::SocketAddr,
}

/// Formats of the two lines of a source, where known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Formats {
    /// Of its audio.
    pub audio: Option<Format>,
    /// Of its video.
    pub video: Option<Format>,
}

/// What travels with the payload of a packet from the publisher's shard to a subscriber's.
#[derive(Debug, Clone, Copy)]
pub struct MediaHeader {
    /// The publisher's transport.
    pub transport: TransportId,
    /// The line that it came on.
    pub mid: Mid,
    /// What the line carries.
    pub kind: Kind,
    /// What its payload type stands for.
    pub format: Format,
    /// What its payload says of the frame.
    pub frame: FrameInfo,
    /// When it was captured, on the router's clock.
    pub captured: Instant,
    /// The same on the publisher's clock, in microseconds, once it told.
    pub source_us: Option<i64>,
    /// Which encoding of the line.
    pub encoding: u8,
    /// Something later of the encoding came before it.
    pub is_late: bool,
    /// Greatest number of the encoding that came before it; 0 if it is the first.
    pub newest_before: u64,
    /// As in [`RtpIn`].
    pub ssrc: u32,
    /// As in [`RtpIn`].
    pub payload_type: u8,
    /// As in [`RtpIn`].
    pub sequence_number: u64,
    /// As in [`RtpIn`].
    pub timestamp: u32,
    /// As in [`RtpIn`].
    pub marker: bool,
    /// As in [`RtpIn`]; their dependency descriptor is at the start of the payload.
    pub extensions: Extensions,
    /// When it came, if it is followed.
    pub received: Option<ReceivedAt>,
    /// Bytes that stand before the payload.
    pub lead: u16,
}

impl MediaHeader {
    /// The packet with this payload.
    #[must_use]
    pub fn packet(&self, payload: MediaBytes) -> RtpIn {
        let mut extensions = self.extensions;
        if let Some(place) = &mut extensions.dependency {
            place.start = payload.start();
        }
        RtpIn {
            mid: self.mid,
            rid: None,
            ssrc: self.ssrc,
            payload_type: self.payload_type,
            sequence_number: self.sequence_number,
            timestamp: self.timestamp,
            marker: self.marker,
            extensions,
            payload: payload.without(self.lead),
        }
    }
}

/// A packet for another shard.
#[derive(Debug, Clone)]
pub struct Media {
    /// Everything but the payload.
    pub header: MediaHeader,
    /// With what stands before it. To be copied: a payload that two shards count references to would be a payload that they share.
    pub payload: MediaBytes,
}

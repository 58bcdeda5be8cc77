//! What the router tells control of its own accord.

use serde::{Deserialize, Serialize};

use crate::command::{Carried, TrackInfo};
use crate::ids::{Generation, Kind, Mid, SlotIndex, TransportId};
use crate::statistics::{Dropped, ShardStatistics};

/// The life of a transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransportState {
    /// Answered; nothing authenticated came yet.
    New,
    /// A connectivity check was authenticated; DTLS is not up.
    Connecting,
    /// ICE and DTLS are up.
    Connected,
    /// No connectivity check for 15 s; it may come back.
    Disconnected,
    /// Ended by an error; the reason says which.
    Failed,
    /// Ended by the client or by control.
    Closed,
}

/// The loudest level of one track in an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioLevel {
    /// The line.
    pub mid: Mid,
    /// 0 is the loudest, -127 silence (RFC 6464).
    pub level_dbov: i8,
}

/// What was forwarded into a slot, or could not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BindingEvent {
    /// The subscriber's transport.
    pub transport: TransportId,
    /// The slot pair.
    pub slot: SlotIndex,
    /// The binding.
    pub generation: Generation,
    /// Which half of the pair.
    pub kind: Kind,
    /// `opus`, `vp8`, `h264` or `vp9`.
    pub codec: String,
}

/// What became of a binding's video for its subscriber's bandwidth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VideoFallback {
    /// It is sent (again).
    Sent,
    /// It may soon be left out.
    Warned,
    /// It is left out.
    Stopped,
}

/// An audio slot carries another stream than before, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioSlotEvent {
    /// The subscriber's transport.
    pub transport: TransportId,
    /// The pair whose audio line it is.
    pub slot: SlotIndex,
    /// Counts the streams that it has carried.
    pub turn: Generation,
    /// Absent: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<Carried>,
    /// The first timestamp that this can have, in units of 1/48000 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_rtp_timestamp: Option<u32>,
}

/// Counters of one transport since it was opened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// The transport.
    pub transport: TransportId,
    /// RTP packets of media that came.
    pub packets_received: u64,
    /// Their payload bytes.
    pub bytes_received: u64,
    /// RTP packets forwarded to it, retransmissions not included.
    pub packets_sent: u64,
    /// Their payload bytes.
    pub bytes_sent: u64,
    /// Packets that never came from the client, and those that it reported missing.
    pub packets_lost: u64,
    /// Packets bound for it that could not be sent to it (unknown codec, older than the binding).
    pub packets_dropped: u64,
    /// Retransmission requests that came from it.
    pub nacks_received: u64,
    /// Key-frame requests that came from it.
    pub key_frame_requests: u64,
    /// Newest round-trip estimate, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_trip_ms: Option<f64>,
    /// Media packets that were sent to it once more because it asked.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retransmissions: u64,
    /// What was dropped on the way from or to it, by cause.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drops: Vec<Dropped>,
    /// What may be sent to it, in bit/s, if it reports on what arrives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate_bps: Option<u64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// A transport entered a state.
    TransportState {
        /// The transport.
        transport: TransportId,
        /// As given when it was opened.
        seat: String,
        /// The state entered.
        state: TransportState,
        /// Why, if it failed or was closed by the client.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// First packet of a track, or another codec than before.
    Track {
        /// The publisher's transport.
        transport: TransportId,
        /// The track as it is now.
        track: TrackInfo,
    },
    /// Other encodings of a line are needed by nobody than before: the publisher may stop to send
    /// these, and should send all others.
    LayersPaused {
        /// The publisher's transport.
        transport: TransportId,
        /// The line.
        mid: Mid,
        /// By `rid`, or of a line with one encoding its spatial layers as `S1` and `S2`; never the lowest.
        rids: Vec<String>,
    },
    /// The first packet of a binding left.
    BindingStarted(BindingEvent),
    /// The subscriber negotiated no payload type for what the publisher sends.
    CodecNotSupported(BindingEvent),
    /// After the former: the publisher changed to a codec that the subscriber has.
    CodecSupported(BindingEvent),
    /// A video is left out for its subscriber's bandwidth, soon may be, or is sent (again).
    VideoFallback {
        /// The subscriber's transport.
        transport: TransportId,
        /// The slot pair.
        slot: SlotIndex,
        /// The binding.
        generation: Generation,
        /// What became of it.
        state: VideoFallback,
    },
    /// See there.
    AudioSlot(AudioSlotEvent),
    /// Every 200 ms, only tracks that sent.
    AudioLevels {
        /// The publisher's transport.
        transport: TransportId,
        /// In the order of its tracks.
        levels: Vec<AudioLevel>,
    },
    /// Every 2 s.
    Statistics(Statistics),
    /// Every 2 s, of all shards at once; made by whoever runs them.
    RouterStatistics {
        /// By index.
        shards: Vec<ShardStatistics>,
    },
}

impl Event {
    /// Whether the event may be lost first when control reads too slowly.
    #[must_use]
    pub fn is_expendable(&self) -> bool {
        matches!(
            self,
            Self::AudioLevels { .. } | Self::Statistics(_) | Self::RouterStatistics { .. }
        )
    }
}

//! Messages of the wire. What a load generator has no use for is not read.

use serde::{Deserialize, Serialize};

/// Place of an event in the session's log (0 for what is not in it), and the message.
pub type ServerFrame = (u64, ServerMessage);

/// One receive-only audio and one video line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the contract has them")]
pub struct SlotPair {
    pub slot: u32,
    pub audio_mid: String,
    pub video_mid: String,
}

/// What a client says.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[allow(missing_docs, reason = "the contract has them")]
pub enum ClientMessage {
    Join {
        token: String,
        client: ClientName,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        audio_slots: bool,
    },
    Resume {
        connection_id: String,
        resume_key: String,
        after: u64,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        audio_slots: bool,
    },
    Pong {},
    Negotiate {
        epoch: u32,
        offer: String,
        slots: Vec<SlotPair>,
    },
    Publish {
        epoch: u32,
        offer: String,
        slots: Vec<SlotPair>,
        #[serde(skip_serializing_if = "Option::is_none")]
        audio_mid: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        video_mid: Option<String>,
        name: String,
        has_audio: bool,
        has_video: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        video_type: Option<&'static str>,
        video_dimensions: Dimensions,
        #[serde(skip_serializing_if = "Option::is_none")]
        frame_rate: Option<u32>,
    },
    Republish {
        epoch: u32,
        offer: String,
        slots: Vec<SlotPair>,
        stream_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        audio_mid: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        video_mid: Option<String>,
    },
    Subscribe {
        stream_id: String,
        audio: bool,
        video: bool,
    },
    ReleaseSlot {
        slot: u32,
        generation: u32,
    },
    Leave {},
}

impl ClientMessage {
    /// The frame on the wire; `id` is 0 for what is no request, `ack` the number of the last event.
    #[must_use]
    pub fn frame(&self, id: u64, ack: u64) -> String {
        // Only maps with keys that are no strings cannot be written, and there are none.
        serde_json::to_string(&(id, ack, self)).unwrap_or_default()
    }
}

/// What a client says of itself.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs, reason = "the contract has them")]
pub struct ClientName {
    pub name: &'static str,
    pub version: &'static str,
}

impl ClientName {
    /// This program.
    pub const OWN: Self = Self { name: "tertulia-load", version: env!("CARGO_PKG_VERSION") };
}

/// Size of a picture.
#[derive(Debug, Clone, Copy, Serialize)]
#[allow(missing_docs, reason = "the contract has them")]
pub struct Dimensions {
    pub width: u32,
    pub height: u32,
}

/// What the server says; everything that needs no reaction is `Other`.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[allow(missing_docs, reason = "the contract has them")]
pub enum ServerMessage {
    Joined(Box<Joined>),
    Resumed(Resumed),
    Refused {
        error: ErrorBody,
    },
    Reply {
        id: u64,
        #[serde(default)]
        result: Option<ReplyResult>,
        #[serde(default)]
        error: Option<ErrorBody>,
    },
    Ping {},
    Bound {
        binding: Binding,
    },
    Unbound {
        subscription_id: u32,
        slot: u32,
        generation: u32,
    },
    SlotsNeeded {
        pairs: usize,
    },
    AudioSlot {
        slot: u32,
        #[serde(default)]
        subscription_id: Option<u32>,
    },
    MediaFailed {
        epoch: u32,
    },
    Disconnected {
        reason: String,
    },
    StreamCreated {
        stream: Stream,
    },
    StreamDestroyed {
        stream_id: String,
    },
    #[serde(other)]
    Other,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the contract has them")]
pub struct Joined {
    pub connection: Connection,
    pub streams: Vec<Stream>,
    pub number: u64,
    pub resume_key: String,
    pub reconnect_window_s: f64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the contract has them")]
pub struct Resumed {
    pub resume_key: String,
    pub epoch: u32,
    pub bindings: Vec<Binding>,
    #[serde(default)]
    pub snapshot: Option<Snapshot>,
}

#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "the contract has them")]
pub struct Snapshot {
    pub streams: Vec<Stream>,
    pub number: u64,
}

#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "the contract has them")]
pub struct Connection {
    pub id: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the contract has them")]
pub struct Stream {
    pub id: String,
    pub connection_id: String,
}

/// A stream in a slot pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the contract has them")]
pub struct Binding {
    pub subscription_id: u32,
    pub slot: u32,
    pub generation: u32,
}

/// What replies carry, of any request.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the contract has them")]
pub struct ReplyResult {
    #[serde(default)]
    pub answer: Option<String>,
    #[serde(default)]
    pub stream: Option<Stream>,
    #[serde(default)]
    pub subscription_id: Option<u32>,
}

/// Why something was refused.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[allow(missing_docs, reason = "the contract has them")]
pub struct ErrorBody {
    pub name: String,
    pub code: u32,
    pub message: String,
}

//! The messages of the router link and their bytes.
//!
//! A frame is a 4-byte big-endian length and that many bytes of `MessagePack`: one map with string
//! keys. Unknown fields are ignored, absent ones are left out.

use std::io::{self, Read};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tertulia_router_core::{
    Bind, Bound, CloseTransport, Event, Listing, OpenTransport, Opened, Pause, Prefer, Renegotiate,
    Renegotiated, RequestKeyFrame, RouterError, SetAudioSlots, Unbind,
};

/// The version that this router speaks.
pub const VERSION: u32 = 1;
/// The oldest version that it still speaks.
pub const OLDEST_VERSION: u32 = 1;
/// Largest frame, without its length: the listing of a full router, all of whose clients watch as many streams as they may.
pub const MAX_FRAME_BYTES: usize = 134_217_728;
/// Most events of one batch.
pub const MAX_EVENTS: usize = 256;

/// The first message of a control.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The newest version that control speaks.
    pub version: u32,
    /// The oldest one.
    pub oldest_version: u32,
}

/// What control asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Agree on a version and become the control that is served.
    Hello(Hello),
    /// See [`OpenTransport`].
    OpenTransport(OpenTransport),
    /// See [`Renegotiate`].
    Renegotiate(Renegotiate),
    /// See [`CloseTransport`].
    CloseTransport(CloseTransport),
    /// See [`Bind`].
    Bind(Bind),
    /// See [`Unbind`].
    Unbind(Unbind),
    /// See [`Pause`].
    Pause(Pause),
    /// See [`Prefer`].
    Prefer(Prefer),
    /// See [`SetAudioSlots`].
    SetAudioSlots(SetAudioSlots),
    /// See [`RequestKeyFrame`].
    RequestKeyFrame(RequestKeyFrame),
    /// Everything there is.
    List,
}

/// Answer to [`Hello`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HelloReply {
    /// The version that both speak from here on.
    pub version: u32,
    /// The version of the program.
    pub router_version: String,
    /// Its process.
    pub pid: u32,
    /// The UDP port of every address.
    pub udp_port: u16,
    /// What clients are told.
    pub public_addresses: Vec<String>,
}

/// A result without content: an empty map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Empty {}

/// A result, by request.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Reply {
    /// To `hello`.
    Hello(HelloReply),
    /// To `open_transport`.
    Opened(Opened),
    /// To `renegotiate`.
    Renegotiated(Renegotiated),
    /// To `bind`.
    Bound(Bound),
    /// To `list`.
    Listing(Listing),
    /// To everything else.
    Empty(Empty),
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Stable; one of the contract's list.
    pub code: String,
    /// Cause and remedy in words.
    pub message: String,
}

impl Refusal {
    /// A refusal with this code.
    #[must_use]
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into() }
    }
}

impl From<RouterError> for Refusal {
    fn from(error: RouterError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

/// Events since the batch before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventBatch {
    /// At most [`MAX_EVENTS`], in the order in which they happened.
    pub events: Vec<Event>,
    /// How many were lost since the batch before, because control read too slowly.
    pub dropped: u64,
}

/// A frame that is no request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Malformed {
    /// Not even an envelope: there is nobody to answer.
    Envelope(String),
    /// A request with this id that is refused.
    Request(u64, Refusal),
}

#[derive(Serialize, Deserialize)]
struct Envelope {
    r#type: String,
    id: u64,
}

#[derive(Serialize)]
struct Outgoing<'a, T> {
    r#type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    #[serde(flatten)]
    body: &'a T,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome<'a> {
    Result(&'a Reply),
    Error(&'a Refusal),
}

impl Request {
    /// Reads the body of a frame.
    pub fn decode(bytes: &[u8]) -> Result<(u64, Self), Malformed> {
        let Envelope { r#type, id } =
            rmp_serde::from_slice(bytes).map_err(|e| Malformed::Envelope(e.to_string()))?;
        let request = match r#type.as_str() {
            "hello" => body(bytes).map(Self::Hello),
            "open_transport" => body(bytes).map(Self::OpenTransport),
            "renegotiate" => body(bytes).map(Self::Renegotiate),
            "close_transport" => body(bytes).map(Self::CloseTransport),
            "bind" => body(bytes).map(Self::Bind),
            "unbind" => body(bytes).map(Self::Unbind),
            "pause" => body(bytes).map(Self::Pause),
            "prefer" => body(bytes).map(Self::Prefer),
            "set_audio_slots" => body(bytes).map(Self::SetAudioSlots),
            "request_key_frame" => body(bytes).map(Self::RequestKeyFrame),
            "list" => Ok(Self::List),
            unknown => Err(Refusal::new(
                "unknown_request",
                format!(
                    "The request type `{unknown}` is not known; update the router or the control \
                     process."
                ),
            )),
        };
        request.map(|request| (id, request)).map_err(|refusal| Malformed::Request(id, refusal))
    }

    /// Writes the body of a frame; the router itself never sends one.
    pub fn encode(&self, id: u64) -> Result<Vec<u8>, rmp_serde::encode::Error> {
        let id = Some(id);
        match self {
            Self::Hello(body) => encode("hello", id, body),
            Self::OpenTransport(body) => encode("open_transport", id, body),
            Self::Renegotiate(body) => encode("renegotiate", id, body),
            Self::CloseTransport(body) => encode("close_transport", id, body),
            Self::Bind(body) => encode("bind", id, body),
            Self::Unbind(body) => encode("unbind", id, body),
            Self::Pause(body) => encode("pause", id, body),
            Self::Prefer(body) => encode("prefer", id, body),
            Self::SetAudioSlots(body) => encode("set_audio_slots", id, body),
            Self::RequestKeyFrame(body) => encode("request_key_frame", id, body),
            Self::List => encode("list", id, &Empty {}),
        }
    }
}

fn body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    rmp_serde::from_slice(bytes).map_err(|cause| {
        let message = format!("The request is not valid: {cause}; send every field in its range.");
        Refusal::new("invalid_request", message)
    })
}

fn encode<T: Serialize>(
    r#type: &str,
    id: Option<u64>,
    body: &T,
) -> Result<Vec<u8>, rmp_serde::encode::Error> {
    rmp_serde::to_vec_named(&Outgoing { r#type, id, body })
}

/// Writes the body of a reply frame.
pub fn encode_reply(
    id: u64,
    outcome: &Result<Reply, Refusal>,
) -> Result<Vec<u8>, rmp_serde::encode::Error> {
    let outcome = match outcome {
        Ok(reply) => Outcome::Result(reply),
        Err(refusal) => Outcome::Error(refusal),
    };
    encode("reply", Some(id), &outcome)
}

/// Writes the body of an event frame.
pub fn encode_events(batch: &EventBatch) -> Result<Vec<u8>, rmp_serde::encode::Error> {
    encode("events", None, batch)
}

/// Reads one frame; `None` at the end of the stream.
pub fn read_frame(stream: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match stream.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let length = u32::from_be_bytes(length) as usize;
    if !(1..=MAX_FRAME_BYTES).contains(&length) {
        let message = format!("a frame of {length} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes)?;
    Ok(Some(bytes))
}

/// Puts the length before the body of a frame.
#[must_use]
pub fn frame(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4 + body.len());
    bytes.extend((body.len() as u32).to_be_bytes());
    bytes.extend(body);
    bytes
}

//! What control asks of the router and what the router answers, as values.
//!
//! The shapes are those of `contract/router-link.yaml`; the link only frames them.

use serde::{Deserialize, Serialize};

use crate::event::{TransportState, VideoFallback};
use crate::ids::{Generation, Kind, Mid, SlotIndex, TransportId};
use crate::layers::Wishes;

/// The two receive-only media lines of a client that one stream at a time is forwarded into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotPair {
    /// Index of the pair on its transport.
    pub slot: SlotIndex,
    /// The audio line.
    pub audio_mid: Mid,
    /// The video line.
    pub video_mid: Mid,
}

/// What a slot is bound to. At least one of the two lines is present.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The publisher's transport.
    pub transport: TransportId,
    /// The line on which it sends audio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_mid: Option<Mid>,
    /// The line on which it sends video.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video_mid: Option<Mid>,
}

/// A media line on which a client sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackInfo {
    /// The line.
    pub mid: Mid,
    /// What it carries.
    pub kind: Kind,
    /// `opus`, `vp8`, `h264` or `vp9`, once a packet came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codec: Option<String>,
    /// Whether a packet came.
    pub receiving: bool,
    /// What nobody needs, as in `Event::LayersPaused`; absent for a line without layers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_rids: Option<Vec<String>>,
}

/// A client's first offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenTransport {
    /// Control's own key for the seat, at most 256 bytes, opaque here.
    pub seat: String,
    /// Counts the transports of one seat; opaque here.
    pub epoch: u32,
    /// The SDP offer.
    pub offer: String,
    /// The slot pairs that the offer brings.
    pub slots: Vec<SlotPair>,
    /// Transports of one group are kept on one shard while there is room; at most 256 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// A further offer of the same client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renegotiate {
    /// The transport to change.
    pub transport: TransportId,
    /// The SDP offer.
    pub offer: String,
    /// The new slot pairs only.
    pub slots: Vec<SlotPair>,
}

/// Ends a transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloseTransport {
    /// The transport to end.
    pub transport: TransportId,
}

/// Forwards a source into a free slot pair.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is one field of the link")]
pub struct Bind {
    /// The subscriber's transport.
    pub transport: TransportId,
    /// The slot pair.
    pub slot: SlotIndex,
    /// Must be greater than every generation that the pair had.
    pub generation: Generation,
    /// What to forward.
    pub source: Source,
    /// Forward no audio for now.
    pub audio_paused: bool,
    /// Forward no video for now.
    pub video_paused: bool,
    /// The picture that the subscriber would like.
    #[serde(default, skip_serializing_if = "is_default")]
    pub wishes: Wishes,
    /// The video may be left out while the subscriber's network cannot carry its lowest layer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub audio_fallback: bool,
    /// The video is a screen, which has room in the subscriber's network before cameras have.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_screen: bool,
}

fn is_default(wishes: &Wishes) -> bool {
    *wishes == Wishes::default()
}

/// Frees a slot pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unbind {
    /// The subscriber's transport.
    pub transport: TransportId,
    /// The slot pair.
    pub slot: SlotIndex,
    /// The binding to end; another generation than the bound one changes nothing.
    pub generation: Generation,
}

/// Sets both pause flags of a binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// The subscriber's transport.
    pub transport: TransportId,
    /// The slot pair.
    pub slot: SlotIndex,
    /// The binding to change; another generation than the bound one changes nothing.
    pub generation: Generation,
    /// Forward no audio.
    pub audio_paused: bool,
    /// Forward no video.
    pub video_paused: bool,
}

/// Says anew which picture the subscriber of a binding would like.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Prefer {
    /// The subscriber's transport.
    pub transport: TransportId,
    /// The slot pair.
    pub slot: SlotIndex,
    /// The binding to change; another generation than the bound one changes nothing.
    pub generation: Generation,
    /// All wishes; what is absent is wished for no more.
    #[serde(default, skip_serializing_if = "is_default")]
    pub wishes: Wishes,
    /// As in [`Bind`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_screen: bool,
}

/// Sets which pairs of a transport are audio slots: to a subscriber that has some, only the loudest of
/// its bound streams are forwarded, each on the audio line of one of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAudioSlots {
    /// The subscriber's transport.
    pub transport: TransportId,
    /// Pairs that are not bound, at most 16; none: each pair carries its own sound again.
    pub slots: Vec<SlotIndex>,
}

/// Asks a publisher for a key frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestKeyFrame {
    /// The publisher's transport.
    pub transport: TransportId,
    /// Its video line.
    pub mid: Mid,
}

/// Answer to [`OpenTransport`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// The new transport.
    pub transport: TransportId,
    /// The SDP answer.
    pub answer: String,
    /// The lines on which the client sends.
    pub tracks: Vec<TrackInfo>,
}

/// Answer to [`Renegotiate`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renegotiated {
    /// The SDP answer.
    pub answer: String,
    /// The lines on which the client sends now.
    pub tracks: Vec<TrackInfo>,
}

/// Answer to [`Bind`]: the first RTP timestamp that a packet of the binding can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// In units of 1/48000 s; absent if the source has no audio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_rtp_timestamp: Option<u32>,
    /// In units of 1/90000 s; absent if the source has no video.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video_rtp_timestamp: Option<u32>,
}

/// A slot pair and what it is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BindingInfo {
    /// Index of the pair on its transport.
    pub slot: SlotIndex,
    /// The audio line.
    pub audio_mid: Mid,
    /// The video line.
    pub video_mid: Mid,
    /// Of the newest binding; 0 if there never was one.
    pub generation: Generation,
    /// Absent while the pair is free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Whether audio is held back.
    pub audio_paused: bool,
    /// Whether video is held back.
    pub video_paused: bool,
    /// The picture that the subscriber would like.
    #[serde(default, skip_serializing_if = "is_default")]
    pub wishes: Wishes,
    /// Absent: the video was never left out for bandwidth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video_fallback: Option<VideoFallback>,
}

/// The binding whose sound an audio slot carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    /// The pair that it is bound to.
    pub slot: SlotIndex,
    /// The binding.
    pub generation: Generation,
}

/// What an audio slot carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioSlotInfo {
    /// The pair whose audio line it is.
    pub slot: SlotIndex,
    /// Counts the streams that it has carried.
    pub turn: Generation,
    /// Absent while it carries nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<Carried>,
    /// The first timestamp that this can have, in units of 1/48000 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_rtp_timestamp: Option<u32>,
}

/// Everything control needs to find its way again after it was restarted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TransportInfo {
    /// The transport.
    pub transport: TransportId,
    /// As given by [`OpenTransport`].
    pub seat: String,
    /// As given by [`OpenTransport`].
    pub epoch: u32,
    /// Its state.
    pub state: TransportState,
    /// The lines on which the client sends, in the order of its offer.
    pub tracks: Vec<TrackInfo>,
    /// Its slot pairs by index.
    pub slots: Vec<BindingInfo>,
    /// Its audio slots, if it has any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audio_slots: Vec<AudioSlotInfo>,
}

/// Answer to a listing: every transport, by id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Listing {
    /// By id.
    pub transports: Vec<TransportInfo>,
}

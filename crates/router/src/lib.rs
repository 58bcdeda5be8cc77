//! The sans-IO forwarding core of the Tertulia media router.
//!
//! It takes datagrams, commands and the time, and gives datagrams, events and a deadline; it opens
//! no socket, starts no thread and has no clock, so a whole call runs in a test under virtual time.
//! It knows no session, role or name: those are control's.
//!
//! **The drain rule.** After any number of inputs call [`Router::flush`], then take everything from
//! [`Router::poll_transmit`] and [`Router::poll_event`], then ask [`Router::next_deadline`]. Asking
//! for the deadline with unflushed inputs is a bug of the caller.
//!
//! One *transport* is one client's ICE and DTLS association. A client sends on *tracks* and receives
//! on *slots*, pairs of an audio and a video line that one stream at a time is bound to.

mod bandwidth;
mod choice;
mod codec;
mod command;
mod commands;
mod config;
mod demux;
mod driving;
mod engine;
mod error;
mod event;
mod exchange;
mod fanout;
mod forward;
mod ids;
mod kept;
mod keyframe;
mod layers;
mod line;
mod lookahead;
mod loudness;
mod networks;
mod plane;
mod remote;
mod renumbering;
mod router;
pub mod rtp;
mod scalability;
mod sdp;
mod seats;
mod sink;
mod slot;
mod sojourn;
mod speakers;
mod statistics;
mod steering;
mod thinning;
mod track;
mod transport;
mod wallclock;
mod window;

pub use codec::{
    Codec, Format, FrameInfo, FrameSize, H264Profile, Payload, PictureId, TemporalLayer,
    Tl0PictureIndex, Vp9Layers, vp9_layers,
};
pub use command::{
    AudioSlotInfo, Bind, BindingInfo, Bound, Carried, CloseTransport, Listing, OpenTransport,
    Opened, Pause, Prefer, Renegotiate, Renegotiated, RequestKeyFrame, SetAudioSlots, SlotPair,
    Source, TrackInfo, TransportInfo, Unbind,
};
pub use config::{Config, LocalAddress, Protocol};
pub use demux::stun_local_ufrag;
pub use engine::{
    Answer, Datagram, DescriptorRewrite, Engine, EngineError, EngineFactory, EngineReport,
    Extensions, LinkState, Output, Reception, RtpIn, RtpOut, Str0mEngines, Transmit, Urgency,
};
pub use error::RouterError;
pub use event::{
    AudioLevel, AudioSlotEvent, BindingEvent, Event, Statistics, TransportState, VideoFallback,
};
pub use exchange::{Formats, Media, MediaHeader, PeerAddress, Recipient, ShardMessage};
pub use ids::{Generation, Kind, Mid, SlotIndex, TransportId};
pub use layers::{Budget, Encodings, Layer, MAX_TEMPORAL_LAYERS, Need, Rate, Step, Wishes, steps};
pub use lookahead::Work;
pub use networks::{Networks, Rates};
pub use plane::{
    Buffers, Datagrams, Departure, Description, LineDescription, MediaBytes, PayloadDescription,
    Plane, ReportedPacket, SentPacket, SourceDescription,
};
pub use router::{Counters, Foreign, Router};
pub use sink::{PeerRouterId, ShardIndex, Sink, TapId};
pub use sojourn::{ReceivedAt, Sojourns};
pub use statistics::{DropCause, Dropped, Drops, ShardStatistics};

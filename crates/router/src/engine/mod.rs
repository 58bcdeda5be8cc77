//! The boundary between the router and whatever does ICE, DTLS, SRTP and RTCP of one transport.
//!
//! Behind it stand str0m for ICE, DTLS and SDP, and our own media plane for the rest ([`Str0mEngines`]).

mod checks;
mod dtls;
mod flight;
mod guard;
mod path;
mod records;
mod str0m;

use std::net::SocketAddr;
use std::time::{Instant, SystemTime};

use ::str0m::media::Rid;
use thiserror::Error;

pub(crate) use guard::Guarded;
pub use str0m::Str0mEngines;

use crate::codec::Payload;
use crate::exchange::PeerAddress;
use crate::ids::Mid;
use crate::lookahead::Work;
use crate::plane::{Datagrams, MediaBytes, ReportedPacket, SentPacket};
use crate::rtp::{self, AbsoluteCaptureTime, AudioLevel};
use crate::sojourn::ReceivedAt;
use crate::statistics::DropCause;

/// A datagram that came to one of the router's sockets.
#[derive(Debug, Clone, Copy)]
pub struct Datagram<'a> {
    /// Index of the socket in [`Config::local_addresses`](crate::Config::local_addresses).
    pub socket: usize,
    /// Who sent it.
    pub source: SocketAddr,
    /// What it carries.
    pub contents: &'a [u8],
}

/// A datagram to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// Index of the socket to send it from.
    pub socket: usize,
    /// Where to.
    pub destination: SocketAddr,
    /// What it carries.
    pub contents: Vec<u8>,
    /// Where the queue of a slow connection is full, the least urgent goes first.
    pub urgency: Urgency,
}

/// How badly a peer needs a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Video: much, and soon followed by more.
    Video,
    /// Audio.
    Audio,
    /// Checks, handshakes and reports.
    Control,
}

/// Values of RTP header extensions that travel from a publisher to its subscribers. Those that
/// belong to one hop (mid, rid, transport-wide sequence number) are the engine's own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extensions {
    /// RFC 6464: 0 the loudest, -127 silence.
    pub audio_level_dbov: Option<i8>,
    /// RFC 6464: whether the encoder heard a voice.
    pub voice_activity: Option<bool>,
    /// 3GPP TS 26.114: quarter turns in the lower two bits, then whether it is mirrored and which camera.
    pub video_orientation: Option<u8>,
    /// When the frame was captured, on the publisher's clock.
    pub capture_time: Option<AbsoluteCaptureTime>,
    /// Which frames the packet's frame needs.
    pub dependency: Option<Dependency>,
}

/// Where a packet's dependency descriptor stands in the buffer of its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dependency {
    /// In bytes from the start of the buffer.
    pub start: u16,
    /// In bytes.
    pub length: u8,
}

impl Extensions {
    /// What of a packet's extensions travels; `buffer` is where they stand.
    #[must_use]
    pub fn of(read: &rtp::Extensions<'_>, buffer: &[u8]) -> Self {
        Self {
            audio_level_dbov: read.audio_level.map(|level| -(level.level as i8)),
            voice_activity: read.audio_level.map(|level| level.voice),
            video_orientation: read.video_orientation,
            capture_time: read.capture_time,
            dependency: read.dependency_descriptor.and_then(|descriptor| {
                let start = descriptor.as_ptr().addr().checked_sub(buffer.as_ptr().addr())?;
                let length = u8::try_from(descriptor.len()).ok().filter(|length| *length > 0)?;
                Some(Dependency { start: u16::try_from(start).ok()?, length })
            }),
        }
    }

    /// The level as it is written.
    #[must_use]
    pub fn audio_level(&self) -> Option<AudioLevel> {
        let level = self.audio_level_dbov?.unsigned_abs().min(127);
        Some(AudioLevel { level, voice: self.voice_activity.unwrap_or(false) })
    }
}

/// A media packet that came, decrypted, never twice, retransmissions already unwrapped.
#[derive(Debug, Clone)]
pub struct RtpIn {
    /// The line that it came on.
    pub mid: Mid,
    /// Which of several encodings of the line.
    pub rid: Option<Rid>,
    /// Synchronisation source; the sequence numbers of one follow each other.
    pub ssrc: u32,
    /// As negotiated with this peer.
    pub payload_type: u8,
    /// Extended beyond 16 bits.
    pub sequence_number: u64,
    /// In units of the line's clock.
    pub timestamp: u32,
    /// Last packet of a frame (video), or first after silence (audio).
    pub marker: bool,
    /// See there.
    pub extensions: Extensions,
    /// Without RTP header.
    pub payload: MediaBytes,
}

/// Changes in descriptors; those in the payload keep their length.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DescriptorRewrite {
    /// New picture identifier, and where it stands.
    pub picture_id: Option<crate::codec::PictureId>,
    /// New index of temporal layer 0, and where it stands.
    pub tl0_picture_index: Option<crate::codec::Tl0PictureIndex>,
    /// What changes in the dependency descriptor, if there is one.
    pub dependency: rtp::dependency::Rewrite,
}

impl DescriptorRewrite {
    /// Writes the new values into a payload; a place beyond its end is left alone.
    pub fn apply(&self, payload: &mut [u8]) {
        let mut put = |offset: u8, byte: u8| {
            if let Some(target) = payload.get_mut(usize::from(offset)) {
                *target = byte;
            }
        };
        if let Some(id) = self.picture_id {
            let [high, low] = id.value.to_be_bytes();
            if id.is_long {
                put(id.offset, 0x80 | high);
                put(id.offset + 1, low);
            } else {
                put(id.offset, low & 0x7f);
            }
        }
        if let Some(index) = self.tl0_picture_index {
            put(index.offset, index.value);
        }
    }
}

/// A media packet to send.
#[derive(Debug, Clone)]
pub struct RtpOut {
    /// As negotiated with this peer.
    pub payload_type: u8,
    /// Extended beyond 16 bits; the first of a line is below 65,536.
    pub sequence_number: u64,
    /// In units of the line's clock.
    pub timestamp: u32,
    /// When `timestamp` was captured, on the router's clock; sender reports are made from it.
    pub captured: Instant,
    /// As it came.
    pub marker: bool,
    /// As they came.
    pub extensions: Extensions,
    /// As it came; shared by all subscribers.
    pub payload: MediaBytes,
    /// What to change in the payload.
    pub rewrite: DescriptorRewrite,
    /// Codec of the payload.
    pub codec: crate::codec::Codec,
    /// When it came, if it is followed.
    pub received: Option<ReceivedAt>,
}

impl RtpOut {
    /// The dependency descriptor as it leaves, if there is one that can be written.
    #[must_use]
    pub fn dependency(&self) -> Option<rtp::dependency::Written> {
        let descriptor = self.payload.beside(self.extensions.dependency?);
        self.rewrite.dependency.apply(descriptor).ok()
    }
}

/// What the connection itself does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkState {
    /// ICE and DTLS are up.
    Connected,
    /// Connectivity checks stopped coming.
    Disconnected,
    /// They came again.
    Recovered,
    /// The peer closed it.
    Closed,
}

/// Totals of one transport, as far as the engine counts them.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct EngineReport {
    /// Retransmission requests that came.
    pub nacks_received: u64,
    /// Packets that the peer reported missing.
    pub packets_lost_by_peer: u64,
    /// Newest round-trip estimate.
    pub round_trip_ms: Option<f64>,
    /// Media packets that were sent once more.
    pub retransmissions: u64,
}

/// What an engine has to say, one at a time.
#[derive(Debug)]
pub enum Output {
    /// Nothing more until this time or the next input.
    Deadline(Instant),
    /// Send this.
    Transmit(Transmit),
    /// A media packet came.
    Packet(RtpIn),
    /// The publisher said which wall-clock time an RTP timestamp stands for.
    SenderReport {
        /// The line.
        mid: Mid,
        /// Which encoding.
        rid: Option<Rid>,
        /// The publisher's wall clock.
        ntp: SystemTime,
        /// The RTP timestamp of that moment.
        timestamp: u32,
    },
    /// The peer cannot go on without a key frame on this line.
    KeyFrameRequested(Mid),
    /// The engine asked the peer for a key frame, to fill a hole in what it sends.
    KeyFrameAsked {
        /// The line.
        mid: Mid,
        /// Which encoding.
        rid: Option<Rid>,
    },
    /// The peer is sent to at another address from now on; what went to the former one may be lost.
    Moved,
    /// See there.
    State(LinkState),
    /// See there.
    Report(EngineReport),
    /// The peer says which packets came, in the order of their numbers, and when.
    Feedback(Vec<ReportedPacket>),
    /// The peer takes no more than this altogether, in bit/s.
    Bitrate(u64),
    /// Something of the peer was dropped.
    Dropped(DropCause),
}

/// What an engine answered to an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The SDP answer.
    pub sdp: String,
    /// The local ICE user name from now on.
    pub ufrag: String,
}

/// What became of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reception {
    /// The engine took it; a STUN message: its integrity was verified.
    Taken,
    /// It changed nothing.
    Refused(DropCause),
}

/// Why an engine did not do what it was told.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The offer was refused; the engine is as before.
    #[error("{0}")]
    Refused(String),
    /// The transport is over.
    #[error("{0}")]
    Failed(String),
    /// The engine broke one of its own invariants and was discarded.
    #[error("the media engine stopped: {0}")]
    Panicked(String),
}

/// One transport's ICE, DTLS, SRTP and RTCP. Starts nothing and owns no clock: after any input,
/// [`Engine::poll`] until it gives a deadline.
pub trait Engine: Send {
    /// Answers an offer. `slots` are all lines that this transport may ever [`Engine::send`] on.
    fn accept_offer(
        &mut self,
        now: Instant,
        offer: &str,
        slots: &[Mid],
    ) -> Result<Answer, EngineError>;

    /// The payload types that this line negotiated, in the order of preference; empty if unknown.
    fn payloads(&self, mid: Mid) -> Vec<Payload>;

    /// Takes a datagram, if it belongs to this transport.
    fn handle_datagram(
        &mut self,
        now: Instant,
        datagram: Datagram<'_>,
    ) -> Result<Reception, EngineError>;

    /// The address that the peer uses, as far as that is known: it is not forgotten for others of the peer's.
    fn address_in_use(&self) -> Option<PeerAddress> {
        None
    }

    /// Lets time pass.
    fn handle_timeout(&mut self, now: Instant) -> Result<(), EngineError>;

    /// The next output.
    fn poll(&mut self) -> Result<Output, EngineError>;

    /// Queues a packet on a slot line; it leaves with the next [`Engine::transmit`].
    fn send(&mut self, mid: Mid, packet: RtpOut) -> Result<(), EngineError>;

    /// The number of a slot line for [`Engine::send_by_number`], once it was negotiated; it stays the same.
    fn line_number(&self, _mid: Mid) -> Option<usize> {
        None
    }

    /// As [`Engine::send`], for a line whose number is known, which costs no search.
    fn send_by_number(
        &mut self,
        _number: usize,
        mid: Mid,
        packet: RtpOut,
    ) -> Result<(), EngineError> {
        self.send(mid, packet)
    }

    /// Whether [`Engine::transmit`] may have something to do.
    fn has_waiting(&self) -> bool {
        true
    }

    /// Puts what was queued into the arena, until that is full. Returns whether more waits.
    fn transmit(&mut self, now: Instant, datagrams: &mut Datagrams) -> Result<bool, EngineError>;

    /// Reads what the next call of this kind will read, and returns anything of it: called for several engines in
    /// a row, so that what is far in memory is fetched for all of them at once. Must not panic.
    fn look_at(&self, _work: Work) -> u64 {
        0
    }

    /// The packets of the last [`Engine::transmit`] that the peer will report on.
    fn sent(&self) -> &[SentPacket];

    /// Queues repetitions of what was sent, this many bytes at least: a probe. Returns whether there was
    /// something to repeat.
    fn probe(&mut self, bytes: usize) -> Result<bool, EngineError>;

    /// What new video may take from now on, in bits per second: what exceeds it leaves a little later.
    /// Without one everything leaves at once.
    fn pace(&mut self, bits_per_second: Option<u64>);

    /// When something leaves that [`Engine::pace`] holds back: [`Engine::transmit`] is needed then.
    fn release_at(&self) -> Option<Instant>;

    /// How many packets each one of redundant audio repeats from now on; an engine without it does nothing.
    fn set_redundancy(&mut self, _packets: u8) {}

    /// What [`Engine::pace`] holds back of a slot line leaves with the next [`Engine::transmit`]: whoever it was meant
    /// for gets nothing of it later.
    fn let_out(&mut self, mid: Mid) -> Result<(), EngineError>;

    /// Forgets what was sent on a slot line, so that no retransmission of it leaves any more.
    fn forget_sent(&mut self, mid: Mid) -> Result<(), EngineError>;

    /// Nothing that was sent on a slot line leaves again, but as what a probe is made of: the video is left out, and
    /// shall return. An engine without probes forgets it.
    fn rest(&mut self, mid: Mid) -> Result<(), EngineError> {
        self.forget_sent(mid)
    }

    /// Asks the peer for a key frame.
    fn request_key_frame(&mut self, mid: Mid, rid: Option<Rid>) -> Result<(), EngineError>;

    /// Says goodbye to the peer; the last datagrams come out of [`Engine::poll`].
    fn close(&mut self) -> Result<(), EngineError>;
}

/// Makes engines.
pub trait EngineFactory: Send {
    /// A new engine for one transport.
    fn create(&mut self, now: Instant) -> Result<Box<dyn Engine>, EngineError>;
}

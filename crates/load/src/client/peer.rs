//! A peer connection: a full ICE agent, the active side of DTLS, SRTP and RTCP, by str0m in its RTP mode.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::config::{CryptoProvider, DtlsCert};
use str0m::format::{Codec, FormatParams};
use str0m::media::{Direction, Frequency, KeyframeRequestKind, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{Extension, ExtensionMap, ExtensionValues, RtpWrite, Ssrc};
use str0m::{Candidate, Event, IceConnectionState, Input, Output, Rtc, RtcConfig};

use super::dtls;
use crate::media::MediaPacket;
use crate::reach::Reach;
use crate::signalling::SlotPair;

const OPUS: u8 = 111;
const VP8: u8 = 96;
const VP8_RTX: u8 = 97;
const VP9: u8 = 98;
const VP9_RTX: u8 = 99;
const H264: u8 = 102;
const H264_RTX: u8 = 103;
/// H.264 constrained baseline, level 3.1: what every browser has.
const H264_PROFILE: u32 = 0x42_e01f;
/// Packets kept for retransmission: 3 s at 5 Mbit/s.
const RETRANSMISSION_PACKETS: usize = 2_048;

/// The peer connection is of no more use, or an answer cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// What str0m says of an answer.
    #[error("the server's answer cannot be used ({0})")]
    Answer(String),
    /// No candidate in it may be loaded.
    #[error(
        "the media router is not on this machine; with the permission of its operator, add \
         --i-have-permission"
    )]
    OutOfReach,
    /// What str0m says of a packet or of time.
    #[error("the media transport failed ({0})")]
    Failed(String),
}

/// What a line carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineKind {
    /// Opus.
    Audio,
    /// VP8, VP9 or H.264.
    Video,
}

/// A packet that came.
#[derive(Debug)]
pub struct Received {
    /// The slot pair.
    pub slot: u32,
    /// Which of its lines.
    pub kind: LineKind,
    /// The payload, decrypted; retransmissions have the original one.
    pub payload: Arc<[u8]>,
    /// What it came on.
    pub ssrc: Ssrc,
}

/// What a peer connection has to tell.
#[derive(Debug)]
pub enum Arrival {
    /// ICE and DTLS are done.
    Connected,
    /// ICE has lost the router.
    Disconnected,
    /// A packet.
    Packet(Received),
    /// The router wants a key frame.
    KeyFrameRequested,
}

/// How long a peer connection is asked what it has to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// Until there is nothing more.
    Idle,
    /// Until a packet came, if one did.
    Packet,
}

/// Makes peer connections that share one certificate: its key is what takes time.
#[derive(Clone)]
pub struct PeerFactory {
    crypto: Arc<CryptoProvider>,
    certificate: Option<DtlsCert>,
    reach: Reach,
}

impl PeerFactory {
    /// Its peer connections talk to routers within `reach` alone.
    #[must_use]
    pub fn new(reach: Reach) -> Self {
        Self::with_crypto(reach, dtls::crypto_provider())
    }

    /// The same with another cryptography.
    #[must_use]
    pub fn with_crypto(reach: Reach, crypto: CryptoProvider) -> Self {
        Self {
            certificate: crypto.dtls_provider.generate_certificate(),
            crypto: Arc::new(crypto),
            reach,
        }
    }
}

impl PeerFactory {
    /// A peer connection without lines that sends from `local`.
    pub fn create(&self, now: Instant, local: SocketAddr) -> Result<Peer, PeerError> {
        let mut rtc = self.config().build(now);
        let candidate = Candidate::host(local, Protocol::Udp).map_err(failed)?;
        rtc.add_local_candidate(candidate);
        Ok(Peer {
            rtc,
            local,
            reach: self.reach,
            pairs: Vec::new(),
            sends: None,
            lines: FxHashMap::default(),
            is_answering: false,
            is_connected: false,
        })
    }

    fn config(&self) -> RtcConfig {
        let mut extensions = ExtensionMap::empty();
        for (number, extension) in [
            (1, Extension::AudioLevel),
            (2, Extension::AbsoluteCaptureTime),
            (3, Extension::TransportSequenceNumber),
            (4, Extension::RtpMid),
            (10, Extension::RtpStreamId),
            (11, Extension::RepairedRtpStreamId),
            (13, Extension::VideoOrientation),
        ] {
            extensions.set(number, extension);
        }
        let mut config = RtcConfig::new()
            .set_crypto_provider(Arc::clone(&self.crypto))
            .set_rtp_mode(true)
            .set_extension_map(extensions)
            .set_send_buffer_video(RETRANSMISSION_PACKETS)
            .set_rtcp_report_interval_audio(Duration::from_secs(1))
            .clear_codecs();
        let codecs = config.codec_config();
        let opus =
            FormatParams { min_p_time: Some(10), use_inband_fec: Some(true), ..Default::default() };
        codecs.add_config(
            OPUS.into(),
            None,
            Codec::Opus,
            Frequency::FORTY_EIGHT_KHZ,
            Some(2),
            opus,
        );
        let video = Frequency::NINETY_KHZ;
        let vp9 = FormatParams { profile_id: Some(0), ..Default::default() };
        codecs.add_config(
            VP8.into(),
            Some(VP8_RTX.into()),
            Codec::Vp8,
            video,
            None,
            FormatParams::default(),
        );
        codecs.add_config(VP9.into(), Some(VP9_RTX.into()), Codec::Vp9, video, None, vp9);
        codecs.add_h264(H264.into(), Some(H264_RTX.into()), true, H264_PROFILE);
        match &self.certificate {
            Some(certificate) => config.set_dtls_cert(certificate.clone()),
            None => config,
        }
    }
}

/// The lines of the stream that a peer publishes.
#[derive(Debug, Clone, Copy)]
pub struct SendLines {
    /// Absent if it publishes no audio.
    pub audio: Option<Mid>,
    /// Absent if it publishes no video.
    pub video: Option<Mid>,
}

/// An offer that waits for its answer.
pub struct Offer {
    /// For the server.
    pub sdp: String,
    /// Pairs that are new in it.
    pub slots: Vec<SlotPair>,
    /// For the answer.
    pub pending: SdpPendingOffer,
}

/// A peer connection.
pub struct Peer {
    rtc: Rtc,
    local: SocketAddr,
    reach: Reach,
    pairs: Vec<(Mid, Mid)>,
    sends: Option<SendLines>,
    /// Which line an SSRC belongs to, once a packet came.
    lines: FxHashMap<Ssrc, (u32, LineKind)>,
    /// Whether the lines are those of the other side's offer.
    is_answering: bool,
    is_connected: bool,
}

impl Peer {
    /// Slot pairs offered so far.
    #[must_use]
    pub fn pairs(&self) -> usize {
        self.pairs.len()
    }

    /// The lines of the own stream, once they were offered.
    #[must_use]
    pub fn sends(&self) -> Option<SendLines> {
        self.sends
    }

    /// Whether ICE and DTLS are done.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.is_connected
    }

    /// An offer with lines to send on, if there are none yet and `publish` says of which kinds, and with as many slot
    /// pairs as are missing to `pairs`; `None` if that changes nothing.
    pub fn offer(&mut self, publish: Option<(bool, bool)>, pairs: usize) -> Option<Offer> {
        let first = self.pairs.len();
        let mut api = self.rtc.sdp_api();
        let mut add = |kind, direction| api.add_media(kind, direction, None, None, None);
        if let (None, Some((audio, video))) = (self.sends, publish) {
            self.sends = Some(SendLines {
                audio: audio.then(|| add(MediaKind::Audio, Direction::SendOnly)),
                video: video.then(|| add(MediaKind::Video, Direction::SendOnly)),
            });
        }
        for _ in first..pairs {
            let audio = add(MediaKind::Audio, Direction::RecvOnly);
            self.pairs.push((audio, add(MediaKind::Video, Direction::RecvOnly)));
        }
        let (offer, pending) = api.apply()?;
        let slots = (0..).zip(&self.pairs).skip(first).map(|(slot, (audio, video))| SlotPair {
            slot,
            audio_mid: audio.to_string(),
            video_mid: video.to_string(),
        });
        Some(Offer { sdp: offer.to_sdp_string(), slots: slots.collect(), pending })
    }

    /// Takes the answer to the newest offer.
    pub fn accept(&mut self, pending: SdpPendingOffer, answer: &str) -> Result<(), PeerError> {
        let answer_error = |error: &dyn std::fmt::Display| PeerError::Answer(error.to_string());
        let answer = self.reach.filter(answer).ok_or(PeerError::OutOfReach)?;
        let answer = SdpAnswer::from_sdp_string(&answer).map_err(|e| answer_error(&e))?;
        self.rtc.sdp_api().accept_answer(pending, answer).map_err(|e| answer_error(&e))
    }

    /// Answers an offer of lines to receive on, each of which becomes half a slot pair. Our router makes no offers;
    /// other media servers do.
    pub fn answer(&mut self, offer: &str) -> Result<String, PeerError> {
        let offer_error = |error: &dyn std::fmt::Display| PeerError::Answer(error.to_string());
        let offer = self.reach.filter(offer).ok_or(PeerError::OutOfReach)?;
        let offer = SdpOffer::from_sdp_string(&offer).map_err(|e| offer_error(&e))?;
        self.is_answering = true;
        let answer = self.rtc.sdp_api().accept_offer(offer).map_err(|e| offer_error(&e))?;
        Ok(answer.to_sdp_string())
    }

    /// Sends a packet of the own stream; `level_dbov` is that of audio.
    pub fn send(&mut self, now: Instant, kind: LineKind, packet: MediaPacket, level_dbov: i8) {
        let line = self.sends.and_then(|sends| match kind {
            LineKind::Audio => sends.audio,
            LineKind::Video => sends.video,
        });
        let Some(mid) = line else { return };
        let (payload_type, level) = match kind {
            LineKind::Audio => (OPUS, Some(level_dbov)),
            LineKind::Video => (VP8, None),
        };
        let extensions = ExtensionValues {
            audio_level: level,
            voice_activity: level.map(|_| true),
            ..ExtensionValues::default()
        };
        // The first sequence number is in the lower half, so that it does not wrap at once (RFC 3550 section 5.1).
        let number = packet.number + 1;
        let write = RtpWrite::new(
            payload_type.into(),
            number.into(),
            packet.timestamp,
            now,
            packet.payload,
        )
        .marker(packet.marker)
        .nackable(kind == LineKind::Video)
        .ext_vals(extensions);
        if let Some(stream) = self.rtc.direct_api().stream_tx_by_mid(mid, None) {
            stream.write_rtp(write);
        }
    }

    /// Asks for a key frame (PLI, RFC 4585 section 6.3.1); it leaves with the next [`Self::handle_timeout`].
    pub fn request_key_frame(&mut self, ssrc: Ssrc) {
        if let Some(stream) = self.rtc.direct_api().stream_rx(&ssrc) {
            stream.request_keyframe(KeyframeRequestKind::Pli);
        }
    }

    /// A datagram came from the router.
    pub fn handle_datagram(
        &mut self,
        now: Instant,
        from: SocketAddr,
        bytes: &[u8],
    ) -> Result<(), PeerError> {
        let Ok(receive) = Receive::new(Protocol::Udp, from, self.local, bytes) else {
            return Ok(());
        };
        self.use_input(Input::Receive(now, receive))
    }

    /// As [`Self::handle_datagram`], for one that was read together with another: the engine was given `now` with that.
    pub(super) fn handle_another(
        &mut self,
        now: Instant,
        from: SocketAddr,
        bytes: &[u8],
    ) -> Result<(), PeerError> {
        // At a time before the newest the engine takes what came and looks at no timer.
        let before = now.checked_sub(Duration::from_nanos(1)).unwrap_or(now);
        self.handle_datagram(before, from, bytes)
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), PeerError> {
        self.use_input(Input::Timeout(now))
    }

    /// Ends DTLS in order; what is to be sent for that is polled as ever.
    pub fn close(&mut self) {
        // A transport that has no DTLS yet has nothing to close.
        let _ = self.rtc.close();
    }

    /// Gives datagrams to `send` and what happened to `tell` until there is no more; returns when to call
    /// [`Self::handle_timeout`].
    pub fn poll(
        &mut self,
        send: &mut dyn FnMut(&[u8], SocketAddr),
        tell: &mut dyn FnMut(Arrival),
    ) -> Result<Instant, PeerError> {
        loop {
            if let Some(at) = self.poll_until(Until::Idle, send, tell)? {
                return Ok(at);
            }
        }
    }

    /// As [`Self::poll`]; with [`Until::Packet`] it returns after one, and nothing: then the next datagram may be given
    /// to the engine, which holds one packet.
    pub(super) fn poll_until(
        &mut self,
        until: Until,
        send: &mut dyn FnMut(&[u8], SocketAddr),
        tell: &mut dyn FnMut(Arrival),
    ) -> Result<Option<Instant>, PeerError> {
        loop {
            match self.rtc.poll_output().map_err(failed)? {
                Output::Timeout(at) => return Ok(Some(at)),
                Output::Transmit(transmit) => send(&transmit.contents, transmit.destination),
                Output::Event(event) => {
                    let is_packet = matches!(event, Event::RtpPacket(_));
                    if let Some(arrival) = self.translate(event) {
                        tell(arrival);
                    }
                    if is_packet && until == Until::Packet {
                        return Ok(None);
                    }
                }
            }
        }
    }

    fn use_input(&mut self, input: Input) -> Result<(), PeerError> {
        match self.rtc.handle_input(input) {
            Err(error) if !self.rtc.is_alive() => Err(failed(error)),
            // A packet that cannot be used is lost, which shows in what is counted.
            _ => Ok(()),
        }
    }

    fn translate(&mut self, event: Event) -> Option<Arrival> {
        match event {
            Event::Connected => {
                self.is_connected = true;
                Some(Arrival::Connected)
            }
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) => {
                Some(Arrival::Disconnected)
            }
            Event::MediaAdded(added) if self.is_answering => {
                let other = Mid::from("-");
                self.pairs.push(match added.kind {
                    MediaKind::Audio => (added.mid, other),
                    MediaKind::Video => (other, added.mid),
                });
                None
            }
            Event::KeyframeRequest(_) => Some(Arrival::KeyFrameRequested),
            Event::RtpPacket(packet) => {
                let (slot, kind) = self.line_of(packet.header.ssrc)?;
                let ssrc = packet.header.ssrc;
                Some(Arrival::Packet(Received { slot, kind, payload: packet.payload, ssrc }))
            }
            _ => None,
        }
    }

    fn line_of(&mut self, ssrc: Ssrc) -> Option<(u32, LineKind)> {
        if let Some(known) = self.lines.get(&ssrc) {
            return Some(*known);
        }
        let mid = self.rtc.direct_api().stream_rx(&ssrc)?.mid();
        let line = (0..).zip(&self.pairs).find_map(|(slot, (audio, video))| match mid {
            mid if mid == *audio => Some((slot, LineKind::Audio)),
            mid if mid == *video => Some((slot, LineKind::Video)),
            _ => None,
        })?;
        self.lines.insert(ssrc, line);
        Some(line)
    }
}

fn failed(error: impl std::fmt::Display) -> PeerError {
    PeerError::Failed(error.to_string())
}

#[cfg(test)]
#[path = "peer_tests.rs"]
mod tests;

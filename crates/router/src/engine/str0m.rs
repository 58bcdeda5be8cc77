//! The engine that leaves everything to str0m: ICE-lite, DTLS, SRTP, RTCP, retransmission.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use str0m::change::SdpOffer;
use str0m::config::{CryptoProvider, DtlsCert};
use str0m::format::{Codec as EngineCodec, PayloadParams};
use str0m::ice::StunMessage;
use str0m::media::{KeyframeRequestKind, Rid};
use str0m::net::{Protocol, Receive, TcpType};
use str0m::rtp::{
    Extension, ExtensionMap, ExtensionValues, RtpPacket, RtpWrite, Ssrc, Vp8Descriptor,
};
use str0m::{Candidate, Event, IceConnectionState, Input, Output as EngineOutput, Rtc, RtcConfig};

use super::path::{Path, Sign};
use super::repetition::Repetition;
use super::rtp_door::RtpDoor;
use super::{
    Answer, Datagram, DescriptorRewrite, Engine, EngineError, EngineFactory, EngineReport,
    Extensions, LinkState, Output, Reception, RtpIn, RtpOut, Transmit, Urgency, dtls,
};
use crate::codec::{Codec, Format, H264Profile, Payload};
use crate::config::{LocalAddress, Protocol as Carrier};
use crate::exchange::PeerAddress;
use crate::ids::Mid;
use crate::statistics::DropCause;

/// Packets that one video line keeps for retransmission: 3 s at 5 Mbit/s and 1,150 bytes.
const RETRANSMISSION_PACKETS: usize = 2048;
const RETRANSMISSION_AGE: Duration = Duration::from_secs(3);
/// Above this share of all bytes, retransmissions stop: 20 % loss needs 0.2 and what is lost again.
const RETRANSMISSION_SHARE: f32 = 0.5;

/// Sender reports of audio and video come equally often: lip sync after a slot was rebound is as
/// old as the slower of the two.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
const STATISTICS_INTERVAL: Duration = Duration::from_secs(2);

/// Makes str0m engines that share one certificate and one set of candidates. A clone makes engines
/// of the same certificate.
#[derive(Clone)]
pub struct Str0mEngines {
    crypto: Arc<CryptoProvider>,
    certificate: Option<DtlsCert>,
    sockets: Arc<[LocalAddress]>,
}

impl Str0mEngines {
    /// A factory for these sockets. Generates the certificate (P-256), once per process.
    #[must_use]
    pub fn new(sockets: &[LocalAddress]) -> Self {
        let crypto = dtls::crypto_provider();
        Self {
            certificate: crypto.dtls_provider.generate_certificate(),
            crypto: Arc::new(crypto),
            sockets: sockets.into(),
        }
    }

    fn config(&self) -> RtcConfig {
        let mut config = RtcConfig::new()
            .set_crypto_provider(Arc::clone(&self.crypto))
            .set_ice_lite(true)
            .set_rtp_mode(true)
            .set_extension_map(extension_map())
            .set_stats_interval(Some(STATISTICS_INTERVAL))
            .set_rtcp_report_interval_audio(REPORT_INTERVAL)
            .set_rtcp_report_interval_video(REPORT_INTERVAL)
            .set_send_buffer_video(RETRANSMISSION_PACKETS)
            .clear_codecs()
            .enable_opus(true, false)
            .enable_vp8(true)
            .enable_vp9(true);
        for (payload_type, rtx, profile_level_id) in [
            (108, 109, 0x42_e01f),
            (127, 121, 0x42_001f),
            (123, 119, 0x4d_001f),
            (114, 115, 0x64_001f),
        ] {
            let (main, rtx) = (payload_type.into(), Some(rtx.into()));
            config.codec_config().add_h264(main, rtx, true, profile_level_id);
        }
        match &self.certificate {
            Some(certificate) => config.set_dtls_cert(certificate.clone()),
            None => config,
        }
    }
}

/// What is negotiated, by URI; the numbers are only the wishes of an offer that we never make.
fn extension_map() -> ExtensionMap {
    let mut map = ExtensionMap::empty();
    map.set(1, Extension::AudioLevel);
    map.set(2, Extension::AbsoluteCaptureTime);
    map.set(3, Extension::TransportSequenceNumber);
    map.set(4, Extension::RtpMid);
    map.set(10, Extension::RtpStreamId);
    map.set(11, Extension::RepairedRtpStreamId);
    map.set(13, Extension::VideoOrientation);
    map
}

impl EngineFactory for Str0mEngines {
    fn create(&mut self, now: Instant) -> Result<Box<dyn Engine>, EngineError> {
        let mut rtc = self.config().build(now);
        let association = dtls::take_newest();
        for socket in self.sockets.iter() {
            for address in &socket.advertised {
                let candidate = candidate(socket.protocol, *address)
                    .map_err(|e| EngineError::Failed(e.to_string()))?;
                rtc.add_local_candidate(candidate);
            }
        }
        Ok(Box::new(Str0mEngine {
            rtc,
            association,
            rtp_door: RtpDoor::default(),
            sockets: Arc::clone(&self.sockets),
            crypto: Arc::clone(&self.crypto),
            path: Path::default(),
            has_moved: false,
            media_from: None,
            video_payload_types: 0,
            repair_payload_types: 0,
            repetition: Repetition::default(),
            sends: FxHashMap::default(),
            receives: FxHashMap::default(),
            was_connected: false,
            now,
            report: EngineReport::default(),
            nacks: FxHashMap::default(),
            lost: FxHashMap::default(),
            repeated: FxHashMap::default(),
        }))
    }
}

/// The send side of one slot line. str0m reports on a stream as soon as it exists, so the stream
/// exists only from the first packet on: no sender report may leave a slot before.
struct SendLine {
    ssrc: Ssrc,
    rtx: Option<Ssrc>,
    started: bool,
    /// Media packets, each counted once.
    sent: u64,
}

struct Str0mEngine {
    rtc: Rtc,
    association: dtls::Shared,
    rtp_door: RtpDoor,
    sockets: Arc<[LocalAddress]>,
    crypto: Arc<CryptoProvider>,
    path: Path,
    /// Whether the path changed, and nobody was told yet.
    has_moved: bool,
    /// Where the media came from that is being taken.
    media_from: Option<(PeerAddress, Instant)>,
    /// A bit for every payload type that carries video or its repair.
    video_payload_types: u128,
    /// A bit for every payload type that carries repair.
    repair_payload_types: u128,
    repetition: Repetition,
    sends: FxHashMap<Mid, SendLine>,
    /// Which line and encoding an SSRC belongs to: header extensions say so in its first packets.
    receives: FxHashMap<Ssrc, (Mid, Option<Rid>)>,
    was_connected: bool,
    /// The time of the newest input.
    now: Instant,
    report: EngineReport,
    nacks: FxHashMap<Mid, u64>,
    lost: FxHashMap<Mid, u64>,
    repeated: FxHashMap<Mid, u64>,
}

/// Largest packet of a client: what fits into an Ethernet frame, and room for tunnels. A larger one
/// could hold a thousand requests.
const MAX_PACKET_BYTES: usize = 2048;

/// An SSRC table of one transport beyond this size is forgotten and learned anew.
const MAX_SSRCS: usize = 256;

impl Engine for Str0mEngine {
    fn accept_offer(
        &mut self,
        _now: Instant,
        offer: &str,
        slots: &[Mid],
    ) -> Result<Answer, EngineError> {
        let fingerprint = fingerprint_of(offer);
        let offer = SdpOffer::from_sdp_string(offer).map_err(refused)?;
        self.declare_waiting_lines();
        let answer = self.rtc.sdp_api().accept_offer(offer).map_err(|e| {
            if self.rtc.is_alive() { refused(e) } else { EngineError::Failed(e.to_string()) }
        });
        self.keep_only_started_lines(slots);
        self.receives.clear();
        self.video_payload_types = self.find_video_payload_types();
        self.repair_payload_types = self.find_repair_payload_types();
        let sdp = answer?.to_sdp_string();
        // str0m goes on comparing with the one of the first offer.
        let mut association = self.association.lock();
        association.fingerprint = association.fingerprint.or(fingerprint);
        drop(association);
        let ufrag = self.rtc.direct_api().local_ice_credentials().ufrag;
        Ok(Answer { sdp, ufrag })
    }

    fn payloads(&self, mid: Mid) -> Vec<Payload> {
        let Some(media) = self.rtc.media(mid.to_engine()) else {
            return Vec::new();
        };
        let params = self.rtc.codec_config().params();
        media
            .remote_pts()
            .iter()
            .filter_map(|pt| params.iter().find(|p| p.pt() == *pt))
            .filter_map(|p| Some(Payload { payload_type: *p.pt(), format: format_of(p)? }))
            .collect()
    }

    fn handle_datagram(
        &mut self,
        now: Instant,
        datagram: Datagram<'_>,
    ) -> Result<Reception, EngineError> {
        let from = PeerAddress { socket: datagram.socket, source: datagram.source };
        let Some((protocol, Some(destination))) =
            self.sockets.get(from.socket).map(|s| (protocol(s.protocol), s.advertised.first()))
        else {
            return Ok(Reception::Refused(DropCause::Refused));
        };
        let contents = datagram.contents;
        if contents.len() > MAX_PACKET_BYTES {
            return Ok(Reception::Refused(DropCause::Malformed));
        }
        let Ok(receive) = Receive::new(protocol, from.source, *destination, contents) else {
            return Ok(Reception::Refused(DropCause::Malformed));
        };
        let input = Input::Receive(now, receive);
        if !self.rtc.accepts(&input) {
            return Ok(Reception::Refused(DropCause::Refused));
        }
        let sign = match contents.first() {
            Some(0..=3) => match self.verified_check(contents) {
                Some(sign) => sign,
                None => return Ok(Reception::Refused(DropCause::Refused)),
            },
            _ => Sign::Unverified,
        };
        if is_rtp(contents)
            && let Err(cause) = self.rtp_door.check(now, contents)
        {
            return Ok(Reception::Refused(cause));
        }
        self.now = now;
        let refused = {
            let mut association = self.association.lock();
            association.now = Some(now);
            association.refused
        };
        let result = self.rtc.handle_input(input);
        let association = self.association.lock();
        if let (Some(cause), false) = (&association.failure, self.was_connected) {
            return Err(EngineError::Failed(format!("the DTLS handshake failed: {cause}")));
        }
        let is_in_place = association.refused == refused;
        drop(association);
        self.unless_dead(result)?;
        // The rest of a refused record's input, time passing, is taken with the next one.
        if !is_in_place {
            return Ok(Reception::Refused(DropCause::OutOfPlace));
        }
        self.has_moved |= self.path.note(now, from, sign) && self.was_connected;
        self.media_from = (sign == Sign::Unverified).then_some((from, now));
        Ok(Reception::Taken)
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), EngineError> {
        self.now = now;
        self.media_from = None;
        let result = self.rtc.handle_input(Input::Timeout(now));
        self.unless_dead(result)
    }

    fn poll(&mut self) -> Result<Output, EngineError> {
        loop {
            if std::mem::take(&mut self.has_moved) {
                return Ok(Output::Moved);
            }
            let output = self.rtc.poll_output().map_err(|e| EngineError::Failed(e.to_string()))?;
            match output {
                EngineOutput::Timeout(at) => return Ok(Output::Deadline(at)),
                EngineOutput::Transmit(t) => {
                    if let Some(transmit) = self.transmit(t) {
                        self.limit_repetition(&transmit.contents);
                        return Ok(Output::Transmit(transmit));
                    }
                }
                EngineOutput::Event(event) => {
                    if let Some(output) = self.translate(event) {
                        return Ok(output);
                    }
                }
            }
        }
    }

    fn send(&mut self, mid: Mid, packet: RtpOut) -> Result<(), EngineError> {
        let Some(line) = self.sends.get_mut(&mid) else {
            return Ok(());
        };
        if !line.started {
            if self.rtc.media(mid.to_engine()).is_none() {
                return Ok(());
            }
            let mut api = self.rtc.direct_api();
            let stream = api.declare_stream_tx(line.ssrc, line.rtx, mid.to_engine(), None);
            configure_retransmission(stream, line.rtx.is_some());
            line.started = true;
        }
        line.sent += 1;
        let (ssrc, is_video) = (line.ssrc, line.rtx.is_some());
        if let Some(stream) = self.rtc.direct_api().stream_tx(&ssrc) {
            stream.write_rtp(rtp_write(packet, is_video));
        }
        Ok(())
    }

    fn forget_sent(&mut self, mid: Mid) -> Result<(), EngineError> {
        if let Some(line) = self.sends.get(&mid).filter(|line| line.started)
            && let Some(stream) = self.rtc.direct_api().stream_tx(&line.ssrc)
        {
            configure_retransmission(stream, line.rtx.is_some());
        }
        Ok(())
    }

    fn request_key_frame(&mut self, mid: Mid, rid: Option<Rid>) -> Result<(), EngineError> {
        if let Some(stream) = self.rtc.direct_api().stream_rx_by_mid(mid.to_engine(), rid) {
            stream.request_keyframe(KeyframeRequestKind::Pli);
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), EngineError> {
        self.rtc.close().map_err(|e| EngineError::Failed(e.to_string()))
    }
}

impl Str0mEngine {
    /// Lines that never sent get their stream back for the time of an offer, else str0m would
    /// answer with a new SSRC for them.
    fn declare_waiting_lines(&mut self) {
        for (mid, line) in self.sends.iter().filter(|(_, line)| !line.started) {
            if self.rtc.media(mid.to_engine()).is_some() {
                self.rtc.direct_api().declare_stream_tx(line.ssrc, line.rtx, mid.to_engine(), None);
            }
        }
    }

    /// Learns the SSRCs of new slot lines, and takes the stream away from every line that has not
    /// sent, slot or not.
    fn keep_only_started_lines(&mut self, slots: &[Mid]) {
        for mid in slots {
            let mut api = self.rtc.direct_api();
            let Some(stream) = api.stream_tx_by_mid(mid.to_engine(), None) else {
                continue;
            };
            let (ssrc, rtx) = (stream.ssrc(), stream.rtx());
            let line =
                self.sends.entry(*mid).or_insert(SendLine { ssrc, rtx, started: false, sent: 0 });
            if !line.started {
                (line.ssrc, line.rtx) = (ssrc, rtx);
                api.remove_stream_tx(ssrc);
            }
        }
    }

    /// Whether a STUN message is a connectivity check of this transport's peer, and what it says.
    /// str0m takes everything from the nominated address for accepted before it looks at integrity.
    fn verified_check(&mut self, datagram: &[u8]) -> Option<Sign> {
        let message = StunMessage::parse(datagram).ok().filter(StunMessage::is_binding_request)?;
        let credentials = self.rtc.direct_api().local_ice_credentials();
        let hmac = self.crypto.sha1_hmac_provider;
        let is_genuine = message.split_username().map(|(local, _)| local)
            == Some(credentials.ufrag.as_str())
            && message.verify(credentials.pass.as_bytes(), |key, parts| hmac.sha1_hmac(key, parts));
        is_genuine.then(|| if message.use_candidate() { Sign::Nomination } else { Sign::Check })
    }

    /// A reply to a check goes where the check came from; everything else goes on the path.
    fn transmit(&self, transmit: str0m::net::Transmit) -> Option<Transmit> {
        let mut to = PeerAddress {
            socket: self.socket_of(transmit.proto, transmit.source)?,
            source: transmit.destination,
        };
        let contents: Vec<u8> = transmit.contents.into();
        let mut urgency = Urgency::Control;
        if let [first, second, ..] = *contents
            && first > 3
        {
            to = self.path.current().unwrap_or(to);
            // RTP, and not the RTCP that shares its range (RFC 5761 section 4).
            if (128..192).contains(&first) && !(192..224).contains(&second) {
                let is_video = self.video_payload_types >> (second & 0x7f) & 1 == 1;
                urgency = if is_video { Urgency::Video } else { Urgency::Audio };
            }
        }
        let PeerAddress { socket, source: destination } = to;
        Some(Transmit { socket, destination, contents, urgency })
    }

    /// Beyond the allowance everything that was sent is forgotten, so that no more can be repeated.
    fn limit_repetition(&mut self, contents: &[u8]) {
        if !is_rtp(contents) {
            return;
        }
        let payload_type = contents.get(1).map_or(0, |second| second & 0x7f);
        if self.repair_payload_types >> payload_type & 1 == 0 {
            self.repetition.note_media(contents.len());
        } else if !self.repetition.note_repetition(contents.len()) {
            for line in self.sends.values().filter(|line| line.started && line.rtx.is_some()) {
                if let Some(stream) = self.rtc.direct_api().stream_tx(&line.ssrc) {
                    configure_retransmission(stream, true);
                }
            }
        }
    }

    fn find_repair_payload_types(&self) -> u128 {
        let params = self.rtc.codec_config().params().iter();
        params.filter_map(PayloadParams::resend).fold(0, |bits, pt| bits | 1 << *pt)
    }

    fn find_video_payload_types(&self) -> u128 {
        let params = self.rtc.codec_config().params().iter();
        let video = params.filter(|p| p.spec().codec.is_video());
        video.flat_map(|p| [Some(p.pt()), p.resend()]).flatten().fold(0, |bits, pt| bits | 1 << *pt)
    }

    fn socket_of(&self, of: Protocol, local: SocketAddr) -> Option<usize> {
        let fits = |s: &LocalAddress| protocol(s.protocol) == of && s.advertised.contains(&local);
        self.sockets.iter().position(fits)
    }

    /// An input that str0m could not use is that packet's fault, unless it ended the transport.
    fn unless_dead(&self, result: Result<(), str0m::RtcError>) -> Result<(), EngineError> {
        match result {
            Err(error) if !self.rtc.is_alive() => Err(EngineError::Failed(error.to_string())),
            Err(error) => {
                tracing::debug!(%error, "input not used");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    fn translate(&mut self, event: Event) -> Option<Output> {
        let is_decrypted = matches!(
            event,
            Event::RtpPacket(_) | Event::KeyframeRequest(_) | Event::SenderFeedback(_)
        );
        if let (true, Some((from, now))) = (is_decrypted, self.media_from) {
            self.has_moved |= self.path.note(now, from, Sign::Media) && self.was_connected;
        }
        match event {
            Event::RtpPacket(packet) => self.packet(packet).map(Output::Packet),
            Event::KeyframeRequest(request) => {
                Some(Output::KeyFrameRequested(Mid::from_engine(request.mid)))
            }
            Event::SenderFeedback(feedback) => Some(Output::SenderReport {
                mid: Mid::from_engine(feedback.mid),
                rid: feedback.rid,
                ntp: feedback.sender_info.ntp_time,
                timestamp: feedback.sender_info.rtp_time.numer() as u32,
            }),
            Event::Connected => {
                self.was_connected = true;
                if let Some((keys, profile)) = self.association.lock().keys.take() {
                    self.rtp_door.open(self.now, &self.crypto, &keys, profile);
                }
                Some(Output::State(LinkState::Connected))
            }
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) => {
                Some(Output::State(LinkState::Disconnected))
            }
            Event::IceConnectionStateChange(
                IceConnectionState::Connected | IceConnectionState::Completed,
            ) if self.was_connected => Some(Output::State(LinkState::Recovered)),
            Event::Closed => Some(Output::State(LinkState::Closed)),
            Event::PeerStats(stats) => {
                if let Some(rtt) = stats.rtt {
                    self.report.round_trip_ms = Some(rtt.as_secs_f64() * 1000.0);
                }
                Some(Output::Report(self.report))
            }
            Event::MediaEgressStats(stats) => {
                let mid = Mid::from_engine(stats.mid);
                self.nacks.insert(mid, stats.nacks);
                self.report.nacks_received = self.nacks.values().sum();
                // What str0m counts includes retransmissions, what we gave it does not.
                let given = self.sends.get(&mid).map_or(0, |line| line.sent);
                let repeated = self.repeated.entry(mid).or_default();
                *repeated = (*repeated).max(stats.packets.saturating_sub(given));
                self.report.retransmissions = self.repeated.values().sum();
                if let Some(remote) = stats.remote {
                    self.lost.insert(mid, remote.packets_lost);
                    self.report.packets_lost_by_peer = self.lost.values().sum();
                }
                if let (None, Some(rtt)) = (self.report.round_trip_ms, stats.rtt) {
                    self.report.round_trip_ms = Some(rtt.as_secs_f64() * 1000.0);
                }
                Some(Output::Report(self.report))
            }
            _ => None,
        }
    }

    fn packet(&mut self, packet: RtpPacket) -> Option<RtpIn> {
        let header = packet.header;
        let (mid, rid) = match self.receives.get(&header.ssrc) {
            Some(known) => *known,
            None => self.learn(header.ssrc)?,
        };
        let values = header.ext_vals;
        Some(RtpIn {
            mid,
            rid,
            ssrc: *header.ssrc,
            payload_type: *header.payload_type,
            sequence_number: *packet.seq_no,
            timestamp: header.timestamp,
            marker: header.marker,
            extensions: Extensions {
                audio_level_dbov: values.audio_level,
                voice_activity: values.voice_activity,
                video_orientation: values.video_orientation,
                capture_time: values.abs_capture_time,
            },
            payload: packet.payload,
        })
    }

    fn learn(&mut self, ssrc: Ssrc) -> Option<(Mid, Option<Rid>)> {
        let mut api = self.rtc.direct_api();
        let stream = api.stream_rx(&ssrc)?;
        let known = (Mid::from_engine(stream.mid()), stream.rid());
        if self.receives.len() >= MAX_SSRCS {
            self.receives.clear();
        }
        self.receives.insert(ssrc, known);
        Some(known)
    }
}

fn protocol(of: Carrier) -> Protocol {
    match of {
        Carrier::Udp => Protocol::Udp,
        Carrier::Tcp => Protocol::Tcp,
    }
}

/// A client opens the connection of a TCP candidate (RFC 6544 section 4.1: passive).
fn candidate(of: Carrier, address: SocketAddr) -> Result<Candidate, str0m::error::IceError> {
    match of {
        Carrier::Udp => Candidate::builder().udp().host(address).build(),
        Carrier::Tcp => Candidate::builder().tcp().host(address).tcptype(TcpType::Passive).build(),
    }
}

/// SHA-256 of the client's certificate: pairs of hexadecimal digits with colons between (RFC 8122
/// section 5); `None` if the offer names it by another function.
fn fingerprint_of(offer: &str) -> Option<[u8; 32]> {
    let mut lines = offer.lines().filter_map(|line| line.strip_prefix("a=fingerprint:"));
    let (function, digits) = lines.next()?.trim().split_once(' ')?;
    let is_sha256 = function.eq_ignore_ascii_case("sha-256");
    let bytes = digits.split(':').map(|pair| u8::from_str_radix(pair, 16).ok());
    let bytes: Vec<u8> = bytes.collect::<Option<_>>().filter(|_| is_sha256)?;
    bytes.try_into().ok()
}

/// RTP and not RTCP (RFC 5761 section 4), by the borders that str0m has.
fn is_rtp(datagram: &[u8]) -> bool {
    matches!(datagram, [128..=191, second, ..] if !(64..96).contains(&(second & 0x7f)))
}

fn refused(error: impl std::fmt::Display) -> EngineError {
    EngineError::Refused(format!("The offer cannot be accepted: {error}; send a valid one."))
}

/// Setting the cache replaces it, and thereby forgets every packet in it.
fn configure_retransmission(stream: &mut str0m::rtp::StreamTx, is_video: bool) {
    if is_video {
        let share = Some(RETRANSMISSION_SHARE);
        stream.set_rtx_cache(RETRANSMISSION_PACKETS, RETRANSMISSION_AGE, share);
    }
}

fn rtp_write(packet: RtpOut, nackable: bool) -> RtpWrite {
    let ext_vals = ExtensionValues {
        audio_level: packet.extensions.audio_level_dbov,
        voice_activity: packet.extensions.voice_activity,
        video_orientation: packet.extensions.video_orientation,
        abs_capture_time: packet.extensions.capture_time,
        ..ExtensionValues::default()
    };
    let (payload, vp8_patch) = match packet.codec {
        Codec::Vp8 => {
            let patch = vp8_patch(&packet.payload, packet.rewrite);
            (packet.payload, patch)
        }
        _ => (rewritten(packet.payload, packet.rewrite), None),
    };
    let write = RtpWrite::new(
        packet.payload_type.into(),
        packet.sequence_number.into(),
        packet.timestamp,
        packet.captured,
        payload,
    )
    .marker(packet.marker)
    .ext_vals(ext_vals)
    .nackable(nackable);
    match vp8_patch {
        Some(patch) => write.vp8_patch(patch),
        None => write,
    }
}

/// A patch is applied while str0m writes the packet, so that subscribers share the payload.
fn vp8_patch(payload: &[u8], rewrite: DescriptorRewrite) -> Option<str0m::rtp::Vp8Patch> {
    if rewrite == DescriptorRewrite::default() {
        return None;
    }
    let mut patch = Vp8Descriptor::parse(payload).ok()?.patch();
    if let Some(id) = rewrite.picture_id {
        patch = patch.picture_id(id.value);
    }
    if let Some(index) = rewrite.tl0_picture_index {
        patch = patch.tl0_pic_idx(index.value);
    }
    patch.build().ok()
}

/// VP9 has no such patch: the payload is copied once per subscriber whose identifiers differ.
fn rewritten(payload: Arc<[u8]>, rewrite: DescriptorRewrite) -> Arc<[u8]> {
    if rewrite == DescriptorRewrite::default() {
        return payload;
    }
    let mut copy: Arc<[u8]> = Arc::from(&*payload);
    if let Some(bytes) = Arc::get_mut(&mut copy) {
        rewrite.apply(bytes);
    }
    copy
}

fn format_of(params: &PayloadParams) -> Option<Format> {
    let spec = params.spec();
    match spec.codec {
        EngineCodec::Opus => Some(Format::Opus),
        EngineCodec::Vp8 => Some(Format::Vp8),
        EngineCodec::Vp9 => {
            Some(Format::Vp9 { profile: spec.format.profile_id.unwrap_or(0) as u8 })
        }
        EngineCodec::H264 => {
            let id = spec.format.profile_level_id.unwrap_or(0x42_000a);
            H264Profile::from_profile_level_id(id).map(Format::H264)
        }
        _ => None,
    }
}

//! The engine that leaves ICE-lite, DTLS and SDP to str0m, and everything else to our media plane.
//!
//! A datagram is for one of the two by its first byte. str0m never gets RTP or RTCP, and what it might
//! make of them never leaves: two that seal with the same keys would use nonces twice.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use str0m::change::SdpOffer;
use str0m::config::{CryptoProvider, DtlsCert};
use str0m::crypto::dtls::SrtpProfile;
use str0m::format::{Codec as EngineCodec, PayloadParams};
use str0m::ice::StunMessage;
use str0m::media::Rid;
use str0m::net::{Protocol, Receive, TcpType};
use str0m::rtp::{Extension, ExtensionMap, Ssrc};
use str0m::{Candidate, Event, IceConnectionState, Input, Output as EngineOutput, Rtc, RtcConfig};

use super::checks::CheckSources;
use super::path::{Path, Sign};
use super::{
    Answer, Datagram, Engine, EngineError, EngineFactory, LinkState, Output, Reception, RtpOut,
    Transmit, Urgency, dtls,
};
use crate::codec::{Format, H264Profile, Payload};
use crate::config::{LocalAddress, Protocol as Carrier};
use crate::exchange::PeerAddress;
use crate::ids::Mid;
use crate::lookahead::Work;
use crate::plane::{Datagrams, Plane, SentPacket};
use crate::rtp::srtp::{Profile, Role};
use crate::sdp;
use crate::statistics::DropCause;

/// str0m has no media to report on and is not to wake up for it.
const NEVER: Duration = Duration::from_secs(24 * 3600);
/// In seconds.
const FROM_1900_TO_1970: u64 = 2_208_988_800;

/// Makes str0m engines that share one certificate and one set of candidates. A clone makes engines
/// of the same certificate.
#[derive(Clone)]
pub struct Str0mEngines {
    crypto: Arc<CryptoProvider>,
    certificate: Option<DtlsCert>,
    sockets: Arc<[LocalAddress]>,
    /// A moment and its NTP time, in units of 2^-32 s; without one, when the first engine is made.
    time: Option<(Instant, u64)>,
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
            time: None,
        }
    }

    /// Sender reports tell the time of day by this: `now` is so long after 1970.
    #[must_use]
    pub fn with_time(mut self, now: Instant, since_1970: Duration) -> Self {
        let fraction = (u64::from(since_1970.subsec_nanos()) << 32) / 1_000_000_000;
        self.time = Some((now, ((since_1970.as_secs() + FROM_1900_TO_1970) << 32) + fraction));
        self
    }

    fn config(&self) -> RtcConfig {
        let mut config = RtcConfig::new()
            .set_crypto_provider(Arc::clone(&self.crypto))
            .set_ice_lite(true)
            .set_rtp_mode(true)
            .set_extension_map(extension_map())
            .set_stats_interval(None)
            .set_rtcp_report_interval_audio(NEVER)
            .set_rtcp_report_interval_video(NEVER)
            .clear_codecs()
            .enable_opus(true, false)
            .enable_vp8(true)
            .enable_vp9(true)
            .enable_av1(true);
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
        let (start, start_ntp) = *self.time.get_or_insert((now, FROM_1900_TO_1970 << 32));
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
            plane: Plane::new(start, start_ntp),
            sockets: Arc::clone(&self.sockets),
            crypto: Arc::clone(&self.crypto),
            path: Path::default(),
            check_sources: CheckSources::default(),
            has_moved: false,
            sends: FxHashMap::default(),
            was_connected: false,
            now,
            deadline: None,
            stray_media: 0,
        }))
    }
}

struct Str0mEngine {
    rtc: Rtc,
    association: dtls::Shared,
    plane: Plane,
    sockets: Arc<[LocalAddress]>,
    crypto: Arc<CryptoProvider>,
    path: Path,
    check_sources: CheckSources,
    /// Whether the path changed, and nobody was told yet.
    has_moved: bool,
    /// What our lines send with: str0m forgets it after each offer, and is told before the next.
    sends: FxHashMap<Mid, (Ssrc, Option<Ssrc>)>,
    was_connected: bool,
    /// The time of the newest input.
    now: Instant,
    /// When str0m wants to be called; `None` once it was given something.
    deadline: Option<Instant>,
    /// Media datagrams that str0m made although it has no media; never sent.
    stray_media: u64,
}

/// Largest packet of a client: what fits into an Ethernet frame, and room for tunnels. A larger one
/// could hold a thousand requests.
const MAX_PACKET_BYTES: usize = 2048;

impl Engine for Str0mEngine {
    fn accept_offer(
        &mut self,
        _now: Instant,
        offer: &str,
        _slots: &[Mid],
    ) -> Result<Answer, EngineError> {
        let fingerprint = fingerprint_of(offer);
        let former = self.rtc.direct_api().local_ice_credentials().ufrag;
        let parsed = SdpOffer::from_sdp_string(offer).map_err(refused)?;
        self.deadline = None;
        self.declare_lines();
        let answer = self.rtc.sdp_api().accept_offer(parsed).map_err(|e| {
            if self.rtc.is_alive() { refused(e) } else { EngineError::Failed(e.to_string()) }
        });
        let answer = answer.map(|answer| {
            let answer = sdp::with_audio_repair(offer, &answer.to_sdp_string());
            let answer = sdp::with_round_trips(offer, &answer);
            sdp::with_dependencies(offer, &answer)
        });
        let description = answer.as_ref().ok().map(|answer| sdp::negotiated(offer, answer));
        let new = description.iter().flat_map(|d| &d.lines).map(|line| line.mid);
        self.take_lines_away(new);
        let sdp = answer?;
        self.plane.describe(description.unwrap_or_default());
        // str0m goes on comparing with the one of the first offer.
        let mut association = self.association.lock();
        association.fingerprint = association.fingerprint.or(fingerprint);
        drop(association);
        let ufrag = self.rtc.direct_api().local_ice_credentials().ufrag;
        if ufrag != former {
            self.check_sources.forget();
        }
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
        let contents = datagram.contents;
        if contents.len() > MAX_PACKET_BYTES {
            return Ok(Reception::Refused(DropCause::Malformed));
        }
        self.now = now;
        if is_media(contents) {
            return Ok(match self.plane.handle_datagram(now, contents) {
                Ok(()) => {
                    self.has_moved |= self.path.note(now, from, Sign::Media);
                    Reception::Taken
                }
                Err(cause) => Reception::Refused(cause),
            });
        }
        let Some((protocol, Some(destination))) =
            self.sockets.get(from.socket).map(|s| (protocol(s.protocol), s.advertised.first()))
        else {
            return Ok(Reception::Refused(DropCause::Refused));
        };
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
        if sign != Sign::Unverified && !self.check_sources.admit(now, from) {
            return Ok(Reception::Refused(DropCause::TooMuch));
        }
        self.deadline = None;
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
        Ok(Reception::Taken)
    }

    fn address_in_use(&self) -> Option<PeerAddress> {
        self.path.in_use()
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), EngineError> {
        self.now = now;
        self.plane.handle_timeout(now);
        if self.deadline.is_some_and(|at| at > now) {
            return Ok(());
        }
        self.deadline = None;
        let result = self.rtc.handle_input(Input::Timeout(now));
        self.unless_dead(result)
    }

    fn poll(&mut self) -> Result<Output, EngineError> {
        if std::mem::take(&mut self.has_moved) {
            return Ok(Output::Moved);
        }
        if let Some(output) = self.plane.poll() {
            return Ok(output);
        }
        while let Some(contents) = self.plane.poll_control() {
            if let Some(PeerAddress { socket, source: destination }) = self.path.current() {
                let urgency = Urgency::Control;
                return Ok(Output::Transmit(Transmit { socket, destination, contents, urgency }));
            }
        }
        let deadline = match self.deadline {
            Some(at) => at,
            None => match self.poll_rtc()? {
                Output::Deadline(at) => *self.deadline.insert(at),
                output => return Ok(output),
            },
        };
        Ok(Output::Deadline(self.plane.deadline().map_or(deadline, |at| at.min(deadline))))
    }

    fn send(&mut self, mid: Mid, packet: RtpOut) -> Result<(), EngineError> {
        self.plane.send(mid, packet);
        Ok(())
    }

    fn line_number(&self, mid: Mid) -> Option<usize> {
        self.plane.line_number(mid)
    }

    fn send_by_number(
        &mut self,
        number: usize,
        _mid: Mid,
        packet: RtpOut,
    ) -> Result<(), EngineError> {
        self.plane.send_by_number(number, packet);
        Ok(())
    }

    fn look_at(&self, work: Work) -> u64 {
        let to = self.path.current().map_or(0, |to| to.socket as u64);
        to ^ self.plane.look_at(work)
    }

    fn has_waiting(&self) -> bool {
        self.plane.has_waiting()
    }

    fn transmit(&mut self, now: Instant, datagrams: &mut Datagrams) -> Result<bool, EngineError> {
        if let Some(to) = self.path.current() {
            self.plane.transmit(now, to, datagrams);
        }
        Ok(self.plane.has_waiting())
    }

    fn sent(&self) -> &[SentPacket] {
        self.plane.sent()
    }

    fn probe(&mut self, bytes: usize) -> Result<bool, EngineError> {
        Ok(self.plane.probe(bytes))
    }

    fn pace(&mut self, bits_per_second: Option<u64>) {
        self.plane.pace(bits_per_second);
    }

    fn release_at(&self) -> Option<Instant> {
        self.plane.release_at()
    }

    fn set_redundancy(&mut self, packets: u8) {
        self.plane.set_redundancy(packets);
    }

    fn let_out(&mut self, mid: Mid) -> Result<(), EngineError> {
        self.plane.let_out(mid);
        Ok(())
    }

    fn forget_sent(&mut self, mid: Mid) -> Result<(), EngineError> {
        self.plane.forget_sent(mid);
        Ok(())
    }

    fn rest(&mut self, mid: Mid) -> Result<(), EngineError> {
        self.plane.rest(mid);
        Ok(())
    }

    fn request_key_frame(&mut self, mid: Mid, rid: Option<Rid>) -> Result<(), EngineError> {
        self.plane.request_key_frame(mid, rid);
        Ok(())
    }

    fn close(&mut self) -> Result<(), EngineError> {
        self.deadline = None;
        self.rtc.close().map_err(|e| EngineError::Failed(e.to_string()))
    }
}

impl Str0mEngine {
    /// The lines get their streams back for the time of an offer, else str0m would answer with a new
    /// SSRC for them.
    fn declare_lines(&mut self) {
        for (mid, (ssrc, repair)) in &self.sends {
            if self.rtc.media(mid.to_engine()).is_some() {
                self.rtc.direct_api().declare_stream_tx(*ssrc, *repair, mid.to_engine(), None);
            }
        }
    }

    /// Learns the SSRCs of new lines, and takes all streams away: str0m reports on what exists.
    fn take_lines_away(&mut self, new: impl Iterator<Item = Mid>) {
        let known: Vec<_> = self.sends.keys().copied().collect();
        for mid in new.chain(known) {
            let mut api = self.rtc.direct_api();
            if let Some(stream) = api.stream_tx_by_mid(mid.to_engine(), None) {
                let (ssrc, repair) = (stream.ssrc(), stream.rtx());
                self.sends.insert(mid, (ssrc, repair));
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

    /// What str0m has to say.
    fn poll_rtc(&mut self) -> Result<Output, EngineError> {
        loop {
            let output = self.rtc.poll_output().map_err(|e| EngineError::Failed(e.to_string()))?;
            match output {
                EngineOutput::Timeout(at) => return Ok(Output::Deadline(at)),
                EngineOutput::Transmit(t) if is_media(&t.contents) => {
                    // Nonces of ours are no one else's.
                    self.stray_media += 1;
                    tracing::warn!(count = self.stray_media, "str0m made a media packet");
                }
                EngineOutput::Transmit(t) => {
                    if let Some(transmit) = self.transmit_of(t) {
                        return Ok(Output::Transmit(transmit));
                    }
                }
                EngineOutput::Event(event) => {
                    if let Some(output) = self.translate(&event) {
                        return Ok(output);
                    }
                }
            }
        }
    }

    /// A reply to a check goes where the check came from; everything else goes on the path.
    fn transmit_of(&self, transmit: str0m::net::Transmit) -> Option<Transmit> {
        let mut to = PeerAddress {
            socket: self.socket_of(transmit.proto, transmit.source)?,
            source: transmit.destination,
        };
        let contents: Vec<u8> = transmit.contents.into();
        if contents.first().is_some_and(|first| *first > 3) {
            to = self.path.current().unwrap_or(to);
        }
        let PeerAddress { socket, source: destination } = to;
        Some(Transmit { socket, destination, contents, urgency: Urgency::Control })
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

    fn translate(&mut self, event: &Event) -> Option<Output> {
        match event {
            Event::Connected => {
                self.was_connected = true;
                self.open_plane();
                Some(Output::State(LinkState::Connected))
            }
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) => {
                Some(Output::State(LinkState::Disconnected))
            }
            Event::IceConnectionStateChange(
                IceConnectionState::Connected | IceConnectionState::Completed,
            ) if self.was_connected => Some(Output::State(LinkState::Recovered)),
            Event::Closed => Some(Output::State(LinkState::Closed)),
            _ => None,
        }
    }

    /// The keys come out of the handshake before the fingerprint was compared; they are of use from
    /// here on.
    fn open_plane(&mut self) {
        let Some((keys, profile)) = self.association.lock().keys.take() else {
            return;
        };
        let opened = match profile {
            SrtpProfile::AES128_CM_SHA1_80 => Some(Profile::Aes128CmSha1_80),
            SrtpProfile::AEAD_AES_128_GCM => Some(Profile::AeadAes128Gcm),
            SrtpProfile::AEAD_AES_256_GCM => Some(Profile::AeadAes256Gcm),
            _ => None,
        }
        .map(|profile| self.plane.open(self.now, profile, &keys, Role::Server));
        if !matches!(opened, Some(Ok(()))) {
            tracing::warn!(?profile, "the keys of a handshake cannot be used");
        }
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

/// RTP or RTCP (RFC 7983 section 7).
fn is_media(datagram: &[u8]) -> bool {
    matches!(datagram, [128..=191, ..])
}

fn refused(error: impl std::fmt::Display) -> EngineError {
    EngineError::Refused(format!("The offer cannot be accepted: {error}; send a valid one."))
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
        EngineCodec::Av1 => (spec.format.profile.unwrap_or(0) == 0).then_some(Format::Av1),
        _ => None,
    }
}

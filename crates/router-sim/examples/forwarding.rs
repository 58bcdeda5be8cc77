//! What a forwarded packet costs the core, without the kernel: nanoseconds for each copy that leaves.
//!
//!     cargo run --release -p tertulia-router-sim --example forwarding -- [video|audio] [subscribers]
//!
//! One publisher's video of 900 packets a second, or ten publishers' audio of 50 each, to so many
//! subscribers, whose feedback comes every 50 ms. On a virtual clock; only what the router does is timed. The
//! best quarter of the frames count, as others disturb a measurement: `media` is what is done for packets
//! that come until their copies are sealed, `feedback` what is done for reports on them, both for one copy.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tertulia_router_core::rtp::rtcp::{Arrival, Compound};
use tertulia_router_core::rtp::srtp::{MAX_RTCP_OVERHEAD, Profile, Role, Sealer, contexts};
use tertulia_router_core::rtp::{AudioLevel, ExtensionIds, ExtensionKind, Extensions, Outgoing};
use tertulia_router_core::{
    Answer, Bind, Config, Datagram, Datagrams, Description, Engine, EngineError, EngineFactory,
    Format, Generation, Kind, LineDescription, LinkState, LocalAddress, Mid, OpenTransport, Output,
    Payload, PayloadDescription, PeerAddress, Plane, Protocol, Reception, Router, RtpOut,
    SentPacket, SlotIndex, SlotPair, Source, SourceDescription, Transmit, TransportId, Urgency,
    Wishes, stun_local_ufrag,
};

type Failure = Box<dyn std::error::Error>;

const OPUS: u8 = 111;
const VP8: u8 = 96;
const RTX: u8 = 97;
const PROFILE: Profile = Profile::AeadAes128Gcm;
/// 30 frames a second of 30 packets; 50 packets of audio a second.
const FRAME: Duration = Duration::from_micros(33_333);
const PACKETS: usize = 30;
const VIDEO_BYTES: usize = 1_100;
const AUDIO: Duration = Duration::from_millis(20);
const AUDIO_BYTES: usize = 100;
const FEEDBACK: Duration = Duration::from_millis(50);
const WARM_UP: usize = 120;
const FRAMES: usize = 400;

fn main() -> Result<(), Failure> {
    let mut words = std::env::args().skip(1);
    let is_audio = words.next().is_some_and(|word| word == "audio");
    let subscribers = words.next().map_or(Ok(100), |word| word.parse())?;
    let publishers = if is_audio { 10 } else { 1 };
    let mut call = Call::new(publishers, subscribers, is_audio)?;
    let (mut media, mut feedback) = (Vec::new(), Vec::new());
    for frame in 0..WARM_UP + FRAMES {
        let (sent, heard) = call.frame()?;
        if frame >= WARM_UP {
            media.extend(sent);
            feedback.extend(heard);
        }
    }
    let name = if is_audio { "audio" } else { "video" };
    let (media, feedback) = (best(&mut media), best(&mut feedback));
    let total = media + feedback;
    writeln!(
        std::io::stdout(),
        "{name} to {subscribers}: media {media:.0}, feedback {feedback:.0}, both {total:.0} ns"
    )?;
    Ok(())
}

/// Mean of the lowest quarter.
fn best(samples: &mut [f64]) -> f64 {
    samples.sort_by(f64::total_cmp);
    let best = samples.get(..samples.len().div_ceil(4)).unwrap_or_default();
    best.iter().sum::<f64>() / best.len().max(1) as f64
}

/// A router, and those who send to it and hear of it.
struct Call {
    router: Router,
    now: Instant,
    start: Instant,
    is_audio: bool,
    publishers: Vec<Publisher>,
    subscribers: Vec<Subscriber>,
    feedback_at: Instant,
    /// Copies that left since the last reports.
    unreported: usize,
}

struct Publisher {
    address: SocketAddr,
    sealer: Sealer,
    ssrc: u32,
    index: u64,
    timestamp: u32,
    transport_sequence: u16,
    picture: u16,
}

struct Subscriber {
    address: SocketAddr,
    sealer: Sealer,
    sent: u64,
    /// What is to be reported on: number and ticks of 250 µs.
    arrivals: Vec<Arrival>,
    reported: u64,
    reports: u8,
}

fn mid(name: &str) -> Result<Mid, Failure> {
    Mid::parse(name).ok_or_else(|| "no mid".into())
}

fn material() -> Vec<u8> {
    vec![7; PROFILE.keying_material()]
}

fn offer(number: usize, publishes: bool, slots: usize) -> String {
    let mut sdp = format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=ice-ufrag:p{number}\r\na=ice-pwd:p\r\n\
         a=fingerprint:sha-256 00\r\n"
    );
    let mut line = |kind, mid: String, direction| {
        let (types, maps) = if kind == "audio" {
            ("111", "a=rtpmap:111 opus/48000/2\r\n")
        } else {
            ("96 97", "a=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\n")
        };
        let _ = write!(
            sdp,
            "m={kind} 9 UDP/TLS/RTP/SAVPF {types}\r\na=mid:{mid}\r\na={direction}\r\n{maps}"
        );
    };
    if publishes {
        line("audio", "pa".into(), "sendonly");
        line("video", "pv".into(), "sendonly");
    }
    for slot in 0..slots {
        line("audio", format!("a{slot}"), "recvonly");
        line("video", format!("v{slot}"), "recvonly");
    }
    sdp
}

/// A check as the router looks for it (RFC 8489 section 5).
fn check(ufrag: &str) -> Vec<u8> {
    let name = format!("{ufrag}:peer");
    let padded = name.len().next_multiple_of(4);
    let mut out = vec![0, 1];
    out.extend((4 + padded as u16).to_be_bytes());
    out.extend([0x21, 0x12, 0xa4, 0x42]);
    out.extend([0; 12]);
    out.extend([0, 6]);
    out.extend((name.len() as u16).to_be_bytes());
    out.extend(name.as_bytes());
    out.resize(20 + 4 + padded, 0);
    out
}

impl Call {
    fn new(publishers: usize, subscribers: usize, is_audio: bool) -> Result<Self, Failure> {
        let now = Instant::now();
        let bound = SocketAddr::from(([192, 0, 2, 1], 5000));
        let local = LocalAddress { protocol: Protocol::Udp, bound, advertised: vec![bound] };
        let router = Router::new(now, Config::new(vec![local]), Box::new(Engines(0)), 7);
        let mut call = Self {
            router,
            now,
            start: now,
            is_audio,
            publishers: Vec::new(),
            subscribers: Vec::new(),
            feedback_at: now + FEEDBACK,
            unreported: 0,
        };
        let mut sources = Vec::new();
        for number in 0..publishers {
            let (id, address, sealer) = call.join(number, true, 0)?;
            sources.push(Source {
                transport: id,
                audio_mid: is_audio.then(|| mid("pa")).transpose()?,
                video_mid: (!is_audio).then(|| mid("pv")).transpose()?,
            });
            let ssrc = 1_000 + number as u32;
            call.publishers.push(Publisher {
                address,
                sealer,
                ssrc,
                index: 100,
                timestamp: 0,
                transport_sequence: 0,
                picture: 0,
            });
        }
        for number in 0..subscribers {
            let (transport, address, sealer) =
                call.join(publishers + number, false, sources.len())?;
            for (slot, source) in (0..).zip(&sources) {
                let bind = Bind {
                    transport,
                    slot: SlotIndex(slot),
                    generation: Generation(1),
                    source: *source,
                    audio_paused: false,
                    video_paused: false,
                    wishes: Wishes::default(),
                    audio_fallback: false,
                    is_screen: false,
                };
                call.router.bind(now, &bind)?;
            }
            call.subscribers.push(Subscriber {
                address,
                sealer,
                sent: 0,
                arrivals: Vec::new(),
                reported: 0,
                reports: 0,
            });
        }
        Ok(call)
    }

    fn join(
        &mut self,
        number: usize,
        publishes: bool,
        slots: usize,
    ) -> Result<(TransportId, SocketAddr, Sealer), Failure> {
        let pairs: Result<Vec<_>, Failure> = (0..slots)
            .map(|slot| {
                Ok(SlotPair {
                    slot: SlotIndex(slot as u32),
                    audio_mid: mid(&format!("a{slot}"))?,
                    video_mid: mid(&format!("v{slot}"))?,
                })
            })
            .collect();
        let command = OpenTransport {
            seat: format!("seat-{number}"),
            epoch: 1,
            offer: offer(number, publishes, slots),
            slots: pairs?,
            group: None,
        };
        let opened = self.router.open_transport(self.now, command)?;
        let address = SocketAddr::from(([10, 0, 0, 1], 10_000 + number as u16));
        let ufrag = format!("e{}", number + 1);
        self.deliver(address, &check(&ufrag));
        self.flush();
        let (_, sealer) = contexts(PROFILE, &material(), Role::Client, 16)?;
        Ok((opened.transport, address, sealer))
    }

    fn deliver(&mut self, source: SocketAddr, contents: &[u8]) {
        let datagram = Datagram { socket: 0, source, contents };
        let _ = self.router.handle_datagram(self.now, datagram);
    }

    /// Takes what leaves, as the shard's thread does. Returns how many copies of media left, and the time that it took.
    fn flush(&mut self) -> (usize, Duration) {
        let (mut copies, mut took) = (0, Duration::ZERO);
        let mut begun = Instant::now();
        self.router.flush(self.now);
        while let Some(datagrams) = self.router.datagrams() {
            took += begun.elapsed();
            let ticks = self.now.duration_since(self.start).as_micros() as u64 / 250;
            for departure in datagrams.departures() {
                let contents = datagrams.contents(departure);
                let is_media =
                    matches!(contents, [128..=191, second, ..] if !(192..=223).contains(second));
                let first = self.publishers.len();
                let place = usize::from(departure.destination.port()) - 10_000;
                if let Some(subscriber) = place
                    .checked_sub(first)
                    .filter(|_| is_media)
                    .and_then(|place| self.subscribers.get_mut(place))
                {
                    subscriber.arrivals.push(Arrival { number: subscriber.sent, ticks });
                    subscriber.sent += 1;
                    copies += 1;
                }
            }
            begun = Instant::now();
            self.router.sent();
        }
        took += begun.elapsed();
        while self.router.poll_event().is_some() {}
        while self.router.poll_message().is_some() {}
        (copies, took)
    }

    /// What every publisher sends at one time, and what happens until the next. Returns nanoseconds of one copy.
    fn frame(&mut self) -> Result<(Vec<f64>, Vec<f64>), Failure> {
        let (interval, count) = if self.is_audio { (AUDIO, 1) } else { (FRAME, PACKETS) };
        let (mut media, mut feedback) = (Vec::new(), Vec::new());
        let mut packets = VecDeque::new();
        for publisher in &mut self.publishers {
            publisher.begin(self.is_audio);
            for number in 0..count {
                packets.push_back((
                    publisher.address,
                    publisher.packet(self.is_audio, number, count)?,
                ));
            }
        }
        let mut took = Duration::ZERO;
        let begun = Instant::now();
        for (source, contents) in &packets {
            self.deliver(*source, contents);
        }
        took += begun.elapsed();
        let (copies, sealing) = self.flush();
        took += sealing;
        self.unreported += copies;
        if copies >= packets.len() * self.subscribers.len() {
            media.push(took.as_nanos() as f64 / copies as f64);
        }
        let until = self.now + interval;
        while let Some(at) =
            self.router.next_deadline().filter(|at| *at <= until.min(self.feedback_at))
        {
            self.now = self.now.max(at);
            self.router.handle_timeout(self.now);
            self.unreported += self.flush().0;
        }
        self.now = until;
        if self.feedback_at <= self.now {
            feedback.extend(self.report()?);
            self.feedback_at = self.now + FEEDBACK;
        }
        Ok((media, feedback))
    }

    /// Every subscriber reports on what came.
    fn report(&mut self) -> Result<Option<f64>, Failure> {
        let mut packets = Vec::new();
        for subscriber in &mut self.subscribers {
            packets.extend(subscriber.report()?);
        }
        let begun = Instant::now();
        for (source, contents) in &packets {
            self.deliver(*source, contents);
        }
        let mut took = begun.elapsed();
        let (copies, sealing) = self.flush();
        if copies == 0 {
            took += sealing;
        }
        let reported = std::mem::replace(&mut self.unreported, copies);
        Ok((reported > 0).then(|| took.as_nanos() as f64 / reported as f64))
    }
}

impl Publisher {
    fn begin(&mut self, is_audio: bool) {
        self.timestamp = self.timestamp.wrapping_add(if is_audio { 960 } else { 3_000 });
        self.picture = (self.picture + 1) & 0x7fff;
    }

    fn packet(&mut self, is_audio: bool, number: usize, of: usize) -> Result<Vec<u8>, Failure> {
        self.index += 1;
        self.transport_sequence = self.transport_sequence.wrapping_add(1);
        let header = Outgoing {
            marker: is_audio || number + 1 == of,
            payload_type: if is_audio { OPUS } else { VP8 },
            sequence_number: self.index as u16,
            timestamp: self.timestamp,
            ssrc: self.ssrc,
        };
        let extensions = Extensions {
            mid: Some(if is_audio { b"pa" } else { b"pv" }),
            audio_level: is_audio.then_some(AudioLevel { level: 20, voice: true }),
            transport_sequence: Some(self.transport_sequence),
            ..Extensions::default()
        };
        let mut packet = vec![0; 2048];
        let start = header.write(&mut packet, &ids(), &extensions).map_err(|_| "no room")?;
        let bytes = if is_audio { AUDIO_BYTES } else { VIDEO_BYTES };
        let is_key = self.picture % 300 == 1;
        if !is_audio {
            let [high, low] = self.picture.to_be_bytes();
            let first = number == 0;
            let descriptor = [
                0x80 | u8::from(first) << 4,
                0xe0,
                0x80 | high,
                low,
                self.picture as u8,
                0,
                u8::from(!is_key),
            ];
            if let Some(target) = packet.get_mut(start..start + 7) {
                target.copy_from_slice(&descriptor);
            }
            if is_key
                && first
                && let Some(target) = packet.get_mut(start + 7..start + 16)
            {
                target.copy_from_slice(&[0, 0, 0x9d, 0x01, 0x2a, 0x80, 2, 0x68, 1]);
            }
        }
        let source = self.sealer.source(self.ssrc)?;
        let length = self.sealer.seal_rtp(source, &mut packet, start + bytes, self.index)?;
        packet.truncate(length);
        Ok(packet)
    }
}

impl Subscriber {
    fn report(&mut self) -> Result<Option<(SocketAddr, Vec<u8>)>, Failure> {
        if self.arrivals.is_empty() {
            return Ok(None);
        }
        let mut buffer = vec![0; 1200 + MAX_RTCP_OVERHEAD];
        let mut compound = Compound::new(buffer.get_mut(..1200).unwrap_or_default());
        let composed =
            compound.transport_feedback(9, 1, self.reports, self.reported, &self.arrivals);
        self.reported = composed.map_err(|_| "no room")?.next;
        self.reports = self.reports.wrapping_add(1);
        let length = compound.length();
        let length = self.sealer.seal_rtcp(&mut buffer, length)?;
        buffer.truncate(length);
        let next = self.reported;
        self.arrivals.retain(|arrival| arrival.number >= next);
        Ok(Some((self.address, buffer)))
    }
}

fn ids() -> ExtensionIds {
    let mut ids = ExtensionIds::default();
    ids.set(ExtensionKind::AudioLevel, 1);
    ids.set(ExtensionKind::TransportSequence, 3);
    ids.set(ExtensionKind::Mid, 4);
    ids
}

/// Makes engines that know their keys.
struct Engines(usize);

impl EngineFactory for Engines {
    fn create(&mut self, now: Instant) -> Result<Box<dyn Engine>, EngineError> {
        self.0 += 1;
        Ok(Box::new(OpenEngine {
            name: format!("e{}", self.0),
            plane: Plane::new(now, 1 << 50),
            address: None,
            outputs: VecDeque::new(),
            next_ssrc: 5_000,
        }))
    }
}

struct OpenEngine {
    name: String,
    plane: Plane,
    address: Option<PeerAddress>,
    outputs: VecDeque<Output>,
    next_ssrc: u32,
}

fn payload(payload_type: u8) -> PayloadDescription {
    PayloadDescription {
        payload_type,
        repairs: (payload_type == RTX).then_some(VP8),
        combines: None,
        has_nack: payload_type == VP8,
        has_pli: true,
        has_fir: true,
        has_transport_feedback: true,
    }
}

impl Engine for OpenEngine {
    fn accept_offer(&mut self, _: Instant, offer: &str, _: &[Mid]) -> Result<Answer, EngineError> {
        let mut lines = Vec::new();
        for section in offer.split("\r\nm=").skip(1) {
            let name = section.lines().find_map(|line| line.strip_prefix("a=mid:"));
            let Some(mid) = name.and_then(Mid::parse) else { continue };
            let is_audio = section.starts_with("audio");
            self.next_ssrc += 2;
            let ssrc = self.next_ssrc;
            let own = section
                .contains("a=recvonly")
                .then(|| SourceDescription { ssrc, repair: (!is_audio).then_some(ssrc + 1) });
            let types: &[u8] = if is_audio { &[OPUS] } else { &[VP8, RTX] };
            lines.push(LineDescription {
                mid,
                kind: if is_audio { Kind::Audio } else { Kind::Video },
                is_received: section.contains("a=sendonly"),
                extensions: ids(),
                payloads: types.iter().map(|payload_type| payload(*payload_type)).collect(),
                sources: Vec::new(),
                own,
            });
        }
        self.plane.describe(Description { lines, cname: self.name.clone() });
        Ok(Answer { sdp: "v=0\r\n".into(), ufrag: self.name.clone() })
    }

    fn payloads(&self, mid: Mid) -> Vec<Payload> {
        let is_audio = mid.as_str().contains('a');
        let (payload_type, format) =
            if is_audio { (OPUS, Format::Opus) } else { (VP8, Format::Vp8) };
        vec![Payload { payload_type, format }]
    }

    fn handle_datagram(
        &mut self,
        now: Instant,
        datagram: Datagram<'_>,
    ) -> Result<Reception, EngineError> {
        if stun_local_ufrag(datagram.contents).is_some() {
            self.address = Some(PeerAddress { socket: datagram.socket, source: datagram.source });
            let opened = self.plane.open(now, PROFILE, &material(), Role::Server);
            opened.map_err(|error| EngineError::Failed(error.to_string()))?;
            self.outputs.push_back(Output::State(LinkState::Connected));
            return Ok(Reception::Taken);
        }
        let taken = self.plane.handle_datagram(now, datagram.contents);
        Ok(taken.map_or_else(Reception::Refused, |()| Reception::Taken))
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), EngineError> {
        self.plane.handle_timeout(now);
        Ok(())
    }

    fn poll(&mut self) -> Result<Output, EngineError> {
        if let Some(output) = self.outputs.pop_front().or_else(|| self.plane.poll()) {
            return Ok(output);
        }
        if let (Some(contents), Some(to)) = (self.plane.poll_control(), self.address) {
            let PeerAddress { socket, source: destination } = to;
            let urgency = Urgency::Control;
            return Ok(Output::Transmit(Transmit { socket, destination, contents, urgency }));
        }
        let never = Instant::now() + Duration::from_secs(3600);
        Ok(Output::Deadline(self.plane.deadline().unwrap_or(never)))
    }

    fn send(&mut self, mid: Mid, packet: RtpOut) -> Result<(), EngineError> {
        self.plane.send(mid, packet);
        Ok(())
    }

    fn transmit(&mut self, now: Instant, datagrams: &mut Datagrams) -> Result<bool, EngineError> {
        if let Some(to) = self.address {
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

    /// Everything leaves at once, so that all of it is measured.
    fn pace(&mut self, _bits_per_second: Option<u64>) {}

    fn release_at(&self) -> Option<Instant> {
        None
    }

    fn let_out(&mut self, mid: Mid) -> Result<(), EngineError> {
        self.plane.let_out(mid);
        Ok(())
    }

    fn forget_sent(&mut self, mid: Mid) -> Result<(), EngineError> {
        self.plane.forget_sent(mid);
        Ok(())
    }

    fn request_key_frame(
        &mut self,
        mid: Mid,
        rid: Option<str0m::media::Rid>,
    ) -> Result<(), EngineError> {
        self.plane.request_key_frame(mid, rid);
        Ok(())
    }

    fn close(&mut self) -> Result<(), EngineError> {
        Ok(())
    }
}

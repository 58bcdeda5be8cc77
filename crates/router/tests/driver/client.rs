//! One scripted client: a full-ICE str0m peer in RTP mode that always offers.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::change::SdpAnswer;
use str0m::format::{Codec, FormatParams};
use str0m::media::{Direction, Frequency, MediaKind, Mid, Rid, Simulcast};
use str0m::net::{Protocol, Receive};
use str0m::rtp::rtcp::Rtcp;
use str0m::rtp::{Extension, ExtensionMap, ExtensionValues, RawPacket, RtpPacket, RtpWrite};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};
use tertulia_router_core::{self as router, SlotIndex, SlotPair, TransportId};

use super::layered;
use super::media::{self, Colour, Picture, PublishedStream};
use super::seal::{self, Seal};

/// Payload types of one client; `None` for a codec that it does not have.
#[derive(Debug, Clone, Copy)]
pub struct Codecs {
    pub opus: u8,
    pub vp8: Option<(u8, u8)>,
    pub vp9: Option<(u8, u8)>,
    pub h264: Option<(u8, u8)>,
    pub av1: Option<(u8, u8)>,
}

impl Codecs {
    pub const LOW: Self = Self {
        opus: 96,
        vp8: Some((97, 98)),
        vp9: Some((99, 100)),
        h264: Some((101, 102)),
        av1: Some((103, 104)),
    };
    pub const HIGH: Self = Self {
        opus: 120,
        vp8: Some((118, 119)),
        vp9: Some((116, 117)),
        h264: Some((114, 115)),
        av1: Some((112, 113)),
    };

    pub fn video(&self, picture: Picture) -> u8 {
        let types = match picture {
            Picture::Vp8 => self.vp8,
            Picture::Vp9 => self.vp9,
            Picture::H264 => self.h264,
            Picture::Av1 => self.av1,
        };
        types.expect("the client has the codec").0
    }
}

/// How a client differs from the usual one.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    pub codecs: Codecs,
    /// Numbers of the header extensions are shifted by this.
    pub extension_shift: u8,
    /// It reports which packets came, so that its bandwidth is estimated.
    pub reports_arrivals: bool,
    /// Whether it knows the dependency descriptor.
    pub has_dependencies: bool,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            codecs: Codecs::LOW,
            extension_shift: 0,
            reports_arrivals: true,
            has_dependencies: false,
        }
    }
}

/// A packet that came.
#[derive(Debug, Clone)]
pub struct Received {
    pub at: Instant,
    pub mid: Mid,
    pub ssrc: u32,
    pub payload_type: u8,
    pub sequence_number: u64,
    pub timestamp: u32,
    pub marker: bool,
    pub colour: Colour,
    pub video: media::VideoPayload,
    pub extensions: ExtensionValues,
}

/// A sender report that came.
#[derive(Debug, Clone, Copy)]
pub struct SenderReport {
    pub at: Instant,
    pub ssrc: u32,
    pub ntp: std::time::SystemTime,
    pub timestamp: u32,
}

/// A scripted client.
pub struct Client {
    pub rtc: Rtc,
    pub seal: Seal,
    pub address: SocketAddr,
    /// What the router sees: the address that a NAT gives.
    pub outside: SocketAddr,
    pub options: ClientOptions,
    pub transport: Option<TransportId>,
    pub slots: Vec<SlotPair>,
    pub streams: Vec<PublishedStream>,
    pub received: Vec<Received>,
    pub sender_reports: Vec<SenderReport>,
    pub key_frame_requests: Vec<(Instant, Mid, Option<Rid>)>,
    pub transport_feedbacks: usize,
    pub nacks_received: usize,
    pub is_connected: bool,
    pub is_closed: bool,
    pub deadline: Instant,
    pub outgoing: VecDeque<Vec<u8>>,
}

fn config(options: &ClientOptions) -> RtcConfig {
    let shift = options.extension_shift;
    let mut extensions = ExtensionMap::empty();
    for (number, extension) in [
        (1, Extension::AudioLevel),
        (2, Extension::AbsoluteCaptureTime),
        (3, Extension::TransportSequenceNumber),
        (4, Extension::RtpMid),
        (5, Extension::RtpStreamId),
        (6, Extension::RepairedRtpStreamId),
        (7, Extension::VideoOrientation),
    ] {
        if options.reports_arrivals || extension != Extension::TransportSequenceNumber {
            extensions.set(number + shift, extension);
        }
    }
    if options.has_dependencies {
        extensions.set(8 + shift, layered::extension());
    }
    let mut config = RtcConfig::new()
        .set_crypto_provider(Arc::new(seal::crypto_provider()))
        .clear_codecs()
        .set_rtp_mode(true)
        .enable_raw_packets(true)
        .set_rtcp_report_interval_audio(Duration::from_secs(1))
        .set_extension_map(extensions);
    let codecs = options.codecs;
    let list = config.codec_config();
    let khz = |rate| Frequency::new(rate).expect("a rate");
    let opus =
        FormatParams { min_p_time: Some(10), use_inband_fec: Some(true), ..Default::default() };
    list.add_config(codecs.opus.into(), None, Codec::Opus, khz(48_000), Some(2), opus);
    if let Some((main, rtx)) = codecs.vp8 {
        let (main, rtx) = (main.into(), Some(rtx.into()));
        list.add_config(main, rtx, Codec::Vp8, khz(90_000), None, FormatParams::default());
    }
    if let Some((main, rtx)) = codecs.vp9 {
        let profile = FormatParams { profile_id: Some(0), ..Default::default() };
        list.add_config(main.into(), Some(rtx.into()), Codec::Vp9, khz(90_000), None, profile);
    }
    if let Some((main, rtx)) = codecs.h264 {
        list.add_h264(main.into(), Some(rtx.into()), true, 0x42_e01f);
    }
    if let Some((main, rtx)) = codecs.av1 {
        let main_profile = FormatParams { profile: Some(0), ..Default::default() };
        list.add_config(main.into(), Some(rtx.into()), Codec::Av1, khz(90_000), None, main_profile);
    }
    config
}

impl Client {
    pub fn new(now: Instant, address: SocketAddr, options: ClientOptions) -> Self {
        let mut rtc = config(&options).build(now);
        let seal = Seal::of_newest();
        rtc.add_local_candidate(Candidate::host(address, Protocol::Udp).expect("a candidate"));
        Self {
            rtc,
            seal,
            address,
            outside: address,
            options,
            transport: None,
            slots: Vec::new(),
            streams: Vec::new(),
            received: Vec::new(),
            sender_reports: Vec::new(),
            key_frame_requests: Vec::new(),
            transport_feedbacks: 0,
            nacks_received: 0,
            is_connected: false,
            is_closed: false,
            deadline: now,
            outgoing: VecDeque::new(),
        }
    }

    pub fn id(&self) -> TransportId {
        self.transport.expect("the client joined")
    }

    /// An offer with more streams to publish and more slot pairs; `None` if nothing changes.
    pub fn offer(&mut self, change: &Change) -> (String, str0m::change::SdpPendingOffer) {
        let mut api = self.rtc.sdp_api();
        let first = self.slots.len() as u32;
        let streams: Vec<_> = change
            .publish
            .iter()
            .map(|(colour, picture)| {
                let send = Direction::SendOnly;
                let audio = api.add_media(MediaKind::Audio, send, None, None, None);
                let layers = change.simulcast.clone();
                let video = api.add_media(MediaKind::Video, send, None, None, layers);
                PublishedStream::new(*colour, audio, video, *picture)
            })
            .collect();
        let slots: Vec<_> = (0..change.slots)
            .map(|index| {
                let receive = Direction::RecvOnly;
                let audio = api.add_media(MediaKind::Audio, receive, None, None, None);
                let video = api.add_media(MediaKind::Video, receive, None, None, None);
                SlotPair {
                    slot: SlotIndex(first + index),
                    audio_mid: own(audio),
                    video_mid: own(video),
                }
            })
            .collect();
        for (stream, sends) in &change.direct {
            let direction = if *sends { Direction::SendOnly } else { Direction::Inactive };
            let stream = &self.streams[*stream];
            api.set_direction(stream.audio, direction);
            api.set_direction(stream.video, direction);
        }
        if change.restart_ice {
            api.ice_restart(true);
        }
        let (offer, pending) = api.apply().expect("a change");
        self.streams.extend(streams);
        self.slots.extend(slots);
        (offer.to_sdp_string(), pending)
    }

    pub fn accept(&mut self, pending: str0m::change::SdpPendingOffer, answer: &str) {
        let answer = SdpAnswer::from_sdp_string(answer).expect("a valid answer");
        self.rtc.sdp_api().accept_answer(pending, answer).expect("an acceptable answer");
    }

    pub fn slot_mids(&self, slot: usize) -> (Mid, Mid) {
        let pair = self.slots[slot];
        (pair.audio_mid.as_str().into(), pair.video_mid.as_str().into())
    }

    pub fn received_on(&self, mid: Mid) -> Vec<&Received> {
        self.received.iter().filter(|r| r.mid == mid).collect()
    }

    /// Sends one packet.
    pub fn send(&mut self, mid: Mid, rid: Option<Rid>, packet: RtpWrite) {
        let mut api = self.rtc.direct_api();
        let stream = api.stream_tx_by_mid(mid, rid).expect("a negotiated line");
        stream.write_rtp(packet);
    }

    /// From here on as much of a stream's video is repeated as is asked for, and not a seventh of it at most.
    pub fn answer_all_requests(&mut self, stream: usize) {
        let mid = self.streams[stream].video;
        let mut api = self.rtc.direct_api();
        let video = api.stream_tx_by_mid(mid, None).expect("a negotiated line");
        video.set_rtx_cache(1_024, Duration::from_secs(3), None);
    }

    /// A stream's video goes on as another source, which begins with a key frame and has lower numbers.
    pub fn replace_video_source(&mut self, stream: usize) {
        let s = &mut self.streams[stream];
        s.key_frame_due = true;
        s.video_sequence -= 1_000;
        let mid = s.video;
        let mut api = self.rtc.direct_api();
        let (video, repair) = (api.new_ssrc(), api.new_ssrc());
        api.reset_stream_tx(mid, None, video, Some(repair)).expect("a negotiated line");
    }

    /// Sends one audio packet of 20 ms of a stream.
    pub fn send_audio(&mut self, now: Instant, stream: usize, extensions: ExtensionValues) {
        let payload_type = self.options.codecs.opus;
        let s = &mut self.streams[stream];
        s.audio_sequence += 1;
        s.audio_timestamp = s.audio_timestamp.wrapping_add(960);
        let (mid, payload) = (s.audio, vec![s.colour; 40]);
        let (sequence, timestamp) = (s.audio_sequence, s.audio_timestamp);
        let packet = RtpWrite::new(payload_type.into(), sequence.into(), timestamp, now, payload)
            .ext_vals(extensions);
        self.send(mid, None, packet);
    }

    /// Sends one video frame of 40 ms of a stream, in one packet.
    pub fn send_video(&mut self, now: Instant, stream: usize, extensions: ExtensionValues) {
        let s = &mut self.streams[stream];
        let key_frame = std::mem::take(&mut s.key_frame_due);
        s.video_sequence += 1;
        s.video_timestamp = s.video_timestamp.wrapping_add(3600);
        s.picture_id = (s.picture_id + 1) & 0x7fff;
        s.tl0_picture_index = s.tl0_picture_index.wrapping_add(1);
        let (mid, payload) = (s.video, s.video_payload(key_frame));
        let (sequence, timestamp) = (s.video_sequence, s.video_timestamp);
        let payload_type = self.options.codecs.video(s.picture);
        let captured = now.checked_sub(s.video_delay).expect("a time");
        let packet =
            RtpWrite::new(payload_type.into(), sequence.into(), timestamp, captured, payload)
                .marker(true)
                .nackable(true)
                .ext_vals(extensions);
        self.send(mid, None, packet);
    }

    pub fn handle_datagram(&mut self, now: Instant, from: SocketAddr, contents: &[u8]) {
        if let Ok(receive) = Receive::new(Protocol::Udp, from, self.address, contents) {
            self.rtc.handle_input(Input::Receive(now, receive)).expect("the client goes on");
        }
    }

    /// Lets time pass and takes what the peer has to say.
    pub fn drive(&mut self, now: Instant) {
        // A client that gave up stays silent; what it should have received is asserted.
        if self.rtc.handle_input(Input::Timeout(now)).is_err() {
            self.rtc.disconnect();
        }
        self.drain(now);
    }

    pub fn drain(&mut self, now: Instant) {
        loop {
            let Ok(output) = self.rtc.poll_output() else {
                self.rtc.disconnect();
                continue;
            };
            match output {
                Output::Timeout(at) => {
                    self.deadline = at.max(now + Duration::from_millis(1));
                    return;
                }
                Output::Transmit(t) => self.outgoing.push_back(t.contents.into()),
                Output::Event(event) => self.handle_event(now, event),
            }
        }
    }

    fn handle_event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Connected => self.is_connected = true,
            Event::Closed => self.is_closed = true,
            Event::RtpPacket(packet) => self.handle_packet(now, packet),
            Event::KeyframeRequest(request) => {
                self.key_frame_requests.push((now, request.mid, request.rid));
                for stream in self.streams.iter_mut().filter(|s| s.video == request.mid) {
                    stream.key_frame_due = true;
                }
            }
            Event::RawPacket(packet) => match *packet {
                RawPacket::RtcpRx(Rtcp::SenderReport(report)) => {
                    self.sender_reports.push(SenderReport {
                        at: now,
                        ssrc: *report.sender_info.ssrc,
                        ntp: report.sender_info.ntp_time,
                        timestamp: report.sender_info.rtp_time.numer() as u32,
                    });
                }
                RawPacket::RtcpRx(Rtcp::Twcc(_)) => self.transport_feedbacks += 1,
                RawPacket::RtcpRx(Rtcp::Nack(_)) => self.nacks_received += 1,
                _ => {}
            },
            _ => {}
        }
    }

    fn handle_packet(&mut self, now: Instant, packet: RtpPacket) {
        let payload_type = *packet.header.payload_type;
        let mid = {
            let mut api = self.rtc.direct_api();
            api.stream_rx(&packet.header.ssrc).expect("a known stream").mid()
        };
        let codecs = self.options.codecs;
        let picture =
            [(codecs.vp8, Picture::Vp8), (codecs.vp9, Picture::Vp9), (codecs.h264, Picture::H264)]
                .into_iter()
                .find_map(|(types, picture)| (types?.0 == payload_type).then_some(picture));
        self.received.push(Received {
            at: now,
            mid,
            ssrc: *packet.header.ssrc,
            payload_type,
            sequence_number: *packet.seq_no,
            timestamp: packet.header.timestamp,
            marker: packet.header.marker,
            colour: packet.payload.last().copied().unwrap_or_default(),
            video: picture.map(|p| media::read_video(p, &packet.payload)).unwrap_or_default(),
            extensions: packet.header.ext_vals,
        });
    }
}

/// What the next offer of a client changes.
#[derive(Debug, Clone, Default)]
pub struct Change {
    pub publish: Vec<(Colour, Picture)>,
    pub simulcast: Option<Simulcast>,
    pub slots: u32,
    /// Streams to stop or to start again, on their former lines.
    pub direct: Vec<(usize, bool)>,
    pub restart_ice: bool,
}

fn own(mid: Mid) -> router::Mid {
    router::Mid::parse(&mid).expect("a plain mid")
}

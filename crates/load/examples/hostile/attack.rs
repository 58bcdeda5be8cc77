//! What hostile clients do.

use std::time::{Duration, Instant};

use tertulia_load::media::{STAMP_BYTES, VideoOptions, VideoSource};
use tertulia_router_core::rtp::rtcp::{Arrival, Compound, ReportBlock};
use tertulia_router_core::rtp::srtp::{self, Profile, Role, Sealer};
use tertulia_router_core::rtp::{
    ExtensionIds, ExtensionKind, Extensions, Header, Outgoing, is_rtcp,
};

/// As `tertulia_load::client` offers them.
const VP8: u8 = 96;
const TRANSPORT_SEQUENCE_ID: u8 = 3;
const MID_ID: u8 = 4;
/// Ten times the 2 Mbit/s that a browser sends of a camera.
const MEDIA: VideoOptions =
    VideoOptions { bitrate_bps: 20_000_000, frame_rate: 30, packet_bytes: 1_150 };
/// Of requests, sources and lies, in datagrams a second of each client.
const DATAGRAMS_PER_S: f64 = 5_000.0;
/// What was not said in time is not caught up for longer than this.
const CATCH_UP: Duration = Duration::from_millis(20);
/// Sources of one sealer.
const SOURCES: u32 = 1_000;
/// Packets of each source that are asked for again with every request.
const WANTED: u16 = 200;
const HEARD: usize = 32;
const ROOM: usize = 1_400;

/// One way to be hostile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attack {
    /// None: to compare with.
    None,
    /// Media at ten times the rate of a browser, whatever the router says.
    Media,
    /// Nothing that came is acknowledged or reported.
    Silence,
    /// Key frames are asked for all the time.
    KeyFrames,
    /// Everything that came is asked for again.
    Nacks,
    /// Each packet has another source.
    Sources,
    /// Reports that all came at once, that all was lost, or that make no sense.
    Lies,
    /// Transports are begun, and their handshakes never finished.
    Handshakes,
}

impl Attack {
    pub(crate) fn parse(name: &str) -> Result<Self, String> {
        Ok(match name {
            "none" => Self::None,
            "media" => Self::Media,
            "silence" => Self::Silence,
            "key-frames" => Self::KeyFrames,
            "nacks" => Self::Nacks,
            "sources" => Self::Sources,
            "lies" => Self::Lies,
            "handshakes" => Self::Handshakes,
            other => return Err(format!("there is no attack `{other}`")),
        })
    }

    /// Whether a datagram that a well-behaved client would send is sent.
    pub(crate) fn lets_pass(self, datagram: &[u8]) -> bool {
        match self {
            Self::Silence | Self::Lies => !is_rtcp(datagram),
            // Checks, and of DTLS the first word only.
            Self::Handshakes => match datagram {
                [22, rest @ ..] => rest.get(12) == Some(&1),
                [first, ..] => *first < 20,
                [] => false,
            },
            _ => true,
        }
    }
}

/// A source of the router and its newest packet.
struct Heard {
    ssrc: u32,
    number: u16,
}

/// Says what the attack is about.
pub(crate) struct Voice {
    attack: Attack,
    /// Which of several that attack in the same way.
    place: usize,
    random: fastrand::Rng,
    sealer: Option<Sealer>,
    sealed_sources: u32,
    heard: Vec<Heard>,
    /// Of the router's transport.
    newest_sequence: u64,
    mid: String,
    video: VideoSource,
    source: u32,
    index: u64,
    key_frame_at: Instant,
    said_at: Instant,
    round: u32,
}

impl Voice {
    pub(crate) fn new(attack: Attack, place: usize, now: Instant) -> Self {
        Self {
            attack,
            place,
            random: fastrand::Rng::with_seed(place as u64),
            sealer: None,
            sealed_sources: 0,
            heard: Vec::new(),
            newest_sequence: 0,
            mid: String::new(),
            video: VideoSource::new(MEDIA, 1, now),
            source: 1,
            index: 0,
            key_frame_at: now,
            said_at: now,
            round: 0,
        }
    }

    pub(crate) fn begin(&mut self, now: Instant) {
        self.said_at = now;
        self.key_frame_at = now;
        self.video = VideoSource::new(MEDIA, 1, now);
    }

    /// There is another transport.
    pub(crate) fn forget(&mut self) {
        self.sealer = None;
        self.heard.clear();
        self.newest_sequence = 0;
    }

    /// What was offered: which line the own video is on.
    pub(crate) fn note_frame(&mut self, frame: &str) {
        let parsed: Result<(u64, u64, serde_json::Value), _> = serde_json::from_str(frame);
        let Ok((_, _, message)) = parsed else { return };
        if let Some(mid) = message.get("videoMid").and_then(serde_json::Value::as_str) {
            mid.clone_into(&mut self.mid);
        }
    }

    /// What came, of which the header tells enough.
    pub(crate) fn note(&mut self, datagram: &[u8]) {
        if is_rtcp(datagram) {
            return;
        }
        let Ok(header) = Header::parse(datagram) else { return };
        if let Some(known) = self.heard.iter_mut().find(|heard| heard.ssrc == header.ssrc) {
            known.number = header.sequence_number;
        } else if self.heard.len() < HEARD {
            self.heard.push(Heard { ssrc: header.ssrc, number: header.sequence_number });
        }
        let read = Extensions::read(&ids(), header.elements(datagram));
        if let Some(sequence) = read.transport_sequence {
            let ahead = sequence.wrapping_sub(self.newest_sequence as u16);
            if ahead < 1 << 15 {
                self.newest_sequence += u64::from(ahead);
            }
        }
    }

    /// What is due by now.
    pub(crate) fn say(&mut self, now: Instant, material: &[u8], send: &mut dyn FnMut(&[u8])) {
        if self.attack == Attack::Media {
            return self.say_media(now, material, send);
        }
        let since = now.saturating_duration_since(self.said_at).min(CATCH_UP);
        self.said_at = now;
        if matches!(self.attack, Attack::None | Attack::Silence | Attack::Handshakes) {
            return;
        }
        for _ in 0..(since.as_secs_f64() * DATAGRAMS_PER_S).round() as u32 {
            let mut buffer = [0; ROOM + 64];
            self.round = self.round.wrapping_add(1);
            let length = if self.attack == Attack::Sources {
                self.source = self.random.u32(..);
                self.packet(&mut buffer, material, 0, false, &[0x90, 0xe0, 0x81, 2, 3, 0, 0])
            } else {
                let length = self.control(&mut buffer);
                self.sealer(material).and_then(|s| s.seal_rtcp(&mut buffer, length).ok())
            };
            if let Some(datagram) = length.and_then(|length| buffer.get(..length)) {
                send(datagram);
            }
        }
    }

    fn say_media(&mut self, now: Instant, material: &[u8], send: &mut dyn FnMut(&[u8])) {
        if now >= self.key_frame_at {
            self.key_frame_at = now + Duration::from_secs(1);
            self.video.request_key_frame();
        }
        while let Some(mut packet) = self.video.poll(now, 0) {
            // Nobody is to count it among the packets of those that are well behaved.
            let unstamped = packet.payload.len().saturating_sub(STAMP_BYTES);
            packet.payload.truncate(unstamped);
            let mut buffer = [0; ROOM + 64];
            let (timestamp, marker) = (packet.timestamp, packet.marker);
            let length = self.packet(&mut buffer, material, timestamp, marker, &packet.payload);
            if let Some(datagram) = length.and_then(|length| buffer.get(..length)) {
                send(datagram);
            }
        }
    }

    fn packet(
        &mut self,
        buffer: &mut [u8],
        material: &[u8],
        timestamp: u32,
        marker: bool,
        payload: &[u8],
    ) -> Option<usize> {
        let (ssrc, index) = (self.source, self.index);
        self.index += 1;
        let index = if self.attack == Attack::Sources { index & 0x7fff } else { index };
        let mid = self.mid.clone();
        let header = Outgoing { marker, payload_type: VP8, sequence_number: 0, timestamp, ssrc };
        let extensions = Extensions { mid: Some(mid.as_bytes()), ..Extensions::default() };
        let start = header.write(buffer, &ids(), &extensions).ok()?;
        let length = start + payload.len();
        buffer.get_mut(start..length)?.copy_from_slice(payload);
        if self.attack == Attack::Sources {
            self.sealed_sources += 1;
            if self.sealed_sources.is_multiple_of(SOURCES) {
                self.sealer = None;
            }
        }
        let sealer = self.sealer(material)?;
        let source = sealer.source(ssrc).ok()?;
        sealer.seal_rtp(source, buffer, length, index).ok()
    }

    /// Indices of control packets go on where the sources are new: that of who asks is another with each sealer.
    fn sealer(&mut self, material: &[u8]) -> Option<&mut Sealer> {
        if self.sealer.is_none() {
            let (_, sealer) =
                srtp::contexts(Profile::AeadAes256Gcm, material, Role::Client, 1).ok()?;
            self.sealer = Some(sealer);
            if self.attack != Attack::Media {
                self.source = self.random.u32(..);
            }
        }
        self.sealer.as_mut()
    }

    /// A compound; returns its length.
    fn control(&mut self, buffer: &mut [u8]) -> usize {
        let sender = 0x4057_0000 + self.place as u32;
        let all = buffer.get_mut(..ROOM).unwrap_or_default();
        let mut compound = Compound::new(all);
        match self.attack {
            Attack::KeyFrames => {
                let number = self.round as u8;
                for heard in &self.heard {
                    let _ = compound.picture_loss(sender, heard.ssrc);
                    let _ = compound.full_intra(sender, heard.ssrc, number);
                }
            }
            Attack::Nacks => {
                for heard in &self.heard {
                    let wanted: Vec<u16> =
                        (0..WANTED).rev().map(|behind| heard.number.wrapping_sub(behind)).collect();
                    let _ = compound.nack(sender, heard.ssrc, &wanted);
                }
            }
            _ => self.lie(sender, &mut compound),
        }
        let length = compound.length();
        if self.attack == Attack::Lies {
            add_estimate(buffer, length, self.place, &self.heard)
        } else {
            length
        }
    }

    /// Three kinds of liars.
    fn lie(&mut self, sender: u32, compound: &mut Compound<'_>) {
        let (round, newest) = (u64::from(self.round), self.newest_sequence);
        let lossless = self.place.is_multiple_of(3);
        let (base, step, ticks) = match self.place % 3 {
            0 => (newest.saturating_sub(50), 1, round),
            1 => (newest.saturating_sub(400), 399, round * 1_000),
            _ => (self.random.u64(..1 << 20), 1 + self.random.u64(..9), self.random.u64(..1 << 30)),
        };
        let arrivals: Vec<Arrival> = (0..50)
            .map(|place| Arrival { number: base + place * step, ticks: ticks + place / 16 })
            .take_while(|arrival| self.place % 3 == 2 || arrival.number <= newest)
            .collect();
        let blocks: Vec<ReportBlock> = self
            .heard
            .iter()
            .map(|heard| ReportBlock {
                ssrc: heard.ssrc,
                fraction_lost: if lossless { 0 } else { 255 },
                cumulative_lost: if lossless { -100 } else { 0x7f_ffff },
                highest_sequence: u32::from(heard.number) + self.random.u32(..) % 3 * 65_536,
                jitter: self.random.u32(..),
                last_sender_report: self.random.u32(..),
                delay: self.random.u32(..),
            })
            .collect();
        let _ = compound.receiver_report(sender, blocks.get(..16).unwrap_or(&blocks));
        let media = self.heard.first().map_or(1, |heard| heard.ssrc);
        let _ = compound.transport_feedback(sender, media, self.round as u8, base, &arrivals);
    }
}

/// An estimate of everything, of nothing, or of what no number can say (draft-alvestrand-rmcat-remb-03).
fn add_estimate(buffer: &mut [u8], length: usize, place: usize, heard: &[Heard]) -> usize {
    let media = heard.first().map_or(1, |heard| heard.ssrc);
    let mantissa = [[0xfb, 0xff, 0xff], [0, 0, 1], [0xff, 0xff, 0xff]];
    let mantissa = mantissa.get(place % 3).copied().unwrap_or_default();
    let mut packet = vec![0x8f, 206, 0, 5, 0x40, 0x57, 0, place as u8, 0, 0, 0, 0];
    packet.extend(b"REMB\x01");
    packet.extend(mantissa);
    packet.extend(media.to_be_bytes());
    let end = length + packet.len();
    match buffer.get_mut(length..end) {
        Some(target) => {
            target.copy_from_slice(&packet);
            end
        }
        None => length,
    }
}

fn ids() -> ExtensionIds {
    let mut ids = ExtensionIds::default();
    ids.set(ExtensionKind::TransportSequence, TRANSPORT_SEQUENCE_ID);
    ids.set(ExtensionKind::Mid, MID_ID);
    ids
}

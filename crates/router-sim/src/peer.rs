//! A scripted peer: what it publishes, and on which lines it receives.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fastrand::Rng;
use tertulia_router_core::{Kind, Mid, SlotPair, Source, TransportId};

use crate::engine::{OPUS, VP8, VP9};
use crate::network::Weather;
use crate::wire::{Mark, Message, Packet};

/// Audio leaves with every tick, video with every second, checks with every fifth.
pub(crate) const TICK: Duration = Duration::from_millis(100);
const AUDIO_TICKS: u32 = 4_800;
const FRAME_TICKS: u32 = 18_000;
/// A hole in what came is asked for if it is not larger.
const LARGEST_HOLE: u64 = 5;

/// One size of a line.
#[derive(Debug)]
pub(crate) struct Encoding {
    pub(crate) rid: u8,
    pub(crate) ssrc: u32,
    pub(crate) sequence_number: u64,
    pub(crate) timestamp: u32,
    pub(crate) key_frame_due: bool,
    pub(crate) is_active: bool,
    picture_id: u16,
    tl0_picture_index: u8,
}

impl Encoding {
    fn new(rid: u8, rng: &mut Rng) -> Self {
        let mut new = Self {
            rid,
            ssrc: 0,
            sequence_number: 0,
            timestamp: 0,
            key_frame_due: true,
            is_active: true,
            picture_id: rng.u16(..) & 0x7fff,
            tl0_picture_index: rng.u8(..),
        };
        new.begin_anew(rng);
        new
    }

    /// A new source with numbers of its own, as after a change of the sender.
    pub(crate) fn begin_anew(&mut self, rng: &mut Rng) {
        self.ssrc = rng.u32(1..);
        self.sequence_number = rng.u64(..65_536);
        self.timestamp = rng.u32(..);
        self.key_frame_due = true;
    }
}

/// A line on which the peer sends.
#[derive(Debug)]
pub(crate) struct SendingLine {
    pub(crate) id: u32,
    pub(crate) mid: Mid,
    pub(crate) kind: Kind,
    pub(crate) payload_type: u8,
    pub(crate) encodings: Vec<Encoding>,
    pub(crate) is_sending: bool,
    /// Since when it has sent without a change.
    pub(crate) live_since: Instant,
}

/// What one publisher object sends.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) lines: [SendingLine; 2],
    /// Whether the newest offer has it.
    pub(crate) is_offered: bool,
}

impl Stream {
    pub(crate) fn new(now: Instant, id: u32, rng: &mut Rng) -> Self {
        let line = |kind, offset, payload_type, encodings| SendingLine {
            id: id + offset,
            mid: mid(kind, "p", id + offset),
            kind,
            payload_type,
            encodings,
            is_sending: true,
            live_since: now,
        };
        let layers = if rng.u8(..3) == 0 { 1..=3 } else { 0..=0 };
        let audio = vec![Encoding::new(0, rng)];
        let video = layers.map(|rid| Encoding::new(rid, rng)).collect();
        let picture = if rng.u8(..4) == 0 { VP9 } else { VP8 };
        let lines = [line(Kind::Audio, 0, OPUS, audio), line(Kind::Video, 1, picture, video)];
        Self { lines, is_offered: true }
    }
}

/// What control knows of a slot pair.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) pair: SlotPair,
    pub(crate) generation: u32,
    pub(crate) binding: Option<Binding>,
}

/// What control has bound.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Binding {
    pub(crate) publisher: usize,
    pub(crate) source: Source,
    /// The answer has not come yet.
    pub(crate) ticket: Option<u64>,
}

/// Somebody.
pub(crate) struct Peer {
    pub(crate) number: usize,
    pub(crate) transport: TransportId,
    pub(crate) address: SocketAddr,
    pub(crate) weather: Weather,
    pub(crate) streams: Vec<Stream>,
    pub(crate) slots: Vec<Slot>,
    /// Payload types of the video that it takes.
    pub(crate) takes: Vec<u8>,
    pub(crate) router_ufrag: String,
    pub(crate) restarts: u32,
    /// It has not vanished.
    pub(crate) is_alive: bool,
    pub(crate) hears_router: bool,
    /// When the router said that it is connected.
    pub(crate) connected_at: Option<Instant>,
    /// The router said that the transport ended.
    pub(crate) has_ended: bool,
    ticks: u32,
    newest: HashMap<Mid, u64>,
}

impl Peer {
    pub(crate) fn new(number: usize, takes: Vec<u8>, weather: Weather) -> Self {
        let [high, low] = (number as u16).to_be_bytes();
        Self {
            number,
            transport: TransportId(0),
            address: SocketAddr::from(([10, 0, high, low], 6000)),
            weather,
            streams: Vec::new(),
            slots: Vec::new(),
            takes,
            router_ufrag: String::new(),
            restarts: 0,
            is_alive: true,
            hears_router: false,
            connected_at: None,
            has_ended: false,
            ticks: 0,
            newest: HashMap::new(),
        }
    }

    /// Adds so many slot pairs; they are offered with the next offer.
    pub(crate) fn add_slots(&mut self, count: usize) -> Vec<SlotPair> {
        for _ in 0..count {
            let index = self.slots.len() as u32;
            let pair = SlotPair {
                slot: tertulia_router_core::SlotIndex(index),
                audio_mid: mid(Kind::Audio, "s", index),
                video_mid: mid(Kind::Video, "s", index),
            };
            self.slots.push(Slot { pair, generation: 0, binding: None });
        }
        self.slots[self.slots.len() - count..].iter().map(|slot| slot.pair).collect()
    }

    pub(crate) fn offer(&self, is_to_be_refused: bool) -> String {
        let mut sdp = format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=ice-ufrag:p{}r{}\r\n\
             a=ice-pwd:p\r\na=fingerprint:sha-256 00\r\n",
            self.number, self.restarts
        );
        if is_to_be_refused {
            sdp.push_str("a=refuse-me\r\n");
        }
        let mut line = |kind: Kind, mid: Mid, types: &[u8], direction: &str| {
            let numbers: Vec<String> = types.iter().map(u8::to_string).collect();
            let _ = write!(
                sdp,
                "m={kind} 9 UDP/TLS/RTP/SAVPF {}\r\na=mid:{mid}\r\na={direction}\r\n",
                numbers.join(" ")
            );
            for number in types {
                let name = match *number {
                    OPUS => "opus/48000/2",
                    VP8 => "VP8/90000",
                    _ => "VP9/90000",
                };
                let _ = write!(sdp, "a=rtpmap:{number} {name}\r\n");
            }
        };
        for stream in &self.streams {
            let direction = if stream.is_offered { "sendonly" } else { "inactive" };
            line(Kind::Audio, stream.lines[0].mid, &[OPUS], direction);
            line(Kind::Video, stream.lines[1].mid, &[VP8, VP9], direction);
        }
        for slot in &self.slots {
            line(Kind::Audio, slot.pair.audio_mid, &[OPUS], "recvonly");
            line(Kind::Video, slot.pair.video_mid, &self.takes, "recvonly");
        }
        sdp
    }

    pub(crate) fn accept(&mut self, answer: &str) {
        let ufrag = answer.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:"));
        ufrag.expect("an ICE user name").trim().clone_into(&mut self.router_ufrag);
    }

    /// Its lines that an offer has.
    pub(crate) fn sending_lines(&mut self) -> impl Iterator<Item = &mut SendingLine> {
        self.streams.iter_mut().filter(|s| s.is_offered).flat_map(|s| &mut s.lines)
    }

    pub(crate) fn line_by_mid(&self, mid: Mid) -> Option<&SendingLine> {
        let offered = self.streams.iter().filter(|s| s.is_offered);
        offered.flat_map(|s| &s.lines).find(|line| line.mid == mid)
    }

    /// What it sends now.
    pub(crate) fn tick(&mut self, now: Instant, start: Instant) -> Vec<Message> {
        let mut said = Vec::new();
        if !self.is_alive || self.has_ended {
            return said;
        }
        self.ticks += 1;
        if self.ticks % 5 == 1 {
            said.push(Message::Check { ufrag: self.router_ufrag.clone() });
        }
        if !self.hears_router {
            return said;
        }
        let ticks = self.ticks;
        let elapsed = now.saturating_duration_since(start);
        for line in self.sending_lines().filter(|line| line.is_sending) {
            let mid = line.mid;
            if ticks % 20 == u32::from(line.kind == Kind::Audio) {
                for encoding in &line.encodings {
                    said.push(Message::SenderReport {
                        mid,
                        rid: encoding.rid,
                        ntp_ms: 1_800_000_000_000 + elapsed.as_millis() as u64,
                        timestamp: encoding.timestamp,
                    });
                }
            }
            if line.kind == Kind::Audio {
                said.push(Message::Media(audio(line)));
            } else if ticks.is_multiple_of(2) {
                said.extend(frames(line).map(Message::Media));
            }
        }
        said
    }

    /// The router says something.
    pub(crate) fn handle(&mut self, now: Instant, message: Message) -> Vec<Message> {
        match message {
            Message::Alive if !self.hears_router => {
                self.hears_router = true;
                self.sending_lines().for_each(|line| line.live_since = now);
            }
            Message::KeyFrame { mid, rid } => {
                let line = self.sending_lines().find(|line| line.mid == mid);
                let encodings = line.into_iter().flat_map(|line| &mut line.encodings);
                for encoding in encodings.filter(|e| rid == 0 || e.rid == rid) {
                    encoding.key_frame_due = true;
                }
            }
            Message::Media(packet) => {
                let number = packet.sequence_number;
                let newest = self.newest.entry(packet.mid).or_insert(number);
                let holes = newest.saturating_add(1)..number;
                *newest = number.max(*newest);
                if holes.end.saturating_sub(holes.start) <= LARGEST_HOLE {
                    let mid = packet.mid;
                    return holes
                        .map(|sequence_number| Message::Nack { mid, sequence_number })
                        .collect();
                }
            }
            _ => {}
        }
        Vec::new()
    }
}

fn mid(kind: Kind, prefix: &str, number: u32) -> Mid {
    let letter = if kind == Kind::Audio { 'a' } else { 'v' };
    Mid::parse(&format!("{prefix}{letter}{number}")).expect("a mid")
}

fn audio(line: &mut SendingLine) -> Packet {
    let id = line.id;
    let encoding = &mut line.encodings[0];
    encoding.timestamp = encoding.timestamp.wrapping_add(AUDIO_TICKS);
    packet(id, line.mid, OPUS, encoding, true, vec![0; 4])
}

/// One frame of each encoding, in two packets.
fn frames(line: &mut SendingLine) -> impl Iterator<Item = Packet> {
    let (id, mid, payload_type) = (line.id, line.mid, line.payload_type);
    let active = line.encodings.iter_mut().filter(|e| e.is_active);
    active.flat_map(move |encoding| {
        let is_key = std::mem::take(&mut encoding.key_frame_due);
        encoding.timestamp = encoding.timestamp.wrapping_add(FRAME_TICKS);
        encoding.picture_id = (encoding.picture_id + 1) & 0x7fff;
        encoding.tl0_picture_index = encoding.tl0_picture_index.wrapping_add(1);
        [true, false].map(|is_first| {
            let mut payload = descriptor(payload_type, encoding, is_first, is_key);
            payload.resize(payload.len() + 20 * usize::from(encoding.rid), 0);
            packet(id, mid, payload_type, encoding, !is_first, payload)
        })
    })
}

/// The beginning of a payload: RFC 7741 section 4.2 and 4.3, RFC 9628 section 4.2.
fn descriptor(payload_type: u8, encoding: &Encoding, is_first: bool, is_key: bool) -> Vec<u8> {
    let [high, low] = encoding.picture_id.to_be_bytes();
    let (id, tl0) = (0x80 | high, encoding.tl0_picture_index);
    if payload_type == VP8 {
        let start = 0x80 | u8::from(is_first) << 4;
        vec![start, 0xe0, id, low, tl0, 0, u8::from(!(is_first && is_key))]
    } else {
        // I, L, and P unless a key frame; B at the beginning of a frame and E at its end.
        let flags = 0xa0 | if is_key { 0 } else { 0x40 } | if is_first { 0x08 } else { 0x04 };
        vec![flags, id, low, 0, tl0, 0]
    }
}

fn packet(
    line: u32,
    mid: Mid,
    payload_type: u8,
    encoding: &mut Encoding,
    marker: bool,
    mut payload: Vec<u8>,
) -> Packet {
    encoding.sequence_number += 1;
    let Encoding { ssrc, sequence_number, timestamp, rid, .. } = *encoding;
    Mark { line, ssrc, sequence_number, timestamp }.write(&mut payload);
    Packet {
        mid,
        rid,
        ssrc,
        payload_type,
        sequence_number,
        timestamp,
        marker,
        is_repeated: false,
        payload,
    }
}

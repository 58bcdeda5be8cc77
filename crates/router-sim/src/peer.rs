//! A scripted peer: what it publishes, and on which lines it receives.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fastrand::Rng;
use tertulia_router_core::rtp::{Outgoing, red};
use tertulia_router_core::{Kind, Mid, SlotPair, Source, TransportId};

use crate::engine::with_repair;
use crate::keys::{self, AV1, OPUS, RED, VP8, VP9, repair_of};
use crate::layered::{self, Layered};
use crate::load::Load;
use crate::network::{Queue, Weather};
use crate::pictures::Frame;
use crate::voice::{Label, Voice, since};
use crate::wire::{Heard, Mark, Message, Packet, Request};
use crate::witness::Witness;

/// Audio and video leave with every second tick, in turn, checks with every fifth.
pub(crate) const TICK: Duration = Duration::from_millis(100);
const AUDIO_TICKS: u32 = 9_600;
const FRAME_TICKS: u32 = 18_000;
/// A hole in what came is asked for if it is not larger.
const LARGEST_HOLE: u64 = 5;
/// Packets of an encoding that may be asked for again.
const HISTORY: usize = 40;
/// Width and height of the sizes in which a line is sent, the smallest first.
const SIZES: [[u16; 2]; 4] = [[640, 360], [320, 180], [640, 360], [1280, 720]];

/// Levels of sound, in -dBov.
pub(crate) const LOUD: u8 = 20;
pub(crate) const SILENCE: u8 = 127;

/// One size of a line.
#[derive(Debug, Clone)]
pub(crate) struct Encoding {
    pub(crate) rid: u8,
    pub(crate) ssrc: u32,
    pub(crate) sequence_number: u64,
    pub(crate) timestamp: u32,
    pub(crate) key_frame_due: bool,
    pub(crate) is_active: bool,
    /// The router said that nobody needs it.
    pub(crate) is_paused: bool,
    picture_id: u16,
    tl0_picture_index: u8,
    frames: u32,
    sent: VecDeque<Sent>,
    /// The source that repeats its packets, and its number.
    repair: (u32, u64),
    /// The payload of the packet before, for redundant audio.
    former: Option<Vec<u8>>,
}

/// A packet that can be asked for again.
#[derive(Debug, Clone)]
struct Sent {
    header: Outgoing,
    payload: Vec<u8>,
    descriptor: Option<Vec<u8>>,
    sealed: Vec<u8>,
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
            is_paused: false,
            picture_id: rng.u16(..) & 0x7fff,
            tl0_picture_index: rng.u8(..),
            frames: 0,
            sent: VecDeque::new(),
            repair: (0, 0),
            former: None,
        };
        new.begin_anew(rng);
        new
    }

    /// Nothing is to be heard (DTX): time passes, numbers do not.
    fn rest(&mut self) {
        self.timestamp = self.timestamp.wrapping_add(AUDIO_TICKS);
        self.former = None;
    }

    /// Leaves numbers out.
    pub(crate) fn skip(&mut self, count: u64) {
        self.sequence_number += count;
        // Redundant audio has no place for what is not the packet just before.
        self.former = None;
    }

    /// The same source on another transport, whose receiver knows nothing of it.
    fn begin_elsewhere(&mut self, rng: &mut Rng) {
        self.sent.clear();
        self.former = None;
        self.key_frame_due = true;
        if self.sequence_number.max(self.repair.1) >= 32_768 {
            self.begin_anew(rng);
        }
    }

    /// A new source with numbers of its own, as after a change of the sender.
    pub(crate) fn begin_anew(&mut self, rng: &mut Rng) {
        self.ssrc = rng.u32(100..);
        self.repair = (rng.u32(100..), rng.u64(..32_768));
        self.sent.clear();
        self.former = None;
        // In the lower half: who misses the first packets must not miss a rollover with them.
        self.sequence_number = rng.u64(..32_768);
        self.timestamp = rng.u32(..);
        self.key_frame_due = true;
    }
}

/// A line on which the peer sends.
#[derive(Debug, Clone)]
pub(crate) struct SendingLine {
    pub(crate) id: u32,
    pub(crate) mid: Mid,
    pub(crate) kind: Kind,
    pub(crate) payload_type: u8,
    pub(crate) encodings: Vec<Encoding>,
    pub(crate) is_sending: bool,
    /// Its VP9 has layers inside.
    pub(crate) layered: Option<Layered>,
    /// Its audio repeats the packet before.
    is_redundant: bool,
    /// How loud its audio is (RFC 6464); at [`SILENCE`] only every other packet is sent (DTX).
    pub(crate) level: u8,
    /// Since when it has sent without a change.
    pub(crate) live_since: Instant,
}

impl SendingLine {
    /// Whether its codec of now is the one with layers inside.
    pub(crate) fn sends_layers(&self) -> bool {
        self.layered.as_ref().is_some_and(|layered| layered.payload_type == self.payload_type)
    }

    /// Time passes for encodings that are not sent, too.
    fn pass_time(&mut self, is_for_video: bool) {
        let ticks = match (self.kind, is_for_video) {
            (Kind::Audio, false) => AUDIO_TICKS,
            (Kind::Video, true) => FRAME_TICKS,
            _ => return,
        };
        let is_sending = self.is_sending;
        for encoding in &mut self.encodings {
            if !is_sending || !encoding.is_active || encoding.is_paused {
                encoding.timestamp = encoding.timestamp.wrapping_add(ticks);
            }
        }
    }

    /// Its sender is another one.
    pub(crate) fn forget_pauses(&mut self) {
        self.encodings.iter_mut().for_each(|encoding| encoding.is_paused = false);
        if let Some(layered) = &mut self.layered {
            layered.pause(false);
        }
    }

    /// The other codec that it sends.
    pub(crate) fn other_codec(&self) -> u8 {
        match self.payload_type {
            VP8 => self.layered.as_ref().map_or(VP9, |layered| layered.payload_type),
            _ => VP8,
        }
    }

    /// The smallest size that it sends, if it sends several and tells them.
    pub(crate) fn least(&self) -> Option<Best> {
        let several = self.encodings.len() > 1 && self.payload_type == VP8;
        several.then(|| Best::Source(self.encodings[0].ssrc))
    }

    /// Whether the router said that nobody needs this.
    pub(crate) fn rests(&self, best: Best) -> bool {
        match best {
            Best::Source(ssrc) => self.encodings.iter().any(|e| e.ssrc == ssrc && e.is_paused),
            Best::Upper => self.layered.as_ref().is_some_and(Layered::rests),
        }
    }

    /// The best that it offers, if it is known which that is.
    pub(crate) fn best(&self) -> Option<Best> {
        if let Some(layered) = self.layered.as_ref().filter(|_| self.sends_layers()) {
            return layered.shows_upper().then_some(Best::Upper);
        }
        // Without layers inside VP9 tells no size here.
        let active = self.encodings.iter().filter(|e| e.is_active && self.payload_type == VP8);
        active.max_by_key(|encoding| encoding.rid).map(|encoding| Best::Source(encoding.ssrc))
    }
}

/// What one publisher object sends.
#[derive(Debug, Clone)]
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
            layered: None,
            is_redundant: false,
            level: LOUD,
            live_since: now,
        };
        let layers = if rng.u8(..3) == 0 { 1..=3 } else { 0..=0 };
        let audio = vec![Encoding::new(0, rng)];
        let video = layers.map(|rid| Encoding::new(rid, rng)).collect();
        let picture = if rng.u8(..4) == 0 { VP9 } else { VP8 };
        let mut lines = [line(Kind::Audio, 0, OPUS, audio), line(Kind::Video, 1, picture, video)];
        lines[0].is_redundant = rng.bool();
        Self { lines, is_offered: true }
    }

    /// The same on another transport, as other lines of the simulation.
    pub(crate) fn elsewhere(&self, now: Instant, id: u32, rng: &mut Rng) -> Self {
        let mut stream = self.clone();
        for (line, id) in stream.lines.iter_mut().zip(id..) {
            (line.id, line.live_since) = (id, now);
            line.encodings.iter_mut().for_each(|encoding| encoding.begin_elsewhere(rng));
            line.forget_pauses();
            line.layered.as_mut().map(Layered::take_sent);
        }
        stream
    }
}

/// What control knows of a slot pair.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) pair: SlotPair,
    pub(crate) generation: u32,
    pub(crate) binding: Option<Binding>,
    /// Its audio line carries one of the loudest.
    pub(crate) carries_loudest: bool,
    /// Since when its subscriber has wished for no size and no frame rate, or for the smallest size.
    pub(crate) wants_best_since: Option<Instant>,
    pub(crate) wants_least_since: Option<Instant>,
    /// Whether its video is a screen, and since when.
    pub(crate) screen: Option<(bool, Instant)>,
}

/// The best that a line offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Best {
    /// This source.
    Source(u32),
    /// The upper of the spatial layers inside.
    Upper,
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
    /// Before the link to it.
    pub(crate) queue: Queue,
    pub(crate) load: Load,
    /// Its link stays narrow until then.
    pub(crate) narrow_until: Option<Instant>,
    /// Until then it is as it was decided.
    pub(crate) settled_until: Option<Instant>,
    /// Since when the router has taken its link for one that bears everything.
    pub(crate) plenty_since: Option<Instant>,
    /// Since when its datagrams have come in order.
    pub(crate) ordered_since: Option<Instant>,
    /// Since when its link has carried everything.
    pub(crate) wide_since: Option<Instant>,
    /// Its keys, once the first offer was answered, and who watches what is sent to it.
    pub(crate) voice: Option<Voice>,
    pub(crate) witness: Option<Witness>,
    pub(crate) streams: Vec<Stream>,
    pub(crate) slots: Vec<Slot>,
    /// Payload types of the video that it takes.
    pub(crate) takes: Vec<u8>,
    /// What is repeated for it comes by a stream of its own.
    has_repair: bool,
    /// It takes redundant audio, and asks for lost audio.
    has_redundancy: bool,
    has_audio_nack: bool,
    pub(crate) router_ufrag: String,
    pub(crate) restarts: u32,
    /// It has not vanished.
    pub(crate) is_alive: bool,
    pub(crate) hears_router: bool,
    /// When the router said that it is connected.
    pub(crate) connected_at: Option<Instant>,
    /// How often its seat had a transport, this one included.
    pub(crate) epoch: u32,
    /// Which peer it was before.
    pub(crate) seat: usize,
    /// It said goodbye, or broke its transport.
    pub(crate) is_leaving: bool,
    /// Since when its link has let something through.
    pub(crate) reachable_since: Option<Instant>,
    /// What it asked for again, and has not been sent again.
    asked: HashSet<(u32, u64)>,
    /// The router said that the transport ended.
    pub(crate) has_ended: bool,
    /// Bytes that are added to each packet of video, for each step of its size.
    pub(crate) padding: usize,
    /// Packets that it asked for again.
    pub(crate) asked_again: u64,
    ticks: u32,
    /// Source and greatest number of each line on which something came.
    newest: HashMap<Mid, (u32, u64)>,
}

impl Peer {
    pub(crate) fn new(number: usize, takes: Vec<u8>, weather: Weather, rng: &mut Rng) -> Self {
        let [high, low] = (number as u16).to_be_bytes();
        Self {
            number,
            transport: TransportId(0),
            address: SocketAddr::from(([10, 0, high, low], 6000)),
            weather,
            queue: Queue::default(),
            load: Load::default(),
            narrow_until: None,
            settled_until: None,
            plenty_since: None,
            ordered_since: None,
            wide_since: None,
            voice: None,
            witness: None,
            streams: Vec::new(),
            slots: Vec::new(),
            takes,
            has_repair: rng.u8(..4) > 0,
            has_redundancy: rng.bool(),
            has_audio_nack: rng.bool(),
            router_ufrag: String::new(),
            restarts: 0,
            is_alive: true,
            hears_router: false,
            connected_at: None,
            epoch: 1,
            seat: number,
            is_leaving: false,
            reachable_since: None,
            asked: HashSet::new(),
            has_ended: false,
            padding: 20,
            asked_again: 0,
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
            self.slots.push(Slot {
                pair,
                generation: 0,
                binding: None,
                carries_loudest: false,
                wants_best_since: None,
                wants_least_since: None,
                screen: None,
            });
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
                    RED => "red/48000/2",
                    VP8 => "VP8/90000",
                    VP9 => "VP9/90000",
                    AV1 => "AV1/90000",
                    _ => "rtx/90000",
                };
                let _ = write!(sdp, "a=rtpmap:{number} {name}\r\n");
            }
            if self.has_audio_nack && kind == Kind::Audio {
                sdp.push_str("a=rtcp-fb:111 nack\r\n");
            }
        };
        let video = with_repair(&[VP8, VP9, AV1], self.has_repair);
        for stream in &self.streams {
            let direction = if stream.is_offered { "sendonly" } else { "inactive" };
            line(Kind::Audio, stream.lines[0].mid, &[OPUS, RED], direction);
            line(Kind::Video, stream.lines[1].mid, &video, direction);
        }
        let audio: &[u8] = if self.has_redundancy { &[OPUS, RED] } else { &[OPUS] };
        let video = with_repair(&self.takes, self.has_repair);
        for slot in &self.slots {
            line(Kind::Audio, slot.pair.audio_mid, audio, "recvonly");
            line(Kind::Video, slot.pair.video_mid, &video, "recvonly");
        }
        sdp
    }

    pub(crate) fn accept(&mut self, answer: &str) {
        let ufrag = answer.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:"));
        ufrag.expect("an ICE user name").trim().clone_into(&mut self.router_ufrag);
        if self.voice.is_none() {
            let name = self.router_ufrag.split('r').next().unwrap_or_default();
            let (opener, sealer) = keys::of_peer(name);
            self.voice = Some(Voice::new(sealer));
            let mut takes = with_repair(&self.takes, self.has_repair);
            takes.push(OPUS);
            takes.extend(self.has_redundancy.then_some(RED));
            self.witness = Some(Witness::new(opener, takes));
        }
    }

    /// Its lines that an offer has.
    pub(crate) fn sending_lines(&mut self) -> impl Iterator<Item = &mut SendingLine> {
        self.streams.iter_mut().filter(|s| s.is_offered).flat_map(|s| &mut s.lines)
    }

    pub(crate) fn line_by_mid(&self, mid: Mid) -> Option<&SendingLine> {
        let offered = self.streams.iter().filter(|s| s.is_offered);
        offered.flat_map(|s| &s.lines).find(|line| line.mid == mid)
    }

    /// What it sends now, and how many packets of it are media.
    pub(crate) fn tick(&mut self, now: Instant, start: Instant) -> (Vec<Vec<u8>>, u64) {
        let (mut said, mut media) = (Vec::new(), 0);
        let Some(voice) = &mut self.voice else { return (said, media) };
        if !self.is_alive || self.has_ended {
            return (said, media);
        }
        self.ticks += 1;
        if self.ticks % 5 == 1 {
            said.push(Message::Check { ufrag: self.router_ufrag.clone() }.to_bytes());
        }
        if !self.hears_router {
            return (said, media);
        }
        let ticks = self.ticks;
        let any = self.newest.values().next().map_or(0, |(ssrc, _)| *ssrc);
        if ticks.is_multiple_of(2) {
            said.extend(voice.feedback(any));
        }
        let lines = self.streams.iter_mut().filter(|s| s.is_offered).flat_map(|s| &mut s.lines);
        for line in lines {
            line.pass_time(ticks.is_multiple_of(2));
            if !line.is_sending {
                continue;
            }
            if ticks % 20 == u32::from(line.kind == Kind::Audio) {
                let encodings = line.encodings.iter();
                said.extend(encodings.map(|encoding| {
                    voice.sender_report(encoding.ssrc, since(start, now), encoding.timestamp)
                }));
            }
            let before = said.len();
            match (line.kind, ticks.is_multiple_of(2)) {
                (Kind::Audio, false) if line.level == SILENCE && ticks % 4 == 1 => {
                    line.encodings[0].rest();
                }
                (Kind::Audio, false) => said.push(audio(line, voice)),
                (Kind::Video, true) if line.sends_layers() => {
                    layered::picture(line, voice, &mut said);
                }
                (Kind::Video, true) => frames(line, voice, self.padding, &mut said),
                _ => {}
            }
            media += (said.len() - before) as u64;
        }
        (said, media)
    }

    /// The router says something. Returns what is answered.
    pub(crate) fn handle(&mut self, now: Instant, start: Instant, heard: Heard) -> Vec<Vec<u8>> {
        match heard {
            Heard::Alive if !self.hears_router => {
                self.hears_router = true;
                self.sending_lines().for_each(|line| line.live_since = now);
            }
            Heard::Alive | Heard::Bye => {}
            Heard::Control(requests) => {
                return requests.iter().flat_map(|request| self.obey(request)).collect();
            }
            Heard::Media(packet) => {
                let Some(voice) = &mut self.voice else { return Vec::new() };
                if let Some(number) = packet.transport_sequence {
                    voice.note_arrival(since(start, now), number);
                }
                if packet.is_repeated {
                    return Vec::new();
                }
                let Packet { ssrc, sequence_number: number, mid, .. } = *packet;
                let (_, newest) = self.newest.entry(mid).or_insert((ssrc, number));
                let holes = newest.saturating_add(1)..number;
                *newest = number.max(*newest);
                if !holes.is_empty() && holes.end - holes.start <= LARGEST_HOLE {
                    if !packet.is_audio && self.has_repair {
                        self.asked.extend(holes.clone().map(|number| (ssrc, number)));
                        self.asked_again += holes.end - holes.start;
                    }
                    let lost: Vec<u16> = holes.map(|number| number as u16).collect();
                    return vec![voice.nack(ssrc, &lost)];
                }
            }
        }
        Vec::new()
    }

    fn obey(&mut self, request: &Request) -> Vec<Vec<u8>> {
        let Some(voice) = &mut self.voice else { return Vec::new() };
        let lines = self.streams.iter_mut().filter(|s| s.is_offered).flat_map(|s| &mut s.lines);
        for line in lines {
            let (kind, mid) = (line.kind, line.mid);
            for encoding in &mut line.encodings {
                match request {
                    Request::KeyFrame(ssrc) if encoding.ssrc == *ssrc => {
                        encoding.key_frame_due = true;
                    }
                    Request::Again(ssrc, numbers) if encoding.ssrc == *ssrc => {
                        return encoding.again(voice, kind, mid, numbers);
                    }
                    _ => {}
                }
            }
        }
        Vec::new()
    }

    /// Something is repeated for it. Returns whether it asked for that.
    pub(crate) fn note_repeat(&mut self, packet: &Packet) -> bool {
        self.asked.remove(&(packet.ssrc, packet.sequence_number))
    }

    /// Asks for a key frame so often, and for what came lately on that line once more.
    pub(crate) fn clamour(&mut self, mid: Mid, times: usize) -> Vec<Vec<u8>> {
        let Some((ssrc, newest)) = self.newest.get(&mid).copied() else { return Vec::new() };
        let Some(voice) = self.voice.as_mut().filter(|_| self.is_alive) else { return Vec::new() };
        let lately: Vec<u16> = (newest.saturating_sub(8)..=newest).map(|n| n as u16).collect();
        (0..times)
            .flat_map(|_| [voice.key_frame_request(ssrc), voice.nack(ssrc, &lately)])
            .collect()
    }

    /// Packets with layers inside that it sent since this was last asked.
    pub(crate) fn take_layered(&mut self) -> Vec<((u32, u16), Frame)> {
        let lines = self.streams.iter_mut().flat_map(|stream| &mut stream.lines);
        lines.filter_map(|line| line.layered.as_mut()).flat_map(Layered::take_sent).collect()
    }

    /// The source of a slot line, once something came on it.
    pub(crate) fn source_of(&self, mid: Mid) -> Option<u32> {
        self.newest.get(&mid).map(|(ssrc, _)| *ssrc)
    }

    /// The router said which encodings of a line nobody needs.
    pub(crate) fn pause(&mut self, mid: Mid, paused: &[String]) {
        for line in self.sending_lines().filter(|line| line.mid == mid) {
            if let Some(layered) = &mut line.layered {
                let is_news = layered.pause(paused.iter().any(|rid| rid == "S1"));
                line.encodings[0].key_frame_due |= is_news;
            }
            for encoding in &mut line.encodings {
                let is_paused = paused.iter().any(|rid| *rid == rid_text(encoding.rid));
                encoding.key_frame_due |= encoding.is_paused && !is_paused;
                encoding.is_paused = is_paused;
            }
        }
    }
}

fn rid_text(rid: u8) -> &'static str {
    ["", "1", "2", "3"][usize::from(rid)]
}

fn mid(kind: Kind, prefix: &str, number: u32) -> Mid {
    let letter = if kind == Kind::Audio { 'a' } else { 'v' };
    Mid::parse(&format!("{prefix}{letter}{number}")).expect("a mid")
}

fn audio(line: &mut SendingLine, voice: &mut Voice) -> Vec<u8> {
    let (id, mid, is_redundant) = (line.id, line.mid, line.is_redundant);
    voice.level = line.level;
    let encoding = &mut line.encodings[0];
    encoding.timestamp = encoding.timestamp.wrapping_add(AUDIO_TICKS);
    let payload = encoding.marked(id, vec![0; 4]);
    let former = encoding.former.replace(payload.clone()).filter(|_| is_redundant);
    let Some(former) = former else {
        return encoding.send(voice, Kind::Audio, mid, OPUS, true, payload);
    };
    let mut both = vec![0; former.len() + payload.len() + 5];
    let former = red::Repeated { timestamp_offset: AUDIO_TICKS, payload: &former };
    red::write(&mut both, OPUS, &[former], &payload).expect("room");
    encoding.send(voice, Kind::Audio, mid, RED, true, both)
}

/// One frame of each encoding, in two packets.
fn frames(line: &mut SendingLine, voice: &mut Voice, padding: usize, said: &mut Vec<Vec<u8>>) {
    let (id, mid, payload_type) = (line.id, line.mid, line.payload_type);
    for encoding in line.encodings.iter_mut().filter(|e| e.is_active && !e.is_paused) {
        let (is_key, _) = encoding.begin_picture();
        for is_first in [true, false] {
            let mut payload = descriptor(payload_type, encoding, is_first, is_key);
            let size = usize::from(encoding.rid.max(1)) + 1;
            payload.resize(payload.len() + padding * size / 2, 0);
            let payload = encoding.marked(id, payload);
            said.push(encoding.send(voice, Kind::Video, mid, payload_type, !is_first, payload));
        }
    }
}

/// The beginning of a payload: RFC 7741 section 4.2 and 4.3, RFC 9628 section 4.2.
fn descriptor(payload_type: u8, encoding: &Encoding, is_first: bool, is_key: bool) -> Vec<u8> {
    let [high, low] = encoding.picture_id.to_be_bytes();
    let (id, tl0) = (0x80 | high, encoding.tl0_picture_index);
    if payload_type == VP8 {
        let start = 0x80 | u8::from(is_first) << 4;
        let is_above = !encoding.frames.is_multiple_of(2);
        let layer = if is_above { 0x60 } else { 0 };
        let mut descriptor =
            vec![start, 0xe0, id, low, tl0, layer, u8::from(!(is_first && is_key))];
        if is_first && is_key {
            let [width, height] = SIZES[usize::from(encoding.rid)].map(u16::to_le_bytes);
            descriptor.extend([0, 0, 0x9d, 0x01, 0x2a]);
            descriptor.extend([width, height].concat());
        }
        descriptor
    } else {
        // I, L, and P unless a key frame; B at the beginning of a frame and E at its end.
        let flags = 0xa0 | if is_key { 0 } else { 0x40 } | if is_first { 0x08 } else { 0x04 };
        vec![flags, id, low, 0, tl0, 0]
    }
}

impl Encoding {
    /// A payload that tells whose it is; the packet's number is the next.
    fn marked(&mut self, line: u32, mut payload: Vec<u8>) -> Vec<u8> {
        self.sequence_number += 1;
        let Encoding { ssrc, sequence_number, timestamp, picture_id: picture, .. } = *self;
        Mark { line, ssrc, sequence_number, timestamp, picture }.write(&mut payload);
        payload
    }

    fn send(
        &mut self,
        voice: &mut Voice,
        kind: Kind,
        mid: Mid,
        payload_type: u8,
        marker: bool,
        payload: Vec<u8>,
    ) -> Vec<u8> {
        self.send_with(voice, (kind, mid, payload_type), marker, payload, None)
    }

    /// Sends what is of this line, marked as that.
    pub(crate) fn send_of(
        &mut self,
        voice: &mut Voice,
        (line, kind, mid, payload_type): (u32, Kind, Mid, u8),
        marker: bool,
        payload: Vec<u8>,
        descriptor: Option<Vec<u8>>,
    ) -> Vec<u8> {
        let payload = self.marked(line, payload);
        self.send_with(voice, (kind, mid, payload_type), marker, payload, descriptor)
    }

    fn send_with(
        &mut self,
        voice: &mut Voice,
        (kind, mid, payload_type): (Kind, Mid, u8),
        marker: bool,
        payload: Vec<u8>,
        descriptor: Option<Vec<u8>>,
    ) -> Vec<u8> {
        let header = Outgoing {
            marker,
            payload_type,
            sequence_number: self.sequence_number as u16,
            timestamp: self.timestamp,
            ssrc: self.ssrc,
        };
        let label = self.label(kind, &mid, false, descriptor.as_deref());
        let sealed = voice.rtp(header, self.sequence_number, label, &payload);
        if self.sent.len() == HISTORY {
            self.sent.pop_front();
        }
        self.sent.push_back(Sent { header, payload, descriptor, sealed: sealed.clone() });
        sealed
    }

    /// Another picture, or key frame, and its temporal layer.
    pub(crate) fn begin_picture(&mut self) -> (bool, u8) {
        let is_key = std::mem::take(&mut self.key_frame_due);
        self.timestamp = self.timestamp.wrapping_add(FRAME_TICKS);
        self.picture_id = (self.picture_id + 1) & 0x7fff;
        self.frames = if is_key { 0 } else { self.frames + 1 };
        if self.frames.is_multiple_of(2) {
            self.tl0_picture_index = self.tl0_picture_index.wrapping_add(1);
        }
        (is_key, (self.frames % 2) as u8)
    }

    /// Numbers of the picture that was begun last, and of its lowest temporal layer.
    pub(crate) fn picture(&self) -> (u16, u8) {
        (self.picture_id, self.tl0_picture_index)
    }

    /// Audio leaves again as it was, video in a stream of its own (RFC 4588).
    fn again(&mut self, voice: &mut Voice, kind: Kind, mid: Mid, numbers: &[u16]) -> Vec<Vec<u8>> {
        let mut said = Vec::new();
        for number in numbers {
            let Some(sent) = self.sent.iter().find(|s| s.header.sequence_number == *number) else {
                continue;
            };
            if kind == Kind::Audio {
                said.push(sent.sealed.clone());
                continue;
            }
            self.repair.1 += 1;
            let (ssrc, index) = self.repair;
            let payload_type = repair_of(sent.header.payload_type);
            let header =
                Outgoing { payload_type, ssrc, sequence_number: index as u16, ..sent.header };
            let payload = [&number.to_be_bytes()[..], &sent.payload].concat();
            said.push(voice.rtp(
                header,
                index,
                self.label(kind, &mid, true, sent.descriptor.as_deref()),
                &payload,
            ));
        }
        said
    }

    fn label<'a>(
        &self,
        kind: Kind,
        mid: &'a Mid,
        is_repair: bool,
        dependency: Option<&'a [u8]>,
    ) -> Label<'a> {
        let rid = rid_text(self.rid);
        Label { mid: mid.as_str(), rid, is_repair, is_audio: kind == Kind::Audio, dependency }
    }
}

//! A scripted peer: what it publishes, and on which lines it receives.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fastrand::Rng;
use tertulia_router_core::{Kind, Mid, SlotPair, Source, TransportId};

use crate::engine::with_repair;
use crate::keys::{self, AV1, OPUS, RED, VP8, VP9};
use crate::layered::{self, Layered};
use crate::load::Load;
use crate::network::{Queue, Weather};
use crate::pictures::Frame;
use crate::stream::{SILENCE, SendingLine, Stream, audio, frames, mid, rid_text};
use crate::voice::{Voice, since};
use crate::wire::{Heard, Message, Packet, Request};
use crate::witness::Witness;

/// Audio and video leave with every second tick, in turn, checks with every fifth.
pub(crate) const TICK: Duration = Duration::from_millis(100);
/// A hole in what came is asked for if it is not larger.
const LARGEST_HOLE: u64 = 5;

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
    /// The codec of each of its lines, as control was told.
    pub(crate) codecs: HashMap<Mid, String>,
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
            codecs: HashMap::new(),
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

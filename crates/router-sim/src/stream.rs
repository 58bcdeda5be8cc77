//! What a peer publishes: streams of two lines each, the sizes of a line, and when they change.

use std::collections::VecDeque;
use std::time::Instant;

use fastrand::Rng;
use tertulia_router_core::rtp::{Outgoing, red};
use tertulia_router_core::{Kind, Mid};

use crate::keys::{OPUS, RED, VP8, VP9, repair_of};
use crate::layered::Layered;
use crate::voice::{Label, Voice};
use crate::wire::Mark;

const AUDIO_TICKS: u32 = 9_600;
const FRAME_TICKS: u32 = 18_000;
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
    pub(crate) fn rest(&mut self) {
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
    pub(crate) fn pass_time(&mut self, is_for_video: bool) {
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

    /// The same with video in all sizes.
    pub(crate) fn in_all_sizes(mut self, rng: &mut Rng) -> Self {
        self.lines[1].payload_type = VP8;
        self.lines[1].encodings = (1..=3).map(|rid| Encoding::new(rid, rng)).collect();
        self
    }

    /// The same with layers inside its video.
    pub(crate) fn with_layers(mut self, layered: Layered, rng: &mut Rng) -> Self {
        self.lines[1].payload_type = layered.payload_type;
        self.lines[1].encodings = vec![Encoding::new(0, rng)];
        self.lines[1].layered = Some(layered);
        self
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

/// The best that a line offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Best {
    /// This source.
    Source(u32),
    /// The upper of the spatial layers inside.
    Upper,
}

pub(crate) fn rid_text(rid: u8) -> &'static str {
    ["", "1", "2", "3"][usize::from(rid)]
}

pub(crate) fn mid(kind: Kind, prefix: &str, number: u32) -> Mid {
    let letter = if kind == Kind::Audio { 'a' } else { 'v' };
    Mid::parse(&format!("{prefix}{letter}{number}")).expect("a mid")
}

pub(crate) fn audio(line: &mut SendingLine, voice: &mut Voice) -> Vec<u8> {
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
pub(crate) fn frames(
    line: &mut SendingLine,
    voice: &mut Voice,
    padding: usize,
    said: &mut Vec<Vec<u8>>,
) {
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
    pub(crate) fn again(
        &mut self,
        voice: &mut Voice,
        kind: Kind,
        mid: Mid,
        numbers: &[u16],
    ) -> Vec<Vec<u8>> {
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

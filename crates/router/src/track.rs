//! A media line on which a client sends, and its encodings.

use std::time::{Duration, Instant};

use str0m::media::Rid;

use crate::codec::{Codec, Format, Payload};
use crate::command::TrackInfo;
use crate::engine::RtpIn;
use crate::ids::{Kind, Mid};
use crate::keyframe::KeyFrameThrottle;
use crate::sink::Sink;
use crate::wallclock::Report;

/// How long bytes are counted before encodings are compared.
const WINDOW: Duration = Duration::from_millis(500);
/// An encoding from which nothing came for this long is not live.
const LIVENESS: Duration = Duration::from_secs(1);
/// Encodings of one line; browsers send at most three.
const MAX_ENCODINGS: usize = 4;

/// One of the sizes in which a publisher sends a line: one simulcast `rid`, or the only one.
#[derive(Debug)]
pub(crate) struct Encoding {
    pub(crate) rid: Option<Rid>,
    pub(crate) throttle: KeyFrameThrottle,
    pub(crate) report: Option<Report>,
    ssrc: u32,
    last_packet: Instant,
    window_bytes: usize,
    first_sequence: u64,
    last_sequence: u64,
    received: u64,
    lost_before: u64,
}

impl Encoding {
    fn lost(&self) -> u64 {
        let expected = self.last_sequence.saturating_sub(self.first_sequence) + 1;
        self.lost_before + expected.saturating_sub(self.received)
    }
}

/// A media line on which a client sends.
#[derive(Debug)]
pub(crate) struct Track {
    pub(crate) mid: Mid,
    pub(crate) kind: Kind,
    /// The newest offer says that the client sends on it; a line may stop and come back.
    pub(crate) is_sending: bool,
    pub(crate) sinks: Vec<Sink>,
    pub(crate) payloads: Vec<Payload>,
    pub(crate) encodings: Vec<Encoding>,
    /// The loudest level since it was last told.
    pub(crate) level_dbov: Option<i8>,
    format: Option<Format>,
    /// The encoding that is forwarded.
    selected: usize,
    /// The one to change to at its next key frame.
    wanted: Option<usize>,
    window_started: Option<Instant>,
}

impl Track {
    pub(crate) fn new(mid: Mid, kind: Kind) -> Self {
        Self {
            mid,
            kind,
            is_sending: true,
            sinks: Vec::new(),
            payloads: Vec::new(),
            encodings: Vec::new(),
            level_dbov: None,
            format: None,
            selected: 0,
            wanted: None,
            window_started: None,
        }
    }

    pub(crate) fn info(&self) -> TrackInfo {
        TrackInfo {
            mid: self.mid,
            kind: self.kind,
            codec: self.format.map(|f| f.codec().name().to_owned()),
            receiving: self.format.is_some(),
        }
    }

    pub(crate) fn format(&self) -> Option<Format> {
        self.format
    }

    /// What a payload type of this line stands for; `None` if it was not negotiated for its kind.
    pub(crate) fn format_of(&self, payload_type: u8) -> Option<Format> {
        let payload = self.payloads.iter().find(|p| p.payload_type == payload_type)?;
        (payload.format.kind() == self.kind).then_some(payload.format)
    }

    /// Notes the format of a packet. Returns whether control should hear of it.
    pub(crate) fn set_format(&mut self, format: Format) -> bool {
        let codec = |f: Option<Format>| f.map(Format::codec);
        let is_news: bool = codec(self.format) != Some::<Codec>(format.codec());
        self.format = Some(format);
        is_news
    }

    /// The client stopped sending: what comes next is a new beginning.
    pub(crate) fn stop(&mut self) {
        let sinks = std::mem::take(&mut self.sinks);
        *self = Self { sinks, is_sending: false, ..Self::new(self.mid, self.kind) };
    }

    /// Counts a packet and returns the index of its encoding; `None` if it has one too many.
    pub(crate) fn count(&mut self, now: Instant, packet: &RtpIn) -> Option<usize> {
        let index = match self.encodings.iter().position(|e| e.rid == packet.rid) {
            Some(index) => index,
            None if self.encodings.len() < MAX_ENCODINGS => {
                self.encodings.push(Encoding {
                    rid: packet.rid,
                    throttle: KeyFrameThrottle::default(),
                    report: None,
                    ssrc: packet.ssrc,
                    last_packet: now,
                    window_bytes: 0,
                    first_sequence: packet.sequence_number,
                    last_sequence: packet.sequence_number,
                    received: 0,
                    lost_before: 0,
                });
                self.encodings.len() - 1
            }
            None => return None,
        };
        let encoding = self.encodings.get_mut(index)?;
        if encoding.ssrc != packet.ssrc {
            encoding.lost_before = encoding.lost();
            encoding.ssrc = packet.ssrc;
            encoding.report = None;
            (encoding.first_sequence, encoding.received) = (packet.sequence_number, 0);
            encoding.last_sequence = packet.sequence_number;
        }
        encoding.received += 1;
        encoding.first_sequence = encoding.first_sequence.min(packet.sequence_number);
        encoding.last_sequence = encoding.last_sequence.max(packet.sequence_number);
        encoding.last_packet = now;
        encoding.window_bytes += packet.payload.len();
        Some(index)
    }

    /// Packets of this line that never came.
    pub(crate) fn lost(&self) -> u64 {
        self.encodings.iter().map(Encoding::lost).sum()
    }

    /// The encoding from which a key frame is to be asked for.
    pub(crate) fn key_frame_encoding(&mut self) -> Option<&mut Encoding> {
        self.encodings.get_mut(self.wanted.unwrap_or(self.selected))
    }

    /// Decides whether packets of encoding `index` are forwarded: those of the highest live one.
    /// Rids have no order of their own, so the highest is the one with most bytes. The change
    /// waits for a key frame of the new one. Returns `(forward, ask for a key frame)`.
    pub(crate) fn choose(&mut self, now: Instant, index: usize, key_frame: bool) -> (bool, bool) {
        if self.encodings.len() == 1 {
            self.selected = index;
            return (true, false);
        }
        let mut ask = false;
        let started = *self.window_started.get_or_insert(now);
        if now.saturating_duration_since(started) >= WINDOW {
            ask = self.compare(now);
        }
        if key_frame && self.wanted == Some(index) {
            self.selected = index;
            self.wanted = None;
        }
        (index == self.selected, ask)
    }

    fn compare(&mut self, now: Instant) -> bool {
        let is_live = |e: &Encoding| now.saturating_duration_since(e.last_packet) < LIVENESS;
        let current =
            self.encodings.get(self.selected).filter(|e| is_live(e)).map_or(0, |e| e.window_bytes);
        let best = self
            .encodings
            .iter()
            .enumerate()
            .filter(|(_, e)| is_live(e))
            .max_by_key(|(_, e)| e.window_bytes)
            .map(|(index, e)| (index, e.window_bytes));
        let former = self.wanted;
        self.wanted = best
            .filter(|(index, bytes)| *index != self.selected && *bytes > current + current / 4)
            .map(|(index, _)| index);
        for encoding in &mut self.encodings {
            encoding.window_bytes = 0;
        }
        self.window_started = Some(now);
        self.wanted.is_some() && self.wanted != former
    }
}

//! A media line on which a client sends, and its encodings.

use std::time::{Duration, Instant};

use str0m::media::Rid;

use crate::codec::{Codec, Format, FrameInfo, FrameSize, Payload};
use crate::command::TrackInfo;
use crate::engine::RtpIn;
use crate::ids::{Kind, Mid};
use crate::kept::Kept;
use crate::keyframe::KeyFrameThrottle;
use crate::layers::{
    Encodings, Layer, MAX_ENCODINGS, MAX_TEMPORAL_LAYERS, Need, Rate, encoding_of, layer_index,
};
use crate::loudness::Loudness;
use crate::scalability::{Cell, Cells, Describer, LayerFrame, SpatialLayers};
use crate::sink::Sink;
use crate::wallclock::Report;
use crate::window::Window;

/// How long packets are counted before rates, order and liveness are looked at again.
const WINDOW: Duration = Duration::from_millis(250);
/// An encoding is not live any more after so much silence in which the others brought so many frames: a
/// key frame on a narrow path takes its time, and a picture that stands still has few frames.
const SILENCE: [(Duration, u32); 2] =
    [(Duration::from_millis(500), 10), (Duration::from_secs(1), 6)];
/// Nor is one for which the lowest brought so many frames, and so much more than it usually does between two of its
/// own: where their estimate falls, browsers stop sizes from the top, without a word, and who watches one sees nothing
/// until another begins. To be wrong costs a key frame of the smaller one.
const MISSED_FRAMES: u32 = 3;
const MORE_THAN_USUAL: f32 = 2.5;
/// A longer pause between two frames says nothing of what is usual: it had ended.
const LONGEST_PAUSE: u32 = 10;
/// How long nobody wants an encoding before the publisher is told: elements change their sizes and
/// networks their width, and to begin again costs a key frame.
const PATIENCE: Duration = Duration::from_secs(2);
/// How much of a measured rate the newest window makes: rates follow within about a second.
const SHARE: f32 = 0.25;

/// One of the sizes in which a publisher sends a line: one simulcast `rid`, or the only one.
#[derive(Debug)]
pub(crate) struct Encoding {
    pub(crate) rid: Option<Rid>,
    pub(crate) throttle: KeyFrameThrottle,
    pub(crate) report: Option<Report>,
    ssrc: u32,
    last_packet: Instant,
    first_sequence: u64,
    last_sequence: u64,
    received: u64,
    lost_before: u64,
    is_live: bool,
    size: Option<FrameSize>,
    temporal_layers: u8,
    last_timestamp: Option<u32>,
    /// Frames of all others since its newest packet came, and of the lowest.
    missed: u32,
    missed_of_lowest: u32,
    /// How many of the lowest come between two of its own.
    usual: f32,
    /// What somebody who waits for it could not begin with.
    pub(crate) kept: Kept,
    /// Since when nobody wants it.
    unwanted_since: Option<Instant>,
    /// Since when it is wanted and does not come.
    missed_since: Option<Instant>,
    is_paused: bool,
    /// By temporal layer, without those below.
    window: [Window; MAX_TEMPORAL_LAYERS],
    rates: [Rate; MAX_TEMPORAL_LAYERS],
    is_measured: bool,
    /// Of a stream with layers inside; needs memory only if there are some.
    inside: Option<Box<Inside>>,
}

/// The layers inside of one encoding.
#[derive(Debug, Default)]
struct Inside {
    describer: Describer,
    /// By cell: all that somebody gets who has it.
    window: [Window; Cell::COUNT],
    rates: [Rate; Cell::COUNT],
    /// Those whose picture was counted already.
    counted: Cells,
    /// What was told last.
    told: Cells,
    spatial: SpatialLayers,
}

impl Inside {
    /// Another source sends the encoding. Which layers it has is seen; what nobody needs stays known.
    fn begin_anew(&mut self) {
        *self = Self { spatial: std::mem::take(&mut self.spatial), ..Self::default() };
    }

    /// Counts a packet. Returns whether there are other layers than before.
    fn count(&mut self, frame: &LayerFrame, bytes: usize, is_picture: bool) -> bool {
        if is_picture {
            self.counted = Cells::NONE;
        }
        for (cell, window) in Cell::all().zip(&mut self.window) {
            if frame.present.has(cell) {
                window.bytes = window.bytes.saturating_add(bytes as u32);
                window.frames = window.frames.saturating_add((!self.counted.has(cell)).into());
                self.counted.add(cell);
            }
        }
        std::mem::replace(&mut self.told, frame.cells) != frame.cells
    }

    /// Looks at what is sent now; `index` is that of the encoding.
    fn look(&mut self, index: u8, is_live: bool) {
        let Self { describer, rates, spatial, .. } = self;
        let cells = describer.cells();
        let temporal_layers = describer.temporal_layers().clamp(1, MAX_TEMPORAL_LAYERS as u8);
        let rates = rates.chunks_exact(MAX_TEMPORAL_LAYERS).zip(0..);
        spatial.note(rates.filter_map(|(rates, spatial)| {
            let is_there = cells.iter().any(|cell| cell.spatial == spatial);
            let layer = Layer {
                encoding: layer_index(index, spatial),
                is_live,
                size: describer.size(spatial),
                rates: *rates.first_chunk()?,
                temporal_layers,
            };
            is_there.then_some((spatial, layer))
        }));
    }

    /// Measures what is sent; what is not keeps its rate.
    fn measure(&mut self, seconds: f32, share: f32) {
        let cells = self.describer.cells();
        let places = Cell::all().zip(self.rates.iter_mut().zip(&mut self.window));
        for (_, (rate, window)) in places.filter(|(cell, _)| cells.has(*cell)) {
            window.move_into(rate, seconds, share);
        }
    }
}

impl Encoding {
    fn new(now: Instant, packet: &RtpIn) -> Self {
        Self {
            rid: packet.rid,
            throttle: KeyFrameThrottle::default(),
            report: None,
            ssrc: packet.ssrc,
            last_packet: now,
            first_sequence: packet.sequence_number,
            last_sequence: packet.sequence_number,
            received: 0,
            lost_before: 0,
            is_live: false,
            size: None,
            temporal_layers: 1,
            last_timestamp: None,
            missed: 0,
            missed_of_lowest: 0,
            usual: 1.0,
            kept: Kept::default(),
            unwanted_since: None,
            missed_since: None,
            is_paused: false,
            window: [Window::default(); MAX_TEMPORAL_LAYERS],
            rates: [Rate::default(); MAX_TEMPORAL_LAYERS],
            is_measured: false,
            inside: None,
        }
    }

    fn lost(&self) -> u64 {
        let expected = self.last_sequence.saturating_sub(self.first_sequence) + 1;
        self.lost_before + expected.saturating_sub(self.received)
    }

    /// Counts a packet. Returns the greatest number before.
    fn count(&mut self, now: Instant, packet: &RtpIn) -> u64 {
        let is_first = self.received == 0 || self.ssrc != packet.ssrc;
        let newest_before = if is_first { 0 } else { self.last_sequence };
        if self.ssrc != packet.ssrc {
            self.lost_before = self.lost();
            self.ssrc = packet.ssrc;
            self.report = None;
            if let Some(inside) = &mut self.inside {
                inside.begin_anew();
            }
            (self.first_sequence, self.received) = (packet.sequence_number, 0);
            self.last_sequence = packet.sequence_number;
        }
        self.received += 1;
        self.first_sequence = self.first_sequence.min(packet.sequence_number);
        // What is repeated late was sent before it fell silent.
        if packet.sequence_number >= self.last_sequence {
            self.last_sequence = packet.sequence_number;
            self.last_packet = now;
            if (1..=LONGEST_PAUSE).contains(&self.missed_of_lowest) {
                self.usual += SHARE * (self.missed_of_lowest as f32 - self.usual);
            }
            (self.missed, self.missed_of_lowest) = (0, 0);
        }
        newest_before
    }

    /// Another encoding brought a frame. Returns whether this one has ended: nothing of it is waited for any more.
    fn miss(&mut self, now: Instant, is_of_lowest: bool) -> bool {
        self.missed = self.missed.saturating_add(1);
        self.missed_of_lowest = self.missed_of_lowest.saturating_add(is_of_lowest.into());
        let silence = now.saturating_duration_since(self.last_packet);
        let is_stopped = self.missed_of_lowest >= MISSED_FRAMES
            && self.missed_of_lowest as f32 >= MORE_THAN_USUAL * self.usual;
        let is_silent = |(time, frames)| silence >= time && self.missed >= frames;
        let has_ended = self.is_live && (is_stopped || SILENCE.into_iter().any(is_silent));
        self.is_live &= !has_ended;
        has_ended
    }

    fn layer(&self, index: u8) -> Layer {
        let mut sum = Rate::default();
        let rates = self.rates.map(|rate| {
            sum.bitrate_bps = sum.bitrate_bps.saturating_add(rate.bitrate_bps);
            sum.frame_rate += rate.frame_rate;
            sum
        });
        let Self { is_live, size, temporal_layers, .. } = *self;
        Layer { encoding: index, is_live, size, rates, temporal_layers }
    }

    fn bitrate_bps(&self) -> f32 {
        self.rates.iter().map(|rate| rate.bitrate_bps as f32).sum()
    }

    fn measure(&mut self, elapsed: Duration) {
        let seconds = elapsed.as_secs_f32().max(0.01);
        let share = if self.is_measured { SHARE } else { 1.0 };
        for (rate, window) in self.rates.iter_mut().zip(&mut self.window) {
            window.move_into(rate, seconds, share);
        }
        if let Some(inside) = &mut self.inside {
            inside.measure(seconds, share);
        }
        self.is_measured = true;
    }
}

/// Somebody who gets packets of a track, and what of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Feed {
    pub(crate) sink: Sink,
    pub(crate) need: Need,
}

/// A media line on which a client sends.
#[derive(Debug)]
pub(crate) struct Track {
    pub(crate) mid: Mid,
    pub(crate) kind: Kind,
    /// The newest offer says that the client sends on it; a line may stop and come back.
    pub(crate) is_sending: bool,
    pub(crate) feeds: Vec<Feed>,
    pub(crate) payloads: Vec<Payload>,
    pub(crate) encodings: Vec<Encoding>,
    /// What there is to choose from, the lowest first; video only.
    pub(crate) layers: Vec<Layer>,
    /// The loudest level since it was last told.
    pub(crate) level_dbov: Option<i8>,
    /// Audio only.
    pub(crate) loudness: Loudness,
    format: Option<Format>,
    /// Indices of encodings, the lowest first.
    order: Vec<u8>,
    measured_at: Option<Instant>,
    /// Spatial layers that were told to be paused are not known any more.
    has_forgotten_pauses: bool,
}

impl Track {
    pub(crate) fn new(mid: Mid, kind: Kind) -> Self {
        Self {
            mid,
            kind,
            is_sending: true,
            feeds: Vec::new(),
            payloads: Vec::new(),
            encodings: Vec::new(),
            layers: Vec::new(),
            level_dbov: None,
            loudness: Loudness::default(),
            format: None,
            order: Vec::new(),
            measured_at: None,
            has_forgotten_pauses: false,
        }
    }

    pub(crate) fn info(&self) -> TrackInfo {
        TrackInfo {
            mid: self.mid,
            kind: self.kind,
            codec: self.format.map(|f| f.codec().name().to_owned()),
            receiving: self.format.is_some(),
            paused_rids: self.has_layers().then(|| self.paused_rids()),
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

    /// Notes the format of a packet, before that is described. Returns whether control should hear of it.
    pub(crate) fn set_format(&mut self, format: Format) -> bool {
        let codec = |f: Option<Format>| f.map(Format::codec);
        let is_news: bool = codec(self.format) != Some::<Codec>(format.codec());
        self.format = Some(format);
        if is_news {
            // Layers of the codec before are sent no more, and a pause of them means nothing.
            for inside in self.encodings.iter_mut().filter_map(|e| e.inside.take()) {
                self.has_forgotten_pauses |= inside.spatial.paused().next().is_some();
            }
        }
        is_news
    }

    /// The client stopped sending: what comes next is a new beginning.
    pub(crate) fn stop(&mut self) {
        let mut feeds = std::mem::take(&mut self.feeds);
        for feed in &mut feeds {
            feed.need = Need::ALL;
        }
        *self = Self { feeds, is_sending: false, ..Self::new(self.mid, self.kind) };
    }

    /// Counts a packet and returns the index of its encoding and the greatest number of that before; `None` if it has
    /// one too many.
    pub(crate) fn count(&mut self, now: Instant, packet: &RtpIn) -> Option<(u8, u64)> {
        let place = match self.encodings.iter().position(|e| e.rid == packet.rid) {
            Some(place) => place,
            None if self.encodings.len() < MAX_ENCODINGS => {
                self.encodings.push(Encoding::new(now, packet));
                self.encodings.len() - 1
            }
            None => return None,
        };
        let newest_before = self.encodings.get_mut(place)?.count(now, packet);
        Some((u8::try_from(place).ok()?, newest_before))
    }

    /// What a packet of encoding `index` says of its frame.
    pub(crate) fn describe(&mut self, index: u8, codec: Codec, packet: &RtpIn) -> FrameInfo {
        let mut frame = FrameInfo::of(codec, &packet.payload);
        // Other codecs say what the router needs in their payload, and change encodings with it.
        if !matches!(codec, Codec::Vp9 | Codec::Av1) {
            return frame;
        }
        let descriptor = packet.extensions.dependency.map(|place| packet.payload.beside(place));
        let Some(encoding) = self.encodings.get_mut(usize::from(index)) else {
            return frame;
        };
        let inside = encoding.inside.get_or_insert_default();
        let described = inside.describer.describe(codec, descriptor, &packet.payload, frame);
        frame.layers = described.layers;
        if frame.starts_key_frame || described.starts_key_frame == Some(true) {
            // A decoder of AV1 begins with a sequence, which the descriptor may not know of.
            frame.starts_key_frame = described.starts_key_frame.unwrap_or(true);
            frame.size = (0..).map_while(|spatial| inside.describer.size(spatial)).last();
        }
        frame
    }

    /// Whether nothing later came of this encoding.
    pub(crate) fn is_newest(&self, index: u8, sequence_number: u64) -> bool {
        let encoding = self.encodings.get(usize::from(index));
        encoding.is_some_and(|encoding| sequence_number >= encoding.last_sequence)
    }

    /// Measures a packet of encoding `index`. Returns whether those who get the track must hear of
    /// its layers anew.
    pub(crate) fn measure(
        &mut self,
        now: Instant,
        index: u8,
        frame: FrameInfo,
        packet: &RtpIn,
    ) -> bool {
        if self.kind == Kind::Audio {
            return false;
        }
        let Some(encoding) = self.encodings.get_mut(usize::from(index)) else {
            return false;
        };
        let temporal = frame.temporal_layer.map_or(0, |layer| layer.index);
        // What comes late is of a frame that was counted, or is not counted any more.
        let is_newest = packet.sequence_number >= encoding.last_sequence;
        let is_frame = is_newest && encoding.last_timestamp != Some(packet.timestamp);
        let is_grown = temporal >= encoding.temporal_layers;
        if is_grown {
            encoding.temporal_layers = temporal.saturating_add(1).min(MAX_TEMPORAL_LAYERS as u8);
        }
        if let Some(window) = encoding.window.get_mut(usize::from(temporal)) {
            window.bytes = window.bytes.saturating_add(packet.payload.len() as u32);
            window.frames = window.frames.saturating_add(is_frame.into());
        }
        if is_frame {
            encoding.last_timestamp = Some(packet.timestamp);
        }
        let inside = encoding.inside.as_deref_mut().zip(frame.layers);
        let has_other_layers = inside
            .is_some_and(|(inside, layers)| inside.count(&layers, packet.payload.len(), is_frame));
        let is_resized = frame.size.is_some() && frame.size != encoding.size;
        if is_resized {
            encoding.size = frame.size;
        }
        // An encoding is one to choose from its first key frame on: nothing can start before.
        let is_known = self.order.contains(&index);
        let has_choice = encoding.rid.is_some() || encoding.inside.is_some();
        if !is_known && !frame.starts_key_frame && has_choice {
            encoding.throttle.await_first(now);
        }
        // A first one that comes late tells as much: whoever wants the encoding then asks for another.
        let comes = if is_known { is_newest } else { frame.starts_key_frame };
        let is_back = !encoding.is_live && comes;
        if is_back {
            encoding.is_live = true;
            encoding.is_measured = false;
            if !is_known {
                self.order.push(index);
            }
        }
        let mut is_news = is_grown || is_resized || is_back || has_other_layers;
        if is_frame {
            let is_of_lowest = self.order.first() == Some(&index);
            let others = (0..).zip(&mut self.encodings).filter(|(other, _)| *other != index);
            for (_, other) in others {
                is_news |= other.miss(now, is_of_lowest);
            }
        }
        self.look(now, is_news)
    }

    /// Looks at rates once per window, and at the order if there is news.
    fn look(&mut self, now: Instant, is_news: bool) -> bool {
        let started = *self.measured_at.get_or_insert(now);
        let elapsed = now.saturating_duration_since(started);
        let is_due = elapsed >= WINDOW;
        if is_due {
            self.measured_at = Some(now);
            for encoding in self.encodings.iter_mut().filter(|e| e.is_live) {
                encoding.measure(elapsed);
            }
        }
        if !is_due && !is_news {
            return false;
        }
        let is_sorted = self.sort();
        self.layers.clear();
        for index in &self.order {
            let Some(encoding) = self.encodings.get_mut(usize::from(*index)) else {
                continue;
            };
            let known = self.layers.len();
            if let Some(inside) = &mut encoding.inside {
                inside.look(*index, encoding.is_live);
                self.layers.extend(inside.spatial.iter());
            }
            if self.layers.len() == known {
                self.layers.push(encoding.layer(*index));
            }
        }
        // Rates decide what a narrow network gets, also where there is one layer only.
        is_news || is_sorted || is_due
    }

    /// Puts encodings into order: by the size of their pictures, and where that does not tell by their
    /// rate, if it differs by a quarter. Rids have no order of their own. Returns whether it changed.
    fn sort(&mut self) -> bool {
        let encodings = &self.encodings;
        let is_above = |low: u8, high: u8| {
            let (Some(low), Some(high)) =
                (encodings.get(usize::from(low)), encodings.get(usize::from(high)))
            else {
                return false;
            };
            match (low.size.map(FrameSize::pixels), high.size.map(FrameSize::pixels)) {
                (Some(low), Some(high)) if low != high => low > high,
                _ if low.is_live && high.is_live => low.bitrate_bps() > 1.25 * high.bitrate_bps(),
                _ => false,
            }
        };
        let mut has_changed = false;
        for end in (1..self.order.len()).rev() {
            for place in 0..end {
                if let Some([low, high]) = self.order.get_mut(place..place + 2)
                    && is_above(*low, *high)
                {
                    std::mem::swap(low, high);
                    has_changed = true;
                }
            }
        }
        has_changed
    }

    /// Packets of this line that never came.
    pub(crate) fn lost(&self) -> u64 {
        self.encodings.iter().map(Encoding::lost).sum()
    }

    /// What all who get it need of it together.
    pub(crate) fn need(&self) -> Need {
        self.feeds.iter().fold(Need::NONE, |all, feed| all.and(feed.need))
    }

    /// Whether there is more than one layer, in encodings of their own or inside of one.
    fn has_layers(&self) -> bool {
        self.order.len() > 1 || self.layers.len() > 1
    }

    /// What is inside of the only encoding, if that has layers inside.
    fn only_inside(&self) -> Option<&Inside> {
        let [only] = self.order.as_slice() else {
            return None;
        };
        self.encodings.get(usize::from(*only))?.inside.as_deref()
    }

    /// Pauses encodings that nobody has wanted for a while, and ends the pause of those that somebody
    /// wants; the lowest is never paused. What is wanted and does not come may be more than the publisher
    /// can send: then the next lower is wanted, too. So with the spatial layers inside of the only one. Returns
    /// whether something changed.
    pub(crate) fn update_pauses(&mut self, now: Instant) -> bool {
        let Need { wants, spatial, .. } = self.need();
        let mut has_changed = std::mem::take(&mut self.has_forgotten_pauses);
        if let [only] = self.order.as_slice()
            && let Some(encoding) = self.encodings.get_mut(usize::from(*only))
            && let Some(inside) = &mut encoding.inside
        {
            return inside.spatial.update_pauses(now, spatial, PATIENCE) || has_changed;
        }
        let tells_sizes = self.encodings.iter().any(|encoding| encoding.size.is_some());
        let mut is_replacing = false;
        for (place, index) in self.order.iter().enumerate().rev() {
            let Some(encoding) = self.encodings.get_mut(usize::from(*index)) else {
                continue;
            };
            let is_wanted = wants.has(*index) || is_replacing;
            let is_missed = is_wanted && !encoding.is_live;
            encoding.missed_since = is_missed.then(|| encoding.missed_since.unwrap_or(now));
            let missed = encoding.missed_since.map(|since| now.saturating_duration_since(since));
            is_replacing = missed.is_some_and(|missed| missed >= PATIENCE);
            // Where others tell theirs, one of unknown size may be any: what rested while the codec changed.
            let is_unknown = tells_sizes && encoding.size.is_none();
            let is_paused = if place == 0 || is_wanted || is_unknown {
                encoding.unwanted_since = None;
                false
            } else {
                let since = *encoding.unwanted_since.get_or_insert(now);
                encoding.is_paused || now.saturating_duration_since(since) >= PATIENCE
            };
            has_changed |= std::mem::replace(&mut encoding.is_paused, is_paused) != is_paused;
        }
        has_changed
    }

    /// The encodings that nobody needs, or of a line with one the spatial layers, as `S1` and `S2`.
    pub(crate) fn paused_rids(&self) -> Vec<String> {
        if let Some(inside) = self.only_inside() {
            return inside.spatial.paused().map(|spatial| format!("S{spatial}")).collect();
        }
        let paused = self.encodings.iter().filter(|encoding| encoding.is_paused);
        paused.filter_map(|encoding| Some(encoding.rid?.to_string())).collect()
    }

    /// The throttle of one encoding.
    pub(crate) fn throttle(&mut self, index: u8) -> Option<&mut KeyFrameThrottle> {
        self.encodings.get_mut(usize::from(index)).map(|e| &mut e.throttle)
    }

    /// The live encodings that somebody gets, or the highest if nobody does.
    pub(crate) fn watched(&self) -> Encodings {
        let need = self.need();
        let live = self.layers.iter().filter(|layer| layer.is_live);
        let live = live.map(|layer| encoding_of(layer.encoding));
        let watched = live.filter(|index| need.receives.has(*index));
        let watched = watched.fold(Encodings::NONE, |all, index| all.and(Encodings::one(index)));
        if watched != Encodings::NONE {
            return watched;
        }
        let highest = self.layers.iter().rev().find(|layer| layer.is_live);
        Encodings::one(highest.map_or(0, |layer| encoding_of(layer.encoding)))
    }
}

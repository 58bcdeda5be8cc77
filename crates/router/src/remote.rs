//! Sources that are published on another shard, and subscribers of other shards.
//!
//! The publisher's shard has one [`Sink::Shard`] per track and shard, whatever the number of slots
//! there; the subscribers' shard keeps which of its slots want which remote line. A binding is made
//! at once and answered when the publisher's shard has said what it knows of the source.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use crate::codec::Codec;
use crate::command::{Bind, Bound, Source};
use crate::engine::RtpIn;
use crate::error::RouterError;
use crate::exchange::{Formats, MediaHeader, Recipient, ShardMessage};
use crate::fanout::{Arrived, Group};
use crate::ids::{Generation, Kind, Mid, SlotIndex, TransportId};
use crate::kept::{Kept, Part, keep};
use crate::layers::{Encodings, Layer, MAX_ENCODINGS, Need};
use crate::line::Incoming;
use crate::lookahead::AT_ONCE;
use crate::router::Router;
use crate::sink::{ShardIndex, Sink};
use crate::slot::Slot;

/// How often the publisher's shard is reminded that somebody still waits for a key frame. It has its
/// own measure of how often the publisher is.
const REMIND: Duration = Duration::from_millis(100);

/// What the router knows of sources on other shards.
#[derive(Default)]
pub(crate) struct Remote {
    lines: FxHashMap<(TransportId, Mid), RemoteLine>,
    pending: VecDeque<PendingBind>,
    last_request: u64,
    answers: VecDeque<(u64, Result<Bound, RouterError>)>,
}

impl Remote {
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.pending.is_empty() && self.answers.is_empty()
    }
}

/// A line on another shard that slots of this one want.
struct RemoteLine {
    slots: Vec<RemoteSlot>,
    layers: Vec<Layer>,
    /// What the publisher's shard knows that they need.
    told: Need,
    /// By encoding.
    reminded_at: [Option<Instant>; MAX_ENCODINGS],
    kept: [Kept; MAX_ENCODINGS],
    /// How loud it was said to be, and when.
    voice: Option<(Instant, f32)>,
}

/// A slot of this shard, and what it needs.
struct RemoteSlot {
    place: (TransportId, SlotIndex),
    need: Need,
}

impl Default for RemoteLine {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            layers: Vec::new(),
            told: Need::ALL,
            reminded_at: [None; MAX_ENCODINGS],
            kept: Default::default(),
            voice: None,
        }
    }
}

impl RemoteLine {
    /// What all slots need together, if the publisher's shard does not know it yet.
    fn news(&mut self) -> Option<Need> {
        let need = self.slots.iter().fold(Need::NONE, |all, slot| all.and(slot.need));
        (std::mem::replace(&mut self.told, need) != need).then_some(need)
    }
}

impl Remote {
    /// What a line of another shard has to choose from.
    pub(crate) fn layers(&self, publisher: TransportId, mid: Mid) -> Option<&Vec<Layer>> {
        self.lines.get(&(publisher, mid)).map(|line| &line.layers)
    }

    pub(crate) fn layers_mut(
        &mut self,
        publisher: TransportId,
        mid: Mid,
    ) -> Option<&mut Vec<Layer>> {
        self.lines.get_mut(&(publisher, mid)).map(|line| &mut line.layers)
    }

    /// Notes who speaks on other shards. Returns whether somebody is new.
    pub(crate) fn note_voices(
        &mut self,
        now: Instant,
        voices: &[((TransportId, Mid), f32)],
    ) -> bool {
        let mut is_news = false;
        for (key, score) in voices {
            if let Some(line) = self.lines.get_mut(key) {
                is_news |= line.voice.is_none();
                line.voice = Some((now, *score));
            }
        }
        is_news
    }

    /// Who speaks on other shards, as far as that was said not longer ago than `fresh`.
    pub(crate) fn voices(
        &mut self,
        now: Instant,
        fresh: Duration,
    ) -> impl Iterator<Item = ((TransportId, Mid), f32)> {
        self.lines.iter_mut().filter_map(move |(key, line)| {
            line.voice = line.voice.filter(|(at, _)| now.saturating_duration_since(*at) <= fresh);
            line.voice.map(|(_, score)| (*key, score))
        })
    }

    /// The slots that want a line of another shard.
    pub(crate) fn slots(&self, publisher: TransportId, mid: Mid) -> Vec<(TransportId, SlotIndex)> {
        let line = self.lines.get(&(publisher, mid));
        line.into_iter().flat_map(|line| &line.slots).map(|slot| slot.place).collect()
    }
}

/// A binding that the publisher's shard has not said anything about yet.
struct PendingBind {
    request: u64,
    ticket: u64,
    transport: TransportId,
    slot: SlotIndex,
    generation: Generation,
    former: Generation,
    bound: Bound,
}

impl Router {
    /// [`Self::bind`] for a source on whichever shard. `None`: the answer comes out of
    /// [`Self::poll_bound`] with this ticket, once the publisher's shard has answered.
    pub fn start_bind(
        &mut self,
        now: Instant,
        command: &Bind,
        ticket: u64,
    ) -> Option<Result<Bound, RouterError>> {
        if self.is_local(command.source.transport) {
            return Some(self.bind(now, command));
        }
        self.flush(now);
        match self.bind_remote(now, command, ticket) {
            Ok(()) => None,
            Err(error) => Some(Err(error)),
        }
    }

    /// The next answer to a [`Self::start_bind`].
    pub fn poll_bound(&mut self) -> Option<(u64, Result<Bound, RouterError>)> {
        self.remote.answers.pop_front()
    }

    fn bind_remote(
        &mut self,
        now: Instant,
        command: &Bind,
        ticket: u64,
    ) -> Result<(), RouterError> {
        let (transport, index, source) = (command.transport, command.slot, command.source);
        let publisher = source.transport.shard();
        if publisher.0 >= self.config.shards {
            return Err(RouterError::TransportNotFound(source.transport));
        }
        Self::check_has_lines(source)?;
        let slot = self.slot_mut(transport, index)?;
        slot.may_bind(command.generation)?;
        let former = slot.generation;
        let bound = slot.bind(now, command);
        for mid in mids(source) {
            let line = self.remote.lines.entry((source.transport, mid)).or_default();
            line.slots.push(RemoteSlot { place: (transport, index), need: Need::ALL });
        }
        self.remote.last_request += 1;
        let request = self.remote.last_request;
        self.remote.pending.push_back(PendingBind {
            request,
            ticket,
            transport,
            slot: index,
            generation: command.generation,
            former,
            bound,
        });
        self.tell(publisher, ShardMessage::Subscribe { request, source });
        // Of video what is needed is chosen below; sound was needed by nobody if all heard the loudest only.
        let sound = source.audio_mid.and_then(|mid| {
            let line = self.remote.lines.get_mut(&(source.transport, mid))?;
            Some((mid, line.news()?))
        });
        if let Some((mid, need)) = sound {
            self.tell_need(source.transport, mid, need);
        }
        self.stage_audio(transport, index);
        self.choose(now, transport, index);
        Ok(())
    }

    /// The publisher's shard: may a slot of `from` have this source?
    pub(crate) fn handle_subscribe(
        &mut self,
        from: ShardIndex,
        source: Source,
    ) -> Result<Formats, RouterError> {
        let formats = self.check_formats(source)?;
        self.add_sink(source, Sink::Shard(from));
        let publisher = self.transports.get(&source.transport);
        let track = source.video_mid.and_then(|mid| publisher?.track(mid));
        if let Some((mid, layers)) = track.map(|track| (track.mid, track.layers.clone())) {
            self.tell_layers(from, source.transport, mid, &layers);
        }
        Ok(formats)
    }

    /// The subscriber's shard: what became of a binding.
    pub(crate) fn handle_subscribed(
        &mut self,
        request: u64,
        outcome: Result<Formats, RouterError>,
    ) {
        let Some(place) = self.remote.pending.iter().position(|p| p.request == request) else {
            return;
        };
        let Some(pending) = self.remote.pending.remove(place) else {
            return;
        };
        let PendingBind { transport, slot: index, generation, .. } = pending;
        // It may have been unbound, or bound to something else, in the meantime.
        let slot = self.slot_mut(transport, index);
        let is_bound =
            |s: &Slot| s.generation == generation && s.source.is_some() && !s.is_audio_slot();
        let slot = slot.map(|s| is_bound(s).then_some(s));
        let answer = match (outcome, slot) {
            (_, Err(gone)) => Err(gone),
            (Ok(formats), Ok(slot)) => {
                if let Some(slot) = slot {
                    let known = [(Kind::Audio, formats.audio), (Kind::Video, formats.video)];
                    let notices = known.map(|(kind, format)| {
                        format.and_then(|f| Some((kind, slot.line_mut(kind).set_format(f)?, f)))
                    });
                    for (kind, notice, format) in notices.into_iter().flatten() {
                        let codec: Codec = format.codec();
                        self.push_notice(transport, index, generation, kind, codec, notice);
                    }
                }
                Ok(pending.bound)
            }
            (Err(error), Ok(slot)) => {
                if let Some(slot) = slot
                    && let Some(source) = slot.unbind()
                {
                    // A refused binding changes nothing: the generation may be used again.
                    slot.generation = pending.former;
                    self.release(source, transport, index);
                }
                Err(error)
            }
        };
        self.remote.answers.push_back((pending.ticket, answer));
    }

    /// A slot no longer wants a source of another shard.
    pub(crate) fn release_remote(&mut self, source: Source, id: TransportId, index: SlotIndex) {
        for mid in mids(source) {
            let key = (source.transport, mid);
            let Some(line) = self.remote.lines.get_mut(&key) else {
                continue;
            };
            line.slots.retain(|slot| slot.place != (id, index));
            let news = line.news();
            if line.slots.is_empty() {
                self.remote.lines.remove(&key);
                let gone = ShardMessage::Unsubscribe { transport: source.transport, mid };
                self.tell(source.transport.shard(), gone);
            } else if let Some(need) = news {
                self.tell_need(source.transport, mid, need);
            }
        }
    }

    /// A packet of a publisher on another shard is to go to the slots of this one.
    pub fn handle_media(&mut self, now: Instant, header: &MediaHeader, packet: &RtpIn) {
        let MediaHeader {
            kind,
            format,
            frame,
            captured,
            encoding,
            source_us,
            is_late,
            newest_before,
            received,
            ..
        } = *header;
        if !self.remote.lines.contains_key(&(header.transport, header.mid)) {
            return;
        }
        let packet = packet.clone();
        let incoming = Incoming {
            packet,
            format,
            frame,
            captured,
            encoding,
            source_us,
            is_late,
            newest_before,
            part: Part::None,
            received,
        };
        self.hand_on_in_order(Arrived { at: now, publisher: header.transport, kind, incoming });
    }

    /// What slots of this shard that wait for an encoding of a line could not begin with.
    pub(crate) fn kept_of_remote(
        &mut self,
        key: (TransportId, Mid),
        encoding: u8,
    ) -> Option<&mut Kept> {
        self.remote.lines.get_mut(&key)?.kept.get_mut(usize::from(encoding))
    }

    /// Packets of one such line go to its slots.
    pub(crate) fn fan_out_remote_line(&mut self, key: (TransportId, Mid), group: Group<'_>) {
        let Some(line) = self.remote.lines.get_mut(&key) else {
            return;
        };
        let mut slots = std::mem::take(&mut line.slots);
        let mut awaited = Encodings::NONE;
        let count = slots.len();
        for slots in slots.chunks_mut(AT_ONCE) {
            self.look_at_slots(group.kind(), count, slots.iter().map(|slot| slot.place));
            for slot in slots {
                awaited = awaited.and(self.serve(slot.place, &mut slot.need, group));
            }
        }
        let (Some(line), Some(last)) = (self.remote.lines.get_mut(&key), group.packets().last())
        else {
            return;
        };
        line.slots = slots;
        keep((0..).zip(&mut line.kept), awaited, group);
        let news = line.news();
        let now = last.at;
        let mut reminded = Encodings::NONE;
        for (encoding, reminded_at) in (0..).zip(&mut line.reminded_at) {
            if awaited.has(encoding) && reminded_at.is_none_or(|at| now >= at + REMIND) {
                *reminded_at = Some(now);
                reminded = reminded.and(Encodings::one(encoding));
            }
        }
        let (transport, mid) = key;
        if let Some(need) = news {
            self.tell_need(transport, mid, need);
        }
        for encoding in reminded.iter() {
            let shard = transport.shard();
            self.tell(shard, ShardMessage::KeyFrame { transport, mid, encoding, is_retry: true });
        }
    }

    /// An audio slot of this shard carries a line of another that is known already.
    pub(crate) fn add_remote_slot(&mut self, audio: Source, place: (TransportId, SlotIndex)) {
        for mid in mids(audio) {
            let Some(line) = self.remote.lines.get_mut(&(audio.transport, mid)) else {
                continue;
            };
            line.slots.push(RemoteSlot { place, need: Need::ALL });
            if let Some(need) = line.news() {
                self.tell_need(audio.transport, mid, need);
            }
        }
    }

    /// What a slot of this shard needs of a line of another is this now.
    pub(crate) fn set_remote_need(
        &mut self,
        publisher: TransportId,
        mid: Mid,
        place: (TransportId, SlotIndex),
        need: Need,
    ) {
        let Some(line) = self.remote.lines.get_mut(&(publisher, mid)) else {
            return;
        };
        if let Some(slot) = line.slots.iter_mut().find(|slot| slot.place == place) {
            slot.need = need;
        }
        if let Some(need) = line.news() {
            self.tell_need(publisher, mid, need);
        }
    }

    fn tell_need(&mut self, transport: TransportId, mid: Mid, need: Need) {
        self.tell(transport.shard(), ShardMessage::Need { transport, mid, need });
    }

    pub(crate) fn is_local(&self, id: TransportId) -> bool {
        id.shard() == self.config.shard
    }

    pub(crate) fn tell(&mut self, shard: ShardIndex, message: ShardMessage) {
        self.messages.push_back((Recipient::Shard(shard), message));
    }
}

pub(crate) fn mids(source: Source) -> impl Iterator<Item = Mid> {
    [source.audio_mid, source.video_mid].into_iter().flatten()
}

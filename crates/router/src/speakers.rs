//! Audio slots: to a subscriber that has some, only the loudest of its bound streams are forwarded.
//!
//! While a transport has audio slots, the sound of every pair that is bound on it leaves its pair: the
//! pair's stream is a candidate, and the audio line of an audio slot carries whoever has that seat.
//! Looking for the loudest happens beside the forwarding of packets: a stream that is not forwarded to
//! a subscriber has no feed to it.

use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use crate::command::{AudioSlotInfo, Carried, SetAudioSlots, Source};
use crate::error::RouterError;
use crate::event::{AudioSlotEvent, Event};
use crate::exchange::ShardMessage;
use crate::ids::{Generation, Kind, Mid, SlotIndex, TransportId};
use crate::layers::Need;
use crate::loudness::SPEAKS;
use crate::router::Router;
use crate::seats::{Candidate, Seats};
use crate::sink::{ShardIndex, Sink};
use crate::slot::Slot;
use crate::transport::Transport;

/// Most audio slots of one transport.
const MAX_AUDIO_SLOTS: usize = 16;
/// How often the loudest are looked for while nobody begins to speak,
const INTERVAL: Duration = Duration::from_millis(100);
/// and how soon after the last look when somebody does.
const SHORTEST: Duration = Duration::from_millis(20);
/// What another shard says holds for so long.
const FRESH: Duration = Duration::from_millis(300);

/// Who listens to the loudest, and who speaks.
#[derive(Default)]
pub(crate) struct Stage {
    /// Transports of this shard that have audio slots.
    listeners: Vec<TransportId>,
    /// Shards with such transports that want streams of this one.
    foreign: Vec<ShardIndex>,
    /// Who speaks now, by publisher and line, and how loud.
    scores: FxHashMap<(TransportId, Mid), f32>,
    looked_at: Option<Instant>,
    due: Option<Instant>,
}

impl Stage {
    /// When [`Router::look_for_speakers`] is needed next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.due
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.listeners.is_empty()
    }

    /// Somebody begins to speak.
    pub(crate) fn wake(&mut self, now: Instant) {
        if self.listeners.is_empty() && self.foreign.is_empty() {
            return;
        }
        let soon = self.looked_at.map_or(now, |at| now.max(at + SHORTEST));
        self.due = Some(self.due.map_or(soon, |due| due.min(soon)));
    }

    /// A shard wants streams of this one by their loudness.
    pub(crate) fn add_foreign(&mut self, now: Instant, shard: ShardIndex) {
        if !self.foreign.contains(&shard) {
            self.foreign.push(shard);
        }
        self.wake(now);
    }

    pub(crate) fn forget(&mut self, id: TransportId) {
        self.listeners.retain(|listener| *listener != id);
    }
}

impl Router {
    /// Sets which pairs of a transport are audio slots; none: each pair carries its own sound again.
    pub fn set_audio_slots(
        &mut self,
        now: Instant,
        command: &SetAudioSlots,
    ) -> Result<(), RouterError> {
        self.flush(now);
        let id = command.transport;
        self.check_audio_slots(command)?;
        let transport = self.transports.get(&id);
        let has = transport.and_then(|t| t.seats.as_ref());
        if has.map_or(0, |seats| seats.all.len()) == command.slots.len()
            && has.is_none_or(|seats| seats.all.iter().all(|s| command.slots.contains(&s.slot)))
        {
            return Ok(());
        }
        self.dissolve(id);
        if let Some(transport) = self.transports.get_mut(&id).filter(|_| !command.slots.is_empty())
        {
            transport.seats = Some(Seats::new(&command.slots));
            for slot in &command.slots {
                if let Some(slot) = transport.slot_mut(*slot) {
                    slot.set_audio_slot(true);
                }
            }
            for index in bound(transport) {
                self.stage_audio(id, index);
            }
            self.stage.listeners.push(id);
            self.stage.wake(now);
            self.look_for_speakers(now);
        }
        self.flush(now);
        Ok(())
    }

    fn check_audio_slots(&mut self, command: &SetAudioSlots) -> Result<(), RouterError> {
        if command.slots.len() > MAX_AUDIO_SLOTS {
            return Err(RouterError::LimitReached(format!(
                "A transport has at most {MAX_AUDIO_SLOTS} audio slots; name fewer."
            )));
        }
        for (place, index) in command.slots.iter().enumerate() {
            if command.slots.iter().take(place).any(|earlier| earlier == index) {
                return Err(RouterError::InvalidRequest(format!(
                    "Slot pair {} is named twice; name each once.",
                    index.0
                )));
            }
            let slot = self.slot_mut(command.transport, *index)?;
            if slot.source.is_some() && !slot.is_audio_slot() {
                let generation = slot.generation;
                return Err(RouterError::SlotBound { slot: *index, generation });
            }
        }
        Ok(())
    }

    /// The transport has no audio slots any more; what is bound carries its own sound.
    fn dissolve(&mut self, id: TransportId) {
        let seats = self.transports.get(&id).and_then(|t| t.seats.as_ref());
        for seat in 0..seats.map_or(0, |seats| seats.all.len()) {
            self.leave_seat(id, seat);
        }
        self.stage.forget(id);
        let Some(transport) = self.transports.get_mut(&id) else {
            return;
        };
        transport.seats = None;
        for slot in transport.slots.iter_mut().filter(|slot| slot.is_audio_slot()) {
            slot.set_audio_slot(false);
        }
        for index in bound(transport) {
            self.unstage_audio(id, index);
        }
    }

    /// The sound of a binding leaves its pair, if its transport has audio slots.
    pub(crate) fn stage_audio(&mut self, id: TransportId, index: SlotIndex) {
        let Some(transport) = self.transports.get_mut(&id).filter(|t| t.seats.is_some()) else {
            return;
        };
        let Some(slot) = transport.slot_mut(index) else {
            return;
        };
        let (Some(source), Some(mid)) = (slot.source, slot.source_mid(Kind::Audio)) else {
            return;
        };
        slot.set_staged(true);
        if self.is_local(source.transport) {
            self.remove_sink(source.transport, mid, Sink::Slot { transport: id, slot: index });
        } else {
            // What it needs may not change, for others of this shard may hear all of it.
            self.tell(source.transport.shard(), ShardMessage::Listens);
            self.set_remote_need(source.transport, mid, (id, index), Need::NONE);
        }
    }

    fn unstage_audio(&mut self, id: TransportId, index: SlotIndex) {
        let Ok(slot) = self.slot_mut(id, index) else {
            return;
        };
        let (Some(source), Some(mid)) = (slot.source, slot.source_mid(Kind::Audio)) else {
            return;
        };
        slot.set_staged(false);
        if self.is_local(source.transport) {
            let audio = Source { audio_mid: Some(mid), video_mid: None, ..source };
            self.add_sink(audio, Sink::Slot { transport: id, slot: index });
        } else {
            self.set_remote_need(source.transport, mid, (id, index), Need::ALL);
        }
    }

    /// A binding is no candidate any more: nothing of it leaves from here on.
    pub(crate) fn leave_stage(&mut self, id: TransportId, index: SlotIndex) {
        let seats = self.transports.get(&id).and_then(|t| t.seats.as_ref());
        if let Some(seat) = seats.and_then(|seats| seats.seat_of(index)) {
            self.leave_seat(id, seat);
        }
    }

    /// Empties a seat and tells it.
    fn leave_seat(&mut self, id: TransportId, seat: usize) {
        if let Some((slot, turn)) = self.empty_seat(id, seat) {
            self.tell_seat(id, AudioSlotInfo { slot, turn, of: None, audio_rtp_timestamp: None });
        }
    }

    fn empty_seat(&mut self, id: TransportId, seat: usize) -> Option<(SlotIndex, Generation)> {
        let transport = self.transports.get_mut(&id)?;
        let seat = transport.seats.as_mut()?.all.get_mut(seat)?;
        seat.occupant.take()?;
        let index = seat.slot;
        let slot = transport.slot_mut(index)?;
        let (turn, mid, source) = (slot.turn, slot.audio.mid, slot.unbind());
        if let Some(source) = source {
            self.release(source, id, index);
        }
        let transport = self.transports.get_mut(&id)?;
        if let Err(error) = transport.engine.call(|e| e.forget_sent(mid)) {
            self.failing.push((id, error));
        }
        Some((index, turn))
    }

    /// Looks who speaks, and seats the loudest before every listener.
    pub(crate) fn look_for_speakers(&mut self, now: Instant) {
        self.stage.looked_at = Some(now);
        self.stage.due = None;
        self.stage.scores.clear();
        for transport in self.transports.values() {
            for track in transport.tracks.iter().filter(|t| t.kind == Kind::Audio && t.is_sending) {
                let score = track.loudness.score(now);
                if score >= SPEAKS {
                    self.stage.scores.insert((transport.id, track.mid), score);
                }
            }
        }
        self.tell_foreign();
        for (line, score) in self.remote.voices(now, FRESH) {
            self.stage.scores.insert(line, score);
        }
        for at in 0..self.stage.listeners.len() {
            if let Some(id) = self.stage.listeners.get(at).copied() {
                self.seat_loudest(now, id);
            }
        }
        self.end_failing();
        if !self.stage.listeners.is_empty() || !self.stage.foreign.is_empty() {
            self.stage.due = Some(now + INTERVAL);
        }
    }

    /// Tells other shards who speaks of those that they want.
    fn tell_foreign(&mut self) {
        for shard in std::mem::take(&mut self.stage.foreign) {
            let sink = Sink::Shard(shard);
            let (mut voices, mut is_wanted) = (Vec::new(), false);
            for transport in self.transports.values() {
                let audio = transport.tracks.iter().filter(|t| t.kind == Kind::Audio);
                for track in audio.filter(|t| t.feeds.iter().any(|feed| feed.sink == sink)) {
                    is_wanted = true;
                    let line = (transport.id, track.mid);
                    voices.extend(self.stage.scores.get(&line).map(|score| (line, *score)));
                }
            }
            if is_wanted {
                self.stage.foreign.push(shard);
            }
            if !voices.is_empty() {
                self.tell(shard, ShardMessage::Voices(voices));
            }
        }
    }

    /// Another shard says who speaks there.
    pub(crate) fn hear_foreign(&mut self, now: Instant, voices: &[((TransportId, Mid), f32)]) {
        if self.remote.note_voices(now, voices) {
            self.stage.wake(now);
        }
    }

    fn seat_loudest(&mut self, now: Instant, id: TransportId) {
        let seats = self.transports.get(&id).and_then(|t| t.seats.as_ref());
        for seat in 0..seats.map_or(0, |seats| seats.all.len()) {
            if !self.is_seat_in_order(id, seat) {
                self.leave_seat(id, seat);
            }
        }
        // At most one change per seat.
        for _ in 0..MAX_AUDIO_SLOTS {
            let Some((seat, of, score)) = self.next_speaker(now, id) else {
                return;
            };
            self.take_seat(now, id, seat, (of, score));
        }
    }

    /// Whether the seat is empty, or its stream still a candidate.
    fn is_seat_in_order(&self, id: TransportId, seat: usize) -> bool {
        let Some(transport) = self.transports.get(&id) else {
            return true;
        };
        let seat = transport.seats.as_ref().and_then(|seats| seats.all.get(seat));
        let Some(occupant) = seat.and_then(|seat| seat.occupant.as_ref()) else {
            return true;
        };
        let slot = usize::try_from(occupant.of.slot.0).ok();
        let slot = slot.and_then(|at| transport.slots.get(at));
        slot.and_then(candidate).is_some_and(|(of, _)| of == occupant.of)
    }

    /// The loudest of those without a seat who may take one.
    fn next_speaker(&mut self, now: Instant, id: TransportId) -> Option<(usize, Candidate, f32)> {
        let scores = &self.stage.scores;
        if scores.is_empty() {
            return None;
        }
        let Transport { slots, seats, .. } = self.transports.get_mut(&id)?;
        let seats = seats.as_mut()?;
        let mut speakers = slots.iter().filter_map(candidate).filter_map(|(of, mid)| {
            let score = scores.get(&(of.publisher, mid))?;
            Some((of, *score))
        });
        // Seats are judged when all who have one were heard.
        let waiting = |seats: &mut Seats| {
            speakers
                .clone()
                .fold(false, |is_any, (of, score)| !seats.hear(now, of, score) || is_any)
        };
        if !waiting(seats) {
            return None;
        }
        let seats = &*seats;
        let loudest = speakers
            .by_ref()
            .filter(|(of, _)| seats.seat_of(of.slot).is_none())
            .filter_map(|(of, score)| Some((seats.place(now, of, score)?, of, score)));
        loudest.max_by(|(_, _, one), (_, _, other)| one.total_cmp(other))
    }

    fn take_seat(
        &mut self,
        now: Instant,
        id: TransportId,
        seat: usize,
        (of, score): (Candidate, f32),
    ) {
        self.empty_seat(id, seat);
        let Some(transport) = self.transports.get_mut(&id) else {
            return;
        };
        let at = transport.seats.as_ref().and_then(|seats| Some(seats.all.get(seat)?.slot));
        let source = transport.slot_mut(of.slot).and_then(|slot| slot.source);
        let (Some(index), Some(source)) = (at, source) else {
            return;
        };
        let audio = Source { video_mid: None, ..source };
        let Some(slot) = transport.slot_mut(index) else {
            return;
        };
        let rtp_timestamp = slot.carry(now, audio);
        let turn = slot.turn;
        if let Some(seats) = transport.seats.as_mut() {
            seats.take(now, seat, (of, score), rtp_timestamp);
        }
        if self.is_local(audio.transport) {
            self.add_sink(audio, Sink::Slot { transport: id, slot: index });
        } else {
            self.add_remote_slot(audio, (id, index));
        }
        let of = Some(Carried { slot: of.slot, generation: of.generation });
        let audio_rtp_timestamp = Some(rtp_timestamp);
        self.tell_seat(id, AudioSlotInfo { slot: index, turn, of, audio_rtp_timestamp });
    }

    fn tell_seat(&mut self, transport: TransportId, info: AudioSlotInfo) {
        let AudioSlotInfo { slot, turn, of, audio_rtp_timestamp } = info;
        let event = AudioSlotEvent { transport, slot, turn, of, audio_rtp_timestamp };
        self.events.push_back(Event::AudioSlot(event));
    }
}

/// The pairs that are bound to a stream with sound, audio slots not included.
fn bound(transport: &Transport) -> Vec<SlotIndex> {
    let slots = transport.slots.iter().filter(|slot| !slot.is_audio_slot());
    slots.filter(|s| s.source_mid(Kind::Audio).is_some()).map(|slot| slot.index).collect()
}

/// The stream of a pair and its line, if the subscriber wants to hear it.
fn candidate(slot: &Slot) -> Option<(Candidate, Mid)> {
    let (source, mid) = (slot.source?, slot.source_mid(Kind::Audio)?);
    let of =
        Candidate { slot: slot.index, generation: slot.generation, publisher: source.transport };
    slot.is_wanted_on_stage().then_some((of, mid))
}

/// What the audio slots of a transport carry.
pub(crate) fn infos(transport: &Transport) -> Vec<AudioSlotInfo> {
    let seats = transport.seats.iter().flat_map(|seats| &seats.all);
    let info = |seat: &crate::seats::Seat| {
        let slot = usize::try_from(seat.slot.0).ok().and_then(|at| transport.slots.get(at));
        let occupant = seat.occupant.as_ref();
        AudioSlotInfo {
            slot: seat.slot,
            turn: slot.map(|slot| slot.turn).unwrap_or_default(),
            of: occupant.map(|o| Carried { slot: o.of.slot, generation: o.of.generation }),
            audio_rtp_timestamp: occupant.map(|o| o.rtp_timestamp),
        }
    };
    seats.map(info).collect()
}

//! What commands do. Each changes nothing if it is refused.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use crate::command::{
    Bind, Bound, CloseTransport, Listing, OpenTransport, Opened, Pause, Prefer, Renegotiate,
    Renegotiated, RequestKeyFrame, SlotPair, Source, Unbind,
};
use crate::engine::{Answer, EngineError, EngineReport, Guarded};
use crate::error::RouterError;
use crate::event::{Event, TransportState};
use crate::exchange::Formats;
use crate::ids::{Kind, Mid, SlotIndex, TransportId};
use crate::layers::Need;
use crate::remote;
use crate::router::Router;
use crate::sdp::{self, Offer};
use crate::sink::Sink;
use crate::slot::Slot;
use crate::track::Feed;
use crate::transport::{Totals, Transport};
use crate::wallclock::PublisherClock;

/// Longest seat key and longest group key, in bytes.
const MAX_KEY_BYTES: usize = 256;

impl Router {
    /// Answers a client's first offer.
    pub fn open_transport(
        &mut self,
        now: Instant,
        command: OpenTransport,
    ) -> Result<Opened, RouterError> {
        let group = command.group.as_deref().unwrap_or_default();
        for (name, key) in [("seat", command.seat.as_str()), ("group", group)] {
            if key.len() > MAX_KEY_BYTES {
                return Err(RouterError::InvalidRequest(format!(
                    "The {name} key has more than {MAX_KEY_BYTES} bytes; shorten it."
                )));
            }
        }
        let limit = self.config.max_transports;
        if self.transports.len() >= limit {
            return Err(RouterError::LimitReached(format!(
                "The router already serves {limit} transports; use another router."
            )));
        }
        let offer = Offer::parse(&command.offer).map_err(RouterError::OfferRefused)?;
        Transport::check_slots(&offer, 0, self.config.max_slots, &command.slots)?;

        let mut engine = Guarded::create(&mut *self.engines, now).map_err(|e| refusal(&e))?;
        let mids: Vec<Mid> =
            command.slots.iter().flat_map(|p| [p.audio_mid, p.video_mid]).collect();
        let answer = engine
            .call(|e| e.accept_offer(now, &offer.sdp, &mids))
            .map_err(|e| RouterError::OfferRefused(sentence(&e)))?;

        self.last_number += 1;
        let id = TransportId::new(self.last_number, self.config.shard);
        self.learn_ufrag(now, id, &answer.ufrag, None);
        let mut transport = Transport {
            id,
            seat: command.seat,
            epoch: command.epoch,
            state: TransportState::New,
            is_ready: false,
            engine,
            ufrag: answer.ufrag,
            meanings: BTreeMap::new(),
            addresses: VecDeque::new(),
            tracks: Vec::new(),
            slots: Vec::new(),
            seats: None,
            clock: PublisherClock::default(),
            totals: Totals::default(),
            report: EngineReport::default(),
            opened_at: now,
            engine_deadline: None,
            release_at: None,
            armed: None,
            is_dirty: false,
            is_due: false,
            network: None,
        };
        transport.apply(&offer, self.new_slots(&command.slots).into_iter());
        let answer = sdp::finish(&answer.sdp, &offer, &transport.slot_lines());
        let tracks = transport.track_infos();
        self.transports.insert(id, transport);
        self.start_statistics(now);
        self.arm(id);
        self.mark_dirty(id);
        self.flush(now);
        tracing::info!(transport_id = id.0, "transport opened");
        Ok(Opened { transport: id, answer, tracks })
    }

    /// Answers a further offer, ICE restarts included.
    pub fn renegotiate(
        &mut self,
        now: Instant,
        command: &Renegotiate,
    ) -> Result<Renegotiated, RouterError> {
        self.flush(now);
        let id = command.transport;
        let max_slots = self.config.max_slots;
        let offer = Offer::parse(&command.offer).map_err(RouterError::OfferRefused)?;
        let transport = self.transport_mut(id)?;
        offer.check_meanings(&transport.meanings).map_err(RouterError::OfferRefused)?;
        Transport::check_slots(&offer, transport.slots.len(), max_slots, &command.slots)?;
        let mut mids = transport.slot_mids();
        if command.slots.iter().any(|p| mids.contains(&p.audio_mid) || mids.contains(&p.video_mid))
        {
            return Err(RouterError::OfferRefused(
                "A new slot pair names a line of another pair; name new lines.".into(),
            ));
        }
        mids.extend(command.slots.iter().flat_map(|p| [p.audio_mid, p.video_mid]));

        let answer = transport.engine.call(|e| e.accept_offer(now, &offer.sdp, &mids));
        self.mark_dirty(id);
        let Answer { sdp, ufrag } = match answer {
            Ok(answer) => answer,
            Err(error) => {
                if !matches!(error, EngineError::Refused(_)) {
                    self.fail(id, &error);
                }
                self.flush(now);
                return Err(refusal(&error));
            }
        };
        let slots = self.new_slots(&command.slots);
        let transport = self.transport_mut(id)?;
        transport.apply(&offer, slots.into_iter());
        let former = std::mem::replace(&mut transport.ufrag, ufrag.clone());
        let answer = sdp::finish(&sdp, &offer, &transport.slot_lines());
        let tracks = transport.track_infos();
        self.learn_ufrag(now, id, &ufrag, Some(&former));
        self.flush(now);
        Ok(Renegotiated { answer, tracks })
    }

    /// Ends a transport.
    pub fn close_transport(
        &mut self,
        now: Instant,
        command: CloseTransport,
    ) -> Result<(), RouterError> {
        self.transport_mut(command.transport)?;
        self.close_one(now, command.transport);
        self.flush(now);
        Ok(())
    }

    /// Starts to forward a source of this shard into a free slot pair and asks it for a key frame at
    /// once; see [`Self::start_bind`] for sources of other shards.
    pub fn bind(&mut self, now: Instant, command: &Bind) -> Result<Bound, RouterError> {
        self.flush(now);
        let (id, source) = (command.transport, command.source);
        self.slot_mut(id, command.slot)?.may_bind(command.generation)?;
        let Formats { audio, video } = self.check_formats(source)?;
        Self::check_has_lines(source)?;
        let slot = self.slot_mut(id, command.slot)?;
        let bound = slot.bind(now, command);
        let notices = [(Kind::Audio, audio), (Kind::Video, video)].map(|(kind, format)| {
            format.and_then(|f| Some((kind, slot.line_mut(kind).set_format(f)?, f.codec())))
        });
        for (kind, notice, codec) in notices.into_iter().flatten() {
            self.push_notice(id, command.slot, command.generation, kind, codec, notice);
        }
        self.add_sink(source, Sink::Slot { transport: id, slot: command.slot });
        self.stage_audio(id, command.slot);
        self.choose(now, id, command.slot);
        self.flush(now);
        Ok(bound)
    }

    /// Frees a slot pair. Afterwards nothing of the binding leaves any more, retransmissions
    /// included; what was queued before has come out of [`Router::poll_transmit`] by then.
    pub fn unbind(&mut self, now: Instant, command: Unbind) -> Result<(), RouterError> {
        self.flush(now);
        let (id, index) = (command.transport, command.slot);
        let slot = self.slot_mut(id, index)?;
        if slot.generation != command.generation {
            return Ok(());
        }
        if slot.is_audio_slot() {
            return Ok(());
        }
        self.leave_stage(id, index);
        let slot = self.slot_mut(id, index)?;
        let Some(source) = slot.unbind() else {
            return Ok(());
        };
        let mids = [slot.audio.mid, slot.video.mid];
        self.release(source, id, index);
        let transport = self.transport_mut(id)?;
        for mid in mids {
            if let Err(error) = transport.engine.call(|e| e.forget_sent(mid)) {
                self.fail(id, &error);
                return Ok(());
            }
        }
        self.mark_dirty(id);
        self.flush(now);
        Ok(())
    }

    /// Sets both pause flags of a binding. What was held back of a video that pauses now leaves before the answer.
    pub fn pause(&mut self, now: Instant, command: Pause) -> Result<(), RouterError> {
        self.flush(now);
        let slot = self.slot_mut(command.transport, command.slot)?;
        if slot.generation != command.generation || slot.source.is_none() || slot.is_audio_slot() {
            return Ok(());
        }
        let Pause { transport, slot: index, generation, audio_paused, video_paused } = command;
        let mid = slot.video.mid;
        if let Some(state) = slot.pause(audio_paused, video_paused) {
            let event = Event::VideoFallback { transport, slot: index, generation, state };
            self.events.push_back(event);
        }
        if audio_paused {
            self.leave_stage(transport, index);
        }
        if video_paused {
            let ending = self.transport_mut(transport)?;
            if let Err(error) = ending.engine.call(|e| e.let_out(mid)) {
                self.fail(transport, &error);
                return Ok(());
            }
            self.mark_sending(transport);
        }
        self.choose(now, transport, index);
        self.flush(now);
        Ok(())
    }

    /// Says anew which picture the subscriber of a binding would like.
    pub fn prefer(&mut self, now: Instant, command: Prefer) -> Result<(), RouterError> {
        self.flush(now);
        let slot = self.slot_mut(command.transport, command.slot)?;
        if slot.generation != command.generation || slot.source.is_none() || slot.is_audio_slot() {
            return Ok(());
        }
        slot.wishes = command.wishes;
        slot.is_screen = command.is_screen;
        self.choose(now, command.transport, command.slot);
        self.flush(now);
        Ok(())
    }

    /// Asks a publisher for a key frame, throttled.
    pub fn request_key_frame(
        &mut self,
        now: Instant,
        command: RequestKeyFrame,
    ) -> Result<(), RouterError> {
        let transport = self.transport_mut(command.transport)?;
        match transport.track(command.mid) {
            Some(track) if track.kind == Kind::Video && track.is_sending => {}
            _ => return Err(RouterError::TrackNotFound(command.mid)),
        }
        self.request_watched_key_frames(now, command.transport, command.mid);
        self.flush(now);
        Ok(())
    }

    /// Everything there is.
    #[must_use]
    pub fn list(&self) -> Listing {
        let mut transports: Vec<_> = self.transports.values().map(Transport::info).collect();
        transports.sort_unstable_by_key(|t| t.transport);
        Listing { transports }
    }

    /// A pair is no longer fed by its former source.
    pub(crate) fn release(&mut self, source: Source, id: TransportId, index: SlotIndex) {
        if !self.is_local(source.transport) {
            self.release_remote(source, id, index);
            return;
        }
        let gone = Sink::Slot { transport: id, slot: index };
        for mid in remote::mids(source) {
            self.remove_sink(source.transport, mid, gone);
        }
    }

    /// A sink is fed by these lines from now on.
    pub(crate) fn add_sink(&mut self, source: Source, sink: Sink) {
        let Some(publisher) = self.transports.get_mut(&source.transport) else {
            return;
        };
        for mid in remote::mids(source) {
            let track = publisher.track_mut(mid);
            if let Some(track) = track.filter(|t| t.feeds.iter().all(|feed| feed.sink != sink)) {
                track.feeds.push(Feed { sink, need: Need::ALL });
            }
        }
    }

    pub(crate) fn remove_sink(&mut self, publisher: TransportId, mid: Mid, gone: Sink) {
        let publisher = self.transports.get_mut(&publisher);
        if let Some(track) = publisher.and_then(|p| p.track_mut(mid)) {
            track.feeds.retain(|feed| feed.sink != gone);
        }
    }

    fn transport_mut(&mut self, id: TransportId) -> Result<&mut Transport, RouterError> {
        self.transports.get_mut(&id).ok_or(RouterError::TransportNotFound(id))
    }

    pub(crate) fn slot_mut(
        &mut self,
        id: TransportId,
        index: SlotIndex,
    ) -> Result<&mut Slot, RouterError> {
        self.transport_mut(id)?.slot_mut(index).ok_or(RouterError::SlotNotFound(index))
    }

    fn new_slots(&mut self, pairs: &[SlotPair]) -> Vec<Slot> {
        let seeds = &mut self.seeds;
        pairs.iter().map(|pair| Slot::new(*pair, seeds.next(), seeds.next())).collect()
    }

    pub(crate) fn check_has_lines(source: Source) -> Result<(), RouterError> {
        if source.audio_mid.is_none() && source.video_mid.is_none() {
            return Err(RouterError::InvalidRequest(
                "The source names no media line; give audio_mid, video_mid or both.".into(),
            ));
        }
        Ok(())
    }

    /// The formats of a source's lines if they are known, or why they cannot be bound.
    pub(crate) fn check_formats(&self, source: Source) -> Result<Formats, RouterError> {
        Ok(Formats {
            audio: self.check_source(source.transport, source.audio_mid, Kind::Audio)?,
            video: self.check_source(source.transport, source.video_mid, Kind::Video)?,
        })
    }

    /// The format of a source's line if it is known, or why the line cannot be bound.
    fn check_source(
        &self,
        id: TransportId,
        mid: Option<Mid>,
        kind: Kind,
    ) -> Result<Option<crate::codec::Format>, RouterError> {
        let publisher = self.transports.get(&id).ok_or(RouterError::TransportNotFound(id))?;
        let Some(mid) = mid else {
            return Ok(None);
        };
        match publisher.track(mid) {
            Some(track) if track.kind == kind && track.is_sending => Ok(track.format()),
            _ => Err(RouterError::TrackNotFound(mid)),
        }
    }
}

/// A first offer that breaks its engine is refused like any other: there is no transport yet.
fn sentence(error: &EngineError) -> String {
    match error {
        EngineError::Refused(cause) => cause.clone(),
        other => format!("The offer cannot be accepted: {other}; send a valid one."),
    }
}

fn refusal(error: &EngineError) -> RouterError {
    match error {
        EngineError::Refused(cause) => RouterError::OfferRefused(cause.clone()),
        other => RouterError::TransportFailed(other.to_string()),
    }
}

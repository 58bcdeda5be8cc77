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
use crate::ids::{Generation, Kind, Mid, SlotIndex, TransportId};
use crate::line::Incoming;
use crate::router::Router;
use crate::sink::{ShardIndex, Sink};

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

/// A line on another shard that slots of this one want.
#[derive(Default)]
struct RemoteLine {
    slots: Vec<(TransportId, SlotIndex)>,
    reminded_at: Option<Instant>,
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
            line.slots.push((transport, index));
        }
        // A subscriber that is not connected yet would miss it; it asks when it is.
        let is_ready = self.transports.get(&transport).is_some_and(|t| t.is_ready);
        let wants_key_frame = source.video_mid.is_some() && !command.video_paused && is_ready;
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
        self.tell(publisher, ShardMessage::Subscribe { request, source, wants_key_frame });
        Ok(())
    }

    /// The publisher's shard: may a slot of `from` have this source?
    pub(crate) fn handle_subscribe(
        &mut self,
        now: Instant,
        from: ShardIndex,
        source: Source,
        wants_key_frame: bool,
    ) -> Result<Formats, RouterError> {
        let formats = self.check_formats(source)?;
        self.add_sink(source, Sink::Shard(from));
        if let (Some(mid), true) = (source.video_mid, wants_key_frame) {
            self.request_key_frame_of(now, source.transport, mid);
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
        let slot = slot.map(|s| (s.generation == generation && s.source.is_some()).then_some(s));
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
            line.slots.retain(|slot| *slot != (id, index));
            if line.slots.is_empty() {
                self.remote.lines.remove(&key);
                let gone = ShardMessage::Unsubscribe { transport: source.transport, mid };
                self.tell(source.transport.shard(), gone);
            }
        }
    }

    /// A packet of a publisher on another shard goes to the slots of this one.
    pub fn handle_media(&mut self, now: Instant, header: &MediaHeader, packet: &RtpIn) {
        let key = (header.transport, header.mid);
        let Some(line) = self.remote.lines.get_mut(&key) else {
            return;
        };
        let slots = std::mem::take(&mut line.slots);
        let MediaHeader { format, frame, captured, kind, .. } = *header;
        let incoming = Incoming { packet, format, frame, captured };
        let mut is_waited_for = false;
        for (transport, slot) in &slots {
            is_waited_for |= self.forward_to_slot(now, *transport, *slot, kind, incoming);
        }
        let Some(line) = self.remote.lines.get_mut(&key) else {
            return;
        };
        line.slots = slots;
        if is_waited_for && line.reminded_at.is_none_or(|at| now >= at + REMIND) {
            line.reminded_at = Some(now);
            let (transport, mid) = key;
            self.tell(transport.shard(), ShardMessage::KeyFrame { transport, mid, is_retry: true });
        }
        self.end_failing();
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

//! The router: inputs, time and outputs. What commands do is in `commands.rs`, what packets do in
//! `forward.rs`, what engines say in `driving.rs`.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use crate::config::Config;
use crate::demux::{Demux, Known, Owner};
use crate::engine::{Datagram, EngineError, EngineFactory, Reception, Transmit};
use crate::event::{AudioLevel, Event, TransportState};
use crate::exchange::{Media, PeerAddress, Recipient, ShardMessage};
use crate::fanout::FanOut;
use crate::ids::TransportId;
use crate::networks::Networks;
use crate::plane::Datagrams;
use crate::remote::Remote;
use crate::sink::{ShardIndex, Sink};
use crate::sojourn::ReceivedAt;
use crate::speakers::Stage;
use crate::statistics::{DropCause, Drops};
use crate::transport::Transport;

const LEVELS_INTERVAL: Duration = Duration::from_millis(200);
const STATISTICS_INTERVAL: Duration = Duration::from_secs(2);

/// What the router counts for itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Datagrams from nobody known; they are never answered.
    pub unknown_datagrams: u64,
    /// Datagrams from a known address or user name that the transport's engine did not accept.
    pub refused_datagrams: u64,
    /// Packets for sinks that this version does not serve.
    pub without_sink: u64,
}

#[derive(Default)]
struct Ended {
    drops: Drops,
    retransmissions: u64,
}

/// Whose a datagram is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Foreign {
    /// The shard that it is for, or that it came by.
    pub shard: ShardIndex,
    /// Whether the shard whose socket it came to knows that its address is this owner's.
    pub is_known: bool,
}

/// The sans-IO forwarding core of one shard.
///
/// It opens nothing and has no clock. The rule: hand over any number of inputs ([`Self::handle_datagram`],
/// [`Self::handle_timeout`], the commands), call [`Self::flush`], then take everything from
/// [`Self::datagrams`] (or [`Self::poll_transmit`]) and [`Self::poll_event`]. Transmits come before what a command promised:
/// send them before you answer it.
pub struct Router {
    pub(crate) config: Config,
    pub(crate) engines: Box<dyn EngineFactory>,
    pub(crate) transports: FxHashMap<TransportId, Transport>,
    pub(crate) demux: Demux,
    pub(crate) last_number: u64,
    pub(crate) remote: Remote,
    pub(crate) stage: Stage,
    pub(crate) messages: VecDeque<(Recipient, ShardMessage)>,
    pub(crate) media: VecDeque<(ShardIndex, Media)>,
    pub(crate) seeds: Seeds,
    pub(crate) start: Instant,
    pub(crate) counters: Counters,
    pub(crate) events: VecDeque<Event>,
    /// What the transports that have ended had counted.
    ended: Ended,
    pub(crate) networks: Networks,
    pub(crate) failing: Vec<(TransportId, EngineError)>,
    pub(crate) dirty: Vec<TransportId>,
    /// Packets that were not handed on yet.
    pub(crate) fan_out: FanOut,
    pub(crate) timers: BinaryHeap<Reverse<(Instant, TransportId)>>,
    pub(crate) datagrams: Datagrams,
    /// When the datagram that is handled now came, if it is followed.
    pub(crate) followed: Option<ReceivedAt>,
    /// How many of them [`Self::poll_transmit`] gave away.
    taken: usize,
    /// The time of the last flush.
    flushed_at: Instant,
    levels_at: Option<Instant>,
    statistics_at: Option<Instant>,
}

/// The sequence of seeds for sequence numbers and timestamps (`splitmix64`).
pub(crate) struct Seeds(u64);

impl Seeds {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Router {
    /// A router without transports. `seed` must be unpredictable in production.
    #[must_use]
    pub fn new(now: Instant, config: Config, engines: Box<dyn EngineFactory>, seed: u64) -> Self {
        Self {
            config,
            engines,
            transports: FxHashMap::default(),
            demux: Demux::default(),
            last_number: 0,
            remote: Remote::default(),
            stage: Stage::default(),
            messages: VecDeque::new(),
            media: VecDeque::new(),
            seeds: Seeds(seed),
            start: now,
            counters: Counters::default(),
            events: VecDeque::new(),
            ended: Ended::default(),
            networks: Networks::default(),
            failing: Vec::new(),
            dirty: Vec::new(),
            fan_out: FanOut::default(),
            timers: BinaryHeap::new(),
            datagrams: Datagrams::default(),
            followed: None,
            taken: 0,
            flushed_at: now,
            levels_at: None,
            statistics_at: None,
        }
    }

    /// A datagram came to a socket of this shard. Returns whose it is, if it is another shard's.
    pub fn handle_datagram(&mut self, now: Instant, datagram: Datagram<'_>) -> Option<Foreign> {
        let address = PeerAddress { socket: datagram.socket, source: datagram.source };
        match self.demux.find(address, datagram.contents) {
            Some(Owner::Transport(id)) => self.deliver(now, id, datagram, None),
            Some(owner @ Owner::Shard(shard)) => {
                return Some(Foreign { shard, is_known: self.demux.knows(address, owner) });
            }
            None => self.counters.unknown_datagrams += 1,
        }
        None
    }

    /// As [`Self::handle_datagram`], and what is forwarded of it tells when it was received.
    pub fn handle_followed_datagram(
        &mut self,
        now: Instant,
        received: ReceivedAt,
        datagram: Datagram<'_>,
    ) -> Option<Foreign> {
        self.followed = Some(received);
        let foreign = self.handle_datagram(now, datagram);
        self.followed = None;
        foreign
    }

    /// A datagram came to a socket of another shard, which found that it is for this one. With
    /// `is_known` that shard knows the address already.
    pub fn handle_foreign_datagram(
        &mut self,
        now: Instant,
        from: ShardIndex,
        is_known: bool,
        datagram: Datagram<'_>,
    ) {
        let address = PeerAddress { socket: datagram.socket, source: datagram.source };
        match self.demux.find(address, datagram.contents) {
            Some(Owner::Transport(id)) => {
                self.deliver(now, id, datagram, Some(Foreign { shard: from, is_known }));
            }
            _ => self.counters.unknown_datagrams += 1,
        }
    }

    /// The transport whose peer proved that it is at this address.
    #[must_use]
    pub fn transport_at(&self, address: PeerAddress) -> Option<TransportId> {
        self.demux.transport_at(address)
    }

    /// The peer at this address of a TCP socket has gone.
    pub fn handle_disconnect(&mut self, address: PeerAddress) {
        let Some(id) = self.demux.transport_at(address) else {
            return;
        };
        self.demux.forget_address(address, Owner::Transport(id));
        if let Some(transport) = self.transports.get_mut(&id) {
            transport.addresses.retain(|known| known.address != address);
        }
    }

    fn deliver(
        &mut self,
        now: Instant,
        id: TransportId,
        datagram: Datagram<'_>,
        from: Option<Foreign>,
    ) {
        let Some(transport) = self.transports.get_mut(&id) else {
            self.counters.unknown_datagrams += 1;
            return;
        };
        match transport.engine.call(|e| e.handle_datagram(now, datagram)) {
            Ok(Reception::Taken) => {
                if transport.state == TransportState::New {
                    self.set_state(id, TransportState::Connecting, None);
                }
                // Whatever is no check was found by its address.
                if datagram.contents.first().is_some_and(|first| *first < 4) {
                    self.learn_address(id, &datagram, from);
                }
                self.drain(now, id);
                self.mark_if_waiting(id);
            }
            Ok(Reception::Refused(cause)) => {
                transport.totals.drops.count(cause);
                self.counters.refused_datagrams += 1;
            }
            Err(error) => self.fail(id, &error),
        }
    }

    /// A check of the transport's peer proved that this is its address.
    fn learn_address(&mut self, id: TransportId, datagram: &Datagram<'_>, from: Option<Foreign>) {
        let address = PeerAddress { socket: datagram.socket, source: datagram.source };
        let via = from.map(|f| f.shard);
        let Some(transport) = self.transports.get_mut(&id) else {
            return;
        };
        let in_use = transport.engine.call(|e| Ok(e.address_in_use())).unwrap_or_default();
        let new = Known { address, via };
        let gone = self.demux.learn_address(new, id, &mut transport.addresses, in_use);
        if let Some(Known { address, via: Some(via) }) = gone {
            self.tell(via, ShardMessage::AddressForgotten(address));
        }
        if let Some(Foreign { shard, is_known: false }) = from {
            self.tell(shard, ShardMessage::AddressLearned(address));
        }
    }

    /// Time passed; needed at [`Self::next_deadline`], harmless at any other time.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.fan_out();
        while let Some(ufrag) = self.demux.expire(now) {
            self.tell_everybody(ShardMessage::UfragRemoved(ufrag));
        }
        while let Some(Reverse((at, id))) = self.timers.peek().copied() {
            if at > now {
                break;
            }
            self.timers.pop();
            self.handle_timer(now, id);
        }
        if self.stage.deadline().is_some_and(|at| at <= now) {
            self.look_for_speakers(now);
        }
        if self.levels_at.is_some_and(|at| at <= now) {
            self.levels_at = None;
            self.report_levels();
        }
        if self.statistics_at.is_some_and(|at| at <= now) {
            self.report_statistics();
            self.statistics_at = (!self.transports.is_empty()).then(|| now + STATISTICS_INTERVAL);
        }
        self.flush(now);
    }

    /// Lets every engine that was given something act on it, until there is much to send.
    pub fn flush(&mut self, now: Instant) {
        self.flushed_at = now;
        self.fan_out();
        self.end_failing();
        let mut seen = 0;
        while !self.datagrams.is_full() && !self.dirty.is_empty() {
            if seen == 0 {
                seen = self.look_at_dirty();
            }
            seen -= 1;
            if let Some(id) = self.dirty.pop() {
                self.flush_one(now, id);
            }
        }
    }

    /// What is to be sent next, together; `None`: nothing any more. Call [`Self::sent`] afterwards.
    pub fn datagrams(&mut self) -> Option<&Datagrams> {
        if self.datagrams.is_empty() && !self.dirty.is_empty() {
            self.flush(self.flushed_at);
        }
        (!self.datagrams.is_empty()).then_some(&self.datagrams)
    }

    /// The datagrams were sent.
    pub fn sent(&mut self) {
        self.datagrams.clear();
        self.taken = 0;
    }

    /// The next datagram to send, by itself.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        loop {
            let taken = self.taken;
            let datagrams = self.datagrams()?;
            let next = datagrams.departures().get(taken).map(|next| datagrams.transmit(next));
            if next.is_some() {
                self.taken += 1;
                return next;
            }
            self.sent();
        }
    }

    /// The next event for control.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Another shard of this router tells something.
    pub fn handle_message(&mut self, now: Instant, from: ShardIndex, message: ShardMessage) {
        self.fan_out();
        match message {
            ShardMessage::UfragAdded(ufrag) => self.demux.add_foreign_ufrag(ufrag, from),
            ShardMessage::UfragRemoved(ufrag) => {
                self.demux.remove_ufrag(&ufrag, Owner::Shard(from));
            }
            ShardMessage::AddressLearned(address) => self.demux.set_owner(address, from),
            ShardMessage::AddressForgotten(address) => {
                self.demux.forget_address(address, Owner::Shard(from));
            }
            ShardMessage::Subscribe { request, source } => {
                let outcome = self.handle_subscribe(from, source);
                self.tell(from, ShardMessage::Subscribed { request, outcome });
            }
            ShardMessage::Subscribed { request, outcome } => {
                self.handle_subscribed(request, outcome);
            }
            ShardMessage::Unsubscribe { transport, mid } => {
                self.remove_sink(transport, mid, Sink::Shard(from));
            }
            ShardMessage::Layers { transport, mid, layers } => {
                self.choose_all_remote(now, transport, mid, layers);
            }
            ShardMessage::Need { transport, mid, need } => {
                self.set_need(now, transport, mid, Sink::Shard(from), need);
            }
            ShardMessage::Listens => self.stage.add_foreign(now, from),
            ShardMessage::Voices(voices) => self.hear_foreign(now, &voices),
            ShardMessage::KeyFrame { transport, mid, encoding, is_retry: false } => {
                // Never passed on: a request for another shard's publisher is a mistake.
                if self.is_local(transport) {
                    self.request_key_frame_of(now, transport, mid, encoding);
                }
            }
            ShardMessage::KeyFrame { transport, mid, encoding, is_retry: true } => {
                self.retry_key_frame_of(now, transport, mid, encoding);
            }
        }
    }

    /// The next message for another shard. Take them all before the transmits: what a client answers
    /// to a transmit must find its way.
    pub fn poll_message(&mut self) -> Option<(Recipient, ShardMessage)> {
        self.messages.pop_front()
    }

    /// The next packet for another shard.
    pub fn poll_media(&mut self) -> Option<(ShardIndex, Media)> {
        self.media.pop_front()
    }

    fn tell_everybody(&mut self, message: ShardMessage) {
        self.messages.push_back((Recipient::Everybody, message));
    }

    /// The transport has this local user name now, and had `former` before.
    pub(crate) fn learn_ufrag(
        &mut self,
        now: Instant,
        id: TransportId,
        ufrag: &str,
        former: Option<&str>,
    ) {
        if self.demux.set_ufrag(now, id, ufrag, former) {
            self.tell_everybody(ShardMessage::UfragAdded(ufrag.to_owned()));
        }
    }

    /// When [`Self::handle_timeout`] is needed next. All outputs must have been taken.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        debug_assert!(self.dirty.is_empty(), "flush before asking for the deadline");
        let timer = self.timers.peek().map(|Reverse((at, _))| *at);
        let stage = self.stage.deadline();
        [timer, self.levels_at, self.statistics_at, stage, self.demux.deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    /// What the router counted for itself.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// How many transports there are.
    #[must_use]
    pub fn transport_count(&self) -> usize {
        self.transports.len()
    }

    /// Whether nothing is kept that was some transport's. True half a minute after the last has ended.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let has_work =
            !(self.dirty.is_empty() && self.failing.is_empty() && self.fan_out.is_empty());
        self.transports.is_empty()
            && self.demux.is_empty()
            && self.remote.is_empty()
            && self.stage.is_empty()
            && self.timers.is_empty()
            && !has_work
    }

    /// Everything that was dropped since the start, for whichever transport.
    #[must_use]
    pub fn drops(&self) -> Drops {
        let mut drops = self.ended.drops;
        for transport in self.transports.values() {
            drops.add_all(&transport.totals.drops);
        }
        drops.add(DropCause::UnknownSource, self.counters.unknown_datagrams);
        drops.add(DropCause::NoSink, self.counters.without_sink);
        drops
    }

    /// Media packets that were sent once more since the start, to whichever transport.
    #[must_use]
    pub fn retransmissions(&self) -> u64 {
        let living = self.transports.values().map(|t| t.report.retransmissions);
        self.ended.retransmissions + living.sum::<u64>()
    }

    /// Ends every transport with a goodbye to its client.
    pub fn close(&mut self, now: Instant) {
        let mut ids: Vec<_> = self.transports.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            self.close_one(now, id);
        }
    }

    pub(crate) fn close_one(&mut self, now: Instant, id: TransportId) {
        if let Some(transport) = self.transports.get_mut(&id) {
            if transport.engine.call(|e| e.close()).is_ok() {
                self.drain(now, id);
            }
            self.end(id, TransportState::Closed, None);
        }
    }

    pub(crate) fn note_level(&mut self, now: Instant) {
        self.levels_at.get_or_insert(now + LEVELS_INTERVAL);
    }

    pub(crate) fn start_statistics(&mut self, now: Instant) {
        self.statistics_at.get_or_insert(now + STATISTICS_INTERVAL);
    }

    /// Ends the transports whose engine failed while another one was looked at.
    pub(crate) fn end_failing(&mut self) {
        while let Some((id, error)) = self.failing.pop() {
            self.fail(id, &error);
        }
    }

    pub(crate) fn fail(&mut self, id: TransportId, error: &EngineError) {
        self.end(id, TransportState::Failed, Some(error.to_string()));
    }

    /// Ends a transport and everything that leads to it.
    pub(crate) fn end(&mut self, id: TransportId, state: TransportState, reason: Option<String>) {
        self.fan_out();
        let Some(mut transport) = self.transports.remove(&id) else {
            return;
        };
        self.ended.drops.add_all(&transport.totals.drops);
        self.ended.retransmissions += transport.report.retransmissions;
        self.networks.take_probes(&mut transport);
        self.stage.forget(id);
        tracing::info!(transport_id = id.0, ?state, reason, "transport ended");
        let owner = Owner::Transport(id);
        self.demux.remove_ufrag(&transport.ufrag, owner);
        self.tell_everybody(ShardMessage::UfragRemoved(std::mem::take(&mut transport.ufrag)));
        for Known { address, via } in std::mem::take(&mut transport.addresses) {
            self.demux.forget_address(address, owner);
            if let Some(via) = via {
                self.tell(via, ShardMessage::AddressForgotten(address));
            }
        }
        for slot in &mut transport.slots {
            let index = slot.index;
            if let Some(source) = slot.unbind() {
                self.release(source, id, index);
            }
        }
        self.events.push_back(Event::TransportState {
            transport: id,
            seat: transport.seat,
            state,
            reason,
        });
    }

    pub(crate) fn set_state(
        &mut self,
        id: TransportId,
        state: TransportState,
        reason: Option<String>,
    ) {
        let Some(transport) = self.transports.get_mut(&id).filter(|t| t.state != state) else {
            return;
        };
        transport.state = state;
        tracing::info!(transport_id = id.0, ?state, "transport state");
        self.events.push_back(Event::TransportState {
            transport: id,
            seat: transport.seat.clone(),
            state,
            reason,
        });
    }

    fn report_levels(&mut self) {
        for transport in self.transports.values_mut() {
            let levels: Vec<_> = transport
                .tracks
                .iter_mut()
                .filter_map(|t| {
                    let level_dbov = t.level_dbov.take()?;
                    Some(AudioLevel { mid: t.mid, level_dbov })
                })
                .collect();
            if !levels.is_empty() {
                self.events.push_back(Event::AudioLevels { transport: transport.id, levels });
            }
        }
    }

    fn report_statistics(&mut self) {
        self.look_at_networks();
        let ready = self.transports.values().filter(|t| t.is_ready);
        self.events.extend(ready.map(|t| Event::Statistics(t.statistics())));
    }
}

//! One run: the clock, what is on its way, and the router's outputs.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use fastrand::Rng;
use tertulia_router_core::{
    AudioSlotEvent, BindingEvent, Bound, Event, Generation, Kind, Media, Router, RouterError,
    SlotIndex, TransportId, TransportState, VideoFallback,
};

use crate::Totals;
use crate::network::Weather;
use crate::novelty::Novelty;
use crate::peer::{Peer, TICK};
use crate::pictures::Pictures;
use crate::shards::{Parcel, Shards};
use crate::trace::Trace;
use crate::watch::Watch;
use crate::wire::{Heard, Message, is_media};

/// How long commands are given and media flows,
const ACTION: Duration = Duration::from_secs(16);
/// and where networks are narrow for a while, and wide again.
const LONG_ACTION: Duration = Duration::from_secs(26);
/// How long the router may take to forget: former ICE user names live for half a minute.
const REST: Duration = Duration::from_secs(45);
/// How often it is looked whether everybody is served.
const LOOK: Duration = Duration::from_millis(500);

/// What bears the best of everything, in bit/s.
const PLENTY_BPS: u64 = 400_000;
/// Who is so loud surely speaks, in -dBov.
const SPEAKS: u8 = 30;

/// A violation, or what was done.
pub(crate) type Step<T = ()> = Result<T, String>;

/// Something that will happen.
enum Task {
    ToRouter {
        source: SocketAddr,
        contents: Vec<u8>,
    },
    ToPeer {
        peer: usize,
        address: SocketAddr,
        heard: Heard,
    },
    /// In a box: tasks move often, while they are sorted.
    Parcel {
        from: usize,
        to: usize,
        parcel: Box<Parcel>,
    },
    Tick(usize),
    Act,
    Look,
}

/// Everything there is.
pub(crate) struct World {
    pub(crate) rng: Rng,
    pub(crate) now: Instant,
    pub(crate) start: Instant,
    pub(crate) shards: Shards,
    pub(crate) peers: Vec<Peer>,
    pub(crate) watch: Watch,
    pub(crate) pictures: Pictures,
    pub(crate) novelty: Novelty,
    pub(crate) trace: Trace,
    pub(crate) totals: Totals,
    /// Bindings that another shard has not answered: subscriber and slot, by ticket.
    pub(crate) tickets: BTreeMap<u64, (usize, usize)>,
    pub(crate) next_line: u32,
    /// When no commands are given any more.
    end: Instant,
    tasks: BTreeMap<(Instant, u64), Task>,
    scheduled: u64,
}

impl World {
    pub(crate) fn new(seed: u64, is_traced: bool) -> Self {
        let mut rng = Rng::with_seed(seed);
        let now = Instant::now();
        let count = rng.u16(1..=3);
        let novelty = Novelty::of(seed);
        let action = if novelty.has_narrow_links { LONG_ACTION } else { ACTION };
        let mut trace = Trace::new(is_traced);
        trace.note(Duration::ZERO, || format!("seed {seed}, {count} shards"));
        let mut world = Self {
            shards: Shards::new(now, count, rng.u64(..)),
            rng,
            now,
            start: now,
            peers: Vec::new(),
            watch: Watch::default(),
            pictures: Pictures::default(),
            novelty,
            trace,
            totals: Totals::default(),
            tickets: BTreeMap::new(),
            next_line: 0,
            end: now + action,
            tasks: BTreeMap::new(),
            scheduled: 0,
        };
        world.schedule(now, Task::Act);
        world.schedule(now + LOOK, Task::Look);
        world
    }

    /// Lets the run happen. An error is what did not hold, with the trace.
    pub(crate) fn run(mut self) -> Result<Totals, (String, Vec<String>)> {
        match self.play() {
            Ok(()) => Ok(self.totals),
            Err(violation) => Err((violation, self.trace.take())),
        }
    }

    fn play(&mut self) -> Step {
        self.run_until(self.end)?;
        self.close_everything()?;
        self.run_until(self.end + REST)?;
        for (index, router) in self.shards.routers.iter().enumerate() {
            if !router.is_empty() {
                return Err(format!("all transports have ended and shard {index} keeps something"));
            }
        }
        Ok(())
    }

    pub(crate) fn note(&mut self, line: impl FnOnce() -> String) {
        self.trace.note(self.now.saturating_duration_since(self.start), line);
    }

    fn schedule(&mut self, at: Instant, task: Task) {
        self.scheduled += 1;
        self.tasks.insert((at, self.scheduled), task);
    }

    fn run_until(&mut self, end: Instant) -> Step {
        loop {
            self.settle()?;
            let task = self.tasks.first_key_value().map(|((at, _), _)| *at);
            let deadlines = self.shards.routers.iter().filter_map(Router::next_deadline);
            match deadlines.chain(task).min().filter(|at| *at <= end) {
                Some(at) => self.now = self.now.max(at),
                None => break,
            }
            for index in 0..self.shards.routers.len() {
                let router = &mut self.shards.routers[index];
                if router.next_deadline().is_some_and(|at| at <= self.now) {
                    router.handle_timeout(self.now);
                    self.settle()?;
                }
            }
            while let Some(first) = self.tasks.first_entry().filter(|t| t.key().0 <= self.now) {
                let task = first.remove();
                self.perform(task)?;
                self.settle()?;
            }
        }
        self.now = end;
        Ok(())
    }

    fn perform(&mut self, task: Task) -> Step {
        let now = self.now;
        match task {
            Task::ToRouter { source, contents } => {
                let (shard, place) = (self.shards.entry(source), self.pictures.place_of(&contents));
                let dropped = self.dropped();
                match self.shards.handle_datagram(now, source, &contents) {
                    Some((from, to, parcel)) => self.send_parcel(from, to, parcel),
                    None => self.note_taken(shard, place, dropped),
                }
            }
            Task::ToPeer { peer, address, heard } => {
                let one = &mut self.peers[peer];
                if one.is_alive && one.address == address {
                    let answers = one.handle(now, self.start, heard);
                    self.send(peer, answers);
                }
            }
            Task::Parcel { from, to, parcel } => {
                let place = match &*parcel {
                    Parcel::Media(Media { header, .. }) => {
                        Some((header.ssrc, header.sequence_number as u16))
                    }
                    Parcel::Foreign { contents, .. } => self.pictures.place_of(contents),
                    Parcel::Message(_) => None,
                };
                let dropped = self.dropped();
                self.shards.handle_parcel(now, from, to, *parcel);
                self.note_taken(to, place, dropped);
            }
            Task::Tick(peer) => {
                let (said, media) = self.peers[peer].tick(now, self.start);
                self.totals.published += media;
                for (packet, frame) in self.peers[peer].take_layered() {
                    self.pictures.note_sent(packet, frame);
                }
                self.send(peer, said);
                if !self.peers[peer].has_ended {
                    self.schedule(now + TICK, Task::Tick(peer));
                }
            }
            Task::Act if now < self.end => {
                let pause = Duration::from_millis(self.rng.u64(1..250));
                self.schedule(now + pause, Task::Act);
                self.act()?;
            }
            Task::Look if now < self.end => {
                self.schedule(now + LOOK, Task::Look);
                self.look()?;
            }
            Task::Act | Task::Look => {}
        }
        Ok(())
    }

    /// A shard has a packet with layers inside, if it dropped nothing meanwhile.
    fn note_taken(&mut self, shard: usize, place: Option<(u32, u16)>, dropped: u64) {
        if let Some(place) = place.filter(|_| self.dropped() == dropped) {
            self.pictures.note_taken(shard, place);
        }
    }

    /// A peer sends something.
    pub(crate) fn send(&mut self, peer: usize, said: Vec<Vec<u8>>) {
        let Peer { address: source, weather, .. } = self.peers[peer];
        for contents in said {
            let [first, again] = weather.arrivals(self.now, &mut self.rng);
            if let Some(at) = again {
                self.schedule(at, Task::ToRouter { source, contents: contents.clone() });
            }
            if let Some(at) = first {
                self.schedule(at, Task::ToRouter { source, contents });
            }
        }
    }

    /// Somebody whom nobody knows sends something.
    pub(crate) fn send_as_stranger(&mut self, source: SocketAddr, contents: Vec<u8>) {
        self.schedule(self.now, Task::ToRouter { source, contents });
    }

    pub(crate) fn start_ticking(&mut self, peer: usize) {
        let offset = Duration::from_millis(self.rng.u64(..100));
        self.schedule(self.now + offset, Task::Tick(peer));
    }

    fn send_parcel(&mut self, from: usize, to: usize, parcel: Parcel) {
        if matches!(parcel, Parcel::Media(_)) {
            self.totals.handed_over += 1;
        }
        if let Some(at) = self.shards.arrival(self.now, (from, to), &parcel, &mut self.rng) {
            self.schedule(at, Task::Parcel { from, to, parcel: Box::new(parcel) });
        }
    }

    /// Takes everything that the router has to say.
    pub(crate) fn settle(&mut self) -> Step {
        for index in 0..self.shards.routers.len() {
            self.shards.routers[index].flush(self.now);
        }
        for (from, to, parcel) in self.shards.parcels() {
            self.send_parcel(from, to, parcel);
        }
        for index in 0..self.shards.routers.len() {
            let mut events = Vec::new();
            while let Some(event) = self.shards.routers[index].poll_event() {
                match &event {
                    // What an audio slot carries from now on is known before it comes.
                    Event::AudioSlot(_) => self.told(&event)?,
                    _ => events.push(event),
                }
            }
            while let Some(transmit) = self.shards.routers[index].poll_transmit() {
                self.transmitted(transmit.destination, &transmit.contents)?;
            }
            for event in events {
                self.told(&event)?;
            }
            while let Some((ticket, outcome)) = self.shards.routers[index].poll_bound() {
                self.answered(ticket, outcome)?;
            }
        }
        Ok(())
    }

    /// Sends what a transport's shard has for the network, as a shard does before it answers a command.
    pub(crate) fn let_out(&mut self, transport: TransportId) -> Step {
        let index = usize::from(transport.shard().0);
        self.shards.routers[index].flush(self.now);
        while let Some(transmit) = self.shards.routers[index].poll_transmit() {
            self.transmitted(transmit.destination, &transmit.contents)?;
        }
        Ok(())
    }

    fn transmitted(&mut self, destination: SocketAddr, contents: &[u8]) -> Step {
        let IpAddr::V4(ip) = destination.ip() else { unreachable!("peers have IPv4 addresses") };
        let [_, _, high, low] = ip.octets();
        let peer = usize::from(u16::from_be_bytes([high, low]));
        let Some(one) = self.peers.get_mut(peer) else {
            return Err(format!("the stranger at {destination} was sent something"));
        };
        let (transport, weather, has_ended) = (one.transport, one.weather, one.has_ended);
        let heard = if is_media(contents) {
            let witness = one.witness.as_mut().ok_or("media left before the first answer")?;
            witness.see(contents).map_err(|error| format!("{transport:?}: {error}"))?
        } else {
            match Message::parse(contents).expect("the engine's own words") {
                Message::Bye => Heard::Bye,
                _ => Heard::Alive,
            }
        };
        self.peers[peer].load.note(&heard, contents.len());
        if let Heard::Media(packet) = &heard {
            if has_ended {
                return Err(format!("{transport:?} has ended and is sent {packet:?}"));
            }
            self.watch.media((transport, packet.mid), packet, self.now)?;
            let counter = if packet.is_repeated {
                &mut self.totals.repeated
            } else {
                &mut self.totals.forwarded
            };
            *counter += 1;
            if let Some(mark) = packet.mark.filter(|_| !packet.is_repeated) {
                let number = mark.sequence_number as u16;
                self.totals.layered += u64::from(self.pictures.knows(mark.ssrc, number));
                let at = (usize::from(transport.shard().0), (transport, packet.mid));
                self.pictures.leave(self.now, at, (mark.ssrc, number))?;
            }
        }
        let Some(wait) = self.peers[peer].queue.pass(self.now, &weather, contents.len()) else {
            return Ok(());
        };
        for at in weather.arrivals(self.now, &mut self.rng).into_iter().flatten() {
            let (at, heard) = (at + wait, heard.clone());
            self.schedule(at, Task::ToPeer { peer, address: destination, heard });
        }
        Ok(())
    }

    pub(crate) fn peer_of(&self, transport: TransportId) -> Option<usize> {
        self.peers.iter().position(|peer| peer.transport == transport && !peer.has_ended)
    }

    fn told(&mut self, event: &Event) -> Step {
        let transport = match event {
            Event::TransportState { transport, .. }
            | Event::Track { transport, .. }
            | Event::LayersPaused { transport, .. }
            | Event::AudioLevels { transport, .. }
            | Event::VideoFallback { transport, .. } => *transport,
            Event::AudioSlot(told) => told.transport,
            Event::BindingStarted(e) | Event::CodecNotSupported(e) | Event::CodecSupported(e) => {
                e.transport
            }
            Event::Statistics(statistics) => {
                let estimate = statistics.estimate_bps;
                self.note(|| format!("{:?} may be sent {estimate:?} bit/s", statistics.transport));
                statistics.transport
            }
            _ => return Ok(()),
        };
        if !matches!(event, Event::Statistics(_) | Event::AudioLevels { .. }) {
            self.note(|| format!("event  {event:?}"));
        }
        let Some(peer) = self.peer_of(transport) else {
            return Err(format!("{transport:?} has ended, and then: {event:?}"));
        };
        match event {
            Event::TransportState { state: TransportState::Connected, .. } => {
                self.peers[peer].connected_at.get_or_insert(self.now);
            }
            Event::TransportState {
                state: TransportState::Failed | TransportState::Closed,
                ..
            } => {
                self.peers[peer].has_ended = true;
                self.watch.forget(transport);
            }
            Event::BindingStarted(e) => {
                self.totals.bindings += 1;
                self.of_a_binding(peer, e, false)?;
            }
            Event::Track { track, .. } => {
                if let Some(paused) = &track.paused_rids {
                    self.totals.pauses += u64::from(!paused.is_empty());
                    self.peers[peer].pause(track.mid, paused);
                }
            }
            Event::Statistics(statistics) => {
                let is_plenty = statistics.estimate_bps.is_some_and(|bps| bps >= PLENTY_BPS);
                let since = &mut self.peers[peer].plenty_since;
                *since = is_plenty.then_some(since.unwrap_or(self.now));
            }
            Event::LayersPaused { mid, rids, .. } => {
                self.totals.pauses += u64::from(!rids.is_empty());
                self.peers[peer].pause(*mid, rids);
            }
            Event::VideoFallback { slot, generation, state, .. } => {
                self.left_out(peer, *slot, *generation, *state);
            }
            Event::AudioSlot(told) => {
                self.totals.seated += u64::from(told.of.is_some());
                self.seated(peer, told)?;
            }
            Event::CodecSupported(e) => self.of_a_binding(peer, e, false)?,
            Event::CodecNotSupported(e) => self.of_a_binding(peer, e, true)?,
            _ => {}
        }
        Ok(())
    }

    fn of_a_binding(&mut self, peer: usize, event: &BindingEvent, is_unsupported: bool) -> Step {
        let slot = &self.peers[peer].slots[event.slot.0 as usize];
        if slot.carries_loudest {
            // It counts turns, not bindings.
            return Ok(());
        }
        if slot.binding.is_none() || slot.generation != event.generation.0 {
            return Err(format!("{event:?} is not of the binding that there is: {slot:?}"));
        }
        let mid = match event.kind {
            Kind::Audio => slot.pair.audio_mid,
            Kind::Video => slot.pair.video_mid,
        };
        if let Some(watched) = self.watch.binding((event.transport, mid)) {
            watched.is_unsupported = is_unsupported;
        }
        Ok(())
    }

    /// An audio slot carries another stream from now on, or none.
    fn seated(&mut self, peer: usize, told: &AudioSlotEvent) -> Step {
        // Its turns are counted on with the bindings of the pair.
        let slot = &mut self.peers[peer].slots[told.slot.0 as usize];
        slot.generation = slot.generation.max(told.turn.0);
        let key = (told.transport, slot.pair.audio_mid);
        let Some(of) = told.of else { return self.watch.seat(key, None) };
        let bound = &self.peers[peer].slots[of.slot.0 as usize];
        let line = self.watch.binding((told.transport, bound.pair.audio_mid));
        let line = line.filter(|_| bound.generation == of.generation.0).map(|bound| bound.source);
        let line = line.ok_or_else(|| format!("{told:?}: there is no such binding"))?;
        let first = told.audio_rtp_timestamp.ok_or("an audio slot begins at no timestamp")?;
        self.watch.seat(key, Some((line, first)))
    }

    /// A stated reason for what does not come.
    fn left_out(&mut self, peer: usize, at: SlotIndex, of: Generation, state: VideoFallback) {
        let (transport, now) = (self.peers[peer].transport, self.now);
        let slot = &self.peers[peer].slots[at.0 as usize];
        let key = (transport, slot.pair.video_mid);
        if slot.generation != of.0 {
            return;
        }
        let Some(watched) = self.watch.binding(key) else { return };
        let is_left_out = state == VideoFallback::Stopped;
        watched.times_left_out += u32::from(is_left_out);
        watched.is_warned = state == VideoFallback::Warned;
        self.totals.left_out += u64::from(is_left_out);
        if watched.left_out_since.is_some() && !is_left_out {
            watched.since = now;
            self.totals.came_back += 1;
        }
        watched.left_out_since = is_left_out.then_some(watched.left_out_since.unwrap_or(now));
    }

    /// A binding to another shard's source was answered.
    fn answered(&mut self, ticket: u64, outcome: Result<Bound, RouterError>) -> Step {
        let Some((peer, slot)) = self.tickets.remove(&ticket) else {
            return Err(format!("ticket {ticket} was answered twice"));
        };
        self.note(|| format!("answer of ticket {ticket}: {outcome:?}"));
        let binding = self.peers[peer].slots[slot].binding;
        match binding.filter(|binding| binding.ticket == Some(ticket)) {
            Some(binding) => self.bound(peer, slot, binding, outcome),
            None => Ok(()),
        }
    }

    fn dropped(&self) -> u64 {
        if !self.novelty.has_layers {
            return 0;
        }
        let all = self.shards.routers.iter().flat_map(|router| router.drops().list());
        all.map(|dropped| dropped.count).sum()
    }

    /// Everybody who is bound to something live is served.
    fn look(&mut self) -> Step {
        let mut due = Vec::new();
        let now = self.now;
        for peer in &mut self.peers {
            if peer.narrow_until.is_some_and(|until| until <= now) {
                peer.narrow_until = None;
                peer.weather = Weather { dead_until: peer.weather.dead_until, ..Weather::fair() };
            }
            let is_ordered = peer.weather.jitter.is_zero();
            peer.ordered_since = is_ordered.then_some(peer.ordered_since.unwrap_or(now));
            let is_wide = peer.weather.is_wide(now);
            peer.wide_since = is_wide.then_some(peer.wide_since.unwrap_or(now));
            let is_told = self.watch.is_told_of_narrowness(peer.transport);
            let is_up = peer.is_alive && !peer.has_ended && peer.connected_at.is_some();
            let bears = peer.weather.bears(now).filter(|_| is_up);
            let looked = peer.load.look(now, bears, is_told);
            looked.map_err(|error| format!("peer {}: {error}", peer.number))?;
        }
        for subscriber in self.peers.iter().filter(|p| !p.has_ended) {
            let Some(ready) = subscriber.connected_at else { continue };
            for slot in &subscriber.slots {
                let Some(binding) = slot.binding.filter(|b| b.ticket.is_none()) else { continue };
                let publisher = &self.peers[binding.publisher];
                let Some(since) = sends_since(publisher, self.now) else { continue };
                let halves = [
                    (Kind::Audio, slot.pair.audio_mid, binding.source.audio_mid),
                    (Kind::Video, slot.pair.video_mid, binding.source.video_mid),
                ];
                for (kind, mid, source) in halves {
                    let line = source.and_then(|source| publisher.line_by_mid(source));
                    let Some(line) = line.filter(|line| line.is_sending) else { continue };
                    let is_taken =
                        kind == Kind::Audio || subscriber.takes.contains(&line.payload_type);
                    let key = (subscriber.transport, mid);
                    if kind == Kind::Audio && self.watch.listens(subscriber.transport) {
                        let since = since.max(ready).max(line.live_since);
                        if line.level <= SPEAKS {
                            self.watch.is_heard(key, since, self.now)?;
                        }
                        continue;
                    }
                    let since = since.max(ready).max(line.live_since);
                    let wide = publisher.wide_since.max(subscriber.wide_since);
                    let are_both =
                        publisher.wide_since.is_some() && subscriber.wide_since.is_some();
                    if let Some(wide) = wide.filter(|_| are_both && is_taken && subscriber.is_alive)
                    {
                        self.watch.is_back(key, since.max(wide), now)?;
                        if kind == Kind::Video
                            && let Some(best) = line.best()
                            && let Some(wished) = slot.wants_best_since
                            && let Some(plenty) = subscriber.plenty_since
                        {
                            let upper = self.pictures.upper_left_at(key);
                            let due = since.max(wide).max(wished).max(plenty);
                            self.watch.is_best(key, (best, upper), due, now)?;
                        }
                    }
                    // Four packets of one moment come in any order, and nothing begins at a key frame
                    // whose first comes after another.
                    let ordered = publisher.ordered_since.map(|ordered| ordered.max(since));
                    let since = if line.layered.is_some() { ordered } else { Some(since) };
                    due.extend(since.map(|since| (key, kind, since, is_taken)));
                }
            }
        }
        for (key, kind, since, is_taken) in due {
            let told = self.watch.binding(key).is_some_and(|watched| watched.is_unsupported);
            if is_taken || !told {
                self.watch.is_served(key, kind, since, self.now)?;
            }
        }
        Ok(())
    }
}

/// Since when what a publisher sends has come to the router, if it does.
fn sends_since(publisher: &Peer, now: Instant) -> Option<Instant> {
    let Weather { dead_until, .. } = publisher.weather;
    if !publisher.is_alive || publisher.has_ended || !publisher.hears_router {
        return None;
    }
    match dead_until {
        Some(until) if until > now => None,
        until => Some(publisher.connected_at?.max(until.unwrap_or(publisher.connected_at?))),
    }
}

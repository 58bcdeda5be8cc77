//! A router, its clients and the network between them, all on one virtual clock.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use str0m::rtp::ExtensionValues;
use tertulia_router_core::{
    Bind, Bound, Datagram, EngineFactory, Event, Generation, LocalAddress, Mid, OpenTransport,
    Renegotiate, RouterError, SlotIndex, Source, Str0mEngines, Unbind, Wishes,
};

use super::client::{Change, Client, ClientOptions};
use super::media::{Colour, Picture};
use super::shards::Shards;

/// One way through the network.
const LATENCY: Duration = Duration::from_millis(5);
/// The step of media: audio every second one, video every fourth.
const TICK: Duration = Duration::from_millis(10);

const LONGEST_QUEUE: Duration = Duration::from_millis(500);

/// Index of a client in its world.
pub type ClientId = usize;

/// Which way a datagram goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    ToRouter(ClientId),
    ToClient(ClientId),
}

struct InFlight {
    arrives: Instant,
    direction: Direction,
    contents: Vec<u8>,
}

/// A bottleneck on the way to a client.
struct NarrowLink {
    kbps: u32,
    busy_until: Instant,
}

impl NarrowLink {
    /// When a datagram is through; `None` if the queue is full.
    fn take(&mut self, now: Instant, bytes: usize) -> Option<Instant> {
        let starts = self.busy_until.max(now);
        if starts > now + LONGEST_QUEUE {
            return None;
        }
        self.busy_until =
            starts + Duration::from_micros(bytes as u64 * 8_000 / u64::from(self.kbps));
        Some(self.busy_until)
    }
}

type Filter = Box<dyn FnMut(Direction, &[u8]) -> bool>;

/// Everything there is.
pub struct World {
    pub now: Instant,
    pub router: Shards,
    pub clients: Vec<Client>,
    pub events: Vec<Event>,
    /// Transmits of the router to addresses that no client has.
    pub strays: Vec<(SocketAddr, Vec<u8>)>,
    /// Bytes that the router sent, by address.
    pub sent_to: HashMap<SocketAddr, usize>,
    /// Whether bindings allow that video is left out for bandwidth.
    pub audio_fallback: bool,
    /// Whether bindings are of a screen.
    pub is_screen: bool,
    in_flight: VecDeque<InFlight>,
    filter: Filter,
    narrow: HashMap<ClientId, NarrowLink>,
    ticks: u64,
}

pub fn router_address() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 5000))
}

impl World {
    pub fn new() -> Self {
        let local = vec![LocalAddress {
            protocol: tertulia_router_core::Protocol::Udp,
            bound: router_address(),
            advertised: vec![router_address()],
        }];
        let engines = Str0mEngines::new(&local);
        Self::with_engines(&local, || Box::new(engines.clone()))
    }

    pub fn with_engines(
        local: &[LocalAddress],
        engines: impl FnMut() -> Box<dyn EngineFactory>,
    ) -> Self {
        let now = Instant::now();
        Self {
            now,
            router: Shards::new(now, crate::SHARDS, local, engines),
            clients: Vec::new(),
            events: Vec::new(),
            strays: Vec::new(),
            sent_to: HashMap::new(),
            audio_fallback: false,
            is_screen: false,
            in_flight: VecDeque::new(),
            filter: Box::new(|_, _| true),
            narrow: HashMap::new(),
            ticks: 0,
        }
    }

    /// From here on only datagrams that pass get through.
    pub fn let_through(&mut self, filter: impl FnMut(Direction, &[u8]) -> bool + 'static) {
        self.filter = Box::new(filter);
    }

    /// From here on a client's network carries this much towards it, with a queue of half a second.
    pub fn narrow(&mut self, id: ClientId, kbps: u32) {
        self.narrow.insert(id, NarrowLink { kbps, busy_until: self.now });
    }

    /// From here on it carries everything again.
    pub fn widen(&mut self, id: ClientId) {
        self.narrow.remove(&id);
    }

    /// A connected client that publishes these colours in VP8 and has this many slot pairs.
    pub fn join(&mut self, publish: &[Colour], slots: u32) -> ClientId {
        let publish = publish.iter().map(|c| (*c, Picture::Vp8)).collect();
        let change = Change { publish, slots, ..Change::default() };
        self.join_with(ClientOptions::default(), &change)
    }

    pub fn join_with(&mut self, options: ClientOptions, change: &Change) -> ClientId {
        let id = self.open(options, change);
        for _ in 0..400 {
            if self.clients[id].is_connected {
                break;
            }
            self.run_for(TICK);
        }
        assert!(self.clients[id].is_connected, "the client connects");
        self.run_for(TICK);
        id
    }

    /// A client whose offer was answered, and nothing more.
    pub fn open(&mut self, options: ClientOptions, change: &Change) -> ClientId {
        let id = self.clients.len();
        let address = SocketAddr::from(([198, 51, 100, id as u8 + 1], 6000));
        let mut client = Client::new(self.now, address, options);
        let (offer, pending) = client.offer(change);
        let slots = client.slots.clone();
        let command =
            OpenTransport { seat: format!("seat-{id}"), epoch: 1, offer, slots, group: None };
        let opened = self.router.open_transport(self.now, command).expect("the offer is accepted");
        client.transport = Some(opened.transport);
        client.accept(pending, &opened.answer);
        self.clients.push(client);
        self.settle();
        id
    }

    /// A further offer; returns the answer.
    pub fn renegotiate(&mut self, id: ClientId, change: &Change) -> String {
        let client = &mut self.clients[id];
        let known = client.slots.len();
        let (offer, pending) = client.offer(change);
        let (transport, slots) = (client.id(), client.slots[known..].to_vec());
        let command = Renegotiate { transport, offer, slots };
        let answer = self.router.renegotiate(self.now, &command).expect("accepted").answer;
        self.clients[id].accept(pending, &answer);
        self.settle();
        answer
    }

    /// The NAT in front of a client gives it another port and forgets the former.
    pub fn move_to_new_address(&mut self, id: ClientId) {
        let outside = self.clients[id].outside;
        self.clients[id].outside.set_port(outside.port() + 1);
    }

    /// Where a stream comes from.
    pub fn source(&self, publisher: ClientId, stream: usize) -> Source {
        let client = &self.clients[publisher];
        let stream = &client.streams[stream];
        Source {
            transport: client.id(),
            audio_mid: Mid::parse(&stream.audio),
            video_mid: Mid::parse(&stream.video),
        }
    }

    pub fn try_bind(
        &mut self,
        subscriber: ClientId,
        slot: u32,
        generation: u32,
        source: Source,
    ) -> Result<Bound, RouterError> {
        let bind = Bind {
            transport: self.clients[subscriber].id(),
            slot: SlotIndex(slot),
            generation: Generation(generation),
            source,
            audio_paused: false,
            video_paused: false,
            wishes: Wishes::default(),
            audio_fallback: self.audio_fallback,
            is_screen: self.is_screen,
        };
        let bound = self.router.bind(self.now, &bind);
        self.settle();
        bound
    }

    pub fn bind(
        &mut self,
        subscriber: ClientId,
        slot: u32,
        generation: u32,
        (publisher, stream): (ClientId, usize),
    ) -> Bound {
        let source = self.source(publisher, stream);
        self.try_bind(subscriber, slot, generation, source).expect("bound")
    }

    pub fn unbind(&mut self, subscriber: ClientId, slot: u32, generation: u32) {
        let unbind = Unbind {
            transport: self.clients[subscriber].id(),
            slot: SlotIndex(slot),
            generation: Generation(generation),
        };
        self.router.unbind(self.now, unbind).expect("unbound");
        self.settle();
    }

    /// Every published stream sends, for this long.
    pub fn play(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            for id in 0..self.clients.len() {
                for stream in 0..self.clients[id].streams.len() {
                    if self.ticks.is_multiple_of(2) {
                        self.send_audio(id, stream, ExtensionValues::default());
                    }
                    if self.ticks.is_multiple_of(4) {
                        self.send_video(id, stream, ExtensionValues::default());
                    }
                }
            }
            self.ticks += 1;
            self.run_for(TICK);
        }
    }

    pub fn send_audio(&mut self, id: ClientId, stream: usize, extensions: ExtensionValues) {
        let now = self.now;
        self.clients[id].send_audio(now, stream, extensions);
        self.clients[id].drive(now);
        self.settle();
    }

    pub fn send_video(&mut self, id: ClientId, stream: usize, extensions: ExtensionValues) {
        let now = self.now;
        self.clients[id].send_video(now, stream, extensions);
        self.clients[id].drive(now);
        self.settle();
    }

    /// Lets this much time pass, from event to event.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            self.settle();
            let arrival = self.in_flight.front().map(|f| f.arrives);
            let clients = self.clients.iter().map(|c| c.deadline);
            let next = clients.chain(arrival).chain(self.router.next_deadline()).min();
            match next.filter(|at| *at <= end) {
                Some(at) => self.now = self.now.max(at),
                None => break,
            }
            self.step();
        }
        self.now = end;
    }

    fn step(&mut self) {
        let now = self.now;
        while self.in_flight.front().is_some_and(|f| f.arrives <= now) {
            if let Some(arrived) = self.in_flight.pop_front() {
                self.deliver(&arrived);
            }
        }
        for client in self.clients.iter_mut().filter(|c| c.deadline <= now) {
            client.drive(now);
        }
        if self.router.next_deadline().is_some_and(|at| at <= now) {
            self.router.handle_timeout(now);
        }
    }

    fn deliver(&mut self, arrived: &InFlight) {
        let now = self.now;
        match arrived.direction {
            Direction::ToRouter(id) => {
                let source = self.clients[id].outside;
                let contents = &arrived.contents;
                self.router.handle_datagram(now, Datagram { socket: 0, source, contents });
                self.router.flush(now);
            }
            Direction::ToClient(id) => {
                let client = &mut self.clients[id];
                client.handle_datagram(now, router_address(), &arrived.contents);
                client.drain(now);
            }
        }
        self.settle();
    }

    /// Puts everything that was said onto the wire.
    pub fn settle(&mut self) {
        self.router.flush(self.now);
        self.events.extend(std::iter::from_fn(|| self.router.poll_event()));
        while let Some(transmit) = self.router.poll_transmit() {
            *self.sent_to.entry(transmit.destination).or_default() += transmit.contents.len();
            let to = self.clients.iter().position(|c| c.outside == transmit.destination);
            match to {
                Some(id) => self.transmit(Direction::ToClient(id), transmit.contents),
                None => self.strays.push((transmit.destination, transmit.contents)),
            }
        }
        for id in 0..self.clients.len() {
            while let Some(contents) = self.clients[id].outgoing.pop_front() {
                self.transmit(Direction::ToRouter(id), contents);
            }
        }
    }

    fn transmit(&mut self, direction: Direction, contents: Vec<u8>) {
        if !(self.filter)(direction, &contents) {
            return;
        }
        let arrives = match direction {
            Direction::ToClient(id) => {
                let narrow = self.narrow.get_mut(&id);
                narrow.map_or(Some(self.now), |link| link.take(self.now, contents.len()))
            }
            Direction::ToRouter(_) => Some(self.now),
        };
        if let Some(arrives) = arrives.map(|at| at + LATENCY) {
            let place = self.in_flight.partition_point(|other| other.arrives <= arrives);
            self.in_flight.insert(place, InFlight { arrives, direction, contents });
        }
    }

    /// Events that a predicate picks.
    pub fn events_of<T>(&self, pick: impl Fn(&Event) -> Option<T>) -> Vec<T> {
        self.events.iter().filter_map(pick).collect()
    }
}

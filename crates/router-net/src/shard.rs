//! A shard thread: it alone touches its sockets and its forwarding core.

mod connections;
mod requests;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver as Queue;
use std::time::{Duration, Instant};

use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token};
use tertulia_router_core::{
    Buffers, Datagram, Datagrams, Departure, DropCause, Drops, Event, Foreign, PeerAddress,
    Recipient, Router, ShardIndex, ShardMessage, ShardStatistics, Transmit, Urgency,
};

use crate::batch::{Arrived, MAX_DATAGRAM_BYTES, Moved, Receiver, Sender};
use crate::doorbell::Doorbell;
use crate::impair::{Stage, Way};
use crate::link::message::{Refusal, Reply};
use crate::link::{self, Link, Outbox};
use crate::parcels::{Label, Parcels};
use crate::peers::Peers;
use crate::shards::{Job, Mail, Shards};
use crate::tcp::{Connections, DoorMail};

/// Receive calls of one socket before everything else has its turn.
const RECEIVES: usize = 2;
/// Packets of one other shard before everything else has its turn.
const PARCELS: usize = 128;
/// One datagram of so many is followed until it has left again.
const FOLLOWED: u32 = 100;
/// How often control is told what was counted, by the first shard.
const STATISTICS_INTERVAL: Duration = Duration::from_secs(2);
/// How often the others tell it to the first.
const COUNTING_INTERVAL: Duration = Duration::from_millis(500);

/// Token of the doorbell; sockets have their index.
pub const WAKE: Token = Token(usize::MAX);
/// Tokens of TCP connections begin here.
const FIRST_CONNECTION: usize = 1 << 20;

/// What a shard is made of.
pub struct ShardParts {
    /// Which one it is.
    pub index: ShardIndex,
    /// Its poll, of which `bell` has the waker.
    pub poll: Poll,
    /// Rung when there is something for it.
    pub bell: Arc<Doorbell>,
    /// Its sockets, in the order of the router's local addresses, of which they are the first.
    pub sockets: Vec<UdpSocket>,
    /// Whose packets are taken.
    pub peers: Arc<Peers>,
    /// Its core.
    pub router: Router,
    /// Requests of control.
    pub jobs: Queue<Job>,
    /// What other threads tell it.
    pub mail: Queue<Mail>,
    /// Packets from and for the others.
    pub parcels: Parcels,
    /// The network that was made bad on purpose, if it was.
    pub impairment: Option<Stage>,
    /// All of them.
    pub shards: Arc<Shards>,
    /// Where events go.
    pub link: Arc<Link>,
    /// Set before the last ring.
    pub stop: Arc<AtomicBool>,
}

/// Everything that the thread owns.
pub struct Shard {
    index: ShardIndex,
    poll: Poll,
    bell: Arc<Doorbell>,
    sockets: Vec<UdpSocket>,
    /// Sockets that may hold more datagrams; readiness is told only once.
    readable: Vec<bool>,
    peers: Arc<Peers>,
    router: Router,
    jobs: Queue<Job>,
    mail: Queue<Mail>,
    parcels: Parcels,
    impairment: Option<Box<Stage>>,
    connections: Connections,
    shards: Arc<Shards>,
    link: Arc<Link>,
    stop: Arc<AtomicBool>,
    receiver: Receiver,
    sender: Sender,
    unposted: Unposted,
    /// For payloads that came from other shards.
    payloads: Buffers,
    /// Bindings that wait for another shard.
    waiting: HashMap<u64, (u64, Arc<Outbox>)>,
    last_ticket: u64,
    /// Shards that were given something since they were last rung.
    to_ring: Vec<bool>,
    is_door_due: bool,
    until_followed: u32,
    waits: u64,
    handed_over: u64,
    drops: Drops,
    statistics_at: Instant,
}

/// Messages that found a full mailbox; they keep their order.
#[derive(Default)]
struct Unposted {
    to_shards: VecDeque<(usize, Mail)>,
    to_door: VecDeque<DoorMail>,
}

impl Shard {
    /// A shard that serves nobody yet.
    pub fn new(parts: ShardParts) -> io::Result<Self> {
        let mut sockets = parts.sockets;
        for (index, socket) in sockets.iter_mut().enumerate() {
            parts.poll.registry().register(socket, Token(index), Interest::READABLE)?;
            Receiver::prepare(socket);
        }
        let readable = vec![true; sockets.len()];
        let to_ring = vec![false; parts.shards.count()];
        Ok(Self {
            index: parts.index,
            poll: parts.poll,
            bell: parts.bell,
            sockets,
            readable,
            peers: parts.peers,
            router: parts.router,
            jobs: parts.jobs,
            mail: parts.mail,
            parcels: parts.parcels,
            impairment: parts.impairment.map(Box::new),
            connections: Connections::new(FIRST_CONNECTION),
            shards: parts.shards,
            link: parts.link,
            stop: parts.stop,
            receiver: Receiver::new(),
            sender: Sender::new(true),
            unposted: Unposted::default(),
            payloads: Buffers::default(),
            waiting: HashMap::new(),
            last_ticket: 0,
            to_ring,
            is_door_due: false,
            until_followed: FOLLOWED,
            waits: 0,
            handed_over: 0,
            drops: Drops::default(),
            statistics_at: Instant::now() + COUNTING_INTERVAL,
        })
    }

    /// Serves until it is told to stop, then says goodbye to every client.
    pub fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(256);
        let mut has_jobs = false;
        while !self.stop.load(Ordering::Acquire) {
            self.wait(&mut events, has_jobs)?;
            let now = Instant::now();
            for index in 0..self.sockets.len() {
                self.receive(now, index);
            }
            self.receive_impaired(now);
            self.take_mail(now);
            self.take_parcels(now);
            self.read_connections(now);
            self.settle(now)?;
            has_jobs = self.work()?;
            if self.router.next_deadline().is_some_and(|at| at <= now) {
                let now = Instant::now();
                self.router.handle_timeout(now);
                self.settle(now)?;
            }
            if self.statistics_at <= now {
                self.tell_statistics(now);
            }
        }
        let now = Instant::now();
        self.router.close(now);
        self.settle(now)
    }

    fn wait(&mut self, events: &mut Events, has_jobs: bool) -> io::Result<()> {
        let may_sleep = self.bell.lie_down();
        let timeout = if has_jobs || !may_sleep || self.is_busy() {
            Duration::ZERO
        } else {
            let core = self.router.next_deadline();
            let held = self.impairment.as_ref().and_then(|stage| stage.next_deadline());
            let next = core.into_iter().chain(held).fold(self.statistics_at, Instant::min);
            next.saturating_duration_since(Instant::now())
        };
        self.waits += 1;
        let polled = self.poll.poll(events, Some(timeout));
        self.bell.get_up();
        match polled {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for event in &*events {
            match self.readable.get_mut(event.token().0) {
                Some(readable) => *readable = true,
                None if event.token() != WAKE => self.connections.note(event),
                None => {}
            }
        }
        Ok(())
    }

    /// Whether there is something to do that no event and no bell will tell of.
    fn is_busy(&self) -> bool {
        self.readable.contains(&true)
            || self.connections.has_readable()
            || self.parcels.has_waiting()
            || !self.unposted.to_shards.is_empty()
            || !self.unposted.to_door.is_empty()
    }

    fn receive(&mut self, now: Instant, index: usize) {
        for _ in 0..RECEIVES {
            let (Some(socket), Some(true)) = (self.sockets.get(index), self.readable.get(index))
            else {
                return;
            };
            let may_have_more = self.receiver.receive(socket);
            if let Some(readable) = self.readable.get_mut(index) {
                *readable = may_have_more;
            }
            // What a client knows was told to all shards before the client could know it: so the
            // mail is read between the datagrams and the question whose they are.
            self.take_mail(now);
            self.look_ahead(index);
            for Arrived { source, received, contents } in self.receiver.datagrams() {
                if !self.peers.include(source.ip()) {
                    self.drops.count(DropCause::ForeignMachine);
                    continue;
                }
                if contents.len() > MAX_DATAGRAM_BYTES {
                    self.drops.count(DropCause::Malformed);
                    continue;
                }
                if let Some(stage) = &mut self.impairment {
                    stage.send(Way::Up, now, PeerAddress { socket: index, source }, contents);
                    continue;
                }
                let datagram = Datagram { socket: index, source, contents };
                self.until_followed -= 1;
                let foreign = match received {
                    Some(received) if self.until_followed == 0 => {
                        self.router.handle_followed_datagram(now, received, datagram)
                    }
                    _ => self.router.handle_datagram(now, datagram),
                };
                if self.until_followed == 0 {
                    self.until_followed = FOLLOWED;
                }
                if let Some(foreign) = foreign {
                    let counts = (&mut self.handed_over, &mut self.drops);
                    pass_on(&mut self.parcels, &mut self.to_ring, counts, foreign, datagram);
                }
            }
        }
    }

    /// What the core knows of those who sent something is read for all of them at once.
    fn look_ahead(&self, socket: usize) {
        let mut last = None;
        let sources = self.receiver.datagrams().map(|arrived| arrived.source);
        // Of one peer often several come in a row.
        let mut sources = sources.filter(|source| last.replace(*source) != Some(*source));
        if let (Some(first), Some(second)) = (sources.next(), sources.next()) {
            let all = [first, second].into_iter().chain(sources);
            self.router.look_at_sources(all.map(|source| PeerAddress { socket, source }));
        }
    }

    /// Takes what has come through the bad network, if there is one.
    fn receive_impaired(&mut self, now: Instant) {
        let Some(stage) = &mut self.impairment else { return };
        while let Some((PeerAddress { socket, source }, contents)) = stage.receive(Way::Up, now) {
            let datagram = Datagram { socket, source, contents: &contents };
            if let Some(foreign) = self.router.handle_datagram(now, datagram) {
                let counts = (&mut self.handed_over, &mut self.drops);
                pass_on(&mut self.parcels, &mut self.to_ring, counts, foreign, datagram);
            }
        }
    }

    fn take_mail(&mut self, now: Instant) {
        while let Ok(mail) = self.mail.try_recv() {
            match mail {
                Mail::Message(from, message) => self.router.handle_message(now, from, message),
                Mail::Arrival(arrival) => self.take_in(now, arrival),
            }
        }
    }

    fn take_parcels(&mut self, now: Instant) {
        for from in 0..self.to_ring.len() {
            for _ in 0..PARCELS {
                let Some(parcel) = self.parcels.receive(from) else {
                    break;
                };
                match &parcel.label {
                    Label::Datagram { address: PeerAddress { socket, source }, is_known } => {
                        let contents = &parcel.contents;
                        let datagram = Datagram { socket: *socket, source: *source, contents };
                        let from = ShardIndex(from as u16);
                        self.router.handle_foreign_datagram(now, from, *is_known, datagram);
                    }
                    Label::Media(header) => {
                        let packet = header.packet(self.payloads.copy(&parcel.contents));
                        self.router.handle_media(now, header, &packet);
                    }
                }
                self.parcels.give_back(from, parcel);
            }
        }
    }

    /// Lets the core act on what it was given, and carries out all that it says.
    fn settle(&mut self, now: Instant) -> io::Result<()> {
        self.router.flush(now);
        // First of all: what a client answers to a datagram must find its way.
        self.post();
        self.send();
        self.send_media();
        self.report();
        self.ring()
    }

    /// Gives messages to the others; those for whom a mailbox is full keep their order.
    fn post(&mut self) {
        while let Some((recipient, message)) = self.router.poll_message() {
            match recipient {
                Recipient::Shard(shard) => {
                    self.shards.note(self.index, &message);
                    let mail = Mail::Message(self.index, message);
                    self.unposted.to_shards.push_back((usize::from(shard.0), mail));
                }
                Recipient::Everybody => {
                    self.unposted.to_door.extend(for_door(&message, self.index));
                    let own = usize::from(self.index.0);
                    for shard in (0..self.to_ring.len()).filter(|shard| *shard != own) {
                        let mail = Mail::Message(self.index, message.clone());
                        self.unposted.to_shards.push_back((shard, mail));
                    }
                }
            }
        }
        while let Some((shard, mail)) = self.unposted.to_shards.pop_front() {
            if let Some(ring) = self.to_ring.get_mut(shard) {
                *ring = true;
            }
            if let Err(mail) = self.shards.post(shard, mail) {
                self.unposted.to_shards.push_front((shard, mail));
                break;
            }
        }
        while let Some(mail) = self.unposted.to_door.pop_front() {
            self.is_door_due = true;
            if let Err(mail) = self.shards.post_to_door(mail) {
                self.unposted.to_door.push_front(mail);
                break;
            }
        }
    }

    fn send(&mut self) {
        while let Some(datagrams) = self.router.datagrams() {
            for run in datagrams.departures().chunk_by(same_socket) {
                let index = run.first().map_or(0, |departure| departure.socket);
                match (self.sockets.get(index), &mut self.impairment) {
                    (Some(socket), None) => self.sender.send(socket, datagrams, run),
                    (Some(_), Some(stage)) => impair(stage, datagrams, run),
                    (None, _) => {
                        for departure in run {
                            self.connections.push(datagrams.transmit(departure));
                        }
                    }
                }
            }
            self.router.sent();
        }
        self.send_impaired();
        for address in self.connections.write() {
            self.hang_up(address);
        }
    }

    /// Sends what has come through the bad network.
    fn send_impaired(&mut self) {
        let Some(stage) = &mut self.impairment else {
            return;
        };
        let (now, mut datagrams) = (Instant::now(), Datagrams::default());
        while let Some((peer, contents)) = stage.receive(Way::Down, now) {
            let PeerAddress { socket, source: destination } = peer;
            // Urgency counts where a connection is slow, and this is none.
            let urgency = Urgency::Control;
            datagrams.add(&Transmit { socket, destination, contents, urgency });
        }
        for run in datagrams.departures().chunk_by(same_socket) {
            let index = run.first().map_or(0, |departure| departure.socket);
            if let Some(socket) = self.sockets.get(index) {
                self.sender.send(socket, &datagrams, run);
            }
        }
    }

    fn send_media(&mut self) {
        while let Some((shard, media)) = self.router.poll_media() {
            hand_over(
                &mut self.parcels,
                &mut self.to_ring,
                (&mut self.handed_over, &mut self.drops),
                shard,
                Label::Media(media.header),
                &media.payload,
            );
        }
    }

    fn ring(&mut self) -> io::Result<()> {
        for (shard, is_due) in self.to_ring.iter_mut().enumerate() {
            if std::mem::take(is_due) {
                self.shards.ring(shard)?;
            }
        }
        if std::mem::take(&mut self.is_door_due) { self.shards.ring_door() } else { Ok(()) }
    }

    fn report(&mut self) {
        let events: Vec<_> = std::iter::from_fn(|| self.router.poll_event()).collect();
        if !events.is_empty() {
            self.shards.report(&self.link, events);
            self.hang_up_on_the_gone();
        }
        while let Some((ticket, bound)) = self.router.poll_bound() {
            if let Some((id, outbox)) = self.waiting.remove(&ticket) {
                link::answer(&outbox, id, &bound.map(Reply::Bound).map_err(Refusal::from));
            }
        }
    }

    fn tell_statistics(&mut self, now: Instant) {
        self.shards.set_statistics(self.index, self.statistics());
        self.statistics_at = now + COUNTING_INTERVAL;
        if usize::from(self.index.0) + 1 == self.shards.count() {
            self.steer();
        }
        if self.index == ShardIndex(0) {
            self.statistics_at = now + STATISTICS_INTERVAL;
            let shards = self.shards.statistics();
            self.link.send_events([Event::RouterStatistics { shards }]);
        }
    }

    /// Tells the kernel whose those are who came to the wrong shard. One shard does it for all, now and then:
    /// each time costs as much as some packets.
    fn steer(&self) {
        for (index, program) in self.shards.changed_programs() {
            let Some(Err(error)) = self.sockets.get(index).map(|s| Receiver::steer(s, &program))
            else {
                continue;
            };
            tracing::info!(%error, instructions = program.len(), "the kernel takes no such program");
            self.shards.refused_program(index);
        }
    }

    /// What was counted so far, the core's counters included.
    fn statistics(&self) -> ShardStatistics {
        let mut drops = self.drops;
        for counted in [self.router.drops(), self.sender.drops, self.connections.drops] {
            drops.add_all(&counted);
        }
        let sum = |of: fn(&Moved) -> u64, parts: [&Moved; 2]| parts.map(of).iter().sum();
        let received = [&self.receiver.moved, &self.connections.received];
        let sent = [&self.sender.moved, &self.connections.sent];
        let all = received.into_iter().chain(sent);
        ShardStatistics {
            shard: u32::from(self.index.0),
            transports: self.router.transport_count() as u32,
            tcp_connections: self.connections.count() as u32,
            packets_received: sum(|moved| moved.packets, received),
            bytes_received: sum(|moved| moved.bytes, received),
            packets_sent: sum(|moved| moved.packets, sent),
            bytes_sent: sum(|moved| moved.bytes, sent),
            retransmissions: self.router.retransmissions(),
            handed_over: self.handed_over,
            drops: drops.list(),
            system_calls: self.waits + all.clone().map(|moved| moved.system_calls).sum::<u64>(),
            largest_batch: all.map(|moved| moved.largest_batch).max().unwrap_or(0) as u32,
            sojourns: self.sender.sojourns.clone(),
            networks: Some(self.router.networks().clone()),
        }
    }
}

fn same_socket(a: &Departure, b: &Departure) -> bool {
    a.socket == b.socket
}

/// Gives what is to be sent over UDP to the bad network.
fn impair(stage: &mut Stage, datagrams: &Datagrams, departures: &[Departure]) {
    let now = Instant::now();
    for departure in departures {
        let peer = PeerAddress { socket: departure.socket, source: departure.destination };
        stage.send(Way::Down, now, peer, datagrams.contents(departure));
    }
}

/// What the door must know of a message to everybody.
fn for_door(message: &ShardMessage, from: ShardIndex) -> Option<DoorMail> {
    match message {
        ShardMessage::UfragAdded(ufrag) => Some(DoorMail::UfragAdded(ufrag.clone(), from)),
        ShardMessage::UfragRemoved(ufrag) => Some(DoorMail::UfragRemoved(ufrag.clone(), from)),
        _ => None,
    }
}

/// Gives a datagram to the shard whose it is.
fn pass_on(
    parcels: &mut Parcels,
    to_ring: &mut [bool],
    counts: (&mut u64, &mut Drops),
    foreign: Foreign,
    datagram: Datagram<'_>,
) {
    let Datagram { socket, source, contents } = datagram;
    let address = PeerAddress { socket, source };
    let label = Label::Datagram { address, is_known: foreign.is_known };
    hand_over(parcels, to_ring, counts, foreign.shard, label, contents);
}

/// Gives a packet to another shard, or counts that it could not.
fn hand_over(
    parcels: &mut Parcels,
    to_ring: &mut [bool],
    (handed_over, drops): (&mut u64, &mut Drops),
    to: ShardIndex,
    label: Label,
    contents: &[u8],
) {
    let to = usize::from(to.0);
    if parcels.send(to, label, contents) {
        *handed_over += 1;
    } else {
        drops.count(DropCause::RingFull);
    }
    if let Some(ring) = to_ring.get_mut(to) {
        *ring = true;
    }
}

impl Drop for Shard {
    fn drop(&mut self) {
        let statistics = self.statistics();
        tracing::info!(
            shard = self.index.0,
            packets_received = statistics.packets_received,
            packets_sent = statistics.packets_sent,
            drops = ?statistics.drops,
            "shard ended"
        );
        if let Some((lost, overflowed)) = self.impairment.as_ref().map(|stage| stage.losses()) {
            tracing::info!(shard = self.index.0, lost, overflowed, "bad network ended");
        }
    }
}

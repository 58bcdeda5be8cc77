//! One run: the clock, what is on its way, and the router's outputs.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use fastrand::Rng;
use tertulia_router_core::{DropCause, Event, Kind, Media, Mid, Router, TransportId};

use crate::Totals;
use crate::beginnings::Beginnings;
use crate::keys::{OPUS, RED};
use crate::novelty::Novelty;
use crate::numbers::Numbers;
use crate::peer::{Peer, TICK};
use crate::pictures::Pictures;
use crate::requests::Requests;
use crate::shards::{Parcel, Shards};
use crate::sound::Sound;
use crate::trace::Trace;
use crate::watch::{LineKey, Watch};
use crate::wire::{Heard, Message, Packet, Request, is_media};
use tertulia_router_core::rtp::{Header, is_rtcp};

/// How long commands are given and media flows,
const ACTION: Duration = Duration::from_secs(16);
/// and where networks are narrow for a while, and wide again.
const LONG_ACTION: Duration = Duration::from_secs(26);
/// There in calm worlds: most of what is left out comes back meanwhile.
const CALM_ACTION: Duration = Duration::from_secs(23);
/// How long the router may take to forget: former ICE user names live for half a minute.
const REST: Duration = Duration::from_secs(45);
/// How often it is looked whether everybody is served.
const LOOK: Duration = Duration::from_millis(500);

/// How long media may go to a shard where nobody wants it: the time that a message takes, and more.
const UNWANTED: Duration = Duration::from_secs(1);
/// Datagrams of peers that are remembered, to be repeated by others.
const OVERHEARD: usize = 48;

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
    Move,
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
    pub(crate) beginnings: Beginnings,
    numbers: Numbers,
    sound: Sound,
    pub(crate) requests: Requests,
    /// Requests for a key frame that are under way, and the line that each is for.
    pub(crate) pleas: HashMap<Vec<u8>, LineKey>,
    /// What peers sent lately and the router took, and what nobody may take.
    pub(crate) overheard: Vec<(SocketAddr, Vec<u8>)>,
    pub(crate) forged: HashSet<Vec<u8>>,
    /// Who came back, by whom it was before.
    pub(crate) successors: BTreeMap<usize, usize>,
    /// Since when a shard has been handed what nobody there wants.
    unwanted: HashMap<(usize, TransportId, Mid), Instant>,
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
        let action = match (novelty.has_narrow_links, novelty.is_calm) {
            (false, _) => ACTION,
            (true, false) => LONG_ACTION,
            (true, true) => CALM_ACTION,
        };
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
            beginnings: Beginnings::default(),
            numbers: Numbers::default(),
            sound: Sound::default(),
            requests: Requests::default(),
            pleas: HashMap::new(),
            overheard: Vec::new(),
            forged: HashSet::new(),
            successors: BTreeMap::new(),
            unwanted: HashMap::new(),
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
        if world.novelty.has_moves {
            world.schedule(now, Task::Move);
        }
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
                let shard = self.shards.entry(source);
                let dropped = self.dropped(shard);
                match self.shards.handle_datagram(now, source, &contents) {
                    Some((from, to, parcel)) => self.send_parcel(from, to, parcel)?,
                    None => self.note_taken(shard, source, &contents, dropped)?,
                }
            }
            Task::ToPeer { peer, address, heard } => {
                let one = &mut self.peers[peer];
                if one.is_alive && one.address == address {
                    let answers = one.handle(now, self.start, heard);
                    self.totals.asked_again += std::mem::take(&mut one.asked_again);
                    self.send(peer, answers);
                }
            }
            Task::Parcel { from, to, parcel } => {
                let dropped = self.dropped(to);
                match *parcel {
                    Parcel::Media(media) => {
                        let Media { header, .. } = &media;
                        let place = (header.ssrc, header.sequence_number as u16);
                        let is_audio = header.kind == Kind::Audio;
                        self.beginnings.note_come(to, place);
                        self.shards.handle_parcel(now, from, to, Parcel::Media(media));
                        if self.dropped(to) == dropped {
                            self.note_place(to, place, is_audio);
                        }
                    }
                    Parcel::Foreign { source, contents, is_known } => {
                        let parcel =
                            Parcel::Foreign { source, contents: contents.clone(), is_known };
                        self.shards.handle_parcel(now, from, to, parcel);
                        self.note_taken(to, source, &contents, dropped)?;
                    }
                    message @ Parcel::Message(_) => {
                        self.shards.handle_parcel(now, from, to, message);
                    }
                }
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
            Task::Move if now < self.end => {
                let pause = Duration::from_millis(self.novelty.rng.u64(50..600));
                self.schedule(now + pause, Task::Move);
                self.make_move()?;
            }
            Task::Act | Task::Move | Task::Look => {}
        }
        Ok(())
    }

    /// A shard got a datagram, and took it if it dropped nothing meanwhile.
    fn note_taken(
        &mut self,
        shard: usize,
        source: SocketAddr,
        contents: &[u8],
        dropped: u64,
    ) -> Step {
        if !is_media(contents) {
            return Ok(());
        }
        let is_taken = self.dropped(shard) == dropped;
        if !self.forged.is_empty() && self.forged.contains(contents) {
            self.totals.forged += 1;
            if is_taken {
                return Err(format!("a forged or repeated datagram from {source} was taken"));
            }
            return Ok(());
        }
        if !is_taken {
            return Ok(());
        }
        if self.novelty.has_moves {
            if self.overheard.len() == OVERHEARD {
                self.overheard.swap_remove(self.novelty.rng.usize(..OVERHEARD));
            }
            self.overheard.push((source, contents.to_vec()));
        }
        if is_rtcp(contents) {
            if let Some(key) = self.pleas.remove(contents) {
                self.note_plea(key);
            }
            return Ok(());
        }
        if let Ok(header) = Header::parse(contents) {
            let is_audio = matches!(header.payload_type, OPUS | RED);
            let place = (header.ssrc, header.sequence_number);
            self.note_place(shard, place, is_audio);
            if !is_audio {
                self.beginnings.note_taken(place);
            }
        }
        Ok(())
    }

    fn note_place(&mut self, shard: usize, place: (u32, u16), is_audio: bool) {
        if is_audio {
            self.sound.note_taken(self.now, shard, place);
        } else {
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

    fn send_parcel(&mut self, from: usize, to: usize, parcel: Parcel) -> Step {
        if let Parcel::Media(Media { header, .. }) = &parcel {
            self.totals.handed_over += 1;
            self.check_is_wanted(to, header.transport, header.mid)?;
            self.beginnings.note_handed(to, (header.ssrc, header.sequence_number as u16));
        }
        if let Some(at) = self.shards.arrival(self.now, (from, to), &parcel, &mut self.rng) {
            self.schedule(at, Task::Parcel { from, to, parcel: Box::new(parcel) });
        }
        Ok(())
    }

    /// What is handed to another shard is wanted there.
    fn check_is_wanted(&mut self, to: usize, transport: TransportId, mid: Mid) -> Step {
        let there = self.peers.iter().filter(|peer| !peer.has_ended);
        let there = there.filter(|peer| usize::from(peer.transport.shard().0) == to);
        let mut sources =
            there.flat_map(|peer| &peer.slots).filter_map(|s| Some(s.binding?.source));
        let is_wanted = sources.any(|source| {
            source.transport == transport
                && [source.audio_mid, source.video_mid].contains(&Some(mid))
        });
        if is_wanted {
            self.unwanted.remove(&(to, transport, mid));
            return Ok(());
        }
        let since = *self.unwanted.entry((to, transport, mid)).or_insert(self.now);
        if self.now.saturating_duration_since(since) > UNWANTED {
            return Err(format!(
                "shard {to} is handed {transport:?} {mid}, which nobody there wants"
            ));
        }
        Ok(())
    }

    /// Takes everything that the router has to say.
    pub(crate) fn settle(&mut self) -> Step {
        for index in 0..self.shards.routers.len() {
            self.shards.routers[index].flush(self.now);
        }
        for (from, to, parcel) in self.shards.parcels() {
            self.send_parcel(from, to, parcel)?;
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

    /// Whose a datagram is that leaves for an address, and what it says.
    fn see(&mut self, destination: SocketAddr, contents: &[u8]) -> Step<(usize, Heard)> {
        let IpAddr::V4(ip) = destination.ip() else { unreachable!("peers have IPv4 addresses") };
        let [_, _, high, low] = ip.octets();
        let first = usize::from(u16::from_be_bytes([high, low]));
        if first >= self.peers.len() {
            return Err(format!("the stranger at {destination} was sent something"));
        }
        let successors =
            std::iter::successors(Some(first), |one| self.successors.get(one).copied());
        let all: Vec<usize> = successors.collect();
        let newest = *all.last().unwrap_or(&first);
        if !is_media(contents) {
            let heard = match Message::parse(contents).expect("the engine's own words") {
                Message::Bye => Heard::Bye,
                _ => Heard::Alive,
            };
            return Ok((newest, heard));
        }
        // Of several at one address its keys tell who it is for; an index is looked at before them.
        let mut violation = format!("nobody at {destination} can open what is sent there");
        for peer in all.into_iter().rev() {
            let one = &mut self.peers[peer];
            let Some(witness) = one.witness.as_mut() else { continue };
            match witness.see(self.now, contents) {
                Ok(Some(heard)) => return Ok((peer, heard)),
                Ok(None) => {}
                Err(error) => violation = format!("{:?}: {error}", one.transport),
            }
        }
        Err(violation)
    }

    fn transmitted(&mut self, destination: SocketAddr, contents: &[u8]) -> Step {
        let (peer, heard) = self.see(destination, contents)?;
        let one = &mut self.peers[peer];
        one.load.note(&heard, contents.len());
        let (transport, weather, has_ended) = (one.transport, one.weather, one.has_ended);
        match &heard {
            Heard::Media(packet) if has_ended => {
                return Err(format!("{transport:?} has ended and is sent {packet:?}"));
            }
            Heard::Media(packet) => self.media_left(peer, packet)?,
            Heard::Control(requests) => self.requested(peer, requests)?,
            Heard::Alive | Heard::Bye => {}
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

    fn media_left(&mut self, peer: usize, packet: &Packet) -> Step {
        let transport = self.peers[peer].transport;
        let key = (transport, packet.mid);
        self.watch.media(key, packet, self.now, &self.sound)?;
        if packet.is_repeated {
            self.totals.repeated += 1;
            self.totals.answered += u64::from(self.peers[peer].note_repeat(packet));
            return Ok(());
        }
        self.totals.forwarded += 1;
        let Some(mark) = packet.mark else { return Ok(()) };
        let number = mark.sequence_number as u16;
        if !packet.is_audio {
            self.beginnings.leave(key, (mark.ssrc, number))?;
        }
        let frame = self.pictures.frame_of(mark.ssrc, number);
        self.totals.layered += u64::from(frame.is_some());
        self.numbers.leave(key, packet, frame)?;
        let shard = usize::from(transport.shard().0);
        self.pictures.leave(self.now, (shard, key), (mark.ssrc, number))
    }

    fn requested(&mut self, peer: usize, requests: &[Request]) -> Step {
        for request in requests {
            match request {
                Request::KeyFrame(ssrc) => self.requests.ask(self.now, peer, *ssrc)?,
                Request::Again(..) => self.totals.missed += 1,
            }
        }
        Ok(())
    }

    pub(crate) fn peer_of(&self, transport: TransportId) -> Option<usize> {
        self.peers.iter().position(|peer| peer.transport == transport && !peer.has_ended)
    }

    fn dropped(&self, shard: usize) -> u64 {
        let drops = self.shards.routers[shard].drops();
        DropCause::ALL.iter().map(|cause| drops.of(*cause)).sum()
    }
}

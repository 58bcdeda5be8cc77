//! What a shard holds back of its datagrams, both ways, until their time has come.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use tertulia_router_core::PeerAddress;

use super::conditions::{Conditions, Direction};
use super::link::{Fate, Link};

/// Bytes that are on their way in one direction of all clients of a shard; more is lost.
const MAX_HELD_BYTES: usize = 64 << 20;
/// Clients' addresses whose state is kept; those that are idle give way, and if there are none, the new one has to.
const MAX_LINKS: usize = 10_000;
/// Without any datagram: a consent check is due every five seconds.
const IDLE: Duration = Duration::from_secs(60);
const BETWEEN_CLEANINGS: Duration = Duration::from_secs(1);

/// A direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From clients to the router.
    Up,
    /// From the router to clients.
    Down,
}

/// The bad network of one shard.
#[derive(Debug)]
pub struct Stage {
    up: Road,
    down: Road,
    epoch: Instant,
    random: fastrand::Rng,
}

/// All links of one direction.
#[derive(Debug)]
struct Road {
    conditions: Direction,
    links: FxHashMap<PeerAddress, Link>,
    made_room_at: Option<Instant>,
    held: BinaryHeap<Reverse<Held>>,
    held_bytes: usize,
    /// Of the next datagram: those that arrive at one moment keep their order.
    number: u64,
    lost: u64,
    overflowed: u64,
}

#[derive(Debug)]
struct Held {
    at: Instant,
    number: u64,
    peer: PeerAddress,
    contents: Vec<u8>,
}

impl Held {
    fn place(&self) -> (Instant, u64) {
        (self.at, self.number)
    }
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.place() == other.place()
    }
}

impl Eq for Held {}

impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Held {
    fn cmp(&self, other: &Self) -> Ordering {
        self.place().cmp(&other.place())
    }
}

impl Stage {
    /// A network on which nothing is yet. `seed` is that of the conditions or, where they have none, any; holes are
    /// counted from `epoch`, so that all shards have theirs at the same time.
    #[must_use]
    pub fn new(conditions: &Conditions, epoch: Instant, seed: u64) -> Self {
        let random = fastrand::Rng::with_seed(seed);
        Self { up: Road::new(conditions.up), down: Road::new(conditions.down), epoch, random }
    }

    /// A datagram sets out.
    pub fn send(&mut self, way: Way, now: Instant, peer: PeerAddress, contents: &[u8]) {
        let road = match way {
            Way::Up => &mut self.up,
            Way::Down => &mut self.down,
        };
        road.send(now, peer, contents, self.epoch, &mut self.random);
    }

    /// The next datagram that has arrived by `now`, and the client that it is from or for.
    pub fn receive(&mut self, way: Way, now: Instant) -> Option<(PeerAddress, Vec<u8>)> {
        match way {
            Way::Up => self.up.receive(now),
            Way::Down => self.down.receive(now),
        }
    }

    /// When the next datagram arrives.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.up.next_deadline().into_iter().chain(self.down.next_deadline()).min()
    }

    /// How many were lost on the way, and how many at a full queue.
    #[must_use]
    pub fn losses(&self) -> (u64, u64) {
        (self.up.lost + self.down.lost, self.up.overflowed + self.down.overflowed)
    }
}

impl Road {
    fn new(conditions: Direction) -> Self {
        Self {
            conditions,
            links: FxHashMap::default(),
            made_room_at: None,
            held: BinaryHeap::new(),
            held_bytes: 0,
            number: 0,
            lost: 0,
            overflowed: 0,
        }
    }

    fn send(
        &mut self,
        now: Instant,
        peer: PeerAddress,
        contents: &[u8],
        epoch: Instant,
        random: &mut fastrand::Rng,
    ) {
        if self.links.len() >= MAX_LINKS && !self.links.contains_key(&peer) && !self.make_room(now)
        {
            self.overflowed += 1;
            return;
        }
        let link = self.links.entry(peer).or_insert_with(|| Link::new(now));
        match link.admit(now, contents.len(), &self.conditions, epoch, random) {
            Fate::Lost => self.lost += 1,
            Fate::Overflowed => self.overflowed += 1,
            Fate::Arrives { at, twice } => {
                for _ in 0..=u8::from(twice) {
                    self.hold(at, peer, contents);
                }
            }
        }
    }

    /// Forgets links that are idle; returns whether there is room for another.
    fn make_room(&mut self, now: Instant) -> bool {
        // Whoever sends from ever new addresses does not have all of them looked through each time.
        if self.made_room_at.is_none_or(|at| at + BETWEEN_CLEANINGS <= now) {
            self.made_room_at = Some(now);
            self.links.retain(|_, link| !link.is_idle(now, IDLE));
        }
        self.links.len() < MAX_LINKS
    }

    fn hold(&mut self, at: Instant, peer: PeerAddress, contents: &[u8]) {
        if self.held_bytes + contents.len() > MAX_HELD_BYTES {
            self.overflowed += 1;
            return;
        }
        self.held_bytes += contents.len();
        self.number += 1;
        let (number, contents) = (self.number, contents.to_vec());
        self.held.push(Reverse(Held { at, number, peer, contents }));
    }

    fn receive(&mut self, now: Instant) -> Option<(PeerAddress, Vec<u8>)> {
        self.next_deadline().filter(|at| *at <= now)?;
        let Reverse(Held { peer, contents, .. }) = self.held.pop()?;
        self.held_bytes -= contents.len();
        Some((peer, contents))
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.held.peek().map(|Reverse(held)| held.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(conditions: &str, now: Instant) -> Stage {
        Stage::new(&conditions.parse().unwrap(), now, 5)
    }

    fn peer(port: u16) -> PeerAddress {
        PeerAddress { socket: 0, source: ([127, 0, 0, 1], port).into() }
    }

    fn arrived(stage: &mut Stage, way: Way, now: Instant) -> Vec<(u16, Vec<u8>)> {
        std::iter::from_fn(|| stage.receive(way, now))
            .map(|(peer, bytes)| (peer.source.port(), bytes))
            .collect()
    }

    #[test]
    fn datagrams_arrive_in_their_time_in_order_and_unchanged_each_way_by_itself() {
        let start = Instant::now();
        let mut stage = stage("up.delay=100,down.delay=50", start);
        for number in 0..20 {
            stage.send(Way::Up, start, peer(1), &[number, 1]);
            stage.send(Way::Down, start, peer(2), &[number, 2, 2]);
        }
        assert_eq!(stage.next_deadline(), Some(start + Duration::from_millis(50)));
        assert_eq!(arrived(&mut stage, Way::Down, start + Duration::from_millis(49)), []);
        let down = arrived(&mut stage, Way::Down, start + Duration::from_millis(50));
        assert_eq!(down, (0..20).map(|n| (2, vec![n, 2, 2])).collect::<Vec<_>>());
        assert_eq!(stage.next_deadline(), Some(start + Duration::from_millis(100)));
        assert_eq!(arrived(&mut stage, Way::Down, start + Duration::from_secs(9)), []);
        let up = arrived(&mut stage, Way::Up, start + Duration::from_millis(100));
        assert_eq!(up, (0..20).map(|n| (1, vec![n, 1])).collect::<Vec<_>>());
        assert_eq!(stage.next_deadline(), None);
    }

    #[test]
    fn every_client_has_a_link_of_its_own() {
        let start = Instant::now();
        // A datagram of 97 bytes is 1,000 bits: a second of this link.
        let mut stage = stage("rate=8kbps,queue=0", start);
        for port in 1..=50 {
            stage.send(Way::Down, start, peer(port), &[0; 97]);
            stage.send(Way::Down, start, peer(port), &[0; 97]);
        }
        assert_eq!(stage.losses(), (0, 50), "the second of each finds no queue");
        let all = arrived(&mut stage, Way::Down, start + Duration::from_millis(125));
        assert_eq!(all.len(), 50, "and no first one waits for that of another");
    }

    #[test]
    fn what_is_on_its_way_is_bounded_and_so_are_addresses() {
        let start = Instant::now();
        let mut stage = stage("delay=10000", start);
        let large = vec![0; 64_000];
        for _ in 0..2_000 {
            stage.send(Way::Up, start, peer(1), &large);
        }
        assert!(stage.up.held_bytes <= MAX_HELD_BYTES);
        assert_eq!(stage.losses().1, 2_000 - (MAX_HELD_BYTES / 64_000) as u64);
        let later = start + Duration::from_secs(10);
        assert_eq!(arrived(&mut stage, Way::Up, later).len(), MAX_HELD_BYTES / 64_000);
        assert_eq!(stage.up.held_bytes, 0);

        for port in 0..20_000 {
            stage.send(Way::Down, later, peer(port), &[0]);
        }
        assert_eq!(stage.down.links.len(), MAX_LINKS);
        let much_later = later + Duration::from_secs(120);
        stage.send(Way::Down, much_later, peer(30_000), &[0]);
        assert_eq!(stage.down.links.len(), 1, "those that were silent for long gave way");
    }
}

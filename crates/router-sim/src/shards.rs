//! The shards of one router, and what travels between them: messages in order and never lost, media
//! perhaps lost, datagrams of clients that came to another shard's socket. Each takes its time.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use fastrand::Rng;
use tertulia_router_core::{
    Config, Datagram, Foreign, LocalAddress, Media, Protocol, Recipient, Router, ShardIndex,
    ShardMessage, TransportId,
};

use crate::engine::ScriptedEngines;

/// What is on its way from one shard to another.
#[derive(Debug)]
pub enum Parcel {
    /// See there.
    Message(ShardMessage),
    /// See there.
    Media(Media),
    /// A datagram that came to the sender's socket.
    Foreign {
        /// Whether the sender knows that its address is the receiver's.
        is_known: bool,
        /// Who sent it.
        source: SocketAddr,
        /// What it carries.
        contents: Vec<u8>,
    },
}

/// The shards.
pub struct Shards {
    /// By index.
    pub routers: Vec<Router>,
    /// When the last parcel of a kind arrives, by sender and receiver: none overtakes it.
    last: BTreeMap<(usize, usize, u8), Instant>,
}

impl Shards {
    /// This many, with engines of the simulator.
    pub fn new(now: Instant, count: u16, seed: u64) -> Self {
        let bound = SocketAddr::from(([192, 0, 2, 1], 5000));
        let local = LocalAddress { protocol: Protocol::Udp, bound, advertised: vec![bound] };
        let shard = |index| {
            let mut config = Config::new(vec![local.clone()]);
            config.shard = ShardIndex(index);
            config.shards = count;
            config.connect_timeout = Duration::from_secs(5);
            let engines = Box::new(ScriptedEngines::new(index));
            Router::new(now, config, engines, seed ^ u64::from(index))
        };
        Self { routers: (0..count).map(shard).collect(), last: BTreeMap::new() }
    }

    /// The shard of a transport.
    pub fn of(&mut self, id: TransportId) -> &mut Router {
        let index = usize::from(id.shard().0).min(self.routers.len() - 1);
        &mut self.routers[index]
    }

    /// The shard to whose socket datagrams from an address come.
    pub fn entry(&self, source: SocketAddr) -> usize {
        let IpAddr::V4(ip) = source.ip() else { return 0 };
        (usize::from(ip.octets()[3]) + usize::from(source.port())) % self.routers.len()
    }

    /// A datagram came; the kernel chooses the socket by the address. Returns what is to be passed on.
    pub fn handle_datagram(
        &mut self,
        now: Instant,
        source: SocketAddr,
        contents: &[u8],
    ) -> Option<(usize, usize, Parcel)> {
        let entry = self.entry(source);
        let datagram = Datagram { socket: 0, source, contents };
        let Foreign { shard, is_known } = self.routers[entry].handle_datagram(now, datagram)?;
        let contents = contents.to_vec();
        Some((entry, usize::from(shard.0), Parcel::Foreign { is_known, source, contents }))
    }

    /// A parcel arrives.
    pub fn handle_parcel(&mut self, now: Instant, from: usize, to: usize, parcel: Parcel) {
        let (router, from) = (&mut self.routers[to], ShardIndex(from as u16));
        match parcel {
            Parcel::Message(message) => router.handle_message(now, from, message),
            Parcel::Media(media) => {
                let packet = media.header.packet(media.payload);
                router.handle_media(now, &media.header, &packet);
            }
            Parcel::Foreign { is_known, source, contents } => {
                let datagram = Datagram { socket: 0, source, contents: &contents };
                router.handle_foreign_datagram(now, from, is_known, datagram);
            }
        }
    }

    /// Everything that the shards have for each other now.
    pub fn parcels(&mut self) -> Vec<(usize, usize, Parcel)> {
        let mut parcels = Vec::new();
        let count = self.routers.len();
        for (from, router) in self.routers.iter_mut().enumerate() {
            while let Some((recipient, message)) = router.poll_message() {
                let is_for = |to: &usize| match recipient {
                    Recipient::Shard(shard) => usize::from(shard.0) == *to,
                    Recipient::Everybody => *to != from,
                };
                for to in (0..count).filter(is_for) {
                    parcels.push((from, to, Parcel::Message(message.clone())));
                }
            }
            while let Some((to, media)) = router.poll_media() {
                parcels.push((from, usize::from(to.0), Parcel::Media(media)));
            }
        }
        parcels
    }

    /// When a parcel that is sent now arrives.
    pub fn arrival(
        &mut self,
        now: Instant,
        (from, to): (usize, usize),
        parcel: &Parcel,
        rng: &mut Rng,
    ) -> Option<Instant> {
        let kind = match parcel {
            Parcel::Message(_) => 0,
            Parcel::Media(_) if rng.f64() < 0.005 => return None,
            Parcel::Media(_) => 1,
            Parcel::Foreign { .. } => 2,
        };
        // Most shards answer at once; now and then one is busy for a while.
        let most_us = if rng.f64() < 0.02 { 30_000 } else { 300 };
        let arrival = now + Duration::from_micros(rng.u64(..most_us));
        let last = self.last.entry((from, to, kind)).or_insert(arrival);
        *last = arrival.max(*last);
        Some(*last)
    }
}

//! What the router is told once, at its start.

use std::net::SocketAddr;
use std::time::Duration;

use crate::sink::ShardIndex;

/// What carries datagrams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// A datagram is a datagram.
    Udp,
    /// A datagram is a frame of a stream (RFC 4571).
    Tcp,
}

/// One socket of the edge and the addresses that are offered to clients for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalAddress {
    /// Clients take the first that works, so UDP comes first.
    pub protocol: Protocol,
    /// Where the socket is bound; never a wildcard address.
    pub bound: SocketAddr,
    /// Host candidates in every answer: the public addresses of a 1:1 NAT, else `bound` itself.
    /// Never empty; a datagram that comes in is taken to be for the first.
    pub advertised: Vec<SocketAddr>,
}

/// Settings of one shard of a router, a [`Router`](crate::Router).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Which shard this is.
    pub shard: ShardIndex,
    /// How many there are, at least 1.
    pub shards: u16,
    /// The sockets of the edge, in the order of their index in datagrams and transmits.
    pub local_addresses: Vec<LocalAddress>,
    /// Transports at once. 10,000: far above what one machine forwards.
    pub max_transports: usize,
    /// Slot pairs of one transport. 64 pairs are 128 media lines, the most that an offer may have.
    pub max_slots: usize,
    /// How long ICE and DTLS may take. 30 s: browsers give up ICE after 15 to 30 s.
    pub connect_timeout: Duration,
}

impl Config {
    /// The settings that production uses, for these sockets and one shard.
    #[must_use]
    pub fn new(local_addresses: Vec<LocalAddress>) -> Self {
        Self {
            shard: ShardIndex(0),
            shards: 1,
            local_addresses,
            max_transports: 10_000,
            max_slots: 64,
            connect_timeout: Duration::from_secs(30),
        }
    }
}

//! Which shard's socket the kernel gives a peer's datagrams to.
//!
//! By itself it chooses by a hash of the peer's address and knows nothing of transports, so of two datagrams one comes
//! to the wrong shard, is copied and wakes a second thread. A classic BPF program, which needs no privilege,
//! tells it whose a peer is that came to the wrong shard once. Whoever is not in it comes to where the hash says,
//! as if there were no program; where the kernel takes none, everything is handed over as before.

use std::mem;
use std::net::{IpAddr, SocketAddr};

use tertulia_router_core::{PeerAddress, ShardIndex, ShardMessage};

/// Most instructions of one program (`BPF_MAXINSNS` of Linux).
const MAX_INSTRUCTIONS: usize = 4_096;
/// What a program begins with, at the most.
const START_INSTRUCTIONS: usize = 9;
/// What one more peer of IPv4 takes at the most.
const PEER_INSTRUCTIONS: usize = 8;
/// The same of IPv6.
const PEER_INSTRUCTIONS_V6: usize = 14;
/// So many peers fit into one program, by the family of their addresses.
const MAX_PEERS: usize = 510;
const MAX_PEERS_V6: usize = 291;
const _: () = assert!(
    START_INSTRUCTIONS + MAX_PEERS * PEER_INSTRUCTIONS <= MAX_INSTRUCTIONS
        && START_INSTRUCTIONS + MAX_PEERS_V6 * PEER_INSTRUCTIONS_V6 <= MAX_INSTRUCTIONS,
    "the kernel takes the largest programs"
);

/// One instruction of classic BPF: operation, where to go on if a comparison holds or fails, operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    /// What is done.
    pub code: u16,
    /// Instructions to leave out if the comparison holds.
    pub jt: u8,
    /// If it does not.
    pub jf: u8,
    /// The operand.
    pub k: u32,
}

/// The peers that the kernel is told of, by socket.
#[derive(Debug, Default)]
pub struct Steering {
    sockets: Vec<OfSocket>,
}

#[derive(Debug)]
struct OfSocket {
    /// In the order in which they came.
    peers: Vec<(SocketAddr, ShardIndex)>,
    has_changed: bool,
    /// Of peers.
    limit: usize,
}

impl Steering {
    /// Nobody yet, on sockets of these addresses.
    #[must_use]
    pub fn new(bound: &[SocketAddr]) -> Self {
        let sockets = bound.iter().map(|address| {
            let limit = if address.is_ipv6() { MAX_PEERS_V6 } else { MAX_PEERS };
            OfSocket { peers: Vec::new(), has_changed: false, limit }
        });
        Self { sockets: sockets.collect() }
    }

    /// Whether [`Self::note`] has something to do with a message.
    #[must_use]
    pub fn is_told_by(message: &ShardMessage) -> bool {
        matches!(message, ShardMessage::AddressLearned(_) | ShardMessage::AddressForgotten(_))
    }

    /// What a shard tells another: that a peer came by the other's socket and is its own, or no longer.
    pub fn note(&mut self, from: ShardIndex, message: &ShardMessage) {
        match message {
            ShardMessage::AddressLearned(address) => self.learned(*address, from),
            ShardMessage::AddressForgotten(address) => self.forgotten(*address, from),
            _ => {}
        }
    }

    fn learned(&mut self, PeerAddress { socket, source }: PeerAddress, owner: ShardIndex) {
        let Some(of_socket) = self.sockets.get_mut(socket) else {
            return;
        };
        let has_room = of_socket.peers.len() < of_socket.limit;
        match of_socket.peers.iter_mut().find(|(peer, _)| *peer == source) {
            Some((_, shard)) => *shard = owner,
            // Those who are there stay: whoever is left out is handed over.
            None if has_room => of_socket.peers.push((source, owner)),
            None => return,
        }
        of_socket.has_changed = true;
    }

    fn forgotten(&mut self, PeerAddress { socket, source }: PeerAddress, owner: ShardIndex) {
        if let Some(of_socket) = self.sockets.get_mut(socket) {
            let before = of_socket.peers.len();
            of_socket.peers.retain(|peer| *peer != (source, owner));
            of_socket.has_changed |= of_socket.peers.len() < before;
        }
    }

    /// The programs that have changed since this was last asked, by socket.
    pub fn changed(&mut self) -> Vec<(usize, Vec<Instruction>)> {
        let sockets = self.sockets.iter_mut().enumerate();
        let changed = sockets.filter_map(|(socket, of_socket)| {
            let has_changed = mem::take(&mut of_socket.has_changed);
            has_changed.then(|| (socket, program(&of_socket.peers)))
        });
        changed.collect()
    }

    /// The kernel did not take a socket's program: from now on half as many, down to none.
    ///
    /// Whoever is left out comes to the shard that was told whose the peer is.
    pub fn refused(&mut self, socket: usize) {
        if let Some(of_socket) = self.sockets.get_mut(socket) {
            of_socket.limit = of_socket.peers.len() / 2;
            of_socket.peers.truncate(of_socket.limit);
            of_socket.has_changed = of_socket.limit > 0;
        }
    }
}

const LOAD_WORD: u16 = 0x20;
const LOAD_HALF: u16 = 0x28;
const STORE: u16 = 0x02;
const LOAD_STORED: u16 = 0x60;
const IF_EQUAL: u16 = 0x15;
const IF_AT_LEAST: u16 = 0x35;
const GO: u16 = 0x05;
const RETURN: u16 = 0x06;
/// Offsets count from the IP header (`SKF_NET_OFF`).
const IP_HEADER: u32 = -0x10_0000_i32 as u32;
/// No socket has this number, so the kernel chooses by its hash.
const NOBODY: Instruction = plain(RETURN, u32::MAX);

const fn plain(code: u16, k: u32) -> Instruction {
    Instruction { code, jt: 0, jf: 0, k }
}

/// Returns the shard of the peer that a datagram is from: the port is looked for by halving, then the address compared.
///
/// IPv4 has the source address at 12 and, without options, the port at 20; IPv6 at 8 and 40.
fn program(peers: &[(SocketAddr, ShardIndex)]) -> Vec<Instruction> {
    let mut peers = peers.to_vec();
    peers.sort_unstable_by_key(|(peer, _)| peer.port());
    let is_v6 = peers.first().is_some_and(|(peer, _)| peer.is_ipv6());
    let (address_at, words, port_at) = if is_v6 { (8, 4, 40) } else { (12, 1, 20) };
    let mut program = Vec::new();
    for word in 0..words {
        program.push(plain(LOAD_WORD, IP_HEADER.wrapping_add(address_at + 4 * word)));
        program.push(plain(STORE, word));
    }
    program.push(plain(LOAD_HALF, IP_HEADER.wrapping_add(port_at)));
    let by_port: Vec<_> = peers.chunk_by(|(a, _), (b, _)| a.port() == b.port()).collect();
    program.extend(search(&by_port));
    program
}

fn search(by_port: &[&[(SocketAddr, ShardIndex)]]) -> Vec<Instruction> {
    let (lower, upper) = by_port.split_at(by_port.len() / 2);
    let [(first, _), ..] = upper.first().copied().unwrap_or_default() else {
        return vec![NOBODY];
    };
    let port = u32::from(first.port());
    if lower.is_empty() {
        return compare(port, upper.first().copied().unwrap_or_default());
    }
    let lower = search(lower);
    let mut found = match u8::try_from(lower.len()) {
        Ok(length) => vec![Instruction { code: IF_AT_LEAST, jt: length, jf: 0, k: port }],
        // So far only `GO` goes.
        Err(_) => vec![
            Instruction { code: IF_AT_LEAST, jt: 0, jf: 1, k: port },
            plain(GO, lower.len() as u32),
        ],
    };
    found.extend(lower);
    found.extend(search(upper));
    found
}

/// All of these have the same port.
fn compare(port: u32, peers: &[(SocketAddr, ShardIndex)]) -> Vec<Instruction> {
    let mut compared = vec![Instruction { code: IF_EQUAL, jt: 1, jf: 0, k: port }, NOBODY];
    for (peer, shard) in peers {
        let words = words(peer.ip());
        for (place, word) in words.iter().enumerate() {
            // What is left of this peer: a load and a comparison for each further word, and the answer.
            let rest = 2 * (words.len() - 1 - place) + 1;
            compared.push(plain(LOAD_STORED, place as u32));
            compared.push(Instruction { code: IF_EQUAL, jt: 0, jf: rest as u8, k: *word });
        }
        compared.push(plain(RETURN, u32::from(shard.0)));
    }
    compared.push(NOBODY);
    compared
}

/// An address in words of 32 bits, the first one first.
fn words(ip: IpAddr) -> Vec<u32> {
    match ip {
        IpAddr::V4(ip) => vec![ip.to_bits()],
        IpAddr::V6(ip) => {
            let bits = ip.to_bits();
            [96, 64, 32, 0].map(|shift| (bits >> shift) as u32).to_vec()
        }
    }
}

#[cfg(test)]
#[path = "steering_tests.rs"]
mod tests;

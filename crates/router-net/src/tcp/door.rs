//! Where TCP connections wait until they have shown whose they are.
//!
//! Anybody can connect. A stranger costs one of a bounded number of places for a few seconds, and gets
//! no byte: its first frame must be a connectivity check with a user name that one of the shards has
//! given out. Whether the check is genuine is for that shard to find.

use std::collections::{HashMap, VecDeque};
use std::io::{self, Read as _};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use tertulia_router_core::{PeerAddress, ShardIndex, stun_local_ufrag};

use super::Frames;
use crate::doorbell::Doorbell;
use crate::peers::Peers;

/// How long a connection may take to show whose it is.
pub const FIRST_FRAME_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections that may wait. Above it the oldest goes: a client shows its check within a round trip.
pub const MAX_WAITING: usize = 256;
/// Those of one source, an IPv4 address or an IPv6 network of 64 bits.
pub const MAX_WAITING_OF_SOURCE: usize = 16;
/// Largest first frame: a check has about 100 bytes.
const MAX_FIRST_FRAME_BYTES: usize = 1_024;

const WAKE: Token = Token(usize::MAX);
/// Tokens of connections begin here; listeners have their index.
const FIRST_CONNECTION: usize = 1 << 20;

/// What the shards tell the door.
#[derive(Debug)]
pub enum DoorMail {
    /// Checks with this user name are for that shard.
    UfragAdded(String, ShardIndex),
    /// No longer.
    UfragRemoved(String, ShardIndex),
}

/// A connection whose first frame is there.
pub struct Arrival {
    /// The connection, in no poll.
    pub stream: TcpStream,
    /// The peer, and which of the router's sockets it came to.
    pub address: PeerAddress,
    /// What was read, the first frame included.
    pub frames: Frames,
}

struct Waiting {
    token: Token,
    stream: TcpStream,
    address: PeerAddress,
    frames: Frames,
    until: Instant,
}

/// The listeners and whoever waits at them.
pub struct Door {
    poll: Poll,
    listeners: Vec<TcpListener>,
    /// Index of the first listener among the router's sockets.
    first_socket: usize,
    peers: Arc<Peers>,
    mail: Receiver<DoorMail>,
    bell: Arc<Doorbell>,
    stop: Arc<AtomicBool>,
    refused: Arc<AtomicU64>,
    ufrags: HashMap<String, ShardIndex>,
    /// Oldest first.
    waiting: VecDeque<Waiting>,
    next_token: usize,
}

/// What a door is made of.
pub struct DoorParts {
    /// Its poll, of which `bell` has the waker.
    pub poll: Poll,
    /// The listening sockets.
    pub listeners: Vec<TcpListener>,
    /// Index of the first of them among the router's sockets.
    pub first_socket: usize,
    /// Who may come.
    pub peers: Arc<Peers>,
    /// What the shards tell.
    pub mail: Receiver<DoorMail>,
    /// Rung when there is mail, or it is to stop.
    pub bell: Arc<Doorbell>,
    /// Set before the last ring.
    pub stop: Arc<AtomicBool>,
    /// Counts connections that were refused.
    pub refused: Arc<AtomicU64>,
}

impl Door {
    /// The token of its waker.
    pub const WAKE: Token = WAKE;

    /// A door that is not open yet.
    pub fn new(parts: DoorParts) -> io::Result<Self> {
        let mut listeners = parts.listeners;
        for (index, listener) in listeners.iter_mut().enumerate() {
            parts.poll.registry().register(listener, Token(index), Interest::READABLE)?;
        }
        Ok(Self {
            poll: parts.poll,
            listeners,
            first_socket: parts.first_socket,
            peers: parts.peers,
            mail: parts.mail,
            bell: parts.bell,
            stop: parts.stop,
            refused: parts.refused,
            ufrags: HashMap::new(),
            waiting: VecDeque::new(),
            next_token: FIRST_CONNECTION,
        })
    }

    /// Serves until it is told to stop. `hand_over` gives a connection to its shard.
    pub fn run(mut self, hand_over: impl Fn(ShardIndex, Arrival)) -> io::Result<()> {
        let mut events = Events::with_capacity(256);
        while !self.stop.load(Ordering::Acquire) {
            let timeout = if self.bell.lie_down() {
                self.waiting.front().map(|w| w.until.saturating_duration_since(Instant::now()))
            } else {
                Some(Duration::ZERO)
            };
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            self.bell.get_up();
            self.read_mail();
            let now = Instant::now();
            for event in &events {
                let token = event.token();
                if token == WAKE {
                    continue;
                }
                if token.0 < FIRST_CONNECTION {
                    self.accept(now, token.0);
                }
            }
            // What a client knows, its shard has told before the client could know it; so the mail
            // is read between the frame and the question whose it is.
            let readable: Vec<_> = events
                .iter()
                .map(mio::event::Event::token)
                .filter(|t| t.0 >= FIRST_CONNECTION)
                .collect();
            for token in readable.into_iter().filter(|t| *t != WAKE) {
                self.read(token, &hand_over);
            }
            self.expire(now);
        }
        Ok(())
    }

    fn read_mail(&mut self) {
        while let Ok(mail) = self.mail.try_recv() {
            match mail {
                DoorMail::UfragAdded(ufrag, shard) => {
                    self.ufrags.insert(ufrag, shard);
                }
                DoorMail::UfragRemoved(ufrag, shard) => {
                    if self.ufrags.get(&ufrag) == Some(&shard) {
                        self.ufrags.remove(&ufrag);
                    }
                }
            }
        }
    }

    fn accept(&mut self, now: Instant, index: usize) {
        while let Some(accepted) = self.listeners.get(index).map(TcpListener::accept) {
            match accepted {
                Ok((stream, source)) if self.peers.include(source.ip()) => {
                    self.admit(now, index, stream, source);
                }
                Ok(_) => self.count_refused(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Such as no more descriptors: those that wait make room, and the next one wakes us.
                Err(error) => {
                    tracing::warn!(%error, "connection not accepted");
                    break;
                }
            }
        }
    }

    /// Gives a connection a place; the oldest of its source, or of all, makes room.
    fn admit(&mut self, now: Instant, index: usize, mut stream: TcpStream, source: SocketAddr) {
        let from = network(source.ip());
        let of_source: Vec<_> =
            self.waiting.iter().filter(|w| network(w.address.source.ip()) == from).collect();
        let goes = if of_source.len() >= MAX_WAITING_OF_SOURCE {
            of_source.first().map(|w| w.token)
        } else if self.waiting.len() >= MAX_WAITING {
            self.waiting.front().map(|w| w.token)
        } else {
            None
        };
        if let Some(token) = goes {
            self.refuse(token);
        }
        let token = Token(self.next_token);
        self.next_token = (self.next_token + 1).max(FIRST_CONNECTION);
        if self.poll.registry().register(&mut stream, token, Interest::READABLE).is_err() {
            self.count_refused();
            return;
        }
        let address = PeerAddress { socket: self.first_socket + index, source };
        let until = now + FIRST_FRAME_TIMEOUT;
        let frames = Frames::default();
        self.waiting.push_back(Waiting { token, stream, address, frames, until });
    }

    fn read(&mut self, token: Token, hand_over: &impl Fn(ShardIndex, Arrival)) {
        let Some(place) = self.waiting.iter().position(|w| w.token == token) else {
            return;
        };
        let Some(waiting) = self.waiting.get_mut(place) else {
            return;
        };
        match read_first_frame(waiting) {
            Ok(None) => {}
            Ok(Some(ufrag)) => {
                self.read_mail();
                let Some(shard) = self.ufrags.get(&ufrag).copied() else {
                    self.refuse(token);
                    return;
                };
                let Some(mut waiting) = self.waiting.remove(place) else {
                    return;
                };
                if self.poll.registry().deregister(&mut waiting.stream).is_ok() {
                    let Waiting { stream, address, frames, .. } = waiting;
                    hand_over(shard, Arrival { stream, address, frames });
                }
            }
            Err(_) => self.refuse(token),
        }
    }

    /// Refuses those that took too long.
    fn expire(&mut self, now: Instant) {
        while let Some(token) = self.waiting.front().filter(|w| w.until <= now).map(|w| w.token) {
            self.refuse(token);
        }
    }

    fn refuse(&mut self, token: Token) {
        if let Some(place) = self.waiting.iter().position(|w| w.token == token)
            && let Some(mut waiting) = self.waiting.remove(place)
        {
            let _ = self.poll.registry().deregister(&mut waiting.stream);
            self.count_refused();
        }
    }

    fn count_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }
}

/// Reads on; the user name of the check once the first frame is there.
fn read_first_frame(waiting: &mut Waiting) -> io::Result<Option<String>> {
    let mut buffer = [0; MAX_FIRST_FRAME_BYTES];
    let refused = || io::Error::from(io::ErrorKind::InvalidData);
    loop {
        match waiting.stream.read(&mut buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(length) => waiting.frames.push(buffer.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        if waiting.frames.announced().is_some_and(|length| length > MAX_FIRST_FRAME_BYTES) {
            return Err(refused());
        }
        // Looked at, not taken: the shard sees it too.
        if let Some(frame) = waiting.frames.peek() {
            return stun_local_ufrag(frame).map(|ufrag| Some(ufrag.to_owned())).ok_or_else(refused);
        }
    }
}

/// What counts as one source.
fn network(ip: IpAddr) -> u64 {
    match ip {
        IpAddr::V4(ip) => u64::from(u32::from(ip)),
        IpAddr::V6(ip) => (u128::from(ip) >> 64) as u64,
    }
}

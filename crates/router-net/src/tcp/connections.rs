//! All TCP connections of one shard.

use std::io;

use mio::event::Event;
use mio::{Interest, Registry, Token};
use rustc_hash::FxHashMap;
use tertulia_router_core::{DropCause, Drops, PeerAddress, Transmit};

use super::Connection;
use crate::batch::Moved;

/// Bytes of one read; a connection that has more waits for its next turn.
const READ_BYTES: usize = 65_536;

/// The connections, found by their token and by the peer's address. Those with something to write are
/// written once per round.
pub struct Connections {
    first_token: usize,
    last_number: u64,
    places: Vec<Option<Connection>>,
    by_address: FxHashMap<PeerAddress, usize>,
    unwritten: Vec<usize>,
    buffer: Vec<u8>,
    /// What was read and written.
    pub received: Moved,
    /// What was written.
    pub sent: Moved,
    /// What was not.
    pub drops: Drops,
}

impl Connections {
    /// None yet. Their tokens begin at `first_token`.
    #[must_use]
    pub fn new(first_token: usize) -> Self {
        Self {
            first_token,
            last_number: 0,
            places: Vec::new(),
            by_address: FxHashMap::default(),
            unwritten: Vec::new(),
            buffer: vec![0; READ_BYTES],
            received: Moved::default(),
            sent: Moved::default(),
            drops: Drops::default(),
        }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.by_address.len()
    }

    /// Whether one of them may have more to read.
    #[must_use]
    pub fn has_readable(&self) -> bool {
        self.places.iter().flatten().any(|c| c.is_readable)
    }

    /// Peers of all connections, the oldest first.
    #[must_use]
    pub fn addresses(&self) -> Vec<PeerAddress> {
        let mut all: Vec<_> = self.places.iter().flatten().map(|c| (c.number, c.address)).collect();
        all.sort_unstable_by_key(|(number, _)| *number);
        all.into_iter().map(|(_, address)| address).collect()
    }

    /// Takes a connection in. A peer that comes again from its address has left its former one, of which the end may
    /// not have been read yet.
    pub fn insert(&mut self, registry: &Registry, mut connection: Connection) -> io::Result<()> {
        self.close(registry, connection.address);
        let free = self.places.iter().position(Option::is_none);
        let place = free.unwrap_or(self.places.len());
        if free.is_none() {
            self.places.push(None);
        }
        let token = Token(self.first_token + place);
        let interest = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut connection.stream, token, interest)?;
        self.last_number += 1;
        connection.number = self.last_number;
        self.by_address.insert(connection.address, place);
        if let Some(free) = self.places.get_mut(place) {
            *free = Some(connection);
        }
        Ok(())
    }

    /// Notes what the poll says of a connection, if it is one.
    pub fn note(&mut self, event: &Event) {
        let place = event.token().0.checked_sub(self.first_token);
        let Some(place) = place.filter(|place| self.places.len() > *place) else {
            return;
        };
        if let Some(Some(connection)) = self.places.get_mut(place) {
            connection.is_readable |= event.is_readable() || event.is_read_closed();
            if event.is_writable() {
                connection.is_writable = true;
                self.unwritten.push(place);
            }
        }
    }

    /// Reads each readable connection once and gives its whole frames to `take`. Returns the peers of
    /// those that ended.
    pub fn read(&mut self, mut take: impl FnMut(PeerAddress, &[u8])) -> Vec<PeerAddress> {
        let mut ended = Vec::new();
        for connection in self.places.iter_mut().flatten().filter(|c| c.is_readable) {
            if connection.read(&mut self.buffer).is_err() {
                connection.is_readable = false;
                ended.push(connection.address);
            }
            let address = connection.address;
            let (mut packets, mut bytes) = (0, 0);
            while let Some(frame) = connection.next_frame() {
                packets += 1;
                bytes += frame.len() as u64;
                take(address, frame);
            }
            self.received.count_call(packets, bytes);
        }
        ended
    }

    /// Queues a packet for whoever it is for.
    pub fn push(&mut self, transmit: Transmit) {
        let address = PeerAddress { socket: transmit.socket, source: transmit.destination };
        let place = self.by_address.get(&address).copied();
        let Some(connection) = place.and_then(|p| self.places.get_mut(p)).and_then(Option::as_mut)
        else {
            self.drops.count(DropCause::TcpNotConnected);
            return;
        };
        connection.push(transmit.contents, transmit.urgency, &mut self.drops);
        if let Some(place) = place.filter(|place| self.unwritten.last() != Some(place)) {
            self.unwritten.push(place);
        }
    }

    /// Drops the media that waits for this peer.
    pub fn drop_media(&mut self, address: PeerAddress) {
        let place = self.by_address.get(&address).copied();
        if let Some(Some(connection)) = place.and_then(|place| self.places.get_mut(place)) {
            connection.drop_media();
        }
    }

    /// Writes what was queued. Returns the peers of connections that ended.
    pub fn write(&mut self) -> Vec<PeerAddress> {
        let mut ended = Vec::new();
        for place in std::mem::take(&mut self.unwritten) {
            let Some(Some(connection)) = self.places.get_mut(place) else {
                continue;
            };
            if connection.write(&mut self.sent).is_err() {
                ended.push(connection.address);
            }
        }
        ended
    }

    /// Ends a connection.
    pub fn close(&mut self, registry: &Registry, address: PeerAddress) {
        let Some(place) = self.by_address.remove(&address) else {
            return;
        };
        if let Some(mut connection) = self.places.get_mut(place).and_then(Option::take) {
            // What waits, such as a goodbye, as far as the peer takes it now.
            let _ = connection.write(&mut self.sent);
            let _ = registry.deregister(&mut connection.stream);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::{TcpListener, TcpStream as StdStream};

    use mio::Poll;
    use mio::net::TcpStream;

    use super::*;
    use crate::tcp::Frames;

    #[test]
    fn a_peer_that_comes_again_from_its_address_takes_the_place_of_its_former_connection() {
        let poll = Poll::new().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = PeerAddress { socket: 1, source: listener.local_addr().unwrap() };
        let mut connections = Connections::new(0);
        let mut come = || {
            let client = StdStream::connect(listener.local_addr().unwrap()).unwrap();
            let (stream, _) = listener.accept().unwrap();
            stream.set_nonblocking(true).unwrap();
            let stream = TcpStream::from_std(stream);
            let connection = Connection::new(stream, address, Frames::default());
            connections.insert(poll.registry(), connection).unwrap();
            (client, connections.addresses().len())
        };
        let (mut former, _) = come();
        let (_new, count) = come();
        assert_eq!(count, 1);
        assert_eq!(former.read(&mut [0]).unwrap(), 0, "the former connection is over");
    }
}

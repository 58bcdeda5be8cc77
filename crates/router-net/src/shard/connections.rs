//! The TCP connections of a shard: taken in, read, hung up.

use std::time::Instant;

use tertulia_router_core::{Datagram, DropCause, PeerAddress, TransportId};

use super::Shard;
use crate::tcp::{Arrival, Connection};

/// TCP connections of one transport; the oldest goes. A browser opens one per local address.
const MAX_CONNECTIONS_OF_TRANSPORT: usize = 4;

impl Shard {
    /// A connection whose first frame was for this shard. It stays if that frame was genuine.
    pub(super) fn take_in(&mut self, now: Instant, arrival: Arrival) {
        let Arrival { stream, address, frames } = arrival;
        let mut connection = Connection::new(stream, address, frames);
        let mut is_proven = false;
        while let Some(contents) = connection.next_frame() {
            let datagram = Datagram { socket: address.socket, source: address.source, contents };
            let _ = self.router.handle_datagram(now, datagram);
            is_proven = self.router.transport_at(address).is_some();
            if !is_proven {
                break;
            }
        }
        let transport = self.router.transport_at(address).filter(|_| is_proven);
        let Some(transport) = transport else {
            self.drops.count(DropCause::TcpRefused);
            return;
        };
        if self.connections.insert(self.poll.registry(), connection).is_err() {
            self.drops.count(DropCause::TcpRefused);
            self.router.handle_disconnect(address);
            return;
        }
        self.limit_connections(transport);
    }

    fn limit_connections(&mut self, transport: TransportId) {
        let of_transport = self.connections_of(transport);
        let surplus = of_transport.len().saturating_sub(MAX_CONNECTIONS_OF_TRANSPORT);
        for address in of_transport.into_iter().take(surplus) {
            self.drops.count(DropCause::TcpRefused);
            self.hang_up(address);
        }
    }

    /// Oldest first.
    pub(super) fn connections_of(&self, transport: TransportId) -> Vec<PeerAddress> {
        let addresses = self.connections.addresses().into_iter();
        addresses.filter(|a| self.router.transport_at(*a) == Some(transport)).collect()
    }

    pub(super) fn read_connections(&mut self, now: Instant) {
        if !self.connections.has_readable() {
            return;
        }
        let router = &mut self.router;
        let ended = self.connections.read(|address, contents| {
            let datagram = Datagram { socket: address.socket, source: address.source, contents };
            // Another shard's user name does not belong on this connection.
            let _ = router.handle_datagram(now, datagram);
        });
        for address in ended {
            self.hang_up(address);
        }
    }

    pub(super) fn hang_up(&mut self, address: PeerAddress) {
        self.router.handle_disconnect(address);
        self.connections.close(self.poll.registry(), address);
    }

    /// Ends the connections whose transport has ended; its goodbye was written.
    pub(super) fn hang_up_on_the_gone(&mut self) {
        for address in self.connections.addresses() {
            if self.router.transport_at(address).is_none() {
                self.hang_up(address);
            }
        }
    }
}

//! Datagrams that are about to leave, one behind the other in one buffer that is used again.

use std::net::SocketAddr;

use crate::engine::{Transmit, Urgency};
use crate::sojourn::ReceivedAt;

/// Room that a datagram may need.
pub(crate) const MAX_DATAGRAM_BYTES: usize = 2048;
/// Above this much nothing more is begun before it has left: what is written is read again soon, and
/// a core's own cache is small.
const FULL_BYTES: usize = 1 << 18;

/// Where a datagram of the arena goes, and which bytes are its.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Departure {
    /// Index of the socket to send it from.
    pub socket: usize,
    /// Where to.
    pub destination: SocketAddr,
    /// How badly it is needed.
    pub urgency: Urgency,
    /// When the packet that it forwards came, if that is followed.
    pub received: Option<ReceivedAt>,
    start: u32,
    length: u32,
}

/// The arena. Datagrams of one transport stand side by side.
#[derive(Debug, Default)]
pub struct Datagrams {
    bytes: Vec<u8>,
    used: usize,
    departures: Vec<Departure>,
}

impl Departure {
    /// Bytes of the datagram.
    #[must_use]
    pub fn length(&self) -> usize {
        self.length as usize
    }
}

impl Datagrams {
    /// What is to leave, in order.
    #[must_use]
    pub fn departures(&self) -> &[Departure] {
        &self.departures
    }

    /// The bytes of a datagram.
    #[must_use]
    pub fn contents(&self, departure: &Departure) -> &[u8] {
        let start = departure.start as usize;
        self.bytes.get(start..start + departure.length()).unwrap_or_default()
    }

    /// Whether nothing is to leave.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.departures.is_empty()
    }

    /// Everything has left.
    pub fn clear(&mut self) {
        self.departures.clear();
        self.used = 0;
    }

    pub(crate) fn is_full(&self) -> bool {
        self.used >= FULL_BYTES
    }

    /// Room for the next datagram.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        let end = self.used + MAX_DATAGRAM_BYTES;
        if self.bytes.len() < end {
            self.bytes.resize(end.max(2 * self.bytes.len()).min(FULL_BYTES + end), 0);
        }
        self.bytes.get_mut(self.used..end).unwrap_or_default()
    }

    /// The first `length` bytes of the room are a datagram.
    pub(crate) fn push(
        &mut self,
        socket: usize,
        destination: SocketAddr,
        urgency: Urgency,
        length: usize,
    ) {
        let length = length.min(MAX_DATAGRAM_BYTES);
        self.departures.push(Departure {
            socket,
            destination,
            urgency,
            received: None,
            start: self.used as u32,
            length: length as u32,
        });
        self.used += length;
    }

    /// The newest datagram forwards a packet that came then, if that is followed.
    pub fn follow(&mut self, received: Option<ReceivedAt>) {
        if let (Some(_), Some(newest)) = (received, self.departures.last_mut()) {
            newest.received = received;
        }
    }

    /// Adds a datagram that was made elsewhere; one that is larger than any of ours is left out.
    pub fn add(&mut self, transmit: &Transmit) {
        let contents = &transmit.contents;
        if let Some(target) = self.room().get_mut(..contents.len()) {
            target.copy_from_slice(contents);
            self.push(transmit.socket, transmit.destination, transmit.urgency, contents.len());
        }
    }

    /// The datagram by itself.
    #[must_use]
    pub fn transmit(&self, departure: &Departure) -> Transmit {
        Transmit {
            socket: departure.socket,
            destination: departure.destination,
            contents: self.contents(departure).to_vec(),
            urgency: departure.urgency,
        }
    }
}

//! Packets from one shard to another: bounded rings of buffers that were allocated once.
//!
//! A shard has one pool of buffers for all that it hands over. A buffer goes to the receiving shard
//! in one ring and comes back in another; each ring has one writer and one reader, so that nothing
//! is locked and no reference counted. A full ring or an empty pool drops the packet.

use rtrb::{Consumer, Producer, RingBuffer};
use tertulia_router_core::{MediaHeader, PeerAddress};

use crate::batch::MAX_DATAGRAM_BYTES;

/// Packets on their way from one shard to another: 10 ms at 100,000 packets a second.
const RING_PACKETS: usize = 1_024;
/// Packets that one shard has on the way to all the others: 8 MiB.
const POOL_PACKETS: usize = 4_096;

/// What a parcel is.
#[derive(Debug, Clone, Copy)]
pub enum Label {
    /// A datagram that came to the wrong socket.
    Datagram {
        /// Who sent it, and to which socket.
        address: PeerAddress,
        /// The sending shard knows the address as the receiver's.
        is_known: bool,
    },
    /// The payload of a media packet that slots of the receiver want.
    Media(MediaHeader),
}

/// One packet.
pub struct Parcel {
    /// What it is.
    pub label: Label,
    /// Its bytes.
    pub contents: Vec<u8>,
}

/// One shard's end of the rings to and from another.
pub struct Line {
    outgoing: Producer<Box<Parcel>>,
    returned: Consumer<Box<Parcel>>,
    incoming: Consumer<Box<Parcel>>,
    emptied: Producer<Box<Parcel>>,
}

impl Line {
    /// The two ends of a line between two shards.
    fn pair() -> (Self, Self) {
        let (there, at_there) = RingBuffer::new(RING_PACKETS);
        let (back, at_back) = RingBuffer::new(RING_PACKETS);
        let (there_again, at_there_again) = RingBuffer::new(RING_PACKETS);
        let (back_again, at_back_again) = RingBuffer::new(RING_PACKETS);
        let one = Self {
            outgoing: there,
            returned: at_there_again,
            incoming: at_back,
            emptied: back_again,
        };
        let other = Self {
            outgoing: back,
            returned: at_back_again,
            incoming: at_there,
            emptied: there_again,
        };
        (one, other)
    }
}

/// Everything that one shard hands over and is handed.
pub struct Parcels {
    #[expect(clippy::vec_box, reason = "the rings carry pointers, not parcels")]
    pool: Vec<Box<Parcel>>,
    /// By shard; none to itself.
    lines: Vec<Option<Line>>,
}

impl Parcels {
    /// Connected ends for this many shards.
    #[must_use]
    pub fn connect(shards: usize) -> Vec<Self> {
        let mut all: Vec<Self> = (0..shards)
            .map(|_| Self {
                pool: if shards > 1 { pool() } else { Vec::new() },
                lines: (0..shards).map(|_| None).collect(),
            })
            .collect();
        for from in 0..shards {
            for to in from + 1..shards {
                let (one, other) = Line::pair();
                for (end, line, peer) in [(from, one, to), (to, other, from)] {
                    let place = all.get_mut(end).and_then(|end| end.lines.get_mut(peer));
                    if let Some(place) = place {
                        *place = Some(line);
                    }
                }
            }
        }
        all
    }

    /// Hands a packet over. Returns whether there was room.
    pub fn send(&mut self, to: usize, label: Label, contents: &[u8]) -> bool {
        let Some(Some(line)) = self.lines.get_mut(to) else {
            return false;
        };
        if contents.len() > MAX_DATAGRAM_BYTES || line.outgoing.is_full() {
            return false;
        }
        while let Ok(parcel) = line.returned.pop() {
            self.pool.push(parcel);
        }
        if self.pool.is_empty() {
            self.take_back();
        }
        let (Some(mut parcel), Some(Some(line))) = (self.pool.pop(), self.lines.get_mut(to)) else {
            return false;
        };
        parcel.label = label;
        parcel.contents.clear();
        parcel.contents.extend_from_slice(contents);
        match line.outgoing.push(parcel) {
            Ok(()) => true,
            Err(rtrb::PushError::Full(parcel)) => {
                self.pool.push(parcel);
                false
            }
        }
    }

    /// What was given to shards that nothing is handed to any more serves the others.
    fn take_back(&mut self) {
        for line in self.lines.iter_mut().flatten() {
            while let Ok(parcel) = line.returned.pop() {
                self.pool.push(parcel);
            }
        }
    }

    /// The next packet from that shard.
    pub fn receive(&mut self, from: usize) -> Option<Box<Parcel>> {
        self.lines.get_mut(from)?.as_mut()?.incoming.pop().ok()
    }

    /// Gives a buffer back to the shard that it came from.
    pub fn give_back(&mut self, from: usize, parcel: Box<Parcel>) {
        // There is room for every buffer that can be on the way; a lost one would only be allocated.
        if let Some(Some(line)) = self.lines.get_mut(from) {
            let _ = line.emptied.push(parcel);
        }
    }

    /// Whether packets wait.
    #[must_use]
    pub fn has_waiting(&self) -> bool {
        self.lines.iter().flatten().any(|line| !line.incoming.is_empty())
    }
}

#[expect(clippy::vec_box, reason = "the rings carry pointers, not parcels")]
fn pool() -> Vec<Box<Parcel>> {
    let nowhere = PeerAddress { socket: 0, source: (std::net::Ipv4Addr::UNSPECIFIED, 0).into() };
    let label = Label::Datagram { address: nowhere, is_known: false };
    let parcel = || Box::new(Parcel { label, contents: Vec::with_capacity(MAX_DATAGRAM_BYTES) });
    (0..POOL_PACKETS).map(|_| parcel()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(port: u16) -> Label {
        let source = ([192, 0, 2, 1], port).into();
        Label::Datagram { address: PeerAddress { socket: 0, source }, is_known: true }
    }

    #[test]
    fn packets_arrive_in_order_at_the_shard_that_they_are_for() {
        let mut ends = Parcels::connect(3);
        assert!(ends[0].send(2, label(1), &[1]));
        assert!(ends[0].send(2, label(2), &[2, 2]));
        assert!(ends[1].send(2, label(3), &[3]));
        assert!(!ends[2].has_waiting() || ends[2].receive(0).is_some_and(|p| p.contents == [1]));
        assert_eq!(ends[2].receive(0).map(|p| p.contents.clone()), Some(vec![2, 2]));
        assert!(ends[2].receive(0).is_none());
        assert_eq!(ends[2].receive(1).map(|p| p.contents.clone()), Some(vec![3]));
        assert!(!ends[0].has_waiting() && !ends[1].has_waiting() && !ends[2].has_waiting());
    }

    #[test]
    fn a_full_ring_takes_no_more_until_it_is_read_and_no_buffer_is_lost() {
        let mut ends = Parcels::connect(2);
        for round in 0..20 {
            let sent =
                (0..2 * RING_PACKETS).filter(|_| ends[0].send(1, label(1), &[7; 1200])).count();
            assert_eq!(sent, RING_PACKETS, "round {round}");
            while let Some(parcel) = ends[1].receive(0) {
                ends[1].give_back(0, parcel);
            }
        }
    }

    #[test]
    fn a_shard_that_is_not_read_by_all_keeps_room_for_the_others() {
        let mut ends = Parcels::connect(3);
        while ends[0].send(1, label(1), &[1]) {}
        assert!(ends[0].send(2, label(1), &[1]));
    }

    #[test]
    fn buffers_that_came_back_from_any_shard_serve_every_other() {
        let mut ends = Parcels::connect(6);
        for shard in 1..5 {
            while ends[0].send(shard, label(1), &[1]) {}
            while let Some(parcel) = ends[shard].receive(0) {
                ends[shard].give_back(0, parcel);
            }
        }
        assert!(ends[0].send(5, label(1), &[1]), "all buffers are back");
    }

    #[test]
    fn what_is_larger_than_a_packet_is_not_taken_and_there_is_no_way_to_oneself() {
        let mut ends = Parcels::connect(2);
        assert!(!ends[0].send(1, label(1), &[0; MAX_DATAGRAM_BYTES + 1]));
        assert!(!ends[0].send(0, label(1), &[0]));
        assert!(!ends[0].send(9, label(1), &[0]));
    }
}

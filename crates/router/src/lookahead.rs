//! Reads what will be needed of several transports before each of them is worked on.
//!
//! What one transport needs is in several places of memory, of which with hundreds of them few are in a core's cache.
//! Worked on one by one, each place is waited for by itself. Here nothing is done but to read, so that a
//! processor, which goes on while it waits, fetches what several transports need at once. Nothing depends on it.
//! See `docs/decisions/router-batching.md`.

use std::hint::black_box;

use crate::exchange::PeerAddress;
use crate::ids::{Kind, SlotIndex, TransportId};
use crate::router::Router;

/// Transports whose memory is read at once: what that is of fits into the nearest cache.
pub(crate) const AT_ONCE: usize = 16;
/// With fewer transports what is needed of them is near from the last time, and to look costs more than it gives.
const MANY: usize = 40;

/// What an engine is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// [`Engine::send_by_number`](crate::Engine::send_by_number) on this line.
    Send(usize),
    /// [`Engine::transmit`](crate::Engine::transmit).
    Transmit,
    /// [`Engine::handle_datagram`](crate::Engine::handle_datagram).
    Receive,
}

impl Router {
    /// These slots are about to be served; `of` is how many get the packets in all.
    pub(crate) fn look_at_slots(
        &self,
        kind: Kind,
        of: usize,
        slots: impl Iterator<Item = (TransportId, SlotIndex)>,
    ) {
        if of < MANY {
            return;
        }
        let seen = slots.filter_map(|(transport, slot)| {
            let transport = self.transports.get(&transport)?;
            let slot = transport.slots.get(usize::try_from(slot.0).ok()?)?;
            let line = slot.line(kind);
            let counted = transport.totals.packets_sent
                ^ u64::from(transport.is_dirty)
                ^ u64::from(slot.generation.0);
            let engine = line.number.map_or(0, |n| transport.engine.look_at(Work::Send(n)));
            Some(counted ^ line.look_at() ^ engine)
        });
        black_box(seen.fold(0, |all, one| all ^ one));
    }

    /// Those that are flushed next are about to be. Returns after how many to ask again.
    pub(crate) fn look_at_dirty(&self) -> usize {
        let is_worth_it = self.dirty.len() >= MANY;
        let next = self.dirty.len().saturating_sub(AT_ONCE);
        let next = self.dirty.get(next..).unwrap_or_default();
        if is_worth_it {
            let known = next.iter().filter_map(|id| self.transports.get(id));
            let seen = known.map(|transport| {
                let network = transport.network.as_ref().map_or(0, |network| network.look_at());
                let armed = u64::from(transport.armed > transport.engine_deadline);
                network ^ armed ^ transport.engine.look_at(Work::Transmit)
            });
            black_box(seen.fold(0, |all, one| all ^ one));
        }
        next.len()
    }

    /// Datagrams from these addresses are about to be handled. Useful for two and more.
    pub fn look_at_sources(&self, sources: impl Iterator<Item = PeerAddress>) {
        let seen = sources.filter_map(|source| {
            let transport = self.transports.get(&self.demux.transport_at(source)?)?;
            let network = transport.network.as_ref();
            let network = network.map_or(0, |n| n.look_at() ^ n.estimate().target.bps());
            let armed = u64::from(transport.armed > transport.engine_deadline);
            Some(network ^ armed ^ transport.engine.look_at(Work::Receive))
        });
        black_box(seen.fold(0, |all, one| all ^ one));
    }
}

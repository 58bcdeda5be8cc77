//! Where the packets of a track go.

use crate::ids::{SlotIndex, TransportId};

/// A shard of the same router, by index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardIndex(pub u16);

/// A local reader of packets, such as a recorder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TapId(pub u64);

/// Another router, by its link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerRouterId(pub u64);

/// One receiver of a track's packets. A sink never blocks: what it cannot take is dropped there and
/// counted.
///
/// Commands of this version make only [`Sink::Slot`] and [`Sink::Shard`]; packets for the others are
/// counted as dropped in [`Counters::without_sink`](crate::Counters::without_sink).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sink {
    /// A slot pair of a transport on the same shard.
    Slot {
        /// The subscriber's transport.
        transport: TransportId,
        /// The pair.
        slot: SlotIndex,
    },
    /// A shard that has subscribers; it forwards into its own slots.
    Shard(ShardIndex),
    /// A bounded ring that a worker reads.
    Tap(TapId),
    /// A router that has subscribers.
    Router(PeerRouterId),
}

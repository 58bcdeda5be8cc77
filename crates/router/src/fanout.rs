//! From the packets that came to those who get them, subscriber after subscriber.
//!
//! What came together waits here until the batch is over. Each subscriber then gets all of it at once, so
//! that its numbers, its queue and its engine are fetched once and not for every packet: with hundreds of
//! subscribers they do not stay in a core's cache from one packet to the next.

use std::time::Instant;

use crate::ids::{Kind, Mid, SlotIndex, TransportId};
use crate::kept::{Part, keep};
use crate::layers::{Encodings, Need};
use crate::line::Incoming;
use crate::lookahead::AT_ONCE;
use crate::router::Router;
use crate::sink::Sink;
use crate::track::Feed;

/// Packets that wait at most; each subscriber looks at all of them, and a core's cache is small.
const MOST: usize = 64;

/// A packet that waits.
pub(crate) struct Arrived {
    /// When it came.
    pub(crate) at: Instant,
    /// Whose it is; its line is in the packet.
    pub(crate) publisher: TransportId,
    pub(crate) kind: Kind,
    pub(crate) incoming: Incoming,
}

impl Arrived {
    fn line(&self) -> (TransportId, Mid) {
        (self.publisher, self.incoming.packet.mid)
    }
}

/// Packets of one line, in the order in which they came.
#[derive(Clone, Copy)]
pub(crate) struct Group<'a> {
    packets: &'a [Arrived],
    indices: &'a [usize],
}

impl<'a> Group<'a> {
    pub(crate) fn packets(self) -> impl Iterator<Item = &'a Arrived> {
        let Self { packets, indices } = self;
        indices.iter().filter_map(|index| packets.get(*index))
    }

    /// Of all of them.
    pub(crate) fn kind(self) -> Kind {
        self.packets().next().map_or(Kind::Audio, |first| first.kind)
    }
}

/// What waits, and room to sort it in.
#[derive(Default)]
pub(crate) struct FanOut {
    packets: Vec<Arrived>,
    indices: Vec<usize>,
    is_handed_on: Vec<bool>,
}

impl FanOut {
    pub(crate) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }
}

impl Router {
    /// A packet is to be handed on with the batch.
    pub(crate) fn hand_on(&mut self, arrived: Arrived) {
        self.fan_out.packets.push(arrived);
        if self.fan_out.packets.len() >= MOST {
            self.fan_out();
        }
    }

    /// Hands on what waits. To be called before anything changes that a packet has to do with.
    pub(crate) fn fan_out(&mut self) {
        if self.fan_out.is_empty() {
            return;
        }
        let FanOut { mut packets, mut indices, mut is_handed_on } =
            std::mem::take(&mut self.fan_out);
        is_handed_on.resize(packets.len(), false);
        for first in 0..packets.len() {
            let is_first = is_handed_on.get(first) == Some(&false);
            let Some(key) = packets.get(first).filter(|_| is_first).map(Arrived::line) else {
                continue;
            };
            let rest = packets.iter().zip(&mut is_handed_on).enumerate().skip(first);
            for (index, (_, is_done)) in rest.filter(|(_, (packet, _))| packet.line() == key) {
                indices.push(index);
                *is_done = true;
            }
            let group = Group { packets: &packets, indices: &indices };
            if self.is_local(key.0) {
                self.fan_out_line(key, group);
            } else {
                self.fan_out_remote_line(key, group);
            }
            indices.clear();
        }
        packets.clear();
        is_handed_on.clear();
        self.fan_out = FanOut { packets, indices, is_handed_on };
        self.end_failing();
    }

    fn fan_out_line(&mut self, (id, mid): (TransportId, Mid), group: Group<'_>) {
        let track = self.transports.get_mut(&id).and_then(|t| t.track_mut(mid));
        let Some(mut feeds) = track.map(|track| std::mem::take(&mut track.feeds)) else {
            return;
        };
        let mut awaited = Encodings::NONE;
        let count = feeds.len();
        for feeds in feeds.chunks_mut(AT_ONCE) {
            self.look_at_slots(
                group.kind(),
                count,
                feeds.iter().filter_map(|feed| match feed.sink {
                    Sink::Slot { transport, slot } => Some((transport, slot)),
                    _ => None,
                }),
            );
            for feed in feeds {
                awaited = awaited.and(self.feed(id, feed, group));
            }
        }
        let Some(track) = self.transports.get_mut(&id).and_then(|t| t.track_mut(mid)) else {
            return;
        };
        track.feeds = feeds;
        let Some(now) = group.packets().last().map(|last| last.at) else {
            return;
        };
        keep((0..).zip(track.encodings.iter_mut().map(|e| &mut e.kept)), awaited, group);
        for encoding in awaited.iter() {
            self.retry_key_frame_of(now, id, mid, encoding);
        }
    }

    fn feed(&mut self, id: TransportId, feed: &mut Feed, group: Group<'_>) -> Encodings {
        match feed.sink {
            Sink::Slot { transport, slot } => {
                return self.serve((transport, slot), &mut feed.need, group);
            }
            Sink::Shard(shard) => {
                let receives = feed.need.receives;
                for Arrived { kind, incoming, .. } in group.packets() {
                    // What was kept was kept for those who are here.
                    let is_new = incoming.part != Part::Following;
                    if is_new && receives.has(incoming.encoding) {
                        self.hand_over(shard, id, *kind, incoming);
                    }
                }
            }
            Sink::Tap(_) | Sink::Router(_) => {
                self.counters.without_sink += group.packets().count() as u64;
            }
        }
        Encodings::NONE
    }

    /// A slot gets what it needs of them. Returns the encodings that it waits for a key frame of.
    pub(crate) fn serve(
        &mut self,
        (transport, slot): (TransportId, SlotIndex),
        need: &mut Need,
        group: Group<'_>,
    ) -> Encodings {
        let mut awaited = Encodings::NONE;
        for Arrived { at, kind, incoming, .. } in group.packets() {
            let encoding = incoming.encoding;
            if !need.receives.has(encoding) {
                continue;
            }
            let outcome = self.forward_to_slot(*at, transport, slot, *kind, incoming);
            let one = Encodings::one(encoding);
            // What a later packet of the batch began with is not waited for any more.
            awaited = if outcome.is_waiting { awaited.and(one) } else { awaited.without(one) };
            *need = outcome.need.unwrap_or(*need);
        }
        awaited
    }
}

//! Subscribers that wish for pictures of a size, and what they got of a publisher whose packets end with
//! the number of their layer.

use std::time::Instant;

use tertulia_router_core::{Event, Generation, Prefer, SlotIndex, Wishes};

use super::client::{Change, ClientOptions, Received};
use super::world::{ClientId, World};

/// A picture of this size.
pub fn size(width: u32, height: u32) -> Wishes {
    Wishes { width: Some(width), height: Some(height), frame_rate: None }
}

impl World {
    /// A client that gets a publisher's first stream in its first pair. What its network bears is said by
    /// the test.
    pub fn watch(
        &mut self,
        publisher: ClientId,
        options: &ClientOptions,
        wishes: Wishes,
    ) -> ClientId {
        let options = ClientOptions { reports_arrivals: false, ..options.clone() };
        let subscriber = self.join_with(options, &Change { slots: 1, ..Change::default() });
        self.bind(subscriber, 0, 1, (publisher, 0));
        self.prefer(subscriber, wishes);
        subscriber
    }

    pub fn prefer(&mut self, subscriber: ClientId, wishes: Wishes) {
        let transport = self.clients[subscriber].id();
        let (slot, generation) = (SlotIndex(0), Generation(1));
        let prefer = Prefer { transport, slot, generation, wishes, is_screen: false };
        self.router.prefer(self.now, prefer).expect("the wishes are taken");
        self.settle();
    }

    /// What control was told of pauses since it was asked last.
    pub fn pauses(&mut self) -> Vec<Vec<String>> {
        let told = self.events_of(|event| match event {
            Event::LayersPaused { rids, .. } => Some(rids.clone()),
            _ => None,
        });
        self.events.clear();
        told
    }

    pub fn seen(&self, subscriber: ClientId) -> Vec<&Received> {
        let client = &self.clients[subscriber];
        client.received_on(client.slot_mids(0).1)
    }

    /// The layers of the last packets.
    pub fn newest(&self, subscriber: ClientId, packets: usize) -> Vec<u8> {
        let seen = self.seen(subscriber);
        seen.iter().rev().take(packets).map(|packet| packet.colour).collect()
    }

    /// How many packets came since this moment.
    pub fn count(&self, subscriber: ClientId, since: Instant) -> usize {
        self.seen(subscriber).iter().filter(|packet| packet.at > since).count()
    }
}

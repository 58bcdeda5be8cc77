//! Choosing anew: when layers, wishes or budgets have changed.

use std::time::Instant;

use crate::error::RouterError;
use crate::event::Event;
use crate::exchange::ShardMessage;
use crate::ids::{Generation, Kind, Mid, SlotIndex, TransportId};
use crate::layers::{Budget, Encodings, Layer, Need, Wishes};
use crate::router::Router;
use crate::sink::{ShardIndex, Sink};

impl Router {
    /// Says what a subscriber's network bears of the video of a binding. Another generation than the
    /// bound one changes nothing.
    pub fn set_budget(
        &mut self,
        now: Instant,
        id: TransportId,
        index: SlotIndex,
        generation: Generation,
        budget: Budget,
    ) -> Result<(), RouterError> {
        let slot = self.slot_mut(id, index)?;
        if slot.generation == generation && slot.source.is_some() && slot.budget != budget {
            slot.set_budget(budget);
            self.choose(now, id, index);
        }
        Ok(())
    }

    /// What a slot may choose from, the lowest first, and what is wished for; `None` while it has no
    /// video.
    #[must_use]
    pub fn choices(&self, id: TransportId, index: SlotIndex) -> Option<(&[Layer], Wishes)> {
        let slots = &self.transports.get(&id)?.slots;
        let slot = slots.get(usize::try_from(index.0).ok()?)?;
        let (source, mid) = (slot.source?, slot.source_mid(Kind::Video)?);
        let layers = if self.is_local(source.transport) {
            &self.transports.get(&source.transport)?.track(mid)?.layers
        } else {
            self.remote.layers(source.transport, mid)?
        };
        Some((layers, slot.wishes))
    }

    /// A slot chooses anew, and asks for a key frame if it waits for one.
    pub(crate) fn choose(&mut self, now: Instant, id: TransportId, index: SlotIndex) {
        let slot = self.transports.get_mut(&id).and_then(|t| t.slot_mut(index));
        let Some((publisher, mid)) =
            slot.and_then(|slot| Some((slot.source?.transport, slot.source_mid(Kind::Video)?)))
        else {
            return;
        };
        let layers = self.take_layers(publisher, mid);
        let choice = self.choose_of(id, index, &layers);
        self.put_layers(publisher, mid, layers);
        let Some(Choice { need, awaited, .. }) = choice else {
            return;
        };
        if self.is_local(publisher) {
            self.set_need(now, publisher, mid, Sink::Slot { transport: id, slot: index }, need);
        } else {
            self.set_remote_need(publisher, mid, (id, index), need);
        }
        if let Some(encoding) = awaited {
            self.request_key_frame_of(now, publisher, mid, encoding);
        }
    }

    /// Everybody who gets a line of this shard chooses anew: its layers have changed. A key frame of
    /// `served` starts just now.
    pub(crate) fn choose_all(
        &mut self,
        now: Instant,
        publisher: TransportId,
        mid: Mid,
        served: Option<u8>,
    ) {
        let Some(track) = self.transports.get_mut(&publisher).and_then(|t| t.track_mut(mid)) else {
            return;
        };
        let mut feeds = std::mem::take(&mut track.feeds);
        let layers = self.take_layers(publisher, mid);
        let mut awaited = Encodings::NONE;
        for feed in &mut feeds {
            match feed.sink {
                Sink::Slot { transport, slot } => {
                    if let Some(choice) = self.choose_of(transport, slot, &layers) {
                        feed.need = choice.need;
                        awaited = awaited.and(choice.newly_awaited());
                    }
                }
                Sink::Shard(shard) => self.tell_layers(shard, publisher, mid, &layers),
                Sink::Tap(_) | Sink::Router(_) => {}
            }
        }
        self.put_layers(publisher, mid, layers);
        if let Some(track) = self.transports.get_mut(&publisher).and_then(|t| t.track_mut(mid)) {
            track.feeds = feeds;
        }
        self.tell_pauses(now, publisher, mid);
        for encoding in awaited.iter().filter(|encoding| Some(*encoding) != served) {
            self.request_key_frame_of(now, publisher, mid, encoding);
        }
    }

    /// The slots of this shard choose anew of a line of another.
    pub(crate) fn choose_all_remote(
        &mut self,
        now: Instant,
        publisher: TransportId,
        mid: Mid,
        layers: Vec<Layer>,
    ) {
        let mut awaited = Encodings::NONE;
        for (id, index) in self.remote.slots(publisher, mid) {
            if let Some(choice) = self.choose_of(id, index, &layers) {
                self.set_remote_need(publisher, mid, (id, index), choice.need);
                awaited = awaited.and(choice.newly_awaited());
            }
        }
        self.put_layers(publisher, mid, layers);
        for encoding in awaited.iter() {
            self.request_key_frame_of(now, publisher, mid, encoding);
        }
    }

    pub(crate) fn tell_layers(
        &mut self,
        shard: ShardIndex,
        transport: TransportId,
        mid: Mid,
        layers: &[Layer],
    ) {
        if !layers.is_empty() {
            let layers = layers.to_vec();
            self.tell(shard, ShardMessage::Layers { transport, mid, layers });
        }
    }

    /// What somebody needs of a line of this shard is this now.
    pub(crate) fn set_need(
        &mut self,
        now: Instant,
        publisher: TransportId,
        mid: Mid,
        sink: Sink,
        need: Need,
    ) {
        let track = self.transports.get_mut(&publisher).and_then(|t| t.track_mut(mid));
        let mut feeds = track.into_iter().flat_map(|track| &mut track.feeds);
        if let Some(feed) = feeds.find(|feed| feed.sink == sink) {
            feed.need = need;
            self.tell_pauses(now, publisher, mid);
        }
    }

    /// Tells control if a publisher of this shard should send other encodings than before.
    pub(crate) fn tell_pauses(&mut self, now: Instant, publisher: TransportId, mid: Mid) {
        let Some(track) = self.transports.get_mut(&publisher).and_then(|t| t.track_mut(mid)) else {
            return;
        };
        if track.update_pauses(now) {
            let rids = track.paused_rids();
            self.events.push_back(Event::LayersPaused { transport: publisher, mid, rids });
        }
    }

    fn choose_of(&mut self, id: TransportId, index: SlotIndex, layers: &[Layer]) -> Option<Choice> {
        let transport = self.transports.get_mut(&id)?;
        let is_ready = transport.is_ready;
        let slot = transport.slot_mut(index)?;
        let (need, is_new) = slot.choose(layers);
        // A subscriber that is not connected yet would miss it; it asks when it is.
        let awaited = slot.video.awaited().filter(|_| is_ready);
        Some(Choice { need, awaited, is_new })
    }

    fn take_layers(&mut self, publisher: TransportId, mid: Mid) -> Vec<Layer> {
        self.layers_mut(publisher, mid).map(std::mem::take).unwrap_or_default()
    }

    fn put_layers(&mut self, publisher: TransportId, mid: Mid, layers: Vec<Layer>) {
        if let Some(place) = self.layers_mut(publisher, mid) {
            *place = layers;
        }
    }

    fn layers_mut(&mut self, publisher: TransportId, mid: Mid) -> Option<&mut Vec<Layer>> {
        if !self.is_local(publisher) {
            return self.remote.layers_mut(publisher, mid);
        }
        let track = self.transports.get_mut(&publisher)?.track_mut(mid)?;
        Some(&mut track.layers)
    }
}

/// What a slot chose.
struct Choice {
    need: Need,
    /// The encoding of which it needs a key frame.
    awaited: Option<u8>,
    /// That is another one than before.
    is_new: bool,
}

impl Choice {
    fn newly_awaited(&self) -> Encodings {
        self.awaited.filter(|_| self.is_new).map_or(Encodings::NONE, Encodings::one)
    }
}

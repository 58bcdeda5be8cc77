//! What subscribers wish for, and since when.

use tertulia_router_core::{Generation, Prefer, Wishes};

use crate::world::{Step, World};

impl World {
    /// Any size and frame rate, or none.
    pub(crate) fn wishes(&mut self) -> Wishes {
        let [width, height] = [[320, 180], [640, 360], [1280, 720], [1, 1]][self.rng.usize(..4)];
        Wishes {
            width: self.rng.bool().then_some(width),
            height: self.rng.bool().then_some(height),
            frame_rate: (self.rng.u8(..4) == 0).then(|| [1.0, 2.5, 30.0][self.rng.usize(..3)]),
        }
    }

    /// Notes what a subscriber wishes for from now on.
    pub(crate) fn note_wishes(
        &mut self,
        peer: usize,
        slot: usize,
        wishes: &Wishes,
        is_screen: bool,
    ) {
        let now = self.now;
        let slot = &mut self.peers[peer].slots[slot];
        slot.wants_best_since = wants_best(wishes).then_some(now);
        slot.wants_least_since = wants_least(wishes).then_some(now);
        if slot.screen.is_none_or(|(known, _)| known != is_screen) {
            slot.screen = Some((is_screen, now));
        }
    }

    pub(crate) fn prefer(&mut self, peer: usize) -> Step {
        let slots = &self.peers[peer].slots;
        match slots.iter().position(|slot| slot.binding.is_some()) {
            Some(slot) => {
                let wishes = self.wishes();
                self.prefer_in(peer, slot, wishes)
            }
            None => Ok(()),
        }
    }

    pub(crate) fn prefer_in(&mut self, peer: usize, slot: usize, wishes: Wishes) -> Step {
        self.command();
        let (transport, of) = (self.peers[peer].transport, &self.peers[peer].slots[slot]);
        let (index, generation) = (of.pair.slot, Generation(of.generation));
        self.note(|| format!("peer {peer} would like {wishes:?} in slot {slot:?}"));
        let now = self.now;
        let is_screen = self.novelty.rng.bool();
        self.note_wishes(peer, slot, &wishes, is_screen);
        let command = Prefer { transport, slot: index, generation, wishes, is_screen };
        let done = self.shards.of(transport).prefer(now, command);
        done.map_err(|error| format!("peer {peer} cannot have wishes: {error}"))?;
        self.settle()
    }
}

/// Whether somebody who wishes for this is given the smallest there is.
fn wants_least(wishes: &Wishes) -> bool {
    let is_small = |side: Option<u32>, least| side.is_some_and(|side| side <= least);
    is_small(wishes.width, 320) && is_small(wishes.height, 180) && wishes.frame_rate.is_none()
}

/// Whether somebody who wishes for this is given the best there is.
fn wants_best(wishes: &Wishes) -> bool {
    (wishes.width.is_none() || wishes.height.is_none()) && wishes.frame_rate.is_none()
}

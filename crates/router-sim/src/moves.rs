//! What else happens in worlds that are not plain, by a generator of its own: people come back, wish, clamour and
//! talk, and somebody repeats or forges what others said.

use std::net::SocketAddr;

use tertulia_router_core::{Generation, Pause, Unbind, Wishes};

use crate::peer::Peer;
use crate::wire::is_media;
use crate::world::{Step, World};

/// Peers at once that somebody may add to by coming back.
const CROWD: usize = 7;

impl World {
    /// One thing happens.
    pub(crate) fn make_move(&mut self) -> Step {
        let living: Vec<usize> =
            (0..self.peers.len()).filter(|peer| !self.peers[*peer].has_ended).collect();
        if living.is_empty() || self.is_calm() {
            return Ok(());
        }
        let peer = living[self.novelty.rng.usize(..living.len())];
        match self.novelty.rng.u8(..20) {
            0 if living.len() < CROWD => self.come_back(peer),
            0..8 => self.wish(peer),
            8..10 => {
                self.clamour(peer);
                Ok(())
            }
            10 => self.speak_of_the_past(peer),
            11..13 if self.novelty.has_audio_slots => self.set_audio_slots(peer),
            13..17 if self.novelty.has_audio_slots => {
                self.talk(peer);
                Ok(())
            }
            _ => {
                self.forge();
                Ok(())
            }
        }
    }

    /// A subscriber wishes for another size.
    fn wish(&mut self, peer: usize) -> Step {
        let count = self.peers[peer].slots.len();
        let slot = if count == 0 { 0 } else { self.novelty.rng.usize(..count) };
        let is_bound = self.peers[peer].slots.get(slot).is_some_and(|slot| slot.binding.is_some());
        let [least, best] = [(Some(320), Some(180)), (None, None)];
        let (width, height) = if self.novelty.rng.bool() { least } else { best };
        let wishes = Wishes { width, height, frame_rate: None };
        if is_bound { self.prefer_in(peer, slot, wishes) } else { Ok(()) }
    }

    /// Control says something of a binding that is over, which changes nothing.
    fn speak_of_the_past(&mut self, peer: usize) -> Step {
        let transport = self.peers[peer].transport;
        let slots = self.peers[peer].slots.iter();
        let past: Vec<_> = slots
            .filter(|slot| slot.binding.is_some() && slot.generation > 1)
            .map(|slot| (slot.pair.slot, Generation(slot.generation - 1)))
            .collect();
        let (now, of) = (self.now, self.shards.of(transport));
        for (slot, generation) in past {
            let paused =
                Pause { transport, slot, generation, audio_paused: true, video_paused: true };
            let said =
                of.pause(now, paused).and(of.unbind(now, Unbind { transport, slot, generation }));
            said.map_err(|error| format!("peer {peer}: {error}"))?;
        }
        self.settle()
    }

    /// A subscriber asks for much, and several times.
    fn clamour(&mut self, peer: usize) {
        let slots = &self.peers[peer].slots;
        if slots.is_empty() {
            return;
        }
        let mid = slots[self.novelty.rng.usize(..slots.len())].pair.video_mid;
        let times = self.novelty.rng.usize(1..13);
        let asked = self.peers[peer].clamour(mid, times);
        self.note(|| format!("peer {peer} asks {times} times for key frames and repeats on {mid}"));
        let key = (self.peers[peer].transport, mid);
        self.pleas.extend(asked.iter().step_by(2).map(|asked| (asked.clone(), key)));
        self.send(peer, asked);
    }

    /// Somebody repeats what a peer said, from its address or another, or says something in its place.
    fn forge(&mut self) {
        if self.overheard.is_empty() {
            return;
        }
        let rng = &mut self.novelty.rng;
        let (mut source, mut contents) = self.overheard[rng.usize(..self.overheard.len())].clone();
        if !is_media(&contents) {
            return;
        }
        match rng.u8(..4) {
            0 => source = SocketAddr::from(([10, 9, 201, rng.u8(1..)], 7000)),
            1 => {
                let place = rng.usize(2..contents.len());
                contents[place] ^= 1 << rng.u8(..8);
            }
            2 => {
                // A later packet, or a later report, of the same source.
                let place = if contents[1] & 0x7f < 64 || contents[1] > 223 {
                    2
                } else {
                    contents.len() - 3
                };
                contents[place] = contents[place].wrapping_add(1);
            }
            _ => {}
        }
        self.forged.insert(contents.clone());
        self.note(|| format!("somebody forges {} bytes from {source}", contents.len()));
        self.send_as_stranger(source, contents);
    }

    /// Somebody loses its transport and comes back on another, at the same address or another, with the same lines
    /// and sources; control binds it and those who watch it again.
    fn come_back(&mut self, old: usize) -> Step {
        let one = &self.peers[old];
        let is_here = one.is_alive && one.hears_router && !one.is_leaving;
        if !is_here || one.streams.iter().any(|stream| !stream.is_offered) {
            return Ok(());
        }
        let number = self.peers.len();
        let mut peer = Peer::new(number, one.takes.clone(), one.weather, &mut self.novelty.rng);
        (peer.epoch, peer.seat, peer.padding) = (one.epoch + 1, one.seat, one.padding);
        let is_at_home = self.novelty.rng.bool() && !self.successors.contains_key(&old);
        let (former, count, address) = (one.streams.clone(), one.slots.len(), one.address);
        for stream in former {
            peer.streams.push(stream.elsewhere(self.now, self.next_line, &mut self.novelty.rng));
            self.next_line += 2;
        }
        if is_at_home {
            peer.address = address;
        }
        let slots = peer.add_slots(count);
        let offer = peer.offer(false);
        self.peers[old].is_alive = false;
        self.command();
        self.totals.returns += 1;
        let shard = self.novelty.rng.usize(..self.shards.routers.len());
        let closes = self.novelty.rng.u8(..3);
        self.note(|| {
            format!("peer {old} comes back as peer {number} at {address} ({is_at_home}) on shard {shard}, closes {closes}")
        });
        if closes == 0 {
            self.close(old)?;
        }
        self.open_as(peer, offer, slots, shard)?;
        if is_at_home {
            self.successors.insert(old, number);
        }
        self.bind_as_before(old, number)?;
        if closes == 1 && !self.peers[old].has_ended { self.close(old) } else { Ok(()) }
    }

    fn bind_as_before(&mut self, old: usize, new: usize) -> Step {
        for slot in 0..self.peers[old].slots.len() {
            let former = self.peers[old].slots[slot].binding;
            let is_free = self.peers[new].slots[slot].binding.is_none();
            if let Some(former) = former.filter(|_| is_free)
                && !self.peers[former.publisher].streams.is_empty()
            {
                let publisher = if former.publisher == old { new } else { former.publisher };
                self.bind_to(new, slot, publisher, 0)?;
            }
        }
        for subscriber in 0..self.peers.len() {
            for slot in 0..self.peers[subscriber].slots.len() {
                let of = &self.peers[subscriber];
                let binding = of.slots[slot].binding.filter(|binding| binding.publisher == old);
                let Some(binding) = binding.filter(|_| !of.has_ended && subscriber != old) else {
                    continue;
                };
                let streams = &self.peers[old].streams;
                let stream = streams.iter().position(|stream| {
                    let mids = stream.lines.each_ref().map(|line| Some(line.mid));
                    mids.contains(&binding.source.audio_mid)
                        || mids.contains(&binding.source.video_mid)
                });
                self.unbind(subscriber, slot)?;
                let is_free = self.peers[subscriber].slots[slot].binding.is_none();
                if let Some(stream) = stream.filter(|_| is_free) {
                    self.bind_to(subscriber, slot, new, stream)?;
                }
            }
        }
        Ok(())
    }
}

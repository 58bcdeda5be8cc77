//! What the router tells control: that it fits what control knows, and what follows from it.

use std::time::Duration;

use tertulia_router_core::{
    AudioSlotEvent, BindingEvent, Bound, Event, Generation, Kind, RouterError, SlotIndex,
    TransportState, VideoFallback,
};

use crate::world::{Step, World};

/// What bears the best of three videos with their sounds, in bit/s, and what one more takes.
const PLENTY_BPS: u64 = 400_000;
const MORE_BPS: u64 = 120_000;
/// Nobody is given up whose link has let something through for so long: eight checks are not lost all.
const REACHABLE: Duration = Duration::from_secs(4);

impl World {
    pub(crate) fn told(&mut self, event: &Event) -> Step {
        let transport = match event {
            Event::TransportState { transport, .. }
            | Event::Track { transport, .. }
            | Event::LayersPaused { transport, .. }
            | Event::AudioLevels { transport, .. }
            | Event::VideoFallback { transport, .. } => *transport,
            Event::AudioSlot(told) => told.transport,
            Event::BindingStarted(e) | Event::CodecNotSupported(e) | Event::CodecSupported(e) => {
                e.transport
            }
            Event::Statistics(statistics) => {
                let estimate = statistics.estimate_bps;
                self.note(|| format!("{:?} may be sent {estimate:?} bit/s", statistics.transport));
                statistics.transport
            }
            _ => return Ok(()),
        };
        if !matches!(event, Event::Statistics(_) | Event::AudioLevels { .. }) {
            self.note(|| format!("event  {event:?}"));
        }
        let Some(peer) = self.peer_of(transport) else {
            return Err(format!("{transport:?} has ended, and then: {event:?}"));
        };
        match event {
            Event::TransportState { state: TransportState::Connected, .. } => {
                self.peers[peer].connected_at.get_or_insert(self.now);
            }
            Event::TransportState {
                state: state @ (TransportState::Failed | TransportState::Closed),
                reason,
                ..
            } => {
                let one = &self.peers[peer];
                let reachable = one.reachable_since.filter(|_| one.is_alive && !one.is_leaving);
                let is_there = reachable.is_some_and(|since| since + REACHABLE < self.now);
                if *state == TransportState::Failed && is_there {
                    return Err(format!("peer {peer} is there and was given up: {reason:?}"));
                }
                self.peers[peer].has_ended = true;
                self.watch.forget(transport);
            }
            Event::BindingStarted(e) => {
                self.totals.bindings += 1;
                self.of_a_binding(peer, e, false)?;
            }
            Event::Track { track, .. } => {
                let codec = track.codec.clone();
                self.peers[peer].codecs.extend(codec.map(|codec| (track.mid, codec)));
                if let Some(paused) = &track.paused_rids {
                    self.totals.pauses += u64::from(!paused.is_empty());
                    self.peers[peer].pause(track.mid, paused);
                }
            }
            Event::Statistics(statistics) => {
                let one = &mut self.peers[peer];
                let plenty = PLENTY_BPS + MORE_BPS * one.slots.len().saturating_sub(3) as u64;
                let is_plenty = statistics.estimate_bps.is_some_and(|bps| bps >= plenty);
                one.plenty_since = is_plenty.then_some(one.plenty_since.unwrap_or(self.now));
            }
            Event::LayersPaused { mid, rids, .. } => {
                self.totals.pauses += u64::from(!rids.is_empty());
                let codec = self.peers[peer].codecs.get(mid).map(String::as_str);
                if codec == Some("vp8") && rids.iter().any(|rid| rid.starts_with('S')) {
                    return Err(format!("{transport:?} {mid} sends VP8, and {rids:?} are paused"));
                }
                self.peers[peer].pause(*mid, rids);
            }
            Event::VideoFallback { slot, generation, state, .. } => {
                self.left_out(peer, *slot, *generation, *state)?;
            }
            Event::AudioSlot(told) => {
                self.totals.seated += u64::from(told.of.is_some());
                self.seated(peer, told)?;
            }
            Event::CodecSupported(e) => self.of_a_binding(peer, e, false)?,
            Event::CodecNotSupported(e) => self.of_a_binding(peer, e, true)?,
            _ => {}
        }
        Ok(())
    }

    fn of_a_binding(&mut self, peer: usize, event: &BindingEvent, is_unsupported: bool) -> Step {
        let slot = &self.peers[peer].slots[event.slot.0 as usize];
        if slot.carries_loudest {
            // It counts turns, not bindings.
            return Ok(());
        }
        if slot.binding.is_none() || slot.generation != event.generation.0 {
            return Err(format!("{event:?} is not of the binding that there is: {slot:?}"));
        }
        let mid = match event.kind {
            Kind::Audio => slot.pair.audio_mid,
            Kind::Video => slot.pair.video_mid,
        };
        if let Some(watched) = self.watch.binding((event.transport, mid)) {
            watched.is_unsupported = is_unsupported;
        }
        Ok(())
    }

    /// An audio slot carries another stream from now on, or none.
    fn seated(&mut self, peer: usize, told: &AudioSlotEvent) -> Step {
        // Its turns are counted on with the bindings of the pair.
        let slot = &mut self.peers[peer].slots[told.slot.0 as usize];
        slot.generation = slot.generation.max(told.turn.0);
        let key = (told.transport, slot.pair.audio_mid);
        let Some(of) = told.of else { return self.watch.seat(key, None) };
        let bound = &self.peers[peer].slots[of.slot.0 as usize];
        let line = self.watch.binding((told.transport, bound.pair.audio_mid));
        let line = line.filter(|_| bound.generation == of.generation.0).map(|bound| bound.source);
        let line = line.ok_or_else(|| format!("{told:?}: there is no such binding"))?;
        let first = told.audio_rtp_timestamp.ok_or("an audio slot begins at no timestamp")?;
        self.watch.seat(key, Some((line, first)))
    }

    /// A stated reason for what does not come.
    fn left_out(
        &mut self,
        peer: usize,
        at: SlotIndex,
        of: Generation,
        state: VideoFallback,
    ) -> Step {
        let (transport, now) = (self.peers[peer].transport, self.now);
        let slot = &self.peers[peer].slots[at.0 as usize];
        let key = (transport, slot.pair.video_mid);
        if slot.generation != of.0 {
            return Ok(());
        }
        let Some(watched) = self.watch.binding(key) else { return Ok(()) };
        let is_left_out = state == VideoFallback::Stopped;
        if is_left_out && watched.is_kept {
            return Err(format!("{key:?} is left out, and was to be kept"));
        }
        watched.times_left_out += u32::from(is_left_out);
        watched.is_warned = state == VideoFallback::Warned;
        self.totals.left_out += u64::from(is_left_out);
        if watched.left_out_since.is_some() && !is_left_out {
            watched.begin(now);
            // Who turns it off is told that it is not left out.
            self.totals.came_back += u64::from(!watched.is_paused);
        }
        watched.left_out_since = is_left_out.then_some(watched.left_out_since.unwrap_or(now));
        Ok(())
    }

    /// A binding to another shard's source was answered.
    pub(crate) fn answered(&mut self, ticket: u64, outcome: Result<Bound, RouterError>) -> Step {
        let Some((peer, slot)) = self.tickets.remove(&ticket) else {
            return Err(format!("ticket {ticket} was answered twice"));
        };
        self.note(|| format!("answer of ticket {ticket}: {outcome:?}"));
        let binding = self.peers[peer].slots[slot].binding;
        match binding.filter(|binding| binding.ticket == Some(ticket)) {
            Some(binding) => self.bound(peer, slot, binding, outcome),
            None => Ok(()),
        }
    }
}

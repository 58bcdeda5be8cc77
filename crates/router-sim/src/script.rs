//! What control and the peers do next, by chance; and what control knows of it.

use std::net::SocketAddr;

use tertulia_router_core::{
    Bind, Bound, CloseTransport, Generation, Kind, Mid, OpenTransport, Pause, Renegotiate,
    RequestKeyFrame, RouterError, SetAudioSlots, SlotPair, Source, Unbind,
};

use crate::keys::{AV1, VP8, VP9};
use crate::layered::Layered;
use crate::network::Weather;
use crate::peer::{Binding, Peer};
use crate::stream::{LOUD, SILENCE, SendingLine, Stream};
use crate::wire::Message;
use crate::world::{Step, World};

/// Peers at once.
const CROWD: usize = 6;
/// Bytes for [`Peer::padding`], so many that it matters on a narrow link.
pub(crate) const WIDE_PADDING: usize = 600;

impl World {
    /// One thing happens.
    pub(crate) fn act(&mut self) -> Step {
        self.go_calm()?;
        if self.is_calm() {
            return Ok(());
        }
        let living: Vec<usize> =
            (0..self.peers.len()).filter(|peer| !self.peers[*peer].has_ended).collect();
        if living.len() < 3 {
            return self.open();
        }
        let peer = living[self.rng.usize(..living.len())];
        match self.rng.u8(..100) {
            0..5 if living.len() < CROWD => self.open(),
            5..7 => self.leave(peer),
            7..47 => self.bind_or_unbind(peer, &living),
            47..54 => self.pause(peer),
            54..59 => self.prefer(peer),
            59..64 => self.renegotiate(peer),
            64..82 => {
                self.change_sources(peer);
                Ok(())
            }
            82..86 => self.ask_for_key_frames(peer),
            86..90 => {
                self.move_away(peer);
                Ok(())
            }
            90..=95 => {
                self.change_weather(peer);
                Ok(())
            }
            97.. if self.novelty.has_audio_slots => self.set_audio_slots(peer),
            _ => {
                self.stranger();
                Ok(())
            }
        }
    }

    pub(crate) fn command(&mut self) {
        self.totals.commands += 1;
    }

    fn refused(&mut self) {
        self.totals.refused += 1;
    }

    fn open(&mut self) -> Step {
        self.command();
        let number = self.peers.len();
        let mut takes = match self.rng.u8(..4) {
            0 => vec![VP8],
            1 => vec![VP9],
            _ => vec![VP8, VP9],
        };
        if self.novelty.has_layers && self.novelty.rng.bool() {
            takes.push(AV1);
        }
        let weather = Weather::random(&mut self.rng);
        let mut peer = Peer::new(number, takes, weather, &mut self.rng);
        if self.novelty.has_narrow_links {
            peer.padding = WIDE_PADDING;
        }
        for _ in 0..self.rng.u8(..3) {
            peer.streams.push(self.new_stream());
        }
        // Somebody who neither sends nor receives makes no offer.
        let least = usize::from(peer.streams.is_empty());
        let slots = peer.add_slots(self.rng.usize(least..4));
        let offer = peer.offer(false);
        let count = self.shards.routers.len();
        let shard = self.rng.usize(..count);
        self.note(|| {
            format!("peer {number} opens a transport on shard {shard}, {} slots", slots.len())
        });
        self.open_as(peer, offer, slots, shard)
    }

    pub(crate) fn open_as(
        &mut self,
        mut peer: Peer,
        offer: String,
        slots: Vec<SlotPair>,
        shard: usize,
    ) -> Step {
        let number = peer.number;
        let (seat, epoch) = (format!("seat {}", peer.seat), peer.epoch);
        let command = OpenTransport { seat, epoch, offer, slots, group: None };
        let opened = self.shards.routers[shard].open_transport(self.now, command);
        let opened = opened.map_err(|error| format!("a good offer was refused: {error}"))?;
        peer.transport = opened.transport;
        peer.accept(&opened.answer);
        self.note(|| format!("peer {number} is {:?}", opened.transport));
        self.peers.push(peer);
        self.start_ticking(number);
        self.settle()
    }

    fn new_stream(&mut self) -> Stream {
        let id = self.next_line;
        self.next_line += 2;
        let mut stream = Stream::new(self.now, id, &mut self.rng);
        let video = &mut stream.lines[1];
        if self.novelty.has_layers && video.encodings.len() == 1 && self.novelty.rng.u8(..4) > 0 {
            let layered = Layered::new(&mut self.novelty.rng);
            video.payload_type = layered.payload_type;
            video.layered = Some(layered);
        }
        stream
    }

    /// By command, with a goodbye, without one, or because its engine breaks.
    fn leave(&mut self, peer: usize) -> Step {
        let way = self.rng.u8(..4);
        if self.successors.contains_key(&peer) {
            // Somebody else is at its address.
            return Ok(());
        }
        self.peers[peer].is_leaving = true;
        self.note(|| {
            format!("peer {peer} {}", ["is closed", "says bye", "vanishes", "breaks"][way as usize])
        });
        match way {
            0 => return self.close(peer),
            1 => self.send(peer, vec![Message::Bye.to_bytes()]),
            2 => self.peers[peer].is_alive = false,
            _ => self.send(peer, vec![Message::Poison.to_bytes()]),
        }
        Ok(())
    }

    pub(crate) fn close(&mut self, peer: usize) -> Step {
        self.command();
        let transport = self.peers[peer].transport;
        let now = self.now;
        let closed = self.shards.of(transport).close_transport(now, CloseTransport { transport });
        closed.map_err(|error| format!("peer {peer} cannot be closed: {error}"))?;
        self.settle()?;
        if self.peers[peer].has_ended {
            return Ok(());
        }
        Err(format!("peer {peer} was closed, and nobody was told"))
    }

    /// The end of the run: some one by one, the rest with their shards.
    pub(crate) fn close_everything(&mut self) -> Step {
        self.note(|| "everything is closed".into());
        for peer in 0..self.peers.len() {
            if !self.peers[peer].has_ended && self.rng.bool() {
                self.close(peer)?;
            }
        }
        let now = self.now;
        for index in 0..self.shards.routers.len() {
            self.shards.routers[index].close(now);
        }
        self.settle()
    }

    fn bind_or_unbind(&mut self, peer: usize, living: &[usize]) -> Step {
        if self.peers[peer].slots.is_empty() {
            return Ok(());
        }
        let slot = self.rng.usize(..self.peers[peer].slots.len());
        if self.peers[peer].slots[slot].carries_loudest {
            return Ok(());
        }
        if self.peers[peer].slots[slot].binding.is_some() {
            // Bindings live a little longer than it takes to make the next.
            return if self.rng.u8(..3) == 0 { self.unbind(peer, slot) } else { Ok(()) };
        }
        let publisher = living[self.rng.usize(..living.len())];
        self.bind(peer, slot, publisher)
    }

    fn bind(&mut self, peer: usize, slot: usize, publisher: usize) -> Step {
        let count = self.peers[publisher].streams.len();
        if count == 0 {
            return Ok(());
        }
        let stream = self.rng.usize(..count);
        self.bind_to(peer, slot, publisher, stream)
    }

    pub(crate) fn bind_to(
        &mut self,
        peer: usize,
        slot: usize,
        publisher: usize,
        stream: usize,
    ) -> Step {
        let stream = &self.peers[publisher].streams[stream];
        let halves = self.rng.u8(..6);
        let [audio, video] = &stream.lines;
        let source = Source {
            transport: self.peers[publisher].transport,
            audio_mid: (halves != 0).then_some(audio.mid),
            video_mid: (halves != 1).then_some(video.mid),
        };
        let ids = (audio.id, video.id);
        let (audio_paused, video_paused) = (self.rng.u8(..8) == 0, self.rng.u8(..8) == 0);
        let ticket = self.totals.commands;
        self.command();
        let transport = self.peers[peer].transport;
        let of = &mut self.peers[peer].slots[slot];
        of.generation += 1;
        let binding = Binding { publisher, source, ticket: Some(ticket) };
        of.binding = Some(binding);
        let (pair, generation) = (of.pair, Generation(of.generation));
        self.note(|| {
            format!(
                "peer {peer} slot {slot} {generation:?} is bound to lines {ids:?} of peer \
                 {publisher}: {source:?}, paused: {audio_paused} {video_paused}"
            )
        });
        let now = self.now;
        let slot_index = pair.slot;
        let wishes = self.wishes();
        let audio_fallback = self.rng.bool() || self.novelty.is_mostly_left_out();
        let is_screen = self.novelty.rng.bool();
        self.note_wishes(peer, slot, &wishes, is_screen);
        let command = Bind {
            transport,
            slot: slot_index,
            generation,
            source,
            audio_paused,
            video_paused,
            wishes,
            audio_fallback,
            is_screen,
        };
        let answer = self.shards.of(transport).start_bind(now, &command, ticket);
        // What was held back of the binding before leaves before the answer.
        self.let_out(transport)?;
        self.pictures.begin((transport, pair.video_mid));
        self.beginnings.begin((transport, pair.video_mid));
        if source.audio_mid.is_some() {
            self.watch.bind((transport, pair.audio_mid), ids.0, audio_paused, now);
        }
        if source.video_mid.is_some() {
            self.watch.bind((transport, pair.video_mid), ids.1, video_paused, now);
        }
        if let Some(watched) = self.watch.binding((transport, pair.video_mid)) {
            watched.is_kept = !audio_fallback;
        }
        match answer {
            Some(outcome) => {
                // A binding of this shard is there when the command returns.
                self.bound(peer, slot, binding, outcome)?;
            }
            None => {
                self.tickets.insert(ticket, (peer, slot));
            }
        }
        self.settle()
    }

    /// What became of a binding.
    pub(crate) fn bound(
        &mut self,
        peer: usize,
        slot: usize,
        binding: Binding,
        outcome: Result<Bound, RouterError>,
    ) -> Step {
        let transport = self.peers[peer].transport;
        let of = &mut self.peers[peer].slots[slot];
        let pair = of.pair;
        match outcome {
            Ok(bound) => {
                of.binding = Some(Binding { ticket: None, ..binding });
                if let Some(first) = bound.audio_rtp_timestamp {
                    self.watch.promise((transport, pair.audio_mid), first)?;
                }
                if let Some(first) = bound.video_rtp_timestamp {
                    self.watch.promise((transport, pair.video_mid), first)?;
                }
                Ok(())
            }
            Err(error) => {
                of.binding = None;
                self.refused();
                self.watch.unbind((transport, pair.audio_mid));
                self.watch.unbind((transport, pair.video_mid));
                self.note(|| format!("refused: {error}"));
                let publisher = &self.peers[binding.publisher];
                let has_lines = [binding.source.audio_mid, binding.source.video_mid]
                    .into_iter()
                    .flatten()
                    .all(|mid| publisher.line_by_mid(mid).is_some());
                let is_there = !publisher.has_ended && !self.peers[peer].has_ended && has_lines;
                if is_there {
                    return Err(format!("a binding to what is there was refused: {error}"));
                }
                Ok(())
            }
        }
    }

    pub(crate) fn unbind(&mut self, peer: usize, slot: usize) -> Step {
        self.command();
        let transport = self.peers[peer].transport;
        let of = &mut self.peers[peer].slots[slot];
        let (pair, generation) = (of.pair, of.generation);
        // What is not of the newest binding changes nothing.
        let is_stale = generation > 1 && self.rng.u8(..10) == 0;
        if !is_stale {
            of.binding = None;
        }
        let generation = Generation(generation - u32::from(is_stale));
        self.note(|| format!("peer {peer} slot {slot} {generation:?} is unbound"));
        let command = Unbind { transport, slot: pair.slot, generation };
        let now = self.now;
        let done = self.shards.of(transport).unbind(now, command);
        done.map_err(|error| format!("peer {peer} slot {slot} cannot be unbound: {error}"))?;
        self.let_out(transport)?;
        if !is_stale {
            self.watch.unbind((transport, pair.audio_mid));
            self.watch.unbind((transport, pair.video_mid));
        }
        self.settle()
    }

    fn pause(&mut self, peer: usize) -> Step {
        let slots = &self.peers[peer].slots;
        let bound: Vec<usize> =
            (0..slots.len()).filter(|slot| slots[*slot].binding.is_some()).collect();
        if bound.is_empty() {
            return Ok(());
        }
        self.command();
        let slot = bound[self.rng.usize(..bound.len())];
        let (transport, of) = (self.peers[peer].transport, &self.peers[peer].slots[slot]);
        let (pair, generation) = (of.pair, Generation(of.generation));
        let (audio_paused, video_paused) = (self.rng.u8(..4) == 0, self.rng.u8(..3) == 0);
        self.note(|| format!("peer {peer} slot {slot} is paused: {audio_paused} {video_paused}"));
        let now = self.now;
        let command = Pause { transport, slot: pair.slot, generation, audio_paused, video_paused };
        let done = self.shards.of(transport).pause(now, command);
        done.map_err(|error| format!("peer {peer} slot {slot} cannot be paused: {error}"))?;
        self.let_out(transport)?;
        for (mid, is_paused) in [(pair.audio_mid, audio_paused), (pair.video_mid, video_paused)] {
            if let Some(watched) = self.watch.binding((transport, mid)) {
                if watched.is_paused && !is_paused {
                    watched.begin(now);
                }
                watched.is_paused = is_paused;
            }
        }
        self.settle()
    }

    /// A subscriber begins to hear the loudest only, or hears everybody again.
    pub(crate) fn set_audio_slots(&mut self, peer: usize) -> Step {
        if self.novelty.rng.u8(..3) == 0 {
            self.talk(peer);
            return Ok(());
        }
        let one = &mut self.peers[peer];
        let had_some = one.slots.iter().any(|slot| slot.carries_loudest);
        let free = one.slots.iter_mut().filter(|slot| had_some || slot.binding.is_none());
        let count = self.novelty.rng.usize(1..3);
        for slot in free.take(if had_some { usize::MAX } else { count }) {
            slot.carries_loudest = !had_some;
        }
        let chosen = one.slots.iter().filter(|slot| slot.carries_loudest);
        let (slots, mids) = chosen.map(|slot| (slot.pair.slot, slot.pair.audio_mid)).unzip();
        let transport = one.transport;
        self.command();
        let now = self.now;
        let command = SetAudioSlots { transport, slots };
        self.note(|| format!("peer {peer} has audio slots: {:?}", command.slots));
        self.watch.listen(transport, mids, now);
        let done = self.shards.of(transport).set_audio_slots(now, &command);
        done.map_err(|error| format!("peer {peer} cannot have audio slots: {error}"))?;
        self.settle()
    }

    /// Somebody speaks up, or falls silent.
    pub(crate) fn talk(&mut self, peer: usize) {
        let (now, rng) = (self.now, &mut self.novelty.rng);
        let lines: Vec<&mut SendingLine> =
            self.peers[peer].sending_lines().filter(|line| line.kind == Kind::Audio).collect();
        let level = [LOUD, 30, 45, SILENCE][rng.usize(..4)];
        let mut said = None;
        for line in lines.into_iter().filter(|_| rng.bool()) {
            (line.level, line.live_since) = (level, now);
            said = Some(line.id);
        }
        self.note(|| {
            format!("peer {peer} is as loud as -{level} dBov on line {said:?} and others")
        });
    }

    fn renegotiate(&mut self, peer: usize) -> Step {
        self.command();
        let is_to_be_refused = self.rng.u8(..8) == 0;
        let now = self.now;
        let mut changed = None;
        let mut slots = Vec::new();
        let what = self.rng.u8(..4);
        if !is_to_be_refused {
            match what {
                0 if self.peers[peer].slots.len() < 6 => slots = self.peers[peer].add_slots(1),
                1 if self.peers[peer].streams.len() < 2 => {
                    let stream = self.new_stream();
                    self.peers[peer].streams.push(stream);
                }
                2 if !self.peers[peer].streams.is_empty() => {
                    let streams = &mut self.peers[peer].streams;
                    let chosen = self.rng.usize(..streams.len());
                    let stream = &mut streams[chosen];
                    stream.is_offered = !stream.is_offered;
                    for line in &mut stream.lines {
                        line.live_since = now;
                        line.encodings.iter_mut().for_each(|e| e.begin_anew(&mut self.rng));
                        line.forget_pauses();
                    }
                    changed = Some(stream.is_offered);
                }
                _ => self.peers[peer].restarts += 1,
            }
        }
        self.note(|| {
            format!(
                "peer {peer} offers again (change {what}, stream goes on: {changed:?}, refused: \
                 {is_to_be_refused})"
            )
        });
        let (transport, offer) =
            (self.peers[peer].transport, self.peers[peer].offer(is_to_be_refused));
        let command = Renegotiate { transport, offer, slots };
        match self.shards.of(transport).renegotiate(now, &command) {
            Ok(done) => self.peers[peer].accept(&done.answer),
            Err(_) if is_to_be_refused => self.refused(),
            Err(error) => return Err(format!("a good offer was refused: {error}")),
        }
        self.settle()
    }

    /// A publisher mutes, changes its source, its codec or the sizes that it sends.
    fn change_sources(&mut self, peer: usize) {
        let now = self.now;
        // A greater jump that nobody sees leaves its receivers without the upper bits of its numbers.
        let is_heard = self.peers[peer].weather.dead_until.is_none_or(|until| until < now);
        let rng = &mut self.rng;
        let lines: Vec<&mut SendingLine> = self.peers[peer].sending_lines().collect();
        if lines.is_empty() {
            return;
        }
        let chosen = rng.usize(..lines.len());
        let Some(line) = lines.into_iter().nth(chosen) else { return };
        let what = rng.u8(..5);
        match what {
            0 => line.is_sending = !line.is_sending,
            1 => line.encodings.iter_mut().for_each(|encoding| encoding.begin_anew(rng)),
            2 if is_heard && line.is_sending => {
                let heard = line.encodings.iter_mut().filter(|e| e.is_active && !e.is_paused);
                heard.for_each(|encoding| encoding.skip(rng.u64(..12_000)));
            }
            2 => {}
            3 if line.kind == Kind::Video => {
                line.payload_type = line.other_codec();
                line.encodings.iter_mut().for_each(|encoding| encoding.key_frame_due = true);
            }
            _ => {
                // The smallest is the last that a sender gives up.
                let count = line.encodings.len();
                let encoding = &mut line.encodings[rng.usize(..count)];
                encoding.is_active = !encoding.is_active || encoding.rid <= 1;
                encoding.key_frame_due = true;
            }
        }
        line.live_since = now;
        let (id, active) = (line.id, line.encodings.iter().filter(|e| e.is_active).count());
        self.note(|| {
            let change = ["mute", "new source", "jump", "codec", "sizes"][what as usize];
            format!("peer {peer} changes line {id}: {change}; {active} sizes")
        });
    }

    fn ask_for_key_frames(&mut self, peer: usize) -> Step {
        let slots = &self.peers[peer].slots;
        if !slots.is_empty() && self.rng.bool() {
            let mid = slots[self.rng.usize(..slots.len())].pair.video_mid;
            self.ask_on(peer, mid);
            return Ok(());
        }
        let transport = self.peers[peer].transport;
        let line = self.peers[peer].sending_lines().find(|line| line.kind == Kind::Video);
        let Some(mid) = line.map(|line| line.mid) else { return Ok(()) };
        self.command();
        let now = self.now;
        let asked =
            self.shards.of(transport).request_key_frame(now, RequestKeyFrame { transport, mid });
        asked.map_err(|error| format!("peer {peer} cannot be asked: {error}"))?;
        self.settle()
    }

    /// A subscriber asks for a key frame of what came on a line.
    pub(crate) fn ask_on(&mut self, peer: usize, mid: Mid) {
        let one = &mut self.peers[peer];
        let source = one.source_of(mid).filter(|_| one.is_alive);
        let asked = source.and_then(|ssrc| Some(one.voice.as_mut()?.key_frame_request(ssrc)));
        let key = (one.transport, mid);
        self.pleas.extend(asked.iter().map(|asked| (asked.clone(), key)));
        self.send(peer, asked.into_iter().collect());
    }

    fn stranger(&mut self) {
        let source = SocketAddr::from(([10, 9, 200, self.rng.u8(1..)], 7000));
        let contents = match self.rng.u8(..3) {
            0 => Message::Check { ufrag: "nobody".into() }.to_bytes(),
            1 => Message::Bye.to_bytes(),
            _ => (0..self.rng.usize(..64)).map(|_| self.rng.u8(..)).collect(),
        };
        self.send_as_stranger(source, contents);
    }
}

//! Calm worlds: after a while all networks are fair, everybody sends, and nothing happens by chance any more. Where
//! links bear everything, only wishes change: so it is seen whether they are followed, and whether what nobody wishes
//! for rests. Where some are narrow, all get narrow for a while: so it is seen what is left out, and what comes back.

use std::time::Duration;

use tertulia_router_core::{Mid, TransportId, Wishes};

use crate::keys::{AV1, VP8, VP9};
use crate::layered::Layered;
use crate::network::Weather;
use crate::peer::Peer;
use crate::script::WIDE_PADDING;
use crate::stream::{SendingLine, Stream};
use crate::world::{Step, World};

/// When what begins, in milliseconds: where networks bear everything,
const WISHES: [(u64, Stage); 5] = [
    (2_500, Stage::Joined),
    (4_500, Stage::Settled),
    (5_000, Stage::Least),
    (10_500, Stage::Best),
    (11_000, Stage::Asked),
];
/// and where they are narrow for a while.
const NARROW: [(u64, Stage); 3] =
    [(1_500, Stage::Joined), (3_000, Stage::Settled), (3_500, Stage::Narrow)];
/// When they are wide again.
const WIDE: Duration = Duration::from_secs(11);
/// The router keeps so much free for each sound, in bit/s, and the smallest picture takes about so much.
const SOUND_BPS: u64 = 24_000;
const PICTURE_BPS: u64 = 30_000;

/// How far a calm world is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Two have come who send much to choose from, and take everything.
    Joined,
    /// Whoever receives is bound to somebody.
    Settled,
    /// Everybody wishes for the smallest, for longer than it may take to come and what is larger to rest.
    Least,
    /// Everybody wishes for the best.
    Best,
    /// Everybody has asked for key frames.
    Asked,
    /// Networks bear the sound of all and a few pictures.
    Narrow,
}

impl World {
    /// Whether nothing but wishes changes any more.
    pub(crate) fn is_still(&self) -> bool {
        self.is_calm() && !self.novelty.has_narrow_links
    }

    /// Whether nothing happens by chance any more.
    pub(crate) fn is_calm(&self) -> bool {
        self.novelty.is_calm && self.passed() >= Duration::from_millis(self.stages()[1].0)
    }

    fn passed(&self) -> Duration {
        self.now.saturating_duration_since(self.start)
    }

    fn stages(&self) -> &'static [(u64, Stage)] {
        if self.novelty.has_narrow_links { &NARROW } else { &WISHES }
    }

    /// Perhaps another stage begins.
    pub(crate) fn go_calm(&mut self) -> Step {
        let passed = self.passed();
        let mut begun = self.stages().iter().rev();
        let stage = begun.find(|(at, _)| passed >= Duration::from_millis(*at)).map(|(_, s)| *s);
        if !self.novelty.is_calm || stage == self.novelty.stage {
            return Ok(());
        }
        self.novelty.stage = stage;
        self.note(|| format!("stage {stage:?}"));
        match stage {
            None => Ok(()),
            Some(Stage::Joined) => self.invite(),
            Some(Stage::Settled) => self.settle_down(),
            Some(Stage::Least) => self.all_wish(Some((320, 180))),
            Some(Stage::Best) => {
                self.check_rests()?;
                self.all_wish(None)
            }
            Some(Stage::Asked) => {
                self.all_ask();
                Ok(())
            }
            Some(Stage::Narrow) => {
                self.narrow();
                Ok(())
            }
        }
    }

    /// Two come who send much to choose from.
    fn invite(&mut self) -> Step {
        for shard in [0, self.shards.routers.len() - 1] {
            let (number, now, id) = (self.peers.len(), self.now, self.next_line);
            let rng = &mut self.novelty.rng;
            let mut peer = Peer::new(number, vec![VP8, VP9, AV1], Weather::fair(), rng);
            let stream = Stream::new(now, id, rng).in_all_sizes(rng);
            peer.streams.push(stream);
            if self.novelty.has_layers {
                let stream = Stream::new(now, id + 2, rng).with_layers(Layered::new(rng), rng);
                peer.streams.push(stream);
            }
            self.next_line += 4;
            if self.novelty.has_narrow_links {
                peer.padding = WIDE_PADDING;
            }
            let slots = peer.add_slots(3);
            let offer = peer.offer(false);
            self.command();
            self.note(|| format!("peer {number} joins on shard {shard}"));
            self.open_as(peer, offer, slots, shard)?;
        }
        Ok(())
    }

    /// All networks are fair, everybody sends, and nobody who receives is free.
    fn settle_down(&mut self) -> Step {
        let now = self.now;
        for one in self.peers.iter_mut().filter(|peer| !peer.has_ended) {
            let dead_until = one.weather.dead_until.map(|until| until.min(now));
            one.weather = Weather { dead_until, ..Weather::fair() };
            one.narrow_until = None;
            for line in one.sending_lines() {
                if self.novelty.rng.bool() && line.sends_layers() {
                    line.payload_type = VP8;
                }
                line.is_sending = true;
                line.live_since = now;
                for size in &mut line.encodings {
                    (size.is_active, size.key_frame_due) = (true, true);
                }
            }
        }
        for peer in 0..self.peers.len() {
            for slot in 0..self.peers[peer].slots.len() {
                let of = &self.peers[peer];
                let is_free = of.slots[slot].binding.is_none() && !of.slots[slot].carries_loudest;
                if !of.has_ended && of.is_alive && is_free {
                    self.bind_to_many(peer, slot)?;
                }
            }
        }
        Ok(())
    }

    /// Binds a slot to something that comes in several sizes and from another shard, or else to anything.
    fn bind_to_many(&mut self, peer: usize, slot: usize) -> Step {
        let shard = self.peers[peer].transport.shard();
        let mut streams = Vec::new();
        for publisher in self.peers.iter().filter(|one| one.is_alive && !one.has_ended) {
            let of = publisher.streams.iter().enumerate().filter(|(_, one)| one.is_offered);
            streams.extend(of.map(|(place, one)| {
                let video = &one.lines[1];
                let is_many = video.encodings.len() > 1 || video.layered.is_some();
                let is_elsewhere = publisher.transport.shard() != shard;
                (u8::from(is_many) + u8::from(is_elsewhere), publisher.number, place)
            }));
        }
        self.novelty.rng.shuffle(&mut streams);
        match streams.iter().max_by_key(|(rank, ..)| *rank) {
            Some(&(_, publisher, stream)) => self.bind_to(peer, slot, publisher, stream),
            None => Ok(()),
        }
    }

    /// All who are bound wish for this size, or for the largest.
    fn all_wish(&mut self, size: Option<(u32, u32)>) -> Step {
        let (width, height) = size.unzip();
        let wishes = Wishes { width, height, frame_rate: None };
        for peer in 0..self.peers.len() {
            for slot in 0..self.peers[peer].slots.len() {
                let binding = self.peers[peer].slots[slot].binding;
                let is_bound = binding.is_some_and(|binding| binding.ticket.is_none());
                if is_bound && !self.peers[peer].has_ended {
                    self.prefer_in(peer, slot, wishes)?;
                }
            }
        }
        Ok(())
    }

    /// The networks of all who receive get narrow for a while.
    fn narrow(&mut self) {
        let wide = self.start + WIDE;
        for one in self.peers.iter_mut().filter(|peer| !peer.has_ended) {
            let bound = one.slots.iter().filter_map(|slot| slot.binding);
            let sounds = bound.filter(|binding| binding.source.audio_mid.is_some()).count() as u64;
            let bound = one.slots.iter().filter_map(|slot| slot.binding);
            let count = bound.filter(|binding| binding.source.video_mid.is_some()).count() as u64;
            let pictures = self.novelty.rng.u64(PICTURE_BPS / 2..PICTURE_BPS * count.max(1));
            one.weather.narrow_bps = Some(sounds * SOUND_BPS + pictures);
            one.narrow_until = Some(wide);
        }
    }

    fn all_ask(&mut self) {
        for peer in 0..self.peers.len() {
            for slot in 0..self.peers[peer].slots.len() {
                let mid = self.peers[peer].slots[slot].pair.video_mid;
                self.ask_on(peer, mid);
            }
        }
    }

    /// What nobody has wished for rests.
    fn check_rests(&self) -> Step {
        let is_there = |peer: &&Peer| peer.is_alive && !peer.has_ended && peer.hears_router;
        for peer in self.peers.iter().filter(is_there) {
            let offered = peer.streams.iter().filter(|stream| stream.is_offered);
            for line in offered.flat_map(|stream| &stream.lines) {
                let place = (peer.transport, Some(line.mid));
                if let Some(size) = line.restless().filter(|_| !self.is_wanted(place)) {
                    return Err(format!(
                        "nobody wishes for size {size} of line {}, and it does not rest",
                        line.id
                    ));
                }
            }
        }
        Ok(())
    }

    /// Whether somebody has not wished for the smallest of a line since everybody was to.
    fn is_wanted(&self, place: (TransportId, Option<Mid>)) -> bool {
        let slots = self.peers.iter().filter(|peer| !peer.has_ended).flat_map(|peer| &peer.slots);
        let mut bound = slots.filter(|slot| {
            slot.binding.is_some_and(|b| (b.source.transport, b.source.video_mid) == place)
        });
        let all_do = self.start + Duration::from_millis(WISHES[2].0 + 1_000);
        bound.any(|slot| slot.wants_least_since.is_none_or(|since| since > all_do))
    }
}

impl SendingLine {
    /// What it sends besides the smallest.
    fn restless(&self) -> Option<String> {
        if !self.is_sending {
            return None;
        }
        if let Some(layered) = self.layered.as_ref().filter(|_| self.sends_layers()) {
            return (layered.shows_upper() && !layered.rests()).then(|| "S1".to_owned());
        }
        self.least()?;
        let mut others = self.encodings.iter().skip(1);
        // One that no key frame has begun is not known, and does not rest beside one that does.
        if self.encodings.iter().any(|size| size.is_paused) {
            return None;
        }
        let restless = others.find(|size| size.is_active && !size.is_paused);
        restless.map(|size| size.rid.to_string())
    }
}

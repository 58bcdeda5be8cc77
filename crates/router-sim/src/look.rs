//! Looks now and then whether everybody who is bound to something live is served.

use std::time::{Duration, Instant};

use tertulia_router_core::Kind;

use crate::network::Weather;
use crate::peer::Peer;
use crate::requests::Plea;
use crate::stream::Best;
use crate::watch::LineKey;
use crate::world::{Step, World};

/// Who is so loud surely speaks, in -dBov.
const SPEAKS: u8 = 30;

impl World {
    /// Everybody who is bound to something live is served.
    pub(crate) fn look(&mut self) -> Step {
        self.check_pleas()?;
        self.check_screens()?;
        let mut due = Vec::new();
        let (now, is_still) = (self.now, self.is_still());
        for peer in &mut self.peers {
            if peer.narrow_until.is_some_and(|until| until <= now) {
                peer.narrow_until = None;
                peer.weather = Weather { dead_until: peer.weather.dead_until, ..Weather::fair() };
            }
            let is_ordered = peer.weather.jitter.is_zero();
            peer.ordered_since = is_ordered.then_some(peer.ordered_since.unwrap_or(now));
            let is_wide = peer.weather.is_wide(now);
            peer.wide_since = is_wide.then_some(peer.wide_since.unwrap_or(now));
            let is_reachable = peer.weather.dead_until.is_none_or(|until| until <= now);
            peer.reachable_since = is_reachable.then_some(peer.reachable_since.unwrap_or(now));
            let is_told = self.watch.is_told_of_narrowness(peer.transport);
            let is_up = peer.is_alive && !peer.has_ended && peer.connected_at.is_some();
            let bears = peer.weather.bears(now).filter(|_| is_up);
            let looked = peer.load.look(now, bears, is_told);
            looked.map_err(|error| format!("peer {}: {error}", peer.number))?;
        }
        for subscriber in self.peers.iter().filter(|p| !p.has_ended) {
            let Some(ready) = subscriber.connected_at else { continue };
            for slot in &subscriber.slots {
                let Some(binding) = slot.binding.filter(|b| b.ticket.is_none()) else { continue };
                let publisher = &self.peers[binding.publisher];
                let Some(since) = sends_since(publisher, self.now) else { continue };
                let halves = [
                    (Kind::Audio, slot.pair.audio_mid, binding.source.audio_mid),
                    (Kind::Video, slot.pair.video_mid, binding.source.video_mid),
                ];
                for (kind, mid, source) in halves {
                    let line = source.and_then(|source| publisher.line_by_mid(source));
                    let Some(line) = line.filter(|line| line.is_sending) else { continue };
                    let is_taken =
                        kind == Kind::Audio || subscriber.takes.contains(&line.payload_type);
                    let key = (subscriber.transport, mid);
                    if kind == Kind::Audio && self.watch.listens(subscriber.transport) {
                        let since = since.max(ready).max(line.live_since);
                        if line.level <= SPEAKS {
                            self.watch.is_heard(key, since, self.now)?;
                        }
                        continue;
                    }
                    let since = since.max(ready).max(line.live_since);
                    let wide = publisher.wide_since.max(subscriber.wide_since);
                    let are_both =
                        publisher.wide_since.is_some() && subscriber.wide_since.is_some();
                    if let Some(wide) = wide.filter(|_| are_both && is_taken && subscriber.is_alive)
                    {
                        self.watch.is_back(key, since.max(wide), now)?;
                        if kind == Kind::Video
                            && let Some(best) = line.best()
                            && let Some(wished) = slot.wants_best_since
                            && let Some(plenty) = subscriber.plenty_since
                        {
                            let upper = self.pictures.upper_left_at(key);
                            let due = since.max(wide).max(wished).max(plenty);
                            let rests = line.rests(best);
                            // A size that rests since before its codec changed is not known to be the largest.
                            if best == Best::Upper || !rests || !self.is_calm() {
                                let what = (best, upper, rests);
                                self.watch.is_best(key, what, is_still, due, now)?;
                            }
                        }
                        if kind == Kind::Video
                            && let Some(least) = line.least()
                            && let Some(wished) = slot.wants_least_since
                        {
                            let due = since.max(wide).max(wished);
                            let what = (least, None, line.rests(least));
                            self.watch.is_best(key, what, is_still, due, now)?;
                        }
                    }
                    // Four packets of one moment come in any order, and nothing begins at a key frame
                    // whose first comes after another.
                    let ordered = publisher.ordered_since.map(|ordered| ordered.max(since));
                    let since = if line.layered.is_some() { ordered } else { Some(since) };
                    due.extend(since.map(|since| (key, kind, since, is_taken)));
                }
            }
        }
        for (key, kind, since, is_taken) in due {
            let told = self.watch.binding(key).is_some_and(|watched| watched.is_unsupported);
            if is_taken || !told {
                self.watch.is_served(key, kind, since, self.now)?;
            }
        }
        Ok(())
    }

    /// No screen is left out for a network that bears a camera.
    fn check_screens(&mut self) -> Step {
        for peer in self.peers.iter().filter(|_| self.novelty.has_narrow_links) {
            let of = |is_screen: bool| {
                let slots = peer.slots.iter().filter(|slot| slot.binding.is_some());
                slots.filter_map(move |slot| {
                    let (known, since) = slot.screen?;
                    (known == is_screen).then_some(((peer.transport, slot.pair.video_mid), since))
                })
            };
            for (screen, is_one_since) in of(true) {
                let Some(missing) = self.watch.first_left_out(screen) else { continue };
                for (camera, is_none_since) in of(false) {
                    let changed = is_one_since.max(is_none_since);
                    if self.watch.is_preferred(camera, missing, changed, self.now) {
                        return Err(format!(
                            "the screen {screen:?} is left out, the camera {camera:?} not"
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    /// A request of a subscriber for a key frame was passed on, or nothing of what it watched is left.
    fn check_pleas(&mut self) -> Step {
        while let Some(Plea { at, key, publisher }) = self.requests.take_forgotten(self.now) {
            let is_there = self.publisher_of(key) == Some(publisher);
            let source = self.watch.settled(key, at);
            let one = &mut self.peers[publisher];
            let is_live = one.is_alive && !one.has_ended;
            let mut lines = one.sending_lines();
            let is_same = lines
                .any(|line| Some(line.id) == source && line.is_sending && line.live_since < at);
            if is_there && is_live && is_same {
                return Err(format!(
                    "a key frame was asked for on {key:?}, and its publisher was not"
                ));
            }
        }
        Ok(())
    }

    /// A subscriber asks for a key frame of what a line carries.
    pub(crate) fn note_plea(&mut self, key: LineKey) {
        let Some(publisher) = self.publisher_of(key) else { return };
        let line = self.peers[publisher].sending_lines();
        let source = self.watch.flowing(key, self.now);
        let mut line = line.filter(|line| source == Some(line.id) && line.is_sending);
        let settled = self.now.checked_sub(Duration::from_secs(1));
        if line.any(|line| settled.is_some_and(|settled| line.live_since < settled)) {
            self.requests.plead(Plea { at: self.now, key, publisher });
        }
    }

    /// Whose video a line is bound to.
    fn publisher_of(&self, (transport, mid): LineKey) -> Option<usize> {
        let subscriber = self.peer_of(transport)?;
        let slot = self.peers[subscriber].slots.iter().find(|slot| slot.pair.video_mid == mid)?;
        slot.binding.filter(|binding| binding.ticket.is_none()).map(|binding| binding.publisher)
    }
}

/// Since when what a publisher sends has come to the router, if it does.
fn sends_since(publisher: &Peer, now: Instant) -> Option<Instant> {
    let Weather { dead_until, .. } = publisher.weather;
    if !publisher.is_alive || publisher.has_ended || !publisher.hears_router {
        return None;
    }
    match dead_until {
        Some(until) if until > now => None,
        until => Some(publisher.connected_at?.max(until.unwrap_or(publisher.connected_at?))),
    }
}

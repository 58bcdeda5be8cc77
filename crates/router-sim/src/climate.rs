//! How the networks of peers change: their weather, narrow links, other addresses.

use std::time::Duration;

use crate::load::Load;
use crate::network::Weather;
use crate::world::World;

/// Where links get narrow they do so in the beginning, mostly.
const EARLY: Duration = Duration::from_secs(5);

impl World {
    pub(crate) fn change_weather(&mut self, peer: usize) {
        let now = self.now;
        let is_settled = self.peers[peer].settled_until.is_some_and(|until| now < until);
        if !is_settled {
            self.turn_weather(peer);
        }
    }

    pub(crate) fn move_away(&mut self, peer: usize) {
        // The router does not know the new way, and probes it.
        self.peers[peer].load = Load::default();
        let address = &mut self.peers[peer].address;
        address.set_port(address.port() + 1);
        let address = *address;
        self.note(|| format!("peer {peer} moves to {address}"));
    }

    fn turn_weather(&mut self, peer: usize) {
        let mut weather = Weather::random(&mut self.rng);
        let former = self.peers[peer].weather.dead_until;
        weather.dead_until = former;
        if self.rng.u8(..3) == 0 {
            let pause = Duration::from_millis(self.rng.u64(200..6000));
            weather.dead_until = Some(former.unwrap_or(self.now).max(self.now + pause));
            self.peers[peer].reachable_since = None;
        }
        let is_early = self.now < self.start + EARLY;
        if self.novelty.has_narrow_links && (is_early || self.novelty.rng.u8(..3) == 0) {
            weather = Weather { dead_until: weather.dead_until, ..Weather::fair() };
            weather.narrow_bps = Some(self.novelty.rng.u64(15_000..90_000));
            let narrow = Duration::from_secs(self.novelty.rng.u64(8..12));
            // Most stay wide afterwards, so that it is seen what comes back.
            let wide = Duration::from_secs(if self.novelty.rng.u8(..4) > 0 { 20 } else { 0 });
            let one = &mut self.peers[peer];
            one.narrow_until = Some(self.now + narrow);
            one.settled_until = Some(self.now + narrow + wide);
        }
        self.peers[peer].weather = weather;
        let now = self.now;
        self.note(|| {
            let dead = weather.dead_until.map(|until| until.saturating_duration_since(now));
            let Weather { latency, jitter, loss, duplication, narrow_bps, .. } = weather;
            format!(
                "peer {peer} has other weather: latency {latency:?}, jitter {jitter:?}, loss \
                 {loss:.2}, twice {duplication:.2}, bit/s {narrow_bps:?}, dead for {dead:?}"
            )
        });
    }
}

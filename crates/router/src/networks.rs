//! What is known of the networks of a shard's subscribers, all together, for the operator.

use serde::{Deserialize, Serialize};

use crate::bandwidth::Bitrate;
use crate::router::Router;
use crate::slot::Slot;
use crate::transport::Transport;

/// From what sound needs to more than any call sends.
const BOUNDS_KBPS: [u32; 14] =
    [50, 100, 150, 250, 400, 600, 1_000, 1_500, 2_500, 4_000, 6_000, 10_000, 20_000, 50_000];

/// How many rates were how high.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rates {
    /// How many are within each bound and above the one before; one more than bounds, for what is higher.
    pub counts: Vec<u64>,
    /// All of them together, in kbit/s.
    pub sum_kbps: u64,
}

impl Default for Rates {
    fn default() -> Self {
        Self { counts: vec![0; BOUNDS_KBPS.len() + 1], sum_kbps: 0 }
    }
}

impl Rates {
    fn add(&mut self, rate: Bitrate) {
        let kbps = rate.bps() / 1_000;
        let place = BOUNDS_KBPS.partition_point(|bound| u64::from(*bound) < kbps);
        if let Some(count) = self.counts.get_mut(place) {
            *count += 1;
            self.sum_kbps = self.sum_kbps.saturating_add(kbps);
        }
    }
}

/// Totals of one shard since the router started; every subscriber of whose network something is known counts
/// once in each two seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Networks {
    /// Upper bounds in kbit/s, inclusive, the smallest first.
    pub bounds_kbps: Vec<u32>,
    /// What may be sent to each.
    pub estimates: Rates,
    /// What was chosen for each of that, sound and videos.
    pub targets: Rates,
    /// How often a network was asked with extra packets whether it bears more.
    pub probes: u64,
    /// How often it did.
    pub probes_found: u64,
    /// How often a video was left out.
    pub times_left_out: u64,
    /// Videos that subscribers want, now.
    pub videos: u32,
    /// Of them left out, now.
    pub videos_left_out: u32,
}

impl Default for Networks {
    fn default() -> Self {
        Self {
            bounds_kbps: BOUNDS_KBPS.to_vec(),
            estimates: Rates::default(),
            targets: Rates::default(),
            probes: 0,
            probes_found: 0,
            times_left_out: 0,
            videos: 0,
            videos_left_out: 0,
        }
    }
}

impl Networks {
    /// Takes over what was counted of a transport's probes.
    pub(crate) fn take_probes(&mut self, transport: &mut Transport) {
        if let Some(network) = transport.network.as_mut() {
            let (probes, found) = network.take_probes();
            self.probes += probes;
            self.probes_found += found;
        }
    }

    fn note(&mut self, transport: &mut Transport) {
        let wanted = transport.slots.iter().filter(|slot| slot.wants_video());
        let (videos, left_out) = wanted.fold((0, 0), |(videos, left_out), slot: &Slot| {
            (videos + 1, left_out + u32::from(slot.sharing.is_stopped()))
        });
        self.videos += videos;
        self.videos_left_out += left_out;
        self.take_probes(transport);
        if let Some(network) = transport.network.as_ref().filter(|network| network.is_known()) {
            self.estimates.add(network.estimate().target);
            self.targets.add(network.given());
        }
    }
}

impl Router {
    /// What is known of the networks of this shard's subscribers.
    #[must_use]
    pub fn networks(&self) -> &Networks {
        &self.networks
    }

    /// Two seconds passed.
    pub(crate) fn look_at_networks(&mut self) {
        (self.networks.videos, self.networks.videos_left_out) = (0, 0);
        for transport in self.transports.values_mut() {
            self.networks.note(transport);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_counts_within_its_bound() {
        let mut rates = Rates::default();
        for kbps in [0, 50, 51, 50_000, 50_001] {
            rates.add(Bitrate::from_kbps(kbps));
        }
        let mut expected = vec![0; BOUNDS_KBPS.len() + 1];
        expected[..2].copy_from_slice(&[2, 1]);
        expected[BOUNDS_KBPS.len() - 1..].copy_from_slice(&[1, 1]);
        assert_eq!(rates.counts, expected);
        assert_eq!(rates.sum_kbps, 50 + 51 + 50_000 + 50_001);
    }
}

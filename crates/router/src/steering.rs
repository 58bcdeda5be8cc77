//! Gives each subscriber what its network bears: feedback and time come in here, layers are chosen by it.

use std::time::{Duration, Instant};

use crate::bandwidth::{Bitrate, Demand, Network, Reported};
use crate::event::{Event, VideoFallback};
use crate::ids::{Generation, SlotIndex, TransportId};
use crate::layers::{Step, steps};
use crate::plane::ReportedPacket;
use crate::router::Router;
use crate::transport::Transport;

/// A video whose size nobody asked for is taken to be shown this large.
const USUAL_PIXELS: u32 = 640 * 360;

/// A video that a subscriber wants.
struct Video {
    slot: SlotIndex,
    generation: Generation,
    pixels: u32,
    steps: Vec<Step>,
    rates: Vec<Bitrate>,
}

impl Transport {
    /// The engine sent what it had; the peer will report on it.
    pub(crate) fn note_sent(&mut self, now: Instant) {
        let network = &mut self.network;
        // An engine that broke is found at its next call.
        let _ = self.engine.call(|engine| {
            for sent in engine.sent() {
                let network = network.get_or_insert_with(|| Box::new(Network::new(now)));
                network.note_sent(sent.sequence, sent.at, sent.bytes);
            }
            Ok(())
        });
    }

    fn sounds(&self) -> u32 {
        self.slots.iter().filter(|s| s.audio.is_active()).count() as u32
    }
}

impl Router {
    /// A subscriber says which packets came.
    pub(crate) fn take_feedback(
        &mut self,
        now: Instant,
        id: TransportId,
        reports: &[ReportedPacket],
    ) {
        let Some(transport) = self.transports.get_mut(&id) else {
            return;
        };
        let round_trip = transport.report.round_trip_ms.map(|ms| Duration::from_secs_f64(ms / 1e3));
        if let Some(network) = &mut transport.network {
            let reports =
                reports.iter().map(|r| Reported { sequence: r.sequence, arrival_us: r.arrival_us });
            network.note_feedback(now, round_trip, reports);
        }
    }

    /// A subscriber says what it takes at most (draft-alvestrand-rmcat-remb-03).
    pub(crate) fn take_ceiling(&mut self, now: Instant, id: TransportId, most: Bitrate) {
        let Some(transport) = self.transports.get_mut(&id) else {
            return;
        };
        let network = transport.network.get_or_insert_with(|| Box::new(Network::new(now)));
        network.note_ceiling(now, most);
    }

    /// Time passed for a subscriber's network.
    pub(crate) fn steer(&mut self, now: Instant, id: TransportId) {
        let network = self.transports.get_mut(&id).and_then(|t| t.network.take());
        let Some(mut network) = network else {
            return;
        };
        if network.is_due(now) {
            self.look(now, id, &mut network);
        }
        let bytes = network.probe_bytes(now);
        let pace = network.pace().map(Bitrate::bps);
        let Some(transport) = self.transports.get_mut(&id) else {
            return;
        };
        let redundancy = network.redundancy();
        let release_at = transport.engine.call(|e| {
            e.pace(pace);
            e.set_redundancy(redundancy);
            Ok(e.release_at())
        });
        // An engine that broke is found at its next call.
        transport.release_at = release_at.unwrap_or_default();
        transport.network = Some(network);
        if bytes == 0 {
            return;
        }
        if transport.engine.call(|e| e.probe(bytes as usize)).is_ok_and(|any| any) {
            self.mark_sending(id);
        } else if let Some(network) = &mut transport.network {
            network.note_nothing_to_probe(now);
        }
    }

    fn look(&mut self, now: Instant, id: TransportId, network: &mut Network) {
        let videos = self.wanted_videos(id);
        let Some(transport) = self.transports.get(&id) else {
            return;
        };
        let demands: Vec<_> = videos
            .iter()
            .filter_map(|video| {
                let slot = transport.slots.get(video.slot.0 as usize)?;
                let sharing = &slot.sharing;
                Some(Demand {
                    steps: video.rates.get(..sharing.open(now, &video.steps))?,
                    current: sharing.current(&video.steps),
                    pixels: video.pixels,
                    is_screen: slot.is_screen,
                    stay: sharing.stay(now),
                })
            })
            .collect();
        let sent = (transport.totals.audio_bytes_sent, transport.totals.bytes_sent);
        let shares = network.look(now, transport.sounds(), sent, &demands);
        for (video, share) in videos.iter().zip(shares) {
            let Ok(slot) = self.slot_mut(id, video.slot) else {
                continue;
            };
            let (budget, news) = slot.sharing.follow(now, &video.steps, share);
            if let Some(state) = news {
                if state == VideoFallback::Stopped {
                    self.networks.times_left_out += 1;
                    self.forget_video(id, video.slot);
                }
                let (slot, generation) = (video.slot, video.generation);
                self.events.push_back(Event::VideoFallback {
                    transport: id,
                    slot,
                    generation,
                    state,
                });
            }
            // A slot of another generation wants nothing of this.
            let _ = self.set_budget(now, id, video.slot, video.generation, budget);
        }
    }

    /// What was sent of a video that is left out is not worth repeating, but to see if there is room for it again.
    fn forget_video(&mut self, id: TransportId, index: SlotIndex) {
        let Some(transport) = self.transports.get_mut(&id) else {
            return;
        };
        if let Some(mid) = transport.slot_mut(index).map(|slot| slot.video.mid) {
            // An engine that broke is found at its next call.
            let _ = transport.engine.call(|engine| engine.rest(mid));
            self.mark_sending(id);
        }
    }

    /// The videos that a subscriber has not turned off.
    fn wanted_videos(&self, id: TransportId) -> Vec<Video> {
        let Some(transport) = self.transports.get(&id) else {
            return Vec::new();
        };
        let wanted = transport.slots.iter().filter(|s| s.wants_video());
        wanted
            .filter_map(|slot| {
                let (layers, wishes) = self.choices(id, slot.index)?;
                let steps = steps(layers, wishes);
                let rates = steps.iter().map(|s| Bitrate::from_bps(s.bitrate_bps.into())).collect();
                let pixels = wishes.width.zip(wishes.height).map(|(w, h)| w.saturating_mul(h));
                Some(Video {
                    slot: slot.index,
                    generation: slot.generation,
                    pixels: pixels.unwrap_or(USUAL_PIXELS),
                    steps,
                    rates,
                })
            })
            .collect()
    }
}

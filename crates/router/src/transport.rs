//! One client's transport: its engine, what the client sends, and the slots it receives on.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use crate::bandwidth::Network;
use crate::command::{SlotPair, TrackInfo, TransportInfo};
use crate::demux::Known;
use crate::engine::{EngineReport, Guarded};
use crate::error::RouterError;
use crate::event::{Statistics, TransportState};
use crate::ids::{Kind, Mid, SlotIndex, TransportId};
use crate::sdp::{Offer, SlotLine};
use crate::seats::Seats;
use crate::slot::Slot;
use crate::speakers;
use crate::statistics::{DropCause, Drops};
use crate::track::Track;
use crate::wallclock::PublisherClock;

/// Totals since the transport was opened.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Totals {
    pub(crate) packets_received: u64,
    pub(crate) bytes_received: u64,
    pub(crate) packets_sent: u64,
    pub(crate) bytes_sent: u64,
    /// Of them audio, with what a packet has beside its payload.
    pub(crate) audio_bytes_sent: u64,
    pub(crate) drops: Drops,
    pub(crate) key_frame_requests: u64,
}

pub(crate) struct Transport {
    pub(crate) id: TransportId,
    pub(crate) seat: String,
    pub(crate) epoch: u32,
    pub(crate) state: TransportState,
    /// ICE and DTLS were up once, so that packets can be sent.
    pub(crate) is_ready: bool,
    pub(crate) engine: Guarded,
    pub(crate) ufrag: String,
    /// What payload types have meant so far.
    pub(crate) meanings: BTreeMap<u8, String>,
    /// Proven addresses of the peer, oldest first.
    pub(crate) addresses: VecDeque<Known>,
    pub(crate) tracks: Vec<Track>,
    pub(crate) slots: Vec<Slot>,
    /// Its audio slots, if it has any.
    pub(crate) seats: Option<Seats>,
    pub(crate) clock: PublisherClock,
    pub(crate) totals: Totals,
    pub(crate) report: EngineReport,
    pub(crate) opened_at: Instant,
    /// Once something was sent that its peer reports on.
    pub(crate) network: Option<Box<Network>>,
    /// When the engine wants to be called.
    pub(crate) engine_deadline: Option<Instant>,
    /// When something leaves that is held back.
    pub(crate) release_at: Option<Instant>,
    /// The earliest entry in the router's timer queue.
    pub(crate) armed: Option<Instant>,
    /// Is in the list of those that may have something to send.
    pub(crate) is_dirty: bool,
    /// Its engine is to be driven before.
    pub(crate) is_due: bool,
}

impl Transport {
    pub(crate) fn track_mut(&mut self, mid: Mid) -> Option<&mut Track> {
        self.tracks.iter_mut().find(|t| t.mid == mid)
    }

    pub(crate) fn track(&self, mid: Mid) -> Option<&Track> {
        self.tracks.iter().find(|t| t.mid == mid)
    }

    pub(crate) fn slot_mut(&mut self, index: SlotIndex) -> Option<&mut Slot> {
        self.slots.get_mut(usize::try_from(index.0).ok()?)
    }

    /// Whether new slot pairs fit the offer and those that are there.
    pub(crate) fn check_slots(
        offer: &Offer,
        existing: usize,
        limit: usize,
        pairs: &[SlotPair],
    ) -> Result<(), RouterError> {
        if existing + pairs.len() > limit {
            return Err(RouterError::LimitReached(format!(
                "A transport has at most {limit} slot pairs; ask for fewer."
            )));
        }
        for (place, pair) in pairs.iter().enumerate() {
            if usize::try_from(pair.slot.0) != Ok(existing + place) {
                return Err(RouterError::InvalidRequest(format!(
                    "Slot pair {} is out of order; the next new one is {}.",
                    pair.slot.0,
                    existing + place
                )));
            }
            for (mid, kind) in [(pair.audio_mid, Kind::Audio), (pair.video_mid, Kind::Video)] {
                let fits = offer.line(mid).is_some_and(|line| line.kind == kind && line.receives);
                let uses = pairs
                    .iter()
                    .flat_map(|p| [p.audio_mid, p.video_mid])
                    .filter(|used| *used == mid)
                    .count();
                if !fits || uses != 1 {
                    return Err(RouterError::OfferRefused(format!(
                        "Slot pair {} names `{mid}`, which is no unused {kind} line that the \
                         client receives on; name a line of the offer.",
                        pair.slot.0
                    )));
                }
            }
        }
        Ok(())
    }

    /// Follows an accepted offer: new tracks, tracks that stopped, new slots, payload types.
    pub(crate) fn apply(&mut self, offer: &Offer, new_slots: impl Iterator<Item = Slot>) {
        self.slots.extend(new_slots);
        self.meanings.extend(offer.meanings.clone());
        let slot_mids = self.slot_mids();
        for line in offer.lines.iter().filter(|line| !slot_mids.contains(&line.mid)) {
            match (line.sends, self.track_mut(line.mid)) {
                (true, None) => self.tracks.push(Track::new(line.mid, line.kind)),
                (true, Some(track)) => track.is_sending = true,
                (false, Some(track)) => track.stop(),
                (false, None) => {}
            }
        }
        for track in &mut self.tracks {
            let mid = track.mid;
            track.payloads = self.engine.call(|e| Ok(e.payloads(mid))).unwrap_or_default();
        }
        for line in self.slots.iter_mut().flat_map(|s| [&mut s.audio, &mut s.video]) {
            let mid = line.mid;
            line.set_payloads(self.engine.call(|e| Ok(e.payloads(mid))).unwrap_or_default());
            line.number = self.engine.call(|e| Ok(e.line_number(mid))).unwrap_or_default();
        }
    }

    pub(crate) fn slot_mids(&self) -> Vec<Mid> {
        self.slots.iter().flat_map(|s| [s.audio.mid, s.video.mid]).collect()
    }

    pub(crate) fn slot_lines(&self) -> Vec<SlotLine> {
        let lines = self.slots.iter().flat_map(|s| {
            [(s.index, s.audio.mid, Kind::Audio), (s.index, s.video.mid, Kind::Video)]
        });
        lines.map(|(slot, mid, kind)| SlotLine { mid, slot, kind }).collect()
    }

    pub(crate) fn track_infos(&self) -> Vec<TrackInfo> {
        self.tracks.iter().filter(|t| t.is_sending).map(Track::info).collect()
    }

    pub(crate) fn info(&self) -> TransportInfo {
        TransportInfo {
            transport: self.id,
            seat: self.seat.clone(),
            epoch: self.epoch,
            state: self.state,
            tracks: self.track_infos(),
            slots: self.slots.iter().map(Slot::info).collect(),
            audio_slots: speakers::infos(self),
        }
    }

    pub(crate) fn statistics(&self) -> Statistics {
        let lost: u64 = self.tracks.iter().map(Track::lost).sum();
        Statistics {
            transport: self.id,
            packets_received: self.totals.packets_received,
            bytes_received: self.totals.bytes_received,
            packets_sent: self.totals.packets_sent,
            bytes_sent: self.totals.bytes_sent,
            packets_lost: lost + self.report.packets_lost_by_peer,
            packets_dropped: self.totals.drops.of(DropCause::CodecNotSupported)
                + self.totals.drops.of(DropCause::BeforeBinding),
            nacks_received: self.report.nacks_received,
            key_frame_requests: self.totals.key_frame_requests,
            round_trip_ms: self.report.round_trip_ms,
            retransmissions: self.report.retransmissions,
            drops: self.totals.drops.list(),
            estimate_bps: self
                .network
                .as_ref()
                .filter(|n| n.is_known())
                .map(|n| n.estimate().target.bps()),
        }
    }

    /// When a remembered key-frame request is due.
    pub(crate) fn key_frame_deadline(&self) -> Option<Instant> {
        let encodings = self.tracks.iter().flat_map(|t| &t.encodings);
        encodings.filter_map(|e| e.throttle.deadline()).min()
    }
}

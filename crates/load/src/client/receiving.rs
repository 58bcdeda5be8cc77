//! What a member receives: subscriptions, the slot pairs that carry them, and a receipt for each source.

use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use str0m::rtp::Ssrc;

use super::peer::{LineKind, Received};
use super::picture::Picture;
use crate::measure::{Receipt, SourceReceipt, Tally};
use crate::media::{Stamp, starts_key_frame};

/// A subscription of this age should have carried something.
const SILENT: Duration = Duration::from_secs(3);
/// Sources that one member keeps receipts of.
const MAX_RECEIPTS: usize = 10_000;
/// How often pictures are looked at.
const LOOK: Duration = Duration::from_millis(50);

struct Subscription {
    id: Option<u32>,
    asked_at: Instant,
    started: bool,
}

struct Slot {
    subscription: u32,
    started: bool,
    /// Of the source that it carries video of.
    picture: Option<(u32, Ssrc, Picture)>,
}

/// Everything that comes in.
#[derive(Default)]
pub(super) struct Receiving {
    /// By stream.
    subscriptions: FxHashMap<String, Subscription>,
    slots: FxHashMap<u32, Slot>,
    /// By source.
    receipts: FxHashMap<u32, Receipt>,
    looked_at: Option<Instant>,
    /// When the client began to join, until its first packet.
    waiting_since: Option<Instant>,
}

impl Receiving {
    /// Nothing, of a client that begins to join now.
    pub(super) fn new(now: Instant) -> Self {
        Self { waiting_since: Some(now), ..Self::default() }
    }

    /// Subscriptions, asked for or answered.
    pub(super) fn count(&self) -> usize {
        self.subscriptions.len()
    }

    /// Subscriptions that carry packets.
    pub(super) fn started(&self) -> usize {
        self.subscriptions.values().filter(|subscription| subscription.started).count()
    }

    pub(super) fn knows(&self, stream: &str) -> bool {
        self.subscriptions.contains_key(stream)
    }

    /// A subscription was asked for.
    pub(super) fn ask(&mut self, stream: &str, now: Instant) {
        let subscription = Subscription { id: None, asked_at: now, started: false };
        self.subscriptions.insert(stream.to_owned(), subscription);
    }

    /// It was granted.
    pub(super) fn grant(&mut self, stream: &str, id: u32) {
        if let Some(subscription) = self.subscriptions.get_mut(stream) {
            subscription.id = Some(id);
        }
    }

    /// The stream or the wish for it is gone; returns whether there was one.
    pub(super) fn forget(&mut self, stream: &str) -> bool {
        self.subscriptions.remove(stream).is_some()
    }

    /// Only these streams are left.
    pub(super) fn keep(&mut self, is_left: impl Fn(&str) -> bool) {
        self.subscriptions.retain(|stream, _| is_left(stream));
    }

    pub(super) fn bind(&mut self, slot: u32, subscription: u32) {
        self.slots.insert(slot, Slot { subscription, started: false, picture: None });
    }

    pub(super) fn unbind(&mut self, slot: u32) {
        self.slots.remove(&slot);
    }

    /// The transport is gone, and its slot pairs with it.
    pub(super) fn unbind_all(&mut self) {
        self.slots.clear();
    }

    /// A packet came at `now`, by the wall clock at `arrived_ns`.
    pub(super) fn count_packet(
        &mut self,
        now: Instant,
        arrived_ns: u64,
        tally: &mut Tally,
        packet: &Received,
    ) {
        self.note_start(now, tally, packet.slot);
        let traffic = match packet.kind {
            LineKind::Audio => &mut tally.audio,
            LineKind::Video => &mut tally.video,
        };
        traffic.received += 1;
        traffic.received_bytes += packet.payload.len() as u64;
        let Some(stamp) = Stamp::read(&packet.payload) else {
            tally.foreign += 1;
            return;
        };
        if packet.kind == LineKind::Video {
            self.show(now, packet, stamp);
        }
        traffic.latency.add(Duration::from_nanos(arrived_ns.saturating_sub(stamp.made_at_ns)));
        if let Some(receipt) = self.receipts.get_mut(&stamp.source) {
            receipt.add(stamp.number, now);
        } else if self.receipts.len() < MAX_RECEIPTS {
            self.receipts.insert(stamp.source, Receipt::new(stamp.number, now));
        }
    }

    fn show(&mut self, now: Instant, packet: &Received, stamp: Stamp) {
        let Some(slot) = self.slots.get_mut(&packet.slot) else { return };
        let known = slot.picture.take().filter(|(source, ..)| *source == stamp.source);
        let picture = known.map_or_else(|| Picture::new(stamp.number, now), |(.., known)| known);
        let (_, _, picture) = slot.picture.insert((stamp.source, packet.ssrc, picture));
        picture.add(stamp.number, starts_key_frame(&packet.payload), now);
    }

    /// What a decoder would ask a key frame of now.
    pub(super) fn lacking_key_frames(&mut self, now: Instant) -> Vec<Ssrc> {
        if self.looked_at.is_some_and(|at| now < at + LOOK) {
            return Vec::new();
        }
        self.looked_at = Some(now);
        let pictures = self.slots.values_mut().filter_map(|slot| slot.picture.as_mut());
        pictures.filter_map(|(_, ssrc, one)| one.wants_key_frame(now).then_some(*ssrc)).collect()
    }

    /// Hands over what came; `is_last` if nothing more will be sent by anybody.
    pub(super) fn hand_over(&mut self, tally: &mut Tally, now: Instant, is_last: bool) {
        for (source, receipt) in self.receipts.drain() {
            tally.receipts.push(SourceReceipt { source, to_the_end: is_last, receipt });
        }
        let is_silent =
            |s: &&Subscription| !s.started && now.saturating_duration_since(s.asked_at) > SILENT;
        tally.subscriptions_silent += self.subscriptions.values().filter(is_silent).count() as u64;
        self.subscriptions.clear();
    }

    fn note_start(&mut self, now: Instant, tally: &mut Tally, slot: u32) {
        let Some(slot) = self.slots.get_mut(&slot).filter(|slot| !slot.started) else { return };
        slot.started = true;
        if let Some(since) = self.waiting_since.take() {
            tally.arriving.add(now.saturating_duration_since(since));
        }
        let mut all = self.subscriptions.values_mut();
        if let Some(subscription) = all.find(|s| s.id == Some(slot.subscription))
            && !subscription.started
        {
            subscription.started = true;
            tally.subscriptions_started += 1;
            tally.starting.add(now.saturating_duration_since(subscription.asked_at));
        }
    }
}

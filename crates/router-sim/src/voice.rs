//! How a peer speaks: RTP and RTCP under its own keys.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tertulia_router_core::rtp::rtcp::{Arrival, Compound, SenderInfo, TICK_MICROSECONDS};
use tertulia_router_core::rtp::srtp::{MAX_RTP_OVERHEAD, Sealer};
use tertulia_router_core::rtp::{
    AudioLevel, ExtensionIds, ExtensionKind, Extensions, Outgoing, set_sequence_number,
};

use crate::keys;
use crate::wire::CONTROL_BYTES;

/// In whose name a peer asks for something; unlike any source of media, which are random.
const SPEAKER: u32 = 9;
/// Packets that wait to be reported on, at most.
const MAX_ARRIVALS: usize = 500;

/// What a packet of a peer says besides its payload.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Label<'a> {
    pub(crate) mid: &'a str,
    /// Empty without simulcast.
    pub(crate) rid: &'a str,
    pub(crate) is_repair: bool,
    pub(crate) is_audio: bool,
    pub(crate) dependency: Option<&'a [u8]>,
}

/// Of one peer.
pub(crate) struct Voice {
    sealer: Sealer,
    extensions: ExtensionIds,
    /// How loud audio is that is sent now, in -dBov.
    pub(crate) level: u8,
    next_transport_sequence: u16,
    arrivals: BTreeMap<u64, u64>,
    next_reported: u64,
    feedbacks: u8,
}

impl Voice {
    pub(crate) fn new(sealer: Sealer) -> Self {
        Self {
            sealer,
            extensions: keys::extensions(),
            level: 20,
            next_transport_sequence: 0,
            arrivals: BTreeMap::new(),
            next_reported: 0,
            feedbacks: 0,
        }
    }

    /// A packet; `index` is its sequence number, extended.
    pub(crate) fn rtp(
        &mut self,
        header: Outgoing,
        index: u64,
        label: Label<'_>,
        payload: &[u8],
    ) -> Vec<u8> {
        let transport_sequence = Some(self.next_transport_sequence);
        self.next_transport_sequence = self.next_transport_sequence.wrapping_add(1);
        let rid = (!label.rid.is_empty()).then_some(label.rid.as_bytes());
        let extensions = Extensions {
            mid: Some(label.mid.as_bytes()),
            rid: rid.filter(|_| !label.is_repair),
            repaired_rid: rid.filter(|_| label.is_repair),
            audio_level: label
                .is_audio
                .then_some(AudioLevel { level: self.level, voice: self.level < 60 }),
            transport_sequence,
            dependency_descriptor: label.dependency,
            ..Extensions::default()
        };
        debug_assert!(self.extensions.of(ExtensionKind::Mid).is_some());
        let mut packet = vec![0; 200 + payload.len() + MAX_RTP_OVERHEAD];
        let start = header.write(&mut packet, &self.extensions, &extensions).expect("room");
        packet[start..start + payload.len()].copy_from_slice(payload);
        set_sequence_number(&mut packet, index as u16);
        let source = self.sealer.source(header.ssrc).expect("few sources");
        let length = self.sealer.seal_rtp(source, &mut packet, start + payload.len(), index);
        packet.truncate(length.expect("a new index"));
        packet
    }

    fn rtcp(&mut self, write: impl FnOnce(&mut Compound<'_>)) -> Vec<u8> {
        let mut buffer = vec![0; CONTROL_BYTES];
        let mut compound = Compound::new(&mut buffer[..CONTROL_BYTES - 20]);
        write(&mut compound);
        let length = compound.length();
        let length = self.sealer.seal_rtcp(&mut buffer, length).expect("an index");
        buffer.truncate(length);
        buffer
    }

    pub(crate) fn sender_report(
        &mut self,
        ssrc: u32,
        since_start: Duration,
        timestamp: u32,
    ) -> Vec<u8> {
        let seconds = 3_900_000_000 + since_start.as_secs();
        let fraction = (u64::from(since_start.subsec_nanos()) << 32) / 1_000_000_000;
        let info = SenderInfo {
            ntp: seconds << 32 | fraction,
            rtp_timestamp: timestamp,
            packets: 1,
            bytes: 1,
        };
        self.rtcp(|compound| {
            compound.sender_report(ssrc, &info, &[]).expect("room");
        })
    }

    pub(crate) fn key_frame_request(&mut self, media: u32) -> Vec<u8> {
        self.rtcp(|compound| compound.picture_loss(SPEAKER, media).expect("room"))
    }

    pub(crate) fn nack(&mut self, media: u32, lost: &[u16]) -> Vec<u8> {
        self.rtcp(|compound| {
            compound.nack(SPEAKER, media, lost).expect("room");
        })
    }

    /// Something with a number in the transport came.
    pub(crate) fn note_arrival(&mut self, since_start: Duration, number: u16) {
        let newest = self.arrivals.last_key_value().map_or(self.next_reported, |(n, _)| *n);
        let ahead = i64::from(number.wrapping_sub(newest as u16) as i16);
        let Some(number) = newest.checked_add_signed(ahead) else { return };
        if number >= self.next_reported && self.arrivals.len() < MAX_ARRIVALS {
            let ticks = since_start.as_micros() as u64 / TICK_MICROSECONDS;
            self.arrivals.entry(number).or_insert(ticks);
        }
    }

    /// A report on what came since the last, if something did.
    pub(crate) fn feedback(&mut self, media: u32) -> Option<Vec<u8>> {
        let arrivals: Vec<Arrival> = self
            .arrivals
            .iter()
            .map(|(number, ticks)| Arrival { number: *number, ticks: *ticks })
            .collect();
        let last = arrivals.last()?.number;
        let (base, number) = (self.next_reported.max(last.saturating_sub(900)), self.feedbacks);
        let from = arrivals.partition_point(|arrival| arrival.number < base);
        let mut next = last + 1;
        let packet = self.rtcp(|compound| {
            let composed =
                compound.transport_feedback(SPEAKER, media, number, base, &arrivals[from..]);
            next = composed.expect("room").next;
        });
        self.feedbacks = number.wrapping_add(1);
        self.next_reported = next;
        self.arrivals = self.arrivals.split_off(&next);
        Some(packet)
    }
}

/// Since the beginning of a run.
pub(crate) fn since(start: Instant, now: Instant) -> Duration {
    now.saturating_duration_since(start)
}

//! One half of a slot pair: the rewriting that makes ever new sources look like one sender.
//!
//! Per line one SSRC, sequence numbers without a gap that the source did not have, timestamps that
//! never go back, picture identifiers that go on counting. See `docs/decisions/router-slots.md`.

use std::time::{Duration, Instant};

use crate::codec::{Format, FrameInfo, Payload, payload_type_for};
use crate::engine::{DescriptorRewrite, RtpIn, RtpOut};
use crate::ids::{Kind, Mid};
use crate::statistics::DropCause;

/// Between the newest timestamp of the former binding and the first of the next, beyond the time
/// that passed: senders write timestamps a little ahead of time, and 20 ms delays nobody.
const MARGIN: Duration = Duration::from_millis(20);

/// A greater jump of sequence numbers is a new sequence: receivers guess the upper bits of an SRTP
/// index from the lower 16 and lose them after a jump of half the range.
const LARGEST_GAP: u64 = 5_000;

/// A packet of the source, with what the router found out about it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Incoming<'a> {
    pub(crate) packet: &'a RtpIn,
    pub(crate) format: Format,
    pub(crate) frame: FrameInfo,
    pub(crate) captured: Instant,
}

/// What becomes of a packet.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Nothing is bound, or the line is paused.
    Ignore,
    /// It cannot be sent.
    Drop(DropCause),
    /// It is useless before a key frame.
    NeedsKeyFrame,
    /// Send this.
    Send(RtpOut),
}

/// What control should hear of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notice {
    Started,
    NotSupported,
    Supported,
}

/// One receive-only line of a client.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) mid: Mid,
    kind: Kind,
    /// What the client takes on this line.
    payloads: Vec<Payload>,
    left: Left,
    binding: Option<Binding>,
}

/// What left the line so far; survives every binding.
#[derive(Debug)]
struct Left {
    /// Greatest sequence number, extended beyond 16 bits.
    sequence_number: u64,
    /// Greatest timestamp (mod 2^32), and when it left.
    timestamp: u32,
    at: Option<Instant>,
    /// Greatest picture identifiers (mod their length).
    picture_id: u16,
    tl0_picture_index: u8,
}

#[derive(Debug)]
struct Binding {
    bound_at: Instant,
    /// No packet of this binding carries an earlier timestamp.
    first_timestamp: u32,
    paused: bool,
    started: bool,
    /// The newest format of the source and the payload type for it.
    mapping: Option<(Format, Option<u8>)>,
    not_supported: bool,
    /// Set while packets flow; video waits for a key frame without it.
    flow: Option<Flow>,
    /// What is added to timestamps of this SSRC.
    clock: Option<(u32, u32)>,
}

/// How one SSRC's numbers become the line's.
#[derive(Debug, Clone, Copy)]
struct Flow {
    ssrc: u32,
    first_in: u64,
    first_out: u64,
    picture_id: u16,
    tl0_picture_index: u8,
}

impl Line {
    /// A free line. `seed` makes the first numbers unpredictable (RFC 3550 section 5.1); the
    /// sequence starts in the lower half so that it does not wrap within the first packets.
    pub(crate) fn new(mid: Mid, kind: Kind, seed: u64) -> Self {
        let first = (seed >> 48) as u16;
        Self {
            mid,
            kind,
            payloads: Vec::new(),
            left: Left {
                sequence_number: u64::from(first & 0x7fff),
                timestamp: (seed >> 16) as u32,
                at: None,
                picture_id: seed as u16 & 0x7fff,
                tl0_picture_index: seed as u8,
            },
            binding: None,
        }
    }

    /// Tells what the client takes now.
    pub(crate) fn set_payloads(&mut self, payloads: Vec<Payload>) {
        self.payloads = payloads;
        if let Some(binding) = &mut self.binding {
            binding.mapping = None;
        }
    }

    /// Starts a binding and returns the first timestamp that it can have.
    pub(crate) fn bind(&mut self, now: Instant, paused: bool) -> u32 {
        let first_timestamp = match self.left.at {
            Some(at) => self.later(at, now + MARGIN),
            None => self.left.timestamp,
        };
        self.binding = Some(Binding {
            bound_at: now,
            first_timestamp,
            paused,
            started: false,
            mapping: None,
            not_supported: false,
            flow: None,
            clock: None,
        });
        first_timestamp
    }

    pub(crate) fn unbind(&mut self) {
        self.binding = None;
    }

    /// Returns whether the line wants a key frame now.
    pub(crate) fn set_paused(&mut self, paused: bool) -> bool {
        let Some(binding) = &mut self.binding else {
            return false;
        };
        let resumed = binding.paused && !paused;
        binding.paused = paused;
        if paused {
            binding.flow = None;
        }
        resumed && self.kind == Kind::Video
    }

    /// Whether packets of the bound source are wanted.
    pub(crate) fn is_active(&self) -> bool {
        self.binding.as_ref().is_some_and(|b| !b.paused)
    }

    /// Learns the format of the source; also called before its first packet, when it is known.
    pub(crate) fn set_format(&mut self, format: Format) -> Option<Notice> {
        let payloads = &self.payloads;
        let binding = self.binding.as_mut()?;
        if binding.mapping.is_some_and(|(known, _)| known == format) {
            return None;
        }
        let to = payload_type_for(format, payloads);
        if binding.mapping.is_some_and(|(known, _)| known.codec() != format.codec()) {
            binding.flow = None;
        }
        binding.mapping = Some((format, to));
        match (to, binding.not_supported) {
            (None, false) => {
                binding.not_supported = true;
                binding.flow = None;
                Some(Notice::NotSupported)
            }
            (Some(_), true) => {
                binding.not_supported = false;
                Some(Notice::Supported)
            }
            _ => None,
        }
    }

    /// Decides on one packet of the bound source.
    pub(crate) fn forward(
        &mut self,
        now: Instant,
        incoming: Incoming<'_>,
    ) -> (Verdict, Option<Notice>) {
        if !self.is_active() {
            return (Verdict::Ignore, None);
        }
        let mut notice = self.set_format(incoming.format);
        let verdict = self.decide(now, incoming);
        if let (Verdict::Send(_), Some(binding)) = (&verdict, &mut self.binding)
            && !binding.started
        {
            binding.started = true;
            notice = notice.or(Some(Notice::Started));
        }
        (verdict, notice)
    }

    fn decide(&mut self, now: Instant, incoming: Incoming<'_>) -> Verdict {
        let packet = incoming.packet;
        let Some((_, Some(payload_type))) = self.binding.as_ref().and_then(|b| b.mapping) else {
            return Verdict::Drop(DropCause::CodecNotSupported);
        };
        let flow = match self.flow_for(packet) {
            Some(flow) => flow,
            None if self.kind == Kind::Video && !incoming.frame.starts_key_frame => {
                return Verdict::NeedsKeyFrame;
            }
            None => self.open(now, incoming),
        };
        let (Some(ahead), Some(binding)) =
            (packet.sequence_number.checked_sub(flow.first_in), &self.binding)
        else {
            return Verdict::Drop(DropCause::BeforeBinding);
        };
        let offset = binding.clock.map_or(0, |(_, offset)| offset);
        let timestamp = packet.timestamp.wrapping_add(offset);
        if is_before(timestamp, binding.first_timestamp) {
            return Verdict::Drop(DropCause::BeforeBinding);
        }
        let sequence_number = flow.first_out + ahead;
        let rewrite = rewrite(incoming.frame, flow);
        self.remember(now, sequence_number, timestamp, rewrite);
        Verdict::Send(RtpOut {
            payload_type,
            sequence_number,
            timestamp,
            captured: incoming.captured,
            marker: packet.marker,
            extensions: packet.extensions,
            payload: packet.payload.clone(),
            rewrite,
            codec: incoming.format.codec(),
        })
    }

    /// The running flow, if the packet belongs to it.
    fn flow_for(&self, packet: &RtpIn) -> Option<Flow> {
        let flow = self.binding.as_ref()?.flow?;
        let ahead = packet.sequence_number.saturating_sub(flow.first_in);
        let is_near = flow.first_out + ahead <= self.left.sequence_number + LARGEST_GAP;
        (flow.ssrc == packet.ssrc && is_near).then_some(flow)
    }

    /// Lets the source in, at this packet.
    fn open(&mut self, now: Instant, incoming: Incoming<'_>) -> Flow {
        let Incoming { packet, frame, .. } = incoming;
        let picture_id = frame
            .picture_id
            .map_or(0, |id| self.left.picture_id.wrapping_add(1).wrapping_sub(id.value));
        let tl0_picture_index = frame.tl0_picture_index.map_or(0, |index| {
            self.left.tl0_picture_index.wrapping_add(1).wrapping_sub(index.value)
        });
        let flow = Flow {
            ssrc: packet.ssrc,
            first_in: packet.sequence_number,
            first_out: self.left.sequence_number + 1,
            picture_id,
            tl0_picture_index,
        };
        let target = self.next_timestamp(now);
        if let Some(binding) = &mut self.binding {
            binding.flow = Some(flow);
            // A source that merely paused goes on on its own clock.
            if binding.clock.is_none_or(|(ssrc, _)| ssrc != packet.ssrc) {
                binding.clock = Some((packet.ssrc, target.wrapping_sub(packet.timestamp)));
            }
        }
        flow
    }

    /// The timestamp for a source that starts now.
    fn next_timestamp(&self, now: Instant) -> u32 {
        match &self.binding {
            Some(b) if b.clock.is_none() => b
                .first_timestamp
                .wrapping_add(self.ticks(now.saturating_duration_since(b.bound_at))),
            _ => match self.left.at {
                Some(at) => self.later(at, now).wrapping_add(1),
                None => self.left.timestamp,
            },
        }
    }

    /// The newest timestamp, carried on from when it left to `until`.
    fn later(&self, at: Instant, until: Instant) -> u32 {
        self.left.timestamp.wrapping_add(self.ticks(until.saturating_duration_since(at)))
    }

    fn ticks(&self, elapsed: Duration) -> u32 {
        (elapsed.as_micros() * u128::from(self.kind.clock_hz()) / 1_000_000) as u32
    }

    fn remember(&mut self, now: Instant, sequence: u64, timestamp: u32, ids: DescriptorRewrite) {
        let left = &mut self.left;
        let is_first = left.at.is_none();
        left.sequence_number = left.sequence_number.max(sequence);
        if is_first || !is_before(timestamp, left.timestamp) {
            left.timestamp = timestamp;
            left.at = Some(now);
        }
        if let Some(id) = ids.picture_id {
            let ahead = id.value.wrapping_sub(left.picture_id) & id.mask();
            if ahead <= id.mask() / 2 {
                left.picture_id = id.value;
            }
        }
        if let Some(index) = ids.tl0_picture_index
            && (index.value.wrapping_sub(left.tl0_picture_index) as i8) >= 0
        {
            left.tl0_picture_index = index.value;
        }
    }
}

/// The identifiers that the packet leaves with.
fn rewrite(frame: FrameInfo, flow: Flow) -> DescriptorRewrite {
    DescriptorRewrite {
        picture_id: frame.picture_id.map(|mut id| {
            id.value = id.value.wrapping_add(flow.picture_id) & id.mask();
            id
        }),
        tl0_picture_index: frame.tl0_picture_index.map(|mut index| {
            index.value = index.value.wrapping_add(flow.tl0_picture_index);
            index
        }),
    }
}

/// Whether `a` is earlier than `b` (mod 2^32).
fn is_before(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}

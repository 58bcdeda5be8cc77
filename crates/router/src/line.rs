//! One half of a slot pair: the rewriting that makes ever new sources look like one sender.
//!
//! Per line one SSRC, sequence numbers without a gap that the source did not have, timestamps that
//! never go back, picture identifiers that go on counting. See `docs/decisions/router-slots.md`.

mod flow;

use std::time::{Duration, Instant};

use flow::{Clock, Flow, Pictures, frame_number, is_before};

use crate::codec::{Format, FrameInfo, Payload, payload_type_for};
use crate::engine::{DescriptorRewrite, RtpIn, RtpOut};
use crate::ids::{Kind, Mid};
use crate::kept::Part;
use crate::layers::{Aim, Encodings, Need};
use crate::renumbering::Renumbering;
use crate::scalability::{Cell, Fate, Selection};
use crate::sojourn::ReceivedAt;
use crate::statistics::DropCause;
use crate::thinning::Thinning;

/// Between the newest timestamp of the former binding and the first of the next, beyond the time
/// that passed: senders write timestamps a little ahead of time, and 20 ms delays nobody.
const MARGIN: Duration = Duration::from_millis(20);

/// A greater jump of sequence numbers is a new sequence: receivers guess the upper bits of an SRTP
/// index from the lower 16 and lose them after a jump of half the range.
const LARGEST_GAP: u64 = 5_000;

/// Two encodings of one source differ less; sender reports that say more are not believed. In ticks
/// of the video clock.
const LARGEST_SHIFT: u32 = 90_000;

/// How far what leaves may be ahead of the timestamp that is compared with, which follows then: of two that are half
/// the range apart, 6.6 hours of video, nobody knows which is the earlier.
const LONGEST_REACH: u32 = 1 << 30;
/// After so long a silence nothing that comes is late, and timestamps may have gone half round: with [`LONGEST_REACH`]
/// this is less than half the range.
const LONG_SILENCE: Duration = Duration::from_secs(3 * 3600);

/// A packet of the source, with what the router found out about it.
#[derive(Debug, Clone)]
pub(crate) struct Incoming {
    pub(crate) packet: RtpIn,
    pub(crate) format: Format,
    pub(crate) frame: FrameInfo,
    pub(crate) captured: Instant,
    /// Which encoding of the track.
    pub(crate) encoding: u8,
    /// When it was captured on the publisher's own clock, in microseconds, once a report told.
    pub(crate) source_us: Option<i64>,
    /// Something later of the encoding came before it.
    pub(crate) is_late: bool,
    /// Greatest number of the encoding that came before it; 0 if it is the first.
    pub(crate) newest_before: u64,
    /// Whether it was kept for those who wait.
    pub(crate) part: Part,
    /// When it came, if it is followed.
    pub(crate) received: Option<ReceivedAt>,
}

/// What becomes of a packet.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Nothing is bound, the line is paused, or it gets another encoding.
    Ignore,
    /// It cannot be sent.
    Drop(DropCause),
    /// It is useless before a key frame.
    NeedsKeyFrame,
    /// Send this.
    Send(RtpOut),
}

/// Whether a packet of what does not flow may begin to.
enum Admission {
    Open,
    NeedsKeyFrame,
    Refused,
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
    /// By which its engine finds it at once.
    pub(crate) number: Option<usize>,
    kind: Kind,
    /// What the client takes on this line.
    payloads: Vec<Payload>,
    left: Left,
    binding: Option<Binding>,
    /// What it goes for; video only.
    aim: Aim,
}

/// What left the line so far; survives every binding.
#[derive(Debug)]
struct Left {
    /// Greatest sequence number, extended beyond 16 bits.
    sequence_number: u64,
    /// Greatest timestamp (mod 2^32), and when it left.
    timestamp: u32,
    at: Option<Instant>,
    /// When that was captured on the clock of the bound source, in microseconds.
    source_us: Option<i64>,
    /// Greatest picture identifiers (mod their length).
    picture_id: u16,
    tl0_picture_index: u8,
    /// Greatest frame number of a dependency descriptor (mod 2^16).
    frame: u16,
}

impl Left {
    /// Whether the newest packet left so long ago that its timestamp cannot be compared with any more.
    fn is_long_ago(&self, now: Instant) -> bool {
        self.at.is_some_and(|at| now.saturating_duration_since(at) >= LONG_SILENCE)
    }
}

#[derive(Debug)]
struct Binding {
    bound_at: Instant,
    /// No packet of this binding carries an earlier timestamp. Follows what leaves, see [`LONGEST_REACH`].
    first_timestamp: u32,
    paused: bool,
    started: bool,
    /// The newest format of the source and the payload type for it.
    mapping: Option<(Format, Option<u8>)>,
    not_supported: bool,
    /// Set while packets flow; video waits for a key frame without it.
    flow: Option<Flow>,
    /// Source and number of the newest packet that left.
    newest: Option<(u32, u64)>,
    clock: Option<Clock>,
}

impl Line {
    /// A free line. `seed` makes the first numbers unpredictable (RFC 3550 section 5.1); the
    /// sequence starts in the lower half so that it does not wrap within the first packets.
    pub(crate) fn new(mid: Mid, kind: Kind, seed: u64) -> Self {
        let first = (seed >> 48) as u16;
        Self {
            mid,
            number: None,
            kind,
            payloads: Vec::new(),
            left: Left {
                sequence_number: u64::from(first & 0x7fff),
                timestamp: (seed >> 16) as u32,
                at: None,
                source_us: None,
                picture_id: seed as u16 & 0x7fff,
                tl0_picture_index: seed as u8,
                frame: (seed >> 8) as u16,
            },
            binding: None,
            aim: Aim::UNKNOWN,
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
        self.aim = Aim::UNKNOWN;
        self.left.source_us = None;
        self.binding = Some(Binding {
            bound_at: now,
            first_timestamp,
            paused,
            started: false,
            mapping: None,
            not_supported: false,
            flow: None,
            newest: None,
            clock: None,
        });
        first_timestamp
    }

    pub(crate) fn unbind(&mut self) {
        self.binding = None;
    }

    pub(crate) fn set_paused(&mut self, paused: bool) {
        if let Some(binding) = &mut self.binding {
            binding.paused = paused;
            if paused {
                binding.flow = None;
            }
        }
    }

    /// Reads what [`Self::forward`] is about to read.
    pub(crate) fn look_at(&self) -> u64 {
        let left = self.left.sequence_number ^ u64::from(self.left.tl0_picture_index);
        let Some(binding) = &self.binding else {
            return left;
        };
        let flow = binding.flow.as_ref().map_or(0, |flow| {
            u64::from(flow.ssrc) ^ flow.sequence.newest() ^ u64::from(flow.tl0_picture_index)
        });
        let clock = binding.clock.map_or(0, |clock| clock.offset);
        left ^ flow ^ u64::from(clock ^ binding.first_timestamp) ^ u64::from(binding.started)
    }

    /// Whether packets of the bound source are wanted.
    pub(crate) fn is_active(&self) -> bool {
        self.binding.as_ref().is_some_and(|b| !b.paused)
    }

    /// Sets what the line goes for. Returns whether that is to follow another encoding than before.
    pub(crate) fn set_aim(&mut self, aim: Aim) -> bool {
        let former = std::mem::replace(&mut self.aim, aim);
        former.follow != aim.follow
    }

    /// The encoding that the line needs a key frame of.
    pub(crate) fn awaited(&self) -> Option<u8> {
        let flow = self.binding.as_ref().filter(|b| !b.paused)?.flow.as_ref();
        let follow = self.aim.follow?;
        flow.is_none_or(|flow| flow.encoding != follow).then_some(follow)
    }

    /// The encoding that it shows, or waits for.
    pub(crate) fn encoding(&self) -> Option<u8> {
        let flow = self.binding.as_ref().and_then(|b| b.flow.as_ref());
        flow.map(|flow| flow.encoding).or(self.aim.follow)
    }

    /// What it needs of its source.
    pub(crate) fn need(&self) -> Need {
        let Some(binding) = self.binding.as_ref().filter(|b| !b.paused) else {
            return Need::NONE;
        };
        let Some(wanted) = self.aim.wanted else {
            return Need::ALL;
        };
        let follow = self.aim.follow.map_or(Encodings::NONE, Encodings::one);
        let receives = match &binding.flow {
            Some(flow) => follow.and(Encodings::one(flow.encoding)),
            None => self.aim.first,
        };
        Need { receives, wants: Encodings::one(wanted), spatial: self.aim.wanted_spatial }
    }

    /// Learns the format of the source; also called before its first packet, when it is known.
    pub(crate) fn set_format(&mut self, format: Format) -> Option<Notice> {
        let payloads = &self.payloads;
        let binding = self.binding.as_mut()?;
        if binding.mapping.is_some_and(|(known, _)| known == format) {
            return None;
        }
        let to = payload_type_for(format, payloads);
        // Not by the mapping, which another offer makes anew.
        if binding.flow.as_ref().is_some_and(|flow| flow.codec != format.codec()) {
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

    /// Decides on one packet of the bound source; tells by `notice` what control should hear of.
    pub(crate) fn forward(
        &mut self,
        now: Instant,
        incoming: &Incoming,
        notice: &mut Option<Notice>,
    ) -> Verdict {
        if !self.is_active() {
            return Verdict::Ignore;
        }
        *notice = self.set_format(incoming.format);
        let verdict = self.decide(now, incoming);
        if let (Verdict::Send(_), Some(binding)) = (&verdict, &mut self.binding)
            && !binding.started
        {
            binding.started = true;
            *notice = notice.or(Some(Notice::Started));
        }
        verdict
    }

    #[inline]
    fn decide(&mut self, now: Instant, incoming: &Incoming) -> Verdict {
        let packet = &incoming.packet;
        let Some((_, Some(payload_type))) = self.binding.as_ref().and_then(|b| b.mapping) else {
            return Verdict::Drop(DropCause::CodecNotSupported);
        };
        if !self.flows(packet) {
            // What is repeated late would begin with a picture from before what was shown.
            let newest = self.binding.as_ref().and_then(|b| b.newest);
            if newest.is_some_and(|(of, at)| of == packet.ssrc && packet.sequence_number < at) {
                return Verdict::Drop(DropCause::BeforeBinding);
            }
            match self.admit(incoming) {
                Admission::Open => self.open(now, incoming),
                Admission::NeedsKeyFrame => return Verdict::NeedsKeyFrame,
                Admission::Refused => return Verdict::Ignore,
            }
        }
        let aim = self.aim;
        let Some(Binding { flow: Some(flow), clock: Some(clock), first_timestamp, newest, .. }) =
            &mut self.binding
        else {
            return Verdict::Ignore;
        };
        if incoming.part == Part::Following && packet.sequence_number <= flow.sequence.newest() {
            return Verdict::Ignore;
        }
        let is_key = incoming.frame.starts_key_frame;
        let mut marker = packet.marker;
        let mut is_change = false;
        if let Some(layers) = &incoming.frame.layers {
            let wanted = Cell { spatial: aim.spatial, temporal: aim.temporal };
            match flow.selection.decide(wanted, layers) {
                Fate::Kept { ends_picture, is_change: is_changed } => {
                    marker |= ends_picture;
                    is_change = is_changed;
                }
                fate => {
                    flow.sequence.leave_out(packet.sequence_number);
                    let needs_key = fate == Fate::NeedsKeyFrame;
                    return if needs_key { Verdict::NeedsKeyFrame } else { Verdict::Ignore };
                }
            }
        } else if flow.selection.current().is_some()
            && packet.sequence_number < flow.sequence.newest()
        {
            // It is of layers from before the newest structure, and nobody can tell of which.
            flow.sequence.leave_out(packet.sequence_number);
            return Verdict::Ignore;
        } else {
            let (temporal, timestamp) = (incoming.frame.temporal_layer, packet.timestamp);
            if !flow.thinning.keeps(aim.temporal, temporal, timestamp, is_key) {
                flow.leave_out(packet.sequence_number, &incoming.frame);
                return Verdict::Ignore;
            }
        }
        let is_late = packet.sequence_number < flow.sequence.newest();
        if is_late && !flow.has_place_for(&incoming.frame) {
            // The rest of a picture whose beginning was left out.
            flow.sequence.leave_out(packet.sequence_number);
            return Verdict::Ignore;
        }
        let timestamp = clock.map(packet.timestamp);
        let is_early = is_before(timestamp, *first_timestamp) && !self.left.is_long_ago(now);
        let (Some(sequence_number), false) = (flow.sequence.map(packet.sequence_number), is_early)
        else {
            return Verdict::Drop(DropCause::BeforeBinding);
        };
        if timestamp.wrapping_sub(*first_timestamp) > LONGEST_REACH {
            *first_timestamp = timestamp.wrapping_sub(LONGEST_REACH);
        }
        let mut rewrite = flow.rewrite(&incoming.frame);
        rewrite.dependency = flow.rewrite_dependency(packet, &incoming.frame, is_change);
        *newest = Some((packet.ssrc, flow.sequence.newest()));
        self.remember(now, sequence_number, timestamp, incoming.source_us, rewrite);
        Verdict::Send(RtpOut {
            payload_type,
            sequence_number,
            timestamp,
            captured: incoming.captured,
            marker,
            extensions: packet.extensions,
            payload: packet.payload.clone(),
            rewrite,
            codec: incoming.format.codec(),
            received: incoming.received,
        })
    }

    /// Whether the packet goes on with what flows.
    fn flows(&self, packet: &RtpIn) -> bool {
        let Some(flow) = self.binding.as_ref().and_then(|b| b.flow.as_ref()) else {
            return false;
        };
        flow.ssrc == packet.ssrc && packet.sequence_number <= flow.sequence.newest() + LARGEST_GAP
    }

    /// Whether a packet of what does not flow may begin to: at a key frame, of the encoding that is
    /// gone for, or of any lower one if nothing flows yet. What followed a key frame that comes late was
    /// refused, and unless it was kept it does not come again: the picture would have holes that nobody can fill.
    fn admit(&self, incoming: &Incoming) -> Admission {
        let Incoming { encoding, ref frame, is_late, part, .. } = *incoming;
        if self.kind == Kind::Audio {
            return Admission::Open;
        }
        let shown = self.binding.as_ref().and_then(|b| b.flow.as_ref()).map(|f| f.encoding);
        // What is shown and does not go on: the source began anew.
        let is_aim = self.aim.follow.is_none_or(|follow| follow == encoding)
            || shown.is_some_and(|shown| shown == encoding);
        let is_welcome = is_aim || (shown.is_none() && self.aim.first.has(encoding));
        let is_beginning = frame.starts_key_frame && (!is_late || part == Part::Beginning);
        match (is_welcome && is_beginning, is_aim) {
            (true, _) => Admission::Open,
            _ if part == Part::Following => Admission::Refused,
            (false, true) => Admission::NeedsKeyFrame,
            (false, false) => Admission::Refused,
        }
    }

    /// Lets the source in, at this packet.
    fn open(&mut self, now: Instant, incoming: &Incoming) {
        let Incoming { ref packet, ref frame, encoding, .. } = *incoming;
        let flow = Flow {
            ssrc: packet.ssrc,
            codec: incoming.format.codec(),
            encoding,
            sequence: Renumbering::new(packet.sequence_number, self.left.sequence_number + 1),
            pictures: frame.picture_id.map(|id| {
                // Room below, for those that come late.
                let first = u64::from(id.value) + (1 << 16);
                let first_out = u64::from(self.left.picture_id) + 1 + (1 << 16);
                Pictures { numbers: Renumbering::new(first, first_out), newest: first }
            }),
            tl0_picture_index: frame.tl0_picture_index.map_or(0, |index| {
                self.left.tl0_picture_index.wrapping_add(1).wrapping_sub(index.value)
            }),
            thinning: Thinning::new(self.aim.temporal),
            selection: Selection::default(),
            // Without a descriptor nothing is counted on.
            frames: frame_number(packet).map_or(self.left.frame, |first| {
                self.left.frame.wrapping_add(1).wrapping_sub(first)
            }),
        };
        let target = self.next_timestamp(now, incoming.source_us);
        let floor = if self.binding.as_ref().is_some_and(|b| b.clock.is_some()) {
            self.left.timestamp
        } else {
            target.wrapping_sub(1)
        };
        if let Some(binding) = &mut self.binding {
            binding.flow = Some(flow);
            // A source that merely paused goes on on its own clock.
            if binding.clock.is_none_or(|clock| clock.ssrc != packet.ssrc) {
                let first = packet.timestamp;
                let offset = target.wrapping_sub(first);
                binding.clock = Some(Clock { ssrc: packet.ssrc, offset, first, floor });
            }
        }
    }

    /// The timestamp for a source that starts now.
    fn next_timestamp(&self, now: Instant, source_us: Option<i64>) -> u32 {
        let (binding, at) = match (&self.binding, self.left.at) {
            (Some(b), _) if b.clock.is_none() => {
                let waited = self.ticks(now.saturating_duration_since(b.bound_at));
                return b.first_timestamp.wrapping_add(waited);
            }
            (Some(b), Some(at)) => (b, at),
            _ => return self.left.timestamp,
        };
        let by_time = self.later(at, now).wrapping_add(1);
        let exact = self.left.source_us.zip(source_us).map(|(former, this)| {
            let ticks = this.saturating_sub(former).saturating_mul(self.kind.clock_hz().into());
            self.left.timestamp.wrapping_add((ticks / 1_000_000) as u32)
        });
        exact
            .filter(|exact| {
                exact.wrapping_sub(by_time).wrapping_add(LARGEST_SHIFT) <= 2 * LARGEST_SHIFT
            })
            .filter(|exact| !is_before(*exact, binding.first_timestamp))
            .unwrap_or(by_time)
    }

    /// The newest timestamp, carried on from when it left to `until`.
    fn later(&self, at: Instant, until: Instant) -> u32 {
        self.left.timestamp.wrapping_add(self.ticks(until.saturating_duration_since(at)))
    }

    fn ticks(&self, elapsed: Duration) -> u32 {
        (elapsed.as_micros() * u128::from(self.kind.clock_hz()) / 1_000_000) as u32
    }

    fn remember(
        &mut self,
        now: Instant,
        sequence: u64,
        timestamp: u32,
        source_us: Option<i64>,
        ids: DescriptorRewrite,
    ) {
        let left = &mut self.left;
        let is_first = left.at.is_none();
        left.sequence_number = left.sequence_number.max(sequence);
        if is_first || !is_before(timestamp, left.timestamp) || left.is_long_ago(now) {
            left.timestamp = timestamp;
            left.at = Some(now);
            left.source_us = source_us;
        }
        if let Some(id) = ids.picture_id {
            let ahead = id.value.wrapping_sub(left.picture_id) & id.mask();
            if ahead <= id.mask() / 2 {
                left.picture_id = id.value;
            }
        }
        if (ids.dependency.number.wrapping_sub(left.frame) as i16) > 0 {
            left.frame = ids.dependency.number;
        }
        if let Some(index) = ids.tl0_picture_index
            && (index.value.wrapping_sub(left.tl0_picture_index) as i8) >= 0
        {
            left.tl0_picture_index = index.value;
        }
    }
}

//! The lines that we send on: numbers, history, sender reports and what receivers said.

use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use super::buffers::MediaBytes;
use super::description::{Description, LineDescription, Redundancy, SourceDescription};
use super::history::History;
use super::redundancy::Formers;
use crate::engine::{Extensions as Values, RtpOut, Urgency};
use crate::ids::{Kind, Mid};
use crate::rtp::dependency::Written;
use crate::rtp::rtcp::SenderInfo;
use crate::rtp::srtp::{SealError, Sealer, SourceHandle};
use crate::rtp::{self, ExtensionIds, ExtensionKind, NoRoom, red, rtx};

/// A repetition's number below which its stream begins (RFC 3550 section 5.1 wants it unpredictable;
/// the SSRC beside it is).
const FIRST_REPAIR: u64 = 0x3fff;

/// Lines of a client that watches one or two streams.
const FEW_LINES: usize = 4;

/// A mid as it is written, beside what else a packet needs of its line: elsewhere in memory it would be waited for.
#[derive(Debug)]
struct MidText {
    bytes: [u8; Mid::MAX_BYTES],
    length: u8,
}

impl MidText {
    fn new(mid: Mid) -> Self {
        let text = mid.as_str().as_bytes();
        let mut bytes = [0; _];
        for (target, byte) in bytes.iter_mut().zip(text) {
            *target = *byte;
        }
        Self { bytes, length: text.len().min(Mid::MAX_BYTES) as u8 }
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

/// One line that we send on.
#[derive(Debug)]
pub(super) struct SendLine {
    pub(super) mid: Mid,
    /// As it is written into each packet.
    mid_text: MidText,
    pub(super) kind: Kind,
    pub(super) own: SourceDescription,
    pub(super) history: History,
    extensions: ExtensionIds,
    /// Payload types whose packets may be asked for again, and what they are repeated by.
    repeatable: Vec<(u8, Option<u8>)>,
    /// Of the newest payload type, so that the list is not looked through for each packet.
    newest_repeatable: Option<(u8, Repeatable)>,
    /// How its receiver takes redundant audio (RFC 2198).
    redundancy: Option<Redundancy>,
    /// What left last, to be repeated by the next packets.
    pub(super) formers: Formers,
    handles: Option<(SourceHandle, Option<SourceHandle>)>,
    last_repair: u64,
    packets: u32,
    bytes: u32,
    /// The newest packet's timestamp, and when that was captured.
    captured: Option<(u32, Instant)>,
    /// As the receiver says.
    pub(super) lost: u64,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    pub(super) lines: Vec<SendLine>,
    by_mid: FxHashMap<Mid, usize>,
    /// Our own choice, so that nobody makes them collide.
    by_ssrc: FxHashMap<u32, usize>,
}

impl Outgoing {
    /// A later offer: new lines, and other numbers of those that are there.
    pub(super) fn describe(&mut self, description: &Description) {
        for line in &description.lines {
            let Some(own) = line.own else {
                continue;
            };
            let index = *self.by_mid.entry(line.mid).or_insert(self.lines.len());
            if index == self.lines.len() {
                self.lines.push(SendLine::new(line, own));
            }
            if let Some(known) = self.lines.get_mut(index) {
                known.describe(line, own);
            }
            self.by_ssrc.insert(own.ssrc, index);
        }
    }

    pub(super) fn index(&self, mid: Mid) -> Option<usize> {
        // The first few are looked at anyway: that costs less than to look them up.
        let first = self.lines.iter().take(FEW_LINES).position(|line| line.mid == mid);
        first.or_else(|| self.by_mid.get(&mid).copied())
    }

    pub(super) fn line_mut(&mut self, index: usize) -> Option<&mut SendLine> {
        self.lines.get_mut(index)
    }

    pub(super) fn of_ssrc(&mut self, ssrc: u32) -> Option<(usize, &mut SendLine)> {
        let index = *self.by_ssrc.get(&ssrc)?;
        Some((index, self.lines.get_mut(index)?))
    }
}

/// How a packet leaves again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeatable {
    /// Not at all: nobody may ask for it.
    No,
    /// In the repair stream, with this payload type.
    By(u8),
    /// To the bit: without a repair stream another seal would use an index twice.
    AsItWas,
}

/// Why a packet is not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotWritten {
    /// It is larger than any datagram.
    TooLarge,
    /// The line has no repair, or the index was used.
    NotSealed,
}

impl From<NoRoom> for NotWritten {
    fn from(_: NoRoom) -> Self {
        Self::TooLarge
    }
}

impl From<SealError> for NotWritten {
    fn from(cause: SealError) -> Self {
        tracing::debug!(%cause, "packet not sealed");
        Self::NotSealed
    }
}

impl SendLine {
    fn new(line: &LineDescription, own: SourceDescription) -> Self {
        Self {
            mid: line.mid,
            mid_text: MidText::new(line.mid),
            kind: line.kind,
            own,
            history: History::default(),
            extensions: line.extensions,
            repeatable: Vec::new(),
            newest_repeatable: None,
            redundancy: None,
            formers: Formers::default(),
            handles: None,
            last_repair: FIRST_REPAIR & u64::from(own.ssrc),
            packets: 0,
            bytes: 0,
            captured: None,
            lost: 0,
        }
    }

    fn describe(&mut self, line: &LineDescription, own: SourceDescription) {
        if self.own != own {
            self.own = own;
            self.handles = None;
        }
        self.extensions = line.extensions;
        self.redundancy = line.redundancy();
        let repeatable = line.payloads.iter().filter(|payload| payload.has_nack);
        self.repeatable =
            repeatable.map(|p| (p.payload_type, line.repair_of(p.payload_type))).collect();
        self.newest_repeatable = None;
    }

    /// Reads what writing a packet is about to read.
    pub(super) fn look_at(&self, sealer: &Sealer) -> u64 {
        let source = self.handles.map_or(0, |(media, _)| sealer.look_at(media));
        let own = u64::from(self.packets) ^ self.last_repair ^ u64::from(self.own.ssrc);
        let text = u64::from(self.mid_text.length) ^ self.lost;
        source ^ own ^ text ^ self.history.look_at() ^ u64::from(self.captured.is_some())
    }

    pub(super) fn urgency(&self) -> Urgency {
        match self.kind {
            Kind::Audio => Urgency::Audio,
            Kind::Video => Urgency::Video,
        }
    }

    /// Whether its packets have numbers in the transport.
    pub(super) fn has_transport_sequence(&self) -> bool {
        self.extensions.of(ExtensionKind::TransportSequence).is_some()
    }

    /// How packets of this type leave again.
    pub(super) fn repetition(&self, payload_type: u8) -> Repeatable {
        match self.repeatable.iter().find(|(known, _)| *known == payload_type) {
            None => Repeatable::No,
            Some((_, Some(by))) if self.own.repair.is_some() => Repeatable::By(*by),
            Some(_) => Repeatable::AsItWas,
        }
    }

    /// As [`Self::repetition`], and remembers it for the next packet of this type.
    pub(super) fn repetition_of_new(&mut self, payload_type: u8) -> Repeatable {
        if let Some((known, repeatable)) = self.newest_repeatable
            && known == payload_type
        {
            return repeatable;
        }
        let repeatable = self.repetition(payload_type);
        self.newest_repeatable = Some((payload_type, repeatable));
        repeatable
    }

    fn handles(
        &mut self,
        sealer: &mut Sealer,
    ) -> Result<(SourceHandle, Option<SourceHandle>), NotWritten> {
        if let Some(handles) = self.handles {
            return Ok(handles);
        }
        let media = sealer.source(self.own.ssrc)?;
        let repair = self.own.repair.map(|ssrc| sealer.source(ssrc)).transpose()?;
        self.handles = Some((media, repair));
        Ok((media, repair))
    }

    /// Writes a packet of the line, sealed; returns its length. Of redundant audio it repeats at most `depth`
    /// packets.
    pub(super) fn write(
        &mut self,
        sealer: &mut Sealer,
        buffer: &mut [u8],
        packet: &RtpOut,
        transport_sequence: Option<u16>,
        depth: u8,
    ) -> Result<usize, NotWritten> {
        let (media, _) = self.handles(sealer)?;
        // Without anything to repeat it leaves as it is, which its receiver takes as well.
        let redundancy = self.redundancy.filter(|r| r.combined == packet.payload_type);
        let repeated = redundancy.map(|r| (r.payload_type, self.formers.before(packet, depth)));
        let repeated = repeated.as_ref().filter(|(_, blocks)| !blocks.as_slice().is_empty());
        let header = rtp::Outgoing {
            marker: packet.marker,
            payload_type: repeated.map_or(packet.payload_type, |(payload_type, _)| *payload_type),
            sequence_number: packet.sequence_number as u16,
            timestamp: packet.timestamp,
            ssrc: self.own.ssrc,
        };
        let dependency = packet.dependency();
        let mut extensions =
            extensions(self.mid_text.as_bytes(), &packet.extensions, transport_sequence);
        extensions.dependency_descriptor = dependency.as_ref().map(Written::as_bytes);
        let start = header.write(buffer, &self.extensions, &extensions)?;
        let end = match repeated {
            Some((_, blocks)) => {
                let room = buffer.get_mut(start..).ok_or(NoRoom)?;
                let codec = packet.payload_type;
                start + red::write(room, codec, blocks.as_slice(), &packet.payload)?
            }
            None => put_payload(buffer, start, packet)?,
        };
        let length = sealer.seal_written(media, buffer, start, end, packet.sequence_number)?;
        self.packets = self.packets.wrapping_add(1);
        self.bytes = self.bytes.wrapping_add((end - start) as u32);
        // One that comes late may not know well when it was captured.
        let is_late = |newest: u32| (packet.timestamp.wrapping_sub(newest) as i32) < 0;
        if !self.captured.is_some_and(|(newest, _)| is_late(newest)) {
            self.captured = Some((packet.timestamp, packet.captured));
        }
        if redundancy.is_some() {
            self.formers.push(packet);
        }
        Ok(length)
    }

    /// Writes a packet once more, as its repair stream has it (RFC 4588 section 4).
    pub(super) fn write_again(
        &mut self,
        sealer: &mut Sealer,
        buffer: &mut [u8],
        packet: &RtpOut,
        transport_sequence: Option<u16>,
    ) -> Result<usize, NotWritten> {
        let (_, repair) = self.handles(sealer)?;
        let by = self.repetition(packet.payload_type);
        let (Some(repair), Repeatable::By(payload_type), Some(ssrc)) =
            (repair, by, self.own.repair)
        else {
            return Err(NotWritten::NotSealed);
        };
        self.last_repair += 1;
        let header = rtp::Outgoing {
            marker: packet.marker,
            payload_type,
            sequence_number: self.last_repair as u16,
            timestamp: packet.timestamp,
            ssrc,
        };
        let dependency = packet.dependency();
        let mut extensions =
            extensions(self.mid_text.as_bytes(), &packet.extensions, transport_sequence);
        extensions.dependency_descriptor = dependency.as_ref().map(Written::as_bytes);
        let start = header.write(buffer, &self.extensions, &extensions)?;
        let number = (packet.sequence_number as u16).to_be_bytes();
        *buffer.get_mut(start..).and_then(<[u8]>::first_chunk_mut).ok_or(NoRoom)? = number;
        let end = put_payload(buffer, start + rtx::OVERHEAD, packet)?;
        Ok(sealer.seal_written(repair, buffer, start, end, self.last_repair)?)
    }

    /// A large packet that left lately and has a repair stream to leave again in.
    pub(super) fn sample(&self) -> Option<&RtpOut> {
        let largest = self.history.largest_of_newest()?;
        let by = self.repetition(largest.payload_type);
        matches!(by, Repeatable::By(_)).then_some(largest)
    }

    /// What the line's sender report says, once it sent: the time now, on the clock of what it sends.
    pub(super) fn report(&self, now: Instant, ntp: u64) -> Option<SenderInfo> {
        let (timestamp, captured) = self.captured?;
        let age = now.saturating_duration_since(captured).as_micros();
        let ticks = age * u128::from(self.kind.clock_hz()) / 1_000_000;
        Some(SenderInfo {
            ntp,
            rtp_timestamp: timestamp.wrapping_add(ticks as u32),
            packets: self.packets,
            bytes: self.bytes,
        })
    }
}

fn put_payload(buffer: &mut [u8], start: usize, packet: &RtpOut) -> Result<usize, NoRoom> {
    let end = start + packet.payload.len();
    let target = buffer.get_mut(start..end).ok_or(NoRoom)?;
    target.copy_from_slice(&packet.payload);
    packet.rewrite.apply(target);
    Ok(end)
}

fn extensions<'a>(
    mid: &'a [u8],
    values: &Values,
    transport_sequence: Option<u16>,
) -> rtp::Extensions<'a> {
    rtp::Extensions {
        mid: Some(mid),
        audio_level: values.audio_level(),
        video_orientation: values.video_orientation,
        capture_time: values.capture_time,
        transport_sequence,
        ..rtp::Extensions::default()
    }
}

/// What waits to be sealed.
#[derive(Debug)]
pub(super) enum Waiting {
    /// A packet that leaves for the first time.
    New { line: usize, packet: RtpOut },
    /// As [`Self::New`], of a binding that has ended: it is neither held back nor kept for repetitions.
    Last { line: usize, packet: RtpOut },
    /// One that leaves again in its repair stream.
    Again { line: usize, packet: RtpOut },
    /// One that leaves again as it was.
    Same { line: usize, sealed: MediaBytes },
}

/// The time between a report and its answer, by the compact times of both.
pub(super) fn round_trip(now: u32, last_report: u32, delay: u32) -> Option<Duration> {
    const LONGEST: u32 = 10 << 16;
    if last_report == 0 {
        return None;
    }
    let units = now.wrapping_sub(last_report).wrapping_sub(delay);
    // A clock that is a little off makes it negative.
    let units = if units > u32::MAX / 2 { 0 } else { units };
    (units < LONGEST).then(|| Duration::from_micros(u64::from(units) * 1_000_000 / 65_536))
}

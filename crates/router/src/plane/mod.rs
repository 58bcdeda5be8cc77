//! The media plane: all RTP, RTCP and SRTP of one transport, and nothing of ICE, DTLS or SDP.
//!
//! It is told what was negotiated ([`Plane::describe`]) and given the keys once ([`Plane::open`]).
//! Datagrams, packets to send and the time go in; packets that came, what the peer asked for and
//! datagrams come out. Nothing that a datagram says changes anything before it was authenticated.

mod arrivals;
mod buffers;
mod control;
mod datagrams;
mod departed;
mod description;
mod history;
mod incoming;
mod intake;
mod losses;
mod missing;
mod outgoing;
mod pacing;
mod reception;
mod redundancy;
mod repetition;
mod standing;
mod taking;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use str0m::media::Rid;

use arrivals::Arrivals;
pub use buffers::{Buffers, MediaBytes};
pub(crate) use datagrams::MAX_DATAGRAM_BYTES;
pub use datagrams::{Datagrams, Departure};
use departed::{Departed, Departures};
pub use description::{Description, LineDescription, PayloadDescription, SourceDescription};
use incoming::Incoming;
use intake::Intake;
use losses::Losses;
use outgoing::{Outgoing, Repeatable, Waiting};
use pacing::Pacing;
pub(crate) use redundancy::MAX_DEPTH as MAX_REDUNDANCY;
use repetition::Repetition;

use crate::engine::{EngineReport, Output, RtpOut, Urgency};
use crate::exchange::PeerAddress;
use crate::ids::Mid;
use crate::lookahead::Work;
use crate::rtp::srtp::{self, KeyError, Opener, Profile, Sealer};
use crate::rtp::{self, is_rtcp};
use crate::statistics::DropCause;

/// Sources of one transport: 16 streams of three encodings, each with audio, video and
/// retransmission, are 112. Each is remembered for as long as the transport lives.
const SOURCES: usize = 1024;
/// Packets that wait to be sealed; beyond, the newest is dropped.
const MAX_WAITING: usize = 8192;
/// Outputs and control packets that wait to be taken; beyond, the newest is dropped.
const MAX_OUTPUTS: usize = 1024;
/// Packets that one call of a probe makes.
const MAX_PROBE_PACKETS: usize = 64;

/// A packet that left with a number in its transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentPacket {
    /// Its number; each is one more than the last.
    pub sequence: u16,
    /// When it left.
    pub at: Instant,
    /// Of the whole datagram, without IP and UDP.
    pub bytes: u32,
}

/// What the peer says of one packet that left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportedPacket {
    /// Its number.
    pub sequence: u16,
    /// When it came, in microseconds on the peer's clock from any origin; absent: it did not come.
    pub arrival_us: Option<u64>,
}

/// The keys of a transport, in use.
#[derive(Debug)]
struct Keys {
    opener: Opener,
    sealer: Sealer,
    since: Instant,
}

/// The plane of one transport.
#[derive(Debug)]
pub struct Plane {
    /// What NTP times and arrivals are counted from.
    start: Instant,
    /// The NTP time of that, in units of 2^-32 s.
    start_ntp: u64,
    description: Description,
    /// Of all lines: in a bundle a number has one meaning (RFC 9143 section 8.2).
    extensions: rtp::ExtensionIds,
    keys: Option<Keys>,
    buffers: Buffers,
    intake: Intake,
    incoming: Incoming,
    arrivals: Arrivals,
    losses: Losses,
    outgoing: Outgoing,
    waiting: VecDeque<Waiting>,
    pacing: Pacing,
    repetition: Repetition,
    departures: Departures,
    next_sequence: u16,
    sent: Vec<SentPacket>,
    outputs: VecDeque<Output>,
    control: VecDeque<Vec<u8>>,
    /// Feedback that leaves once more, not sealed yet, and when.
    copies: VecDeque<(Instant, Vec<u8>)>,
    /// Packets that one of redundant audio repeats.
    redundancy: u8,
    round_trip: Option<Duration>,
    report: EngineReport,
    report_at: Option<Instant>,
    /// Reference time of feedback, unwrapped.
    feedback_reference: Option<u64>,
    /// Scratch for the numbers of one request.
    due: Vec<u16>,
}

impl Plane {
    /// A plane without lines and keys. `start_ntp` is the NTP time of `start`, in units of 2^-32 s
    /// since 1900; it need not be true, only the same for all lines.
    #[must_use]
    pub fn new(start: Instant, start_ntp: u64) -> Self {
        Self {
            start,
            start_ntp,
            description: Description::default(),
            extensions: rtp::ExtensionIds::default(),
            keys: None,
            buffers: Buffers::default(),
            intake: Intake::default(),
            incoming: Incoming::default(),
            arrivals: Arrivals::default(),
            losses: Losses::default(),
            outgoing: Outgoing::default(),
            waiting: VecDeque::new(),
            pacing: Pacing::default(),
            repetition: Repetition::default(),
            departures: Departures::default(),
            next_sequence: 0,
            sent: Vec::new(),
            outputs: VecDeque::new(),
            control: VecDeque::new(),
            copies: VecDeque::new(),
            redundancy: 1,
            round_trip: None,
            report: EngineReport::default(),
            report_at: None,
            feedback_reference: None,
            due: Vec::new(),
        }
    }

    /// This was negotiated, instead of what was before.
    pub fn describe(&mut self, description: Description) {
        self.extensions = rtp::ExtensionIds::default();
        for kind in rtp::ExtensionKind::ALL {
            let id = description.lines.iter().find_map(|line| line.extensions.of(kind));
            self.extensions.set(kind, id.unwrap_or(0));
        }
        self.incoming.describe(&description);
        self.outgoing.describe(&description);
        self.description = description;
    }

    /// The handshake is over and the peer is who it says. To be called once per handshake.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn open(
        &mut self,
        now: Instant,
        profile: Profile,
        keying_material: &[u8],
        role: srtp::Role,
    ) -> Result<(), KeyError> {
        let (opener, sealer) = srtp::contexts(profile, keying_material, role, SOURCES)?;
        self.keys = Some(Keys { opener, sealer, since: now });
        self.report_at = Some(now + control::REPORT_INTERVAL);
        Ok(())
    }

    /// Takes an RTP or RTCP datagram.
    ///
    /// # Errors
    /// Why it was not taken; it changed nothing then.
    pub fn handle_datagram(&mut self, now: Instant, datagram: &[u8]) -> Result<(), DropCause> {
        if datagram.len() > MAX_DATAGRAM_BYTES {
            return Err(DropCause::Malformed);
        }
        if self.keys.is_none() {
            return Err(DropCause::Refused);
        }
        if !self.intake.admits(now, is_rtcp(datagram)) {
            return Err(DropCause::TooMuch);
        }
        let mut buffer = self.buffers.take(datagram.len());
        let taken = self.take(now, datagram, &mut buffer);
        self.buffers.give_back(&buffer);
        taken
    }

    fn note_round_trip(&mut self, sample: Duration) {
        let smoothed = self.round_trip.map_or(sample, |former| (former * 7 + sample) / 8);
        self.round_trip = Some(smoothed);
        self.report.round_trip_ms = Some(smoothed.as_secs_f64() * 1000.0);
    }

    fn output(&mut self, output: Output) {
        if self.outputs.len() < MAX_OUTPUTS {
            self.outputs.push_back(output);
        }
    }

    /// The next thing that the plane has to say; never a deadline, never a datagram.
    pub fn poll(&mut self) -> Option<Output> {
        let next = self.outputs.pop_front();
        if self.outputs.is_empty() {
            // The next one is written where this one was, which is near, and not all around the queue.
            self.outputs.clear();
        }
        next
    }

    /// The next control packet to send, sealed.
    pub fn poll_control(&mut self) -> Option<Vec<u8>> {
        self.control.pop_front()
    }

    /// When [`Self::handle_timeout`] is needed.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.keys.as_ref()?;
        let missing = self.incoming.streams.iter().filter_map(|s| s.reception.missing.deadline());
        missing
            .chain(self.arrivals.deadline())
            .chain(self.departures.deadline())
            .chain(self.copies.front().map(|(at, _)| *at))
            .chain(self.report_at)
            .min()
    }

    /// Queues a packet for a line; it leaves with the next [`Self::transmit`].
    #[inline]
    pub fn send(&mut self, mid: Mid, packet: RtpOut) {
        if let Some(line) = self.outgoing.index(mid) {
            self.wait(Waiting::New { line, packet });
        }
    }

    /// The number of a line that is sent on, for [`Self::send_by_number`]; a line keeps it.
    #[must_use]
    pub fn line_number(&self, mid: Mid) -> Option<usize> {
        self.outgoing.index(mid)
    }

    /// As [`Self::send`], for the line with this number.
    #[inline]
    pub fn send_by_number(&mut self, number: usize, packet: RtpOut) {
        self.wait(Waiting::New { line: number, packet });
    }

    #[inline]
    fn wait(&mut self, waiting: Waiting) {
        if self.waiting.len() < MAX_WAITING {
            self.waiting.push_back(waiting);
        }
    }

    /// Queues what left last once more, until there are this many bytes. Returns whether there is
    /// anything that could be.
    pub fn probe(&mut self, bytes: usize) -> bool {
        let lines = self.outgoing.lines.iter().enumerate();
        let sample = lines.filter_map(|(line, sender)| Some((line, sender.sample()?)));
        let Some((line, packet)) = sample.max_by_key(|(_, packet)| packet.payload.len()) else {
            return false;
        };
        let packet = packet.clone();
        for _ in 0..bytes.div_ceil(packet.payload.len().max(1)).min(MAX_PROBE_PACKETS) {
            self.wait(Waiting::Again { line, packet: packet.clone() });
        }
        true
    }

    /// From now on each packet of redundant audio repeats so many others, as far as they are there: 1 to 3.
    /// It is 1 before.
    pub fn set_redundancy(&mut self, packets: u8) {
        self.redundancy = packets.clamp(1, MAX_REDUNDANCY);
    }

    /// Forgets what was sent on a line: nothing of it leaves again. What was held back leaves now.
    pub fn forget_sent(&mut self, mid: Mid) {
        let Some(index) = self.outgoing.index(mid) else {
            return;
        };
        self.stop_repeating(index);
        if let Some(line) = self.outgoing.line_mut(index) {
            line.history.clear();
            line.formers.clear();
        }
    }

    /// As [`Self::forget_sent`], but one packet is kept for probes: without it nobody would find out that the video
    /// which was sent on the line fits again.
    pub fn rest(&mut self, mid: Mid) {
        let Some(index) = self.outgoing.index(mid) else {
            return;
        };
        self.stop_repeating(index);
        if let Some(line) = self.outgoing.line_mut(index) {
            line.history.rest();
        }
    }

    fn stop_repeating(&mut self, index: usize) {
        self.waiting.retain(|waiting| match waiting {
            Waiting::New { .. } | Waiting::Last { .. } => true,
            Waiting::Again { line, .. } | Waiting::Same { line, .. } => *line != index,
        });
        self.let_out_line(index);
    }

    /// What is held back of a line leaves with the next [`Self::transmit`], and so does what waits of it: it was sent
    /// by a binding that has come to its end.
    pub fn let_out(&mut self, mid: Mid) {
        if let Some(index) = self.outgoing.index(mid) {
            self.let_out_line(index);
        }
    }

    fn let_out_line(&mut self, index: usize) {
        let end = |waiting| match waiting {
            Waiting::New { line, packet } if line == index => Waiting::Last { line, packet },
            other => other,
        };
        self.waiting = std::mem::take(&mut self.waiting).into_iter().map(end).collect();
        for held in self.pacing.let_out(index) {
            self.waiting.push_front(held);
        }
    }

    /// Asks the peer for a key frame of an encoding, if something of it came.
    pub fn request_key_frame(&mut self, mid: Mid, rid: Option<Rid>) {
        let streams = self.incoming.streams.iter_mut();
        let stream = streams.into_iter().find(|s| s.is_live && s.mid == mid && s.rid == rid);
        if let Some(index) = stream.map(|stream| {
            stream.commands = stream.commands.wrapping_add(1);
            (stream.ssrc, stream.commands, !stream.takes_only_fir)
        }) {
            self.compose_key_frame_request(index);
        }
    }

    /// What new video may take from now on, in bits per second; what exceeds it is held back. Without
    /// one nothing is.
    pub fn pace(&mut self, bits_per_second: Option<u64>) {
        self.pacing.set_rate(bits_per_second);
    }

    /// When [`Self::transmit`] has something to do again that is held back until then.
    #[must_use]
    pub fn release_at(&self) -> Option<Instant> {
        self.pacing.release_at()
    }

    /// Whether [`Self::transmit`] has something to do, now or later.
    #[must_use]
    pub fn has_waiting(&self) -> bool {
        !self.waiting.is_empty() || self.pacing.is_holding()
    }

    /// Seals what waits, until the arena is full. The numbers of the transport are given here.
    pub fn transmit(&mut self, now: Instant, to: PeerAddress, datagrams: &mut Datagrams) {
        self.sent.clear();
        let Some(Keys { sealer, .. }) = &mut self.keys else {
            self.waiting.clear();
            self.pacing.clear();
            return;
        };
        self.pacing.fill(now);
        while !datagrams.is_full() {
            // Sound and what leaves again pass what is held.
            let (waiting, was_held) = match self.waiting.pop_front() {
                Some(waiting) => (waiting, false),
                None => match self.pacing.next(now) {
                    Some(held) => (held, true),
                    None => break,
                },
            };
            let (Waiting::New { line, .. }
            | Waiting::Last { line, .. }
            | Waiting::Again { line, .. }
            | Waiting::Same { line, .. }) = &waiting;
            let index = *line;
            let Some(line) = self.outgoing.line_mut(index) else {
                continue;
            };
            let is_video = line.urgency() == Urgency::Video;
            let waiting = match waiting {
                Waiting::New { line, packet }
                    if is_video && !was_held && self.pacing.must_wait() =>
                {
                    self.pacing.hold(now, line, packet);
                    continue;
                }
                waiting => waiting,
            };
            let is_kept = matches!(waiting, Waiting::New { .. });
            let is_new_video = is_video && (is_kept || matches!(waiting, Waiting::Last { .. }));
            let sequence = line.has_transport_sequence().then_some(self.next_sequence);
            let room = datagrams.room();
            let mut received = None;
            let (length, number, is_repeat) = match waiting {
                Waiting::New { mut packet, .. } | Waiting::Last { mut packet, .. } => {
                    received = packet.received.take();
                    let number = packet.sequence_number as u16;
                    let Ok(length) = line.write(sealer, room, &packet, sequence, self.redundancy)
                    else {
                        continue;
                    };
                    self.repetition.note_media(length);
                    match line.repetition_of_new(packet.payload_type) {
                        _ if !is_kept => line.formers.clear(),
                        Repeatable::No => {}
                        Repeatable::By(_) => line.history.push(now, packet, None),
                        Repeatable::AsItWas => {
                            let sealed = room.get(..length).unwrap_or_default();
                            let sealed = self.buffers.copy(sealed);
                            line.history.push(now, packet, Some(sealed));
                        }
                    }
                    (length, number, false)
                }
                Waiting::Again { packet, .. } => {
                    let Ok(length) = line.write_again(sealer, room, &packet, sequence) else {
                        continue;
                    };
                    (length, packet.sequence_number as u16, true)
                }
                Waiting::Same { sealed, .. } => {
                    if let Some(target) = room.get_mut(..sealed.len()) {
                        target.copy_from_slice(&sealed);
                        datagrams.push(to.socket, to.source, line.urgency(), sealed.len());
                        self.pacing.note_sent(sealed.len(), false);
                    }
                    continue;
                }
            };
            datagrams.push(to.socket, to.source, line.urgency(), length);
            datagrams.follow(received);
            self.pacing.note_sent(length, is_new_video);
            if let Some(sequence) = sequence {
                self.next_sequence = sequence.wrapping_add(1);
                self.departures.note(now, sequence, Departed { line: index, number, is_repeat });
                self.sent.push(SentPacket { sequence, at: now, bytes: length as u32 });
            }
        }
        if self.waiting.is_empty() {
            // As in `poll`.
            self.waiting.clear();
        }
    }

    /// Reads what the next call of this kind will read, and returns anything of it.
    #[must_use]
    pub fn look_at(&self, work: Work) -> u64 {
        let seen = self.waiting.len() as u64 ^ u64::from(self.next_sequence);
        match work {
            Work::Send(_) => return seen,
            Work::Receive => {
                let newest = self.departures.look_at(self.next_sequence.wrapping_sub(1));
                let keys = self.keys.as_ref().map_or(0, |keys| keys.opener.look_at());
                return seen ^ newest ^ keys ^ self.intake.look_at() ^ self.outputs.len() as u64;
            }
            Work::Transmit => {}
        }
        let first = self.waiting.front().and_then(|waiting| match waiting {
            Waiting::New { line, packet } => {
                Some((self.outgoing.lines.get(*line)?, u64::from(packet.timestamp)))
            }
            _ => None,
        });
        let (Some((line, packet)), Some(keys)) = (first, &self.keys) else {
            return seen;
        };
        let own = self.sent.first().map_or(0, |sent| sent.bytes) ^ u32::from(self.redundancy);
        let counted = self.departures.look_at(self.next_sequence);
        seen ^ packet ^ line.look_at(&keys.sealer) ^ u64::from(own) ^ counted
    }

    /// What the last [`Self::transmit`] sent with numbers of the transport.
    #[must_use]
    pub fn sent(&self) -> &[SentPacket] {
        &self.sent
    }

    fn ntp(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.start);
        let fraction = (u64::from(since.subsec_nanos()) << 32) / 1_000_000_000;
        self.start_ntp.wrapping_add(since.as_secs() << 32).wrapping_add(fraction)
    }
}

#[cfg(test)]
mod paced_media_tests;
#[cfg(test)]
mod redundant_audio_tests;
#[cfg(test)]
mod repair_tests;

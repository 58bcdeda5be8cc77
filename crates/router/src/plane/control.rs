//! RTCP in both directions: reports, requests and feedback.

use std::time::{Duration, Instant, SystemTime};

use super::departed::Departed;
use super::history::Cause;
use super::{Keys, Plane, ReportedPacket, Waiting, outgoing};
use crate::engine::Output;
use crate::ids::Kind;
use crate::rtp::rtcp::{
    self, Compound, ExtendedReport, Nack, Packet, Reception, ReportBlocks, SenderInfo,
    TICK_MICROSECONDS, TransportFeedback, compact_ntp,
};
use crate::rtp::srtp::MAX_RTCP_OVERHEAD;
use crate::statistics::DropCause;

/// Sender reports of audio and video come equally often: lip sync after a slot was rebound is as old
/// as the slower of the two.
pub(super) const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// Largest compound: what fits any path, with its overhead.
const MAX_COMPOUND_BYTES: usize = 1150;
/// Control packets that wait to be taken; beyond, the newest is dropped.
const MAX_CONTROL: usize = 256;
/// Between two requests for a key frame because of holes: two of them soon after each other are filled by
/// one.
const FILLING_INTERVAL: Duration = Duration::from_millis(500);
/// Who speaks where no line of ours does.
const NOBODY: u32 = 1;
/// From 1900 to 1970, in seconds.
const UNIX_EPOCH: u64 = 2_208_988_800;
/// What the reference time of feedback is unwrapped from, so that it never gets negative.
const FIRST_REFERENCE: u64 = 1 << 24;

/// Between feedback and its second copy, where many packets are lost: bursts of loss are mostly shorter.
const COPY_AFTER: Duration = Duration::from_millis(12);
/// Copies that wait; each holds a feedback at most.
const MAX_COPIES: usize = 16;

type Buffer = [u8; MAX_COMPOUND_BYTES + MAX_RTCP_OVERHEAD];

impl Plane {
    /// Acts on a compound that is authentic.
    pub(super) fn take_control(&mut self, now: Instant, compound: &[u8]) {
        let mut answers = Vec::new();
        for packet in rtcp::packets(compound) {
            match packet {
                Ok(Packet::SenderReport { ssrc, info, blocks }) => {
                    self.take_sender_report(now, ssrc, &info);
                    self.take_blocks(now, blocks);
                }
                Ok(Packet::ReceiverReport { blocks, .. }) => self.take_blocks(now, blocks),
                Ok(Packet::Nack(nack)) => self.take_nack(now, &nack),
                Ok(Packet::PictureLoss { media, .. }) => self.take_key_frame_request(media),
                Ok(Packet::FullIntra(commands)) => {
                    for (media, _) in commands {
                        if !self.intake.take_item(now) {
                            return;
                        }
                        self.take_key_frame_request(media);
                    }
                }
                Ok(Packet::Bitrate(bitrate)) => self.output(Output::Bitrate(bitrate.bitrate_bps)),
                Ok(Packet::TransportFeedback(feedback)) => self.take_feedback(now, &feedback),
                Ok(Packet::ExtendedReport(report)) => answers.extend(answer(report)),
                Ok(Packet::Goodbye(_) | Packet::Other { .. }) => {}
                Err(_) => self.output(Output::Dropped(DropCause::Malformed)),
            }
        }
        if !answers.is_empty() {
            self.compose_answers(&answers);
        }
    }

    fn take_sender_report(&mut self, now: Instant, ssrc: u32, info: &SenderInfo) {
        let streams = self.incoming.streams.iter_mut();
        let Some(stream) = streams.into_iter().find(|s| s.is_live && s.ssrc == ssrc) else {
            return;
        };
        stream.reception.note_sender_report(now, info);
        let (mid, rid, timestamp) = (stream.mid, stream.rid, info.rtp_timestamp);
        self.output(Output::SenderReport { mid, rid, ntp: system_time(info.ntp), timestamp });
    }

    fn take_blocks(&mut self, now: Instant, blocks: ReportBlocks<'_>) {
        let ntp = compact_ntp(self.ntp(now));
        for block in blocks {
            let Some((_, line)) = self.outgoing.of_ssrc(block.ssrc) else {
                continue;
            };
            line.lost = u64::try_from(block.cumulative_lost).unwrap_or(0);
            let sample = outgoing::round_trip(ntp, block.last_sender_report, block.delay);
            if let Some(sample) = sample {
                self.note_round_trip(sample);
            }
        }
        let lost = self.outgoing.lines.iter().map(|line| line.lost).sum();
        self.report.packets_lost_by_peer = lost;
    }

    /// Answers all extended reports of one compound at once: each packet that leaves costs more than one that came.
    fn compose_answers(&mut self, answers: &[Reception]) {
        let mut buffer: Buffer = [0; _];
        let mut compound = Compound::new(buffer.get_mut(..MAX_COMPOUND_BYTES).unwrap_or_default());
        let _ = compound.extended_report(self.speaker(), answers);
        let length = compound.length();
        self.seal_control(&mut buffer, length);
    }

    fn take_nack(&mut self, now: Instant, nack: &Nack<'_>) {
        let Some((index, line)) = self.outgoing.of_ssrc(nack.media) else {
            return;
        };
        let is_video = line.kind == Kind::Video;
        self.report.nacks_received += 1;
        for number in nack.lost() {
            if !self.intake.take_item(now) {
                return;
            }
            if self.repeat(now, index, number, Cause::Asked)
                && is_video
                && self.departures.is_lossy()
                && self.repetition.is_ample()
            {
                self.departures.copy(now, index, number);
            }
        }
    }

    /// Lets a packet of a line leave again, if it may. Returns whether it will.
    pub(super) fn repeat(&mut self, now: Instant, index: usize, number: u16, cause: Cause) -> bool {
        if self.waiting.len() >= super::MAX_WAITING || self.repetition.is_over() {
            return false;
        }
        let round_trip = self.round_trip;
        self.pacing.fill(now);
        let is_short = self.pacing.is_short();
        let line = self.outgoing.line_mut(index);
        // More than a network bears is not made better by repeats of it.
        let line = line.filter(|line| line.kind == Kind::Audio || !is_short);
        let repeats_come = self.departures.repeats_come();
        let sent = line.and_then(|line| {
            let may_try_again = repeats_come || line.kind == Kind::Audio;
            line.history.take_again(now, number, round_trip, (cause, may_try_again))
        });
        let Some(sent) = sent else {
            return false;
        };
        let (packet, is_sealed) = (sent.packet.clone(), sent.is_sealed);
        // Requests and reports are lost as well. What is repeated to the bit has no number to be reported by.
        if cause != Cause::Copy
            && !is_sealed
            && self.departures.is_lossy()
            && self.repetition.is_ample()
        {
            self.departures.await_report(now, round_trip.unwrap_or_default(), index, number);
        }
        self.repetition.note_repetition(packet.payload.len());
        let waiting = if is_sealed {
            Waiting::Same { line: index, sealed: packet.payload }
        } else {
            Waiting::Again { line: index, packet }
        };
        self.report.retransmissions += 1;
        self.waiting.push_back(waiting);
        true
    }

    fn take_key_frame_request(&mut self, media: u32) {
        if let Some((_, line)) = self.outgoing.of_ssrc(media) {
            let mid = line.mid;
            self.output(Output::KeyFrameRequested(mid));
        }
    }

    fn take_feedback(&mut self, now: Instant, feedback: &TransportFeedback<'_>) {
        if !self.intake.take_items(now, feedback.count.into()) {
            return;
        }
        // The reference has 24 bits.
        let former =
            self.feedback_reference.unwrap_or(FIRST_REFERENCE + u64::from(feedback.reference));
        let ahead = (feedback.reference.wrapping_sub(former as u32) << 8) as i32 >> 8;
        let reference = former.saturating_add_signed(i64::from(ahead));
        self.feedback_reference = Some(reference);
        let mut ticks = reference * 256;
        let reported = feedback.statuses().map(|(sequence, delta)| ReportedPacket {
            sequence,
            arrival_us: delta.map(|delta| {
                ticks = ticks.saturating_add_signed(i64::from(delta));
                ticks * TICK_MICROSECONDS
            }),
        });
        let reported: Vec<_> = reported.collect();
        self.repeat_lost(now, &reported);
        self.output(Output::Feedback(reported));
    }

    /// What the peer says it lacks leaves again before it asks: its request may be lost, or be a round trip
    /// away.
    fn repeat_lost(&mut self, now: Instant, reported: &[ReportedPacket]) {
        if let Some(newest) = reported.last() {
            self.departures.note_report(newest.sequence);
        }
        // The arrivals first: of two copies one is enough.
        for packet in reported.iter().filter(|packet| packet.arrival_us.is_some()) {
            if let Some(Departed { line, number, is_repeat: true }) =
                self.departures.take(packet.sequence, true)
                && let Some(line) = self.outgoing.line_mut(line)
            {
                line.history.note_arrived(number);
            }
        }
        for packet in reported.iter().filter(|packet| packet.arrival_us.is_none()) {
            if let Some(departed) = self.departures.take(packet.sequence, false) {
                let cause = if departed.is_repeat { Cause::RepeatLost } else { Cause::Lost };
                self.repeat(now, departed.line, departed.number, cause);
            }
        }
    }

    /// Time passed: what is due is composed.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.keys.is_none() {
            return;
        }
        if self.report_at.is_some_and(|at| at <= now) {
            self.report_at = Some(now + REPORT_INTERVAL);
            self.compose_reports(now);
            self.output(Output::Report(self.report));
        }
        if self.arrivals.deadline().is_some_and(|at| at <= now) {
            self.compose_feedback(now);
        }
        while self.copies.front().is_some_and(|(at, _)| *at <= now)
            && let Some((_, copy)) = self.copies.pop_front()
        {
            let mut buffer: Buffer = [0; _];
            if let Some(target) = buffer.get_mut(..copy.len()) {
                target.copy_from_slice(&copy);
                self.seal_control(&mut buffer, copy.len());
            }
        }
        for index in 0..self.incoming.streams.len() {
            self.compose_nacks(now, index);
        }
        while let Some((line, number)) = self.departures.take_due(now) {
            if self.repetition.is_ample() {
                self.repeat(now, line, number, Cause::Copy);
            }
        }
        while let Some((line, number)) = self.departures.take_awaited(now) {
            self.repeat(now, line, number, Cause::RepeatLost);
        }
    }

    /// Sender reports of every line that sent, and blocks on every source that came.
    fn compose_reports(&mut self, now: Instant) {
        let ntp = self.ntp(now);
        let mut buffer: Buffer = [0; _];
        let mut blocks = Vec::new();
        for stream in self.incoming.streams.iter_mut().filter(|stream| stream.is_live) {
            blocks.push(stream.reception.report(now, stream.ssrc));
        }
        let reports = self.outgoing.lines.iter();
        let reports: Vec<_> =
            reports.filter_map(|line| Some((line.own.ssrc, line.report(now, ntp)?))).collect();
        let mut blocks = blocks.as_slice();
        let mut reports = reports.as_slice();
        while !(blocks.is_empty() && reports.is_empty()) {
            let mut compound =
                Compound::new(buffer.get_mut(..MAX_COMPOUND_BYTES).unwrap_or_default());
            let first = reports.first().map_or(self.speaker(), |(ssrc, _)| *ssrc);
            // The name is to fit in any case.
            let reserve = self.description.cname.len() + 64;
            while let Some(((ssrc, info), rest)) = reports.split_first()
                && compound.room() > reserve
                && compound.sender_report(*ssrc, info, &[]).is_ok()
            {
                reports = rest;
            }
            let room = compound.room().saturating_sub(reserve) / 24;
            let (now_told, rest) = blocks.split_at(room.min(31).min(blocks.len()));
            if (!now_told.is_empty() || compound.length() == 0)
                && compound.receiver_report(first, now_told).is_ok()
            {
                blocks = rest;
            }
            let _ = compound.canonical_name(first, &self.description.cname);
            let length = compound.length();
            self.seal_control(&mut buffer, length);
        }
    }

    fn compose_feedback(&mut self, now: Instant) {
        let since = now.saturating_duration_since(self.start);
        let streams = self.incoming.streams.iter().filter(|stream| stream.is_live);
        let queue = streams.filter_map(|stream| stream.standing.queue(since)).min();
        self.arrivals.judge(now, queue, &mut self.losses);
        let mut buffer: Buffer = [0; _];
        let sender = self.speaker();
        let media = self.incoming.streams.iter().find(|s| s.is_live).map_or(0, |s| s.ssrc);
        loop {
            let mut compound =
                Compound::new(buffer.get_mut(..MAX_COMPOUND_BYTES).unwrap_or_default());
            let is_all = self.arrivals.compose(&mut compound, sender, media);
            let length = compound.length();
            // A publisher that hears of half its packets takes that for what its link bears.
            for nth in 1..=self.losses.copies() {
                if self.copies.len() < MAX_COPIES {
                    let copy = buffer.get(..length).unwrap_or_default().to_vec();
                    self.copies.push_back((now + nth * COPY_AFTER, copy));
                }
            }
            self.seal_control(&mut buffer, length);
            if is_all || length == 0 {
                return;
            }
        }
    }

    fn compose_nacks(&mut self, now: Instant, index: usize) {
        let (sender, round_trip) = (self.speaker(), self.round_trip);
        let is_lossy = self.losses.are_many();
        let Some(stream) = self.incoming.streams.get_mut(index) else {
            return;
        };
        let missing = &mut stream.reception.missing;
        if missing.deadline().is_none_or(|at| at > now) {
            return;
        }
        let mut due = std::mem::take(&mut self.due);
        let has_given_up = missing.take_due(now, round_trip, is_lossy, &mut due);
        let media = stream.ssrc;
        let is_video = stream.clock_hz == Kind::Video.clock_hz();
        let mut rest = due.as_slice();
        while !rest.is_empty() {
            let mut buffer: Buffer = [0; _];
            let mut compound =
                Compound::new(buffer.get_mut(..MAX_COMPOUND_BYTES).unwrap_or_default());
            let named = compound.nack(sender, media, rest).unwrap_or(0);
            let length = compound.length();
            self.seal_control(&mut buffer, length);
            rest = rest.get(named.max(1)..).unwrap_or_default();
        }
        due.clear();
        self.due = due;
        if has_given_up && is_video {
            self.request_filling_key_frame(now, index);
        }
    }

    /// A hole stays: everybody who watches waits for a key frame from there on.
    fn request_filling_key_frame(&mut self, now: Instant, index: usize) {
        let Some(stream) = self.incoming.streams.get_mut(index) else {
            return;
        };
        if stream.asked_at.is_some_and(|at| now < at + FILLING_INTERVAL) {
            return;
        }
        stream.asked_at = Some(now);
        stream.commands = stream.commands.wrapping_add(1);
        let request = (stream.ssrc, stream.commands, !stream.takes_only_fir);
        let asked = Output::KeyFrameAsked { mid: stream.mid, rid: stream.rid };
        self.compose_key_frame_request(request);
        self.output(asked);
    }

    /// Asks for a key frame, twice where many packets are lost: another request is half a second away. Senders answer
    /// both with one.
    pub(super) fn compose_key_frame_request(&mut self, (media, number, by_pli): (u32, u8, bool)) {
        let sender = self.speaker();
        for _ in 0..=u32::from(self.losses.are_many()) {
            let mut buffer: Buffer = [0; _];
            let target = buffer.get_mut(..MAX_COMPOUND_BYTES).unwrap_or_default();
            let mut compound = Compound::new(target);
            let _ = if by_pli {
                compound.picture_loss(sender, media)
            } else {
                compound.full_intra(sender, media, number)
            };
            let length = compound.length();
            self.seal_control(&mut buffer, length);
        }
    }

    /// The source in whose name requests are made.
    fn speaker(&self) -> u32 {
        self.outgoing.lines.first().map_or(NOBODY, |line| line.own.ssrc)
    }

    fn seal_control(&mut self, buffer: &mut Buffer, length: usize) {
        let Some(Keys { sealer, .. }) = &mut self.keys else {
            return;
        };
        if length == 0 || self.control.len() >= MAX_CONTROL {
            return;
        }
        if let Ok(end) = sealer.seal_rtcp(buffer, length) {
            self.control.push_back(buffer.get(..end).unwrap_or_default().to_vec());
        }
    }
}

/// A receiver that sends nothing learns the round trip by the answer (RFC 3611 sections 4.4 and 4.5).
fn answer(report: ExtendedReport<'_>) -> Option<Reception> {
    let ssrc = report.ssrc;
    report.into_iter().find_map(|block| match block {
        Reception::ReferenceTime { ntp } => {
            Some(Reception::LastReference { ssrc, last_reference: compact_ntp(ntp), delay: 0 })
        }
        Reception::LastReference { .. } => None,
    })
}

/// An NTP time of the era that began in 1900 as a time of day.
fn system_time(ntp: u64) -> SystemTime {
    let seconds = (ntp >> 32).saturating_sub(UNIX_EPOCH);
    let nanoseconds = ((ntp & 0xffff_ffff) * 1_000_000_000) >> 32;
    SystemTime::UNIX_EPOCH + Duration::new(seconds, nanoseconds as u32)
}

//! What happens to media packets and key-frame requests.

use std::time::Instant;

use crate::codec::Codec;
use crate::engine::RtpIn;
use crate::event::{BindingEvent, Event};
use crate::exchange::{Media, MediaHeader, Recipient, ShardMessage};
use crate::fanout::Arrived;
use crate::ids::{Generation, Kind, Mid, SlotIndex, TransportId};
use crate::kept::Part;
use crate::layers::{Encodings, Need};
use crate::line::{Incoming, Notice, Verdict};
use crate::router::Router;
use crate::sink::ShardIndex;
use crate::statistics::DropCause;
use crate::track::Track;

/// What became of a packet in a slot.
#[derive(Default)]
pub(crate) struct Outcome {
    /// The slot waits for a key frame of the packet's encoding.
    pub(crate) is_waiting: bool,
    /// What it needs from now on, if that is known.
    pub(crate) need: Option<Need>,
}

/// Header, extensions and authentication of a usual packet, in bytes.
const PACKET_OVERHEAD: u64 = 35;

impl Router {
    /// A publisher's packet is to go to every sink of its track.
    pub(crate) fn forward(&mut self, now: Instant, id: TransportId, packet: RtpIn) {
        let start = self.start;
        let Some(transport) = self.transports.get_mut(&id) else {
            return;
        };
        transport.totals.packets_received += 1;
        transport.totals.bytes_received += packet.payload.len() as u64;
        let clock = transport.clock;
        let track = transport.tracks.iter_mut().find(|t| t.mid == packet.mid);
        let Some((track, format, index, is_late, newest_before)) = track.and_then(|track| {
            let format = track.format_of(packet.payload_type)?;
            let (index, newest_before) = track.count(now, &packet)?;
            let is_late = !track.is_newest(index, packet.sequence_number);
            // One of another codec that comes late is of the time before the codec changed.
            let is_former = is_late && track.format().is_some_and(|now| now != format);
            (!is_former).then_some((track, format, index, is_late, newest_before))
        }) else {
            transport.totals.drops.count(DropCause::NotNegotiated);
            return;
        };
        let is_news = track.set_format(format);
        let frame = track.describe(index, format.codec(), &packet);
        let level = packet.extensions.audio_level_dbov.filter(|_| track.kind == Kind::Audio);
        track.level_dbov = track.level_dbov.max(level);
        let begins_to_speak = track.kind == Kind::Audio && {
            let voice = packet.extensions.voice_activity;
            track.loudness.note(now, level, voice, packet.payload.len())
        };
        let has_changed = track.measure(now, index, frame, &packet);
        let (mut report, mut is_overdue) = (None, false);
        if let Some(encoding) = track.encodings.get_mut(usize::from(index)) {
            report = encoding.report;
            match (frame.starts_key_frame, is_late) {
                (true, false) => encoding.throttle.key_frame_started(),
                (true, true) => encoding.throttle.key_frame_came_late(),
                (false, _) => is_overdue = encoding.throttle.repeat(now),
            }
        }
        let kind = track.kind;
        let clock_hz = kind.clock_hz();
        let captured = clock.captured(start, now, report, packet.timestamp, clock_hz);
        let source_us = report.map(|report| report.source_us(packet.timestamp, clock_hz));
        let news = is_news.then(|| Event::Track { transport: id, track: track.info() });
        self.events.extend(news);
        if level.is_some() {
            self.note_level(now);
        }
        if begins_to_speak {
            self.stage.wake(now);
        }
        if has_changed {
            self.fan_out();
            let served = (frame.starts_key_frame && !is_late).then_some(index);
            self.choose_all(now, id, packet.mid, served);
        }
        if is_overdue {
            self.ask_engine(id, packet.mid, index);
        }

        let incoming = Incoming {
            packet,
            format,
            frame,
            captured,
            encoding: index,
            source_us,
            is_late,
            newest_before,
            part: Part::None,
            received: self.followed,
        };
        self.hand_on_in_order(Arrived { at: now, publisher: id, kind, incoming });
    }

    /// The packet goes to the slots of another shard, once for all of them.
    pub(crate) fn hand_over(
        &mut self,
        to: ShardIndex,
        id: TransportId,
        kind: Kind,
        incoming: &Incoming,
    ) {
        let Incoming {
            ref packet,
            format,
            frame,
            captured,
            encoding,
            source_us,
            is_late,
            newest_before,
            received,
            part: _,
        } = *incoming;
        let extensions = packet.extensions;
        let (payload, lead) = match extensions.dependency {
            Some(place) => packet.payload.beginning_at(place.start),
            None => (packet.payload.clone(), 0),
        };
        let header = MediaHeader {
            transport: id,
            mid: packet.mid,
            kind,
            format,
            frame,
            captured,
            source_us,
            encoding,
            is_late,
            newest_before,
            ssrc: packet.ssrc,
            payload_type: packet.payload_type,
            sequence_number: packet.sequence_number,
            timestamp: packet.timestamp,
            marker: packet.marker,
            extensions,
            received,
            lead,
        };
        self.media.push_back((to, Media { header, payload }));
    }

    /// A packet comes to a slot.
    pub(crate) fn forward_to_slot(
        &mut self,
        now: Instant,
        id: TransportId,
        index: SlotIndex,
        kind: Kind,
        incoming: &Incoming,
    ) -> Outcome {
        let Some(transport) = self.transports.get_mut(&id).filter(|t| t.is_ready) else {
            return Outcome::default();
        };
        let Some(slot) = transport.slot_mut(index) else {
            return Outcome::default();
        };
        let generation = slot.generation;
        let line = slot.line_mut(kind);
        let (mid, number) = (line.mid, line.number);
        let mut notice = None;
        let verdict = line.forward(now, incoming, &mut notice);
        // Sound has no encodings to choose from; nobody would say anew that it is wanted after a pause.
        let need = (kind == Kind::Video).then(|| line.need());
        let mut is_waiting = false;
        match verdict {
            Verdict::Send(packet) => {
                transport.totals.packets_sent += 1;
                let bytes = packet.payload.len() as u64;
                transport.totals.bytes_sent += bytes;
                if kind == Kind::Audio {
                    transport.totals.audio_bytes_sent += bytes + PACKET_OVERHEAD;
                }
                let sent = transport.engine.call(|e| match number {
                    Some(number) => e.send_by_number(number, mid, packet),
                    None => e.send(mid, packet),
                });
                if let Err(error) = sent {
                    self.failing.push((id, error));
                }
                if !std::mem::replace(&mut transport.is_dirty, true) {
                    self.dirty.push(id);
                }
            }
            Verdict::Drop(cause) => transport.totals.drops.count(cause),
            Verdict::NeedsKeyFrame => is_waiting = true,
            Verdict::Ignore => {}
        }
        if let Some(notice) = notice {
            self.push_notice(id, index, generation, kind, incoming.format.codec(), notice);
        }
        Outcome { is_waiting, need }
    }

    pub(crate) fn push_notice(
        &mut self,
        transport: TransportId,
        slot: SlotIndex,
        generation: Generation,
        kind: Kind,
        codec: Codec,
        notice: Notice,
    ) {
        let codec = codec.name().to_owned();
        let event = BindingEvent { transport, slot, generation, kind, codec };
        self.events.push_back(match notice {
            Notice::Started => Event::BindingStarted(event),
            Notice::NotSupported => Event::CodecNotSupported(event),
            Notice::Supported => Event::CodecSupported(event),
        });
    }

    /// A subscriber's engine asks for a key frame on one of its lines.
    pub(crate) fn handle_key_frame_request(&mut self, now: Instant, id: TransportId, line: Mid) {
        let Some(transport) = self.transports.get_mut(&id) else {
            return;
        };
        transport.totals.key_frame_requests += 1;
        let slot = transport.slots.iter().find(|s| s.video.mid == line && s.video.is_active());
        let wanted = slot.and_then(|s| {
            Some((s.source?.transport, s.source_mid(Kind::Video)?, s.video.encoding()?))
        });
        if let Some((publisher, mid, encoding)) = wanted {
            self.request_key_frame_of(now, publisher, mid, encoding);
        }
    }

    /// A subscriber is reachable now, or at another address: everything bound for it goes on at a key
    /// frame.
    pub(crate) fn request_bound_key_frames(&mut self, now: Instant, id: TransportId) {
        let Some(transport) = self.transports.get(&id) else {
            return;
        };
        let active = transport.slots.iter().filter(|s| s.video.is_active());
        let wanted: Vec<_> = active
            .filter_map(|s| {
                let encoding = s.video.awaited().or(s.video.encoding())?;
                Some((s.source?.transport, s.source_mid(Kind::Video)?, encoding))
            })
            .collect();
        for (publisher, mid, encoding) in wanted {
            self.request_key_frame_of(now, publisher, mid, encoding);
        }
    }

    /// What a publisher sent was lost for a while: those who watch it go on at a key frame.
    pub(crate) fn request_sent_key_frames(&mut self, now: Instant, id: TransportId) {
        let Some(transport) = self.transports.get(&id) else {
            return;
        };
        let watched =
            transport.tracks.iter().filter(|t| t.kind == Kind::Video && !t.feeds.is_empty());
        let watched: Vec<_> = watched.map(|t| t.mid).collect();
        for mid in watched {
            self.request_watched_key_frames(now, id, mid);
        }
    }

    /// Asks a publisher of this shard for a key frame of every encoding that somebody gets.
    pub(crate) fn request_watched_key_frames(&mut self, now: Instant, id: TransportId, mid: Mid) {
        let track = self.transports.get(&id).and_then(|t| t.track(mid));
        let watched = track.map_or(Encodings::NONE, Track::watched);
        for encoding in watched.iter() {
            self.request_key_frame_of(now, id, mid, encoding);
        }
    }

    /// Asks a publisher for a key frame of one encoding, unless it was asked just now.
    pub(crate) fn request_key_frame_of(
        &mut self,
        now: Instant,
        id: TransportId,
        mid: Mid,
        encoding: u8,
    ) {
        if !self.is_local(id) {
            let message = ShardMessage::KeyFrame { transport: id, mid, encoding, is_retry: false };
            let request = (Recipient::Shard(id.shard()), message);
            // A peer may ask as often as it likes; one request of a round says it all.
            if !self.messages.contains(&request) {
                self.messages.push_back(request);
            }
            return;
        }
        let track = self.transports.get_mut(&id).and_then(|t| t.track_mut(mid));
        let track = track.filter(|t| t.kind == Kind::Video);
        if let Some(throttle) = track.and_then(|t| t.throttle(encoding)) {
            if throttle.request(now) {
                self.ask_engine(id, mid, encoding);
            } else {
                self.arm(id);
            }
        }
    }

    /// A subscriber of another shard waits for a key frame that was asked for before.
    pub(crate) fn retry_key_frame_of(
        &mut self,
        now: Instant,
        id: TransportId,
        mid: Mid,
        encoding: u8,
    ) {
        let track = self.transports.get_mut(&id).and_then(|t| t.track_mut(mid));
        if track.and_then(|t| t.throttle(encoding)).is_some_and(|throttle| throttle.retry(now)) {
            self.ask_engine(id, mid, encoding);
        }
    }

    /// Sends the requests that came too early and are due now.
    pub(crate) fn send_due_key_frame_requests(&mut self, now: Instant, id: TransportId) {
        let Some(transport) = self.transports.get_mut(&id) else {
            return;
        };
        let mut due = Vec::new();
        for track in &mut transport.tracks {
            let mid = track.mid;
            let encodings = (0..).zip(track.encodings.iter_mut());
            due.extend(encodings.filter_map(|(index, encoding)| {
                encoding.throttle.handle_timeout(now).then_some((mid, index))
            }));
        }
        for (mid, encoding) in due {
            self.ask_engine(id, mid, encoding);
        }
    }

    fn ask_engine(&mut self, id: TransportId, mid: Mid, encoding: u8) {
        let Some(transport) = self.transports.get_mut(&id) else {
            return;
        };
        let known = transport.track(mid).and_then(|t| t.encodings.get(usize::from(encoding)));
        let rid = known.and_then(|e| e.rid);
        if let Err(error) = transport.engine.call(|e| e.request_key_frame(mid, rid)) {
            self.failing.push((id, error));
            return;
        }
        self.mark_dirty(id);
    }
}

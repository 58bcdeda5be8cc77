//! What happens to media packets and key-frame requests.

use std::time::Instant;

use crate::codec::{Codec, FrameInfo};
use crate::engine::RtpIn;
use crate::event::{BindingEvent, Event};
use crate::exchange::{Media, MediaHeader, Recipient, ShardMessage};
use crate::ids::{Generation, Kind, Mid, SlotIndex, TransportId};
use crate::line::{Incoming, Notice, Verdict};
use crate::router::Router;
use crate::sink::{ShardIndex, Sink};
use crate::statistics::DropCause;
use crate::track::Track;

impl Router {
    /// A publisher's packet goes to every sink of its track.
    pub(crate) fn forward(&mut self, now: Instant, id: TransportId, packet: &RtpIn) {
        let start = self.start;
        let Some(transport) = self.transports.get_mut(&id) else {
            return;
        };
        transport.totals.packets_received += 1;
        transport.totals.bytes_received += packet.payload.len() as u64;
        let clock = transport.clock;
        let track = transport.tracks.iter_mut().find(|t| t.mid == packet.mid);
        let Some((track, format, index)) = track.and_then(|track| {
            let format = track.format_of(packet.payload_type)?;
            let index = track.count(now, packet)?;
            Some((track, format, index))
        }) else {
            transport.totals.drops.count(DropCause::NotNegotiated);
            return;
        };
        let frame = FrameInfo::of(format.codec(), &packet.payload);
        let is_news = track.set_format(format);
        let level = packet.extensions.audio_level_dbov.filter(|_| track.kind == Kind::Audio);
        track.level_dbov = track.level_dbov.max(level);
        let (is_chosen, changes) = track.choose(now, index, frame.starts_key_frame);
        let mut report = None;
        if let Some(encoding) = track.encodings.get_mut(index) {
            report = encoding.report;
            if frame.starts_key_frame {
                encoding.throttle.key_frame_started();
            }
        }
        let kind = track.kind;
        let captured = clock.captured(start, now, report, packet.timestamp, kind.clock_hz());
        let news = is_news.then(|| Event::Track { transport: id, track: track.info() });
        let sinks = if is_chosen { std::mem::take(&mut track.sinks) } else { Vec::new() };
        self.events.extend(news);
        if level.is_some() {
            self.note_level(now);
        }

        let incoming = Incoming { packet, format, frame, captured };
        let mut is_waited_for = false;
        for sink in &sinks {
            match *sink {
                Sink::Slot { transport, slot } => {
                    is_waited_for |= self.forward_to_slot(now, transport, slot, kind, incoming);
                }
                Sink::Shard(shard) => self.hand_over(shard, id, kind, incoming),
                Sink::Tap(_) | Sink::Router(_) => self.counters.without_sink += 1,
            }
        }
        if let Some(track) = self.transports.get_mut(&id).and_then(|t| t.track_mut(packet.mid)) {
            if is_chosen {
                track.sinks = sinks;
            }
            let asks = track.key_frame_encoding().is_some_and(|e| {
                (changes && e.throttle.request(now)) || (is_waited_for && e.throttle.retry(now))
            });
            if asks {
                self.send_key_frame_request(id, packet.mid);
            }
        }
        self.end_failing();
    }

    /// The packet goes to the slots of another shard, once for all of them.
    fn hand_over(&mut self, to: ShardIndex, id: TransportId, kind: Kind, incoming: Incoming<'_>) {
        let Incoming { packet, format, frame, captured } = incoming;
        let header = MediaHeader {
            transport: id,
            mid: packet.mid,
            kind,
            format,
            frame,
            captured,
            ssrc: packet.ssrc,
            payload_type: packet.payload_type,
            sequence_number: packet.sequence_number,
            timestamp: packet.timestamp,
            marker: packet.marker,
            extensions: packet.extensions,
        };
        self.media.push_back((to, Media { header, payload: packet.payload.clone() }));
    }

    /// Returns whether the slot waits for a key frame.
    pub(crate) fn forward_to_slot(
        &mut self,
        now: Instant,
        id: TransportId,
        index: SlotIndex,
        kind: Kind,
        incoming: Incoming<'_>,
    ) -> bool {
        let Some(transport) = self.transports.get_mut(&id).filter(|t| t.is_ready) else {
            return false;
        };
        let Some(slot) = transport.slot_mut(index) else {
            return false;
        };
        let generation = slot.generation;
        let line = slot.line_mut(kind);
        let mid = line.mid;
        let (verdict, notice) = line.forward(now, incoming);
        let mut is_waiting = false;
        match verdict {
            Verdict::Send(packet) => {
                transport.totals.packets_sent += 1;
                transport.totals.bytes_sent += packet.payload.len() as u64;
                if let Err(error) = transport.engine.call(|e| e.send(mid, packet)) {
                    self.failing.push((id, error));
                }
                self.mark_sending(id);
            }
            Verdict::Drop(cause) => transport.totals.drops.count(cause),
            Verdict::NeedsKeyFrame => is_waiting = true,
            Verdict::Ignore => {}
        }
        if let Some(notice) = notice {
            self.push_notice(id, index, generation, kind, incoming.format.codec(), notice);
        }
        is_waiting
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
        if let Some((source, mid)) =
            slot.and_then(|s| Some((s.source?, s.source_mid(Kind::Video)?)))
        {
            self.request_key_frame_of(now, source.transport, mid);
        }
    }

    /// A subscriber is reachable now: everything bound for it starts at a key frame.
    pub(crate) fn request_bound_key_frames(&mut self, now: Instant, id: TransportId) {
        let Some(transport) = self.transports.get(&id) else {
            return;
        };
        let sources: Vec<_> = transport
            .slots
            .iter()
            .filter(|s| s.video.is_active())
            .filter_map(|s| Some((s.source?.transport, s.source_mid(Kind::Video)?)))
            .collect();
        for (publisher, mid) in sources {
            self.request_key_frame_of(now, publisher, mid);
        }
    }

    /// What a publisher sent was lost for a while: those who watch it go on at a key frame.
    pub(crate) fn request_sent_key_frames(&mut self, now: Instant, id: TransportId) {
        let Some(transport) = self.transports.get(&id) else {
            return;
        };
        let watched =
            transport.tracks.iter().filter(|t| t.kind == Kind::Video && !t.sinks.is_empty());
        let watched: Vec<_> = watched.map(|t| t.mid).collect();
        for mid in watched {
            self.request_key_frame_of(now, id, mid);
        }
    }

    /// Asks a publisher for a key frame, unless it was asked just now.
    pub(crate) fn request_key_frame_of(&mut self, now: Instant, id: TransportId, mid: Mid) {
        if !self.is_local(id) {
            let message = ShardMessage::KeyFrame { transport: id, mid, is_retry: false };
            let request = (Recipient::Shard(id.shard()), message);
            // A peer may ask as often as it likes; one request of a round says it all.
            if !self.messages.contains(&request) {
                self.messages.push_back(request);
            }
            return;
        }
        let encoding = self
            .transports
            .get_mut(&id)
            .and_then(|t| t.track_mut(mid))
            .filter(|t| t.kind == Kind::Video)
            .and_then(|t| t.key_frame_encoding());
        if let Some(encoding) = encoding {
            if encoding.throttle.request(now) {
                self.send_key_frame_request(id, mid);
            } else {
                self.arm(id);
            }
        }
    }

    /// A subscriber of another shard waits for a key frame that was asked for before.
    pub(crate) fn retry_key_frame_of(&mut self, now: Instant, id: TransportId, mid: Mid) {
        let track = self.transports.get_mut(&id).and_then(|t| t.track_mut(mid));
        if track.and_then(Track::key_frame_encoding).is_some_and(|e| e.throttle.retry(now)) {
            self.send_key_frame_request(id, mid);
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
            let encodings = track.encodings.iter_mut();
            due.extend(
                encodings.filter_map(|e| e.throttle.handle_timeout(now).then_some((mid, e.rid))),
            );
        }
        for (mid, rid) in due {
            self.ask_engine(id, mid, rid);
        }
    }

    fn send_key_frame_request(&mut self, id: TransportId, mid: Mid) {
        let rid = self
            .transports
            .get_mut(&id)
            .and_then(|t| t.track_mut(mid))
            .and_then(|t| t.key_frame_encoding())
            .and_then(|e| e.rid);
        self.ask_engine(id, mid, rid);
    }

    fn ask_engine(&mut self, id: TransportId, mid: Mid, rid: Option<str0m::media::Rid>) {
        let Some(transport) = self.transports.get_mut(&id) else {
            return;
        };
        if let Err(error) = transport.engine.call(|e| e.request_key_frame(mid, rid)) {
            self.failing.push((id, error));
            return;
        }
        self.mark_dirty(id);
    }
}

//! A member's peer connection: its offers, and the media that it sends and receives.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use str0m::change::SdpPendingOffer;

use super::super::dialogue::Asked;
use super::super::peer::{Arrival, SendLines, Until};
use super::super::sending::Sources;
use super::{Context, Member, Outcome, Phase};
use crate::datagrams::Incoming;
use crate::signalling::{ClientMessage, Dimensions, SlotPair};

impl Member {
    /// Datagrams came, and were read together. The engine is given the time with the first of them only, and asked what
    /// it has to send after the last: what that takes for each is most of what a datagram costs.
    pub fn handle_batch<'d>(
        &mut self,
        context: &mut Context<'_>,
        batch: impl Iterator<Item = Incoming<'d>>,
    ) {
        let read_at_ns = context.wall_ns;
        let mut is_first = true;
        for Incoming { from, arrived_ns, bytes } in batch {
            let late_ns = read_at_ns.saturating_sub(arrived_ns);
            context.tally.reading_late.add(Duration::from_nanos(late_ns));
            context.wall_ns = arrived_ns;
            let Some(peer) = self.peer.as_mut().filter(|peer| peer.is_connected()) else {
                self.handle_datagram(context, from, bytes);
                is_first = false;
                continue;
            };
            let handled = if std::mem::take(&mut is_first) {
                peer.handle_datagram(context.now, from, bytes)
            } else {
                peer.handle_another(context.now, from, bytes)
            };
            if let Err(error) = handled {
                return self.end(context, Outcome::Failed(error.to_string()));
            }
            self.poll(context, Until::Packet);
        }
        context.wall_ns = read_at_ns;
        if !is_first {
            self.drain(context);
        }
    }

    /// A datagram came; the context's wall clock says when.
    pub fn handle_datagram(&mut self, context: &mut Context<'_>, from: SocketAddr, bytes: &[u8]) {
        let Some(peer) = &mut self.peer else { return };
        match peer.handle_datagram(context.now, from, bytes) {
            Ok(()) => self.drain(context),
            Err(error) => self.end(context, Outcome::Failed(error.to_string())),
        }
    }

    pub(super) fn accept(
        &mut self,
        context: &mut Context<'_>,
        pending: SdpPendingOffer,
        answer: Option<String>,
    ) {
        let Some(peer) = &mut self.peer else { return };
        match peer.accept(pending, &answer.unwrap_or_default()) {
            Ok(()) => self.drain(context),
            Err(error) => self.end(context, Outcome::Failed(error.to_string())),
        }
    }

    /// Makes the next offer, if there is a reason for one and none is outstanding.
    pub(super) fn advance(&mut self, context: &mut Context<'_>) {
        if self.phase != Phase::Inside || self.is_offering {
            return;
        }
        if self.peer.is_none() {
            let Some(local) = self.local else { return };
            match context.peers.create(context.now, local) {
                Ok(peer) => self.peer = Some(peer),
                Err(error) => return self.end(context, Outcome::Failed(error.to_string())),
            }
            self.epoch += 1;
            self.peer_since = context.now;
            self.peer_deadline = context.now;
        }
        let kinds = (self.options.audio.is_some(), self.options.video.is_some());
        let publish = self.options.role.publishes().then_some(kinds);
        let Some(peer) = &mut self.peer else { return };
        let had_lines = peer.sends().is_some();
        let Some(offer) = peer.offer(publish, self.pairs_wanted) else { return };
        let lines = peer.sends().filter(|_| !had_lines);
        let message = self.offer_message(offer.sdp, offer.slots, lines);
        let asked = Asked::Offer { epoch: self.epoch, pending: offer.pending };
        self.is_offering = true;
        self.request(context.now, message, asked);
    }

    /// `publish` for a new stream, `republish` for its new lines, else `negotiate`.
    fn offer_message(
        &self,
        offer: String,
        slots: Vec<SlotPair>,
        lines: Option<SendLines>,
    ) -> ClientMessage {
        let epoch = self.epoch;
        let Some(lines) = lines else {
            return ClientMessage::Negotiate { epoch, offer, slots };
        };
        let audio_mid = lines.audio.map(|mid| mid.to_string());
        let video_mid = lines.video.map(|mid| mid.to_string());
        if let Some(stream_id) = self.stream.clone() {
            return ClientMessage::Republish {
                epoch,
                offer,
                slots,
                stream_id,
                audio_mid,
                video_mid,
            };
        }
        let video = self.options.video;
        ClientMessage::Publish {
            epoch,
            offer,
            slots,
            has_audio: audio_mid.is_some(),
            has_video: video_mid.is_some(),
            audio_mid,
            video_mid,
            name: "load".into(),
            video_type: video.map(|_| "camera"),
            video_dimensions: video.map_or(Dimensions { width: 0, height: 0 }, |_| Dimensions {
                width: crate::media::WIDTH,
                height: crate::media::HEIGHT,
            }),
            frame_rate: video.map(|video| video.frame_rate),
        }
    }

    /// A new peer connection with all lines anew.
    pub(super) fn replace_media(&mut self, context: &mut Context<'_>) {
        context.tally.media_replaced += 1;
        self.peer = None;
        self.is_offering = false;
        self.receiving.unbind_all();
        self.advance(context);
    }

    pub(super) fn may_send(&self) -> bool {
        self.is_sending
            && self.was_connected
            && self.stream.is_some()
            && matches!(self.phase, Phase::Inside | Phase::Resuming)
    }

    pub(super) fn has_media_due(&self, now: Instant) -> bool {
        let due = |sources: &Sources| sources.deadline().is_some_and(|at| now >= at);
        self.may_send() && self.sources.as_ref().is_none_or(due)
    }

    pub(super) fn send_media(&mut self, context: &mut Context<'_>) {
        if !self.may_send() {
            return;
        }
        let (options, random) = (&self.options, &mut self.random);
        let sources = self
            .sources
            .get_or_insert_with(|| Sources::new(options.audio, options.video, context.now, random));
        let mut peer = self.peer.as_mut().filter(|peer| peer.is_connected());
        sources.send(context.now, context.wall_ns, peer.as_deref_mut(), context.tally);
        let Some(peer) = peer else { return };
        // What was written is sent when the engine is asked for its output after an input.
        if let Err(error) = peer.handle_timeout(context.now) {
            self.end(context, Outcome::Failed(error.to_string()));
        }
    }

    /// Sends what the peer connection has to send, and reacts to what it tells.
    pub(super) fn drain(&mut self, context: &mut Context<'_>) {
        let Some(peer) = &mut self.peer else { return };
        let lacking = self.receiving.lacking_key_frames(context.now);
        if !lacking.is_empty() {
            context.tally.key_frames_asked_for += lacking.len() as u64;
            for ssrc in lacking {
                peer.request_key_frame(ssrc);
            }
            if let Err(error) = peer.handle_timeout(context.now) {
                return self.end(context, Outcome::Failed(error.to_string()));
            }
        }
        self.poll(context, Until::Idle);
    }

    fn poll(&mut self, context: &mut Context<'_>, until: Until) {
        let Some(peer) = &mut self.peer else { return };
        let mut has_connected = false;
        let receiving = &mut self.receiving;
        let tally = &mut *context.tally;
        let (now, wall_ns) = (context.now, context.wall_ns);
        let sources = &mut self.sources;
        let result = peer.poll_until(until, context.send, &mut |arrival| match arrival {
            Arrival::Connected => has_connected = true,
            Arrival::Disconnected => {}
            Arrival::Packet(packet) => receiving.count_packet(now, wall_ns, tally, &packet),
            Arrival::KeyFrameRequested => {
                tally.key_frame_requests += 1;
                if let Some(sources) = sources {
                    sources.request_key_frame();
                }
            }
        });
        match result {
            Ok(Some(deadline)) => self.peer_deadline = deadline,
            Ok(None) => {}
            Err(error) => return self.end(context, Outcome::Failed(error.to_string())),
        }
        if has_connected && !self.was_connected {
            self.was_connected = true;
            context.tally.connecting.add(context.now - self.opened_at);
        }
        if has_connected {
            self.send_media(context);
        }
    }
}

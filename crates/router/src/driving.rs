//! When each engine is driven, and what becomes of what it says.

use std::cmp::Reverse;
use std::time::{Duration, Instant};

use crate::bandwidth::Bitrate;
use crate::engine::{EngineError, LinkState, Output};
use crate::event::TransportState;
use crate::ids::TransportId;
use crate::router::Router;

/// Outputs of one drive of one engine. A peer that makes its engine say more is ended: a real one
/// answers a datagram with a handful.
const MAX_OUTPUTS: usize = 10_000;
/// How often an engine may ask to be called again at once.
const MAX_ROUNDS: usize = 4;
/// Then it waits this long.
const BREATH: Duration = Duration::from_millis(1);

impl Router {
    pub(crate) fn flush_one(&mut self, now: Instant, id: TransportId) {
        let Some(transport) = self.transports.get_mut(&id) else {
            return;
        };
        transport.is_dirty = false;
        if std::mem::take(&mut transport.is_due) {
            match transport.engine.call(|e| e.handle_timeout(now)) {
                Ok(()) => self.drain(now, id),
                Err(error) => self.fail(id, &error),
            }
        }
        let Some(transport) = self.transports.get_mut(&id) else {
            return;
        };
        let datagrams = &mut self.datagrams;
        let sent = transport.engine.call(|e| Ok((e.transmit(now, datagrams)?, e.release_at())));
        match sent {
            Ok((more, release_at)) => {
                transport.release_at = release_at.map(|at| at.max(now + BREATH));
                transport.note_sent(now);
                if more && self.datagrams.is_full() {
                    self.mark_sending(id);
                }
                self.arm(id);
            }
            Err(error) => self.fail(id, &error),
        }
    }

    /// The transport's engine is to be driven.
    pub(crate) fn mark_dirty(&mut self, id: TransportId) {
        if let Some(transport) = self.transports.get_mut(&id) {
            transport.is_due = true;
            self.mark_sending(id);
        }
    }

    /// The transport's engine may have something to send.
    pub(crate) fn mark_sending(&mut self, id: TransportId) {
        if let Some(transport) = self.transports.get_mut(&id).filter(|t| !t.is_dirty) {
            transport.is_dirty = true;
            self.dirty.push(id);
        }
    }

    /// As [`Self::mark_sending`], unless the engine has nothing to send: most datagrams are feedback, which
    /// is answered by nothing.
    pub(crate) fn mark_if_waiting(&mut self, id: TransportId) {
        let transport = self.transports.get_mut(&id);
        if transport.is_some_and(|t| t.engine.call(|e| Ok(e.has_waiting())).unwrap_or(true)) {
            self.mark_sending(id);
        }
    }

    /// Takes what an engine has to say until it gives a deadline.
    pub(crate) fn drain(&mut self, now: Instant, id: TransportId) {
        let mut rounds = 0;
        let mut is_closed = false;
        for _ in 0..MAX_OUTPUTS {
            let Some(transport) = self.transports.get_mut(&id) else {
                return;
            };
            match transport.engine.call(|e| e.poll()) {
                Ok(Output::Deadline(at)) if at <= now && rounds < MAX_ROUNDS => {
                    rounds += 1;
                    if let Err(error) = transport.engine.call(|e| e.handle_timeout(now)) {
                        self.fail(id, &error);
                    }
                }
                Ok(Output::Deadline(at)) => {
                    transport.engine_deadline = Some(at.max(now + BREATH));
                    self.arm(id);
                    if is_closed {
                        let reason = "the client closed it".to_owned();
                        self.end(id, TransportState::Closed, Some(reason));
                    }
                    return;
                }
                Ok(Output::Transmit(transmit)) => self.datagrams.add(&transmit),
                Ok(Output::State(LinkState::Closed)) => is_closed = true,
                Ok(output) => self.handle_output(now, id, output),
                Err(error) => self.fail(id, &error),
            }
        }
        let error = EngineError::Failed(format!("it made more than {MAX_OUTPUTS} outputs at once"));
        self.fail(id, &error);
    }

    fn handle_output(&mut self, now: Instant, id: TransportId, output: Output) {
        match output {
            Output::Packet(packet) => self.forward(now, id, packet),
            Output::SenderReport { mid, rid, ntp, timestamp } => {
                let start = self.start;
                if let Some(transport) = self.transports.get_mut(&id) {
                    let report = transport.clock.learn(start, now, ntp, timestamp);
                    let encodings = transport
                        .tracks
                        .iter_mut()
                        .filter(|t| t.mid == mid)
                        .flat_map(|t| &mut t.encodings);
                    for encoding in encodings.filter(|e| e.rid == rid) {
                        encoding.report = Some(report);
                    }
                }
            }
            Output::KeyFrameRequested(mid) => self.handle_key_frame_request(now, id, mid),
            Output::KeyFrameAsked { mid, rid } => {
                let track = self.transports.get_mut(&id).and_then(|t| t.track_mut(mid));
                let encoding = track.and_then(|t| t.encodings.iter_mut().find(|e| e.rid == rid));
                if let Some(encoding) = encoding {
                    encoding.throttle.note_request(now);
                }
            }
            Output::State(LinkState::Connected) => {
                if let Some(transport) = self.transports.get_mut(&id) {
                    transport.is_ready = true;
                }
                self.set_state(id, TransportState::Connected, None);
                self.request_bound_key_frames(now, id);
            }
            Output::Moved => {
                if let Some(network) = self.transports.get_mut(&id).and_then(|t| t.network.as_mut())
                {
                    network.note_move();
                }
                self.request_bound_key_frames(now, id);
                self.request_sent_key_frames(now, id);
            }
            Output::State(LinkState::Recovered) => {
                self.set_state(id, TransportState::Connected, None);
            }
            Output::State(LinkState::Disconnected) => {
                self.set_state(id, TransportState::Disconnected, None);
            }
            Output::Report(report) => {
                if let Some(transport) = self.transports.get_mut(&id) {
                    transport.report = report;
                }
            }
            Output::Dropped(cause) => {
                if let Some(transport) = self.transports.get_mut(&id) {
                    transport.totals.drops.count(cause);
                }
            }
            Output::Feedback(reports) => self.take_feedback(now, id, &reports),
            Output::Bitrate(most) => self.take_ceiling(now, id, Bitrate::from_bps(most)),
            Output::Deadline(_) | Output::Transmit(_) | Output::State(LinkState::Closed) => {}
        }
    }

    pub(crate) fn handle_timer(&mut self, now: Instant, id: TransportId) {
        let connect_timeout = self.config.connect_timeout;
        let Some(transport) = self.transports.get_mut(&id) else {
            return;
        };
        transport.armed = None;
        if !transport.is_ready && now >= transport.opened_at + connect_timeout {
            let error = EngineError::Failed(format!(
                "ICE or DTLS did not complete within {} s",
                connect_timeout.as_secs()
            ));
            self.fail(id, &error);
            return;
        }
        self.send_due_key_frame_requests(now, id);
        self.steer(now, id);
        let releases =
            self.transports.get(&id).is_some_and(|t| t.release_at.is_some_and(|at| at <= now));
        if releases {
            self.mark_sending(id);
        }
        let is_due =
            self.transports.get(&id).is_some_and(|t| t.engine_deadline.is_some_and(|at| at <= now));
        if is_due {
            self.mark_dirty(id);
        } else {
            self.arm(id);
        }
    }

    /// Puts the transport's next deadline into the queue, unless an earlier one is there already.
    pub(crate) fn arm(&mut self, id: TransportId) {
        let connect_timeout = self.config.connect_timeout;
        let Some(transport) = self.transports.get_mut(&id) else {
            return;
        };
        let connect = (!transport.is_ready).then(|| transport.opened_at + connect_timeout);
        let steer = transport.network.as_ref().map(|network| network.deadline());
        // While it is marked, what is due leaves with the next flush, which arms again.
        let release = transport.release_at.filter(|_| !transport.is_dirty);
        let key_frame = transport.key_frame_deadline();
        let next = [transport.engine_deadline, key_frame, connect, steer, release]
            .into_iter()
            .flatten()
            .min();
        if let Some(next) = next.filter(|at| transport.armed.is_none_or(|armed| *at < armed)) {
            transport.armed = Some(next);
            self.timers.push(Reverse((next, id)));
        }
    }
}

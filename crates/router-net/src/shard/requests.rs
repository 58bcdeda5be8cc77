//! What control asks of a shard.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::Shard;
use crate::link::message::{Empty, Refusal, Reply, Request};
use crate::link::{self, Outbox};
use crate::shards::Job;

/// Requests before everything else has its turn.
const JOBS: usize = 32;

impl Shard {
    /// Does what control asks; returns whether more may be waiting.
    pub(super) fn work(&mut self) -> io::Result<bool> {
        for _ in 0..JOBS {
            // A mailbox that is full would be fuller by every request.
            if !self.unposted.to_shards.is_empty() {
                return Ok(true);
            }
            let Ok(job) = self.jobs.try_recv() else {
                return Ok(false);
            };
            let now = Instant::now();
            match job {
                Job::List(gathering) => {
                    self.settle(now)?;
                    self.shards.gather(&gathering, self.router.list());
                }
                Job::Request { id, request, outbox } => {
                    let outcome = self.execute(now, request, id, &outbox);
                    // What left before the reply must have left: see `Router::unbind`.
                    self.settle(now)?;
                    if let Some(outcome) = outcome {
                        link::answer(&outbox, id, &outcome);
                    }
                }
            }
        }
        Ok(true)
    }

    /// `None`: the answer comes later.
    fn execute(
        &mut self,
        now: Instant,
        request: Request,
        id: u64,
        outbox: &Arc<Outbox>,
    ) -> Option<Result<Reply, Refusal>> {
        let router = &mut self.router;
        let empty = |()| Reply::Empty(Empty {});
        let outcome = match request {
            Request::OpenTransport(r) => {
                let group = r.group.clone();
                let opened = router.open_transport(now, r);
                match &opened {
                    Ok(opened) => self.shards.opened(opened.transport, group),
                    Err(_) => self.shards.not_opened(self.index, group.as_deref()),
                }
                opened.map(Reply::Opened)
            }
            Request::Renegotiate(r) => router.renegotiate(now, &r).map(Reply::Renegotiated),
            Request::CloseTransport(r) => router.close_transport(now, r).map(empty),
            Request::Bind(r) => {
                self.last_ticket += 1;
                let Some(bound) = router.start_bind(now, &r, self.last_ticket) else {
                    self.waiting.insert(self.last_ticket, (id, Arc::clone(outbox)));
                    return None;
                };
                bound.map(Reply::Bound)
            }
            Request::Unbind(r) => {
                let unbound = router.unbind(now, r).map(empty);
                // What waits behind a slow connection must not leave any more either.
                self.send();
                for address in self.connections_of(r.transport) {
                    self.connections.drop_media(address);
                }
                unbound
            }
            Request::Pause(r) => router.pause(now, r).map(empty),
            Request::Prefer(r) => router.prefer(now, r).map(empty),
            Request::SetAudioSlots(r) => router.set_audio_slots(now, &r).map(empty),
            Request::RequestKeyFrame(r) => router.request_key_frame(now, r).map(empty),
            Request::List | Request::Hello(_) => {
                let message = "this is not answered by one shard";
                return Some(Err(Refusal::new("invalid_request", message)));
            }
        };
        Some(outcome.map_err(Refusal::from))
    }
}

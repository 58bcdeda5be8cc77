//! What a member and the server say to each other: requests with their numbers, and what is said again on a new socket.

use std::collections::BTreeMap;
use std::time::Instant;

use str0m::change::SdpPendingOffer;

use crate::signalling::ClientMessage;

/// What an unanswered request was about.
pub(super) enum Asked {
    /// An offer of this epoch's transport.
    Offer { epoch: u32, pending: SdpPendingOffer },
    /// A subscription to this stream.
    Subscribe { stream: String },
    /// Nothing that its answer changes.
    Other,
    /// The goodbye.
    Leave,
}

struct Request {
    message: ClientMessage,
    asked: Asked,
    at: Instant,
}

/// Numbers, unanswered requests, and frames that wait to be sent.
pub(super) struct Dialogue {
    /// Greatest event number that was handled.
    acknowledged: u64,
    next_id: u64,
    requests: BTreeMap<u64, Request>,
    outbox: Vec<String>,
}

impl Default for Dialogue {
    fn default() -> Self {
        Self { acknowledged: 0, next_id: 1, requests: BTreeMap::new(), outbox: Vec::new() }
    }
}

impl Dialogue {
    pub(super) fn take_outbox(&mut self) -> Vec<String> {
        std::mem::take(&mut self.outbox)
    }

    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// The session's log up to this number is known.
    pub(super) fn skip_to(&mut self, number: u64) {
        self.acknowledged = self.acknowledged.max(number);
    }

    /// Whether an event with this number is news; 0 is no event and always is.
    pub(super) fn is_news(&mut self, number: u64) -> bool {
        if number == 0 {
            return true;
        }
        let is_news = number > self.acknowledged;
        self.skip_to(number);
        is_news
    }

    /// Says what has no answer.
    pub(super) fn say(&mut self, message: &ClientMessage) {
        self.outbox.push(message.frame(0, self.acknowledged));
    }

    /// Asks, at once if there is a socket, else when there is one.
    pub(super) fn ask(
        &mut self,
        now: Instant,
        message: ClientMessage,
        asked: Asked,
        has_socket: bool,
    ) {
        let id = self.next_id;
        self.next_id += 1;
        if has_socket {
            self.outbox.push(message.frame(id, self.acknowledged));
        }
        self.requests.insert(id, Request { message, asked, at: now });
    }

    /// An answer came; what it answers, if that is not answered yet.
    pub(super) fn answered(&mut self, id: u64) -> Option<Asked> {
        self.requests.remove(&id).map(|request| request.asked)
    }

    /// On a new socket nothing but `opening` is said before it is answered.
    pub(super) fn begin_again(&mut self, opening: &ClientMessage) {
        self.outbox.clear();
        self.say(opening);
    }

    /// Says everything again that has no answer.
    pub(super) fn repeat(&mut self, now: Instant) {
        for (id, request) in &mut self.requests {
            request.at = now;
            self.outbox.push(request.message.frame(*id, self.acknowledged));
        }
    }

    /// When the oldest unanswered request was made.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.requests.first_key_value().map(|(_, request)| request.at)
    }
}

//! The rules of a member: join, offer, publish, subscribe, come back after a lost socket or transport, leave.

mod media;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::dialogue::{Asked, Dialogue};
use super::peer::{Peer, PeerFactory};
use super::receiving::Receiving;
use super::sending::Sources;
use crate::measure::Tally;
use crate::media::{AudioOptions, VideoOptions};
use crate::signalling::{
    ClientMessage, ClientName, ErrorBody, Joined, ReplyResult, Resumed, ServerFrame, ServerMessage,
    Stream,
};

/// Sizes to which a client's pool of slot pairs grows.
const PAIR_STEPS: [usize; 7] = [2, 4, 8, 16, 32, 48, 56];
/// A server that has not answered by then is away.
const ANSWER: Duration = Duration::from_secs(15);
/// A media transport that has no keys by then has no way to the router.
const MEDIA: Duration = Duration::from_secs(20);
/// A goodbye without an answer.
const GOODBYE: Duration = Duration::from_secs(3);
/// Waits between attempts to resume: the first at once, then from here, doubling.
const FIRST_RETRY: Duration = Duration::from_millis(250);
const LONGEST_RETRY: Duration = Duration::from_secs(5);
/// How much later than it asks for a connected peer connection is given the time: receivers have something to do
/// every few milliseconds, most of which the next datagram sees to.
const SLACK: Duration = Duration::from_millis(20);

/// What a member does in its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Publishes.
    Publisher,
    /// Subscribes to every stream.
    Subscriber,
    /// Publishes, and subscribes to every other stream.
    Participant,
}

impl Role {
    fn publishes(self) -> bool {
        self != Self::Subscriber
    }

    fn subscribes(self) -> bool {
        self != Self::Publisher
    }
}

/// How a member is.
#[derive(Debug, Clone)]
pub struct MemberOptions {
    /// What it does.
    pub role: Role,
    /// Lets it in.
    pub token: String,
    /// What it publishes.
    pub video: Option<VideoOptions>,
    /// What it publishes.
    pub audio: Option<AudioOptions>,
    /// Streams that it subscribes to at most.
    pub max_streams: usize,
    /// Whether it takes the loudest only where there are many.
    pub knows_audio_slots: bool,
    /// Streams that it will probably subscribe to: its first offer has pairs for them.
    pub expected_streams: usize,
}

/// How far a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The socket is opened, or `join` is on its way.
    Joining,
    /// A member of the session.
    Inside,
    /// The socket was lost.
    Resuming,
    /// Goodbye was said.
    Leaving,
    /// Over; see [`Member::outcome`].
    Ended,
}

/// How a member ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Said goodbye.
    Left,
    /// A sentence that says why.
    Failed(String),
}

/// What a member is given with every input.
pub struct Context<'a> {
    /// Monotonic time.
    pub now: Instant,
    /// Nanoseconds of the wall clock: of now, or of the arrival of the datagram that is handed over.
    pub wall_ns: u64,
    /// Where everything is counted.
    pub tally: &'a mut Tally,
    /// Sends a datagram.
    pub send: &'a mut dyn FnMut(&[u8], SocketAddr),
    /// Makes peer connections.
    pub peers: &'a PeerFactory,
}

/// One client of a session.
pub struct Member {
    options: MemberOptions,
    phase: Phase,
    outcome: Option<Outcome>,
    opened_at: Instant,
    local: Option<SocketAddr>,
    random: fastrand::Rng,

    connection: String,
    resume_key: String,
    window: Duration,
    dialogue: Dialogue,
    lost_at: Instant,
    retries: u32,
    retry_at: Option<Instant>,
    leave_by: Instant,

    peer: Option<Peer>,
    epoch: u32,
    peer_since: Instant,
    peer_deadline: Instant,
    was_connected: bool,
    pairs_wanted: usize,
    is_offering: bool,
    stream: Option<String>,
    sources: Option<Sources>,
    is_sending: bool,

    receiving: Receiving,
}

impl Member {
    /// A member that begins to join now; `seed` chooses its sources and its waiting times.
    #[must_use]
    pub fn new(options: MemberOptions, now: Instant, seed: u64) -> Self {
        let pairs_wanted =
            if options.role.subscribes() { pool(options.expected_streams) } else { 0 };
        let mut member = Self {
            pairs_wanted,
            options,
            phase: Phase::Joining,
            outcome: None,
            opened_at: now,
            local: None,
            random: fastrand::Rng::with_seed(seed),
            connection: String::new(),
            resume_key: String::new(),
            window: Duration::ZERO,
            dialogue: Dialogue::default(),
            lost_at: now,
            retries: 0,
            retry_at: None,
            leave_by: now,
            peer: None,
            epoch: 0,
            peer_since: now,
            peer_deadline: now,
            was_connected: false,
            is_offering: false,
            stream: None,
            sources: None,
            is_sending: true,
            receiving: Receiving::new(now),
        };
        let token = member.options.token.clone();
        let audio_slots = member.options.knows_audio_slots;
        member.dialogue.say(&ClientMessage::Join { token, client: ClientName::OWN, audio_slots });
        member
    }

    /// How far it is.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// How it ended.
    #[must_use]
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    /// Whether it has everything that it came for: it publishes, and every subscription carries packets.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.phase == Phase::Inside
            && self.peer.as_ref().is_some_and(Peer::is_connected)
            && (!self.options.role.publishes() || self.stream.is_some())
            && self.receiving.started() == self.receiving.count()
    }

    /// Subscriptions that carry packets.
    #[must_use]
    pub fn started_subscriptions(&self) -> usize {
        self.receiving.started()
    }

    /// Frames for the server.
    pub fn take_outbox(&mut self) -> Vec<String> {
        self.dialogue.take_outbox()
    }

    /// The address of its UDP socket, which it must know before it hears from the server.
    pub fn set_local(&mut self, local: SocketAddr) {
        self.local = Some(local);
    }

    /// Whether a new socket is to be opened now; the answer is yes only once per attempt.
    pub fn take_retry(&mut self, now: Instant) -> bool {
        let is_due = self.retry_at.is_some_and(|at| at <= now);
        if is_due {
            self.retry_at = None;
            let resume = ClientMessage::Resume {
                connection_id: self.connection.clone(),
                resume_key: self.resume_key.clone(),
                after: self.dialogue.acknowledged(),
                audio_slots: self.options.knows_audio_slots,
            };
            self.dialogue.begin_again(&resume);
        }
        is_due
    }

    /// When [`Self::handle_timeout`] has something to do.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        let mut deadline = match self.phase {
            Phase::Joining => self.opened_at + ANSWER,
            Phase::Inside => self.media_deadline(),
            Phase::Resuming => self.lost_at + self.window,
            Phase::Leaving => self.leave_by,
            Phase::Ended => return self.lost_at + Duration::from_secs(1 << 30),
        };
        if let Some(at) = self.retry_at {
            deadline = deadline.min(at);
        }
        if self.phase == Phase::Inside
            && let Some(at) = self.dialogue.oldest()
        {
            deadline = deadline.min(at + ANSWER);
        }
        if self.peer.is_some() {
            let slack = if self.was_connected { SLACK } else { Duration::ZERO };
            deadline = deadline.min(self.peer_deadline + slack);
            let sources = self.sources.as_ref().filter(|_| self.may_send());
            if let Some(at) = sources.and_then(Sources::deadline) {
                deadline = deadline.min(at);
            }
        }
        deadline
    }

    /// Says goodbye.
    pub fn leave(&mut self, context: &mut Context<'_>) {
        match self.phase {
            Phase::Inside => {
                self.phase = Phase::Leaving;
                self.leave_by = context.now + GOODBYE;
                self.request(context.now, ClientMessage::Leave {}, Asked::Leave);
            }
            Phase::Joining | Phase::Resuming => self.end(context, Outcome::Left),
            Phase::Leaving | Phase::Ended => {}
        }
    }

    /// Sends no more packets; what was sent is then final.
    pub fn stop_sending(&mut self, tally: &mut Tally) {
        self.is_sending = false;
        if let Some(sources) = self.sources.take() {
            sources.close(tally);
        }
    }

    /// Hands over what it received; `is_last` if nothing more will be sent by anybody.
    pub fn hand_over(&mut self, tally: &mut Tally, now: Instant, is_last: bool) {
        self.receiving.hand_over(tally, now, is_last);
    }

    /// The server's socket is gone; `code` is the WebSocket's close code.
    pub fn handle_lost(&mut self, context: &mut Context<'_>, code: Option<u16>, cause: &str) {
        match self.phase {
            Phase::Leaving => self.end(context, Outcome::Left),
            Phase::Inside | Phase::Resuming if may_resume(code) => {
                if self.phase == Phase::Inside {
                    context.tally.sockets_lost += 1;
                    self.phase = Phase::Resuming;
                    self.lost_at = context.now;
                    self.retries = 0;
                }
                self.retry_at = Some(context.now + self.next_wait());
                self.retries += 1;
            }
            Phase::Ended => {}
            _ => self.end(context, Outcome::Failed(cause.to_owned())),
        }
    }

    /// A frame came.
    pub fn handle_frame(&mut self, context: &mut Context<'_>, (number, message): ServerFrame) {
        if !self.dialogue.is_news(number) {
            return;
        }
        match message {
            ServerMessage::Joined(joined) => self.handle_joined(context, *joined),
            ServerMessage::Resumed(resumed) => self.handle_resumed(context, resumed),
            ServerMessage::Refused { error } => {
                let sentence = format!("the server refused a client: {}", told(&error));
                self.end(context, Outcome::Failed(sentence));
            }
            ServerMessage::Reply { id, result, error } => {
                self.handle_reply(context, id, result.unwrap_or_default(), error);
            }
            ServerMessage::Ping {} => self.dialogue.say(&ClientMessage::Pong {}),
            ServerMessage::Bound { binding } => {
                self.receiving.bind(binding.slot, binding.subscription_id);
            }
            ServerMessage::Unbound { slot, generation, .. } => {
                self.receiving.unbind(slot);
                let message = ClientMessage::ReleaseSlot { slot, generation };
                self.request(context.now, message, Asked::Other);
            }
            ServerMessage::SlotsNeeded { pairs } => {
                self.pairs_wanted = self.pairs_wanted.max(pool(pairs));
                self.advance(context);
            }
            ServerMessage::AudioSlot { slot, subscription_id: Some(subscription) } => {
                self.receiving.bind(slot, subscription);
            }
            ServerMessage::AudioSlot { slot, .. } => self.receiving.unbind(slot),
            ServerMessage::MediaFailed { epoch }
                if epoch == self.epoch && self.phase == Phase::Inside =>
            {
                self.replace_media(context);
            }
            ServerMessage::Disconnected { reason } if self.phase != Phase::Leaving => {
                let sentence = format!("the server ended a client ({reason})");
                self.end(context, Outcome::Failed(sentence));
            }
            ServerMessage::StreamCreated { stream } => self.subscribe(context.now, stream),
            ServerMessage::StreamDestroyed { stream_id } => {
                self.receiving.forget(&stream_id);
            }
            _ => {}
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, context: &mut Context<'_>) {
        let now = context.now;
        match self.phase {
            Phase::Joining if now >= self.opened_at + ANSWER => {
                self.end(context, Outcome::Failed("the server did not answer in time".into()));
            }
            Phase::Resuming if now >= self.lost_at + self.window => {
                let sentence = "the connection to the server did not come back".into();
                self.end(context, Outcome::Failed(sentence));
            }
            Phase::Leaving if now >= self.leave_by => {
                let sentence = "the server did not answer a goodbye".into();
                self.end(context, Outcome::Failed(sentence));
            }
            Phase::Inside if now >= self.media_deadline() => {
                let sentence = "no media path to the router came about; check its UDP port";
                self.end(context, Outcome::Failed(sentence.into()));
            }
            Phase::Inside if self.has_unanswered(now) => {
                let sentence = "the server did not answer a request in time".into();
                self.end(context, Outcome::Failed(sentence));
            }
            _ => {}
        }
        let is_sending = self.has_media_due(now);
        let Some(peer) = &mut self.peer else { return };
        // Sending gives it the time as well.
        if now >= self.peer_deadline
            && !(is_sending && peer.is_connected())
            && let Err(error) = peer.handle_timeout(now)
        {
            return self.end(context, Outcome::Failed(error.to_string()));
        }
        if is_sending {
            self.send_media(context);
        }
        self.drain(context);
    }

    fn handle_joined(&mut self, context: &mut Context<'_>, joined: Joined) {
        if self.phase != Phase::Joining {
            return;
        }
        self.phase = Phase::Inside;
        context.tally.joined += 1;
        context.tally.joining.add(context.now - self.opened_at);
        self.connection = joined.connection.id;
        self.resume_key = joined.resume_key;
        self.window = Duration::try_from_secs_f64(joined.reconnect_window_s).unwrap_or_default();
        self.dialogue.skip_to(joined.number);
        self.peer_since = context.now;
        self.advance(context);
        for stream in joined.streams {
            self.subscribe(context.now, stream);
        }
    }

    fn handle_resumed(&mut self, context: &mut Context<'_>, resumed: Resumed) {
        if self.phase != Phase::Resuming {
            return;
        }
        self.phase = Phase::Inside;
        context.tally.sockets_resumed += 1;
        self.resume_key = resumed.resume_key;
        self.dialogue.repeat(context.now);
        if let Some(snapshot) = resumed.snapshot {
            self.dialogue.skip_to(snapshot.number);
            self.receiving.keep(|id| snapshot.streams.iter().any(|s| s.id == id));
            for stream in snapshot.streams {
                self.subscribe(context.now, stream);
            }
        }
        if resumed.epoch != self.epoch && !self.is_offering {
            self.replace_media(context);
        }
        for binding in resumed.bindings {
            self.receiving.bind(binding.slot, binding.subscription_id);
        }
        self.advance(context);
    }

    fn handle_reply(
        &mut self,
        context: &mut Context<'_>,
        id: u64,
        result: ReplyResult,
        error: Option<ErrorBody>,
    ) {
        let Some(asked) = self.dialogue.answered(id) else { return };
        match asked {
            Asked::Leave => {
                // Not before: media that ends while the seat lives on would be replaced.
                if let Some(peer) = &mut self.peer {
                    peer.close();
                }
                self.drain(context);
                self.end(context, Outcome::Left);
            }
            Asked::Offer { epoch, pending } => {
                self.is_offering = false;
                if let Some(stream) = result.stream {
                    self.stream = Some(stream.id);
                }
                match error {
                    Some(error) => self.fail_offer(context, epoch, &error),
                    None if epoch == self.epoch => self.accept(context, pending, result.answer),
                    None => {}
                }
                self.advance(context);
            }
            Asked::Subscribe { stream } => match (error, result.subscription_id) {
                (None, Some(id)) => self.receiving.grant(&stream, id),
                // A stream that ended meanwhile is no failure; its end is announced as well.
                _ => {
                    if self.receiving.forget(&stream) {
                        context.tally.subscriptions_refused += 1;
                    }
                }
            },
            Asked::Other => {}
        }
    }

    fn fail_offer(&mut self, context: &mut Context<'_>, epoch: u32, error: &ErrorBody) {
        // An offer of a transport that is gone: its successor is under way.
        if epoch == self.epoch {
            let sentence = format!("the server refused an offer: {}", told(error));
            self.end(context, Outcome::Failed(sentence));
        }
    }

    fn subscribe(&mut self, now: Instant, stream: Stream) {
        if !self.options.role.subscribes()
            || stream.connection_id == self.connection
            || self.receiving.knows(&stream.id)
            || self.receiving.count() >= self.options.max_streams
        {
            return;
        }
        self.receiving.ask(&stream.id, now);
        let message =
            ClientMessage::Subscribe { stream_id: stream.id.clone(), audio: true, video: true };
        self.request(now, message, Asked::Subscribe { stream: stream.id });
    }

    fn media_deadline(&self) -> Instant {
        if self.peer.as_ref().is_some_and(Peer::is_connected) {
            // Long after any other deadline.
            return self.peer_since + Duration::from_secs(1 << 30);
        }
        self.peer_since + MEDIA
    }

    fn has_unanswered(&self, now: Instant) -> bool {
        self.dialogue.oldest().is_some_and(|at| now >= at + ANSWER)
    }

    fn request(&mut self, now: Instant, message: ClientMessage, asked: Asked) {
        let has_socket = matches!(self.phase, Phase::Inside | Phase::Leaving);
        self.dialogue.ask(now, message, asked, has_socket);
    }

    fn next_wait(&mut self) -> Duration {
        let Some(doublings) = self.retries.checked_sub(1) else { return Duration::ZERO };
        let wait = (FIRST_RETRY * 2_u32.pow(doublings.min(8))).min(LONGEST_RETRY);
        wait.mul_f64(1.0 - self.random.f64() / 2.0)
    }

    fn end(&mut self, context: &mut Context<'_>, outcome: Outcome) {
        if self.phase == Phase::Ended {
            return;
        }
        self.phase = Phase::Ended;
        match &outcome {
            Outcome::Left => context.tally.left += 1,
            Outcome::Failed(sentence) => context.tally.fail(sentence.clone()),
        }
        self.outcome = Some(outcome);
        self.retry_at = None;
    }
}

/// Whether a socket that closed with this code can be replaced by another.
fn may_resume(code: Option<u16>) -> bool {
    !matches!(code, Some(4000 | 4001 | 4002 | 4003 | 4005 | 4029 | 1009))
}

fn pool(streams: usize) -> usize {
    PAIR_STEPS.into_iter().find(|size| *size >= streams).unwrap_or(56)
}

fn told(error: &ErrorBody) -> String {
    format!("{} ({})", error.message.trim_end_matches('.'), error.name)
}

//! One hostile client: a member of the session like any other, whose datagrams pass a filter, and that says more.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::{Interest, Registry, Token};
use tertulia_load::client::{Context, Member, MemberOptions, PeerFactory, Phase, Role};
use tertulia_load::datagrams::{Inbox, UdpPort, wall_ns};
use tertulia_load::measure::Tally;
use tertulia_load::media::VideoOptions;
use tertulia_load::signalling::{Server, ServerFrame, ServerMessage, Socket};

use crate::attack::{Attack, Voice};
use crate::seal::Seal;

/// A new transport as often as this, of those who never finish one.
const NEXT_TRANSPORT: Duration = Duration::from_millis(200);
/// Who was thrown out comes back after this.
const REJOIN: Duration = Duration::from_millis(500);
/// Batches of datagrams that are read in one turn.
const BATCHES: usize = 8;

/// What all clients use.
pub(crate) struct Shared {
    pub(crate) registry: Registry,
    pub(crate) peers: PeerFactory,
    pub(crate) server: Server,
    pub(crate) token: String,
    pub(crate) tally: Tally,
    pub(crate) inbox: Inbox,
}

/// One client.
pub(crate) struct Client {
    number: usize,
    attack: Attack,
    member: Member,
    socket: Option<Socket>,
    udp: Option<UdpPort>,
    /// The keys of its newest transport, and what it says with them.
    seal: Option<Seal>,
    voice: Voice,
    /// Where its datagrams go.
    router: Option<SocketAddr>,
    epoch: u32,
    next_transport: Instant,
    rejoin_at: Option<Instant>,
    is_attacking: bool,
    /// Datagrams of the attack.
    pub(crate) sent: u64,
    /// How often it was thrown out and came back.
    pub(crate) rejoined: u64,
    /// Transports that it began.
    pub(crate) transports: u64,
}

impl Client {
    pub(crate) fn new(
        number: usize,
        (attack, place): (Attack, usize),
        shared: &mut Shared,
    ) -> Self {
        let now = Instant::now();
        let mut client = Self {
            number,
            attack,
            member: member(&shared.token, now, number),
            socket: None,
            udp: None,
            seal: None,
            voice: Voice::new(attack, place, now),
            router: None,
            epoch: 0,
            next_transport: now,
            rejoin_at: None,
            is_attacking: false,
            sent: 0,
            rejoined: 0,
            transports: 0,
        };
        client.open(shared);
        client
    }

    fn open(&mut self, shared: &mut Shared) {
        match Socket::open(&shared.server, &shared.registry, Token(2 * self.number)) {
            Ok(socket) => self.socket = Some(socket),
            Err(error) => self.lose(shared, &error.to_string()),
        }
    }

    /// Whether it is in the session and has everything.
    pub(crate) fn is_ready(&self) -> bool {
        self.member.is_settled()
            && self.seal.as_ref().is_some_and(|s| s.keying_material().is_some())
    }

    /// The attack begins.
    pub(crate) fn begin(&mut self, shared: &mut Shared) {
        self.is_attacking = self.attack != Attack::None;
        self.voice.begin(Instant::now());
        if self.is_attacking {
            // What becomes of its own stream would be counted among what the others get of each other.
            self.member.stop_sending(&mut shared.tally);
        }
    }

    /// Reads, answers, and says what is due.
    pub(crate) fn turn(&mut self, shared: &mut Shared) {
        let now = Instant::now();
        if self.rejoin_at.is_some_and(|at| at <= now) {
            self.rejoin_at = None;
            self.rejoined += 1;
            self.member = member(&shared.token, now, self.number);
            self.udp = None;
            self.epoch = 0;
            self.open(shared);
        }
        self.read_socket(shared);
        self.read_datagrams(shared);
        if self.member.take_retry(now) {
            self.open(shared);
        }
        if self.member.deadline() <= now {
            self.enter(shared, None, Member::handle_timeout);
        }
        if self.is_attacking {
            self.attack(now, shared);
        }
        self.write_socket(shared);
        if self.member.phase() == Phase::Ended && self.rejoin_at.is_none() {
            self.rejoin_at = Some(now + REJOIN);
        }
    }

    fn attack(&mut self, now: Instant, shared: &mut Shared) {
        if self.attack == Attack::Handshakes {
            if now >= self.next_transport && self.member.phase() == Phase::Inside {
                self.next_transport = now + NEXT_TRANSPORT;
                let forged = (0, ServerMessage::MediaFailed { epoch: self.epoch });
                self.handle_frame(shared, forged);
            }
            return;
        }
        let material = self.seal.as_ref().and_then(Seal::keying_material);
        let (Some(material), Some(udp), Some(router)) = (material, &self.udp, self.router) else {
            return;
        };
        let sent = &mut self.sent;
        self.voice.say(now, &material, &mut |datagram| {
            // What the kernel does not take is not sent.
            *sent += u64::from(udp.send(datagram, router));
        });
    }

    fn read_socket(&mut self, shared: &mut Shared) {
        let Some(socket) = &mut self.socket else { return };
        let mut frames = Vec::new();
        let result = socket.drive(&mut frames);
        if self.udp.is_none()
            && let Some(ip) = socket.local_ip()
            && let Ok(mut udp) = UdpPort::open(ip)
        {
            let token = Token(2 * self.number + 1);
            if shared.registry.register(udp.source(), token, Interest::READABLE).is_ok() {
                self.member.set_local(udp.local());
                self.udp = Some(udp);
            }
        }
        for frame in frames {
            self.handle_frame(shared, frame);
        }
        match result {
            Ok(None) => {}
            Ok(Some(close)) => self.lose(shared, &format!("closed with {}", close.code)),
            Err(error) => self.lose(shared, &error.to_string()),
        }
    }

    fn handle_frame(&mut self, shared: &mut Shared, frame: ServerFrame) {
        self.enter(shared, None, |member, context| member.handle_frame(context, frame));
        // A transport that was made just now is the newest that this thread made.
        if let Some(seal) = Seal::take_newest() {
            self.seal = Some(seal);
            self.epoch += 1;
            self.transports += 1;
            self.voice.forget();
        }
    }

    fn read_datagrams(&mut self, shared: &mut Shared) {
        for _ in 0..BATCHES {
            let Some(udp) = &mut self.udp else { return };
            let mut inbox = std::mem::take(&mut shared.inbox);
            let has_more = inbox.receive(udp);
            for datagram in inbox.datagrams() {
                self.voice.note(datagram.bytes);
                self.enter(shared, Some(datagram.arrived_ns), |member, context| {
                    member.handle_datagram(context, datagram.from, datagram.bytes);
                });
            }
            shared.inbox = inbox;
            if !has_more {
                return;
            }
        }
    }

    fn write_socket(&mut self, shared: &mut Shared) {
        let Some(socket) = &mut self.socket else { return };
        let frames = self.member.take_outbox();
        for frame in &frames {
            self.voice.note_frame(frame);
        }
        let failed = frames.into_iter().find_map(|frame| socket.send(frame).err());
        if let Some(error) = failed {
            self.lose(shared, &error.to_string());
        }
    }

    fn lose(&mut self, shared: &mut Shared, cause: &str) {
        self.socket = None;
        self.enter(shared, None, |member, context| member.handle_lost(context, None, cause));
    }

    fn enter(
        &mut self,
        shared: &mut Shared,
        arrived_ns: Option<u64>,
        call: impl FnOnce(&mut Member, &mut Context<'_>),
    ) {
        let attack = if self.is_attacking { self.attack } else { Attack::None };
        let (udp, router) = (&self.udp, &mut self.router);
        let mut send = |bytes: &[u8], to: SocketAddr| {
            *router = Some(to);
            if let Some(udp) = udp
                && attack.lets_pass(bytes)
            {
                let _ = udp.send(bytes, to);
            }
        };
        let mut context = Context {
            now: Instant::now(),
            wall_ns: arrived_ns.unwrap_or_else(wall_ns),
            tally: &mut shared.tally,
            send: &mut send,
            peers: &shared.peers,
        };
        call(&mut self.member, &mut context);
    }
}

/// Somebody who publishes a little video and subscribes to everything.
fn member(token: &str, now: Instant, seed: usize) -> Member {
    let options = MemberOptions {
        role: Role::Participant,
        token: token.to_owned(),
        video: Some(VideoOptions { bitrate_bps: 100_000, frame_rate: 10, packet_bytes: 1_150 }),
        audio: None,
        max_streams: 16,
        knows_audio_slots: false,
        expected_streams: 16,
    };
    Member::new(options, now, seed as u64)
}

//! A thread that owns the sockets of its members and drives them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::{Events, Interest, Poll, Registry, Token, Waker};
use rustc_hash::FxHashMap;

use crate::client::{Context, Member, MemberOptions, Outcome, PeerFactory, Phase};
use crate::datagrams::{self, Inbox, UdpPort};
use crate::measure::Tally;
use crate::signalling::{Server, Socket};

/// Token of the waker; members have two tokens each, twice their number and one more.
const WAKE: Token = Token(usize::MAX);
/// Longest wait, so that figures that others watch are never old.
const TICK: Duration = Duration::from_millis(100);
/// Batches of datagrams that are read of one socket before the others have their turn.
const BATCHES: usize = 8;

/// What a worker is told.
#[derive(Debug)]
pub enum Order {
    /// A member with this number begins to join.
    Join(usize, Box<MemberOptions>),
    /// It says goodbye.
    Leave(usize),
    /// Nobody sends any more.
    StopSending,
    /// Everybody says goodbye; then the thread ends.
    Finish,
}

/// What a worker tells of one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Its number.
    pub member: usize,
    /// How it ended.
    pub outcome: Outcome,
}

/// Figures that change all the time, of one worker.
#[derive(Debug, Default)]
#[allow(missing_docs, reason = "named like the fields of `Tally` and `Member`")]
pub struct Live {
    pub inside: AtomicU64,
    pub settled: AtomicU64,
    pub subscriptions_started: AtomicU64,
    pub joined: AtomicU64,
    pub failed: AtomicU64,
    pub sent: AtomicU64,
    pub received: AtomicU64,
    pub received_bytes: AtomicU64,
}

/// How the threads of one run are.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// Where the server is.
    pub server: Server,
    /// Share of received media packets that is dropped on purpose, 0 to 1.
    pub drop_share: f64,
    /// Of everything random.
    pub seed: u64,
}

/// The handle of a worker's thread.
pub struct Worker {
    orders: Sender<Order>,
    waker: Arc<Waker>,
    live: Arc<Live>,
    thread: JoinHandle<Tally>,
}

impl Worker {
    /// Starts the thread; it tells of members that ended through `ended`.
    pub fn start(
        options: WorkerOptions,
        peers: PeerFactory,
        ended: Sender<Ended>,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let (orders, inbox) = channel();
        let live = Arc::new(Live::default());
        let figures = Arc::clone(&live);
        let thread = thread::Builder::new().name("clients".into()).spawn(move || {
            Thread {
                poll,
                orders: inbox,
                ended,
                live: figures,
                peers,
                random: fastrand::Rng::with_seed(options.seed),
                options,
                members: FxHashMap::default(),
                timers: BinaryHeap::new(),
                tally: Tally::default(),
                inbox: Inbox::new(),
                is_finishing: false,
                is_sending: true,
            }
            .run()
        })?;
        Ok(Self { orders, waker, live, thread })
    }

    /// Tells the thread; one that has ended hears nothing.
    pub fn order(&self, order: Order) {
        if self.orders.send(order).is_ok() {
            // A waker that cannot be woken belongs to a thread that wakes by itself soon.
            let _ = self.waker.wake();
        }
    }

    /// The figures that change all the time.
    #[must_use]
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// Waits for the end of the thread, after [`Order::Finish`]; `None` if it panicked.
    #[must_use]
    pub fn join(self) -> Option<Tally> {
        self.thread.join().ok()
    }
}

struct Connected {
    member: Member,
    socket: Option<Socket>,
    udp: Option<UdpPort>,
    /// The time of this member's newest timer.
    timer: Option<Instant>,
}

struct Thread {
    poll: Poll,
    orders: Receiver<Order>,
    ended: Sender<Ended>,
    live: Arc<Live>,
    options: WorkerOptions,
    peers: PeerFactory,
    random: fastrand::Rng,
    members: FxHashMap<usize, Connected>,
    timers: BinaryHeap<Reverse<(Instant, usize)>>,
    tally: Tally,
    inbox: Inbox,
    is_finishing: bool,
    is_sending: bool,
}

impl Thread {
    fn run(mut self) -> Tally {
        let mut events = Events::with_capacity(1_024);
        let mut unread = Vec::new();
        let mut told_at = Instant::now();
        while !(self.is_finishing && self.members.is_empty()) {
            let wait = if unread.is_empty() { self.wait() } else { Duration::ZERO };
            if let Err(error) = self.poll.poll(&mut events, Some(wait))
                && error.kind() != io::ErrorKind::Interrupted
            {
                self.tally.fail(format!("this program cannot wait for sockets ({error})"));
                break;
            }
            self.take_orders();
            // Signalling first: it is rare, and media floods.
            for event in &events {
                self.dispatch(event, &mut unread);
            }
            // Who receives a lot must not make late what is to be sent.
            unread.retain(|number| {
                self.run_timers();
                self.read_datagrams(*number)
            });
            self.run_timers();
            if told_at.elapsed() >= TICK / 2 {
                told_at = Instant::now();
                self.tell();
            }
        }
        self.tell();
        self.tally
    }

    fn wait(&self) -> Duration {
        let next = self.timers.peek().map(|Reverse((at, _))| *at);
        next.map_or(TICK, |at| at.saturating_duration_since(Instant::now()).min(TICK))
    }

    fn take_orders(&mut self) {
        while let Ok(order) = self.orders.try_recv() {
            match order {
                Order::Join(number, options) => self.join(number, *options),
                Order::Leave(number) => self.with(number, Member::leave),
                Order::StopSending => {
                    self.is_sending = false;
                    for connected in self.members.values_mut() {
                        connected.member.stop_sending(&mut self.tally);
                    }
                }
                Order::Finish => {
                    self.is_finishing = true;
                    let now = Instant::now();
                    let numbers: Vec<_> = self.members.keys().copied().collect();
                    for number in numbers {
                        if let Some(connected) = self.members.get_mut(&number) {
                            connected.member.hand_over(&mut self.tally, now, !self.is_sending);
                        }
                        self.with(number, Member::leave);
                    }
                }
            }
        }
    }

    fn join(&mut self, number: usize, options: MemberOptions) {
        let now = Instant::now();
        let mut member = Member::new(options, now, self.random.u64(..));
        if !self.is_sending {
            member.stop_sending(&mut self.tally);
        }
        let socket = self.open(number);
        let mut connected = Connected { member, socket: None, udp: None, timer: None };
        match socket {
            Ok(socket) => connected.socket = Some(socket),
            Err(error) => connected.lose(&mut self.tally, &self.peers, None, &error),
        }
        self.members.insert(number, connected);
        self.with(number, |_, _| ());
    }

    fn open(&self, number: usize) -> Result<Socket, String> {
        Socket::open(&self.options.server, self.poll.registry(), Token(2 * number))
            .map_err(|error| error.to_string())
    }

    fn dispatch(&mut self, event: &Event, unread: &mut Vec<usize>) {
        let Token(token) = event.token();
        if event.token() == WAKE {
            return;
        }
        let number = token / 2;
        if token % 2 == 1 {
            if event.is_readable() && !unread.contains(&number) {
                unread.push(number);
            }
        } else {
            self.drive_socket(number);
        }
    }

    /// Reads what the server says and hands it to the member.
    fn drive_socket(&mut self, number: usize) {
        let Some(connected) = self.members.get_mut(&number) else { return };
        let Some(socket) = &mut connected.socket else { return };
        let mut frames = Vec::new();
        let result = socket.drive(&mut frames);
        if connected.udp.is_none()
            && let Some(ip) = socket.local_ip()
        {
            connected.open_udp(self.poll.registry(), number, ip, &mut self.tally, &self.peers);
        }
        let Some(connected) = self.members.get_mut(&number) else { return };
        connected.enter(&mut self.tally, &self.peers, |member, context| {
            for frame in frames {
                member.handle_frame(context, frame);
            }
        });
        match result {
            Ok(None) => {}
            Ok(Some(close)) => {
                let cause = format!("the server closed the connection ({})", close.code);
                connected.lose(&mut self.tally, &self.peers, Some(close.code), &cause);
            }
            Err(error) => {
                connected.lose(&mut self.tally, &self.peers, None, &error.to_string());
            }
        }
        self.with(number, |_, _| ());
    }

    /// Reads datagrams of a member's socket; returns whether there may be more.
    fn read_datagrams(&mut self, number: usize) -> bool {
        let Some(connected) = self.members.get_mut(&number) else { return false };
        let mut has_more = true;
        for _ in 0..BATCHES {
            let Some(udp) = &mut connected.udp else { return false };
            has_more = self.inbox.receive(udp);
            self.tally.dropped_unread += udp.take_overflow();
            let (random, share, mut dropped) = (&mut self.random, self.options.drop_share, 0);
            let batch = self.inbox.datagrams().filter(|datagram| {
                let is_dropped =
                    share > 0.0 && datagrams::is_media(datagram.bytes) && random.f64() < share;
                dropped += u64::from(is_dropped);
                !is_dropped
            });
            connected.enter(&mut self.tally, &self.peers, |member, context| {
                member.handle_batch(context, batch);
            });
            self.tally.dropped_on_purpose += dropped;
            if !has_more {
                break;
            }
        }
        self.with(number, |_, _| ());
        has_more
    }

    fn run_timers(&mut self) {
        let now = Instant::now();
        // Those that are set meanwhile have their turn after the sockets.
        for _ in 0..self.timers.len() {
            let Some(Reverse((at, number))) = self.timers.peek().copied() else { return };
            if at > now {
                return;
            }
            self.timers.pop();
            let Some(connected) = self.members.get_mut(&number) else { continue };
            if connected.timer != Some(at) {
                continue;
            }
            let deadline = connected.member.deadline();
            if deadline > now && connected.member.phase() != Phase::Ended {
                connected.timer = Some(deadline);
                self.timers.push(Reverse((deadline, number)));
                continue;
            }
            connected.timer = None;
            if connected.member.take_retry(now) {
                let result =
                    Socket::open(&self.options.server, self.poll.registry(), Token(2 * number));
                match result {
                    Ok(socket) => connected.socket = Some(socket),
                    Err(error) => {
                        connected.lose(&mut self.tally, &self.peers, None, &error.to_string());
                    }
                }
            }
            self.with(number, Member::handle_timeout);
        }
    }

    /// Calls the member, sends what it has to say, sets its timer, and takes it away if it has ended.
    fn with(&mut self, number: usize, call: impl FnOnce(&mut Member, &mut Context<'_>)) {
        let Some(connected) = self.members.get_mut(&number) else { return };
        connected.enter(&mut self.tally, &self.peers, call);
        if let Some(error) = connected.send_frames() {
            connected.lose(&mut self.tally, &self.peers, None, &error);
        }
        let deadline = connected.member.deadline();
        if connected.member.phase() != Phase::Ended {
            if connected.timer.is_none_or(|at| deadline < at) {
                connected.timer = Some(deadline);
                self.timers.push(Reverse((deadline, number)));
            }
            return;
        }
        if let Some(mut connected) = self.members.remove(&number) {
            connected.member.stop_sending(&mut Tally::default());
            connected.member.hand_over(&mut self.tally, Instant::now(), false);
            self.live.joined.store(self.tally.joined, Ordering::Relaxed);
            if let Some(outcome) = connected.member.outcome().cloned() {
                // Nobody listens any more when the program ends.
                let _ = self.ended.send(Ended { member: number, outcome });
            }
        }
    }

    fn tell(&self) {
        let members = self.members.values().map(|connected| &connected.member);
        let (mut inside, mut settled, mut started) = (0, 0, 0);
        for member in members {
            inside += u64::from(member.phase() == Phase::Inside);
            settled += u64::from(member.is_settled());
            started += member.started_subscriptions() as u64;
        }
        let (live, tally) = (&self.live, &self.tally);
        for (figure, value) in [
            (&live.inside, inside),
            (&live.settled, settled),
            (&live.subscriptions_started, started),
            (&live.joined, tally.joined),
            (&live.failed, tally.failed()),
            (&live.sent, tally.audio.sent + tally.video.sent),
            (&live.received, tally.audio.received + tally.video.received),
            (&live.received_bytes, tally.audio.received_bytes + tally.video.received_bytes),
        ] {
            figure.store(value, Ordering::Relaxed);
        }
    }
}

impl Connected {
    /// Calls the member with everything that it may use.
    fn enter(
        &mut self,
        tally: &mut Tally,
        peers: &PeerFactory,
        call: impl FnOnce(&mut Member, &mut Context<'_>),
    ) {
        let udp = &mut self.udp;
        let mut unsent = 0;
        let mut send = |bytes: &[u8], to: SocketAddr| {
            if !udp.as_ref().is_some_and(|udp| udp.send(bytes, to)) {
                unsent += 1;
            }
        };
        let mut context = Context {
            now: Instant::now(),
            wall_ns: datagrams::wall_ns(),
            tally,
            send: &mut send,
            peers,
        };
        call(&mut self.member, &mut context);
        tally.unsent += unsent;
    }

    fn lose(&mut self, tally: &mut Tally, peers: &PeerFactory, code: Option<u16>, cause: &str) {
        self.socket = None;
        self.enter(tally, peers, |member, context| member.handle_lost(context, code, cause));
    }

    fn send_frames(&mut self) -> Option<String> {
        let socket = self.socket.as_mut()?;
        let frames = self.member.take_outbox();
        frames.into_iter().find_map(|frame| socket.send(frame).err()).map(|error| error.to_string())
    }

    fn open_udp(
        &mut self,
        registry: &Registry,
        number: usize,
        ip: IpAddr,
        tally: &mut Tally,
        peers: &PeerFactory,
    ) {
        // An IPv4 server that is reached through a mapped address.
        let ip = match ip {
            IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(ip, |v4: Ipv4Addr| v4.into()),
            IpAddr::V4(_) => ip,
        };
        let opened = UdpPort::open(ip).and_then(|mut udp| {
            registry.register(udp.source(), Token(2 * number + 1), Interest::READABLE)?;
            Ok(udp)
        });
        match opened {
            Ok(udp) => {
                self.member.set_local(udp.local());
                self.udp = Some(udp);
            }
            Err(error) => {
                let cause = format!("this machine gives no more UDP sockets ({error})");
                self.lose(tally, peers, Some(4000), &cause);
            }
        }
    }
}

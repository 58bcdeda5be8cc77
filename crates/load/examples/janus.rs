//! A room of Janus with one publisher or several and many subscribers, for comparison: real ICE, DTLS and SRTP, and the same
//! clients and packets as `tertulia-load` has.
//!
//!     cargo run --release -p tertulia-load --example janus -- <ws address> <local ip> <audio|video> <publishers>
//!         <subscribers> <bit/s of a video, or ms of an audio frame> <packet bytes> <seconds>
//!
//! Speaks the JSON of Janus and its `VideoRoom` plugin over one WebSocket. Prints lines of JSON: `ready` when everybody has
//! packets, `stopped` after so many seconds, with the packets received so far. `bench/peers.py` starts it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};
use serde_json::{Value, json};
use tertulia_load::client::{Arrival, LineKind, Peer, PeerFactory};
use tertulia_load::datagrams::{Inbox, UdpPort, wall_ns};
use tertulia_load::measure::Histogram;
use tertulia_load::media::{
    AudioOptions, AudioSource, MediaPacket, Stamp, VideoOptions, VideoSource,
};
use tertulia_load::reach::Reach;
use tungstenite::client::IntoClientRequest as _;
use tungstenite::{Message, WebSocket};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const ROOM: u32 = 1_234;
const SETTLING: Duration = Duration::from_secs(60);
const ANSWER: Duration = Duration::from_secs(15);
/// Batches of datagrams of one client before the others have their turn.
const BATCHES: usize = 4;

struct Plan {
    address: String,
    local: IpAddr,
    kind: LineKind,
    publishers: usize,
    subscribers: usize,
    /// In bit/s, or of audio the length of a frame in ms.
    rate: u32,
    packet_bytes: usize,
    time: Duration,
}

fn main() -> Result<(), Failure> {
    let plan = Plan::of(&std::env::args().skip(1).collect::<Vec<_>>())?;
    let mut janus = Janus::connect(&plan.address)?;
    let mut room = Room::new(&plan)?;
    janus.make_room(&plan)?;
    let mut feeds = Vec::new();
    for number in 0..plan.publishers {
        feeds.push(room.publish(&mut janus, number)?);
    }
    room.run_until_known(&mut janus, &feeds)?;
    for number in 0..plan.subscribers {
        room.subscribe(&mut janus, plan.publishers + number, &feeds)?;
        room.run(Duration::from_millis(2))?;
    }
    room.begin(&mut janus)?;
    room.forget();
    room.tell("ready")?;
    room.run(plan.time)?;
    room.tell("stopped")?;
    room.tell("result")
}

impl Plan {
    fn of(words: &[String]) -> Result<Self, Failure> {
        let [address, local, kind, numbers @ ..] = words else {
            return Err("see the head of this file for its arguments".into());
        };
        let numbers: Vec<u32> =
            numbers.iter().map(|word| word.parse()).collect::<Result<_, _>>()?;
        let [publishers, subscribers, rate, packet_bytes, seconds] = numbers[..] else {
            return Err("five numbers are needed".into());
        };
        Ok(Self {
            address: address.clone(),
            local: local.parse()?,
            kind: if kind == "audio" { LineKind::Audio } else { LineKind::Video },
            publishers: publishers as usize,
            subscribers: subscribers as usize,
            rate,
            packet_bytes: packet_bytes as usize,
            time: Duration::from_secs(u64::from(seconds)),
        })
    }
}

/// The signalling: requests one after the other; what comes meanwhile and is no answer is passed over.
struct Janus {
    socket: WebSocket<TcpStream>,
    session: u64,
    transaction: u64,
}

impl Janus {
    fn connect(address: &str) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER))?;
        let mut request = format!("ws://{address}/").into_client_request()?;
        request.headers_mut().insert("Sec-WebSocket-Protocol", "janus-protocol".parse()?);
        let (socket, _) =
            tungstenite::client(request, stream).map_err(|error| error.to_string())?;
        let mut janus = Self { socket, session: 0, transaction: 0 };
        let created = janus.ask(json!({"janus": "create"}), "success")?;
        janus.session = number(&created, "/data/id")?;
        Ok(janus)
    }

    fn make_room(&mut self, plan: &Plan) -> Result<(), Failure> {
        let handle = self.attach()?;
        let body = json!({
            "request": "create", "room": ROOM, "publishers": plan.publishers + 1,
            "videocodec": "vp8", "audiocodec": "opus", "transport_wide_cc_ext": true, "bitrate": 0,
        });
        self.message(handle, &body, None, "success").map(drop)
    }

    fn attach(&mut self) -> Result<u64, Failure> {
        let request = json!({"janus": "attach", "plugin": "janus.plugin.videoroom"});
        number(&self.ask(request, "success")?, "/data/id")
    }

    fn message(
        &mut self,
        handle: u64,
        body: &Value,
        jsep: Option<Value>,
        answer: &str,
    ) -> Result<Value, Failure> {
        let mut request = json!({"janus": "message", "handle_id": handle, "body": body});
        if let (Some(jsep), Some(fields)) = (jsep, request.as_object_mut()) {
            fields.insert("jsep".into(), jsep);
        }
        self.ask(request, answer)
    }

    /// Waits for the message of that kind with the transaction of this request.
    fn ask(&mut self, mut request: Value, kind: &str) -> Result<Value, Failure> {
        self.transaction += 1;
        let transaction = self.transaction.to_string();
        if let Some(fields) = request.as_object_mut() {
            fields.insert("transaction".into(), transaction.as_str().into());
            if self.session != 0 {
                fields.insert("session_id".into(), self.session.into());
            }
        }
        self.socket.send(Message::text(request.to_string()))?;
        loop {
            let Message::Text(text) = self.socket.read()? else { continue };
            let heard: Value = serde_json::from_str(text.as_str())?;
            if heard.get("transaction").and_then(Value::as_str) != Some(&transaction) {
                continue;
            }
            if is(&heard, "error")
                || !heard.pointer("/plugindata/data/error").is_none_or(Value::is_null)
            {
                return Err(format!("Janus refused: {heard}").into());
            }
            if is(&heard, kind) {
                return Ok(heard);
            }
        }
    }

    fn keep_alive(&mut self) -> Result<(), Failure> {
        self.ask(json!({"janus": "keepalive"}), "ack").map(drop)
    }
}

fn is(heard: &Value, kind: &str) -> bool {
    heard.get("janus").and_then(Value::as_str) == Some(kind)
}

fn number(heard: &Value, place: &str) -> Result<u64, Failure> {
    heard
        .pointer(place)
        .and_then(Value::as_u64)
        .ok_or_else(|| format!("no {place} in {heard}").into())
}

fn sdp(heard: &Value) -> Result<&str, Failure> {
    heard
        .pointer("/jsep/sdp")
        .and_then(Value::as_str)
        .ok_or_else(|| format!("no SDP in {heard}").into())
}

enum Source {
    Audio(AudioSource),
    Video(Box<VideoSource>),
}

impl Source {
    fn deadline(&self) -> Instant {
        match self {
            Self::Audio(source) => source.deadline(),
            Self::Video(source) => source.deadline(),
        }
    }

    fn poll(&mut self, now: Instant) -> Option<MediaPacket> {
        match self {
            Self::Audio(source) => source.poll(now, wall_ns()),
            Self::Video(source) => source.poll(now, wall_ns()),
        }
    }
}

struct Client {
    peer: Peer,
    port: UdpPort,
    source: Option<Source>,
    is_publisher: bool,
    deadline: Instant,
    /// The time of its newest timer; older ones mean nothing.
    timer: Option<Instant>,
    received: u64,
}

/// All clients, driven by one thread.
struct Room<'a> {
    plan: &'a Plan,
    factory: PeerFactory,
    poll: Poll,
    clients: Vec<Client>,
    timers: BinaryHeap<Reverse<(Instant, usize)>>,
    inbox: Inbox,
    latency: Histogram,
    sent: u64,
}

impl<'a> Room<'a> {
    fn new(plan: &'a Plan) -> Result<Self, Failure> {
        Ok(Self {
            plan,
            factory: PeerFactory::new(Reach::ThisMachine),
            poll: Poll::new()?,
            clients: Vec::new(),
            timers: BinaryHeap::new(),
            inbox: Inbox::new(),
            latency: Histogram::default(),
            sent: 0,
        })
    }

    fn add(&mut self) -> Result<usize, Failure> {
        let index = self.clients.len();
        let mut port = UdpPort::open(self.plan.local)?;
        self.poll.registry().register(port.source(), Token(index), Interest::READABLE)?;
        let now = Instant::now();
        let peer = self.factory.create(now, port.local())?;
        self.clients.push(Client {
            peer,
            port,
            source: None,
            is_publisher: index < self.plan.publishers,
            deadline: now,
            timer: None,
            received: 0,
        });
        Ok(index)
    }

    /// Returns the id of the feed.
    fn publish(&mut self, janus: &mut Janus, number: usize) -> Result<u64, Failure> {
        let index = self.add()?;
        let is_audio = self.plan.kind == LineKind::Audio;
        let client = self.clients.get_mut(index).ok_or("no client")?;
        let offer = client.peer.offer(Some((is_audio, !is_audio)), 0).ok_or("nothing to offer")?;
        let handle = janus.attach()?;
        let join = json!({"request": "join", "ptype": "publisher", "room": ROOM, "display": format!("{number}")});
        let joined = janus.message(handle, &join, None, "event")?;
        let feed = self::number(&joined, "/plugindata/data/id")?;
        let jsep = json!({"type": "offer", "sdp": offer.sdp, "trickle": false});
        let answered =
            janus.message(handle, &json!({"request": "publish"}), Some(jsep), "event")?;
        client.peer.accept(offer.pending, sdp(&answered)?)?;
        self.drain(index)?;
        Ok(feed)
    }

    fn subscribe(&mut self, janus: &mut Janus, index: usize, feeds: &[u64]) -> Result<(), Failure> {
        self.add()?;
        let handle = janus.attach()?;
        let streams: Vec<_> = feeds.iter().map(|feed| json!({"feed": feed})).collect();
        let join =
            json!({"request": "join", "ptype": "subscriber", "room": ROOM, "streams": streams});
        let offered = janus.message(handle, &join, None, "event")?;
        let client = self.clients.get_mut(index).ok_or("no client")?;
        let answer = client.peer.answer(sdp(&offered)?)?;
        let jsep = json!({"type": "answer", "sdp": answer, "trickle": false});
        janus.message(handle, &json!({"request": "start"}), Some(jsep), "event")?;
        self.drain(index)
    }

    /// Until Janus knows all feeds, which is a moment after their DTLS handshake.
    fn run_until_known(&mut self, janus: &mut Janus, feeds: &[u64]) -> Result<(), Failure> {
        let end = Instant::now() + SETTLING;
        let handle = janus.attach()?;
        loop {
            self.run(Duration::from_millis(100))?;
            let request = json!({"request": "listparticipants", "room": ROOM});
            let listed = janus.message(handle, &request, None, "success")?;
            let listed = listed.pointer("/plugindata/data/participants").and_then(Value::as_array);
            let is_known =
                |one: &&Value| one.get("publisher").and_then(Value::as_bool) == Some(true);
            let known = listed.map_or(0, |all| all.iter().filter(is_known).count());
            if known >= feeds.len() {
                return Ok(());
            }
            if Instant::now() > end {
                return Err(format!("{known} of {} publishers are known", feeds.len()).into());
            }
        }
    }

    /// Until everybody has keys, and then until every subscriber has a packet: media only begins when nobody joins any
    /// more, or those who join last would have to wait for a server that is busy.
    fn begin(&mut self, janus: &mut Janus) -> Result<(), Failure> {
        self.run_until("has keys", janus, |client| client.peer.is_connected())?;
        for number in 0..self.plan.publishers {
            let source = self.source(number)?;
            if let Some(client) = self.clients.get_mut(number) {
                client.source = Some(source);
            }
            self.set_timer(number);
        }
        self.run_until("has a packet", janus, |client| client.is_publisher || client.received > 0)
    }

    fn source(&self, number: usize) -> Result<Source, Failure> {
        let at = Instant::now() + Duration::from_millis(7 * number as u64 % 20);
        let mark = u32::try_from(number)? + 1;
        let packet_bytes = self.plan.packet_bytes;
        if self.plan.kind == LineKind::Audio {
            let options = AudioOptions { packet_bytes, frame_ms: self.plan.rate };
            return Ok(Source::Audio(AudioSource::new(options, mark, at)));
        }
        let options = VideoOptions { bitrate_bps: self.plan.rate, frame_rate: 30, packet_bytes };
        Ok(Source::Video(Box::new(VideoSource::new(options, mark, at))))
    }

    fn run_until(
        &mut self,
        what: &str,
        janus: &mut Janus,
        is_so: impl Fn(&Client) -> bool,
    ) -> Result<(), Failure> {
        let end = Instant::now() + SETTLING;
        loop {
            self.run(Duration::from_millis(200))?;
            let count = self.clients.iter().filter(|client| is_so(client)).count();
            if count == self.clients.len() {
                return janus.keep_alive();
            }
            if Instant::now() > end {
                return Err(format!("only {count} of {} {what}", self.clients.len()).into());
            }
        }
    }

    /// Everything that happens within `time`.
    fn run(&mut self, time: Duration) -> Result<(), Failure> {
        let end = Instant::now() + time;
        let mut events = Events::with_capacity(1_024);
        let mut unread: Vec<usize> = Vec::new();
        loop {
            let now = Instant::now();
            if now >= end {
                return Ok(());
            }
            let next = self.timers.peek().map_or(end, |Reverse((at, _))| end.min(*at));
            let wait = if unread.is_empty() {
                next.saturating_duration_since(now)
            } else {
                Duration::ZERO
            };
            self.poll.poll(&mut events, Some(wait))?;
            for event in &events {
                if !unread.contains(&event.token().0) {
                    unread.push(event.token().0);
                }
            }
            let mut still = Vec::new();
            for index in unread.drain(..) {
                if self.read(index)? {
                    still.push(index);
                }
            }
            unread = still;
            self.run_timers()?;
        }
    }

    fn read(&mut self, index: usize) -> Result<bool, Failure> {
        let mut has_more = true;
        for _ in 0..BATCHES {
            let Some(client) = self.clients.get_mut(index) else { return Ok(false) };
            has_more = self.inbox.receive(&mut client.port);
            for datagram in self.inbox.datagrams() {
                client.peer.handle_datagram(Instant::now(), datagram.from, datagram.bytes)?;
                let Client { peer, port, received, source, deadline, .. } = client;
                let (latency, arrived_ns) = (&mut self.latency, datagram.arrived_ns);
                *deadline = drain(peer, port, source, &mut |payload| {
                    *received += 1;
                    if let Some(stamp) = Stamp::read(payload) {
                        latency
                            .add(Duration::from_nanos(arrived_ns.saturating_sub(stamp.made_at_ns)));
                    }
                })?;
            }
            if !has_more {
                break;
            }
        }
        self.set_timer(index);
        Ok(has_more)
    }

    fn run_timers(&mut self) -> Result<(), Failure> {
        let now = Instant::now();
        for _ in 0..self.timers.len() {
            let Some(Reverse((at, index))) = self.timers.peek().copied() else { return Ok(()) };
            if at > now {
                return Ok(());
            }
            self.timers.pop();
            let Some(client) = self.clients.get_mut(index) else { continue };
            if client.timer != Some(at) {
                continue;
            }
            client.timer = None;
            if client.deadline <= now {
                client.peer.handle_timeout(now)?;
            }
            self.send(index, now)?;
            self.drain(index)?;
        }
        Ok(())
    }

    fn send(&mut self, index: usize, now: Instant) -> Result<(), Failure> {
        let kind = self.plan.kind;
        let Some(client) = self.clients.get_mut(index).filter(|client| client.peer.is_connected())
        else {
            return Ok(());
        };
        let Some(source) = &mut client.source else { return Ok(()) };
        let mut has_sent = false;
        while let Some(packet) = source.poll(now) {
            client.peer.send(now, kind, packet, -30);
            self.sent += 1;
            has_sent = true;
        }
        if has_sent { Ok(client.peer.handle_timeout(now)?) } else { Ok(()) }
    }

    fn drain(&mut self, index: usize) -> Result<(), Failure> {
        if let Some(Client { peer, port, received, source, deadline, .. }) =
            self.clients.get_mut(index)
        {
            *deadline = drain(peer, port, source, &mut |_| *received += 1)?;
        }
        self.set_timer(index);
        Ok(())
    }

    fn set_timer(&mut self, index: usize) {
        if let Some(client) = self.clients.get_mut(index) {
            let source = client.source.as_ref().filter(|_| client.peer.is_connected());
            let next =
                source.map_or(client.deadline, |source| client.deadline.min(source.deadline()));
            if client.timer.is_none_or(|at| next < at) {
                client.timer = Some(next);
                self.timers.push(Reverse((next, index)));
            }
        }
    }

    /// What was counted while people joined is of no interest.
    fn forget(&mut self) {
        self.clients.iter_mut().for_each(|client| client.received = 0);
        self.latency = Histogram::default();
        self.sent = 0;
    }

    fn tell(&self, kind: &str) -> Result<(), Failure> {
        let ms =
            |share| self.latency.percentile(share).map_or(0.0, |time| time.as_secs_f64() * 1e3);
        let received: u64 = self.clients.iter().map(|client| client.received).sum();
        let line = json!({
            "type": kind, "packets_sent": self.sent, "packets_received": received,
            "latency_ms": {"p50": ms(0.5), "p99": ms(0.99)},
        });
        writeln!(std::io::stdout(), "{line}")?;
        Ok(())
    }
}

/// Sends what there is to send; returns when the peer connection wants to be called again.
fn drain(
    peer: &mut Peer,
    port: &UdpPort,
    source: &mut Option<Source>,
    count: &mut dyn FnMut(&[u8]),
) -> Result<Instant, Failure> {
    let mut send = |bytes: &[u8], to: SocketAddr| {
        // What the kernel does not take is lost, and shows in what is counted.
        let _ = port.send(bytes, to);
    };
    Ok(peer.poll(&mut send, &mut |arrival| match arrival {
        Arrival::Packet(packet) => count(&packet.payload),
        Arrival::KeyFrameRequested => {
            if let Some(Source::Video(video)) = source {
                video.request_key_frame();
            }
        }
        Arrival::Connected | Arrival::Disconnected => {}
    })?)
}

//! A client with real sockets that publishes one stream and has one slot pair.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use str0m::change::SdpAnswer;
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::{Protocol, Receive, TcpType, Transmit};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};

use super::PATIENCE;
use super::control::Control;

const FRAME: Duration = Duration::from_millis(20);
/// Datagrams.
const MOST_A_TURN: usize = 64;

/// How a client is reached.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ways {
    /// The group of its transport.
    pub group: Option<&'static str>,
    /// It has a TCP connection too.
    pub tcp: bool,
    /// It starts without UDP.
    pub no_udp: bool,
}

/// A client in a call with itself, or with another one.
pub struct Call {
    rtc: Rtc,
    socket: UdpSocket,
    /// What it takes its own UDP address to be, whatever a NAT makes of it.
    address: SocketAddr,
    tcp: Option<(TcpStream, Vec<u8>)>,
    /// UDP is lost both ways.
    pub is_udp_blocked: bool,
    router: SocketAddr,
    pub transport: u64,
    pub sends: (String, String),
    receives: (Mid, Mid),
    router_ufrag: String,
    /// Frames that came by TCP.
    pub frames_by_tcp: usize,
    pub is_connected: bool,
    pub is_closed: bool,
    pub audio_received: usize,
    pub video_timestamps: Vec<u32>,
    next_frame: Instant,
    frames: u32,
}

impl Call {
    pub fn open(control: &mut Control, udp_port: u16) -> Self {
        Self::open_by(control, udp_port, Ways::default())
    }

    pub fn open_by(control: &mut Control, udp_port: u16, ways: Ways) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let address = socket.local_addr().expect("an address");
        let router = SocketAddr::from(([127, 0, 0, 1], udp_port));
        let now = Instant::now();
        let mut config = RtcConfig::new()
            .clear_codecs()
            .enable_opus(true, false)
            .enable_vp8(true)
            .set_rtp_mode(true);
        config.set_initial_stun_rto(Duration::from_millis(100));
        config.set_max_stun_rto(Duration::from_millis(200));
        if ways.tcp {
            // A dead path is noticed within a second. Who has but one keeps it while the machine stands still: a path
            // that is given up never comes back, as the router makes no checks of its own.
            config.set_max_stun_retransmits(3);
        }
        let mut rtc = config.build(now);
        rtc.add_local_candidate(Candidate::host(address, Protocol::Udp).expect("a candidate"));
        let tcp = ways.tcp.then(|| {
            let stream = TcpStream::connect(router).expect("a connection");
            stream.set_nonblocking(true).expect("a mode");
            stream.set_nodelay(true).expect("a mode");
            let address = stream.local_addr().expect("an address");
            let candidate = Candidate::builder().tcp().host(address).tcptype(TcpType::Active);
            rtc.add_local_candidate(candidate.build().expect("a candidate"));
            (stream, Vec::new())
        });
        let mut api = rtc.sdp_api();
        let mut line = |kind, direction| api.add_media(kind, direction, None, None, None);
        let sends = (
            line(MediaKind::Audio, Direction::SendOnly),
            line(MediaKind::Video, Direction::SendOnly),
        );
        let receives = (
            line(MediaKind::Audio, Direction::RecvOnly),
            line(MediaKind::Video, Direction::RecvOnly),
        );
        let (offer, pending) = api.apply().expect("a change");
        let sends = (sends.0.to_string(), sends.1.to_string());
        let mut request = json!({
            "seat": "a seat", "epoch": 1, "offer": offer.to_sdp_string(),
            "slots": [{
                "slot": 0, "audio_mid": receives.0.to_string(),
                "video_mid": receives.1.to_string(),
            }],
        });
        if let Some(group) = ways.group {
            request["group"] = json!(group);
        }
        let reply = control.request("open_transport", &request);
        let result = &reply["result"];
        let answer = result["answer"].as_str().expect("an answer");
        check_candidates(answer, udp_port);
        let router_ufrag = answer.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:"));
        let router_ufrag = router_ufrag.expect("a user name").to_owned();
        let answer = SdpAnswer::from_sdp_string(answer).expect("a valid answer");
        rtc.sdp_api().accept_answer(pending, answer).expect("accepted");
        Self {
            rtc,
            socket,
            address,
            tcp,
            is_udp_blocked: ways.no_udp,
            router,
            transport: result["transport"].as_u64().expect("an id"),
            sends,
            receives,
            router_ufrag,
            frames_by_tcp: 0,
            is_connected: false,
            is_closed: false,
            audio_received: 0,
            video_timestamps: Vec::new(),
            next_frame: now,
            frames: 0,
        }
    }

    /// Sends and receives until something is true; see [`run_all_until`].
    pub fn run_until(&mut self, is_done: impl Fn(&Self) -> bool) {
        run_all_until(&mut [self], |calls| is_done(calls[0]));
    }

    /// The NAT in front of it forgets the client: from now on it comes from another port.
    pub fn move_to_another_port(&mut self) {
        self.socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    }

    /// A further offer that restarts ICE.
    pub fn restart_ice(&mut self, control: &mut Control) {
        let mut api = self.rtc.sdp_api();
        api.ice_restart(true);
        let (offer, pending) = api.apply().expect("a change");
        let fields = json!({
            "transport": self.transport, "offer": offer.to_sdp_string(), "slots": [],
        });
        let reply = control.request("renegotiate", &fields);
        let answer = reply["result"]["answer"].as_str().expect("an answer");
        let answer = SdpAnswer::from_sdp_string(answer).expect("a valid answer");
        self.rtc.sdp_api().accept_answer(pending, answer).expect("accepted");
    }

    /// The user name by which the router knows checks of this client.
    pub fn remote_ufrag(&mut self) -> String {
        self.router_ufrag.clone()
    }

    /// What `bind` needs to know of what this client publishes.
    pub fn source(&self) -> Value {
        json!({
            "transport": self.transport, "audio_mid": self.sends.0, "video_mid": self.sends.1,
        })
    }

    fn turn(&mut self) {
        if self.is_connected && !self.is_closed && Instant::now() >= self.next_frame {
            self.send_frame();
        }
        self.drain();
        self.read_tcp();
        let wait = self.drain();
        let until = if self.is_connected { wait.min(self.next_frame) } else { wait };
        let timeout = until.saturating_duration_since(Instant::now());
        let timeout = timeout.clamp(Duration::from_millis(1), Duration::from_millis(2));
        self.socket.set_read_timeout(Some(timeout)).expect("a timeout");
        self.read_udp();
        self.rtc.handle_input(Input::Timeout(Instant::now())).expect("the client goes on");
    }

    /// Waits for a datagram and takes those behind it too: one a turn is not enough where a turn takes long because
    /// other programs want the processors.
    fn read_udp(&mut self) {
        let mut buffer = [0; 2000];
        for _ in 0..MOST_A_TURN {
            let Ok((length, source)) = self.socket.recv_from(&mut buffer) else {
                break;
            };
            self.socket.set_nonblocking(true).expect("a mode");
            if self.is_udp_blocked {
                continue;
            }
            assert_eq!(source, self.router, "the router answers from where it was asked");
            let contents = Receive::new(Protocol::Udp, source, self.address, &buffer[..length]);
            if let Ok(receive) = contents {
                let input = Input::Receive(Instant::now(), receive);
                self.rtc.handle_input(input).expect("the client goes on");
                self.drain();
            }
        }
        self.socket.set_nonblocking(false).expect("a mode");
    }

    /// Takes what there is to say; it must be taken after every input.
    fn drain(&mut self) -> Instant {
        loop {
            match self.rtc.poll_output().expect("the client goes on") {
                Output::Timeout(at) => return at,
                Output::Transmit(t) => self.transmit(&t),
                Output::Event(event) => self.handle(event),
            }
        }
    }

    fn transmit(&mut self, transmit: &Transmit) {
        if transmit.proto == Protocol::Udp {
            if !self.is_udp_blocked {
                let _ = self.socket.send_to(&transmit.contents, transmit.destination);
            }
            return;
        }
        if let Some((stream, _)) = &mut self.tcp {
            let mut frame = (transmit.contents.len() as u16).to_be_bytes().to_vec();
            frame.extend_from_slice(&transmit.contents);
            // The router may have hung up.
            let _ = stream.write_all(&frame);
        }
    }

    fn read_tcp(&mut self) {
        let Some((stream, buffer)) = &mut self.tcp else {
            return;
        };
        let local = stream.local_addr().expect("an address");
        let mut piece = [0; 4000];
        while let Ok(length @ 1..) = stream.read(&mut piece) {
            buffer.extend_from_slice(&piece[..length]);
        }
        while let Some(frame) = self.tcp.as_mut().and_then(|(_, buffer)| take_frame(buffer)) {
            self.frames_by_tcp += 1;
            if let Ok(receive) = Receive::new(Protocol::Tcp, self.router, local, &frame) {
                let input = Input::Receive(Instant::now(), receive);
                self.rtc.handle_input(input).expect("the client goes on");
                self.drain();
            }
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Connected => {
                self.is_connected = true;
                self.next_frame = Instant::now();
            }
            Event::Closed => self.is_closed = true,
            Event::RtpPacket(packet) => {
                let mut api = self.rtc.direct_api();
                let mid = api.stream_rx(&packet.header.ssrc).expect("a stream").mid();
                if mid == self.receives.0 {
                    self.audio_received += 1;
                } else if mid == self.receives.1 {
                    self.video_timestamps.push(packet.header.timestamp);
                }
            }
            _ => {}
        }
    }

    /// 20 ms of audio and one video frame; every tenth is a key frame.
    fn send_frame(&mut self) {
        let now = Instant::now();
        self.frames += 1;
        self.next_frame += FRAME;
        let number = u64::from(self.frames);
        let is_inter = u8::from(!self.frames.is_multiple_of(10));
        let mut api = self.rtc.direct_api();
        let audio = RtpWrite::new(111.into(), number.into(), self.frames * 960, now, [1; 40]);
        let stream = api.stream_tx_by_mid(self.sends.0.as_str().into(), None);
        stream.expect("an audio line").write_rtp(audio);
        let payload = [0x10, is_inter, 0, 0, 0, 0, 0, 0];
        let video = RtpWrite::new(96.into(), number.into(), self.frames * 1800, now, payload)
            .marker(true)
            .nackable(true);
        let stream = api.stream_tx_by_mid(self.sends.1.as_str().into(), None);
        stream.expect("a video line").write_rtp(video);
        self.rtc.handle_input(Input::Timeout(now)).expect("the client goes on");
    }
}

fn take_frame(buffer: &mut Vec<u8>) -> Option<Vec<u8>> {
    let (header, rest) = buffer.split_first_chunk::<2>()?;
    let length = usize::from(u16::from_be_bytes(*header));
    let frame = rest.get(..length)?.to_vec();
    buffer.drain(..2 + length);
    Some(frame)
}

/// Lets several clients send and receive until something is true; fails after [`PATIENCE`].
pub fn run_all_until(calls: &mut [&mut Call], is_done: impl Fn(&[&mut Call]) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_done(calls) {
        assert!(Instant::now() < deadline, "it happens in time: {:?}", progress(calls));
        for call in &mut *calls {
            call.turn();
        }
    }
}

/// How far the clients came: connected, closed, sent, audio, video, frames by TCP.
fn progress(calls: &[&mut Call]) -> Vec<(bool, bool, u32, usize, usize, usize)> {
    let of = |c: &&mut Call| {
        let video = c.video_timestamps.len();
        (c.is_connected, c.is_closed, c.frames, c.audio_received, video, c.frames_by_tcp)
    };
    calls.iter().map(of).collect()
}

/// UDP comes first and TCP after it, on the same port.
fn check_candidates(answer: &str, port: u16) {
    let of = |text: &str| {
        let place = answer.find(text);
        place.unwrap_or_else(|| panic!("no candidate with `{text}`"))
    };
    let udp = of(&format!("127.0.0.1 {port} typ host ufrag"));
    let tcp = of(&format!("127.0.0.1 {port} typ host tcptype passive"));
    assert!(udp < tcp, "clients that can use both take UDP");
}

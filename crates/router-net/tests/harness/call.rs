//! A client with a real UDP socket that publishes one stream and has one slot pair.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use serde_json::json;
use str0m::change::SdpAnswer;
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};

use super::control::Control;

const FRAME: Duration = Duration::from_millis(20);

/// A client in a call with itself.
pub struct Call {
    rtc: Rtc,
    socket: UdpSocket,
    router: SocketAddr,
    pub transport: u64,
    pub sends: (String, String),
    receives: (Mid, Mid),
    pub is_connected: bool,
    pub is_closed: bool,
    pub audio_received: usize,
    pub video_timestamps: Vec<u32>,
    next_frame: Instant,
    frames: u32,
}

impl Call {
    pub fn open(control: &mut Control, udp_port: u16) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let address = socket.local_addr().expect("an address");
        let now = Instant::now();
        let mut rtc = RtcConfig::new()
            .clear_codecs()
            .enable_opus(true, false)
            .enable_vp8(true)
            .set_rtp_mode(true)
            .build(now);
        rtc.add_local_candidate(Candidate::host(address, Protocol::Udp).expect("a candidate"));
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
        let reply = control.request(
            "open_transport",
            &json!({
                "seat": "a seat", "epoch": 1, "offer": offer.to_sdp_string(),
                "slots": [{
                    "slot": 0, "audio_mid": receives.0.to_string(),
                    "video_mid": receives.1.to_string(),
                }],
            }),
        );
        let result = &reply["result"];
        let answer = result["answer"].as_str().expect("an answer");
        assert!(answer.contains(&format!("127.0.0.1 {udp_port} typ host")), "{answer}");
        let answer = SdpAnswer::from_sdp_string(answer).expect("a valid answer");
        rtc.sdp_api().accept_answer(pending, answer).expect("accepted");
        Self {
            rtc,
            socket,
            router: SocketAddr::from(([127, 0, 0, 1], udp_port)),
            transport: result["transport"].as_u64().expect("an id"),
            sends,
            receives,
            is_connected: false,
            is_closed: false,
            audio_received: 0,
            video_timestamps: Vec::new(),
            next_frame: now,
            frames: 0,
        }
    }

    /// Sends and receives until something is true; fails after 10 s.
    pub fn run_until(&mut self, is_done: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !is_done(self) {
            assert!(Instant::now() < deadline, "it happens in time");
            self.turn();
        }
    }

    fn turn(&mut self) {
        if self.is_connected && !self.is_closed && Instant::now() >= self.next_frame {
            self.send_frame();
        }
        let wait = loop {
            match self.rtc.poll_output().expect("the client goes on") {
                Output::Timeout(at) => break at,
                Output::Transmit(t) => {
                    let _ = self.socket.send_to(&t.contents, t.destination);
                }
                Output::Event(event) => self.handle(event),
            }
        };
        let until = if self.is_connected { wait.min(self.next_frame) } else { wait };
        let timeout = until.saturating_duration_since(Instant::now());
        let timeout = timeout.clamp(Duration::from_millis(1), Duration::from_millis(100));
        self.socket.set_read_timeout(Some(timeout)).expect("a timeout");
        let mut buffer = [0; 2000];
        let received = self.socket.recv_from(&mut buffer);
        let now = Instant::now();
        let local = self.socket.local_addr().expect("an address");
        let input = match received {
            Ok((length, source)) => {
                assert_eq!(source, self.router, "the router answers from where it was asked");
                match Receive::new(Protocol::Udp, source, local, &buffer[..length]) {
                    Ok(receive) => Input::Receive(now, receive),
                    Err(_) => return,
                }
            }
            Err(_) => Input::Timeout(now),
        };
        self.rtc.handle_input(input).expect("the client goes on");
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

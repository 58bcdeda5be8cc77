//! Two planes with video between them: what is lost is asked for and leaves again, whatever else is lost.

use std::net::{Ipv4Addr, SocketAddr};

use super::*;
use crate::codec::Codec;
use crate::engine::{DescriptorRewrite, Extensions};
use crate::ids::Kind;

const VP8: u8 = 96;
const RTX: u8 = 97;
const SOURCE: SourceDescription = SourceDescription { ssrc: 7, repair: Some(8) };
const WAY: Duration = Duration::from_millis(20);

fn mid() -> Mid {
    Mid::parse("v").unwrap()
}

fn line(sends: bool) -> Description {
    let video = PayloadDescription {
        payload_type: VP8,
        has_nack: true,
        has_pli: true,
        has_transport_feedback: true,
        ..PayloadDescription::default()
    };
    let repair = PayloadDescription {
        payload_type: RTX,
        repairs: Some(VP8),
        ..PayloadDescription::default()
    };
    let mut extensions = rtp::ExtensionIds::default();
    extensions.set(rtp::ExtensionKind::TransportSequence, 3);
    let line = LineDescription {
        mid: mid(),
        kind: Kind::Video,
        is_received: !sends,
        extensions,
        payloads: vec![video, repair],
        sources: vec![SOURCE],
        own: sends.then_some(SOURCE),
    };
    Description { lines: vec![line], cname: "router".into() }
}

/// One plane sends, the other receives, and each datagram takes 20 ms; which ones are lost is up to the test.
struct Pair {
    now: Instant,
    sender: Plane,
    receiver: Plane,
    /// When each arrives; whether it is media.
    under_way: VecDeque<(Instant, bool, Vec<u8>)>,
    came: Vec<u64>,
    /// What the way to the receiver carries, in bits per second, and until when it is busy; none: everything.
    narrow: Option<(u64, Instant)>,
    key_frames_asked: usize,
}

impl Pair {
    fn new() -> Self {
        let now = Instant::now();
        let plane = |sends, role| {
            let mut plane = Plane::new(now, 0);
            plane.describe(line(sends));
            let profile = Profile::AeadAes128Gcm;
            plane.open(now, profile, &vec![7; profile.keying_material()], role).unwrap();
            plane
        };
        Self {
            now,
            sender: plane(true, srtp::Role::Client),
            receiver: plane(false, srtp::Role::Server),
            under_way: VecDeque::new(),
            came: Vec::new(),
            narrow: None,
            key_frames_asked: 0,
        }
    }

    fn packet(&self, number: u64) -> RtpOut {
        RtpOut {
            payload_type: VP8,
            sequence_number: number,
            timestamp: 3_000 * number as u32,
            captured: self.now,
            received: None,
            marker: true,
            extensions: Extensions::default(),
            payload: (&[number as u8; 600][..]).into(),
            rewrite: DescriptorRewrite::default(),
            codec: Codec::Vp8,
        }
    }

    /// A millisecond passes. `passes` says of each datagram whether it is media, and is answered whether it arrives.
    fn step(&mut self, passes: &mut dyn FnMut(bool) -> bool) {
        self.now += Duration::from_millis(1);
        let now = self.now;
        while self.under_way.front().is_some_and(|(at, ..)| *at <= now) {
            let Some((_, is_media, datagram)) = self.under_way.pop_front() else { break };
            let to = if is_media { &mut self.receiver } else { &mut self.sender };
            to.handle_datagram(now, &datagram).unwrap();
        }
        for plane in [&mut self.sender, &mut self.receiver] {
            if plane.deadline().is_some_and(|at| at <= now) {
                plane.handle_timeout(now);
            }
        }
        while let Some(output) = self.receiver.poll() {
            if let Output::Packet(packet) = output {
                self.came.push(packet.sequence_number);
            }
        }
        while let Some(output) = self.sender.poll() {
            self.key_frames_asked += usize::from(matches!(output, Output::KeyFrameRequested(_)));
        }
        let mut datagrams = Datagrams::default();
        let source = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
        self.sender.transmit(now, PeerAddress { socket: 0, source }, &mut datagrams);
        let media = datagrams.departures().iter().map(|d| (true, datagrams.contents(d).to_vec()));
        let mut leaving: Vec<_> = media.collect();
        while let Some(control) = self.receiver.poll_control() {
            leaving.push((false, control));
        }
        while self.sender.poll_control().is_some() {}
        for (is_media, datagram) in leaving {
            if passes(is_media)
                && let Some(wait) = self.wait(is_media, datagram.len())
            {
                let arrives = now + wait + WAY;
                let place = self.under_way.partition_point(|(at, ..)| *at <= arrives);
                self.under_way.insert(place, (arrives, is_media, datagram));
            }
        }
    }

    /// How long a datagram waits; none if the queue of 400 ms is full.
    fn wait(&mut self, is_media: bool, bytes: usize) -> Option<Duration> {
        let Some((bps, busy_until)) = self.narrow.as_mut().filter(|_| is_media) else {
            return Some(Duration::ZERO);
        };
        let begins = self.now.max(*busy_until);
        if begins > self.now + Duration::from_millis(400) {
            return None;
        }
        *busy_until = begins + Duration::from_micros(8_000_000 * bytes as u64 / *bps);
        Some(*busy_until - self.now)
    }

    /// So many packets, 10 ms apart, and then half a second of which nothing is lost, whose first packet
    /// shows what is missing.
    fn play(&mut self, packets: u64, passes: &mut dyn FnMut(bool) -> bool) {
        for number in 1..=packets {
            self.sender.send(mid(), self.packet(number));
            (0..10).for_each(|_| self.step(passes));
        }
        self.sender.send(mid(), self.packet(packets + 1));
        (0..500).for_each(|_| self.step(&mut |_| true));
        self.came.sort_unstable();
        self.came.dedup();
    }
}

/// Loses this share of everything.
fn losing(share: f32, seed: u64) -> impl FnMut(bool) -> bool {
    let mut state = seed;
    move |_| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 24) as f32 >= share
    }
}

#[test]
fn a_third_lost_both_ways_is_repaired() {
    for seed in 1..=5 {
        let mut pair = Pair::new();
        pair.play(500, &mut losing(0.3, seed));
        let missing = 501 - pair.came.len();
        assert!(missing <= 1, "seed {seed}: {missing} of 501 are missing");
    }
}

#[test]
fn a_way_that_is_too_narrow_is_not_filled_with_repeats() {
    const BPS: u64 = 33_000;
    let mut pair = Pair::new();
    for second in 0..20 {
        if second == 2 {
            pair.narrow = Some((BPS, pair.now));
        }
        for n in 0..13 {
            // 63 kbit/s.
            let packet = pair.packet(second * 13 + n);
            pair.sender.send(mid(), packet);
            (0..77).for_each(|_| pair.step(&mut |_| true));
        }
    }
    let repeated = pair.sender.report.retransmissions;
    assert!(repeated > 0 && repeated < 234, "{repeated} repeats of 234 packets");
}

#[test]
fn what_feedback_says_is_lost_leaves_again_without_a_request() {
    let mut pair = Pair::new();
    // The receiver never asks.
    for payload in &mut pair.receiver.description.lines[0].payloads {
        payload.has_nack = false;
    }
    let mut count = 0;
    // So many in a row never go unmentioned.
    pair.play(300, &mut |is_media| {
        count += usize::from(is_media);
        !is_media || !(120..140).contains(&count)
    });
    assert_eq!(pair.came, (1..=301).collect::<Vec<_>>());
    assert!(pair.sender.report.retransmissions > 0);
    assert_eq!(pair.sender.report.nacks_received, 0);
}

#[test]
fn a_repeat_that_comes_before_its_original_shows_what_else_is_missing() {
    let mut pair = Pair::new();
    pair.play(10, &mut |_| true);
    // Of three packets none comes, but the last is repeated, as browsers do to probe.
    for number in 12..=14 {
        let packet = pair.packet(number);
        pair.sender.send(mid(), packet);
    }
    pair.step(&mut |_| false);
    pair.sender.repeat(pair.now, 0, 14, history::Cause::Copy);
    (0..300).for_each(|_| pair.step(&mut |_| true));
    pair.came.sort_unstable();
    assert_eq!(pair.came, (1..=14).collect::<Vec<_>>());
}

#[test]
fn a_hole_that_stays_is_followed_by_a_request_for_a_key_frame() {
    let mut pair = Pair::new();
    // From the hundredth packet on its five are lost for good, and with them whatever would fill the hole.
    for number in 1..=200 {
        if number == 100 {
            pair.sender.forget_sent(mid());
        }
        if !(100..105).contains(&number) {
            let packet = pair.packet(number);
            pair.sender.send(mid(), packet);
        }
        (0..10).for_each(|_| pair.step(&mut |_| true));
    }
    (0..500).for_each(|_| pair.step(&mut |_| true));
    assert_eq!(pair.key_frames_asked, 1);
}

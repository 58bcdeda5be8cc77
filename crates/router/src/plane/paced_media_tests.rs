//! A plane whose network has a limit: pictures are evened out, sound and repetitions are not.

use std::net::{Ipv4Addr, SocketAddr};

use super::history::Cause;
use super::*;
use crate::codec::Codec;
use crate::engine::{DescriptorRewrite, Extensions};
use crate::ids::Kind;
use crate::rtp::Header;

const AUDIO: (&str, u8, u32) = ("a", 111, 7);
const VIDEO: (&str, u8, u32) = ("v", 96, 8);

fn mid(text: &str) -> Mid {
    Mid::parse(text).unwrap()
}

struct Sending {
    now: Instant,
    plane: Plane,
}

impl Sending {
    fn new(bits_per_second: u64) -> Self {
        let now = Instant::now();
        let lines = [(Kind::Audio, AUDIO), (Kind::Video, VIDEO)].map(|(kind, of)| {
            let (name, payload_type, ssrc) = of;
            LineDescription {
                mid: mid(name),
                kind,
                is_received: false,
                extensions: rtp::ExtensionIds::default(),
                payloads: vec![PayloadDescription {
                    payload_type,
                    has_nack: true,
                    ..Default::default()
                }],
                sources: Vec::new(),
                own: Some(SourceDescription { ssrc, repair: None }),
            }
        });
        let mut plane = Plane::new(now, 0);
        plane.describe(Description { lines: lines.into(), cname: "router".into() });
        let profile = Profile::AeadAes128Gcm;
        plane.open(now, profile, &vec![7; profile.keying_material()], srtp::Role::Client).unwrap();
        plane.pace(Some(bits_per_second));
        Self { now, plane }
    }

    fn send(&mut self, (name, payload_type, _): (&str, u8, u32), sequence_number: u64) {
        let packet = RtpOut {
            payload_type,
            sequence_number,
            timestamp: 0,
            captured: self.now,
            received: None,
            marker: false,
            extensions: Extensions::default(),
            payload: (&[1; 1_000][..]).into(),
            rewrite: DescriptorRewrite::default(),
            codec: if payload_type == AUDIO.1 { Codec::Opus } else { Codec::Vp8 },
        };
        self.plane.send(mid(name), packet);
    }

    /// What leaves now: SSRC and number.
    fn transmit(&mut self) -> Vec<(u32, u16)> {
        let mut datagrams = Datagrams::default();
        let source = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
        self.plane.transmit(self.now, PeerAddress { socket: 0, source }, &mut datagrams);
        let all = datagrams.departures().iter();
        all.map(|departure| {
            let header = Header::parse(datagrams.contents(departure)).unwrap();
            (header.ssrc, header.sequence_number)
        })
        .collect()
    }
}

#[test]
fn sound_passes_pictures_that_wait_and_they_follow_in_order() {
    let mut sending = Sending::new(1_000_000);
    for number in 10..30 {
        sending.send(VIDEO, number);
    }
    sending.send(AUDIO, 10);
    let at_once = sending.transmit();
    assert_eq!(at_once.last(), Some(&(AUDIO.2, 10)));
    assert!((6..=8).contains(&at_once.len()), "{at_once:?}");
    let mut pictures: Vec<u16> = at_once.iter().filter(|p| p.0 == VIDEO.2).map(|p| p.1).collect();
    let begun = sending.now;
    while let Some(at) = sending.plane.release_at() {
        sending.now = at;
        pictures.extend(sending.transmit().iter().map(|(_, number)| *number));
    }
    assert_eq!(pictures, (10..30).collect::<Vec<_>>());
    let lasted = sending.now - begun;
    assert!((90..=150).contains(&lasted.as_millis()), "{lasted:?}");
    assert!(!sending.plane.has_waiting());
}

#[test]
fn a_binding_that_ends_leaves_nothing_behind_and_no_gap() {
    let mut sending = Sending::new(100_000);
    for number in 10..20 {
        sending.send(VIDEO, number);
    }
    let at_once = sending.transmit().len();
    assert!(at_once < 10, "{at_once}");
    sending.plane.forget_sent(mid(VIDEO.0));
    assert_eq!(at_once + sending.transmit().len(), 10);
    assert_eq!(sending.plane.release_at(), None);
}

#[test]
fn what_waits_of_a_binding_that_ends_is_not_held_back_any_more() {
    let mut sending = Sending::new(100_000);
    for number in 10..20 {
        sending.send(VIDEO, number);
    }
    let mut left = sending.transmit();
    assert!(left.len() < 10, "{left:?}");
    for number in 20..25 {
        sending.send(VIDEO, number);
    }
    sending.plane.let_out(mid(VIDEO.0));
    sending.send(VIDEO, 25);
    left.extend(sending.transmit());
    let numbers: Vec<u16> = left.iter().map(|(_, number)| *number).collect();
    assert_eq!(numbers, (10..25).collect::<Vec<_>>());
    assert!(sending.plane.has_waiting());
}

#[test]
fn nothing_of_a_binding_that_ended_is_kept_for_repetitions() {
    let mut sending = Sending::new(100_000);
    for number in 10..20 {
        sending.send(VIDEO, number);
    }
    sending.transmit();
    sending.plane.forget_sent(mid(VIDEO.0));
    assert!(!sending.transmit().is_empty());
    assert!(!sending.plane.probe(1_000));
    let later = sending.now + Duration::from_millis(500);
    assert!((10..20).all(|number| !sending.plane.repeat(later, 1, number, Cause::Asked)));
}

#[test]
fn a_limit_that_is_forgotten_holds_nothing_back() {
    let mut sending = Sending::new(100_000);
    for number in 10..20 {
        sending.send(VIDEO, number);
    }
    let at_once = sending.transmit().len();
    sending.plane.pace(None);
    sending.send(VIDEO, 20);
    let rest: Vec<u16> = sending.transmit().iter().map(|(_, number)| *number).collect();
    assert_eq!(rest, (10 + at_once as u16..=20).collect::<Vec<_>>());
}

#[test]
fn a_picture_is_repeated_only_while_there_is_room_and_sound_always() {
    let mut sending = Sending::new(100_000);
    sending.send(AUDIO, 10);
    for number in 10..20 {
        sending.send(VIDEO, number);
    }
    let at_once = sending.transmit();
    let (now, lines) = (sending.now, [0, 1]);
    assert!(at_once.len() > 2 && sending.plane.has_waiting(), "{at_once:?}");
    let repeats = lines.map(|line| sending.plane.repeat(now, line, 10, Cause::Asked));
    assert_eq!(repeats, [true, false]);
    while let Some(at) = sending.plane.release_at() {
        sending.now = at;
        sending.transmit();
    }
    let later = sending.now + Duration::from_millis(500);
    assert!(sending.plane.repeat(later, 1, 10, Cause::Asked));
}

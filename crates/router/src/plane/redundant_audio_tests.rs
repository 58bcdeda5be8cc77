//! Two planes over a link that loses packets: what one repeats, the other recovers.

use std::net::{Ipv4Addr, SocketAddr};

use super::*;
use crate::codec::Codec;
use crate::engine::{DescriptorRewrite, Extensions};
use crate::ids::Kind;

const OPUS: u8 = 111;
const RED: u8 = 63;
const SSRC: u32 = 7;

/// The audio line between them, with redundant audio or without.
fn line(sends: bool, is_redundant: bool) -> Description {
    let payload = |payload_type, combines| PayloadDescription {
        payload_type,
        combines,
        ..PayloadDescription::default()
    };
    let mut payloads = vec![payload(OPUS, None)];
    if is_redundant {
        payloads.push(payload(RED, Some(OPUS)));
    }
    let source = SourceDescription { ssrc: SSRC, repair: None };
    let line = LineDescription {
        mid: Mid::parse("a").unwrap(),
        kind: Kind::Audio,
        is_received: !sends,
        extensions: rtp::ExtensionIds::default(),
        payloads,
        sources: vec![source],
        own: sends.then_some(source),
    };
    Description { lines: vec![line], cname: "router".into() }
}

struct Link {
    now: Instant,
    sender: Plane,
    receiver: Plane,
}

impl Link {
    fn new(is_redundant: bool) -> Self {
        let now = Instant::now();
        let plane = |sends, role| {
            let mut plane = Plane::new(now, 0);
            plane.describe(line(sends, is_redundant));
            let profile = Profile::AeadAes128Gcm;
            plane.open(now, profile, &vec![7; profile.keying_material()], role).unwrap();
            plane
        };
        let (sender, receiver) =
            (plane(true, srtp::Role::Client), plane(false, srtp::Role::Server));
        Self { now, sender, receiver }
    }

    /// The packet with this number, 20 ms after the one before it.
    fn packet(&self, number: u64) -> RtpOut {
        RtpOut {
            payload_type: OPUS,
            sequence_number: number,
            timestamp: 960 * number as u32,
            captured: self.now,
            marker: false,
            extensions: Extensions::default(),
            payload: (&[number as u8; 60][..]).into(),
            rewrite: DescriptorRewrite::default(),
            codec: Codec::Opus,
            received: None,
        }
    }

    /// Sends it and returns the datagram.
    fn send(&mut self, packet: RtpOut) -> Vec<u8> {
        self.sender.send(Mid::parse("a").unwrap(), packet);
        let mut datagrams = Datagrams::default();
        let source = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
        self.sender.transmit(self.now, PeerAddress { socket: 0, source }, &mut datagrams);
        let departure = datagrams.departures().first().expect("a datagram");
        datagrams.contents(departure).to_vec()
    }

    /// What comes of a datagram: numbers, timestamps, first bytes.
    fn receive(&mut self, datagram: &[u8]) -> Vec<(u64, u32, u8)> {
        self.receiver.handle_datagram(self.now, datagram).unwrap();
        let mut came = Vec::new();
        while let Some(output) = self.receiver.poll() {
            let Output::Packet(packet) = output else { panic!("{output:?}") };
            assert_eq!((packet.payload_type, packet.payload.len()), (OPUS, 60));
            came.push((packet.sequence_number, packet.timestamp, packet.payload[0]));
        }
        came
    }
}

fn of(numbers: &[u64]) -> Vec<(u64, u32, u8)> {
    numbers.iter().map(|n| (*n, 960 * *n as u32, *n as u8)).collect()
}

#[test]
fn every_second_packet_is_enough() {
    let mut link = Link::new(true);
    let mut came = Vec::new();
    for number in 10..60 {
        let datagram = link.send(link.packet(number));
        assert_eq!(datagram[1], if number == 10 { OPUS } else { RED });
        if number % 2 == 0 {
            came.extend(link.receive(&datagram));
        }
    }
    assert_eq!(came, of(&(10..=58).collect::<Vec<_>>()));
}

#[test]
fn a_packet_that_was_only_late_is_not_taken_twice() {
    let mut link = Link::new(true);
    let sent: Vec<_> = (10..14).map(|number| link.send(link.packet(number))).collect();
    assert_eq!(link.receive(&sent[0]), of(&[10]));
    assert_eq!(link.receive(&sent[2]), of(&[11, 12]));
    assert_eq!(link.receive(&sent[1]), []);
    assert_eq!(link.receive(&sent[3]), of(&[13]));
}

#[test]
fn two_losses_in_a_row_leave_one() {
    let mut link = Link::new(true);
    let sent: Vec<_> = (10..15).map(|number| link.send(link.packet(number))).collect();
    assert_eq!(link.receive(&sent[0]), of(&[10]));
    assert_eq!(link.receive(&sent[3]), of(&[12, 13]));
}

#[test]
fn where_more_is_lost_each_packet_repeats_more_of_those_before_it() {
    for (depth, kept) in [(1, 1), (2, 2), (3, 3), (9, 3)] {
        let mut link = Link::new(true);
        link.sender.set_redundancy(depth);
        let sent: Vec<_> = (10..20).map(|number| link.send(link.packet(number))).collect();
        assert_eq!(link.receive(&sent[0]), of(&[10]));
        assert_eq!(link.receive(&sent[9]), of(&(19 - kept..=19).collect::<Vec<_>>()), "{depth}");
    }
}

#[test]
fn a_late_packet_is_repeated_in_its_place() {
    let mut link = Link::new(true);
    link.sender.set_redundancy(3);
    let first = link.send(link.packet(10));
    assert_eq!(link.receive(&first), of(&[10]));
    link.send(link.packet(12));
    assert_eq!(link.send(link.packet(11))[1], RED);
    let last = link.send(link.packet(13));
    assert_eq!(link.receive(&last), of(&[11, 12, 13]));
}

#[test]
fn without_agreement_packets_leave_as_they_are() {
    let mut link = Link::new(false);
    for number in 10..13 {
        let datagram = link.send(link.packet(number));
        assert_eq!((datagram[1], datagram.len()), (OPUS, 12 + 60 + 16));
        assert_eq!(link.receive(&datagram), of(&[number]));
    }
}

#[test]
fn nothing_of_a_former_binding_is_repeated_and_nothing_far_away() {
    let mut link = Link::new(true);
    link.send(link.packet(10));
    link.sender.forget_sent(Mid::parse("a").unwrap());
    assert_eq!(link.send(link.packet(11))[1], OPUS, "another binding");
    assert_eq!(link.send(link.packet(13))[1], OPUS, "a gap");
    let late = RtpOut { timestamp: 1 << 20, ..link.packet(14) };
    assert_eq!(link.send(late.clone())[1], OPUS, "a pause");
    let long = RtpOut {
        timestamp: late.timestamp + 960,
        payload: (&[1; 1_050][..]).into(),
        ..link.packet(15)
    };
    assert_eq!(link.send(long)[1], OPUS, "too long together");
}

#[test]
fn a_packet_that_combines_nothing_whole_is_dropped_and_counted() {
    let mut link = Link::new(true);
    let first = link.send(link.packet(10));
    link.receive(&first);
    let broken = RtpOut { payload_type: RED, ..link.packet(11) };
    let datagram = link.send(RtpOut { payload: (&[0xef, 0, 0][..]).into(), ..broken });
    link.receiver.handle_datagram(link.now, &datagram).unwrap();
    assert!(matches!(link.receiver.poll(), Some(Output::Dropped(DropCause::Malformed))));
    assert!(link.receiver.poll().is_none());
}

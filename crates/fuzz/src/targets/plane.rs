//! The media plane alone, whose keys the fuzzer has: datagrams of its authentic peer, of strangers, and time.
//!
//! What leaves can be opened by the peer, is never more than what is sent anew and its share allow, and goes
//! on whatever came; and the plane never wants to be woken at once again.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tertulia_router_core::rtp::srtp::{
    MAX_RTCP_OVERHEAD, MAX_RTP_OVERHEAD, OpenError, Opener, Profile, Role, Sealer, contexts,
};
use tertulia_router_core::rtp::{ExtensionIds, ExtensionKind, Header};
use tertulia_router_core::{
    Codec, Datagrams, Description, DescriptorRewrite, Extensions, Kind, LineDescription, Mid,
    PayloadDescription, PeerAddress, Plane, RtpOut, SourceDescription,
};

use super::sealed::reports;
use super::{Check, Target};
use crate::mutation::Structure;

pub(super) const TARGET: Target =
    Target { name: "plane", structure: Structure::Binary, seeds, start };

/// Inputs of one plane.
const LIFETIME: u32 = 4000;
/// Inputs between two packets of its own.
const PERIOD: u32 = 8;
const OPUS: u8 = 111;
const RED: u8 = 63;
const VP8: u8 = 96;
const RTX: u8 = 97;
/// Of `docs/limits.md`: what may be repeated at once, and the part of what is new that is added.
const REPEATED_AT_ONCE: u64 = 512 * 1024;
const REPEATED_SHARE: u64 = 2;
/// Of the last repetition that still was allowed.
const SLACK: u64 = 4096;
/// Control packets that may answer one input.
const ANSWERS: usize = 64;

/// An input is one byte that says what it is, and a datagram or a time.
fn start() -> Check {
    let mut scene = Scene::new();
    let mut count = 0;
    Box::new(move |input| {
        if count == LIFETIME {
            scene = Scene::new();
            count = 0;
        }
        count += 1;
        let (kind, rest) = input.split_first().unwrap_or((&0, &[]));
        scene.take(*kind, rest);
        if count % PERIOD == 0 {
            scene.now += Duration::from_millis(5);
            scene.send();
        }
        scene.settle()
    })
}

struct Scene {
    now: Instant,
    plane: Plane,
    sealer: Sealer,
    opener: Opener,
    /// What was opened, to know what leaves as it was.
    opened: HashMap<(u32, u16), Vec<u8>>,
    datagrams: Datagrams,
    number: u64,
    new_bytes: u64,
    repeated_bytes: u64,
}

impl Scene {
    fn new() -> Self {
        let now = Instant::now();
        let mut plane = Plane::new(now, 1 << 40);
        plane.describe(description());
        let profile = Profile::AeadAes128Gcm;
        let material = vec![7; profile.keying_material()];
        plane.open(now, profile, &material, Role::Server).expect("keys");
        let (opener, sealer) = contexts(profile, &material, Role::Client, 16).expect("keys");
        Self {
            now,
            plane,
            sealer,
            opener,
            opened: HashMap::new(),
            datagrams: Datagrams::default(),
            number: 100,
            new_bytes: 0,
            repeated_bytes: 0,
        }
    }

    fn take(&mut self, kind: u8, rest: &[u8]) {
        let mut room = [rest, &[0; MAX_RTP_OVERHEAD + MAX_RTCP_OVERHEAD]].concat();
        let length = match kind % 8 {
            0..=2 => self.seal_rtp(&mut room, rest.len()),
            3..=5 if rest.len() >= 8 => {
                room[0] = room[0] & 0x3f | 0x80;
                self.sealer.seal_rtcp(&mut room, rest.len()).ok()
            }
            // Of a stranger.
            6 => Some(rest.len()),
            _ => {
                let time = rest.first().map_or(0, |time| u64::from(*time));
                self.now += Duration::from_millis(time * time / 16);
                None
            }
        };
        if let Some(datagram) = length.and_then(|length| room.get(..length)) {
            // Refused or not: nothing that is asserted depends on it.
            let _ = self.plane.handle_datagram(self.now, datagram);
        }
    }

    fn seal_rtp(&mut self, room: &mut [u8], length: usize) -> Option<usize> {
        room[0] = room[0] & 0x3f | 0x80;
        // Of a few sources: more than a thousand are refused before anything reads them.
        room.get_mut(8..11)?.fill(0);
        let header = Header::parse(room.get(..length)?).ok()?;
        let source = self.sealer.source(header.ssrc).ok()?;
        self.sealer.seal_rtp(source, room, length, header.sequence_number.into()).ok()
    }

    /// Sound and a picture.
    fn send(&mut self) {
        for (mid, payload_type, codec, bytes) in
            [("2", OPUS, Codec::Opus, 100), ("3", VP8, Codec::Vp8, 900)]
        {
            let packet = RtpOut {
                payload_type,
                sequence_number: self.number,
                timestamp: 900 * self.number as u32,
                captured: self.now,
                received: None,
                marker: true,
                extensions: Extensions::default(),
                payload: vec![0x10; bytes].as_slice().into(),
                rewrite: DescriptorRewrite::default(),
                codec,
            };
            self.plane.send(Mid::parse(mid).expect("a mid"), packet);
        }
        self.number += 1;
    }

    /// Everything that is due happens.
    fn settle(&mut self) -> Result<(), String> {
        self.plane.handle_timeout(self.now);
        if let Some(at) = self.plane.deadline().filter(|at| *at <= self.now) {
            return Err(format!("it wants to be woken {:?} ago", self.now - at));
        }
        while self.plane.poll().is_some() {}
        let mut answers = 0;
        while let Some(mut control) = self.plane.poll_control() {
            answers += 1;
            self.opener.open_rtcp(&mut control).map_err(|e| format!("control: {e}"))?;
        }
        if answers > ANSWERS {
            return Err(format!("{answers} answers to one datagram"));
        }
        let to = PeerAddress { socket: 0, source: SocketAddr::from(([192, 0, 2, 9], 9)) };
        let is_due = self.plane.has_waiting();
        while self.plane.has_waiting() {
            self.plane.transmit(self.now, to, &mut self.datagrams);
            let left = std::mem::take(&mut self.datagrams);
            for departure in left.departures() {
                self.open(left.contents(departure))?;
            }
        }
        if !is_due {
            return Ok(());
        }
        let most = REPEATED_AT_ONCE + self.new_bytes / REPEATED_SHARE + SLACK;
        match self.repeated_bytes {
            bytes if bytes > most => Err(format!("{bytes} bytes were repeated instead of {most}")),
            _ => Ok(()),
        }
    }

    /// The peer opens what left.
    fn open(&mut self, datagram: &[u8]) -> Result<(), String> {
        let header = Header::parse(datagram).map_err(|e| format!("what left: {e}"))?;
        let place = (header.ssrc, header.sequence_number);
        let mut opened = datagram.to_vec();
        let is_repair = header.payload_type == RTX;
        match self.opener.open_rtp(&mut opened, &header) {
            Ok(_) if is_repair => self.repeated_bytes += datagram.len() as u64,
            Ok(_) => {
                self.opened.insert(place, datagram.to_vec());
                self.new_bytes += datagram.len() as u64;
            }
            Err(OpenError::Replayed | OpenError::TooOld)
                if self.opened.get(&place).is_some_and(|former| former == datagram) =>
            {
                self.repeated_bytes += datagram.len() as u64;
            }
            Err(cause) => return Err(format!("number {} of {:x}: {cause}", place.1, place.0)),
        }
        Ok(())
    }
}

/// Two lines that come in and two that go out, of sound and picture each.
fn description() -> Description {
    let mut extensions = ExtensionIds::default();
    for (id, kind) in [
        (1, ExtensionKind::AudioLevel),
        (3, ExtensionKind::TransportSequence),
        (4, ExtensionKind::Mid),
        (10, ExtensionKind::Rid),
        (11, ExtensionKind::RepairedRid),
        (12, ExtensionKind::DependencyDescriptor),
    ] {
        extensions.set(kind, id);
    }
    let media = |payload_type| PayloadDescription {
        payload_type,
        has_nack: true,
        has_pli: true,
        has_fir: true,
        has_transport_feedback: true,
        ..PayloadDescription::default()
    };
    let line = |mid: &str, kind, own: Option<u32>| LineDescription {
        mid: Mid::parse(mid).expect("a mid"),
        kind,
        is_received: own.is_none(),
        extensions,
        payloads: match kind {
            Kind::Audio => vec![
                media(OPUS),
                PayloadDescription {
                    payload_type: RED,
                    combines: Some(OPUS),
                    ..PayloadDescription::default()
                },
            ],
            Kind::Video => vec![
                media(VP8),
                PayloadDescription {
                    payload_type: RTX,
                    repairs: Some(VP8),
                    ..PayloadDescription::default()
                },
            ],
        },
        sources: Vec::new(),
        own: own.map(|ssrc| SourceDescription {
            ssrc,
            repair: (kind == Kind::Video).then_some(ssrc + 1),
        }),
    };
    let lines = vec![
        line("0", Kind::Audio, None),
        line("1", Kind::Video, None),
        line("2", Kind::Audio, Some(7)),
        line("3", Kind::Video, Some(8)),
    ];
    Description { lines, cname: "router".into() }
}

fn seeds() -> Vec<Vec<u8>> {
    let rtp = |number: u8, payload_type: u8, ssrc: u8, extension: &[u8], payload: &[u8]| {
        let mut packet = vec![0, 0x90, payload_type, 0, number, 0, 0, 0, 1, 0, 0, 0, ssrc];
        packet.extend([0xbe, 0xde]);
        packet.extend((extension.len() as u16 / 4).to_be_bytes());
        packet.extend(extension);
        packet.extend(payload);
        packet
    };
    let (audio, video) = (&[0x40, b'0', 0x10, 0x85], &[0x40, b'1', 0x31, 0, 1, 0, 0, 0]);
    let mut seeds = vec![vec![7, 4], vec![7, 40], vec![7, 255]];
    for number in [1, 2, 3, 5, 9, 40, 250] {
        seeds.push(rtp(number, OPUS, 20, audio, &[1; 40]));
        seeds.push(rtp(number, VP8, 21, video, &[0x90, 0xe0, 0x81, 2, 3, 0, 0, 1, 2, 3]));
        seeds.push(rtp(number, RTX, 22, video, &[0, number, 0x90, 0xe0, 0x81, 2, 3, 0, 0]));
    }
    seeds.push(rtp(7, RED, 20, audio, &[0x80 | OPUS, 3, 0xc0, 2, OPUS, 1, 2, 3, 4]));
    seeds.push(rtp(8, VP8, 23, &[0x40, b'1', 0xa0, b'h', 0, 0, 0, 0], &[0x10, 0, 1]));
    seeds.push([&[6][..], &rtp(9, VP8, 21, video, &[0x10, 0, 1])[1..]].concat());
    for (number, part) in reports().iter().enumerate() {
        // About the lines that the plane sends on.
        let mut about = part.clone();
        if let Some(media) = about.get_mut(8..12) {
            media.copy_from_slice(&[0, 0, 0, 7 + number as u8 % 2]);
        }
        seeds.push([&[3][..], part].concat());
        seeds.push([&[3][..], &about].concat());
        seeds.push([&[3][..], &reports()[1], &about].concat());
    }
    // Everything that it may have sent, of both lines.
    for ssrc in [7, 8] {
        let mut nack = vec![3, 0x81, 205, 0, 0, 0, 0, 0, 1, 0, 0, 0, ssrc];
        for base in (100_u16..400).step_by(17) {
            nack.extend(base.to_be_bytes());
            nack.extend([0xff, 0xff]);
        }
        nack[4] = (nack.len() / 4 - 1) as u8;
        seeds.push(nack);
    }
    seeds
}

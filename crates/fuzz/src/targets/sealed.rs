//! RTP and RTCP under the right key: a client that is authentic and hostile. Nobody's transport may
//! end, and a call of two others loses nothing.

use std::time::Duration;

use super::{Check, Target};
use crate::driver::World;
use crate::mutation::Structure;

pub(super) const TARGET: Target =
    Target { name: "sealed", structure: Structure::Binary, seeds, start };

const LIFETIME: u32 = 4000;
const PERIOD: u32 = 1000;

/// An input is one byte, even for RTP and odd for RTCP, and a packet without its key.
fn start() -> Check {
    let mut world = scene();
    let mut count = 0;
    Box::new(move |input| {
        if count == LIFETIME {
            world = scene();
            count = 0;
        }
        count += 1;
        let Some((kind, packet)) = input.split_first().filter(|(_, packet)| packet.len() >= 12)
        else {
            return Ok(());
        };
        say(&mut world, *kind, packet);
        let ended = world.router.list().transports.len() < 4;
        if ended {
            return Err(format!("a transport ended: {:?}", world.events.last()));
        }
        if count % PERIOD != 0 {
            return Ok(());
        }
        let before = world.clients[3].received.len();
        world.play(Duration::from_millis(200));
        let gained = world.clients[3].received.len() - before;
        if gained < 10 { Err(format!("the call of others got {gained} packets")) } else { Ok(()) }
    })
}

fn scene() -> World {
    let mut world = World::new();
    let hostile = world.join(&[1], 1);
    let victim = world.join(&[], 1);
    let speaker = world.join(&[2], 0);
    let listener = world.join(&[], 1);
    world.bind(victim, 0, 1, (hostile, 0));
    world.bind(hostile, 0, 1, (speaker, 0));
    world.bind(listener, 0, 1, (speaker, 0));
    world.play(Duration::from_millis(200));
    // The victim's player is no part of what is tested: it may find anything.
    world.let_through(|direction, _| !matches!(direction, crate::driver::Direction::ToClient(1)));
    world
}

fn say(world: &mut World, kind: u8, packet: &[u8]) {
    let client = &mut world.clients[0];
    let sealed = if kind.is_multiple_of(2) {
        let mut packet = packet.to_vec();
        // RTP of a few sources: more than a thousand are refused before anything reads them.
        packet[0] = packet[0] & 0x3f | 0x80;
        packet[8..11].fill(0);
        let header = header_length(&packet).min(packet.len());
        client.seal.rtp(&packet, header)
    } else {
        client.seal.rtcp(packet)
    };
    world.forge(0, &sealed);
}

fn header_length(packet: &[u8]) -> usize {
    let contributors = 12 + 4 * usize::from(packet[0] & 0x0f);
    match packet.get(contributors..contributors + 4) {
        Some([_, _, high, low]) if packet[0] & 0x10 != 0 => {
            contributors + 4 + 4 * usize::from(u16::from_be_bytes([*high, *low]))
        }
        _ => contributors,
    }
}

impl World {
    /// A datagram comes from a client's address.
    fn forge(&mut self, client: usize, contents: &[u8]) {
        let source = self.clients[client].address;
        let datagram = tertulia_router_core::Datagram { socket: 0, source, contents };
        self.router.handle_datagram(self.now, datagram);
        self.settle();
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let rtp = |payload_type: u8, extension: &[u8], payload: &[u8]| {
        let mut packet = vec![0, 0x90, payload_type, 0, 1, 0, 0, 0, 1, 0, 0, 0, 7, 0xbe, 0xde];
        packet.extend((extension.len() as u16 / 4).to_be_bytes());
        packet.extend(extension);
        packet.extend(payload);
        packet
    };
    // Extensions as the driver numbers them: 1 audio level, 2 capture time, 3 transport-wide number,
    // 4 mid, 5 rid, 6 repaired rid, 7 orientation.
    let (audio, video) = (&[0x40, b'0', 0x10, 0x85], &[0x40, b'1', 0x31, 0, 1, 0x70, 1, 0]);
    let capture = [0x2f, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0x40, b'1', 0];
    let mut seeds = vec![
        rtp(96, audio, &[1; 40]),
        rtp(97, video, &[0x90, 0xe0, 0x81, 2, 3, 0, 0, 1, 2, 3]),
        rtp(98, video, &[0, 5, 0x90, 0xe0, 0x81, 2, 3, 0, 1]),
        rtp(99, video, &[0xac, 0x81, 2, 0, 3, 0, 1, 2]),
        rtp(101, video, &[0x67, 0x42, 0xe0, 0x1f, 1, 2]),
        rtp(97, &capture, &[0x10, 0, 1]),
        rtp(97, &[0x40, b'1', 0x50, b'h', 0x60, b'h', 0, 0], &[0x10, 0, 1]),
    ];
    let mut padded = rtp(97, video, &[0x10, 0, 1, 0, 0, 3]);
    padded[1] |= 0x20;
    seeds.push(padded);
    let parts = reports();
    for (number, part) in parts.iter().enumerate() {
        seeds.push([&[1][..], part].concat());
        let next = &parts[(number + 1) % parts.len()];
        seeds.push([&[1][..], &parts[1], part, next].concat());
    }
    seeds
}

/// Sender report, receiver report, description, goodbye, application, generic and payload feedback,
/// extended reports.
pub(super) fn reports() -> Vec<Vec<u8>> {
    let block = [0, 0, 0, 7, 1, 0, 0, 2, 0, 0, 1, 0, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 2];
    vec![
        [&[0x81, 200, 0, 12, 0, 0, 0, 7][..], &[1; 20], &block].concat(),
        [&[0x81, 201, 0, 7, 0, 0, 0, 7][..], &block].concat(),
        vec![0x81, 202, 0, 3, 0, 0, 0, 7, 1, 4, b'n', b'a', b'm', b'e', 0, 0],
        vec![0x81, 203, 0, 1, 0, 0, 0, 7],
        vec![0x81, 204, 0, 2, 0, 0, 0, 7, b'n', b'a', b'm', b'e'],
        vec![0x81, 205, 0, 3, 0, 0, 0, 7, 0, 0, 0, 8, 0, 9, 0xff, 0xff],
        vec![0x81, 206, 0, 2, 0, 0, 0, 7, 0, 0, 0, 8],
        vec![0x84, 206, 0, 4, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 8, 1, 0, 0, 0],
        vec![
            0x8f, 206, 0, 5, 0, 0, 0, 7, 0, 0, 0, 0, b'R', b'E', b'M', b'B', 1, 1, 2, 3, 0, 0, 0, 8,
        ],
        vec![0x8f, 205, 0, 5, 0, 0, 0, 7, 0, 0, 0, 8, 0, 1, 0, 7, 0, 0, 5, 1, 0x20, 7, 4, 4],
        vec![0x80, 207, 0, 4, 0, 0, 0, 7, 4, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8],
        vec![0x80, 207, 0, 5, 0, 0, 0, 7, 5, 0, 0, 3, 0, 0, 0, 7, 1, 2, 3, 4, 5, 6, 7, 8],
    ]
}

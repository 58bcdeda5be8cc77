//! A client that is authentic and hostile: its packets are sealed with the right key and say anything.

use std::time::Duration;

use str0m::media::Mid;
use tertulia_router_core::DropCause;

use crate::driver::forgery::Dice;
use crate::driver::{ClientId, World};

const SEED: u64 = 0x0b5e_55ed;
/// In a second: 50 of audio and 25 of video; a few are under way at its ends.
const A_SECOND: usize = 72;

/// A hostile publisher whose stream a victim watches, and two others that talk to each other.
pub struct Scene {
    pub world: World,
    pub hostile: ClientId,
    victim: ClientId,
    speaker: ClientId,
    listener: ClientId,
    pub dice: Dice,
    number: u16,
}

impl Scene {
    pub fn new() -> Self {
        let mut world = World::new();
        let hostile = world.join(&[1], 1);
        let victim = world.join(&[], 1);
        let speaker = world.join(&[2], 0);
        let listener = world.join(&[], 1);
        world.bind(victim, 0, 1, (hostile, 0));
        world.bind(listener, 0, 1, (speaker, 0));
        world.bind(hostile, 0, 1, (speaker, 0));
        world.play(Duration::from_millis(500));
        Self { world, hostile, victim, speaker, listener, dice: Dice(SEED), number: 0 }
    }

    pub fn lines(&self) -> (Mid, Mid) {
        let stream = &self.world.clients[self.hostile].streams[0];
        (stream.audio, stream.video)
    }

    /// Sends what says it is of this line and source, sealed.
    pub fn say_rtp(&mut self, payload_type: u8, ssrc: u32, extensions: &[u8], payload: &[u8]) {
        self.number = self.number.wrapping_add(1);
        let mut packet = vec![0x80, payload_type];
        packet.extend(self.number.to_be_bytes());
        packet.extend(self.dice.bytes(4));
        packet.extend(ssrc.to_be_bytes());
        if !extensions.is_empty() {
            packet[0] |= 0x10;
            packet.extend([0xbe, 0xde]);
            packet.extend((extensions.len().div_ceil(4) as u16).to_be_bytes());
            packet.extend(extensions);
            packet.resize(packet.len().next_multiple_of(4), 0);
        }
        let header = packet.len();
        packet.extend(payload);
        self.say_packet(&packet, header);
    }

    fn say_packet(&mut self, packet: &[u8], header: usize) {
        let sealed = self.world.clients[self.hostile].seal.rtp(packet, header);
        self.world.forge(self.hostile, &sealed);
    }

    pub fn say_rtcp(&mut self, packet: &[u8]) {
        let sealed = self.world.clients[self.hostile].seal.rtcp(packet);
        self.world.forge(self.hostile, &sealed);
    }

    /// Plays a second and asserts that nobody else noticed anything and nobody was ended.
    pub fn assert_bystanders_are_well(&mut self) {
        let before = self.world.clients[self.listener].received.len();
        self.world.play(Duration::from_secs(1));
        let gained = self.world.clients[self.listener].received.len() - before;
        assert!(gained >= A_SECOND, "the bystander got {gained} packets");
        let colours = |id: ClientId| {
            let mut colours: Vec<_> =
                self.world.clients[id].received.iter().map(|r| r.colour).collect();
            colours.sort_unstable();
            colours.dedup();
            colours
        };
        assert_eq!(colours(self.listener), [2], "nothing of the hostile client");
        let transports = self.world.router.list().transports;
        assert_eq!(transports.len(), 4, "nobody's transport ended");
        assert_eq!(self.world.strays, []);
    }

    /// Asserts that the hostile client's own call still works as well.
    pub fn assert_own_call_goes_on(&mut self) {
        let before = self.world.clients[self.victim].received.len();
        self.world.play(Duration::from_secs(1));
        let gained = self.world.clients[self.victim].received.len() - before;
        assert!(gained >= A_SECOND, "its subscriber got {gained} packets");
    }
}

pub fn mid_extension(mid: &str) -> Vec<u8> {
    let mut extension = vec![0x40 | (mid.len() as u8 - 1)];
    extension.extend(mid.bytes());
    extension
}

#[test]
fn garbage_inside_a_valid_packet_is_dropped_and_ends_nobody() {
    let mut scene = Scene::new();
    let (audio, video) = scene.lines();
    let (audio_mid, video_mid) = (mid_extension(&audio), mid_extension(&video));
    let vp8 = scene.world.clients[scene.hostile].options.codecs.vp8.expect("VP8");
    for round in 0..40 {
        let ssrc = 0x1000 + round;
        let noise = |scene: &mut Scene, most: usize| {
            let length = scene.dice.below(most);
            scene.dice.bytes(length)
        };
        // Payload descriptors, and nothing at all.
        for descriptor in [&[][..], &[0x90], &[0x90, 0xff], &[0x80, 0x80, 0x80], &[0xff; 6]] {
            scene.say_rtp(vp8.0, ssrc, &video_mid, descriptor);
        }
        let payload = noise(&mut scene, 100);
        scene.say_rtp(vp8.0, ssrc, &video_mid, &payload);
        // Retransmissions of nothing, of half a number, of something never sent.
        for payload in [&[][..], &[1], &[1, 2], &[1, 2, 3]] {
            scene.say_rtp(vp8.1, ssrc + 0x1000, &video_mid, payload);
        }
        // Payload types of nobody, of another kind.
        for payload_type in [0, 13, 63, 103, 126, 127, vp8.0] {
            scene.say_rtp(payload_type, ssrc + 0x2000, &audio_mid, &[1, 2, 3]);
        }
        // Extensions that end too late, that have no number, that are of no line.
        for extension in [
            &[0x4f, b'0'][..],
            &[0xf0, 1, 2],
            &[0x40],
            &[0x4f, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
            &[0x13, 0xff, 0xff, 0xff],
            &[0x21, 0xff, 0xff, 0x31, 0xff, 0xff],
        ] {
            scene.say_rtp(vp8.0, ssrc + 0x3000, extension, &[0x10, 0]);
        }
        // Padding that is longer than the packet, and a header that is longer.
        let mut packet = vec![0xa0, vp8.0, 0, round as u8, 0, 0, 0, 0, 0, 0, 0x40, round as u8];
        packet.extend([1, 2, 255]);
        scene.say_packet(&packet, 12);
        packet[0] = 0x8f;
        scene.say_packet(&packet, 12);
        packet[0] = 0x90;
        packet.splice(12..12, [0xbe, 0xde, 0xff, 0xff]);
        scene.say_packet(&packet, 12);
        // Compounds of RTCP whose lengths and counts lie.
        for kind in 192..=211 {
            for count in [0, 1, 15, 31] {
                let mut compound = vec![0x80 | count, kind, 0, scene.dice.below(12) as u8];
                let rest = 4 * (1 + scene.dice.below(12));
                compound.extend(scene.dice.bytes(rest));
                scene.say_rtcp(&compound);
            }
        }
        if round % 10 == 0 {
            scene.world.play(Duration::from_millis(20));
        }
    }
    scene.assert_bystanders_are_well();
}

#[test]
fn new_sources_without_end_are_counted_out() {
    let mut scene = Scene::new();
    let (_, video) = scene.lines();
    let extension = mid_extension(&video);
    let vp8 = scene.world.clients[scene.hostile].options.codecs.vp8.expect("VP8").0;
    for ssrc in 0..5000 {
        scene.say_rtp(vp8, 0x10_0000 + ssrc, &extension, &[1; 60]);
    }
    let refused = scene.world.router.drops().of(DropCause::TooManySources);
    assert!((3970..4000).contains(&refused), "{refused}");
    scene.assert_bystanders_are_well();
    // A minute later its own next source is heard.
    scene.world.run_for(Duration::from_secs(60));
    scene.say_rtp(vp8, 0x20_0000, &extension, &[1; 60]);
    assert_eq!(scene.world.router.drops().of(DropCause::TooManySources), refused);
}

#[test]
fn lies_about_lines_and_encodings_reach_nobody_else() {
    let mut scene = Scene::new();
    let (audio, _) = scene.lines();
    let foreign = scene.world.clients[scene.speaker].streams[0].video.to_string();
    let codecs = scene.world.clients[scene.hostile].options.codecs;
    let (opus, vp8) = (codecs.opus, codecs.vp8.expect("VP8").0);
    for ssrc in 0..200 {
        // A line of another client, a line of nobody, an encoding that was not offered, audio on video.
        scene.say_rtp(vp8, 0x4_0000 + ssrc, &mid_extension(&foreign), &[0x10, 0, 9]);
        scene.say_rtp(vp8, 0x5_0000 + ssrc, &mid_extension("nowhere"), &[0x10, 0, 9]);
        let mut with_rid = mid_extension(&audio);
        with_rid.extend([0x50, b'h', 0x60, b'q']);
        scene.say_rtp(opus, 0x6_0000 + ssrc, &with_rid, &[9, 9]);
    }
    scene.assert_bystanders_are_well();
}

/// What a subscriber reports about its one video line.
pub fn feedback(format: u8, kind: u8, media: u32, rest: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80 | format, kind];
    packet.extend((2 + rest.len() as u16 / 4).to_be_bytes());
    packet.extend(1_u32.to_be_bytes());
    packet.extend(media.to_be_bytes());
    packet.extend(rest);
    packet
}

pub fn video_source(world: &World, id: ClientId) -> u32 {
    let mid = world.clients[id].slot_mids(0).1;
    world.clients[id].received_on(mid).last().expect("video came").ssrc
}

#[test]
fn a_flood_of_key_frame_requests_asks_the_publisher_three_times_a_second() {
    let mut scene = Scene::new();
    let media = video_source(&scene.world, scene.hostile);
    let before = scene.world.clients[scene.speaker].key_frame_requests.len();
    for _ in 0..100 {
        for _ in 0..50 {
            scene.say_rtcp(&feedback(1, 206, media, &[]));
            let number = scene.dice.next() as u8;
            let entry = [&media.to_be_bytes()[..], &[number, 0, 0, 0]].concat();
            scene.say_rtcp(&feedback(4, 206, media, &entry));
        }
        scene.world.play(Duration::from_millis(10));
    }
    let asked = scene.world.clients[scene.speaker].key_frame_requests.len() - before;
    assert!((1..=5).contains(&asked), "{asked} in a second");
    scene.assert_bystanders_are_well();
}

#[test]
fn a_flood_of_retransmission_requests_repeats_no_more_than_the_share() {
    let mut scene = Scene::new();
    scene.world.play(Duration::from_secs(2));
    let media = video_source(&scene.world, scene.hostile);
    let newest = scene.world.clients[scene.hostile].received.iter().filter(|r| r.ssrc == media);
    let newest = newest.map(|r| r.sequence_number).max().expect("video") as u16;
    let mut sent_while = |is_flooded: bool| {
        let address = scene.world.clients[scene.hostile].address;
        let before = scene.world.sent_to[&address];
        for _ in 0..100 {
            for _ in 0..if is_flooded { 20 } else { 0 } {
                let first = newest.wrapping_sub(60);
                let numbers: Vec<u8> = (0..4)
                    .flat_map(|i: u16| [first.wrapping_add(17 * i).to_be_bytes(), [0xff, 0xff]])
                    .flatten()
                    .collect();
                scene.say_rtcp(&feedback(1, 205, media, &numbers));
            }
            scene.world.play(Duration::from_millis(10));
        }
        scene.world.sent_to[&address] - before
    };
    let usual = sent_while(false);
    let burst = sent_while(true);
    assert!(burst <= 512 * 1024 + 3 * usual, "{burst} bytes at once instead of {usual}");
    let flooded = sent_while(true);
    assert!(flooded <= 3 * usual, "{flooded} bytes instead of {usual}");
    scene.assert_bystanders_are_well();
}

#[test]
fn a_flood_of_reports_costs_the_others_nothing() {
    let mut scene = Scene::new();
    for round in 0..200 {
        for _ in 0..50 {
            // Receiver reports of 31 blocks, extended reports, goodbyes and descriptions of strangers.
            let blocks = scene.dice.bytes(31 * 24);
            let mut report = vec![0x9f, 201, 0, 187, 0, 0, 0, 1];
            report.extend(blocks);
            scene.say_rtcp(&report);
            let source = scene.dice.next() as u32;
            let mut extended = vec![0x80, 207, 0, 4];
            extended.extend(source.to_be_bytes());
            extended.extend([4, 0, 0, 2]);
            extended.extend(scene.dice.bytes(8));
            scene.say_rtcp(&extended);
            scene.say_rtcp(&[&[0x81, 203, 0, 1][..], &source.to_be_bytes()].concat());
        }
        if round % 50 == 0 {
            scene.world.play(Duration::from_millis(10));
        }
    }
    scene.assert_bystanders_are_well();
    scene.assert_own_call_goes_on();
}

//! Of a stream with layers inside every subscriber gets those that it wishes for, as a stream of its own.

use std::time::Duration;

use tertulia_router_core::{Generation, Prefer, SlotIndex, Wishes};

use crate::driver::layered::{Dependency, Layered};
use crate::driver::{Change, ClientId, ClientOptions, Picture, Received, World};

/// VP9 described by its payload, AV1 by its descriptors.
const BOTH: [Picture; 2] = [Picture::Vp9, Picture::Av1];

struct Studio {
    world: World,
    publisher: ClientId,
    stream: Layered,
    options: ClientOptions,
    /// Whether the publisher answers requests for key frames.
    obeys: bool,
    asked: usize,
}

impl Studio {
    fn new(picture: Picture, has_dependencies: bool) -> Self {
        let mut world = World::new();
        let options = ClientOptions { has_dependencies, reports_arrivals: false, ..ClientOptions::default() };
        let change = Change { publish: vec![(9, picture)], ..Change::default() };
        let publisher = world.join_with(options.clone(), &change);
        let stream = Layered::new(picture);
        Self { world, publisher, stream, options, obeys: true, asked: 0 }
    }

    fn of(picture: Picture) -> Self {
        Self::new(picture, picture == Picture::Av1)
    }

    fn subscriber(&mut self, wishes: Wishes) -> ClientId {
        let change = Change { slots: 1, ..Change::default() };
        let subscriber = self.world.join_with(self.options.clone(), &change);
        self.world.bind(subscriber, 0, 1, (self.publisher, 0));
        self.prefer(subscriber, wishes);
        subscriber
    }

    fn prefer(&mut self, subscriber: ClientId, wishes: Wishes) {
        let transport = self.world.clients[subscriber].id();
        let (slot, generation) = (SlotIndex(0), Generation(1));
        let prefer = Prefer { transport, slot, generation, wishes };
        self.world.router.prefer(self.world.now, prefer).expect("the wishes are taken");
        self.world.settle();
    }

    /// Sends 25 pictures per second.
    fn play(&mut self, pictures: u32) {
        for _ in 0..pictures {
            let now = self.world.now;
            let client = &mut self.world.clients[self.publisher];
            let is_asked = client.key_frame_requests.len() > self.asked;
            let is_key = self.stream.pictures == 0 || (is_asked && self.obeys);
            if is_key {
                self.asked = client.key_frame_requests.len();
            }
            self.stream.send(client, now, is_key);
            client.drive(now);
            self.world.settle();
            self.world.run_for(Duration::from_millis(40));
        }
    }

    fn requests(&self) -> usize {
        self.world.clients[self.publisher].key_frame_requests.len()
    }

    fn received(&self, subscriber: ClientId) -> Vec<&Received> {
        let client = &self.world.clients[subscriber];
        client.received_on(client.slot_mids(0).1)
    }

    /// The spatial layers of the last packets.
    fn newest(&self, subscriber: ClientId, packets: usize) -> Vec<u8> {
        let received = self.received(subscriber);
        received.iter().rev().take(packets).map(|packet| packet.colour).collect()
    }

    fn count(&self, subscriber: ClientId, since: std::time::Instant) -> usize {
        self.received(subscriber).iter().filter(|packet| packet.at > since).count()
    }
}

fn size(width: u32, height: u32) -> Wishes {
    Wishes { width: Some(width), height: Some(height), frame_rate: None }
}

const SMALL: (u32, u32) = (320, 180);
const LARGE: (u32, u32) = (640, 360);

/// Numbers go on without a gap, and each picture ends with the only marker that it has.
fn assert_is_one_stream(received: &[&Received]) {
    for pair in received.windows(2) {
        let [a, b] = pair else { panic!("windows of two") };
        assert_eq!(b.sequence_number, a.sequence_number + 1);
        assert_eq!(a.marker, a.timestamp != b.timestamp, "at {}", a.sequence_number);
        let number = |packet: &Received| packet.extensions.user_values.get().map(Dependency::number);
        if let Some((a, b)) = number(a).zip(number(b)) {
            assert!(b.wrapping_sub(a) < 100, "frames are numbered on: {a}, {b}");
        }
    }
}

#[test]
fn each_subscriber_gets_the_spatial_layer_of_its_size_and_none_that_it_does_not_show() {
    for picture in BOTH {
        let mut studio = Studio::of(picture);
        let small = studio.subscriber(size(SMALL.0, SMALL.1));
        let large = studio.subscriber(Wishes::default());
        studio.play(50);
        assert_eq!(studio.newest(small, 40), [0; 40], "{picture:?}");
        assert_eq!(studio.newest(large, 40), [1; 40], "{picture:?}");
        for subscriber in [small, large] {
            assert_is_one_stream(&studio.received(subscriber));
        }
        let first: Vec<u8> = studio.received(large).iter().take(4).map(|p| p.colour).collect();
        assert_eq!(first, [0, 0, 1, 1], "the key frame is needed whole");
    }
}

#[test]
fn another_spatial_layer_begins_at_a_key_frame_which_is_asked_for_once() {
    for picture in BOTH {
        let mut studio = Studio::of(picture);
        let subscriber = studio.subscriber(size(SMALL.0, SMALL.1));
        studio.play(50);
        for (wish, former, layer) in [(LARGE, 0, 1), (SMALL, 1, 0), (LARGE, 0, 1)] {
            let requests = studio.requests();
            studio.obeys = false;
            studio.prefer(subscriber, size(wish.0, wish.1));
            studio.play(8);
            assert_eq!(studio.requests(), requests + 1, "{picture:?}");
            assert_eq!(studio.newest(subscriber, 10), [former; 10], "what was there goes on");
            studio.obeys = true;
            studio.play(25);
            assert_eq!(studio.newest(subscriber, 20), [layer; 20], "{picture:?}");
            assert_eq!(studio.requests(), requests + 1, "{picture:?}");
        }
        assert_is_one_stream(&studio.received(subscriber));
    }
}

#[test]
fn another_frame_rate_takes_no_key_frame() {
    for picture in BOTH {
        let mut studio = Studio::of(picture);
        let subscriber = studio.subscriber(Wishes::default());
        studio.play(50);
        let requests = studio.requests();
        for (rate, packets) in [(12.0, 50), (25.0, 100), (12.0, 50)] {
            let wishes = Wishes { frame_rate: Some(rate), ..Wishes::default() };
            studio.prefer(subscriber, wishes);
            studio.play(5);
            let since = studio.world.now;
            studio.play(50);
            let count = studio.count(subscriber, since);
            assert!(count.abs_diff(packets) <= 4, "{picture:?}: {count} packets at {rate}");
        }
        assert_eq!(studio.requests(), requests, "{picture:?}");
        assert_is_one_stream(&studio.received(subscriber));
    }
}

#[test]
fn a_key_frame_tells_a_subscriber_which_decode_targets_it_gets() {
    let mut studio = Studio::of(Picture::Av1);
    let small = studio.subscriber(size(SMALL.0, SMALL.1));
    studio.play(30);
    let late = studio.subscriber(size(SMALL.0, SMALL.1));
    studio.play(30);
    for subscriber in [small, late] {
        let received = studio.received(subscriber);
        let structures = received.iter().filter_map(|p| p.extensions.user_values.get());
        let structure = structures.map(|Dependency(bytes)| bytes).find(|bytes| bytes.len() > 16);
        let mut reader = tertulia_router_core::rtp::dependency::DependencyReader::default();
        let read = reader.read(structure.expect("a structure")).expect("a whole one");
        assert!(read.mask.is_there);
    }
    let received = studio.received(late);
    let Dependency(bytes) = received[0].extensions.user_values.get().expect("a descriptor");
    let mut reader = tertulia_router_core::rtp::dependency::DependencyReader::default();
    assert_eq!(reader.read(bytes).expect("a structure").active, 0b0011);
}

#[test]
fn av1_without_descriptors_is_forwarded_whole() {
    let mut studio = Studio::new(Picture::Av1, false);
    let subscriber = studio.subscriber(size(SMALL.0, SMALL.1));
    studio.play(50);
    let since = studio.world.now;
    studio.play(25);
    assert_eq!(studio.count(subscriber, since), 100);
    assert_is_one_stream(&studio.received(subscriber));
}

#[test]
fn descriptors_that_lie_harm_nobody_else() {
    let mut studio = Studio::of(Picture::Av1);
    let change = Change { publish: vec![(7, Picture::Av1)], ..Change::default() };
    let liar = studio.world.join_with(studio.options.clone(), &change);
    let victim = studio.subscriber(Wishes::default());
    let watcher =
        studio.world.join_with(studio.options.clone(), &Change { slots: 1, ..Change::default() });
    studio.world.bind(watcher, 0, 1, (liar, 0));
    studio.play(25);
    let mut dice = 1_u32;
    for round in 0..400_u32 {
        let now = studio.world.now;
        let length = [0, 1, 3, 4, 40, 200][round as usize % 6];
        let bytes = (0..length).map(|_| {
            dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (dice >> 24) as u8
        });
        let mut values = str0m::rtp::ExtensionValues::default();
        values.user_values.set(Dependency(bytes.collect()));
        let client = &mut studio.world.clients[liar];
        client.send_video(now, 0, values);
        client.drive(now);
        studio.world.settle();
        if round % 4 == 0 {
            studio.play(1);
        }
    }
    assert_is_one_stream(&studio.received(victim));
    assert_eq!(studio.newest(victim, 40), [1; 40]);
    assert!(!studio.received(watcher).is_empty(), "what cannot be read is forwarded whole");
}

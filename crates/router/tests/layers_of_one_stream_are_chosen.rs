//! Of a stream with layers inside every subscriber gets those that it wishes for, as a stream of its own.

use std::time::Duration;

use tertulia_router_core::{SlotIndex, Wishes};

use crate::driver::layered::{Dependency, Layered};
use crate::driver::{Change, ClientId, ClientOptions, Picture, Received, World, size};

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
        let options = ClientOptions { has_dependencies, ..ClientOptions::default() };
        let change = Change { publish: vec![(9, picture)], ..Change::default() };
        let publisher = world.join_with(options.clone(), &change);
        let stream = Layered::new(picture);
        Self { world, publisher, stream, options, obeys: true, asked: 0 }
    }

    fn of(picture: Picture) -> Self {
        Self::new(picture, picture == Picture::Av1)
    }

    fn subscriber(&mut self, wishes: Wishes) -> ClientId {
        self.world.watch(self.publisher, &self.options, wishes)
    }

    /// Sends 25 pictures per second.
    fn play(&mut self, pictures: u32) {
        for _ in 0..pictures {
            let now = self.world.now;
            let client = &mut self.world.clients[self.publisher];
            let is_asked = client.key_frame_requests.len() > self.asked;
            let is_key = !self.stream.is_begun || (is_asked && self.obeys);
            if is_key {
                self.asked = client.key_frame_requests.len();
            }
            self.stream.send(client, now, is_key);
            client.drive(now);
            self.world.settle();
            self.world.run_for(Duration::from_millis(40));
        }
    }

    /// The publisher's encoder begins anew: the next picture is a key frame.
    fn begin_anew(&mut self) {
        self.stream.is_begun = false;
    }

    fn requests(&self) -> usize {
        self.world.clients[self.publisher].key_frame_requests.len()
    }
}

const SMALL: (u32, u32) = (320, 180);
const LARGE: (u32, u32) = (640, 360);

/// Its frame number, if it has a descriptor.
fn number(packet: &Received) -> Option<u16> {
    packet.extensions.user_values.get().map(Dependency::number)
}

/// Numbers go on without a gap, and each picture ends with the only marker that it has.
fn assert_is_one_stream(received: &[&Received]) {
    for pair in received.windows(2) {
        let [a, b] = pair else { panic!("windows of two") };
        assert_eq!(b.sequence_number, a.sequence_number + 1);
        assert_eq!(a.marker, a.timestamp != b.timestamp, "at {}", a.sequence_number);
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
        assert_eq!(studio.world.newest(small, 40), [0; 40], "{picture:?}");
        assert_eq!(studio.world.newest(large, 40), [1; 40], "{picture:?}");
        for subscriber in [small, large] {
            assert_is_one_stream(&studio.world.seen(subscriber));
        }
        let first: Vec<u8> = studio.world.seen(large).iter().take(4).map(|p| p.colour).collect();
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
            studio.world.prefer(subscriber, size(wish.0, wish.1));
            studio.play(8);
            assert_eq!(studio.requests(), requests + 1, "{picture:?}");
            assert_eq!(studio.world.newest(subscriber, 10), [former; 10], "what was there goes on");
            studio.obeys = true;
            studio.play(25);
            assert_eq!(studio.world.newest(subscriber, 20), [layer; 20], "{picture:?}");
            assert_eq!(studio.requests(), requests + 1, "{picture:?}");
        }
        assert_is_one_stream(&studio.world.seen(subscriber));
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
            studio.world.prefer(subscriber, wishes);
            studio.play(5);
            let since = studio.world.now;
            studio.play(50);
            let count = studio.world.count(subscriber, since);
            assert!(count.abs_diff(packets) <= 4, "{picture:?}: {count} packets at {rate}");
        }
        assert_eq!(studio.requests(), requests, "{picture:?}");
        assert_is_one_stream(&studio.world.seen(subscriber));
    }
}

#[test]
fn a_spatial_layer_that_nobody_wants_is_paused_and_is_back_at_the_first_wish() {
    for picture in BOTH {
        let mut studio = Studio::of(picture);
        let subscriber = studio.subscriber(size(SMALL.0, SMALL.1));
        studio.play(25);
        assert_eq!(studio.world.pauses(), Vec::<Vec<String>>::new(), "not at once");
        studio.play(50);
        assert_eq!(studio.world.pauses(), [["S1"]], "{picture:?}");

        studio.stream.spatial_layers = 1;
        studio.begin_anew();
        studio.play(75);
        assert_eq!(studio.world.newest(subscriber, 100), [0; 100], "{picture:?}");
        assert_eq!(studio.world.pauses(), Vec::<Vec<String>>::new(), "it stays as it is");

        studio.world.prefer(subscriber, size(LARGE.0, LARGE.1));
        assert_eq!(studio.world.pauses(), [Vec::<String>::new()], "{picture:?}: told at once");
        studio.play(75);
        assert_eq!(studio.world.newest(subscriber, 20), [0; 20], "what there is goes on");
        assert_eq!(studio.world.pauses(), Vec::<Vec<String>>::new(), "it is waited for");
        let requests = studio.requests();
        studio.stream.spatial_layers = 2;
        studio.begin_anew();
        studio.play(5);
        assert_eq!(studio.world.newest(subscriber, 8), [1; 8], "{picture:?}: with the key frame");
        assert_eq!(studio.requests(), requests, "{picture:?}: which nobody has to ask for");

        studio.world.unbind(subscriber, 0, 1);
        studio.play(75);
        assert_eq!(studio.world.pauses(), [["S1"]], "{picture:?}: nobody watches");
        let late = studio.subscriber(Wishes::default());
        assert_eq!(studio.world.pauses(), [Vec::<String>::new()], "{picture:?}: somebody does");
        studio.play(10);
        for subscriber in [subscriber, late] {
            assert_is_one_stream(&studio.world.seen(subscriber));
        }
    }
}

#[test]
fn layers_whose_first_key_frame_is_lost_are_asked_for_another_and_rest() {
    for picture in BOTH {
        let mut studio = Studio::of(picture);
        // A key frame came before, and never arrived.
        studio.stream.is_begun = true;
        studio.play(75);
        assert_eq!(studio.requests(), 1, "{picture:?}");
        assert_eq!(studio.world.pauses(), [["S1"]], "{picture:?}: nobody watches");

        let subscriber = studio.subscriber(Wishes::default());
        studio.play(25);
        assert_eq!(studio.world.newest(subscriber, 10), [1; 10], "{picture:?}");
    }
}

#[test]
fn layers_of_another_picture_are_not_waited_for() {
    for picture in BOTH {
        let mut studio = Studio::of(picture);
        let subscriber = studio.subscriber(size(LARGE.0, LARGE.1));
        studio.play(25);
        // A camera that turned: what was large is not there any more, and nothing of its size.
        studio.stream.spatial_layers = 1;
        studio.stream.sizes = [(180, 320), (360, 640)];
        studio.begin_anew();
        studio.play(25);
        assert_eq!(studio.world.newest(subscriber, 10), [0; 10], "{picture:?}");
        let (transport, slot) = (studio.world.clients[subscriber].id(), SlotIndex(0));
        let layers = studio.world.router.layers(transport, slot);
        assert_eq!(layers.len(), 1, "{picture:?}: {layers:?}");
    }
}

#[test]
fn layers_of_the_codec_before_are_neither_listed_nor_paused() {
    let mut studio = Studio::of(Picture::Vp9);
    let subscriber = studio.subscriber(size(SMALL.0, SMALL.1));
    studio.play(75);
    assert_eq!(studio.world.pauses(), [["S1"]]);

    let client = &mut studio.world.clients[studio.publisher];
    let stream = &mut client.streams[0];
    (stream.picture, stream.key_frame_due) = (Picture::Vp8, true);
    (stream.video_sequence, stream.video_timestamp) = studio.stream.last();
    for _ in 0..75 {
        let now = studio.world.now;
        let client = &mut studio.world.clients[studio.publisher];
        client.send_video(now, 0, str0m::rtp::ExtensionValues::default());
        client.drive(now);
        studio.world.settle();
        studio.world.run_for(Duration::from_millis(40));
    }
    assert_eq!(studio.world.pauses(), [Vec::<String>::new()], "the pause is over");
    let transport = studio.world.clients[subscriber].id();
    let layers = studio.world.router.layers(transport, SlotIndex(0));
    assert_eq!(layers.len(), 1, "{layers:?}");
    assert!(layers[0].full_rate().bitrate_bps > 0, "what it takes is known: {layers:?}");
}

#[test]
fn a_key_frame_tells_a_subscriber_which_decode_targets_it_gets() {
    let mut studio = Studio::of(Picture::Av1);
    let small = studio.subscriber(size(SMALL.0, SMALL.1));
    studio.play(30);
    let late = studio.subscriber(size(SMALL.0, SMALL.1));
    studio.play(30);
    for subscriber in [small, late] {
        let received = studio.world.seen(subscriber);
        let structures = received.iter().filter_map(|p| p.extensions.user_values.get());
        let structure = structures.map(|Dependency(bytes)| bytes).find(|bytes| bytes.len() > 16);
        let mut reader = tertulia_router_core::rtp::dependency::DependencyReader::default();
        let read = reader.read(structure.expect("a structure")).expect("a whole one");
        assert!(read.mask.is_there);
    }
    let received = studio.world.seen(late);
    let Dependency(bytes) = received[0].extensions.user_values.get().expect("a descriptor");
    let mut reader = tertulia_router_core::rtp::dependency::DependencyReader::default();
    assert_eq!(reader.read(bytes).expect("a structure").active, 0b0011);
}

#[test]
fn frames_are_numbered_on_after_a_source_without_descriptors() {
    let mut studio = Studio::of(Picture::Av1);
    let publisher = studio.publisher;
    let change = Change { publish: vec![(7, Picture::Vp8)], ..Change::default() };
    studio.world.renegotiate(publisher, &change);
    let subscriber = studio.subscriber(Wishes::default());
    // Four times, as the first number of a line may be any.
    for round in 0..4 {
        studio.play(5);
        studio.stream.skip_frames(20_000);
        studio.play(5);
        let last = studio.world.seen(subscriber).last().and_then(|p| number(p)).expect("a number");

        studio.world.unbind(subscriber, 0, 2 * round + 1);
        studio.world.bind(subscriber, 0, 2 * round + 2, (publisher, 1));
        let since = studio.world.now;
        for _ in 0..5 {
            studio.world.send_video(publisher, 1, str0m::rtp::ExtensionValues::default());
            studio.world.run_for(Duration::from_millis(40));
        }
        assert!(studio.world.count(subscriber, since) > 0, "the other source is shown");

        studio.world.unbind(subscriber, 0, 2 * round + 2);
        studio.world.bind(subscriber, 0, 2 * round + 3, (publisher, 0));
        let since = studio.world.now;
        studio.begin_anew();
        studio.play(5);
        let seen = studio.world.seen(subscriber);
        let first = seen.iter().filter(|packet| packet.at > since).find_map(|packet| number(packet));
        assert_eq!(first, Some(last.wrapping_add(1)), "round {round}");
    }
}

#[test]
fn what_comes_later_than_other_layers_began_is_for_nobody() {
    let mut studio = Studio::of(Picture::Av1);
    let subscriber = studio.subscriber(size(SMALL.0, SMALL.1));
    studio.play(25);
    let now = studio.world.now;
    let client = &mut studio.world.clients[studio.publisher];
    let mut picture = studio.stream.next_picture(client, now, false);
    let late = picture.pop().expect("the end of the upper layer");
    let video = client.streams[0].video;
    for packet in picture {
        client.send(video, None, packet);
    }
    studio.stream.spatial_layers = 1;
    studio.begin_anew();
    studio.play(1);
    let client = &mut studio.world.clients[studio.publisher];
    client.send(video, None, late);
    studio.play(10);
    let seen = studio.world.seen(subscriber);
    assert!(seen.iter().all(|packet| packet.colour == 0), "nothing of the upper layer");
    assert!(seen.last().is_some_and(|packet| packet.at > now + Duration::from_millis(300)), "and it goes on");
}

#[test]
fn av1_without_descriptors_is_forwarded_whole() {
    let mut studio = Studio::new(Picture::Av1, false);
    let subscriber = studio.subscriber(size(SMALL.0, SMALL.1));
    studio.play(50);
    let since = studio.world.now;
    studio.play(25);
    assert_eq!(studio.world.count(subscriber, since), 100);
    assert_is_one_stream(&studio.world.seen(subscriber));
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
    assert_is_one_stream(&studio.world.seen(victim));
    assert_eq!(studio.world.newest(victim, 40), [1; 40]);
    assert!(!studio.world.seen(watcher).is_empty(), "what cannot be read is forwarded whole");
}

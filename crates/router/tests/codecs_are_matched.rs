//! A subscriber gets video only in a codec that it negotiated, and control hears of it otherwise.

use std::time::Duration;

use tertulia_router_core::{Event, Kind};

use crate::driver::{Change, ClientId, ClientOptions, Codecs, Picture, World};

fn notices(world: &World) -> Vec<(&'static str, Kind, String)> {
    world.events_of(|event| match event {
        Event::CodecNotSupported(b) => Some(("not supported", b.kind, b.codec.clone())),
        Event::CodecSupported(b) => Some(("supported", b.kind, b.codec.clone())),
        _ => None,
    })
}

fn h264_publisher_and_vp8_subscriber(world: &mut World) -> (ClientId, ClientId) {
    let publish = Change { publish: vec![(1, Picture::H264)], ..Change::default() };
    let publisher = world.join_with(ClientOptions::default(), &publish);
    let codecs = Codecs { h264: None, vp9: None, ..Codecs::HIGH };
    let options = ClientOptions { codecs, ..ClientOptions::default() };
    let subscriber = world.join_with(options, &Change { slots: 1, ..Change::default() });
    (publisher, subscriber)
}

#[test]
fn an_unknown_codec_gives_audio_and_one_event() {
    let mut world = World::new();
    let (publisher, subscriber) = h264_publisher_and_vp8_subscriber(&mut world);
    world.bind(subscriber, 0, 1, (publisher, 0));
    world.play(Duration::from_millis(600));
    let client = &world.clients[subscriber];
    let (audio, video) = client.slot_mids(0);
    assert!(client.received_on(audio).len() > 20);
    assert!(client.received_on(video).is_empty());
    assert_eq!(notices(&world), [("not supported", Kind::Video, "h264".to_owned())]);
}

#[test]
fn a_codec_known_before_the_binding_is_told_with_it() {
    let mut world = World::new();
    let (publisher, subscriber) = h264_publisher_and_vp8_subscriber(&mut world);
    world.play(Duration::from_millis(200));
    world.bind(subscriber, 0, 1, (publisher, 0));
    assert_eq!(notices(&world), [("not supported", Kind::Video, "h264".to_owned())]);
}

#[test]
fn video_starts_when_the_publisher_changes_its_codec() {
    let mut world = World::new();
    let (publisher, subscriber) = h264_publisher_and_vp8_subscriber(&mut world);
    world.bind(subscriber, 0, 1, (publisher, 0));
    world.play(Duration::from_millis(200));
    world.clients[publisher].streams[0].picture = Picture::Vp8;
    world.clients[publisher].streams[0].key_frame_due = true;
    world.play(Duration::from_millis(400));

    let supported = ("supported", Kind::Video, "vp8".to_owned());
    assert_eq!(notices(&world).last(), Some(&supported));
    let client = &world.clients[subscriber];
    let video = client.received_on(client.slot_mids(0).1);
    assert!(video.len() > 5);
    assert!(video[0].video.key_frame);
    let tracks = world.events_of(|event| match event {
        Event::Track { track, .. } if track.kind == Kind::Video => track.codec.clone(),
        _ => None,
    });
    assert_eq!(tracks, ["h264", "vp8"]);
}

#[test]
fn a_codec_that_changes_after_another_offer_begins_at_a_key_frame_and_counts_pictures_on() {
    for offers in [true, false] {
        let mut world = World::new();
        let publisher = world.join(&[1], 0);
        let subscriber = world.join(&[], 1);
        world.bind(subscriber, 0, 1, (publisher, 0));
        world.play(Duration::from_millis(400));
        if offers {
            world.renegotiate(subscriber, &Change { slots: 1, ..Change::default() });
        }
        let stream = &mut world.clients[publisher].streams[0];
        (stream.picture, stream.picture_id) = (Picture::Vp9, 20_000);
        world.play(Duration::from_millis(600));

        let client = &world.clients[subscriber];
        let video = client.received_on(client.slot_mids(0).1);
        let vp9 = client.options.codecs.video(Picture::Vp9);
        let first = video.iter().find(|packet| packet.payload_type == vp9).expect("it goes on");
        assert!(first.video.key_frame, "after an offer: {offers}");
        for pair in video.windows(2) {
            let step = pair[1].video.picture_id.wrapping_sub(pair[0].video.picture_id) & 0x7fff;
            assert_eq!(step, 1, "after an offer: {offers}");
        }
    }
}

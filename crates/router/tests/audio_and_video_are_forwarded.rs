//! A published stream reaches everyone who is bound to it, under each one's own payload types.

use std::time::Duration;

use tertulia_router_core::{Event, Kind, TransportState};

use crate::driver::{Change, ClientOptions, Codecs, Picture, World};

const RED: u8 = 1;
const BLUE: u8 = 2;

fn high() -> ClientOptions {
    ClientOptions { codecs: Codecs::HIGH, extension_shift: 7, ..ClientOptions::default() }
}

#[test]
fn a_stream_arrives_with_the_payload_types_of_the_subscriber() {
    let mut world = World::new();
    let publisher = world.join(&[RED], 0);
    let slots = Change { slots: 1, ..Change::default() };
    let subscriber = world.join_with(high(), &slots);
    world.bind(subscriber, 0, 1, (publisher, 0));
    world.play(Duration::from_secs(1));

    let client = &world.clients[subscriber];
    let (audio, video) = client.slot_mids(0);
    let (audio, video) = (client.received_on(audio), client.received_on(video));
    assert!(audio.len() >= 48, "{} audio packets", audio.len());
    assert!(video.len() >= 23, "{} video packets", video.len());
    assert!(audio.iter().all(|r| r.payload_type == 120 && r.colour == RED));
    assert!(video.iter().all(|r| r.payload_type == 118 && r.colour == RED));
    assert!(video[0].video.key_frame);
    assert!(video.iter().all(|r| r.marker), "the marker bit is kept");
}

#[test]
fn every_codec_is_forwarded_and_named() {
    for (picture, payload_type, name) in
        [(Picture::Vp8, 118, "vp8"), (Picture::Vp9, 116, "vp9"), (Picture::H264, 114, "h264")]
    {
        let mut world = World::new();
        let publish = Change { publish: vec![(RED, picture)], ..Change::default() };
        let publisher = world.join_with(ClientOptions::default(), &publish);
        let slots = Change { slots: 1, ..Change::default() };
        let subscriber = world.join_with(high(), &slots);
        world.bind(subscriber, 0, 1, (publisher, 0));
        world.play(Duration::from_millis(400));

        let client = &world.clients[subscriber];
        let video = client.received_on(client.slot_mids(0).1);
        assert!(video.len() >= 5, "{name}");
        assert!(video[0].video.key_frame, "{name}");
        assert!(video.iter().all(|r| r.payload_type == payload_type), "{name}");
        let named = world.events_of(|event| match event {
            Event::BindingStarted(b) if b.kind == Kind::Video => Some(b.codec.clone()),
            _ => None,
        });
        assert_eq!(named, [name]);
    }
}

#[test]
fn everyone_gets_what_is_bound_and_nothing_else() {
    let mut world = World::new();
    let publisher = world.join(&[RED, BLUE], 0);
    let both = world.join(&[], 2);
    let one = world.join(&[], 2);
    let bystander = world.join(&[], 2);
    world.bind(both, 0, 1, (publisher, 0));
    world.bind(both, 1, 1, (publisher, 1));
    world.bind(one, 1, 1, (publisher, 0));
    world.play(Duration::from_millis(500));

    let colours = |client: usize, slot: usize| {
        let client = &world.clients[client];
        let (audio, video) = client.slot_mids(slot);
        let mut colours: Vec<_> = client
            .received
            .iter()
            .filter(|r| r.mid == audio || r.mid == video)
            .map(|r| r.colour)
            .collect();
        colours.dedup();
        colours
    };
    assert_eq!(colours(both, 0), [RED]);
    assert_eq!(colours(both, 1), [BLUE]);
    assert_eq!(colours(one, 0), Vec::<u8>::new());
    assert_eq!(colours(one, 1), [RED]);
    assert!(world.clients[bystander].received.is_empty());
}

#[test]
fn a_client_may_subscribe_to_its_own_stream() {
    let mut world = World::new();
    let client = world.join(&[RED], 1);
    world.bind(client, 0, 1, (client, 0));
    world.play(Duration::from_millis(500));
    let (audio, video) = world.clients[client].slot_mids(0);
    assert!(world.clients[client].received_on(audio).len() > 20);
    assert!(world.clients[client].received_on(video).len() > 9);
}

#[test]
fn slots_of_a_later_offer_work_and_former_ones_go_on() {
    let mut world = World::new();
    let publisher = world.join(&[RED, BLUE], 0);
    let subscriber = world.join(&[], 1);
    world.bind(subscriber, 0, 1, (publisher, 0));
    world.play(Duration::from_millis(200));
    world.renegotiate(subscriber, &Change { slots: 1, ..Change::default() });
    world.bind(subscriber, 1, 1, (publisher, 1));
    world.play(Duration::from_millis(400));

    let client = &world.clients[subscriber];
    let first = client.received_on(client.slot_mids(0).1);
    let second = client.received_on(client.slot_mids(1).1);
    assert!(first.len() > 12 && first.iter().all(|r| r.ssrc == first[0].ssrc));
    assert!(second.len() > 7 && second.iter().all(|r| r.colour == BLUE));
}

#[test]
fn a_stream_published_by_a_later_offer_arrives() {
    let mut world = World::new();
    let publisher = world.join(&[RED], 0);
    let subscriber = world.join(&[], 1);
    let publish = Change { publish: vec![(BLUE, Picture::Vp8)], ..Change::default() };
    world.renegotiate(publisher, &publish);
    world.bind(subscriber, 0, 1, (publisher, 1));
    world.play(Duration::from_millis(400));
    assert!(world.clients[subscriber].received.len() > 20);
    assert!(world.clients[subscriber].received.iter().all(|r| r.colour == BLUE));
}

#[test]
fn an_answer_that_adds_slots_names_the_ssrc_of_before() {
    let mut world = World::new();
    let client = world.join(&[], 1);
    let answer = world.renegotiate(client, &Change { slots: 1, ..Change::default() });
    let again = world.renegotiate(client, &Change { slots: 1, ..Change::default() });
    let ssrcs = |sdp: &str| -> Vec<String> {
        let groups = sdp.lines().filter(|l| l.starts_with("a=ssrc-group:FID"));
        groups.map(ToOwned::to_owned).collect()
    };
    assert_eq!(ssrcs(&answer).len(), 2);
    assert_eq!(ssrcs(&again)[..2], ssrcs(&answer));
    assert!(again.contains("a=msid:slot-2 slot-2-video"));
    assert!(again.contains("a=setup:passive") && again.contains("a=ice-lite"));
}

#[test]
fn states_and_tracks_are_told_in_order() {
    let mut world = World::new();
    let publisher = world.join(&[RED], 0);
    world.play(Duration::from_millis(200));
    let id = world.clients[publisher].id();
    let states = world.events_of(|event| match event {
        Event::TransportState { transport, state, .. } if *transport == id => Some(*state),
        _ => None,
    });
    assert_eq!(states, [TransportState::Connecting, TransportState::Connected]);
    let tracks = world.events_of(|event| match event {
        Event::Track { track, .. } => Some((track.kind, track.codec.clone())),
        _ => None,
    });
    assert_eq!(
        tracks,
        [(Kind::Audio, Some("opus".to_owned())), (Kind::Video, Some("vp8".to_owned()))]
    );
}

#[test]
fn a_stream_that_stops_is_no_track_and_may_come_back_on_its_lines() {
    let mut world = World::new();
    let publisher = world.join(&[RED], 0);
    let subscriber = world.join(&[], 1);
    world.bind(subscriber, 0, 1, (publisher, 0));
    world.play(Duration::from_millis(200));
    let tracks = |world: &World| world.router.list().transports[0].tracks.clone();
    assert_eq!(tracks(&world).len(), 2);

    world.unbind(subscriber, 0, 1);
    world.renegotiate(publisher, &Change { direct: vec![(0, false)], ..Change::default() });
    assert_eq!(tracks(&world), []);
    let source = world.source(publisher, 0);
    let error = world.try_bind(subscriber, 0, 2, source).expect_err("refused");
    assert_eq!(error.code(), "track_not_found");

    world.renegotiate(publisher, &Change { direct: vec![(0, true)], ..Change::default() });
    assert!(tracks(&world).iter().all(|t| !t.receiving && t.codec.is_none()));
    world.bind(subscriber, 0, 2, (publisher, 0));
    let before = world.clients[subscriber].received.len();
    world.play(Duration::from_millis(400));
    assert!(world.clients[subscriber].received.len() > before + 20);
    assert!(tracks(&world).iter().all(|t| t.receiving));
}

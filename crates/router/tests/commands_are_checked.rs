//! A command that makes no sense is refused with its code and changes nothing.

use std::time::Duration;

use tertulia_router_core::{
    CloseTransport, Generation, Mid, OpenTransport, Pause, RequestKeyFrame, RouterError, SlotIndex,
    Source, TransportId, Unbind,
};

use crate::driver::World;

fn code<T: std::fmt::Debug>(result: Result<T, RouterError>) -> &'static str {
    result.expect_err("refused").code()
}

#[test]
fn a_binding_needs_a_free_slot_a_newer_generation_and_a_source() {
    let mut world = World::new();
    let publisher = world.join(&[1], 0);
    let subscriber = world.join(&[], 1);
    let source = world.source(publisher, 0);
    let nobody = Source { transport: TransportId(99), ..source };
    let nothing = Source { audio_mid: Mid::parse("none"), ..source };
    let swapped = Source { audio_mid: source.video_mid, video_mid: source.audio_mid, ..source };
    let empty = Source { audio_mid: None, video_mid: None, ..source };

    assert_eq!(code(world.try_bind(subscriber, 1, 1, source)), "slot_not_found");
    assert_eq!(code(world.try_bind(subscriber, 0, 0, source)), "stale_generation");
    assert_eq!(code(world.try_bind(subscriber, 0, 1, nobody)), "transport_not_found");
    assert_eq!(code(world.try_bind(subscriber, 0, 1, nothing)), "track_not_found");
    assert_eq!(code(world.try_bind(subscriber, 0, 1, swapped)), "track_not_found");
    assert_eq!(code(world.try_bind(subscriber, 0, 1, empty)), "invalid_request");

    world.try_bind(subscriber, 0, 5, source).expect("bound");
    assert_eq!(code(world.try_bind(subscriber, 0, 6, source)), "slot_bound");
    world.unbind(subscriber, 0, 5);
    assert_eq!(code(world.try_bind(subscriber, 0, 5, source)), "stale_generation");
    world.try_bind(subscriber, 0, 6, source).expect("bound again");
}

#[test]
fn audio_alone_can_be_bound() {
    let mut world = World::new();
    let publisher = world.join(&[1], 0);
    let subscriber = world.join(&[], 1);
    let source = Source { video_mid: None, ..world.source(publisher, 0) };
    let bound = world.try_bind(subscriber, 0, 1, source).expect("bound");
    assert!(bound.audio_rtp_timestamp.is_some() && bound.video_rtp_timestamp.is_none());
    world.play(Duration::from_millis(200));
    let client = &world.clients[subscriber];
    assert!(client.received_on(client.slot_mids(0).0).len() > 8);
    assert!(client.received_on(client.slot_mids(0).1).is_empty());
}

#[test]
fn stale_generations_have_no_effect() {
    let mut world = World::new();
    let publisher = world.join(&[1], 0);
    let subscriber = world.join(&[], 1);
    world.bind(subscriber, 0, 2, (publisher, 0));
    world.unbind(subscriber, 0, 1);
    let transport = world.clients[subscriber].id();
    let (slot, generation) = (SlotIndex(0), Generation(1));
    let pause = Pause { transport, slot, generation, audio_paused: true, video_paused: true };
    world.router.pause(world.now, pause).expect("ignored");
    world.play(Duration::from_millis(200));
    assert!(world.clients[subscriber].received.len() > 10);
}

#[test]
fn unknown_transports_slots_and_tracks_are_named() {
    let mut world = World::new();
    let client = world.join(&[1], 1);
    let transport = world.clients[client].id();
    let now = world.now;
    let unknown = TransportId(99);
    let router = &mut world.router;
    let close = CloseTransport { transport: unknown };
    assert_eq!(code(router.close_transport(now, close)), "transport_not_found");
    let (slot, generation) = (SlotIndex(7), Generation(1));
    let unbind = Unbind { transport, slot, generation };
    assert_eq!(code(router.unbind(now, unbind)), "slot_not_found");
    let mid = Mid::parse("none").expect("a mid");
    let request = RequestKeyFrame { transport, mid };
    assert_eq!(code(router.request_key_frame(now, request)), "track_not_found");
    let audio = Mid::parse(&world.clients[client].streams[0].audio).expect("a mid");
    let request = RequestKeyFrame { transport, mid: audio };
    assert_eq!(code(world.router.request_key_frame(now, request)), "track_not_found");
}

#[test]
fn a_listing_tells_everything_that_was_set() {
    let mut world = World::new();
    let publisher = world.join(&[1], 0);
    let subscriber = world.join(&[], 2);
    world.bind(subscriber, 1, 3, (publisher, 0));
    world.play(Duration::from_millis(100));
    let list = world.router.list().transports;
    let [first, second] = list.as_slice() else { panic!("two transports") };
    assert_eq!((first.seat.as_str(), first.epoch), ("seat-0", 1));
    assert_eq!(first.tracks.len(), 2);
    assert!(first.tracks.iter().all(|t| t.receiving && t.codec.is_some()));
    assert!(second.tracks.is_empty());
    let [free, bound] = second.slots.as_slice() else { panic!("two slots") };
    assert_eq!((free.generation, free.source), (Generation(0), None));
    assert_eq!(bound.generation, Generation(3));
    assert_eq!(bound.source, Some(world.source(publisher, 0)));
}

#[test]
fn overlong_seat_and_group_keys_are_refused() {
    let mut world = World::new();
    for (seat, group) in [("x".repeat(257), None), (String::new(), Some("x".repeat(257)))] {
        let (offer, slots) = (String::new(), Vec::new());
        let command = OpenTransport { seat, epoch: 1, offer, slots, group };
        assert_eq!(code(world.router.open_transport(world.now, command)), "invalid_request");
    }
}

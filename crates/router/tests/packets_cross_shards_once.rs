//! A stream goes to another shard once, however many subscribe there, and only while they do.

use std::time::Duration;

use tertulia_router_core::{
    Bound, CloseTransport, Generation, Mid, Pause, RouterError, ShardIndex, SlotIndex, Source,
    TransportId,
};

use crate::driver::{Change, ClientId, World};

/// One publisher on the first shard and subscribers on the second.
fn world_with_subscribers(count: usize) -> (World, ClientId, Vec<ClientId>) {
    let mut world = World::new();
    let publisher = world.join(&[1], 1);
    let mut subscribers = Vec::new();
    for _ in 0..count {
        subscribers.push(world.join(&[], 1));
        world.join(&[], 1);
    }
    (world, publisher, subscribers)
}

/// Media packets that crossed meanwhile: 50 of audio and 25 of video a second, if any.
fn crossed(world: &mut World, duration: Duration) -> usize {
    let before = world.router.media_handed_over;
    world.play(duration);
    world.router.media_handed_over - before
}

#[test]
fn each_packet_crosses_once_for_all_subscribers_of_a_shard() {
    let (mut world, publisher, subscribers) = world_with_subscribers(3);
    for subscriber in &subscribers {
        world.bind(*subscriber, 0, 1, (publisher, 0));
    }
    let crossed = crossed(&mut world, Duration::from_secs(2));
    assert!((148..=152).contains(&crossed), "{crossed} packets");
    for subscriber in subscribers {
        let received = world.clients[subscriber].received.len();
        assert!(received >= 140, "{received} of 150 packets");
    }
}

#[test]
fn nothing_crosses_once_the_last_subscriber_is_gone() {
    let (mut world, publisher, subscribers) = world_with_subscribers(2);
    for subscriber in &subscribers {
        world.bind(*subscriber, 0, 1, (publisher, 0));
    }
    world.unbind(subscribers[0], 0, 1);
    assert!(crossed(&mut world, Duration::from_secs(1)) >= 74);
    let (transport, now) = (world.clients[subscribers[1]].id(), world.now);
    world.router.close_transport(now, CloseTransport { transport }).expect("closed");
    world.settle();
    world.play(Duration::from_millis(100));
    assert_eq!(crossed(&mut world, Duration::from_secs(1)), 0);
}

#[test]
fn what_cannot_be_had_from_another_shard_is_refused_and_changes_nothing() {
    let (mut world, publisher, subscribers) = world_with_subscribers(1);
    let subscriber = subscribers[0];
    let source = world.source(publisher, 0);
    let code = |outcome: Result<_, RouterError>| outcome.map(|_: Bound| ()).map_err(|e| e.code());
    let gone = TransportId::new(99, source.transport.shard());
    let nobody = TransportId::new(1, ShardIndex(9));
    for transport in [gone, nobody] {
        let other = Source { transport, ..source };
        let refused = world.try_bind(subscriber, 0, 1, other);
        assert_eq!(code(refused), Err("transport_not_found"));
    }
    let mut other = source;
    other.audio_mid = Mid::parse("nosuch");
    let refused = world.try_bind(subscriber, 0, 1, other);
    assert_eq!(code(refused), Err("track_not_found"));
    other = Source { audio_mid: None, video_mid: None, ..source };
    let refused = world.try_bind(subscriber, 0, 1, other);
    assert_eq!(code(refused), Err("invalid_request"));

    assert_eq!(code(world.try_bind(subscriber, 0, 1, source)), Ok(()));
    assert_eq!(code(world.try_bind(subscriber, 0, 2, source)), Err("slot_bound"));
    world.unbind(subscriber, 0, 1);
    assert_eq!(code(world.try_bind(subscriber, 0, 1, source)), Err("stale_generation"));
}

#[test]
fn a_paused_slot_of_another_shard_starts_again_at_a_key_frame() {
    let (mut world, publisher, subscribers) = world_with_subscribers(1);
    let subscriber = subscribers[0];
    world.bind(subscriber, 0, 1, (publisher, 0));
    world.play(Duration::from_secs(1));
    let set = |world: &mut World, video_paused| {
        let (transport, now) = (world.clients[subscriber].id(), world.now);
        let (slot, generation) = (SlotIndex(0), Generation(1));
        let pause = Pause { transport, slot, generation, audio_paused: false, video_paused };
        world.router.pause(now, pause).expect("paused");
        world.settle();
    };
    set(&mut world, true);
    world.play(Duration::from_secs(1));
    let video = world.clients[subscriber].slot_mids(0).1;
    let before = world.clients[subscriber].received_on(video).len();
    let requests = world.clients[publisher].key_frame_requests.len();
    set(&mut world, false);
    world.play(Duration::from_secs(1));
    assert_eq!(world.clients[publisher].key_frame_requests.len(), requests + 1);
    let received = world.clients[subscriber].received_on(video);
    assert!(received.len() > before + 15);
    assert!(received[before].video.key_frame);
}

#[test]
fn a_client_is_found_on_its_shard_after_an_ice_restart_and_from_a_new_address() {
    let (mut world, publisher, subscribers) = world_with_subscribers(1);
    let subscriber = subscribers[0];
    world.bind(subscriber, 0, 1, (publisher, 0));
    world.play(Duration::from_millis(500));
    for client in [publisher, subscriber] {
        world.move_to_new_address(client);
        world.renegotiate(client, &Change { restart_ice: true, ..Change::default() });
        world.play(Duration::from_secs(2));
        let before = world.clients[subscriber].received.len();
        world.play(Duration::from_secs(1));
        let gained = world.clients[subscriber].received.len() - before;
        assert!(gained >= 70, "{gained} packets in a second");
    }
}

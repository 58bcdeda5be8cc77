//! A publisher is asked for a key frame at once, and then not more often than every 300 ms.

use std::time::Duration;

use str0m::media::KeyframeRequestKind;
use tertulia_router_core::{Mid, RequestKeyFrame};

use crate::driver::{ClientId, Direction, World};

pub fn ask(world: &mut World, publisher: ClientId) {
    let client = &world.clients[publisher];
    let mid = Mid::parse(&client.streams[0].video).expect("a mid");
    let command = RequestKeyFrame { transport: client.id(), mid };
    world.router.request_key_frame(world.now, command).expect("asked");
    world.settle();
}

#[test]
fn many_requests_become_one_now_and_one_later() {
    let mut world = World::new();
    let publisher = world.join(&[1], 0);
    world.play(Duration::from_millis(100));
    let start = world.now;
    for _ in 0..20 {
        ask(&mut world, publisher);
        world.run_for(Duration::from_millis(10));
    }
    world.run_for(Duration::from_secs(2));
    let at: Vec<_> = world.clients[publisher]
        .key_frame_requests
        .iter()
        .map(|(at, ..)| at.duration_since(start).as_millis())
        .collect();
    assert_eq!(at.len(), 2, "{at:?}");
    assert!(at[0] <= 10, "the first at once");
    assert!((300..=350).contains(&(at[1] - at[0])), "{at:?}");
}

#[test]
fn a_key_frame_answers_everyone_who_asked_before_it() {
    let mut world = World::new();
    let publisher = world.join(&[1], 0);
    let subscribers: Vec<_> = (0..5).map(|_| world.join(&[], 1)).collect();
    world.play(Duration::from_millis(400));
    for subscriber in &subscribers {
        world.bind(*subscriber, 0, 1, (publisher, 0));
    }
    world.play(Duration::from_secs(1));
    assert_eq!(world.clients[publisher].key_frame_requests.len(), 1);
    for subscriber in subscribers {
        let client = &world.clients[subscriber];
        let video = client.received_on(client.slot_mids(0).1);
        assert!(video.len() > 15 && video[0].video.key_frame);
    }
}

#[test]
fn a_late_subscriber_sees_nothing_before_a_key_frame() {
    let mut world = World::new();
    let publisher = world.join(&[1], 0);
    let subscriber = world.join(&[], 1);
    world.play(Duration::from_millis(400));
    world.bind(subscriber, 0, 1, (publisher, 0));
    // A publisher that does not hear: its encoder goes on without key frames.
    for _ in 0..20 {
        world.play(Duration::from_millis(20));
        world.clients[publisher].streams[0].key_frame_due = false;
    }
    let client = &world.clients[subscriber];
    assert!(client.received_on(client.slot_mids(0).0).len() >= 18, "audio starts at once");
    assert!(client.received_on(client.slot_mids(0).1).is_empty());
    world.play(Duration::from_secs(1));
    let client = &world.clients[subscriber];
    let video = client.received_on(client.slot_mids(0).1);
    assert!(!video.is_empty(), "it is asked again");
    assert!(video[0].video.key_frame);
}

#[test]
fn a_subscribers_own_request_reaches_the_publisher() {
    let mut world = World::new();
    let publisher = world.join(&[1], 0);
    let subscriber = world.join(&[], 1);
    world.bind(subscriber, 0, 1, (publisher, 0));
    world.play(Duration::from_secs(1));
    let before = world.clients[publisher].key_frame_requests.len();
    let (now, video) = (world.now, world.clients[subscriber].slot_mids(0).1);
    let client = &mut world.clients[subscriber];
    let mut api = client.rtc.direct_api();
    let stream = api.stream_rx_by_mid(video, None).expect("a stream");
    stream.request_keyframe(KeyframeRequestKind::Pli);
    client.drive(now);
    world.run_for(Duration::from_millis(100));
    assert_eq!(world.clients[publisher].key_frame_requests.len(), before + 1);
}

#[test]
fn a_request_that_is_lost_is_made_again_while_the_publisher_sends() {
    let mut world = World::new();
    let publisher = world.join(&[1], 0);
    let subscriber = world.join(&[], 1);
    world.bind(subscriber, 0, 1, (publisher, 0));
    world.play(Duration::from_secs(1));
    let before = world.clients[publisher].key_frame_requests.len();
    let mut lost = 0;
    world.let_through(move |direction, datagram| {
        // Feedback about payloads (RFC 4585 section 6.1).
        let is_request = direction == Direction::ToClient(publisher) && datagram[1] == 206;
        lost += usize::from(is_request);
        !is_request || lost > 2
    });
    ask(&mut world, publisher);
    world.play(Duration::from_secs(2));
    assert_eq!(world.clients[publisher].key_frame_requests.len(), before + 1);
}

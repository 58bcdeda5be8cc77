//! A narrow network gets less video, or none; sound goes on, and the video comes back.

use std::time::Duration;

use tertulia_router_core::{Event, VideoFallback};

use crate::driver::{ClientId, World};

const RED: u8 = 1;

fn seconds(s: u64) -> Duration {
    Duration::from_secs(s)
}

/// A subscriber of a video of 220 kbit/s, with sound.
fn call(audio_fallback: bool) -> (World, ClientId) {
    let mut world = World::new();
    let publisher = world.join(&[RED], 0);
    let subscriber = world.join(&[], 1);
    world.clients[publisher].streams[0].video_bytes = 1_100;
    world.audio_fallback = audio_fallback;
    world.bind(subscriber, 0, 1, (publisher, 0));
    world.play(seconds(4));
    (world, subscriber)
}

fn told(world: &World) -> Vec<VideoFallback> {
    world.events_of(|event| match event {
        Event::VideoFallback { state, .. } => Some(*state),
        _ => None,
    })
}

/// How many packets of sound and of video come in the next seconds.
fn arrivals(world: &mut World, id: ClientId, s: u64) -> (usize, usize) {
    let (audio, video) = world.clients[id].slot_mids(0);
    let count = |world: &World| {
        let client = &world.clients[id];
        (client.received_on(audio).len(), client.received_on(video).len())
    };
    let before = count(world);
    world.play(seconds(s));
    let after = count(world);
    (after.0 - before.0, after.1 - before.1)
}

fn estimate(world: &World) -> Option<u64> {
    let all = world.events_of(|event| match event {
        Event::Statistics(s) => s.estimate_bps,
        _ => None,
    });
    all.last().copied()
}

#[test]
fn video_that_a_network_cannot_carry_is_warned_of_left_out_and_sent_again() {
    let (mut world, subscriber) = call(true);
    assert_eq!(told(&world), []);
    world.narrow(subscriber, 100);
    world.play(seconds(14));
    assert_eq!(told(&world), [VideoFallback::Warned, VideoFallback::Stopped]);
    let (sound, video) = arrivals(&mut world, subscriber, 2);
    assert!(sound > 90, "{sound} of 100 packets of sound");
    assert_eq!(video, 0);
    let bits = estimate(&world).expect("an estimate");
    assert!(bits < 150_000, "{bits} bit/s");
    world.widen(subscriber);
    world.play(seconds(25));
    assert_eq!(told(&world).last(), Some(&VideoFallback::Sent));
    let (_, video) = arrivals(&mut world, subscriber, 2);
    assert!(video > 45, "{video} of 50 pictures");
}

#[test]
fn video_that_must_not_be_left_out_is_sent_whatever_the_network() {
    let (mut world, subscriber) = call(false);
    world.narrow(subscriber, 100);
    world.play(seconds(14));
    assert_eq!(told(&world), []);
    let (_, video) = arrivals(&mut world, subscriber, 2);
    assert!(video > 5, "{video}");
}

#[test]
fn a_wide_network_loses_nothing_and_is_estimated_above_what_is_sent() {
    let (mut world, subscriber) = call(true);
    let (sound, video) = arrivals(&mut world, subscriber, 4);
    assert!(sound > 195 && video > 95, "{sound} and {video}");
    assert!(estimate(&world).is_some_and(|bits| bits > 250_000));
    assert_eq!(told(&world), []);
}

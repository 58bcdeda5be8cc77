//! A paused line sends nothing and comes back without a seam.

use std::time::Duration;

use tertulia_router_core::{Generation, Pause, SlotIndex};

use crate::driver::{ClientId, World};

pub(crate) fn pause(
    world: &mut World,
    subscriber: ClientId,
    audio_paused: bool,
    video_paused: bool,
) {
    let transport = world.clients[subscriber].id();
    let (slot, generation) = (SlotIndex(0), Generation(1));
    let pause = Pause { transport, slot, generation, audio_paused, video_paused };
    world.router.pause(world.now, pause).expect("set");
    world.settle();
}

/// Somebody watches somebody for a second, and then only hears. Returns the world, the publisher and the subscriber.
fn with_video_paused() -> (World, ClientId, ClientId) {
    let mut world = World::new();
    let publisher = world.join(&[1], 0);
    let subscriber = world.join(&[], 1);
    world.bind(subscriber, 0, 1, (publisher, 0));
    world.play(Duration::from_secs(1));
    pause(&mut world, subscriber, false, true);
    world.run_for(Duration::from_millis(20));
    (world, publisher, subscriber)
}

#[test]
fn video_that_was_paused_resumes_at_a_key_frame() {
    let (mut world, _, subscriber) = with_video_paused();
    let (audio, video) = world.clients[subscriber].slot_mids(0);
    let (heard, seen) = (
        world.clients[subscriber].received_on(audio).len(),
        world.clients[subscriber].received_on(video).len(),
    );
    world.play(Duration::from_secs(1));
    assert!(world.clients[subscriber].received_on(audio).len() >= heard + 48);
    assert_eq!(world.clients[subscriber].received_on(video).len(), seen);

    pause(&mut world, subscriber, true, false);
    world.run_for(Duration::from_millis(20));
    let heard = world.clients[subscriber].received_on(audio).len();
    world.play(Duration::from_secs(1));
    let client = &world.clients[subscriber];
    assert_eq!(client.received_on(audio).len(), heard);
    let pictures = client.received_on(video);
    assert!(pictures.len() > seen + 20);
    assert!(pictures[seen].video.key_frame);
    for pair in pictures.windows(2) {
        assert_eq!(pair[1].sequence_number, pair[0].sequence_number + 1);
    }
    let gap = pictures[seen].timestamp.wrapping_sub(pictures[seen - 1].timestamp);
    assert!((90_000..110_000).contains(&gap), "time passed on the slot's clock too: {gap}");
}

#[test]
fn video_that_was_paused_for_a_working_day_comes_back() {
    let (mut world, publisher, subscriber) = with_video_paused();
    let shown = world.seen(subscriber).len();
    // More than half the range of its timestamps.
    let day = Duration::from_secs(7 * 3600);
    world.run_for(day);
    let stream = &mut world.clients[publisher].streams[0];
    stream.video_timestamp = stream.video_timestamp.wrapping_add(day.as_secs() as u32 * 90_000);
    pause(&mut world, subscriber, false, false);
    world.play(Duration::from_secs(1));
    assert!(world.seen(subscriber).len() >= shown + 20);
}

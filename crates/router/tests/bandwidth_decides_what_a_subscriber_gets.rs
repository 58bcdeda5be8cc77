//! A narrow network gets less video, or none; sound goes on, and the video comes back.

use std::time::Duration;

use tertulia_router_core::{
    Event, Generation, Networks, Prefer, Rates, SlotIndex, VideoFallback, Wishes,
};

use crate::driver::{Change, ClientId, ClientOptions, World};
use crate::hostile_clients_are_contained::feedback;
use crate::losses_are_repaired::losing;
use crate::pausing_holds_back::pause;

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

/// Of all shards together.
fn sum(world: &World, of: impl Fn(&Networks) -> (u32, u32, u64)) -> (u32, u32, u64) {
    world.router.networks().map(of).fold((0, 0, 0), |a, b| (a.0 + b.0, a.1 + b.1, a.2 + b.2))
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
    assert_eq!(sum(&world, |n| (n.videos, n.videos_left_out, n.times_left_out)), (1, 1, 1));
    world.widen(subscriber);
    world.play(seconds(25));
    assert_eq!(told(&world).last(), Some(&VideoFallback::Sent));
    let (_, video) = arrivals(&mut world, subscriber, 2);
    assert!(video > 45, "{video} of 50 pictures");
    assert_eq!(sum(&world, |n| (n.videos, n.videos_left_out, n.times_left_out)), (1, 0, 1));
    let counts = |rates: &Rates| rates.counts.iter().sum::<u64>() as u32;
    let (probes, estimates, targets) =
        sum(&world, |n| (n.probes as u32, counts(&n.estimates), u64::from(counts(&n.targets))));
    assert!(probes >= 2, "{probes}");
    assert!(estimates >= 20 && targets == u64::from(estimates), "{estimates} and {targets}");
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
fn what_is_held_back_of_a_video_leaves_before_its_pause_is_answered() {
    let (mut world, subscriber) = call(false);
    world.narrow(subscriber, 100);
    world.play(seconds(12));
    world.widen(subscriber);
    // What is on the link has arrived by then, and little room was found yet.
    world.play(seconds(1));
    let (_, video) = world.clients[subscriber].slot_mids(0);
    let seen = |world: &World| world.clients[subscriber].received_on(video).len();
    let before = seen(&world);
    pause(&mut world, subscriber, false, true);
    world.run_for(Duration::from_millis(20));
    let answered = seen(&world);
    assert!(answered > before, "{answered} pictures, {before} before: nothing was held back");
    world.play(seconds(1));
    assert_eq!(seen(&world), answered);
}

#[test]
fn a_wide_network_loses_nothing_and_is_estimated_above_what_is_sent() {
    let (mut world, subscriber) = call(true);
    let (sound, video) = arrivals(&mut world, subscriber, 4);
    assert!(sound > 195 && video > 95, "{sound} and {video}");
    assert!(estimate(&world).is_some_and(|bits| bits > 250_000));
    assert_eq!(told(&world), []);
}

#[test]
fn random_loss_drives_no_video_away() {
    for (share, least) in [(0.1, 85), (0.2, 75), (0.3, 60)] {
        for seed in 1..=4 {
            let (mut world, subscriber) = call(true);
            world.let_through(losing(share, seed));
            world.play(seconds(12));
            let (_, video) = arrivals(&mut world, subscriber, 4);
            let told = told(&world);
            let is_left_out = told.contains(&VideoFallback::Stopped);
            assert!(!is_left_out, "{told:?} at {share}, seed {seed}");
            assert!(video > least, "{video} of 100 pictures at {share}, seed {seed}");
        }
    }
}

/// Which slots came into this state, in order.
fn slots_that_are(world: &World, wanted: VideoFallback) -> Vec<u32> {
    world.events_of(|event| match event {
        Event::VideoFallback { slot, state, .. } if *state == wanted => Some(slot.0),
        _ => None,
    })
}

/// A subscriber of a camera of 220 kbit/s in its first slot and a screen of 80 in its second, on a network
/// that bears no more than one of them; bound as what `are_screens` says.
fn camera_and_screen(are_screens: [bool; 2]) -> (World, ClientId) {
    let mut world = World::new();
    let publishers = [world.join(&[RED], 0), world.join(&[RED], 0)];
    let subscriber = world.join(&[], 2);
    world.audio_fallback = true;
    for (slot, video_bytes) in [(0, 1_100), (1, 400)] {
        let publisher = publishers[slot];
        world.clients[publisher].streams[0].video_bytes = video_bytes;
        world.is_screen = are_screens[slot];
        world.bind(subscriber, slot as u32, 1, (publisher, 0));
    }
    world.play(seconds(4));
    assert_eq!(told(&world), []);
    (world, subscriber)
}

fn assert_camera_gives_way(world: &mut World, subscriber: ClientId) {
    world.narrow(subscriber, 280);
    world.play(seconds(14));
    assert_eq!(slots_that_are(world, VideoFallback::Stopped), [0]);
}

#[test]
fn a_screen_has_room_before_a_camera() {
    let (mut world, subscriber) = camera_and_screen([false, true]);
    assert_camera_gives_way(&mut world, subscriber);
}

#[test]
fn what_is_a_screen_may_change_while_it_is_bound() {
    let (mut world, subscriber) = camera_and_screen([true, false]);
    for (slot, is_screen) in [(0, false), (1, true)] {
        let (transport, slot) = (world.clients[subscriber].id(), SlotIndex(slot));
        let (generation, wishes) = (Generation(1), Wishes::default());
        let prefer = Prefer { transport, slot, generation, wishes, is_screen };
        world.router.prefer(world.now, prefer).expect("preferred");
    }
    assert_camera_gives_way(&mut world, subscriber);
}

/// As [`call`], with a subscriber that says at most which rate it takes.
fn call_without_reports() -> (World, ClientId) {
    let mut world = World::new();
    let publisher = world.join(&[RED], 0);
    let options = ClientOptions { reports_arrivals: false, ..ClientOptions::default() };
    let subscriber = world.join_with(options, &Change { slots: 1, ..Change::default() });
    world.clients[publisher].streams[0].video_bytes = 1_100;
    world.audio_fallback = true;
    world.bind(subscriber, 0, 1, (publisher, 0));
    world.play(seconds(2));
    (world, subscriber)
}

/// A client says that it takes `mantissa` times two to the power of `exponent` bits per second at most,
/// twice a second (draft-alvestrand-rmcat-remb-03 section 2.2).
fn say_at_most(world: &mut World, id: ClientId, exponent: u8, mantissa: u32, s: u64) {
    for _ in 0..2 * s {
        let [_, high, middle, low] = mantissa.to_be_bytes();
        let mut most = b"REMB\x01".to_vec();
        most.extend([exponent << 2 | high, middle, low]);
        most.extend(7_u32.to_be_bytes());
        let sealed = world.clients[id].seal.rtcp(&feedback(15, 206, 0, &most));
        world.forge(id, &sealed);
        world.play(Duration::from_millis(500));
    }
}

#[test]
fn a_peer_that_only_says_what_it_takes_is_sent_no_more_than_that() {
    let (mut world, subscriber) = call_without_reports();
    assert_eq!(estimate(&world), None, "nothing is known");
    say_at_most(&mut world, subscriber, 0, 100_000, 8);
    assert_eq!(told(&world), [VideoFallback::Warned, VideoFallback::Stopped]);
    assert!(estimate(&world).is_some_and(|bits| bits >= 100_000));
    let (sound, video) = arrivals(&mut world, subscriber, 1);
    assert!(sound > 45, "{sound} of 50 packets of sound");
    assert_eq!(video, 0);
    // With a network that bears more it says so, or, as nothing comes on which it could judge, nothing.
    say_at_most(&mut world, subscriber, 2, 100_000, 7);
    assert_eq!(told(&world).last(), Some(&VideoFallback::Sent));
}

#[test]
fn a_peer_that_falls_silent_has_its_video_back() {
    let (mut world, subscriber) = call_without_reports();
    say_at_most(&mut world, subscriber, 0, 100_000, 8);
    assert_eq!(told(&world).last(), Some(&VideoFallback::Stopped));
    world.play(seconds(17));
    assert_eq!(told(&world).last(), Some(&VideoFallback::Sent));
    assert_eq!(world.events_of(|event| matches!(event, Event::Statistics(s) if s.estimate_bps == Some(0)).then_some(())), []);
}

#[test]
fn who_lies_about_what_it_takes_changes_its_own_picture_only() {
    let (mut world, liar) = call_without_reports();
    let bystander = world.join(&[], 1);
    world.bind(bystander, 0, 1, (0, 0));
    world.play(seconds(2));
    for round in 0..60 {
        // Nothing, everything, what no number can say, and in between.
        let (exponent, mantissa) = [(0, 0), (63, 0x3_ffff), (63, 1), (10, 100)][round % 4];
        for _ in 0..20 {
            let [_, high, middle, low] = u32::to_be_bytes(mantissa);
            let mut most = b"REMB\xff".to_vec();
            most.extend([exponent << 2 | high, middle, low]);
            let sealed = world.clients[liar].seal.rtcp(&feedback(15, 206, 0, &most));
            world.forge(liar, &sealed);
        }
        world.play(Duration::from_millis(20));
    }
    let (sound, video) = arrivals(&mut world, bystander, 2);
    assert!(sound > 95 && video > 45, "{sound} and {video}");
    let (sound, _) = arrivals(&mut world, liar, 2);
    assert!(sound > 95, "{sound}");
}

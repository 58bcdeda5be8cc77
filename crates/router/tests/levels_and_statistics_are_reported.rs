//! Control hears how loud tracks are and how transports do.

use std::time::Duration;

use str0m::rtp::ExtensionValues;
use tertulia_router_core::Event;

use crate::driver::World;

#[test]
fn the_loudest_level_of_each_interval_is_told_for_tracks_that_sent() {
    let mut world = World::new();
    let publisher = world.join(&[1, 2], 0);
    world.join(&[3], 0);
    for level in [-60, -20, -40] {
        let extensions = ExtensionValues {
            audio_level: Some(level),
            voice_activity: Some(true),
            ..ExtensionValues::default()
        };
        world.send_audio(publisher, 0, extensions);
        world.run_for(Duration::from_millis(20));
    }
    world.run_for(Duration::from_secs(1));
    let levels = world.events_of(|event| match event {
        Event::AudioLevels { transport, levels } => Some((*transport, levels.clone())),
        _ => None,
    });
    let [(transport, levels)] = levels.as_slice() else { panic!("one report: {levels:?}") };
    assert_eq!(*transport, world.clients[publisher].id());
    assert_eq!(levels.len(), 1);
    assert_eq!(levels[0].level_dbov, -20);
}

#[test]
fn statistics_count_what_came_and_went() {
    let mut world = World::new();
    let publisher = world.join(&[1], 0);
    let subscriber = world.join(&[], 1);
    world.bind(subscriber, 0, 1, (publisher, 0));
    world.play(Duration::from_secs(5));
    let of = |client: usize| {
        let id = world.clients[client].id();
        world.events_of(|event| match event {
            Event::Statistics(s) if s.transport == id => Some(s.clone()),
            _ => None,
        })
    };
    let (sent, got) = (of(publisher), of(subscriber));
    assert!(sent.len() == 2 && got.len() == 2, "every 2 s");
    let (sent, got) = (&sent[1], &got[1]);
    assert!(sent.packets_received > 250 && sent.bytes_received > 10_000);
    assert_eq!(sent.packets_sent, 0);
    assert!(got.packets_sent > 250 && got.bytes_sent > 10_000);
    assert_eq!((got.packets_lost, got.packets_dropped), (0, 0));
    assert!(got.round_trip_ms.is_some());
    assert_eq!((got.retransmissions, got.drops.as_slice()), (0, &[][..]));
}

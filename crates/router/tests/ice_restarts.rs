//! A client may restart ICE by an offer; media goes on.

use std::time::Duration;

use crate::driver::{Change, World};

fn ufrag(sdp: &str) -> String {
    let line = sdp.lines().find_map(|l| l.strip_prefix("a=ice-ufrag:"));
    line.expect("a user name").to_owned()
}

#[test]
fn an_ice_restart_changes_the_credentials_and_keeps_the_call() {
    let mut world = World::new();
    let publisher = world.join(&[1], 0);
    let subscriber = world.join(&[], 1);
    world.bind(subscriber, 0, 1, (publisher, 0));
    world.play(Duration::from_millis(200));
    let plain = world.renegotiate(subscriber, &Change { slots: 1, ..Change::default() });
    let restart = Change { restart_ice: true, ..Change::default() };
    let restarted = world.renegotiate(subscriber, &restart);
    assert_ne!(ufrag(&plain), ufrag(&restarted));

    world.play(Duration::from_secs(1));
    let before = world.clients[subscriber].received.len();
    world.play(Duration::from_secs(1));
    let gained = world.clients[subscriber].received.len() - before;
    assert!(gained >= 70, "{gained} packets in a second");
    let ssrcs: Vec<_> = world.clients[subscriber].received.iter().map(|r| r.ssrc).collect();
    let audio_and_video = ssrcs.iter().collect::<std::collections::HashSet<_>>();
    assert_eq!(audio_and_video.len(), 2);
}

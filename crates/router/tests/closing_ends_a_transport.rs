//! A transport ends when the client leaves, when control closes it, or when it never comes up, and
//! takes nothing else with it.

use std::time::Duration;

use tertulia_router_core::{CloseTransport, Event, TransportState};

use crate::driver::{Change, ClientId, ClientOptions, World};

fn last_state(world: &World, client: ClientId) -> (TransportState, Option<String>) {
    let id = world.clients[client].id();
    let states = world.events_of(|event| match event {
        Event::TransportState { transport, state, reason, .. } if *transport == id => {
            Some((*state, reason.clone()))
        }
        _ => None,
    });
    states.last().cloned().expect("a state")
}

#[test]
fn a_client_that_says_goodbye_is_closed_with_a_reason() {
    let mut world = World::new();
    let publisher = world.join(&[1], 0);
    let subscriber = world.join(&[], 1);
    world.bind(subscriber, 0, 1, (publisher, 0));
    world.play(Duration::from_millis(100));

    world.clients[publisher].rtc.close().expect("closed");
    let now = world.now;
    world.clients[publisher].drain(now);
    world.clients[publisher].streams.clear();
    world.run_for(Duration::from_millis(100));

    let (state, reason) = last_state(&world, publisher);
    assert_eq!(state, TransportState::Closed);
    assert_eq!(reason.as_deref(), Some("the client closed it"));
    assert_eq!(last_state(&world, subscriber).0, TransportState::Connected);
    assert_eq!(world.router.list().transports.len(), 1);
    world.unbind(subscriber, 0, 1);
}

#[test]
fn a_client_is_told_when_control_closes_its_transport() {
    let mut world = World::new();
    let client = world.join(&[1], 0);
    let transport = world.clients[client].id();
    world.router.close_transport(world.now, CloseTransport { transport }).expect("closed");
    world.run_for(Duration::from_millis(100));
    assert!(world.clients[client].is_closed);
    assert_eq!(last_state(&world, client), (TransportState::Closed, None));
    let before = world.router.counters().unknown_datagrams;
    world.play(Duration::from_millis(100));
    assert!(world.router.counters().unknown_datagrams >= before, "its packets are a stranger's");
    assert!(world.router.list().transports.is_empty());
}

#[test]
fn a_client_that_never_comes_fails_after_30_seconds() {
    let mut world = World::new();
    world.let_through(|_, _| false);
    let client = world.open(ClientOptions::default(), &Change { slots: 1, ..Change::default() });
    world.run_for(Duration::from_millis(29_900));
    assert_eq!(world.events, []);
    world.run_for(Duration::from_millis(200));
    let (state, reason) = last_state(&world, client);
    assert_eq!(state, TransportState::Failed);
    assert!(reason.expect("a reason").contains("within 30 s"));
}

#[test]
fn a_silent_client_is_disconnected_and_may_come_back() {
    let mut world = World::new();
    let client = world.join(&[1], 0);
    world.let_through(|_, _| false);
    world.run_for(Duration::from_secs(20));
    assert_eq!(last_state(&world, client).0, TransportState::Disconnected);
    world.let_through(|_, _| true);
    world.renegotiate(client, &Change { restart_ice: true, ..Change::default() });
    world.run_for(Duration::from_secs(5));
    assert_eq!(last_state(&world, client).0, TransportState::Connected);
}

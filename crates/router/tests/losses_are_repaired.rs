//! Lost video is asked for and sent again on both sides; what was unbound is not.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tertulia_router_core::Event;

use crate::driver::{Direction, World};

const RED: u8 = 1;
const BLUE: u8 = 2;
/// The VP8 payload type of every client here.
const VP8: u8 = 97;

fn is_video(datagram: &[u8]) -> bool {
    (128..192).contains(&datagram[0]) && datagram[1] & 0x7f == VP8
}

/// Loses every `n`th video packet that goes this way.
fn lose_every(world: &mut World, way: Direction, n: usize) -> Rc<Cell<usize>> {
    let (mut count, lost) = (0, Rc::new(Cell::new(0)));
    let counter = Rc::clone(&lost);
    world.let_through(move |direction, datagram| {
        if direction != way || !is_video(datagram) {
            return true;
        }
        count += 1;
        let is_lost = count % n == 0;
        counter.set(counter.get() + usize::from(is_lost));
        !is_lost
    });
    lost
}

fn assert_complete(world: &World, subscriber: usize) {
    let client = &world.clients[subscriber];
    let mut numbers: Vec<_> =
        client.received_on(client.slot_mids(0).1).iter().map(|r| r.sequence_number).collect();
    numbers.sort_unstable();
    let settled = &numbers[..numbers.len() - 3];
    assert!(settled.len() > 60);
    assert!(settled.windows(2).all(|w| w[1] == w[0] + 1), "nothing is missing or doubled");
}

#[test]
fn packets_lost_on_the_way_to_a_subscriber_are_sent_again() {
    let mut world = World::new();
    let publisher = world.join(&[RED], 0);
    let subscriber = world.join(&[], 1);
    world.bind(subscriber, 0, 1, (publisher, 0));
    let lost = lose_every(&mut world, Direction::ToClient(subscriber), 7);
    world.play(Duration::from_secs(3));
    world.let_through(|_, _| true);
    world.run_for(Duration::from_millis(300));
    assert!(lost.get() >= 8);
    assert_complete(&world, subscriber);
    world.run_for(Duration::from_secs(2));
    assert_eq!(world.router.retransmissions(), lost.get() as u64);
}

#[test]
fn packets_lost_on_the_way_from_a_publisher_are_asked_for() {
    let mut world = World::new();
    let publisher = world.join(&[RED], 0);
    let subscriber = world.join(&[], 1);
    world.bind(subscriber, 0, 1, (publisher, 0));
    let lost = lose_every(&mut world, Direction::ToRouter(publisher), 7);
    world.play(Duration::from_secs(3));
    world.let_through(|_, _| true);
    world.run_for(Duration::from_millis(300));
    assert!(lost.get() >= 8);
    assert!(world.clients[publisher].nacks_received > 0);
    assert_complete(&world, subscriber);
}

#[test]
fn nothing_begins_at_a_key_frame_that_comes_after_what_followed_it() {
    let mut world = World::new();
    let publisher = world.join(&[RED], 0);
    let subscriber = world.join(&[], 1);
    world.play(Duration::from_secs(1));
    world.bind(subscriber, 0, 1, (publisher, 0));
    world.run_for(Duration::from_millis(30));
    assert!(world.clients[publisher].streams[0].key_frame_due, "the next picture is one");
    let mut is_lost = false;
    world.let_through(move |direction, datagram| {
        let is_first = direction == Direction::ToRouter(publisher) && is_video(datagram) && !is_lost;
        is_lost |= is_first;
        !is_first
    });
    world.play(Duration::from_secs(4));
    let client = &world.clients[subscriber];
    let video = client.received_on(client.slot_mids(0).1);
    assert!(video[0].video.key_frame);
    assert_complete(&world, subscriber);
}

#[test]
fn what_was_lost_of_an_older_binding_stays_lost() {
    let mut world = World::new();
    let publisher = world.join(&[RED, BLUE], 0);
    let subscriber = world.join(&[], 1);
    world.bind(subscriber, 0, 1, (publisher, 0));
    world.play(Duration::from_secs(1));
    // The last packets before the change never arrive, so the subscriber asks for them after it.
    world.let_through(move |direction, datagram| {
        direction != Direction::ToClient(subscriber) || !is_video(datagram)
    });
    world.play(Duration::from_millis(160));
    world.let_through(|_, _| true);
    world.unbind(subscriber, 0, 1);
    let unbound_at = world.now;
    world.bind(subscriber, 0, 2, (publisher, 1));
    world.play(Duration::from_secs(3));

    let client = &world.clients[subscriber];
    let in_flight = Duration::from_millis(5);
    let late = client.received.iter().filter(|r| r.at > unbound_at + in_flight);
    assert_eq!(late.filter(|r| r.colour == RED).count(), 0);
    let id = client.id();
    let nacks = world.events_of(|event| match event {
        Event::Statistics(s) if s.transport == id => Some(s.nacks_received),
        _ => None,
    });
    assert!(nacks.last().is_some_and(|n| *n > 0), "the subscriber did ask");
}

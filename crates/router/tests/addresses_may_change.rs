//! Media goes to where the client's newest authenticated packet came from.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tertulia_router_core::{Datagram, DropCause};

use crate::driver::{ClientId, Direction, World};

/// Packets that a client gets in a second.
fn gained(world: &mut World, client: ClientId) -> usize {
    let before = world.clients[client].received.len();
    world.play(Duration::from_secs(1));
    world.clients[client].received.len() - before
}

#[test]
fn a_client_behind_a_nat_that_rebinds_goes_on_without_an_offer() {
    let mut world = World::new();
    let publisher = world.join(&[1], 0);
    let subscriber = world.join(&[], 1);
    world.bind(subscriber, 0, 1, (publisher, 0));
    assert!(gained(&mut world, subscriber) >= 70);
    for client in [publisher, subscriber, subscriber] {
        world.move_to_new_address(client);
        // Until the next check of the client, which proves the new address.
        world.play(Duration::from_secs(4));
        let gained = gained(&mut world, subscriber);
        assert!(gained >= 70, "{gained} packets in a second");
        world.strays.clear();
    }
}

#[test]
fn pictures_begin_anew_at_both_ends_of_a_path_that_moved() {
    let mut world = World::new();
    let publisher = world.join(&[1], 0);
    let subscriber = world.join(&[], 1);
    world.bind(subscriber, 0, 1, (publisher, 0));
    world.play(Duration::from_secs(1));
    for client in [publisher, subscriber] {
        let asked = world.clients[publisher].key_frame_requests.len();
        world.play(Duration::from_secs(5));
        assert_eq!(world.clients[publisher].key_frame_requests.len(), asked, "all is well");
        world.move_to_new_address(client);
        world.play(Duration::from_secs(5));
        assert!(world.clients[publisher].key_frame_requests.len() > asked);
        world.strays.clear();
    }
}

#[test]
fn a_copy_of_a_check_that_was_not_signed_moves_nothing() {
    let mut world = World::new();
    let publisher = world.join(&[1], 0);
    let subscriber = world.join(&[], 1);
    world.bind(subscriber, 0, 1, (publisher, 0));
    world.play(Duration::from_secs(1));
    let source = ([203, 0, 113, 66], 6666).into();
    let from_client = world.clients[subscriber].outside;
    // Packets of the client's own address are taken as they are, media and forgeries alike.
    for contents in [vec![0x80, 0xe0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1], vec![0x81; 64]] {
        for source in [source, from_client] {
            let datagram = Datagram { socket: 0, source, contents: &contents };
            world.router.handle_datagram(world.now, datagram);
        }
    }
    assert!(gained(&mut world, subscriber) >= 70);
    assert_eq!(world.strays, []);
}

/// A check that a client sent lately.
fn recorded_check(world: &mut World, client: ClientId) -> Vec<u8> {
    let newest = Rc::new(RefCell::new(Vec::new()));
    let kept = Rc::clone(&newest);
    world.let_through(move |direction, datagram| {
        if direction == Direction::ToRouter(client) && datagram.starts_with(&[0, 1]) {
            *kept.borrow_mut() = datagram.to_vec();
        }
        true
    });
    world.play(Duration::from_secs(5));
    let check = newest.borrow().clone();
    assert!(!check.is_empty(), "the client checks its path");
    check
}

#[test]
fn an_address_in_use_is_kept_however_many_others_are_proven() {
    const MOST: u64 = 256;
    let mut world = World::new();
    let publisher = world.join(&[1], 0);
    let subscriber = world.join(&[], 1);
    world.bind(subscriber, 0, 1, (publisher, 0));
    let check = recorded_check(&mut world, publisher);
    let sent = 2_000;
    for port in 0..sent {
        let source = SocketAddr::from(([203, 0, 113, 66], 1_024 + port));
        let datagram = Datagram { socket: 0, source, contents: &check };
        world.router.handle_datagram(world.now, datagram);
        world.settle();
    }
    let refused = world.router.drops().of(DropCause::TooMuch);
    let expected = u64::from(sent) - MOST;
    assert!((expected..=expected + 1).contains(&refused), "{refused} of {sent}");
    let gained = gained(&mut world, subscriber);
    assert!(gained >= 70, "{gained} packets in a second");
}

//! Somebody writes a client's address into datagrams, before, during and after its handshake.

use std::time::Duration;

use tertulia_router_core::{Datagram, DropCause};

use crate::driver::forgery::{self, Dice};
use crate::driver::{Change, ClientId, ClientOptions, Direction, World};

const SEED: u64 = 0x7e47_0115;

impl World {
    /// A datagram comes from a client's address.
    pub fn forge(&mut self, victim: ClientId, contents: &[u8]) {
        let source = self.clients[victim].address;
        let datagram = Datagram { socket: 0, source, contents };
        self.router.handle_datagram(self.now, datagram);
        self.router.flush(self.now);
        self.settle();
    }
}

/// Something of a DTLS handshake that a stranger may say.
fn handshake_forgery(dice: &mut Dice) -> Vec<u8> {
    let random = dice.bytes(32);
    let sequence = dice.next() % 8;
    let hello = |seq, cookie: &[u8], version, suite| {
        let body = forgery::hello(&random, cookie, version, suite);
        forgery::record(22, 0, sequence, &forgery::handshake(1, seq, &body))
    };
    match dice.below(14) {
        0 | 1 => hello(0, &[], 0xfefd, 0xc02b),
        2 => hello(0, &[], 0xfeff, 0xc02b),
        3 => hello(0, &[], 0xfefd, 0x0000),
        4 => hello(1, &[], 0xfefd, 0xc02b),
        5 => hello(1, &dice.bytes(32), 0xfefd, 0xc02b),
        6 => forgery::record(21, 0, sequence, &[2, 40]),
        7 => forgery::record(20, 0, sequence, &[1]),
        8 => forgery::record(22, 1, sequence, &dice.bytes(48)),
        9 => forgery::record(21, 1, sequence, &dice.bytes(26)),
        10 => {
            let mut body = vec![0, 1, 3, 0, 1, 0];
            body.extend(dice.bytes(256));
            forgery::record(22, 0, sequence, &forgery::handshake(11, 2, &body))
        }
        11 => {
            let mut body = vec![65, 4];
            body.extend(dice.bytes(64));
            forgery::record(22, 0, sequence, &forgery::handshake(16, 3, &body))
        }
        12 => {
            let mut body = vec![4, 3, 0, 64];
            body.extend(dice.bytes(64));
            forgery::record(22, 0, sequence, &forgery::handshake(15, 4, &body))
        }
        _ => {
            let mut whole = hello(0, &[], 0xfefd, 0xc02b);
            whole.truncate(dice.below(whole.len()));
            whole
        }
    }
}

#[test]
fn two_hundred_clients_join_through_a_race_of_forged_hellos() {
    const AT_ONCE: usize = 20;
    println!("seed {SEED:#x}");
    let mut dice = Dice(SEED);
    let mut joined = 0;
    for _ in 0..200 / AT_ONCE {
        let mut world = World::new();
        let change = Change { slots: 1, ..Change::default() };
        for id in 0..AT_ONCE {
            assert_eq!(world.open(ClientOptions::default(), &change), id);
        }
        // Each millisecond of the join a forged datagram for every client, the first before its own.
        for _ in 0..4000 {
            for victim in 0..AT_ONCE {
                if world.clients[victim].is_connected {
                    continue;
                }
                let forged = match dice.below(8) {
                    0 => forgery::check(&mut dice, "nobody:knows"),
                    1 => forgery::rtp(&mut dice, 96, 7, "0"),
                    _ => handshake_forgery(&mut dice),
                };
                world.forge(victim, &forged);
            }
            if world.clients.iter().all(|c| c.is_connected) {
                break;
            }
            world.run_for(Duration::from_millis(1));
        }
        joined += world.clients.iter().filter(|c| c.is_connected).count();
        assert_eq!(world.strays, [], "strangers are not answered");
    }
    assert_eq!(joined, 200);
}

/// A call of a publisher and its subscriber, both of whose addresses are forged.
fn call() -> (World, ClientId, ClientId) {
    let mut world = World::new();
    let publisher = world.join(&[1], 0);
    let subscriber = world.join(&[], 1);
    world.bind(subscriber, 0, 1, (publisher, 0));
    world.play(Duration::from_millis(200));
    (world, publisher, subscriber)
}

fn received(world: &World, id: ClientId) -> usize {
    world.clients[id].received.len()
}

/// Plays while datagrams are forged, and returns how many packets the subscriber got.
fn play_through(
    (world, publisher, subscriber): &mut (World, ClientId, ClientId),
    mut forge: impl FnMut(&World) -> Vec<u8>,
) -> usize {
    let before = received(world, *subscriber);
    for _ in 0..100 {
        for victim in [*publisher, *subscriber] {
            for _ in 0..10 {
                let forged = forge(world);
                world.forge(victim, &forged);
            }
        }
        world.play(Duration::from_millis(10));
    }
    received(world, *subscriber) - before
}

/// In a second: 50 of audio and 25 of video.
const A_SECOND: usize = 74;

#[test]
fn forged_media_takes_no_line_away() {
    let mut call = call();
    let (world, publisher, _) = &call;
    let mid = world.clients[*publisher].streams[0].video.to_string();
    let payload_type = world.clients[*publisher].options.codecs.vp8.expect("VP8").0;
    let mut dice = Dice(SEED);
    let passed = play_through(&mut call, |_| {
        let ssrc = dice.next() as u32;
        forgery::rtp(&mut dice, payload_type, ssrc, &mid)
    });
    assert!(passed >= A_SECOND, "{passed}");
    assert!(call.0.router.drops().of(DropCause::Refused) >= 1900);
}

#[test]
fn media_that_is_forged_before_the_handshake_takes_no_line_away() {
    let mut world = World::new();
    let mut dice = Dice(SEED);
    let change = Change { publish: vec![(1, crate::driver::Picture::Vp8)], ..Change::default() };
    let publisher = world.open(ClientOptions::default(), &change);
    let mid = world.clients[publisher].streams[0].video.to_string();
    while !world.clients[publisher].is_connected {
        let forged = forgery::rtp(&mut dice, 97, 4711, &mid);
        world.forge(publisher, &forged);
        world.run_for(Duration::from_millis(1));
    }
    let subscriber = world.join(&[], 1);
    world.bind(subscriber, 0, 1, (publisher, 0));
    world.play(Duration::from_secs(1));
    assert!(received(&world, subscriber) >= A_SECOND - 4);
}

#[test]
fn noise_and_broken_packets_of_every_kind_cost_a_call_nothing() {
    let mut call = call();
    let mut dice = Dice(SEED);
    let passed = play_through(&mut call, |_| {
        let length = dice.below(1400);
        let mut bytes = dice.bytes(length);
        if let Some(first) = bytes.first_mut() {
            *first = [0, 1, 20, 22, 23, 63, 64, 128, 144, 160, 191, 255][dice.below(12)];
        }
        match dice.below(4) {
            0 => handshake_forgery(&mut dice),
            1 => forgery::check(&mut dice, "a:b"),
            _ => bytes,
        }
    });
    assert!(passed >= A_SECOND, "{passed}");
    assert_eq!(call.0.router.list().transports.len(), 2, "nobody's transport ended");
    assert_eq!(call.0.strays, []);
}

#[test]
fn what_was_sent_before_is_refused_when_it_is_sent_again() {
    let mut call = call();
    let recorded = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let (sink, publisher) = (std::rc::Rc::clone(&recorded), call.1);
    call.0.let_through(move |direction, contents| {
        if direction == Direction::ToRouter(publisher) {
            sink.borrow_mut().push(contents.to_vec());
        }
        true
    });
    call.0.play(Duration::from_secs(1));
    let recorded = recorded.take();
    assert!(recorded.len() > A_SECOND);
    let before = received(&call.0, call.2);
    for datagram in recorded.iter().cycle().take(1000) {
        call.0.forge(publisher, datagram);
    }
    call.0.run_for(Duration::from_millis(100));
    assert_eq!(received(&call.0, call.2), before, "nothing is forwarded twice");
    let passed = play_through(&mut call, |_| recorded[0].clone());
    assert!(passed >= A_SECOND, "{passed}");
}

#[test]
fn an_alert_without_encryption_ends_nothing() {
    let (mut world, publisher, subscriber) = call();
    for kind in [0, 10, 40, 47, 51, 80] {
        for level in [1, 2] {
            let alert = forgery::record(21, 0, 1 << 20, &[level, kind]);
            world.forge(publisher, &alert);
            world.forge(subscriber, &alert);
        }
    }
    let before = received(&world, subscriber);
    world.play(Duration::from_secs(1));
    assert!(received(&world, subscriber) - before >= A_SECOND);
    assert_eq!(world.router.drops().of(DropCause::OutOfPlace), 24);
}

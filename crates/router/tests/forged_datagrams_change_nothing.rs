//! Somebody writes a client's address into datagrams, before, during and after its handshake.

use std::time::Duration;

use tertulia_router_core::{Datagram, DropCause};

use crate::driver::forgery::{self, Dice};
use crate::driver::{Change, ClientId, ClientOptions, Direction, World};
use crate::hostile_clients_are_contained::{feedback, video_source};

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
    let recorded = recorded(&mut call);
    let publisher = call.1;
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

/// What a client says to the router in a second, media and reports.
fn recorded((world, publisher, _): &mut (World, ClientId, ClientId)) -> Vec<Vec<u8>> {
    let recorded = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let (sink, client) = (std::rc::Rc::clone(&recorded), *publisher);
    world.let_through(move |direction, contents| {
        if direction == Direction::ToRouter(client) {
            sink.borrow_mut().push(contents.to_vec());
        }
        true
    });
    world.play(Duration::from_secs(1));
    world.let_through(|_, _| true);
    recorded.take()
}

#[test]
fn packets_that_are_forged_of_known_sources_move_no_number_of_theirs() {
    let mut call = call();
    let genuine: Vec<_> = recorded(&mut call).into_iter().filter(|d| d[0] >= 128).collect();
    let mut dice = Dice(SEED);
    let refused = call.0.router.drops().of(DropCause::Refused);
    let passed = play_through(&mut call, |_| {
        let mut forged = genuine[dice.below(genuine.len())].clone();
        // A number ahead or behind, another time, and another content for it; reports get another sender.
        forged[2] = dice.next() as u8;
        forged[3] = dice.next() as u8;
        forged[4] ^= dice.next() as u8 | 1;
        forged
    });
    assert!(passed >= A_SECOND, "{passed}");
    let refused = call.0.router.drops().of(DropCause::Refused) - refused;
    assert!(refused >= 1900, "{refused}");
}

#[test]
fn genuine_media_from_an_address_of_nobody_is_neither_taken_nor_answered() {
    let mut call = call();
    let genuine = recorded(&mut call);
    let (world, _, subscriber) = &mut call;
    let media = genuine.iter().filter(|datagram| datagram[0] >= 128);
    let before = received(world, *subscriber);
    for contents in media {
        let source = ([203, 0, 113, 66], 6666).into();
        world.router.handle_datagram(world.now, Datagram { socket: 0, source, contents });
        world.router.flush(world.now);
        world.settle();
    }
    assert_eq!(received(world, *subscriber), before);
    assert_eq!(world.strays, []);
    let passed = play_through(&mut call, |_| vec![0x80; 40]);
    assert!(passed >= A_SECOND, "{passed}");
}

#[test]
fn requests_that_are_forged_or_said_again_ask_for_nothing() {
    let mut call = call();
    let (world, publisher, subscriber) = &mut call;
    let media = video_source(world, *subscriber);
    let asked = |world: &World| world.clients[*publisher].key_frame_requests.len();
    // One that counts, so that the others could.
    let genuine = world.clients[*subscriber].seal.rtcp(&feedback(1, 206, media, &[]));
    world.play(Duration::from_secs(1));
    let before = asked(world);
    world.forge(*subscriber, &genuine);
    world.play(Duration::from_secs(1));
    assert_eq!(asked(world), before + 1);
    let mut dice = Dice(SEED);
    for round in 0..100 {
        let mut forged = genuine.clone();
        match round % 4 {
            // Said again as it was; with another index; with another content; and without a seal.
            0 => {}
            1 => {
                let last = forged.len() - 1;
                forged[last] = forged[last].wrapping_add(1 + dice.next() as u8 % 100);
            }
            2 => {
                let at = 8 + dice.below(forged.len() - 8);
                forged[at] ^= 1 << dice.below(8);
            }
            _ => forged = feedback(1, 206, media, &[]),
        }
        world.forge(*subscriber, &forged);
        world.play(Duration::from_millis(30));
    }
    assert_eq!(asked(world), before + 1);
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

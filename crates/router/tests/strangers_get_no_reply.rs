//! Datagrams from nobody known are dropped and counted, never answered.

use std::net::SocketAddr;
use std::time::Duration;

use tertulia_router_core::Datagram;

use crate::driver::World;

fn stranger() -> SocketAddr {
    SocketAddr::from(([203, 0, 113, 66], 6666))
}

/// A binding request with this user name and no valid integrity.
fn check(user: &str) -> Vec<u8> {
    let padded = user.len().next_multiple_of(4);
    let mut m = vec![0, 1, 0, padded as u8 + 4 + 8, 0x21, 0x12, 0xa4, 0x42];
    m.extend([7; 12]);
    m.extend([0, 6, 0, user.len() as u8]);
    m.extend(user.as_bytes());
    m.resize(m.len().next_multiple_of(4), 0);
    m.extend([0x00, 0x24, 0, 4, 0x7e, 0, 0, 1]);
    m
}

fn send(world: &mut World, contents: &[u8]) {
    let datagram = Datagram { socket: 0, source: stranger(), contents };
    world.router.handle_datagram(world.now, datagram);
    world.settle();
}

#[test]
fn unknown_addresses_and_user_names_are_counted_and_not_answered() {
    let mut world = World::new();
    world.join(&[1], 1);
    let before = world.router.counters().unknown_datagrams;
    let datagrams: [&[u8]; 6] = [
        &[],
        &[0x16, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[0x80, 0x60, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1],
        &[0x80, 0xc9, 0, 1, 0, 0, 0, 1],
        &check("nobody:here"),
        &[0xff; 1200],
    ];
    for datagram in datagrams {
        send(&mut world, datagram);
    }
    world.run_for(Duration::from_secs(1));
    assert_eq!(world.strays, []);
    assert_eq!(world.router.counters().unknown_datagrams, before + 6);
}

#[test]
fn a_known_user_name_without_its_password_teaches_no_address() {
    let mut world = World::new();
    let client = world.join(&[1], 1);
    let ufrag = world.clients[client].rtc.direct_api().local_ice_credentials().ufrag;
    let answer =
        world.renegotiate(client, &crate::driver::Change { slots: 1, ..Default::default() });
    let local = answer.lines().find_map(|l| l.strip_prefix("a=ice-ufrag:")).expect("a user name");
    let unknown = world.router.counters().unknown_datagrams;
    send(&mut world, &check(&format!("{local}:{ufrag}")));
    assert!(world.router.counters().refused_datagrams >= 1);
    send(&mut world, &[0x80, 0x60, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(world.router.counters().unknown_datagrams, unknown + 1);
    assert_eq!(world.strays, []);
}

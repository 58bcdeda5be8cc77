//! An offer that must not reach the engine, or that the engine refuses, creates nothing.

use tertulia_router_core::{
    Mid, OpenTransport, Renegotiate, RouterError, SlotIndex, SlotPair, TransportId,
};

use crate::driver::{Change, Client, ClientOptions, World};

fn open(world: &mut World, offer: &str, slots: Vec<SlotPair>) -> Result<TransportId, RouterError> {
    let command =
        OpenTransport { seat: "seat".into(), epoch: 1, offer: offer.into(), slots, group: None };
    world.router.open_transport(world.now, command).map(|opened| opened.transport)
}

fn valid_offer(world: &World) -> (String, Vec<SlotPair>) {
    let address = "198.51.100.200:1".parse().expect("an address");
    let mut client = Client::new(world.now, address, ClientOptions::default());
    let (offer, _) = client.offer(&Change { slots: 2, ..Change::default() });
    (offer, client.slots)
}

#[test]
fn refused_offers_create_nothing() {
    let mut world = World::new();
    let (offer, slots) = valid_offer(&world);
    let unknown = Mid::parse("zzz9").expect("a mid");
    let swapped =
        SlotPair { audio_mid: slots[0].video_mid, video_mid: slots[0].audio_mid, ..slots[0] };
    let cases: Vec<(String, Vec<SlotPair>)> = vec![
        (String::new(), vec![]),
        ("GET / HTTP/1.1".into(), vec![]),
        (offer.replace("a=ice-ufrag", "a=x-ufrag"), vec![]),
        (offer.replace("a=fingerprint", "a=x-fingerprint"), vec![]),
        (offer.replace("a=setup:actpass", "a=setup:passive"), vec![]),
        (format!("{offer}{}", "a=x:y\r\n".repeat(40_000)), vec![]),
        (offer.clone(), vec![SlotPair { audio_mid: unknown, ..slots[0] }]),
        (offer.clone(), vec![swapped]),
        (offer.clone(), vec![slots[0], SlotPair { slot: SlotIndex(1), ..slots[0] }]),
        (offer.replace("recvonly", "inactive"), slots.clone()),
    ];
    for (number, (offer, slots)) in cases.into_iter().enumerate() {
        let error = open(&mut world, &offer, slots).expect_err("refused");
        assert_eq!(error.code(), "offer_refused", "case {number}: {error}");
        let message = error.to_string();
        assert!(message.ends_with('.') && message.contains(';'), "cause and remedy: {message}");
    }
    let out_of_order = vec![slots[1], slots[0]];
    let error = open(&mut world, &offer, out_of_order).expect_err("refused");
    assert_eq!(error.code(), "invalid_request");
    assert!(world.router.list().transports.is_empty());
    assert_eq!(world.events, []);
    open(&mut world, &offer, slots).expect("the valid one is accepted");
}

#[test]
fn a_refused_further_offer_leaves_the_call_alone() {
    let mut world = World::new();
    let publisher = world.join(&[1], 0);
    let subscriber = world.join(&[], 1);
    world.bind(subscriber, 0, 1, (publisher, 0));
    let transport = world.clients[subscriber].id();
    for offer in
        ["", "v=0\r\nm=audio 9 X 0\r\n", "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:q\r\n"]
    {
        let command = Renegotiate { transport, offer: offer.into(), slots: Vec::new() };
        let error = world.router.renegotiate(world.now, &command).expect_err("refused");
        assert_eq!(error.code(), "offer_refused");
    }
    world.play(std::time::Duration::from_millis(300));
    assert!(world.clients[subscriber].received.len() > 18);
}

#[test]
fn limits_are_told_as_such() {
    let mut world = World::new();
    let (offer, slots) = valid_offer(&world);
    let many = vec![slots[0]; 65];
    assert_eq!(open(&mut world, &offer, many).expect_err("refused").code(), "limit_reached");
}

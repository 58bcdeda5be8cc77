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

#[test]
fn absurd_offers_are_refused_quickly() {
    let mut world = World::new();
    let (offer, _) = valid_offer(&world);
    let many = |count: usize, line: &dyn Fn(usize) -> String| {
        let lines: String = (0..count).map(|n| line(n) + "\r\n").collect();
        format!("{offer}{lines}")
    };
    let cases: Vec<(&str, String)> = vec![
        ("encodings", many(200, &|n| format!("a=rid:r{n} send"))),
        ("sources", many(4000, &|n| format!("a=ssrc:{} cname:x", n + 1))),
        ("groups of sources", many(4000, &|n| format!("a=ssrc-group:FID {n} {}", n + 1))),
        ("extensions", many(3000, &|n| format!("a=extmap:{} urn:x", n % 255 + 1))),
        ("formats", many(4000, &|n| format!("a=rtcp-fb:{} nack", n % 128))),
        ("parameters", many(4000, &|n| format!("a=fmtp:{} x={n}", n % 128))),
        ("unknown attributes", many(15_000, &|n| format!("a=x{n}"))),
        ("simulcast", many(1, &|_| format!("a=simulcast:send {}", vec!["h"; 3000].join(";")))),
        ("a long line", many(1, &|_| format!("a=x:{}", "y".repeat(150_000)))),
        ("a long number", many(1, &|_| format!("a=ssrc:{} cname:x", "9".repeat(5000)))),
        ("a long name", offer.replace("o=", &format!("o={}", "y".repeat(5000)))),
    ];
    let start = std::time::Instant::now();
    for (what, offer) in cases {
        let error = open(&mut world, &offer, Vec::new()).expect_err(what);
        assert_eq!(error.code(), "offer_refused", "{what}: {error}");
        assert!(error.to_string().len() < 400, "{what} is not sent back");
    }
    // Not even parsing takes more than a millisecond each; a loaded machine has a hundred times that.
    assert!(start.elapsed() < std::time::Duration::from_secs(2), "{:?}", start.elapsed());
    assert!(world.router.list().transports.is_empty());
}

#[test]
fn opus_may_repeat_itself_in_band_in_every_answer_to_a_browser() {
    for offer in [
        include_str!("../../fuzz/corpus/offers/chromium-publisher.sdp"),
        include_str!("../../fuzz/corpus/offers/chromium-pairs.sdp"),
    ] {
        let mut world = World::new();
        let command = OpenTransport {
            seat: "seat".into(),
            epoch: 1,
            offer: offer.into(),
            slots: Vec::new(),
            group: None,
        };
        let answer = world.router.open_transport(world.now, command).expect("an answer").answer;
        let sounds: Vec<_> = answer.split("m=audio ").skip(1).collect();
        assert!(!sounds.is_empty());
        for sound in sounds.iter().filter(|sound| !sound.contains("a=inactive")) {
            assert!(sound.contains("useinbandfec=1"), "{sound}");
        }
    }
}

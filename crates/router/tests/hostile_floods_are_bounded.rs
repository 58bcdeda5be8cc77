//! What an authentic client can make the router do is bounded, however much it sends or lies.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tertulia_router_core::{DropCause, Event, TransportState};

use crate::driver::{Change, ClientOptions, Direction};
use crate::hostile_clients_are_contained::{Scene, feedback, mid_extension, video_source};

/// Of `docs/limits.md`, at once: a quarter of a second of 20 MB/s, and 0.4 s of 2,500 and 50,000.
const MEDIA_AT_ONCE: u64 = 5_000_000;
const CONTROL_AT_ONCE: u64 = 1_000;
const ITEMS_AT_ONCE: u64 = 20_000;

#[test]
fn more_media_than_a_transport_may_send_is_dropped_unopened() {
    let mut scene = Scene::new();
    let (_, video) = scene.lines();
    let extension = mid_extension(&video);
    let vp8 = scene.world.clients[scene.hostile].options.codecs.vp8.expect("VP8").0;
    let sent = 4_000;
    for _ in 0..sent {
        scene.say_rtp(vp8, 0x70_0000, &extension, &[1; 1_960]);
    }
    let dropped = scene.world.router.drops().of(DropCause::TooMuch);
    let most = MEDIA_AT_ONCE / 1_960;
    assert!((sent - most..sent - most + 100).contains(&dropped), "{dropped} of {sent}");
    scene.assert_bystanders_are_well();
    // It has its own back once it sends no more than anybody.
    let dropped = scene.world.router.drops().of(DropCause::TooMuch);
    scene.assert_own_call_goes_on();
    assert_eq!(scene.world.router.drops().of(DropCause::TooMuch), dropped);
}

#[test]
fn more_control_packets_than_a_transport_may_send_are_dropped_unopened() {
    let mut scene = Scene::new();
    let sent = 1_500;
    for _ in 0..sent {
        scene.say_rtcp(&[0x80, 201, 0, 1, 0, 0, 0, 1]);
    }
    let dropped = scene.world.router.drops().of(DropCause::TooMuch);
    let expected = sent - CONTROL_AT_ONCE;
    assert!((expected - 2..expected + 50).contains(&dropped), "{dropped} of {sent}");
    scene.assert_bystanders_are_well();
    scene.assert_own_call_goes_on();
}

#[test]
fn small_packets_that_ask_for_much_are_answered_up_to_a_bound() {
    let mut scene = Scene::new();
    scene.world.play(Duration::from_secs(1));
    let media = video_source(&scene.world, scene.hostile);
    let entry = [&media.to_be_bytes()[..], &[1, 0, 0, 0]].concat();
    for _ in 0..800 {
        scene.say_rtcp(&feedback(4, 206, media, &entry.repeat(31)));
    }
    scene.world.play(Duration::from_millis(2_500));
    let transport = scene.world.clients[scene.hostile].id();
    let heard = scene.world.events_of(|event| match event {
        Event::Statistics(s) if s.transport == transport => Some(s.key_frame_requests),
        _ => None,
    });
    let heard = heard.into_iter().max().expect("statistics");
    let range = ITEMS_AT_ONCE / 2..=ITEMS_AT_ONCE + 1;
    assert!(range.contains(&heard), "{heard} of 24,800 commands");
    scene.assert_bystanders_are_well();
}

#[test]
fn many_reports_in_one_packet_are_answered_by_one() {
    const EXTENDED_REPORT: u8 = 207;
    let mut scene = Scene::new();
    let hostile = scene.hostile;
    let answers = Rc::new(Cell::new(0));
    let counted = Rc::clone(&answers);
    scene.world.let_through(move |direction, datagram| {
        let is_answer = matches!(datagram, [128..=191, EXTENDED_REPORT, ..]);
        if direction == Direction::ToClient(hostile) && is_answer {
            counted.set(counted.get() + 1);
        }
        true
    });
    let reference = [&[0x80, EXTENDED_REPORT, 0, 4, 0, 0, 0, 7, 4, 0, 0, 2][..], &[9; 8]].concat();
    for _ in 0..100 {
        scene.say_rtcp(&reference.repeat(32));
    }
    assert_eq!(answers.get(), 100);
    scene.assert_bystanders_are_well();
    scene.assert_own_call_goes_on();
}

/// Transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01) on packets of one run
/// length.
fn arrivals(base: u16, count: u16, reference: u32, number: u8, delta: u8) -> Vec<u8> {
    let mut body = base.to_be_bytes().to_vec();
    body.extend(count.to_be_bytes());
    body.extend(&reference.to_be_bytes()[1..]);
    body.push(number);
    // All came, with a small delta.
    body.extend((0x2000 | count & 0x1fff).to_be_bytes());
    body.resize(body.len() + usize::from(count), delta);
    body.resize(body.len().next_multiple_of(4), 0);
    body
}

#[test]
fn lies_in_feedback_change_nothing_for_others() {
    let mut scene = Scene::new();
    scene.world.play(Duration::from_secs(1));
    let media = video_source(&scene.world, scene.hostile);
    for round in 0..400_u32 {
        let base = scene.dice.next() as u16;
        let count = 1 + (scene.dice.next() % 400) as u16;
        // Numbers of nobody, times that jump to and fro, the same again, and more than anybody sent.
        let reference = [0, round, 0x00ff_ffff - round, scene.dice.next() as u32][round as usize % 4];
        let lie = arrivals(base, count, reference, round as u8, [0, 1, 255][round as usize % 3]);
        let lie = feedback(15, 205, media, &lie);
        scene.say_rtcp(&lie);
        scene.say_rtcp(&lie);
        // Estimates of nothing, of everything, and of what no number can say.
        let mantissa = [[0, 0, 0], [0xff, 0xff, 0xff], [0x03, 0, 1]][round as usize % 3];
        let mut bitrate = b"REMB\x01".to_vec();
        bitrate.extend(mantissa);
        bitrate.extend(media.to_be_bytes());
        scene.say_rtcp(&feedback(15, 206, 0, &bitrate));
        // Reports that lost more than there was, and that were long under way.
        let mut block = media.to_be_bytes().to_vec();
        block.extend([0xff; 16]);
        block.extend(round.to_be_bytes());
        scene.say_rtcp(&[&[0x81, 201, 0, 7, 0, 0, 0, 1][..], &block].concat());
        if round % 20 == 0 {
            scene.world.play(Duration::from_millis(50));
        }
    }
    scene.assert_bystanders_are_well();
    scene.assert_own_call_goes_on();
}

#[test]
fn who_acknowledges_nothing_is_sent_no_more_than_who_does() {
    let mut scene = Scene::new();
    let address = scene.world.clients[scene.hostile].address;
    let sent_in_a_second = |scene: &mut Scene| {
        let before = scene.world.sent_to[&address];
        scene.world.play(Duration::from_secs(1));
        scene.world.sent_to[&address] - before
    };
    let usual = sent_in_a_second(&mut scene);
    let silent = scene.hostile;
    scene.world.let_through(move |direction, datagram| {
        direction != Direction::ToRouter(silent) || !matches!(datagram, [128..=191, 192..=223, ..])
    });
    for _ in 0..3 {
        let unanswered = sent_in_a_second(&mut scene);
        assert!(unanswered <= usual + usual / 4, "{unanswered} bytes instead of {usual}");
    }
    scene.assert_bystanders_are_well();
}

#[test]
fn handshakes_that_nobody_finishes_end_in_time() {
    let mut scene = Scene::new();
    for _ in 0..20 {
        scene.world.open(ClientOptions::default(), &Change { slots: 1, ..Change::default() });
    }
    // Checks get through, and nothing of DTLS.
    let strangers = 4;
    scene.world.let_through(move |direction, datagram| match direction {
        Direction::ToRouter(id) | Direction::ToClient(id) => {
            id < strangers || matches!(datagram, [0..=3, ..])
        }
    });
    let listed = scene.world.router.list().transports.len();
    assert_eq!(listed, 24);
    scene.world.run_for(Duration::from_secs(40));
    let failed = scene.world.events_of(|event| match event {
        Event::TransportState { state: TransportState::Failed, reason, .. } => reason.clone(),
        _ => None,
    });
    assert_eq!(failed.len(), 20, "{failed:?}");
    assert!(failed.iter().all(|reason| reason.contains("did not complete")), "{failed:?}");
    scene.assert_bystanders_are_well();
}

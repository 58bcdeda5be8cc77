//! A slot that changes its source looks like one sender, and never shows the former one again.

use std::time::{Duration, Instant};

use crate::driver::{Change, ClientOptions, Picture, Received, World};

const COLOURS: [u8; 3] = [1, 2, 3];

struct Turn {
    colour: u8,
    audio_from: u32,
    video_from: u32,
    bound_at: Instant,
    unbound_at: Instant,
}

/// Binds the slot to each stream in turn, twice, with a pause of `idle` in between.
fn take_turns(picture: Picture, idle: Duration) -> (World, usize, Vec<Turn>) {
    let mut world = World::new();
    let publish = COLOURS.iter().map(|c| (*c, picture)).collect();
    let change = Change { publish, ..Change::default() };
    let publisher = world.join_with(ClientOptions::default(), &change);
    let subscriber = world.join(&[], 1);
    let mut turns = Vec::new();
    for generation in 1..=6 {
        let stream = (generation as usize - 1) % COLOURS.len();
        let bound_at = world.now;
        let bound = world.bind(subscriber, 0, generation, (publisher, stream));
        world.play(Duration::from_millis(500));
        world.unbind(subscriber, 0, generation);
        turns.push(Turn {
            colour: COLOURS[stream],
            audio_from: bound.audio_rtp_timestamp.expect("audio"),
            video_from: bound.video_rtp_timestamp.expect("video"),
            bound_at,
            unbound_at: world.now,
        });
        world.play(idle);
    }
    world.run_for(Duration::from_millis(50));
    (world, subscriber, turns)
}

fn is_before(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}

fn assert_seamless(packets: &[&Received], turns: &[Turn], from: impl Fn(&Turn) -> u32) {
    assert!(packets.iter().all(|p| p.ssrc == packets[0].ssrc), "one SSRC");
    for pair in packets.windows(2) {
        assert_eq!(pair[1].sequence_number, pair[0].sequence_number + 1, "no gap, no doublet");
        assert!(is_before(pair[0].timestamp, pair[1].timestamp), "timestamps never go back");
    }
    for (number, turn) in turns.iter().enumerate() {
        let is_last = |p: &Received| {
            turns.get(number + 1).is_none_or(|next| is_before(p.timestamp, from(next)))
        };
        let of_turn: Vec<_> =
            packets.iter().filter(|p| !is_before(p.timestamp, from(turn)) && is_last(p)).collect();
        assert!(of_turn.len() >= 10, "turn {number} has {} packets", of_turn.len());
        for packet in of_turn {
            assert_eq!(packet.colour, turn.colour, "turn {number}: the timestamp tells the stream");
        }
    }
}

#[test]
fn the_timestamp_tells_the_binding_and_the_numbers_go_on() {
    for (picture, idle) in [
        (Picture::Vp8, Duration::ZERO),
        (Picture::Vp8, Duration::from_millis(700)),
        (Picture::Vp9, Duration::from_millis(40)),
        (Picture::H264, Duration::ZERO),
    ] {
        let (world, subscriber, turns) = take_turns(picture, idle);
        let client = &world.clients[subscriber];
        let (audio, video) = client.slot_mids(0);
        assert_seamless(&client.received_on(audio), &turns, |t| t.audio_from);
        assert_seamless(&client.received_on(video), &turns, |t| t.video_from);
    }
}

#[test]
fn nothing_of_a_binding_leaves_after_its_end() {
    let (world, subscriber, turns) = take_turns(Picture::Vp8, Duration::from_millis(100));
    let in_flight = Duration::from_millis(5);
    for packet in &world.clients[subscriber].received {
        let is_bound = turns.iter().any(|turn| {
            turn.colour == packet.colour
                && (turn.bound_at..=turn.unbound_at + in_flight).contains(&packet.at)
        });
        assert!(is_bound, "colour {} at {:?}", packet.colour, packet.at);
    }
}

#[test]
fn every_binding_shows_a_key_frame_first() {
    let (world, subscriber, _) = take_turns(Picture::Vp8, Duration::ZERO);
    let client = &world.clients[subscriber];
    let pictures = client.received_on(client.slot_mids(0).1);
    assert!(pictures[0].video.key_frame);
    for pair in pictures.windows(2) {
        if pair[0].colour != pair[1].colour {
            assert!(pair[1].video.key_frame);
        }
    }
}

#[test]
fn picture_identifiers_go_on_counting() {
    for picture in [Picture::Vp8, Picture::Vp9] {
        let (world, subscriber, _) = take_turns(picture, Duration::from_millis(100));
        let client = &world.clients[subscriber];
        for pair in client.received_on(client.slot_mids(0).1).windows(2) {
            let (a, b) = (pair[0].video, pair[1].video);
            assert_eq!(b.picture_id, (a.picture_id + 1) & 0x7fff, "{picture:?}");
            assert_eq!(b.tl0_picture_index, a.tl0_picture_index.wrapping_add(1), "{picture:?}");
        }
    }
}

/// Ticks of 1.7 hours of video.
const EIGHTH: u32 = 1 << 29;

#[test]
fn a_binding_goes_on_when_its_timestamps_have_gone_round() {
    let mut world = World::new();
    let publisher = world.join(&[1], 0);
    let subscriber = world.join(&[], 1);
    world.bind(subscriber, 0, 1, (publisher, 0));
    let (audio, video) = world.clients[subscriber].slot_mids(0);
    for eighth in 0..10 {
        let came = [audio, video].map(|mid| world.clients[subscriber].received_on(mid).len());
        world.play(Duration::from_millis(400));
        for (mid, came) in [audio, video].into_iter().zip(came) {
            let packets = &world.clients[subscriber].received_on(mid)[came..];
            assert!(packets.len() >= 9, "{mid}, eighth {eighth}: {} packets", packets.len());
        }
        let stream = &mut world.clients[publisher].streams[0];
        stream.audio_timestamp = stream.audio_timestamp.wrapping_add(EIGHTH);
        stream.video_timestamp = stream.video_timestamp.wrapping_add(EIGHTH);
    }
}

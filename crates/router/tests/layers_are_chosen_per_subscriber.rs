//! Every subscriber gets the encoding and the temporal layers that it wishes for and bears, as one
//! sender that never jumps.

use std::time::{Duration, Instant};

use str0m::media::{Rid, Simulcast, SimulcastLayer};
use str0m::rtp::RtpWrite;
use tertulia_router_core::{Budget, Generation, SlotIndex, Wishes};

use crate::driver::{Change, ClientId, ClientOptions, Picture, Received, World, size};

/// The encodings in the order of their packets; the last byte of a payload is the index.
const RIDS: [&str; 3] = ["h", "q", "f"];
const SIZES: [(u16, u16); 3] = [(640, 360), (320, 180), (1280, 720)];
const HALF: u8 = 0;
const QUARTER: u8 = 1;
const FULL: u8 = 2;
const BYTES: [usize; 3] = [300, 60, 1000];
/// Temporal layer and switching point of every eighth frame.
const PATTERN: [(u8, bool); 8] = [
    (0, false),
    (2, true),
    (1, true),
    (2, false),
    (0, false),
    (2, false),
    (1, false),
    (2, false),
];
/// The largest encoding takes longer to arrive.
const DELAY: Duration = Duration::from_millis(15);
/// The rest of the time of a frame.
const REST: Duration = Duration::from_millis(25);

struct Studio {
    world: World,
    publisher: ClientId,
    frame: u32,
    live: Vec<u8>,
    /// Packets that pictures had beyond their first.
    rests: u64,
}

impl Studio {
    fn new() -> Self {
        let mut world = World::new();
        let mut simulcast = Simulcast::new();
        for rid in RIDS {
            simulcast.add_send_layer(SimulcastLayer::new(rid));
        }
        let change = Change {
            publish: vec![(9, Picture::Vp8)],
            simulcast: Some(simulcast),
            ..Change::default()
        };
        let publisher = world.join_with(ClientOptions::default(), &change);
        Self { world, publisher, frame: 0, live: vec![HALF, QUARTER, FULL], rests: 0 }
    }

    fn subscriber(&mut self, wishes: Wishes) -> ClientId {
        self.world.watch(self.publisher, &ClientOptions::default(), wishes)
    }

    fn set_budget(&mut self, subscriber: ClientId, budget: Budget) {
        let transport = self.world.clients[subscriber].id();
        let binding = (transport, SlotIndex(0), Generation(1));
        self.world.router.set_budget(self.world.now, binding, budget).expect("it is taken");
        self.world.settle();
    }

    /// Sends 25 frames per second of the live encodings.
    fn play(&mut self, frames: u32) {
        for _ in 0..frames {
            self.frame += 1;
            for layer in [HALF, QUARTER] {
                self.send(layer, Duration::ZERO);
            }
            self.world.run_for(DELAY);
            self.send(FULL, DELAY);
            self.world.run_for(REST);
        }
    }

    fn send(&mut self, layer: u8, age: Duration) {
        if !self.live.contains(&layer) {
            return;
        }
        let client = &mut self.world.clients[self.publisher];
        let rid: Rid = RIDS[usize::from(layer)].into();
        let asked = client.key_frame_requests.iter().any(|(_, _, r)| *r == Some(rid));
        client.key_frame_requests.retain(|(_, _, r)| *r != Some(rid));
        let captured = self.world.now.checked_sub(age).expect("a time");
        let payload = payload(layer, self.frame, asked || self.frame == 1);
        let packet = self.packet(layer, captured, payload);
        self.send_packet(layer, packet);
    }

    /// The next packet of an encoding, the last one of its picture.
    fn packet(&self, layer: u8, captured: Instant, payload: Vec<u8>) -> RtpWrite {
        let number = u64::from(self.frame) + self.rests + 5000 * u64::from(layer);
        let timestamp = 3600 * self.frame + 1_000_000 * u32::from(layer);
        RtpWrite::new(97.into(), number.into(), timestamp, captured, payload)
            .marker(true)
            .nackable(true)
    }

    fn send_packet(&mut self, layer: u8, packet: RtpWrite) {
        let now = self.world.now;
        let client = &mut self.world.clients[self.publisher];
        let video = client.streams[0].video;
        client.send(video, Some(RIDS[usize::from(layer)].into()), packet);
        client.drive(now);
        self.world.settle();
    }

    /// What control was told of pauses since it was asked last; the client obeys.
    fn pauses(&mut self) -> Vec<Vec<String>> {
        let told = self.world.pauses();
        if let Some(paused) = told.last() {
            let sends = |layer: &u8| !paused.contains(&RIDS[usize::from(*layer)].to_owned());
            self.live = [HALF, QUARTER, FULL].into_iter().filter(sends).collect();
        }
        told
    }
}

/// A VP8 payload: I, L and T; 15 bits of picture id; TL0PICIDX; TID and Y; the frame.
fn payload(layer: u8, frame: u32, is_key: bool) -> Vec<u8> {
    let [high, low] = (frame as u16 + 3000 * u16::from(layer)).to_be_bytes();
    let (tid, sync) = PATTERN[frame as usize % 8];
    let tl0 = (frame / 4) as u8 + 50 * layer;
    let (tid, sync) = if is_key { (0, false) } else { (tid, sync) };
    let place = tid << 6 | u8::from(sync) << 5;
    let mut payload = vec![0x90, 0xe0, 0x80 | high, low, tl0, place];
    if is_key {
        let (width, height) = SIZES[usize::from(layer)];
        let ([wl, wh], [hl, hh]) = (width.to_le_bytes(), height.to_le_bytes());
        payload.extend([0x10, 0, 0, 0x9d, 0x01, 0x2a, wl, wh, hl, hh]);
    } else {
        payload.push(0x11);
    }
    payload.resize(BYTES[usize::from(layer)], layer);
    payload
}

fn rate(frame_rate: f64) -> Wishes {
    Wishes { frame_rate: Some(frame_rate), ..Wishes::default() }
}

/// Numbers go on without a gap, and time without a jump.
fn assert_is_one_sender(received: &[&Received]) {
    for pair in received.windows(2) {
        let [a, b] = pair else { panic!("windows of two") };
        assert_eq!(a.ssrc, b.ssrc);
        assert_eq!(b.sequence_number, a.sequence_number + 1);
        assert_eq!(b.video.picture_id, (a.video.picture_id + 1) & 0x7fff);
        let step = b.video.tl0_picture_index.wrapping_sub(a.video.tl0_picture_index);
        assert!(step <= 1, "TL0PICIDX by {step}");
        let ticks = b.timestamp.wrapping_sub(a.timestamp);
        assert!((1..900_000).contains(&ticks), "time goes on: {ticks}");
    }
}

#[test]
fn each_subscriber_gets_the_encoding_nearest_to_its_wishes() {
    let mut studio = Studio::new();
    let best = studio.subscriber(Wishes::default());
    let half = studio.subscriber(size(600, 400));
    let quarter = studio.subscriber(size(100, 100));
    studio.play(75);
    assert_eq!(studio.world.newest(best, 50), vec![FULL; 50]);
    assert_eq!(studio.world.newest(half, 50), vec![HALF; 50]);
    assert_eq!(studio.world.newest(quarter, 50), vec![QUARTER; 50]);
    for subscriber in [best, half, quarter] {
        assert_is_one_sender(&studio.world.seen(subscriber));
    }
}

#[test]
fn another_wish_changes_the_encoding_without_a_jump_in_time() {
    let mut studio = Studio::new();
    let subscriber = studio.subscriber(Wishes::default());
    studio.play(75);
    let start = studio.world.seen(subscriber).last().map(|r| (r.at, r.timestamp)).expect("a packet");
    for (wishes, layer) in [
        (size(320, 180), QUARTER),
        (Wishes::default(), FULL),
        (size(640, 360), HALF),
        (Wishes::default(), FULL),
    ] {
        studio.world.prefer(subscriber, wishes);
        studio.play(25);
        assert_eq!(studio.world.newest(subscriber, 10), vec![layer; 10]);
    }
    let received = studio.world.seen(subscriber);
    assert_is_one_sender(&received);
    let end = received.last().expect("a packet");
    let passed = end.at.duration_since(start.0).as_micros() as i64 * 9 / 100;
    let drift = i64::from(end.timestamp.wrapping_sub(start.1)) - passed;
    assert!(drift.abs() < 90, "the sender reports align the encodings: {drift} ticks");
}

#[test]
fn the_next_best_is_shown_while_the_wanted_one_does_not_come() {
    let mut studio = Studio::new();
    let best = studio.subscriber(Wishes::default());
    let quarter = studio.subscriber(size(320, 180));
    studio.play(50);
    studio.live.retain(|layer| *layer != FULL);
    studio.play(37);
    assert_eq!(studio.world.newest(best, 12), vec![HALF; 12]);
    studio.live = vec![FULL];
    studio.play(50);
    assert_eq!(studio.world.newest(quarter, 25), vec![FULL; 25], "any that lives");
    assert_eq!(studio.world.newest(best, 25), vec![FULL; 25]);
    for subscriber in [best, quarter] {
        assert_is_one_sender(&studio.world.seen(subscriber));
    }
}

#[test]
fn what_stops_without_a_word_is_replaced_within_frames_although_repeats_of_it_still_come() {
    let mut studio = Studio::new();
    let subscriber = studio.subscriber(Wishes::default());
    studio.play(50);
    let mut repeats = Vec::new();
    for _ in 0..8 {
        studio.frame += 1;
        let lost = payload(FULL, studio.frame, false);
        repeats.push(studio.packet(FULL, studio.world.now, lost));
        studio.play(1);
    }
    studio.live.retain(|layer| *layer != FULL);
    let stopped = studio.world.now;
    for repeat in repeats {
        studio.play(1);
        studio.send_packet(FULL, repeat);
    }
    studio.play(10);

    assert_eq!(studio.world.newest(subscriber, 10), vec![HALF; 10]);
    let seen = studio.world.seen(subscriber);
    let current = |r: &&&Received| r.colour == HALF;
    let first = seen.iter().find(current).expect("the next best").at;
    let stood_still = first.duration_since(stopped).as_millis();
    assert!(stood_still < 200, "{stood_still} ms");
}

#[test]
fn what_has_few_frames_is_not_taken_for_stopped() {
    let mut studio = Studio::new();
    let subscriber = studio.subscriber(Wishes::default());
    let play = |studio: &mut Studio| {
        for place in 0..100 {
            studio.live = if place % 5 == 0 { vec![HALF, QUARTER, FULL] } else { vec![HALF, QUARTER] };
            studio.play(1);
        }
    };
    play(&mut studio);
    let since = studio.world.now;
    play(&mut studio);
    assert_eq!(studio.world.count(subscriber, since), 20);
    assert_eq!(studio.world.newest(subscriber, 20), vec![FULL; 20]);
}

/// The largest size rests while nobody watches, and who wishes for it gets it.
fn assert_is_there_at_the_first_wish(studio: &mut Studio) {
    assert_eq!(studio.pauses().last(), Some(&vec!["h".into(), "f".into()]), "nobody watches");

    let best = studio.subscriber(Wishes::default());
    studio.pauses();
    studio.play(25);
    assert_eq!(studio.world.newest(best, 10), vec![FULL; 10]);
}

#[test]
fn an_encoding_whose_first_key_frame_is_lost_is_asked_for_another() {
    let mut studio = Studio::new();
    studio.live = vec![HALF, QUARTER];
    studio.play(1);
    studio.live = vec![HALF, QUARTER, FULL];
    studio.play(125);
    assert_is_there_at_the_first_wish(&mut studio);
}

#[test]
fn an_encoding_whose_first_key_frame_comes_late_rests_and_is_there_at_the_first_wish() {
    let mut studio = Studio::new();
    studio.live = vec![HALF, QUARTER];
    studio.play(2);
    let late = studio.packet(FULL, studio.world.now, payload(FULL, studio.frame, true));
    studio.live = vec![HALF, QUARTER, FULL];
    studio.play(1);
    studio.send_packet(FULL, late);
    studio.play(75);
    assert_is_there_at_the_first_wish(&mut studio);
}

#[test]
fn a_lower_frame_rate_leaves_temporal_layers_out_without_gaps() {
    let mut studio = Studio::new();
    let subscriber = studio.subscriber(Wishes::default());
    studio.play(50);
    for (wish, frames) in [(6.0, 25), (12.0, 50), (30.0, 100)] {
        studio.world.prefer(subscriber, rate(wish));
        studio.play(50);
        let since = studio.world.now;
        studio.play(100);
        let count = studio.world.count(subscriber, since);
        assert!(count.abs_diff(frames) <= 2, "{count} frames at {wish} a second");
    }
    assert_is_one_sender(&studio.world.seen(subscriber));
}

#[test]
fn the_rest_of_a_picture_that_was_left_out_is_left_out_although_it_comes_late() {
    let mut studio = Studio::new();
    studio.live = vec![FULL];
    let subscriber = studio.subscriber(Wishes::default());
    studio.play(50);
    studio.world.prefer(subscriber, rate(6.0));
    studio.play(50);
    // Of the highest temporal layer, as every second one.
    studio.frame += 1 + studio.frame % 2;
    let now = studio.world.now;
    let first = payload(FULL, studio.frame, false);
    let mut second = first.clone();
    // It does not start a partition.
    second[0] = 0x80;
    studio.send_packet(FULL, studio.packet(FULL, now, first).marker(false));
    studio.rests += 1;
    let rest = studio.packet(FULL, now, second);
    studio.world.prefer(subscriber, rate(30.0));
    studio.play(16);
    let since = studio.world.now;
    studio.send_packet(FULL, rest);
    studio.play(16);

    assert_eq!(studio.world.count(subscriber, since), 16, "all layers, without the rest");
    let seen = studio.world.seen(subscriber);
    for pair in seen.windows(2) {
        assert_eq!(pair[1].video.picture_id, (pair[0].video.picture_id + 1) & 0x7fff);
    }
}

#[test]
fn a_budget_limits_what_is_wished_for_and_can_hold_the_video_back() {
    let mut studio = Studio::new();
    let subscriber = studio.subscriber(Wishes::default());
    studio.play(50);
    studio.set_budget(subscriber, Budget::UpTo { encoding: HALF, temporal: 0 });
    studio.play(50);
    let since = studio.world.now;
    studio.play(100);
    assert!(studio.world.newest(subscriber, 25).iter().all(|layer| *layer == HALF));
    assert!(studio.world.count(subscriber, since).abs_diff(25) <= 2);
    studio.set_budget(subscriber, Budget::Nothing);
    studio.play(10);
    let since = studio.world.now;
    studio.play(50);
    assert_eq!(studio.world.count(subscriber, since), 0);
    studio.set_budget(subscriber, Budget::Unlimited);
    studio.play(50);
    assert_eq!(studio.world.newest(subscriber, 25), vec![FULL; 25]);
    assert_is_one_sender(&studio.world.seen(subscriber));
}

#[test]
fn what_is_wanted_and_does_not_come_is_replaced_by_the_next_lower_that_rested() {
    let mut studio = Studio::new();
    let subscriber = studio.subscriber(size(1280, 720));
    studio.play(75);
    assert_eq!(studio.pauses(), [["h"]]);
    studio.play(25);
    // The publisher's network does not bear the largest any more.
    studio.live = vec![QUARTER];
    studio.play(100);
    assert_eq!(studio.pauses(), [Vec::<String>::new()], "the next lower is asked for");
    studio.live = vec![QUARTER, HALF];
    studio.play(25);
    assert_eq!(studio.world.newest(subscriber, 10), vec![HALF; 10]);
    assert_eq!(studio.pauses(), Vec::<Vec<String>>::new(), "and stays");

    studio.live = vec![QUARTER, HALF, FULL];
    studio.play(75);
    assert_eq!(studio.world.newest(subscriber, 10), vec![FULL; 10]);
    assert_eq!(studio.pauses(), [["h"]], "and rests again");
    assert_is_one_sender(&studio.world.seen(subscriber));
}

#[test]
fn encodings_that_nobody_wants_are_paused_and_are_back_at_the_first_wish() {
    let mut studio = Studio::new();
    let subscriber = studio.subscriber(size(640, 360));
    studio.play(25);
    assert_eq!(studio.pauses(), Vec::<Vec<String>>::new(), "not at once");
    studio.play(50);
    assert_eq!(studio.pauses(), [["f"]]);
    studio.play(25);
    studio.world.prefer(subscriber, size(320, 180));
    studio.play(75);
    assert_eq!(studio.pauses(), [["h", "f"]]);
    assert_eq!(studio.world.newest(subscriber, 10), vec![QUARTER; 10]);
    studio.world.unbind(subscriber, 0, 1);
    studio.play(75);
    assert_eq!(studio.pauses(), Vec::<Vec<String>>::new(), "the lowest is never paused");

    let wishes = size(1280, 720);
    let late = studio.world.join(&[], 1);
    studio.world.bind(late, 0, 1, (studio.publisher, 0));
    studio.world.prefer(late, wishes);
    let told = studio.pauses();
    assert!(!told.last().expect("it is told at once").contains(&"f".to_owned()));
    studio.play(25);
    assert_eq!(studio.world.newest(late, 10), vec![FULL; 10], "known from before the pause");
    assert_is_one_sender(&studio.world.seen(late));
}

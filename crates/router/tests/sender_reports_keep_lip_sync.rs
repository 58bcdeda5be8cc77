//! Sender reports that leave a slot come from the publisher's own, so that both lines of a pair are
//! played as they were captured; none leaves before there is something to play.

use std::time::{Duration, SystemTime};

use str0m::media::Mid;
use str0m::rtp::RtpWrite;

use crate::driver::{ClientId, Direction, World};

/// When a subscriber thinks that the newest packet of a line was captured.
fn captured(
    world: &World,
    subscriber: ClientId,
    mid: Mid,
    clock_hz: f64,
) -> (SystemTime, SystemTime) {
    let client = &world.clients[subscriber];
    let packet = *client.received_on(mid).last().expect("a packet");
    let report = client
        .sender_reports
        .iter()
        .rfind(|r| r.ssrc == packet.ssrc)
        .expect("a sender report of the line");
    let ticks = f64::from(packet.timestamp.wrapping_sub(report.timestamp) as i32);
    let offset = Duration::from_secs_f64((ticks / clock_hz).abs());
    let at = if ticks < 0.0 { report.ntp - offset } else { report.ntp + offset };
    let age = world.now.duration_since(packet.at);
    let report_age = world.now.duration_since(report.at);
    // Both were on the way for the same time, so the report's own clock dates the arrival.
    let arrived = report.ntp + report_age - age;
    (at, arrived)
}

/// How long before its arrival a packet was captured, according to the reports, in milliseconds.
fn age_ms(world: &World, subscriber: ClientId, mid: Mid, clock_hz: f64) -> f64 {
    let (at, arrived) = captured(world, subscriber, mid, clock_hz);
    match arrived.duration_since(at) {
        Ok(age) => age.as_secs_f64() * 1000.0,
        Err(early) => -early.duration().as_secs_f64() * 1000.0,
    }
}

fn video_lag_ms(world: &World, subscriber: ClientId) -> f64 {
    let (audio, video) = world.clients[subscriber].slot_mids(0);
    age_ms(world, subscriber, video, 90_000.0) - age_ms(world, subscriber, audio, 48_000.0)
}

#[test]
fn no_report_leaves_a_slot_before_its_first_packet() {
    let mut world = World::new();
    let publisher = world.join(&[1], 0);
    let subscriber = world.join(&[], 2);
    world.play(Duration::from_secs(3));
    assert_eq!(world.clients[subscriber].sender_reports.len(), 0);
    world.bind(subscriber, 0, 1, (publisher, 0));
    world.play(Duration::from_secs(3));
    let client = &world.clients[subscriber];
    let sent: std::collections::HashSet<_> = client.received.iter().map(|r| r.ssrc).collect();
    assert!(client.sender_reports.len() >= 4);
    assert!(
        client.sender_reports.iter().all(|r| sent.contains(&r.ssrc)),
        "the other slot is silent"
    );
    for report in &client.sender_reports {
        let first = client.received.iter().find(|r| r.ssrc == report.ssrc).expect("a packet");
        assert!(first.at <= report.at);
        let ticks = report.timestamp.wrapping_sub(first.timestamp) as i32;
        assert!((-2..900_000).contains(&ticks), "on the slot's clock: {ticks}");
    }
}

#[test]
fn a_slow_camera_is_played_in_sync_with_its_microphone() {
    let mut world = World::new();
    let publisher = world.join(&[1, 2], 0);
    let subscriber = world.join(&[], 1);
    world.clients[publisher].streams[0].video_delay = Duration::from_millis(120);
    world.clients[publisher].streams[1].video_delay = Duration::from_millis(40);
    world.play(Duration::from_secs(3));
    world.bind(subscriber, 0, 1, (publisher, 0));
    world.play(Duration::from_secs(3));
    let lag = video_lag_ms(&world, subscriber);
    assert!((lag - 120.0).abs() < 2.0, "{lag} ms");

    world.unbind(subscriber, 0, 1);
    world.play(Duration::from_millis(300));
    world.bind(subscriber, 0, 2, (publisher, 1));
    world.play(Duration::from_secs(2));
    let lag = video_lag_ms(&world, subscriber);
    assert!((lag - 40.0).abs() < 2.0, "the pair follows its new source: {lag} ms");
}

#[test]
fn a_packet_that_comes_late_does_not_date_what_came_before_it() {
    let mut world = World::new();
    let publisher = world.join(&[1], 0);
    let subscriber = world.join(&[], 1);
    // Without the publisher's reports a packet was captured when it came.
    world.let_through(move |direction, datagram| {
        direction != Direction::ToRouter(publisher) || datagram[1] != 200
    });
    world.bind(subscriber, 0, 1, (publisher, 0));
    world.play(Duration::from_secs(1));
    let client = &mut world.clients[publisher];
    let vp8 = client.options.codecs.video(client.streams[0].picture);
    let stream = &mut client.streams[0];
    stream.video_sequence += 1;
    stream.video_timestamp = stream.video_timestamp.wrapping_add(3600);
    stream.picture_id += 1;
    let (number, at) = (stream.video_sequence, stream.video_timestamp);
    let (mid, payload) = (stream.video, stream.video_payload(false));
    let late = RtpWrite::new(vp8.into(), number.into(), at, world.now, payload).marker(true);
    world.play(Duration::from_millis(400));
    let came = world.seen(subscriber).len();
    world.clients[publisher].send(mid, None, late);
    world.run_for(Duration::from_secs(2));

    assert_eq!(world.seen(subscriber).len(), came + 1, "it is forwarded");
    let (_, video) = world.clients[subscriber].slot_mids(0);
    let client = &world.clients[subscriber];
    let newest = client.received_on(video).into_iter().max_by_key(|packet| packet.sequence_number);
    let newest = newest.expect("a packet");
    let report = client.sender_reports.iter().rfind(|r| r.ssrc == newest.ssrc).expect("a report");
    assert!(report.at > newest.at + Duration::from_millis(500), "after the late packet");
    let ticks = f64::from(report.timestamp.wrapping_sub(newest.timestamp));
    let drift = report.at.duration_since(newest.at).as_secs_f64() * 1000.0 - ticks / 90.0;
    assert!(drift.abs() < 60.0, "the report is {drift} ms off");
}

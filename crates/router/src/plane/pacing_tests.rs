use std::sync::Arc;

use super::*;
use crate::codec::Codec;
use crate::engine::{DescriptorRewrite, Extensions};
use crate::plane::MediaBytes;

const BYTES: usize = 1_000;

fn packet(now: Instant, sequence_number: u64) -> RtpOut {
    RtpOut {
        payload_type: 96,
        sequence_number,
        timestamp: 0,
        captured: now,
        received: None,
        marker: false,
        extensions: Extensions::default(),
        payload: MediaBytes::new(Arc::from([0; BYTES].as_slice()), 0..BYTES),
        rewrite: DescriptorRewrite::default(),
        codec: Codec::Vp8,
    }
}

/// Sends packets of two lines in turn at once, then lets time pass. Returns when each left, with line and number.
fn burst(rate: Option<u64>, packets: u64) -> Vec<(Duration, usize, u64)> {
    let start = Instant::now();
    let mut pacing = Pacing::default();
    pacing.set_rate(rate);
    pacing.fill(start);
    let mut left = Vec::new();
    for number in 0..packets {
        let line = (number % 2) as usize;
        if pacing.must_wait() {
            pacing.hold(start, line, packet(start, number));
        } else {
            pacing.note_sent(BYTES, true);
            left.push((Duration::ZERO, line, number));
        }
    }
    let mut now = start;
    while let Some(at) = pacing.release_at() {
        assert!(at > now || rate.is_none(), "a timer that is due at once, for ever");
        now = now.max(at);
        pacing.fill(now);
        while let Some(Waiting::New { line, packet }) = pacing.next(now) {
            pacing.note_sent(BYTES, true);
            left.push((now - start, line, packet.sequence_number));
        }
    }
    left
}

fn numbers(left: &[(Duration, usize, u64)]) -> Vec<u64> {
    left.iter().map(|(_, _, number)| *number).collect()
}

#[test]
fn without_a_pace_nothing_waits() {
    assert!(burst(None, 500).iter().all(|(at, _, _)| at.is_zero()));
}

#[test]
fn what_exceeds_the_pace_leaves_at_it_and_in_order() {
    // 1 Mbit/s: 125 bytes in a millisecond, and 6,000 saved up.
    let left = burst(Some(1_000_000), 25);
    assert_eq!(numbers(&left), (0..25).collect::<Vec<_>>());
    assert_eq!(left.iter().filter(|(at, _, _)| at.is_zero()).count(), 6);
    let last = left.last().expect("one").0;
    assert!((140..=160).contains(&last.as_millis()), "{last:?}");
}

#[test]
fn a_pace_that_is_above_what_is_sent_delays_nothing() {
    // 30 Mbit/s: 150,000 bytes are saved up.
    assert!(burst(Some(30_000_000), 150).iter().all(|(at, _, _)| at.is_zero()));
}

#[test]
fn nothing_waits_longer_than_a_picture_bears_whatever_the_pace() {
    let left = burst(Some(10_000), 400);
    assert_eq!(numbers(&left), (0..400).collect::<Vec<_>>());
    assert!(left.iter().all(|(at, _, _)| *at <= LONGEST));
    assert!(burst(Some(0), 20).iter().all(|(at, _, _)| *at <= LONGEST));
}

#[test]
fn the_queue_is_bounded_and_loses_nothing() {
    let now = Instant::now();
    let mut pacing = Pacing::default();
    pacing.set_rate(Some(10_000));
    pacing.fill(now);
    for number in 0..=MAX_HELD as u64 + 3 {
        pacing.hold(now, 0, packet(now, number));
    }
    pacing.note_sent(SAVED_BYTES as usize, true);
    let mut due = 0;
    while pacing.next(now).is_some() {
        due += 1;
    }
    assert_eq!(due, 4);
    assert_eq!(pacing.held.len(), MAX_HELD);
}

#[test]
fn what_leaves_again_takes_the_room_of_new_video_and_makes_no_debt() {
    let now = Instant::now();
    let mut pacing = Pacing::default();
    pacing.set_rate(Some(1_000_000));
    pacing.fill(now);
    pacing.note_sent(100_000, false);
    assert!(pacing.must_wait());
    pacing.fill(now + Duration::from_millis(1));
    assert!(!pacing.must_wait());
}

#[test]
fn what_is_held_of_a_line_that_ends_is_handed_out_and_others_stay() {
    let now = Instant::now();
    let mut pacing = Pacing::default();
    pacing.set_rate(Some(1_000_000));
    pacing.fill(now);
    pacing.note_sent(100_000, true);
    for (number, line) in [0, 1, 0, 1, 0].into_iter().enumerate() {
        pacing.hold(now, line, packet(now, number as u64));
    }
    assert_eq!(pacing.let_out(2).count(), 0);
    let numbers = pacing.let_out(1).map(|waiting| match waiting {
        Waiting::Last { line: 1, packet } => packet.sequence_number,
        other => panic!("{other:?}"),
    });
    assert_eq!(numbers.collect::<Vec<_>>(), [3, 1]);
    assert!(pacing.next(now).is_none());
    assert!(pacing.release_at() > Some(now));
    assert!(pacing.is_holding());
}

//! Warnings, stops and returns over time.

use super::*;

/// Feeds `fits` every 200 ms for as long as told; returns what changed and after which 200 ms.
fn play(
    fallback: &mut Fallback,
    from: &mut Instant,
    s: u64,
    fits: bool,
) -> Vec<(u64, FallbackChange)> {
    let mut changes = Vec::new();
    for tick in 0..(s * 5) {
        if let Some(change) = fallback.update(*from, fits) {
            changes.push((tick * 200, change));
        }
        *from += Duration::from_millis(200);
    }
    changes
}

#[test]
fn a_video_that_does_not_fit_is_warned_of_and_then_stopped() {
    let (mut fallback, mut now) = (Fallback::default(), Instant::now());
    assert_eq!(play(&mut fallback, &mut now, 10, true), []);
    let changes = play(&mut fallback, &mut now, 10, false);
    assert_eq!(changes, [(1_000, FallbackChange::Warned), (5_000, FallbackChange::Stopped)]);
    assert!(fallback.is_stopped());
    let changes = play(&mut fallback, &mut now, 10, true);
    assert_eq!(changes, [(5_000, FallbackChange::Returned)]);
    assert!(!fallback.is_stopped());
}

#[test]
fn a_warning_is_lifted_when_it_fits_again() {
    let (mut fallback, mut now) = (Fallback::default(), Instant::now());
    assert_eq!(play(&mut fallback, &mut now, 3, false), [(1_000, FallbackChange::Warned)]);
    assert_eq!(play(&mut fallback, &mut now, 5, true), [(3_000, FallbackChange::Lifted)]);
    // What was suffered before does not count.
    assert_eq!(play(&mut fallback, &mut now, 4, false), [(1_000, FallbackChange::Warned)]);
}

#[test]
fn a_short_fit_between_does_not_save_a_video() {
    let (mut fallback, mut now) = (Fallback::default(), Instant::now());
    play(&mut fallback, &mut now, 3, false);
    play(&mut fallback, &mut now, 1, true);
    assert_eq!(play(&mut fallback, &mut now, 3, false), [(1_000, FallbackChange::Stopped)]);
}

#[test]
fn each_relapse_doubles_the_time_before_the_next_return() {
    let (mut fallback, mut now) = (Fallback::default(), Instant::now());
    for after in [5_000, 10_000, 20_000, 40_000, 60_000, 60_000] {
        play(&mut fallback, &mut now, 6, false);
        let changes = play(&mut fallback, &mut now, after / 1_000 + 1, true);
        assert_eq!(changes, [(after, FallbackChange::Returned)]);
    }
    play(&mut fallback, &mut now, 70, true);
    play(&mut fallback, &mut now, 6, false);
    let changes = play(&mut fallback, &mut now, 6, true);
    assert_eq!(changes, [(5_000, FallbackChange::Returned)]);
}

#[test]
fn a_video_that_may_not_be_stopped_any_more_is_told_so_once() {
    let (mut fallback, mut now) = (Fallback::default(), Instant::now());
    assert_eq!(fallback.reset(), None);
    play(&mut fallback, &mut now, 2, false);
    assert_eq!(fallback.reset(), Some(FallbackChange::Lifted));
    play(&mut fallback, &mut now, 6, false);
    assert_eq!(fallback.reset(), Some(FallbackChange::Returned));
    assert_eq!(fallback.reset(), None);
}

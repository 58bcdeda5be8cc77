//! Every target for a few seconds; `make fuzz` runs them longer.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on fails"
)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tertulia_fuzz::{TARGETS, run};

const BUDGET: Duration = Duration::from_secs(5);

fn fuzz(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target");
    // Another seed each day, so that what has been searched grows and a failure can be repeated.
    let day = SystemTime::now().duration_since(UNIX_EPOCH).expect("a date").as_secs() / 86_400;
    match run(target, day, BUDGET) {
        Ok(cases) => assert!(cases > 100, "{name} tried {cases} inputs"),
        Err(failure) => {
            // Panics are silent while fuzzing.
            println!("{failure}");
            panic!("{name} failed");
        }
    }
}

#[test]
fn datagrams_of_strangers_and_forgers_end_nothing() {
    fuzz("datagrams");
}

#[test]
fn sealed_packets_end_nothing() {
    fuzz("sealed");
}

#[test]
fn offers_are_answered_or_refused() {
    fuzz("offers");
}

#[test]
fn requests_of_the_link_are_read_or_refused() {
    fuzz("link");
}

#[test]
fn descriptors_are_rewritten_in_their_place() {
    fuzz("descriptors");
}

//! Every target for a few seconds; `make fuzz` runs them longer.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on fails"
)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tertulia_fuzz::{TARGETS, run};

/// For what runs a router.
const BUDGET: Duration = Duration::from_secs(5);
/// For parsers alone, which try a thousand times as many inputs.
const BUDGET_OF_A_PARSER: Duration = Duration::from_secs(1);

fn fuzz(name: &str) {
    fuzz_for(name, BUDGET);
}

fn fuzz_for(name: &str, budget: Duration) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target");
    // Another seed each day, so that what has been searched grows and a failure can be repeated.
    let day = SystemTime::now().duration_since(UNIX_EPOCH).expect("a date").as_secs() / 86_400;
    match run(target, day, budget) {
        // Few, because a machine that builds something beside has little left for this.
        Ok(cases) => assert!(cases > 10, "{name} tried {cases} inputs"),
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

#[test]
fn rtp_is_read_as_it_was_written() {
    fuzz_for("rtp", BUDGET_OF_A_PARSER);
}

#[test]
fn rtcp_is_read_to_its_end() {
    fuzz_for("rtcp", BUDGET_OF_A_PARSER);
}

#[test]
fn changed_packets_are_not_opened() {
    fuzz_for("srtp", BUDGET_OF_A_PARSER);
}

#[test]
fn dependency_descriptors_are_rewritten_as_they_were_read() {
    fuzz_for("dependencies", BUDGET_OF_A_PARSER);
}

#[test]
fn a_plane_alone_repeats_within_its_share_and_says_what_its_peer_can_open() {
    fuzz_for("plane", BUDGET_OF_A_PARSER);
}

#[test]
fn the_door_tells_strangers_nothing_and_frames_are_cut_where_they_end() {
    fuzz_for("tcp", BUDGET_OF_A_PARSER);
}

//! The program as control and clients see it: a real process, a real Unix socket, real UDP.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]
#![allow(unreachable_pub, reason = "the harness is written like a library")]

mod harness;
mod real_time;

//! What the router does, seen by scripted clients under virtual time.
//!
//! Each module is one behaviour. The clients are str0m peers; nothing here opens a socket, sleeps or
//! reads a clock beyond one starting point.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]
#![allow(unreachable_pub, reason = "the driver is written like a library")]

/// How many shards the router has.
const SHARDS: u16 = 1;

include!("behaviours.in");
mod forwarding_allocates_nothing;

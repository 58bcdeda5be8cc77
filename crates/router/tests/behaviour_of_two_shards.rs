//! What the router does when its clients are spread over two shards: the same as with one.
//!
//! Each client is on another shard than the one before, and its datagrams come to the wrong one.
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
const SHARDS: u16 = 2;

include!("behaviours.in");

/// Only where there are several.
mod packets_cross_shards_once;

//! Fuzzing on stable Rust: seeds that are real, mutations that know the structure, targets that watch
//! more than crashes.
//!
//! A run is determined by its seed, which is printed. Before anything is mutated, every file of
//! `corpus/NAME/` is tried as it is: an input that once broke something is kept there and is a test
//! from then on.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a development tool that cannot go on fails"
)]

#[allow(
    dead_code,
    unused_imports,
    missing_docs,
    unreachable_pub,
    reason = "the driver of the router's own tests"
)]
#[path = "../../router/tests/driver/mod.rs"]
mod driver;
mod mutation;
mod run;
mod targets;

/// How many shards the driver's router has.
const SHARDS: u16 = 1;

pub use run::{Failure, run};
pub use targets::{TARGETS, Target};

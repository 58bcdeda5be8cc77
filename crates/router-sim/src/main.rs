//! Simulates as many runs as one likes.
//!
//! `cargo run --release -p tertulia-router-sim -- [--seeds N] [--seed N]`

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for developers")]

use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tertulia_router_sim::run_all;

fn main() -> ExitCode {
    let (mut seeds, mut seed) = (5_000, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let number = arguments.next().and_then(|text| text.parse::<u64>().ok());
        match (argument.as_str(), number) {
            ("--seeds", Some(number)) => seeds = number,
            ("--seed", Some(number)) => (seeds, seed) = (1, Some(number)),
            _ => {
                eprintln!("usage: tertulia-router-sim [--seeds N] [--seed N]");
                return ExitCode::from(2);
            }
        }
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let first = seed.unwrap_or(now.as_secs() << 20);
    println!("seeds {first} to {}", first + seeds - 1);
    let began = Instant::now();
    let (totals, failures) = run_all(first..first + seeds);
    for failure in failures.iter().take(3) {
        eprintln!("{failure}\n");
    }
    for failure in failures.iter().skip(3) {
        eprintln!("seed {}: {}", failure.seed, failure.violation);
    }
    println!("{totals:?}");
    if let Some(what) = totals.lack(seeds).filter(|_| seeds >= 60) {
        eprintln!("too few {what}");
        return ExitCode::from(1);
    }
    let took = began.elapsed().as_secs_f64();
    println!("{seeds} runs in {took:.1} s, {} failed", failures.len());
    ExitCode::from(u8::from(!failures.is_empty()))
}

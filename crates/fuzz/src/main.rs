//! Fuzzes for as long as one likes.
//!
//! `cargo run --release -p tertulia-fuzz -- [TARGET …] [--seconds N] [--seed N]`

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for developers")]

use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tertulia_fuzz::{TARGETS, run};

fn main() -> ExitCode {
    let mut names = Vec::new();
    let (mut seconds, mut seed) = (60, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let number = |text: Option<String>| text.and_then(|text| text.parse::<u64>().ok());
        match argument.as_str() {
            "--seconds" => seconds = number(arguments.next()).unwrap_or(seconds),
            "--seed" => seed = number(arguments.next()),
            _ => names.push(argument),
        }
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seed = seed.unwrap_or(now.as_nanos() as u64);
    let known = |name: &String| TARGETS.iter().any(|target| target.name == name);
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        eprintln!("{unknown} is no target; the targets are:");
        for target in TARGETS {
            eprintln!("  {}", target.name);
        }
        return ExitCode::from(2);
    }
    let mut is_clean = true;
    for target in TARGETS.iter().filter(|t| names.is_empty() || names.iter().any(|n| n == t.name)) {
        match run(target, seed, Duration::from_secs(seconds)) {
            Ok(cases) => println!("{}: {cases} inputs", target.name),
            Err(failure) => {
                eprintln!("{failure}");
                is_clean = false;
            }
        }
    }
    if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

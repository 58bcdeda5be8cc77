//! Running a target for a while.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::{Duration, Instant};
use std::{fmt, fs};

use crate::driver::forgery::Dice;
use crate::mutation::mutate;
use crate::targets::{Check, Target};

/// No input may take this long; a loaded machine is slow, and the usual input takes microseconds.
const LONGEST: Duration = Duration::from_secs(5);
/// Attempts to make a failing input smaller.
const SHORTENINGS: usize = 2000;

/// What a panic has to say is part of the failure; while inputs are shortened it would be said a
/// thousand times.
static SILENCE: Once = Once::new();

/// An input that broke something.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Name of the target.
    pub target: &'static str,
    /// What the run was started with.
    pub seed: u64,
    /// How many inputs came before it.
    pub case: u64,
    /// What went wrong.
    pub cause: String,
    /// As small as it could be made.
    pub input: Vec<u8>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, seed, case, cause, input } = self;
        writeln!(f, "{target} failed with seed {seed} at input {case}: {cause}")?;
        writeln!(f, "keep the input as a file in crates/fuzz/corpus/{target}/; its bytes:")?;
        match std::str::from_utf8(input) {
            Ok(text) if !text.contains('\0') => write!(f, "{text:?}"),
            _ => input.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
        }
    }
}

/// Tries the corpus, then mutated inputs until `budget` is over. Returns how many inputs it tried.
pub fn run(target: &Target, seed: u64, budget: Duration) -> Result<u64, Failure> {
    println!("{} seed {seed}", target.name);
    SILENCE.call_once(|| std::panic::set_hook(Box::new(|_| {})));
    let mut dice = Dice(seed);
    let mut seeds = (target.seeds)();
    seeds.extend(corpus(target.name));
    let mut check = (target.start)();
    let end = Instant::now() + budget;
    let mut case = 0;
    loop {
        let planted = usize::try_from(case).ok().and_then(|case| seeds.get(case));
        let input = match planted {
            Some(seed) => seed.clone(),
            None if Instant::now() >= end => return Ok(case),
            None => mutate(&mut dice, target.structure, &seeds),
        };
        if let Err(cause) = try_one(&mut check, &input) {
            let input = shorten(target, input);
            return Err(Failure { target: target.name, seed, case, cause, input });
        }
        case += 1;
    }
}

fn try_one(check: &mut Check, input: &[u8]) -> Result<(), String> {
    let start = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(|| check(input)));
    let elapsed = start.elapsed();
    match outcome {
        Err(cause) => {
            let text = cause.downcast_ref::<String>().cloned();
            let text = text.or_else(|| cause.downcast_ref::<&str>().map(|s| (*s).to_owned()));
            Err(format!("it panicked: {}", text.unwrap_or_default()))
        }
        Ok(Err(cause)) => Err(cause),
        Ok(Ok(())) if elapsed > LONGEST => Err(format!("it took {elapsed:?}")),
        Ok(Ok(())) => Ok(()),
    }
}

/// Cuts pieces out for as long as a fresh target still fails.
fn shorten(target: &Target, mut input: Vec<u8>) -> Vec<u8> {
    let end = Instant::now() + Duration::from_secs(20);
    let fails = |input: &[u8]| try_one(&mut (target.start)(), input).is_err();
    if !fails(&input) {
        return input;
    }
    let mut piece = (input.len() / 2).max(1);
    let mut attempts = 0;
    while attempts < SHORTENINGS && Instant::now() < end {
        let mut at = 0;
        let mut is_shorter = false;
        while at < input.len() && attempts < SHORTENINGS && Instant::now() < end {
            let mut candidate = input.clone();
            candidate.drain(at..(at + piece).min(candidate.len()));
            attempts += 1;
            if fails(&candidate) {
                input = candidate;
                is_shorter = true;
            } else {
                at += piece;
            }
        }
        if piece == 1 && !is_shorter {
            break;
        }
        piece = (piece / 2).max(1);
    }
    input
}

/// Where a target's kept inputs are.
fn corpus_folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name)
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let files = fs::read_dir(corpus_folder(name)).into_iter().flatten().flatten();
    let mut paths: Vec<_> = files.map(|file| file.path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("a readable file")).collect()
}

//! The forwarding core on a virtual clock, among scripted peers, on a bad network, under random
//! commands: one seed is one run.
//!
//! ICE and DTLS are left out: an engine of the simulator's own ([`engine`]) knows the keys from the
//! beginning, so that a run of twenty seconds takes milliseconds. RTP, RTCP and SRTP are real, and
//! everything behind the engine is the router's own code, its media plane included. What must hold,
//! whatever happens, stands in [`watch`] and [`witness`].
//!
//! A run that breaks something is repeated with a trace, and the end of that is what a person reads.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::match_wildcard_for_single_variants,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::panic,
    clippy::struct_excessive_bools,
    reason = "a development tool that cannot go on fails"
)]
#![forbid(unsafe_code)]

mod beginnings;
mod calm;
mod climate;
pub mod engine;
mod keys;
mod layered;
mod load;
mod look;
mod moves;
mod network;
mod novelty;
mod numbers;
mod peer;
mod pictures;
mod requests;
mod script;
pub mod shards;
mod sound;
mod stream;
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::cast_possible_truncation,
    reason = "a part of the driver of the router's own tests"
)]
#[path = "../../router/tests/driver/structure.rs"]
mod structure;
mod told;
mod trace;
mod voice;
pub mod watch;
mod wire;
mod wishes;
pub mod witness;
mod world;

use std::{fmt, panic};

/// What a run did, so that a test can see that it did something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Commands that control gave.
    pub commands: u64,
    /// Those that the router refused.
    pub refused: u64,
    /// Media packets that publishers sent.
    pub published: u64,
    /// Media packets that left the router for subscribers.
    pub forwarded: u64,
    /// Those that left once more because a subscriber asked.
    pub repeated: u64,
    /// Bindings from which at least one packet was forwarded.
    pub bindings: u64,
    /// How often a publisher was told that nobody needs some of its sizes.
    pub pauses: u64,
    /// How often a video was left out for its subscriber's bandwidth.
    pub left_out: u64,
    /// How often a video that was left out came back.
    pub came_back: u64,
    /// Frames of streams with layers inside that left.
    pub layered: u64,
    /// How often somebody was given an audio slot.
    pub seated: u64,
    /// Packets that went from one shard to another.
    pub handed_over: u64,
    /// Packets of video that subscribers asked for again, and those of them that left again.
    pub asked_again: u64,
    /// See there.
    pub answered: u64,
    /// Packets that publishers were asked for again.
    pub missed: u64,
    /// How often somebody came back on another transport.
    pub returns: u64,
    /// Datagrams that were forged or repeated by somebody else.
    pub forged: u64,
}

impl std::ops::AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.commands += other.commands;
        self.refused += other.refused;
        self.published += other.published;
        self.forwarded += other.forwarded;
        self.repeated += other.repeated;
        self.bindings += other.bindings;
        self.pauses += other.pauses;
        self.left_out += other.left_out;
        self.came_back += other.came_back;
        self.layered += other.layered;
        self.seated += other.seated;
        self.handed_over += other.handed_over;
        self.asked_again += other.asked_again;
        self.answered += other.answered;
        self.missed += other.missed;
        self.returns += other.returns;
        self.forged += other.forged;
    }
}

impl Totals {
    /// What is missing of what so many runs do, if something is; what is not done is not proved either.
    pub fn lack(&self, runs: u64) -> Option<&'static str> {
        let some = runs / 100;
        let is_done = [
            ("bindings", self.bindings > 10 * runs),
            ("packets across shards", self.handed_over > 50 * runs),
            ("sizes that rest", self.pauses > runs),
            ("videos left out", self.left_out > some),
            ("videos that came back", self.came_back > some),
            ("layers", self.layered > 5 * runs),
            ("audio slots", self.seated > some),
            ("repeats", self.answered * 2 > self.asked_again && self.answered > some),
            ("requests for what is lost", self.missed > some),
            ("returns", self.returns > some),
            ("forged datagrams", self.forged > runs),
        ];
        is_done.iter().find(|(_, is_done)| !is_done).map(|(name, _)| *name)
    }
}

/// A run in which something did not hold.
#[derive(Debug)]
pub struct Failure {
    /// It determines the run.
    pub seed: u64,
    /// What did not hold.
    pub violation: String,
    /// The end of what happened.
    pub trace: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.trace {
            writeln!(f, "{line}")?;
        }
        writeln!(f, "seed {}: {}", self.seed, self.violation)?;
        write!(f, "    make sim SEED={}", self.seed)
    }
}

/// Runs one seed.
pub fn run(seed: u64) -> Result<Totals, Box<Failure>> {
    let fail = |violation, trace| Box::new(Failure { seed, violation, trace });
    match panic::catch_unwind(|| world::World::new(seed, false).run()) {
        Ok(Ok(totals)) => return Ok(totals),
        Ok(Err(_)) => {}
        Err(_) => return Err(fail("the router panicked, see above".into(), Vec::new())),
    }
    // Once more, and this time with a trace: it costs more than the run.
    Err(match world::World::new(seed, true).run() {
        Ok(_) => fail("it failed, and not once more: the seed does not decide".into(), Vec::new()),
        Err((violation, trace)) => fail(violation, trace),
    })
}

/// Runs many seeds on all cores. Returns what they did, and those that failed, by seed.
pub fn run_all(seeds: impl Iterator<Item = u64>) -> (Totals, Vec<Failure>) {
    let seeds: Vec<u64> = seeds.collect();
    let next = std::sync::atomic::AtomicUsize::new(0);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut totals = Totals::default();
    let mut failures = Vec::new();
    std::thread::scope(|scope| {
        let work = || {
            let (mut totals, mut failures) = (Totals::default(), Vec::new());
            while let Some(seed) =
                seeds.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
            {
                match run(*seed) {
                    Ok(one) => totals += one,
                    Err(failure) => failures.push(*failure),
                }
            }
            (totals, failures)
        };
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            let (some, failed) = worker.join().expect("a worker");
            totals += some;
            failures.extend(failed);
        }
    });
    failures.sort_by_key(|failure| failure.seed);
    (totals, failures)
}

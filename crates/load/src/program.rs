//! The composition root: reads the plan, starts the threads, leads the run, tells what came of it.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::json;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::args::{Args, UsageError};
use crate::client::{Outcome, PeerFactory};
use crate::conductor::{Conductor, Progress, Schedule, Step};
use crate::measure::Tally;
use crate::plan::{Plan, Seat};
use crate::reach::Reach;
use crate::report::{Facts, Report};
use crate::signalling::Server;
use crate::worker::{Ended, Live, Order, Worker, WorkerOptions};

/// How often figures are looked at.
const LOOK: Duration = Duration::from_millis(25);
const PROGRESS: Duration = Duration::from_secs(1);
/// File descriptors besides two for each client.
const OTHER_FILES: u64 = 64;

/// Why a run came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// The command line.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// The plan, the server's address.
    #[error("{0}")]
    Input(String),
    /// Somebody else's server.
    #[error(
        "{0} is not on this machine. Load can bring a service down: ask whoever runs it, and with their permission \
         add --i-have-permission"
    )]
    Permission(std::net::IpAddr),
    /// Nobody could join; the reason of the first.
    #[error("{0}")]
    NobodyJoined(String),
    /// Some clients failed; the report says why.
    #[error("{0} of {1} clients failed")]
    SomeFailed(u64, usize),
    /// The operating system refused something basic.
    #[error("the operating system refused a resource ({0}); check the limits of the process")]
    System(#[from] io::Error),
    /// A bug.
    #[error("a thread ended unexpectedly; this is a bug")]
    ThreadEnded,
}

impl ProgramError {
    /// The exit status: 2 bad usage or input, 1 everything else.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Input(_) | Self::Permission(_) => 2,
            _ => 1,
        }
    }
}

/// Runs the load until its time is over or a signal comes.
pub fn run(args: &Args) -> Result<(), ProgramError> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // The second signal ends the program at once.
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop))?;
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    let server = Server::find(&args.url).map_err(ProgramError::Input)?;
    let reach = if args.has_permission { Reach::Anywhere } else { Reach::ThisMachine };
    if !reach.includes(server.address.ip()) {
        return Err(ProgramError::Permission(server.address.ip()));
    }
    let plan = Plan::read(io::stdin()).map_err(ProgramError::Input)?;
    let clients = plan.seats().len();
    args.check_clients(clients)?;
    allow_open_files(clients)?;
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..));
    let mut run = Run::start(args, plan, &server, reach, seed)?;
    run.lead(&stop)?;
    run.finish()
}

struct Run<'a> {
    args: &'a Args,
    plan: Plan,
    workers: Vec<Worker>,
    ended: Receiver<Ended>,
    conductor: Conductor,
    facts: Facts,
    started_at: Instant,
    ready_at: Option<Instant>,
    told_at: Instant,
}

impl<'a> Run<'a> {
    fn start(
        args: &'a Args,
        plan: Plan,
        server: &Server,
        reach: Reach,
        seed: u64,
    ) -> io::Result<Self> {
        let seats = if args.stay.is_some() { plan.seats_by_session() } else { plan.seats() };
        let now = Instant::now();
        let subscriptions =
            seats.iter().map(|seat| plan.streams_for(*seat).min(args.max_streams)).sum();
        let (tell, ended) = channel();
        let peers = PeerFactory::new(reach);
        let workers = (0..args.threads as u64).map(|index| {
            let (server, drop_share) = (server.clone(), args.drop_share);
            let options = WorkerOptions { server, drop_share, seed: seed.wrapping_add(index) };
            Worker::start(options, peers.clone(), tell.clone())
        });
        let schedule = Schedule {
            ramp: args.ramp,
            churn: args.churn,
            stay: args.stay,
            duration: args.duration,
            subscriptions,
        };
        let clients = seats.len();
        Ok(Self {
            args,
            plan,
            workers: workers.collect::<io::Result<_>>()?,
            ended,
            conductor: Conductor::new(schedule, seats, now, seed),
            facts: Facts {
                clients,
                subscriptions,
                replaced: 0,
                measured: Duration::ZERO,
                joining: Duration::ZERO,
                seed,
            },
            started_at: now,
            ready_at: None,
            told_at: now,
        })
    }

    /// Until the conductor has nothing more to do.
    fn lead(&mut self, stop: &AtomicBool) -> Result<(), ProgramError> {
        let mut is_stopping = false;
        while let Some(deadline) = self.conductor.deadline() {
            let now = Instant::now();
            let wait = deadline.saturating_duration_since(now).min(LOOK);
            match self.ended.recv_timeout(wait) {
                Ok(ended) => self.note(&ended)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(ProgramError::ThreadEnded),
            }
            if stop.load(Ordering::Relaxed) && !is_stopping {
                is_stopping = true;
                self.conductor.interrupt(Instant::now());
            }
            let progress = self.progress();
            while let Some(step) = self.conductor.poll(Instant::now(), progress) {
                self.take(step);
            }
            self.tell_progress(progress);
        }
        Ok(())
    }

    /// A client ended; if none ever joined there is no run.
    fn note(&mut self, ended: &Ended) -> Result<(), ProgramError> {
        self.conductor.handle_end(ended.member);
        let Outcome::Failed(sentence) = &ended.outcome else { return Ok(()) };
        if self.sum(|live| &live.joined) == 0 {
            return Err(ProgramError::NobodyJoined(sentence.clone()));
        }
        Ok(())
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Join { number, seat } => {
                let options = self.options_of(seat);
                self.order(number, Order::Join(number, Box::new(options)));
            }
            Step::Leave(number) => self.order(number, Order::Leave(number)),
            Step::Ready => {
                let now = Instant::now();
                self.ready_at = Some(now);
                self.facts.joining = now - self.started_at;
                self.tell(&self.figures("ready", now - self.started_at));
            }
            Step::StopSending => {
                self.facts.measured = self.ready_at.map_or(Duration::ZERO, |at| at.elapsed());
                self.tell(&self.figures("stopped", self.facts.measured));
                self.everybody(|| Order::StopSending);
            }
            Step::Finish => self.everybody(|| Order::Finish),
        }
    }

    fn options_of(&self, seat: Seat) -> crate::client::MemberOptions {
        let token = self.plan.sessions.get(seat.session).map_or("", |session| &session.token);
        self.args.member(seat.role, token, self.plan.streams_for(seat))
    }

    fn order(&self, member: usize, order: Order) {
        if let Some(worker) = self.workers.get(member % self.workers.len().max(1)) {
            worker.order(order);
        }
    }

    fn everybody(&self, order: impl Fn() -> Order) {
        for worker in &self.workers {
            worker.order(order());
        }
    }

    fn sum(&self, figure: impl Fn(&Live) -> &AtomicU64) -> u64 {
        self.workers.iter().map(|worker| figure(worker.live()).load(Ordering::Relaxed)).sum()
    }

    fn progress(&self) -> Progress {
        Progress {
            inside: self.sum(|live| &live.inside) as usize,
            settled: self.sum(|live| &live.settled) as usize,
            subscriptions: self.sum(|live| &live.subscriptions_started) as usize,
            failed: self.sum(|live| &live.failed) as usize,
        }
    }

    /// A line that says how far everything is.
    fn figures(&self, kind: &str, time: Duration) -> serde_json::Value {
        let progress = self.progress();
        json!({
            "type": kind, "seconds": time.as_secs_f64(),
            "complete": !self.conductor.was_incomplete,
            "inside": progress.inside,
            "settled": progress.settled,
            "subscriptions": progress.subscriptions,
            "failed": progress.failed,
            "packets_sent": self.sum(|live| &live.sent),
            "packets_received": self.sum(|live| &live.received),
            "bytes_received": self.sum(|live| &live.received_bytes),
        })
    }

    /// A line of JSON for programs.
    fn tell(&self, line: &serde_json::Value) {
        if self.args.json {
            // A reader that went away is no reason to leave clients without a goodbye.
            let _ = writeln!(io::stdout(), "{line}");
        }
    }

    fn tell_progress(&mut self, progress: Progress) {
        if self.told_at.elapsed() < PROGRESS {
            return;
        }
        self.told_at = Instant::now();
        self.tell(&self.figures("progress", self.started_at.elapsed()));
        if !self.args.json && io::stderr().is_terminal() {
            let _ = write!(
                io::stderr(),
                "\r\x1b[K{} of {} clients in, {} of {} subscriptions, {} packets sent, {} received",
                progress.inside,
                self.facts.clients,
                progress.subscriptions,
                self.facts.subscriptions,
                self.sum(|live| &live.sent),
                self.sum(|live| &live.received)
            );
        }
    }

    fn finish(mut self) -> Result<(), ProgramError> {
        self.facts.replaced = self.conductor.replaced;
        let mut tally = Tally::default();
        for worker in self.workers {
            tally.merge(worker.join().ok_or(ProgramError::ThreadEnded)?);
        }
        let report = Report::new(&tally, self.facts);
        let mut out = io::stdout();
        if self.args.json {
            let mut line = json!({"type": "result"});
            if let (Some(line), Ok(serde_json::Value::Object(fields))) =
                (line.as_object_mut(), serde_json::to_value(&report))
            {
                line.extend(fields);
            }
            writeln!(out, "{line}")?;
        } else {
            if io::stderr().is_terminal() {
                let _ = write!(io::stderr(), "\r\x1b[K");
            }
            write!(out, "{}", report.table())?;
        }
        match tally.failed() {
            0 => Ok(()),
            failed => Err(ProgramError::SomeFailed(failed, self.facts.clients)),
        }
    }
}

/// Two sockets for each client are more than many shells allow.
fn allow_open_files(clients: usize) -> Result<(), ProgramError> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let wanted = 2 * clients as u64 + OTHER_FILES;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(io::Error::from)?;
    if soft >= wanted {
        return Ok(());
    }
    if hard < wanted {
        return Err(ProgramError::Input(format!(
            "{clients} clients need {wanted} open files and {hard} are allowed; raise the limit (`ulimit -Hn`) or \
             use fewer clients"
        )));
    }
    setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).map_err(io::Error::from)?;
    Ok(())
}

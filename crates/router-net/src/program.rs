//! The composition root: opens everything, starts the threads and waits for the end.

use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::parent_id;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::pipe;
use tertulia_router_core::{Config, Router, Str0mEngines};

use crate::args::{Args, UsageError};
use crate::link::{Link, LinkError, RouterFacts};
use crate::logging;
use crate::shard::{self, Peers, Shard};
use crate::sockets::{self, SocketError};

/// Requests between the link and the shard thread.
const MAX_JOBS: usize = 256;
/// How long media goes on when both control and the supervisor are gone.
const ALONE: Duration = Duration::from_secs(60);
/// How often that is looked at.
const WATCH: Duration = Duration::from_secs(2);

/// Why the program ended other than by a signal.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// The command line.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// The UDP sockets.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The router link.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The operating system refused something basic.
    #[error("the operating system refused a resource ({0}); check the limits of the process")]
    System(#[from] io::Error),
    /// A bug.
    #[error("the shard thread ended; this is a bug, the log says where")]
    ShardEnded,
}

impl ProgramError {
    /// The exit status: 2 bad usage, 3 UDP address, 4 router link, 70 a bug, 71 the system.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Socket(_) => 3,
            Self::Link(_) => 4,
            Self::ShardEnded => 70,
            Self::System(_) => 71,
        }
    }
}

/// Runs the router until SIGTERM or SIGINT, or until it is alone for 60 s.
pub fn run(args: &Args) -> Result<(), ProgramError> {
    logging::start(args.log);
    // First of all, so that no signal finds the program half open and without a handler.
    let (mut bell, ring) = UnixStream::pair()?;
    for signal in [SIGTERM, SIGINT] {
        pipe::register(signal, ring.try_clone()?)?;
    }
    let sockets = sockets::open(&args.bind, args.port)?;
    let bound =
        sockets.iter().map(mio::net::UdpSocket::local_addr).collect::<io::Result<Vec<_>>>()?;
    let local = sockets::advertise(&bound, &args.public_addresses);
    let facts = RouterFacts {
        udp_port: bound.first().map_or(0, std::net::SocketAddr::port),
        public_addresses: local
            .iter()
            .flat_map(|l| &l.advertised)
            .map(|a| a.ip().to_string())
            .collect(),
    };

    let (poll, waker) = shard::poll()?;
    let (jobs, job_queue) = sync_channel(MAX_JOBS);
    let link = Link::new(facts.clone(), jobs, Arc::clone(&waker));
    let stop = Arc::new(AtomicBool::new(false));
    let engines = Box::new(Str0mEngines::new(&local));
    let router = Router::new(Instant::now(), Config::new(local), engines, seed());
    let peers = if args.local_only { Peers::Local(bound) } else { Peers::Any };
    let shard =
        Shard::new(poll, sockets, peers, router, job_queue, Arc::clone(&link), Arc::clone(&stop))?;
    link.listen(&args.link)?;

    let thread = thread::Builder::new().name("shard-0".into()).spawn(move || {
        let _ring = RingOnDrop(ring);
        shard.run()
    })?;
    tracing::info!(udp_port = facts.udp_port, version = env!("CARGO_PKG_VERSION"), "router ready");

    watch(&mut bell, &link, args)?;
    let ended_by_itself = thread.is_finished();
    stop.store(true, Ordering::Release);
    waker.wake()?;
    let result = thread.join();
    // A socket file that is gone already was removed with its folder.
    let _ = fs::remove_file(&args.link);
    match result {
        Ok(Ok(())) if !ended_by_itself => Ok(()),
        Ok(Err(error)) => Err(error.into()),
        _ => Err(ProgramError::ShardEnded),
    }
}

/// Rings when the shard thread ends, however it ends.
struct RingOnDrop(UnixStream);

impl Drop for RingOnDrop {
    fn drop(&mut self) {
        let _ = self.0.write_all(b"x");
    }
}

/// Returns when the bell rings, or when control and the supervisor were both away for 60 s.
fn watch(bell: &mut UnixStream, link: &Link, args: &Args) -> io::Result<()> {
    bell.set_read_timeout(Some(WATCH))?;
    let mut loneliness = Loneliness::default();
    loop {
        match bell.read(&mut [0]) {
            Ok(_) => return Ok(()),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {}
                io::ErrorKind::Interrupted => continue,
                _ => return Err(error),
            },
        }
        let is_orphan = args.supervisor_pid.is_some_and(|pid| parent_id() != pid)
            && !args.supervisor_lock.as_deref().is_some_and(is_held);
        if loneliness.is_over(Instant::now(), link.is_served(), is_orphan) {
            tracing::warn!("control and supervisor are gone; ending");
            return Ok(());
        }
    }
}

/// Whether another process holds this file locked: a supervisor that took over.
fn is_held(lock: &Path) -> bool {
    // Closing the file gives back the lock that the attempt may have got.
    fs::File::open(lock)
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(fs::TryLockError::WouldBlock)))
}

/// For how long nobody has been there.
#[derive(Debug, Default)]
struct Loneliness {
    since: Option<Instant>,
}

impl Loneliness {
    /// Whether both control and the supervisor have been away for long enough.
    fn is_over(&mut self, now: Instant, is_served: bool, is_orphan: bool) -> bool {
        if is_served || !is_orphan {
            self.since = None;
            return false;
        }
        now.saturating_duration_since(*self.since.get_or_insert(now)) >= ALONE
    }
}

/// 64 unpredictable bits from the operating system, by way of the standard hasher's keys.
fn seed() -> u64 {
    RandomState::new().hash_one(Instant::now().elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_supervisor_that_took_over_is_known_by_its_lock() -> io::Result<()> {
        let path = std::env::temp_dir().join(format!("tertulia-lock-{}", std::process::id()));
        let lock = fs::File::create(&path)?;
        assert!(!is_held(&path));
        lock.lock()?;
        assert!(is_held(&path));
        drop(lock);
        assert!(!is_held(&path));
        fs::remove_file(&path)?;
        assert!(!is_held(&path), "no file, no supervisor");
        Ok(())
    }

    #[test]
    fn the_router_ends_only_when_both_have_been_away_for_a_minute() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut loneliness = Loneliness::default();
        assert!(!loneliness.is_over(at(0), false, true));
        assert!(!loneliness.is_over(at(59), false, true));
        assert!(loneliness.is_over(at(60), false, true));
        assert!(!loneliness.is_over(at(61), true, true), "a control came back");
        assert!(!loneliness.is_over(at(62), false, true));
        assert!(!loneliness.is_over(at(100), false, false), "the supervisor lives");
        assert!(!loneliness.is_over(at(1000), false, true));
        assert!(loneliness.is_over(at(1060), false, true));
    }
}

//! The composition root: opens everything, starts the threads and waits for the end.

use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::parent_id;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use mio::{Poll, Token, Waker};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::pipe;
use tertulia_router_core::{Config, LocalAddress, Protocol, Router, ShardIndex, Str0mEngines};

use crate::args::{Args, UsageError};
use crate::doorbell::Doorbell;
use crate::impair::Stage;
use crate::link::{Link, LinkError, RouterFacts};
use crate::logging;
use crate::parcels::Parcels;
use crate::peers::Peers;
use crate::placement::Placement;
use crate::shard::{self, Shard, ShardParts};
use crate::shards::{Address, DoorAddress, Mail, Shards};
use crate::sockets::{self, SocketError, Sockets};
use crate::steering::Steering;
use crate::tcp::{Door, DoorParts};

/// Requests between the link and one shard.
const MAX_JOBS: usize = 256;
/// Messages that wait for one shard or the door; who finds it full keeps what it has, in order.
const MAX_MAIL: usize = 4_096;
/// How often the router looks whether control and the supervisor are there, at the least.
const WATCH: Duration = Duration::from_secs(2);
/// And at the most.
const BUSIEST_WATCH: Duration = Duration::from_millis(50);

/// Why the program ended other than by a signal.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// The command line.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// The sockets.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The router link.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The operating system refused something basic.
    #[error("the operating system refused a resource ({0}); check the limits of the process")]
    System(#[from] io::Error),
    /// A bug.
    #[error("a thread of the router ended; this is a bug, the log says where")]
    ShardEnded,
}

impl ProgramError {
    /// The exit status: 2 bad usage, 3 address or port, 4 router link, 70 a bug, 71 the system.
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
    let sockets = sockets::open(&args.bind, args.port, args.shards)?;
    let mut local = sockets::advertise(&sockets.bound, &args.public_addresses);
    if let Some(conditions) = &args.impair {
        tracing::warn!(?conditions, "the network is made bad on purpose");
        // A stream of TCP cannot lose anything, and a browser that went there would be out of the bad network.
        local.retain(|address| address.protocol == Protocol::Udp);
    }
    let told = local.iter().take(sockets.bound.len()).flat_map(|l| &l.advertised);
    let facts = RouterFacts {
        udp_port: sockets.bound.first().map_or(0, std::net::SocketAddr::port),
        public_addresses: told.map(|address| address.ip().to_string()).collect(),
    };
    let stop = Arc::new(AtomicBool::new(false));
    let crew = Crew::new(args, sockets, local, &facts, &stop)?;
    let link = Arc::clone(&crew.link);
    link.listen(&args.link)?;
    let (shards, threads) = crew.start(&ring)?;
    tracing::info!(
        udp_port = facts.udp_port,
        shards = shards.count(),
        version = env!("CARGO_PKG_VERSION"),
        "router ready"
    );

    watch(&mut bell, &link, args)?;
    let ended_by_itself = threads.iter().any(JoinHandle::is_finished);
    stop.store(true, Ordering::Release);
    for shard in 0..shards.count() {
        shards.ring(shard)?;
    }
    shards.ring_door()?;
    let results: Vec<_> = threads.into_iter().map(JoinHandle::join).collect();
    // A socket file that is gone already was removed with its folder.
    let _ = fs::remove_file(&args.link);
    for result in results {
        result.map_err(|_| ProgramError::ShardEnded)??;
    }
    if ended_by_itself { Err(ProgramError::ShardEnded) } else { Ok(()) }
}

/// The threads before they start.
struct Crew {
    link: Arc<Link>,
    all: Arc<Shards>,
    shards: Vec<Shard>,
    door: Door,
}

type Threads = Vec<JoinHandle<io::Result<()>>>;

impl Crew {
    fn new(
        args: &Args,
        sockets: Sockets,
        local: Vec<LocalAddress>,
        facts: &RouterFacts,
        stop: &Arc<AtomicBool>,
    ) -> Result<Self, ProgramError> {
        let Sockets { udp, tcp, bound } = sockets;
        let first_socket = bound.len();
        let steering = Steering::new(&bound);
        let peers = Arc::new(if args.local_only { Peers::Local(bound) } else { Peers::Any });
        let count = udp.len();
        let (mut addresses, mut ends) = (Vec::new(), Vec::new());
        for (sockets, parcels) in udp.into_iter().zip(Parcels::connect(count)) {
            let (poll, bell) = poll(shard::WAKE)?;
            let (jobs, job_queue) = sync_channel(MAX_JOBS);
            let (mail, mailbox) = sync_channel(MAX_MAIL);
            addresses.push(Address { jobs, mail, bell: Arc::clone(&bell) });
            ends.push((sockets, parcels, poll, bell, job_queue, mailbox));
        }
        let (door_poll, door_bell) = poll(Door::WAKE)?;
        let (door_mail, door_mailbox) = sync_channel(MAX_MAIL);
        let refused = Arc::new(AtomicU64::new(0));
        let door = Door::new(DoorParts {
            poll: door_poll,
            listeners: tcp,
            first_socket,
            peers: Arc::clone(&peers),
            mail: door_mailbox,
            bell: Arc::clone(&door_bell),
            stop: Arc::clone(stop),
            refused: Arc::clone(&refused),
        })?;
        let door_address = DoorAddress { mail: door_mail, bell: door_bell, refused };
        let settings = Config { shards: count as u16, ..Config::new(local) };
        let placement = Placement::new(count, args.group_share, settings.max_transports);
        let all = Arc::new(Shards::new(addresses, door_address, placement, steering));
        let link = Link::new(facts.clone(), Arc::clone(&all));
        let epoch = Instant::now();
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let engines = Str0mEngines::new(&settings.local_addresses)
            .with_time(epoch, since_1970.unwrap_or_default());
        let mut shards = Vec::new();
        for (index, end) in ends.into_iter().enumerate() {
            let (sockets, parcels, poll, bell, jobs, mail) = end;
            let index = ShardIndex(index as u16);
            let config = Config { shard: index, ..settings.clone() };
            let engines = Box::new(engines.clone());
            let impairment = args.impair.map(|conditions| {
                let own_seed = conditions.seed.map(|seed| seed.wrapping_add(u64::from(index.0)));
                Stage::new(&conditions, epoch, own_seed.unwrap_or_else(seed))
            });
            shards.push(Shard::new(ShardParts {
                index,
                poll,
                bell,
                sockets,
                peers: Arc::clone(&peers),
                router: Router::new(Instant::now(), config, engines, seed()),
                jobs,
                mail,
                parcels,
                impairment,
                shards: Arc::clone(&all),
                link: Arc::clone(&link),
                stop: Arc::clone(stop),
            })?);
        }
        Ok(Self { link, all, shards, door })
    }

    /// Starts all of them. `ring` is rung when one ends, however it ends.
    fn start(self, ring: &UnixStream) -> io::Result<(Arc<Shards>, Threads)> {
        let mut threads = Vec::new();
        for (index, shard) in self.shards.into_iter().enumerate() {
            let ring = RingOnDrop(ring.try_clone()?);
            let name = format!("shard-{index}");
            threads.push(thread::Builder::new().name(name).spawn(move || {
                let _ring = ring;
                shard.run()
            })?);
        }
        let (ring, door, all) = (RingOnDrop(ring.try_clone()?), self.door, Arc::clone(&self.all));
        threads.push(thread::Builder::new().name("door".into()).spawn(move || {
            let _ring = ring;
            door.run(|shard, arrival| {
                // A shard whose mailbox is full has no time for another connection.
                let shard = usize::from(shard.0);
                if all.post(shard, Mail::Arrival(arrival)).is_err() {
                    tracing::debug!(shard, "TCP connection refused by a busy shard");
                }
                // A bell that cannot be rung any more is that of a shard that has ended.
                let _ = all.ring(shard);
            })
        })?);
        Ok((self.all, threads))
    }
}

/// A poll and the bell of the thread that will sleep in it.
fn poll(wake: Token) -> io::Result<(Poll, Arc<Doorbell>)> {
    let poll = Poll::new()?;
    let waker = Waker::new(poll.registry(), wake)?;
    Ok((poll, Arc::new(Doorbell::new(waker))))
}

/// Rings when a thread ends, however it ends.
struct RingOnDrop(UnixStream);

impl Drop for RingOnDrop {
    fn drop(&mut self) {
        let _ = self.0.write_all(b"x");
    }
}

/// Returns when the bell rings, or when control is away and the supervisor has been for `args.orphan_grace`.
fn watch(bell: &mut UnixStream, link: &Link, args: &Args) -> io::Result<()> {
    bell.set_read_timeout(Some((args.orphan_grace / 4).clamp(BUSIEST_WATCH, WATCH)))?;
    let mut loneliness = Loneliness::new(args.orphan_grace);
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

/// For how long no supervisor has been there. Nobody then starts control again, which ends by itself after as long.
#[derive(Debug)]
struct Loneliness {
    grace: Duration,
    since: Option<Instant>,
}

impl Loneliness {
    fn new(grace: Duration) -> Self {
        Self { grace, since: None }
    }

    /// Whether the supervisor has been away for long enough, and control is gone too.
    fn is_over(&mut self, now: Instant, is_served: bool, is_orphan: bool) -> bool {
        if !is_orphan {
            self.since = None;
            return false;
        }
        let alone = now.saturating_duration_since(*self.since.get_or_insert(now));
        alone >= self.grace && !is_served
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
    fn the_router_ends_when_no_supervisor_came_in_time_and_control_is_gone() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut loneliness = Loneliness::new(Duration::from_secs(60));
        assert!(!loneliness.is_over(at(0), false, true));
        assert!(!loneliness.is_over(at(59), false, true));
        assert!(loneliness.is_over(at(60), false, true));
        assert!(!loneliness.is_over(at(61), true, true), "control is there still");
        assert!(loneliness.is_over(at(62), false, true), "and need not be waited for again");
        assert!(!loneliness.is_over(at(100), false, false), "a supervisor took over");
        assert!(!loneliness.is_over(at(1000), false, true));
        assert!(loneliness.is_over(at(1060), false, true));
    }
}

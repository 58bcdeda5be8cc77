//! The shard thread: it alone touches the sockets and the forwarding core.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token, Waker};
use tertulia_router_core::{Datagram, DropCause, Drops, Event, Router, ShardStatistics};

use crate::link::message::{Empty, Refusal, Reply, Request};
use crate::link::{Job, Link};

/// Datagrams of one socket before everything else has its turn.
const BATCH: usize = 64;
/// Requests before everything else has its turn.
const JOBS: usize = 32;
/// Largest UDP payload.
const DATAGRAM_BYTES: usize = 65_536;

/// How often control is told what was counted.
const STATISTICS_INTERVAL: Duration = Duration::from_secs(2);

/// Token of the waker; sockets have their index.
const WAKE: Token = Token(usize::MAX);

/// Whose datagrams are taken.
#[derive(Debug)]
pub enum Peers {
    /// Everybody's.
    Any,
    /// Those of this machine, whose sockets these are: a peer on it sends from one of its addresses.
    Local(Vec<SocketAddr>),
}

impl Peers {
    fn include(&self, ip: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::Local(bound) => ip.is_loopback() || bound.iter().any(|own| own.ip() == ip),
        }
    }
}

/// Everything that the thread owns.
pub struct Shard {
    poll: Poll,
    sockets: Vec<UdpSocket>,
    peers: Peers,
    /// Sockets that may hold more datagrams; readiness is told only once.
    readable: Vec<bool>,
    router: Router,
    jobs: Receiver<Job>,
    link: Arc<Link>,
    stop: Arc<AtomicBool>,
    counted: Counted,
    statistics_at: Instant,
}

/// What the thread counts of its sockets.
#[derive(Default)]
struct Counted {
    totals: ShardStatistics,
    drops: Drops,
}

/// A poll and the waker that interrupts it.
pub fn poll() -> io::Result<(Poll, Arc<Waker>)> {
    let poll = Poll::new()?;
    let waker = Waker::new(poll.registry(), WAKE)?;
    Ok((poll, Arc::new(waker)))
}

impl Shard {
    /// A shard on these sockets; their order is that of the router's local addresses.
    pub fn new(
        poll: Poll,
        mut sockets: Vec<UdpSocket>,
        peers: Peers,
        router: Router,
        jobs: Receiver<Job>,
        link: Arc<Link>,
        stop: Arc<AtomicBool>,
    ) -> io::Result<Self> {
        for (index, socket) in sockets.iter_mut().enumerate() {
            poll.registry().register(socket, Token(index), Interest::READABLE)?;
        }
        let readable = vec![true; sockets.len()];
        Ok(Self {
            poll,
            sockets,
            peers,
            readable,
            router,
            jobs,
            link,
            stop,
            counted: Counted::default(),
            statistics_at: Instant::now() + STATISTICS_INTERVAL,
        })
    }

    /// Serves until it is told to stop, then says goodbye to every client.
    pub fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(64);
        let mut buffer = vec![0; DATAGRAM_BYTES];
        let mut has_jobs = false;
        while !self.stop.load(Ordering::Acquire) {
            self.wait(&mut events, has_jobs)?;
            for event in &events {
                if let Some(readable) = self.readable.get_mut(event.token().0) {
                    *readable = true;
                }
            }
            let now = Instant::now();
            for index in 0..self.sockets.len() {
                self.receive(now, index, &mut buffer);
            }
            self.router.flush(now);
            self.send();
            has_jobs = self.work();
            if self.router.next_deadline().is_some_and(|at| at <= now) {
                self.router.handle_timeout(Instant::now());
                self.send();
            }
            if self.statistics_at <= now {
                self.statistics_at = now + STATISTICS_INTERVAL;
                let shards = vec![self.statistics()];
                self.link.send_events([Event::RouterStatistics { shards }]);
            }
            self.report();
        }
        self.router.close(Instant::now());
        self.send();
        self.report();
        Ok(())
    }

    fn wait(&mut self, events: &mut Events, has_jobs: bool) -> io::Result<()> {
        let is_busy = has_jobs || self.readable.contains(&true);
        let timeout = if is_busy {
            Some(Duration::ZERO)
        } else {
            let next = self
                .router
                .next_deadline()
                .map_or(self.statistics_at, |at| at.min(self.statistics_at));
            Some(next.saturating_duration_since(Instant::now()))
        };
        self.counted.totals.system_calls += 1;
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            other => other,
        }
    }

    fn receive(&mut self, now: Instant, index: usize, buffer: &mut [u8]) {
        let (Some(socket), Some(readable)) =
            (self.sockets.get(index), self.readable.get_mut(index))
        else {
            return;
        };
        if !*readable {
            return;
        }
        for _ in 0..BATCH {
            self.counted.totals.system_calls += 1;
            match socket.recv_from(buffer) {
                Ok((_, source)) if !self.peers.include(source.ip()) => {
                    self.counted.drops.count(DropCause::ForeignMachine);
                }
                Ok((length, source)) => {
                    self.counted.totals.packets_received += 1;
                    self.counted.totals.bytes_received += length as u64;
                    self.counted.totals.largest_batch = 1;
                    let contents = buffer.get(..length).unwrap_or_default();
                    let datagram = Datagram { socket: index, source, contents };
                    let _ = self.router.handle_datagram(now, datagram);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    *readable = false;
                    return;
                }
                // An ICMP error of an earlier datagram; the socket goes on.
                Err(_) => {}
            }
        }
    }

    /// A datagram that the kernel cannot take now is lost, as on any other hop.
    fn send(&mut self) {
        while let Some(transmit) = self.router.poll_transmit() {
            let Some(socket) = self.sockets.get(transmit.socket) else {
                continue;
            };
            self.counted.totals.system_calls += 1;
            match socket.send_to(&transmit.contents, transmit.destination) {
                Ok(_) => {
                    self.counted.totals.packets_sent += 1;
                    self.counted.totals.bytes_sent += transmit.contents.len() as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.counted.drops.count(DropCause::SendBufferFull);
                }
                Err(_) => self.counted.drops.count(DropCause::SendFailed),
            }
        }
    }

    /// Does what control asks; returns whether more may be waiting.
    fn work(&mut self) -> bool {
        for _ in 0..JOBS {
            let Ok(job) = self.jobs.try_recv() else {
                return false;
            };
            let outcome = self.execute(job.request);
            // What left before the reply must have left: see `Router::unbind`.
            self.send();
            self.report();
            crate::link::answer(&job.outbox, job.id, &outcome);
        }
        true
    }

    fn execute(&mut self, request: Request) -> Result<Reply, Refusal> {
        let now = Instant::now();
        let router = &mut self.router;
        let empty = |()| Reply::Empty(Empty {});
        let reply = match request {
            Request::OpenTransport(r) => router.open_transport(now, r).map(Reply::Opened),
            Request::Renegotiate(r) => router.renegotiate(now, &r).map(Reply::Renegotiated),
            Request::CloseTransport(r) => router.close_transport(now, r).map(empty),
            Request::Bind(r) => router.bind(now, &r).map(Reply::Bound),
            Request::Unbind(r) => router.unbind(now, r).map(empty),
            Request::Pause(r) => router.pause(now, r).map(empty),
            Request::RequestKeyFrame(r) => router.request_key_frame(now, r).map(empty),
            Request::List => Ok(Reply::Listing(router.list())),
            Request::Hello(_) => {
                let message = "hello is answered by the link";
                return Err(Refusal::new("invalid_request", message));
            }
        };
        Ok(reply?)
    }

    /// What was counted so far, the core's counters included.
    fn statistics(&self) -> ShardStatistics {
        let mut drops = self.counted.drops;
        drops.add_all(&self.router.drops());
        ShardStatistics {
            transports: self.router.transport_count() as u32,
            retransmissions: self.router.retransmissions(),
            drops: drops.list(),
            ..self.counted.totals.clone()
        }
    }

    fn report(&mut self) {
        // One shard has nobody to tell.
        while self.router.poll_message().is_some() {}
        let events: Vec<_> = std::iter::from_fn(|| self.router.poll_event()).collect();
        if !events.is_empty() {
            self.link.send_events(events);
        }
    }
}

impl Drop for Shard {
    fn drop(&mut self) {
        let statistics = self.statistics();
        tracing::info!(
            packets_received = statistics.packets_received,
            packets_sent = statistics.packets_sent,
            drops = ?statistics.drops,
            "shard ended"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_of_this_machine_are_told_from_others() {
        let local = Peers::Local(vec!["192.0.2.1:8081".parse().unwrap()]);
        for own in ["127.0.0.1", "127.3.2.1", "::1", "192.0.2.1"] {
            assert!(local.include(own.parse().unwrap()), "{own}");
        }
        for other in ["192.0.2.2", "10.0.0.1", "fd00::1"] {
            assert!(!local.include(other.parse().unwrap()), "{other}");
            assert!(Peers::Any.include(other.parse().unwrap()));
        }
    }
}

//! Many datagrams in one system call: `recvmmsg` with `UDP_GRO`, `sendmmsg` with `UDP_SEGMENT`.
//!
//! The only unsafe code of the programs. Where the kernel lacks one of these, datagrams go one by
//! one; what is sent and received is the same.

#![cfg_attr(target_os = "linux", allow(unsafe_code, reason = "the one module of system calls"))]

use std::io;
use std::net::SocketAddr;
use std::time::SystemTime;

use mio::net::UdpSocket;
use tertulia_router_core::{Datagrams, Departure, DropCause, Drops, ReceivedAt, Sojourns};

use crate::steering::Instruction;

#[cfg(target_os = "linux")]
#[path = "batch/linux.rs"]
mod system;
#[cfg(not(target_os = "linux"))]
#[path = "batch/plain.rs"]
mod system;

/// Largest datagram that a client has reason to send: a DTLS or RTP packet within the usual MTU of
/// 1,500 bytes, with room to spare.
pub const MAX_DATAGRAM_BYTES: usize = 2_048;

/// What the system calls moved since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moved {
    /// Datagrams.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many calls it took.
    pub system_calls: u64,
    /// Most datagrams of one call.
    pub largest_batch: u64,
}

impl Moved {
    /// Counts a call and what it moved.
    pub fn count_call(&mut self, packets: u64, bytes: u64) {
        self.system_calls += 1;
        self.packets += packets;
        self.bytes += bytes;
        self.largest_batch = self.largest_batch.max(packets);
    }
}

/// Room for the datagrams of one call, allocated once.
pub struct Receiver {
    system: system::Receiver,
    /// What was received.
    pub moved: Moved,
}

impl Receiver {
    /// Room for one call.
    #[must_use]
    pub fn new() -> Self {
        Self { system: system::Receiver::new(), moved: Moved::default() }
    }

    /// Asks the kernel to hand over runs of equal datagrams as one, and to tell when they came, if it can.
    pub fn prepare(socket: &UdpSocket) {
        system::prepare(socket);
    }

    /// Has the kernel choose by this program among the sockets that share this one's address.
    pub fn steer(socket: &UdpSocket, program: &[Instruction]) -> io::Result<()> {
        system::steer(socket, program)
    }

    /// Takes what waits at a socket, as much as there is room for. `false`: nothing waits any more.
    ///
    /// Errors of earlier datagrams (ICMP) are passed over; any other error too, because a socket
    /// that cannot be read is no reason to end the others.
    pub fn receive(&mut self, socket: &UdpSocket) -> bool {
        let result = self.system.receive(socket);
        let (packets, bytes) = self.datagrams().fold((0, 0), |(packets, bytes), arrived| {
            (packets + 1, bytes + arrived.contents.len() as u64)
        });
        self.moved.count_call(packets, bytes);
        match result {
            Ok(may_have_more) => may_have_more,
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        }
    }

    /// The datagrams of the last call, in the order in which they came.
    pub fn datagrams(&self) -> impl Iterator<Item = Arrived<'_>> {
        self.system.messages().flat_map(|message| {
            let size = message.segment_bytes.max(1);
            // An empty datagram has no segment, and nothing to say.
            let Message { source, received, contents, .. } = message;
            contents.chunks(size).map(move |contents| Arrived { source, received, contents })
        })
    }
}

impl Default for Receiver {
    fn default() -> Self {
        Self::new()
    }
}

/// A datagram that came.
#[derive(Debug, Clone, Copy)]
pub struct Arrived<'a> {
    /// Who sent it.
    pub source: SocketAddr,
    /// When the kernel took it, or the first of its run; `None` where it does not tell.
    pub received: Option<ReceivedAt>,
    /// What it is.
    pub contents: &'a [u8],
}

/// What one `recvmmsg` slot holds: one datagram, or several of one sender in a row.
struct Message<'a> {
    source: SocketAddr,
    received: Option<ReceivedAt>,
    contents: &'a [u8],
    /// Length of each datagram but the last, which may be shorter.
    segment_bytes: usize,
}

/// Sends datagrams in as few calls as possible.
pub struct Sender {
    system: system::Sender,
    /// Reused for the pieces of one call.
    runs: Vec<Run>,
    /// Whether the kernel takes runs of datagrams in one piece.
    is_segmenting: bool,
    /// Runs that it did not take since it last took one.
    refusals: u32,
    /// What was sent.
    pub moved: Moved,
    /// What was not.
    pub drops: Drops,
    /// How long those that are followed had been in the router.
    pub sojourns: Sojourns,
}

/// A piece of what is to be sent: datagrams of one size to one peer, of which the last may be
/// shorter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    start: usize,
    count: usize,
    bytes: usize,
}

/// Most datagrams of one run (`UDP_MAX_SEGMENTS` of Linux is 64 in older kernels).
const MAX_RUN: usize = 64;
/// Most bytes of one run: what fits into one IP packet, with its headers.
const MAX_RUN_BYTES: usize = 65_000;
/// So many runs that were not taken, and none that was: it is not the path of some peers.
const MOST_REFUSALS: u32 = 64;

impl Sender {
    /// Nothing to send yet. Without `is_segmenting` every datagram is handed over by itself.
    #[must_use]
    pub fn new(is_segmenting: bool) -> Self {
        Self {
            system: system::Sender::new(),
            runs: Vec::new(),
            is_segmenting,
            refusals: 0,
            moved: Moved::default(),
            drops: Drops::default(),
            sojourns: Sojourns::default(),
        }
    }

    /// Sends these of the datagrams. One that the kernel cannot take now is lost, as on any other hop.
    pub fn send(&mut self, socket: &UdpSocket, datagrams: &Datagrams, departures: &[Departure]) {
        // What is before `alone` is not sent as a run.
        let (mut done, mut alone) = (0, 0);
        while let Some(rest) = departures.get(done..).filter(|rest| !rest.is_empty()) {
            let is_segmenting = self.is_segmenting && done >= alone;
            let next = if done < alone { departures.get(done..alone) } else { Some(rest) };
            let next = next.unwrap_or(rest);
            split(next, is_segmenting, system::MAX_MESSAGES, &mut self.runs);
            match self.system.send(socket, datagrams, rest, &self.runs) {
                Ok(sent) => {
                    let sent = self.runs.get(..sent).unwrap_or(&self.runs);
                    let packets = sent.iter().map(|run| run.count).sum::<usize>();
                    let bytes = sent.iter().map(|run| run.bytes).sum::<usize>();
                    self.moved.count_call(packets as u64, bytes as u64);
                    if sent.iter().any(|run| run.count > 1) {
                        self.refusals = 0;
                    }
                    note_sojourns(&mut self.sojourns, rest.get(..packets).unwrap_or_default());
                    done += packets;
                }
                Err(error) => {
                    self.moved.system_calls += 1;
                    let first = self.runs.first().map_or(1, |run| run.count);
                    if first > 1 && is_refused_segmentation(&error) {
                        alone = done + first;
                        self.refusals += 1;
                        if self.refusals >= MOST_REFUSALS {
                            tracing::info!(%error, "the kernel does not segment datagrams");
                            self.is_segmenting = false;
                        }
                    } else if error.kind() == io::ErrorKind::WouldBlock {
                        self.drops.add(DropCause::SendBufferFull, rest.len() as u64);
                        return;
                    } else if error.kind() != io::ErrorKind::Interrupted {
                        self.drops.add(DropCause::SendFailed, first as u64);
                        done += first;
                    }
                }
            }
        }
    }
}

/// These have just left.
fn note_sojourns(sojourns: &mut Sojourns, departures: &[Departure]) {
    let mut now = None;
    for received in departures.iter().filter_map(|departure| departure.received) {
        sojourns.add(received.elapsed_ns(*now.get_or_insert_with(wall_ns)));
    }
}

/// What the wall clock says, as the kernel's times of receipt do.
fn wall_ns() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(0, |now| now.as_nanos() as u64)
}

/// A device or a tunnel that cannot segment says so with EIO, an old kernel with EINVAL, and the path to a peer
/// with a smaller MTU than the segments with EMSGSIZE or EINVAL: others' paths may be wider.
fn is_refused_segmentation(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EIO | libc::EINVAL | libc::EMSGSIZE | libc::ENOPROTOOPT)
    )
}

/// Splits into runs, at most `limit` of them.
fn split(departures: &[Departure], is_segmenting: bool, limit: usize, runs: &mut Vec<Run>) {
    runs.clear();
    let mut is_open = false;
    for (index, departure) in departures.iter().enumerate() {
        let length = departure.length();
        if let (true, true, Some(run)) = (is_segmenting, is_open, runs.last_mut()) {
            let first = departures.get(run.start);
            let size = first.map_or(0, Departure::length);
            let is_same_peer = first.is_some_and(|f| f.destination == departure.destination);
            let has_room = run.count < MAX_RUN && run.bytes + length <= MAX_RUN_BYTES;
            if is_same_peer && has_room && (1..=size).contains(&length) {
                run.count += 1;
                run.bytes += length;
                // A shorter one ends the run.
                is_open = length == size;
                continue;
            }
        }
        if runs.len() == limit {
            break;
        }
        runs.push(Run { start: index, count: 1, bytes: length });
        is_open = length > 0;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tertulia_router_core::{Transmit, Urgency};

    use super::*;

    fn transmit(port: u16, length: usize) -> Transmit {
        Transmit {
            socket: 0,
            destination: ([127, 0, 0, 1], port).into(),
            contents: vec![length as u8; length],
            urgency: Urgency::Video,
        }
    }

    fn runs(departures: &[Departure], is_segmenting: bool, limit: usize) -> Vec<Run> {
        let mut runs = Vec::new();
        split(departures, is_segmenting, limit, &mut runs);
        runs
    }

    fn arena(transmits: &[Transmit]) -> Datagrams {
        let mut datagrams = Datagrams::default();
        for transmit in transmits {
            datagrams.add(transmit);
        }
        datagrams
    }

    fn send(sender: &mut Sender, socket: &UdpSocket, transmits: &[Transmit]) {
        let datagrams = arena(transmits);
        sender.send(socket, &datagrams, datagrams.departures());
    }

    fn socket() -> (UdpSocket, u16) {
        let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let port = socket.local_addr().unwrap().port();
        (socket, port)
    }

    /// Takes everything that comes until as many datagrams are there.
    fn take(receiver: &mut Receiver, socket: &UdpSocket, count: usize) -> Vec<Vec<u8>> {
        let mut poll = mio::Poll::new().unwrap();
        let mut from = UdpSocket::from_std(std::net::UdpSocket::from(socket2_of(socket)));
        poll.registry().register(&mut from, mio::Token(0), mio::Interest::READABLE).unwrap();
        let mut taken = Vec::new();
        while taken.len() < count {
            let timeout = Some(Duration::from_secs(5));
            let mut events = mio::Events::with_capacity(4);
            poll.poll(&mut events, timeout).unwrap();
            assert!(!events.is_empty(), "{} of {count} datagrams came", taken.len());
            let mut may_have_more = true;
            while may_have_more {
                may_have_more = receiver.receive(&from);
                taken.extend(receiver.datagrams().map(|arrived| arrived.contents.to_vec()));
            }
        }
        taken
    }

    fn socket2_of(socket: &UdpSocket) -> socket2::Socket {
        socket2::SockRef::from(socket).try_clone().unwrap()
    }

    #[test]
    fn datagrams_of_one_size_and_peer_are_one_run_and_a_shorter_one_ends_it() {
        let transmits: Vec<_> = [(1, 100), (1, 100), (1, 60), (1, 60), (2, 60), (2, 100), (2, 0)]
            .map(|(port, length)| transmit(port, length))
            .into();
        let shape = |runs: Vec<Run>| runs.iter().map(|r| (r.start, r.count)).collect::<Vec<_>>();
        let expected = [(0, 3), (3, 1), (4, 1), (5, 1), (6, 1)];
        assert_eq!(shape(runs(arena(&transmits).departures(), true, 100)), expected);
        assert_eq!(shape(runs(arena(&transmits).departures(), true, 2)), [(0, 3), (3, 1)]);
        assert_eq!(runs(arena(&transmits).departures(), false, 100).len(), 7);
    }

    #[test]
    fn no_run_is_larger_than_the_kernel_takes() {
        let many = vec![transmit(1, 1200); 300];
        let runs = runs(arena(&many).departures(), true, 100);
        assert_eq!(runs.iter().map(|r| r.count).sum::<usize>(), 300);
        assert!(runs.iter().all(|r| r.count <= MAX_RUN && r.bytes <= MAX_RUN_BYTES));
    }

    #[test]
    fn what_is_sent_in_batches_arrives_as_it_was_whatever_the_kernel_can_do() {
        for is_segmenting in [true, false] {
            let ((from, _), (to, port)) = (socket(), socket());
            Receiver::prepare(&to);
            let lengths = [1200, 1200, 1200, 700, 700, 30, 1200, 1, 1200, 1200];
            let transmits: Vec<_> = lengths.iter().map(|l| transmit(port, *l)).collect();
            let mut sender = Sender::new(is_segmenting);
            send(&mut sender, &from, &transmits);
            assert_eq!(sender.moved.packets, lengths.len() as u64);
            assert_eq!(sender.moved.bytes, lengths.iter().sum::<usize>() as u64);
            assert_eq!(sender.drops, Drops::default());
            let mut receiver = Receiver::new();
            let taken = take(&mut receiver, &to, lengths.len());
            let sent: Vec<_> = transmits.into_iter().map(|t| t.contents).collect();
            assert_eq!(taken, sent);
            assert_eq!(receiver.moved.packets, lengths.len() as u64);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn who_has_a_narrow_path_takes_no_runs_away_from_the_others() {
        let socket = || UdpSocket::bind("[::1]:0".parse().unwrap());
        let (Ok(from), Ok(to)) = (socket(), socket()) else {
            return; // A machine without IPv6 has no narrow path that anybody may make.
        };
        Receiver::prepare(&to);
        system::set_mtu(&from, 1_280).unwrap();
        let mut sender = Sender::new(true);
        // The longer ones are too long to leave in one piece.
        for length in [1_400, 1_000] {
            let transmit =
                Transmit { destination: to.local_addr().unwrap(), ..transmit(0, length) };
            send(&mut sender, &from, &vec![transmit.clone(); 8]);
            let taken = take(&mut Receiver::new(), &to, 8);
            assert_eq!(taken, vec![transmit.contents; 8]);
        }
        assert_eq!((sender.is_segmenting, sender.drops), (true, Drops::default()));
    }

    #[test]
    fn a_datagram_that_is_followed_counts_when_it_has_left() {
        let ((from, _), (to, port)) = (socket(), socket());
        Receiver::prepare(&to);
        let mut sender = Sender::new(true);
        send(&mut sender, &from, &[transmit(port, 10)]);
        let mut receiver = Receiver::new();
        let mut poll = mio::Poll::new().unwrap();
        let mut events = mio::Events::with_capacity(1);
        let mut to = to;
        poll.registry().register(&mut to, mio::Token(0), mio::Interest::READABLE).unwrap();
        poll.poll(&mut events, Some(Duration::from_secs(5))).unwrap();
        receiver.receive(&to);
        let came = receiver.datagrams().find_map(|arrived| arrived.received);
        let mut followed = Datagrams::default();
        for number in 0..3 {
            followed.add(&transmit(port, 10));
            followed.follow(came.filter(|_| number == 1));
        }
        assert_eq!(sender.sojourns.counts.iter().sum::<u64>(), 0);
        sender.send(&from, &followed, followed.departures());
        let expected = u64::from(cfg!(target_os = "linux"));
        assert_eq!(sender.sojourns.counts.iter().sum::<u64>(), expected);
        let longest = sender.sojourns.counts.last();
        assert_eq!(longest, Some(&0), "a time of this clock");
    }

    #[test]
    fn a_datagram_that_cannot_be_sent_takes_no_other_with_it() {
        let ((from, _), (to, port)) = (socket(), socket());
        let mut unreachable = transmit(port, 50);
        unreachable.destination = "[2001:db8::1]:9".parse().unwrap();
        let mut sender = Sender::new(true);
        send(&mut sender, &from, &[transmit(port, 10), unreachable, transmit(port, 20)]);
        assert_eq!(sender.drops.of(DropCause::SendFailed), 1);
        let taken = take(&mut Receiver::new(), &to, 2);
        assert_eq!(taken.iter().map(Vec::len).collect::<Vec<_>>(), [10, 20]);
    }
}

//! UDP sockets of members: batches of datagrams with the kernel's own time of arrival.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd as _;

use mio::net::UdpSocket;
use nix::cmsg_space;
use nix::sys::socket::sockopt::{ReceiveTimestampns, RxqOvfl};
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, setsockopt,
};
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime};
use socket2::{Domain, Protocol, Socket, Type};

/// Datagrams of one system call.
const BATCH: usize = 16;
/// Room for one datagram; the router sends none beyond an Ethernet frame.
const DATAGRAM_BYTES: usize = 2_048;
/// What the kernel is asked to keep for a member that is not read for a moment; it may give less.
const BUFFER_BYTES: usize = 1 << 20;

/// What the wall clock says, in nanoseconds.
#[must_use]
pub fn wall_ns() -> u64 {
    // CLOCK_REALTIME exists on every system that this builds for.
    clock_gettime(ClockId::CLOCK_REALTIME).map_or(0, nanoseconds)
}

fn nanoseconds(time: TimeSpec) -> u64 {
    (time.tv_sec() as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec() as u64)
}

/// Whether a datagram is SRTP, neither SRTCP nor DTLS nor STUN (RFC 7983, RFC 5761 section 4).
#[must_use]
pub fn is_media(bytes: &[u8]) -> bool {
    let [first, second, ..] = bytes else { return false };
    (128..192).contains(first) && !(192..224).contains(second)
}

/// A member's socket.
pub struct UdpPort {
    socket: UdpSocket,
    local: SocketAddr,
    /// Datagrams that the kernel dropped, as it counts them, and as they were told.
    overflow: u32,
    overflow_told: u32,
}

impl UdpPort {
    /// A socket at any free port of `ip`.
    pub fn open(ip: IpAddr) -> io::Result<Self> {
        let address = SocketAddr::new(ip, 0);
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        // Smaller buffers and times of reading are less exact, not wrong.
        let _ = socket.set_recv_buffer_size(BUFFER_BYTES);
        let _ = setsockopt(&socket, ReceiveTimestampns, &true);
        let _ = setsockopt(&socket, RxqOvfl, &1);
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        let socket = UdpSocket::from_std(socket.into());
        Ok(Self { local: socket.local_addr()?, socket, overflow: 0, overflow_told: 0 })
    }

    /// Where it is.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// For the poll.
    pub fn source(&mut self) -> &mut UdpSocket {
        &mut self.socket
    }

    /// Sends; false if the kernel did not take it.
    #[must_use]
    pub fn send(&self, bytes: &[u8], to: SocketAddr) -> bool {
        self.socket.send_to(bytes, to).is_ok()
    }

    /// Datagrams that the kernel dropped for want of room since this was last asked.
    pub fn take_overflow(&mut self) -> u64 {
        let more = self.overflow.wrapping_sub(self.overflow_told);
        self.overflow_told = self.overflow;
        u64::from(more)
    }
}

/// A datagram that came.
#[derive(Debug, Clone, Copy)]
pub struct Incoming<'a> {
    /// Who sent it.
    pub from: SocketAddr,
    /// When it reached the socket, by the wall clock.
    pub arrived_ns: u64,
    /// What it is.
    pub bytes: &'a [u8],
}

/// Room for one batch, of any socket.
pub struct Inbox {
    buffers: Vec<[u8; DATAGRAM_BYTES]>,
    arrived: Vec<(usize, SocketAddr, u64)>,
}

impl Default for Inbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Inbox {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self { buffers: vec![[0; DATAGRAM_BYTES]; BATCH], arrived: Vec::with_capacity(BATCH) }
    }

    /// Reads a batch of the socket; returns whether there may be more.
    pub fn receive(&mut self, port: &mut UdpPort) -> bool {
        self.arrived.clear();
        let mut slices: Vec<[IoSliceMut<'_>; 1]> =
            self.buffers.iter_mut().map(|buffer| [IoSliceMut::new(buffer)]).collect();
        let now = wall_ns();
        let fd = port.socket.as_raw_fd();
        let flags = MsgFlags::MSG_DONTWAIT;
        // Made anew each time: the kernel writes the lengths that it used into the headers, and nothing resets them.
        let mut headers: MultiHeaders<SockaddrStorage> =
            MultiHeaders::preallocate(BATCH, Some(cmsg_space!(TimeSpec, u32)));
        let Ok(results) = recvmmsg(fd, &mut headers, slices.iter_mut(), flags, None) else {
            // Nothing there, or an ICMP error of an earlier datagram.
            return false;
        };
        for result in results {
            let mut arrived_ns = now;
            for message in result.cmsgs().into_iter().flatten() {
                match message {
                    ControlMessageOwned::ScmTimestampns(time) => arrived_ns = nanoseconds(time),
                    ControlMessageOwned::RxqOvfl(count) => port.overflow = count,
                    _ => {}
                }
            }
            let from = result.address.as_ref().and_then(address).unwrap_or(port.local);
            self.arrived.push((result.bytes, from, arrived_ns));
        }
        self.arrived.len() == BATCH
    }

    /// The datagrams of the batch.
    pub fn datagrams(&self) -> impl Iterator<Item = Incoming<'_>> {
        self.arrived.iter().zip(&self.buffers).map(|((length, from, arrived_ns), buffer)| {
            Incoming {
                from: *from,
                arrived_ns: *arrived_ns,
                bytes: buffer.get(..*length).unwrap_or_default(),
            }
        })
    }
}

fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = storage.as_sockaddr_in().map(|v4| SocketAddr::from((v4.ip(), v4.port())));
    v4.or_else(|| storage.as_sockaddr_in6().map(|v6| SocketAddr::from((v6.ip(), v6.port()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_has_every_datagram_with_its_sender_and_its_time() {
        let mut receiver = UdpPort::open([127, 0, 0, 1].into()).unwrap();
        let sender = UdpPort::open([127, 0, 0, 1].into()).unwrap();
        let before = wall_ns();
        for number in 0..5_u8 {
            assert!(sender.send(&[number; 100], receiver.local()));
        }
        let mut inbox = Inbox::new();
        assert!(!inbox.receive(&mut receiver), "fewer than a batch");
        let after = wall_ns();
        let got: Vec<_> = inbox.datagrams().collect();
        assert_eq!(got.len(), 5);
        for (number, datagram) in (0..).zip(&got) {
            assert_eq!(datagram.bytes, [number; 100]);
            assert_eq!(datagram.from, sender.local());
            assert!((before..=after).contains(&datagram.arrived_ns), "the kernel's own time");
        }
        assert!(!inbox.receive(&mut receiver));
        assert_eq!(inbox.datagrams().count(), 0);
    }

    #[test]
    fn what_a_slow_reader_loses_is_told() {
        let mut receiver = UdpPort::open([127, 0, 0, 1].into()).unwrap();
        let sender = UdpPort::open([127, 0, 0, 1].into()).unwrap();
        let sent = 20_000;
        for _ in 0..sent {
            let _ = sender.send(&[0; 1_000], receiver.local());
        }
        let mut inbox = Inbox::new();
        let mut got = 0;
        while inbox.receive(&mut receiver) {
            got += inbox.datagrams().count();
        }
        got += inbox.datagrams().count();
        // The count comes with the first datagram after a loss.
        assert!(sender.send(&[0; 1_000], receiver.local()));
        inbox.receive(&mut receiver);
        assert_eq!(receiver.take_overflow() as usize, sent - got);
        assert_eq!(receiver.take_overflow(), 0);
    }

    #[test]
    fn media_is_told_from_everything_else() {
        assert!(is_media(&[0x90, 96, 0, 0]));
        assert!(is_media(&[0x80, 0x80 | 0x6f, 0, 0]));
        for other in [&[0x80, 200, 0, 0][..], &[22, 254], &[0, 1], &[0x80], &[]] {
            assert!(!is_media(other), "{other:?}");
        }
    }
}

//! `recvmmsg`, `sendmmsg` and their control messages.
//!
//! Every pointer that goes to the kernel is made right before the call, from memory that outlives
//! it, and is not read again after it: nothing here points into itself between two calls.

use std::io;
use std::mem::{size_of, zeroed};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::AsRawFd as _;
use std::ptr;

use mio::net::UdpSocket;
use tertulia_router_core::{Datagrams, Departure, ReceivedAt};

use super::{Message, Run};
use crate::steering::Instruction;

/// Messages of one send.
pub(super) const MAX_MESSAGES: usize = 128;
/// Messages of one receive.
const MAX_RECEIVED: usize = 32;
/// With `UDP_GRO` a message is as large as an IP packet can be.
const BUFFER_BYTES: usize = 65_536;
/// Room for two control messages: one with an integer, one with a time.
const CONTROL_BYTES: usize = 64;

/// Control messages are made of machine words.
#[repr(align(8))]
#[derive(Clone, Copy)]
struct Control([u8; CONTROL_BYTES]);

/// Asks for `UDP_GRO`, without which each datagram comes by itself, and for times of receipt.
pub(super) fn prepare(socket: &UdpSocket) {
    let on: libc::c_int = 1;
    for (level, name) in [(libc::SOL_UDP, libc::UDP_GRO), (libc::SOL_SOCKET, libc::SO_TIMESTAMPNS)]
    {
        // SAFETY: the descriptor is open, and the pointer and length are those of an integer.
        let _ = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                level,
                name,
                ptr::from_ref(&on).cast(),
                size_of::<libc::c_int>() as libc::socklen_t,
            )
        };
    }
}

/// Attaches a program that returns the number of the socket, in the order in which they were bound.
pub(super) fn steer(socket: &UdpSocket, program: &[Instruction]) -> io::Result<()> {
    let mut filters: Vec<_> = program
        .iter()
        .map(|&Instruction { code, jt, jf, k }| libc::sock_filter { code, jt, jf, k })
        .collect();
    let len = u16::try_from(filters.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let attached = libc::sock_fprog { len, filter: filters.as_mut_ptr() };
    // SAFETY: the descriptor is open, and the program points to as many instructions as it says, which the kernel
    // copies.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_REUSEPORT_CBPF,
            ptr::from_ref(&attached).cast(),
            size_of::<libc::sock_fprog>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Datagrams of the socket leave in pieces of at most so many bytes.
#[cfg(test)]
pub(super) fn set_mtu(socket: &UdpSocket, bytes: libc::c_int) -> io::Result<()> {
    // SAFETY: the descriptor is open, and the pointer and length are those of an integer.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IPV6,
            libc::IPV6_MTU,
            ptr::from_ref(&bytes).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// One message, without its contents.
#[derive(Clone, Copy)]
struct Received {
    source: SocketAddr,
    length: usize,
    told: Told,
}

/// What control messages tell of a message.
#[derive(Clone, Copy, Default)]
struct Told {
    segment_bytes: Option<usize>,
    received: Option<ReceivedAt>,
}

pub(super) struct Receiver {
    buffers: Vec<u8>,
    names: Vec<libc::sockaddr_storage>,
    controls: Vec<Control>,
    /// What the last call received.
    received: Vec<Option<Received>>,
}

impl Receiver {
    pub(super) fn new() -> Self {
        // SAFETY: all zero is a valid `sockaddr_storage`.
        let name: libc::sockaddr_storage = unsafe { zeroed() };
        Self {
            buffers: vec![0; MAX_RECEIVED * BUFFER_BYTES],
            names: vec![name; MAX_RECEIVED],
            controls: vec![Control([0; CONTROL_BYTES]); MAX_RECEIVED],
            received: Vec::with_capacity(MAX_RECEIVED),
        }
    }

    /// Returns whether all room was used, so that more may wait.
    pub(super) fn receive(&mut self, socket: &UdpSocket) -> io::Result<bool> {
        self.received.clear();
        let mut vectors = [libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; MAX_RECEIVED];
        // SAFETY: all zero is a valid `mmsghdr` without any buffer.
        let mut headers: [libc::mmsghdr; MAX_RECEIVED] = unsafe { zeroed() };
        let rooms =
            self.buffers.chunks_mut(BUFFER_BYTES).zip(&mut self.names).zip(&mut self.controls);
        for (((room, name), control), (vector, header)) in
            rooms.zip(vectors.iter_mut().zip(&mut headers))
        {
            *vector = libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: room.len() };
            header.msg_hdr.msg_name = ptr::from_mut(name).cast();
            header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = control.0.as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = CONTROL_BYTES as _;
        }
        // SAFETY: every header points to buffers of the lengths that it states, all of which are
        // borrowed mutably here and outlive the call.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                MAX_RECEIVED as libc::c_uint,
                libc::MSG_DONTWAIT as _,
                ptr::null_mut(),
            )
        };
        let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        for (header, name) in headers.iter().zip(&self.names).take(count) {
            let length = (header.msg_len as usize).min(BUFFER_BYTES);
            // SAFETY: the kernel has filled in the control messages and their length.
            let told = unsafe { told(&header.msg_hdr) };
            let is_whole = header.msg_hdr.msg_flags & libc::MSG_TRUNC == 0;
            let source = address(name).filter(|_| is_whole);
            self.received.push(source.map(|source| Received { source, length, told }));
        }
        Ok(count == MAX_RECEIVED)
    }

    pub(super) fn messages(&self) -> impl Iterator<Item = Message<'_>> {
        let rooms = self.received.iter().zip(self.buffers.chunks(BUFFER_BYTES));
        rooms.filter_map(|(received, room)| {
            let Received { source, length, told } = (*received)?;
            let segment_bytes = told.segment_bytes.unwrap_or(length);
            let contents = room.get(..length)?;
            Some(Message { source, received: told.received, contents, segment_bytes })
        })
    }
}

/// The size of the datagrams in a message that `UDP_GRO` put together, and when it came.
///
/// # Safety
///
/// The header's control messages must be as the kernel left them.
unsafe fn told(header: &libc::msghdr) -> Told {
    let mut told = Told::default();
    // SAFETY: by the condition of this function; each message is within the length of the header.
    unsafe {
        let mut control = libc::CMSG_FIRSTHDR(header);
        while let Some(found) = control.as_ref() {
            match (found.cmsg_level, found.cmsg_type) {
                (libc::SOL_UDP, libc::UDP_GRO) => {
                    let size = ptr::read_unaligned(libc::CMSG_DATA(control).cast::<libc::c_int>());
                    told.segment_bytes = usize::try_from(size).ok().filter(|size| *size > 0);
                }
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                    let time =
                        ptr::read_unaligned(libc::CMSG_DATA(control).cast::<libc::timespec>());
                    let seconds = (time.tv_sec as u64).wrapping_mul(1_000_000_000);
                    told.received = ReceivedAt::new(seconds.wrapping_add(time.tv_nsec as u64));
                }
                _ => {}
            }
            control = libc::CMSG_NXTHDR(header, control);
        }
    }
    told
}

fn address(name: &libc::sockaddr_storage) -> Option<SocketAddr> {
    match libc::c_int::from(name.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says that the storage, which is larger, holds this.
            let name = unsafe { &*ptr::from_ref(name).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr));
            Some(SocketAddr::new(IpAddr::V4(ip), u16::from_be(name.sin_port)))
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let name = unsafe { &*ptr::from_ref(name).cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(name.sin6_addr.s6_addr);
            let port = u16::from_be(name.sin6_port);
            Some(SocketAddr::V6(SocketAddrV6::new(ip, port, 0, name.sin6_scope_id)))
        }
        _ => None,
    }
}

pub(super) struct Sender {
    names: Vec<socket2::SockAddr>,
    vectors: Vec<libc::iovec>,
}

// SAFETY: the pointers in `vectors` are only for the duration of a call.
unsafe impl Send for Sender {}

impl Sender {
    pub(super) fn new() -> Self {
        Self { names: Vec::new(), vectors: Vec::new() }
    }

    /// Sends the first runs; returns how many of them were sent, at least one.
    pub(super) fn send(
        &mut self,
        socket: &UdpSocket,
        datagrams: &Datagrams,
        departures: &[Departure],
        runs: &[Run],
    ) -> io::Result<usize> {
        self.names.clear();
        self.vectors.clear();
        let runs = runs.get(..MAX_MESSAGES).unwrap_or(runs);
        // All of both first: the headers point into them.
        for run in runs {
            let run = departures.get(run.start..run.start + run.count).unwrap_or_default();
            self.names.extend(run.first().map(|t| socket2::SockAddr::from(t.destination)));
            self.vectors.extend(run.iter().map(|departure| {
                let contents = datagrams.contents(departure);
                libc::iovec {
                    iov_base: contents.as_ptr().cast_mut().cast(),
                    iov_len: contents.len(),
                }
            }));
        }
        let mut controls = [Control([0; CONTROL_BYTES]); MAX_MESSAGES];
        // SAFETY: all zero is a valid `mmsghdr` without any buffer.
        let mut headers: [libc::mmsghdr; MAX_MESSAGES] = unsafe { zeroed() };
        let mut vectors = self.vectors.as_mut_slice();
        for (((header, control), name), run) in
            headers.iter_mut().zip(&mut controls).zip(&self.names).zip(runs)
        {
            let Some((of_run, rest)) = vectors.split_at_mut_checked(run.count) else {
                break;
            };
            vectors = rest;
            let message = &mut header.msg_hdr;
            message.msg_name = name.as_ptr().cast_mut().cast();
            message.msg_namelen = name.len() as _;
            message.msg_iov = of_run.as_mut_ptr();
            message.msg_iovlen = of_run.len() as _;
            if let (true, Some(first)) = (run.count > 1, of_run.first()) {
                message.msg_control = control.0.as_mut_ptr().cast();
                message.msg_controllen = CONTROL_BYTES as _;
                // SAFETY: the control buffer is large enough for this one message and aligned for it.
                message.msg_controllen =
                    unsafe { put_segment_bytes(message, first.iov_len as u16) } as _;
            }
        }
        self.names.truncate(runs.len());
        // SAFETY: every header points to memory of the lengths that it states, which outlives the
        // call; the kernel only reads it.
        let sent = unsafe {
            libc::sendmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                self.names.len() as libc::c_uint,
                libc::MSG_DONTWAIT as _,
            )
        };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }
}

/// Writes the control message that says how long each datagram of a run is; returns its length.
///
/// # Safety
///
/// The header must have a control buffer of at least `CONTROL_BYTES` that is aligned to 8.
unsafe fn put_segment_bytes(header: &libc::msghdr, bytes: u16) -> usize {
    // SAFETY: by the condition of this function.
    unsafe {
        if let Some(control) = libc::CMSG_FIRSTHDR(header).as_mut() {
            control.cmsg_level = libc::SOL_UDP;
            control.cmsg_type = libc::UDP_SEGMENT;
            control.cmsg_len = libc::CMSG_LEN(size_of::<u16>() as libc::c_uint) as _;
            ptr::write_unaligned(libc::CMSG_DATA(control).cast::<u16>(), bytes);
        }
        libc::CMSG_SPACE(size_of::<u16>() as libc::c_uint) as usize
    }
}

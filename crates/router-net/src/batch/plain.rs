//! One datagram per call, for systems without the others.

use std::io;

use mio::net::UdpSocket;
use tertulia_router_core::{Datagrams, Departure};

use super::{Message, Run};
use crate::steering::Instruction;

/// Messages of one send.
pub(super) const MAX_MESSAGES: usize = 64;

const BUFFER_BYTES: usize = 65_536;

pub(super) fn prepare(_socket: &UdpSocket) {}

pub(super) fn steer(_socket: &UdpSocket, _program: &[Instruction]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) struct Receiver {
    buffer: Vec<u8>,
    message: Option<(std::net::SocketAddr, usize)>,
}

impl Receiver {
    pub(super) fn new() -> Self {
        Self { buffer: vec![0; BUFFER_BYTES], message: None }
    }

    /// Returns whether more may wait.
    pub(super) fn receive(&mut self, socket: &UdpSocket) -> io::Result<bool> {
        self.message = None;
        let (length, source) = socket.recv_from(&mut self.buffer)?;
        self.message = Some((source, length));
        Ok(true)
    }

    pub(super) fn messages(&self) -> impl Iterator<Item = Message<'_>> {
        self.message.iter().map(|(source, length)| Message {
            source: *source,
            received: None,
            contents: self.buffer.get(..*length).unwrap_or_default(),
            segment_bytes: *length,
        })
    }
}

pub(super) struct Sender;

impl Sender {
    pub(super) fn new() -> Self {
        Self
    }

    /// Sends the first run, which is one datagram or many; returns how many runs were sent.
    pub(super) fn send(
        &mut self,
        socket: &UdpSocket,
        datagrams: &Datagrams,
        departures: &[Departure],
        runs: &[Run],
    ) -> io::Result<usize> {
        let Some(run) = runs.first() else {
            return Ok(0);
        };
        if run.count > 1 {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        if let Some(departure) = departures.get(run.start) {
            socket.send_to(datagrams.contents(departure), departure.destination)?;
        }
        Ok(1)
    }
}

//! What one core could send if forwarding cost nothing: packets are sealed with AES-GCM and sent, and nothing else.
//!
//!     cargo run --release -p tertulia-load --example ceiling -- <receivers> <packet bytes> <seconds> [core core [run]]
//!
//! One key and one socket for each receiver, `sendmmsg` with runs of four packets by UDP GSO, or of `run`, 1 to 50. A second thread reads the
//! sockets with `recvmmsg` and without UDP GRO, as clients do, and opens nothing. With two core numbers, sender and reader
//! are pinned to them. Prints one line of JSON; `bench/router.py` compares the router with it.

use std::io::{IoSlice, Write as _};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use mio::{Events, Interest, Poll, Token};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::socket::{ControlMessage, MsgFlags, MultiHeaders, SockaddrIn, sendmmsg};
use nix::unistd::Pid;
use tertulia_load::datagrams::{Inbox, UdpPort};

const RTP_HEADER: usize = 12;
const TAG: usize = 16;
/// Packets of one GSO run, if nothing else is said, and at most: 64 KiB of video.
const RUN: usize = 4;
const LONGEST_RUN: usize = 50;
/// Receivers of one system call.
const BATCH: usize = 32;

type Failure = Box<dyn std::error::Error + Send + Sync>;

struct Receiver {
    key: LessSafeKey,
    address: SockaddrIn,
    number: u32,
}

fn main() -> Result<(), Failure> {
    let words: Vec<usize> =
        std::env::args().skip(1).map(|word| word.parse()).collect::<Result<_, _>>()?;
    let (count, packet, seconds, cores, run) = match words[..] {
        [count, packet, seconds] => (count, packet, seconds, None, RUN),
        [count, packet, seconds, sender, reader] => {
            (count, packet, seconds, Some((sender, reader)), RUN)
        }
        [count, packet, seconds, sender, reader, run @ 1..=LONGEST_RUN] => {
            (count, packet, seconds, Some((sender, reader)), run)
        }
        _ => {
            let usage = "usage: ceiling <receivers> <packet bytes> <seconds> [core core [run]]";
            return Err(usage.into());
        }
    };
    let ports = (0..count)
        .map(|_| UdpPort::open(Ipv4Addr::LOCALHOST.into()))
        .collect::<Result<Vec<_>, _>>()?;
    let receivers = ports.iter().map(receiver).collect::<Result<Vec<_>, Failure>>()?;
    let stop = Arc::new(AtomicBool::new(false));
    let reader = {
        let stop = Arc::clone(&stop);
        thread::spawn(move || read(ports, &stop, cores.map(|(_, reader)| reader)))
    };
    pin(cores.map(|(sender, _)| sender))?;
    let (sent, elapsed) = send(receivers, packet, run, Duration::from_secs(seconds as u64))?;
    stop.store(true, Ordering::Relaxed);
    let received = reader.join().map_err(|_| "the reader panicked")??;
    let line = serde_json::json!({
        "packets_sent": sent, "packets_received": received, "seconds": elapsed.as_secs_f64(),
    });
    writeln!(std::io::stdout(), "{line}")?;
    Ok(())
}

fn receiver(port: &UdpPort) -> Result<Receiver, Failure> {
    let SocketAddr::V4(address) = port.local() else { return Err("IPv4 only".into()) };
    let key = UnboundKey::new(&AES_128_GCM, &[7; 16]).map_err(|_| "no key")?;
    Ok(Receiver { key: LessSafeKey::new(key), address: address.into(), number: 0 })
}

fn pin(core: Option<usize>) -> Result<(), Failure> {
    if let Some(core) = core {
        let mut set = CpuSet::new();
        set.set(core)?;
        sched_setaffinity(Pid::from_raw(0), &set)?;
    }
    Ok(())
}

/// Seals and sends for that long; returns packets and time.
fn send(
    mut receivers: Vec<Receiver>,
    packet: usize,
    run: usize,
    time: Duration,
) -> Result<(u64, Duration), Failure> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let sealed = packet + TAG;
    let segment = u16::try_from(sealed)?;
    let plain: Vec<u8> = (0..packet).map(|byte| byte as u8).collect();
    let mut arena = vec![0; sealed * run * BATCH];
    let (mut sent, started) = (0, Instant::now());
    while started.elapsed() < time {
        for batch in receivers.chunks_mut(BATCH) {
            for (receiver, places) in batch.iter_mut().zip(arena.chunks_exact_mut(sealed * run)) {
                for place in places.chunks_exact_mut(sealed) {
                    seal(receiver, &plain, place)?;
                }
            }
            sent += submit(&socket, batch, &arena, sealed * run, segment)? * run as u64;
        }
    }
    Ok((sent, started.elapsed()))
}

/// The header is authenticated, the payload sealed, as SRTP has it (RFC 7714).
fn seal(receiver: &mut Receiver, plain: &[u8], place: &mut [u8]) -> Result<(), Failure> {
    receiver.number += 1;
    let (body, tag) = place.split_at_mut(plain.len());
    body.copy_from_slice(plain);
    let (header, payload) = body.split_at_mut(RTP_HEADER);
    header.copy_from_slice(&[0x80, 96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    let mut nonce = [0; 12];
    let (_, low) = nonce.split_at_mut(8);
    low.copy_from_slice(&receiver.number.to_be_bytes());
    let nonce = Nonce::assume_unique_for_key(nonce);
    let made = receiver.key.seal_in_place_separate_tag(nonce, Aad::from(&*header), payload);
    tag.copy_from_slice(made.map_err(|_| "not sealed")?.as_ref());
    Ok(())
}

/// Returns how many runs were sent.
fn submit(
    socket: &UdpSocket,
    batch: &[Receiver],
    arena: &[u8],
    run: usize,
    segment: u16,
) -> Result<u64, Failure> {
    let addresses: Vec<_> = batch.iter().map(|receiver| Some(receiver.address)).collect();
    let slices: Vec<_> =
        arena.chunks_exact(run).take(batch.len()).map(|run| [IoSlice::new(run)]).collect();
    let control = [ControlMessage::UdpGsoSegments(&segment)];
    let mut headers = MultiHeaders::preallocate(batch.len(), Some(nix::cmsg_space!(u16)));
    let flags = MsgFlags::empty();
    let results = sendmmsg(socket.as_raw_fd(), &mut headers, &slices, &addresses, control, flags)?;
    Ok(results.count() as u64)
}

/// Reads everything until it is told to stop; returns the packets.
fn read(mut ports: Vec<UdpPort>, stop: &AtomicBool, core: Option<usize>) -> Result<u64, Failure> {
    pin(core)?;
    let mut poll = Poll::new()?;
    for (index, port) in ports.iter_mut().enumerate() {
        poll.registry().register(port.source(), Token(index), Interest::READABLE)?;
    }
    let (mut events, mut inbox, mut received) = (Events::with_capacity(1_024), Inbox::new(), 0);
    while !stop.load(Ordering::Relaxed) {
        poll.poll(&mut events, Some(Duration::from_millis(50)))?;
        for event in &events {
            let Some(port) = ports.get_mut(event.token().0) else { continue };
            loop {
                let has_more = inbox.receive(port);
                received += inbox.datagrams().count() as u64;
                if !has_more {
                    break;
                }
            }
        }
    }
    Ok(received)
}

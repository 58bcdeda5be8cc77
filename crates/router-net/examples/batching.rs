//! Measures what batching saves: the same datagrams to a socket of this machine, sent one by one,
//! in batches, and in batches of runs. Prints datagrams per second of each, and their ratios.
//!
//! `cargo run --release -p tertulia-router --example batching`

#![allow(clippy::print_stdout, reason = "its output is what it is for")]
#![allow(clippy::expect_used, reason = "a measurement that cannot go on ends")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::UdpSocket;
use tertulia_router::batch::Sender;
use tertulia_router_core::{Datagrams, Transmit, Urgency};

/// A video packet with its SRTP overhead.
const BYTES: usize = 1_150;
/// Datagrams of one flush: 8 packets of a publisher for 25 subscribers.
const RUN: usize = 8;
const PEERS: usize = 25;
const TIME: Duration = Duration::from_millis(500);
const ROUNDS: usize = 3;

fn main() {
    // Nobody reads: what their buffers do not hold is dropped after it was sent.
    let peers: Vec<_> = (0..PEERS).map(|_| bind()).collect();
    let transmits: Vec<_> = peers
        .iter()
        .flat_map(|peer| {
            let destination = peer.local_addr().expect("an address");
            let contents = vec![7; BYTES];
            let transmit = Transmit { socket: 0, destination, contents, urgency: Urgency::Video };
            vec![transmit; RUN]
        })
        .collect();
    let from = bind();
    let mut best = [0.0_f64; 3];
    for _ in 0..ROUNDS {
        let rates = [
            one_by_one(&from, &transmits),
            batched(&from, &transmits, false),
            batched(&from, &transmits, true),
        ];
        for (best, rate) in best.iter_mut().zip(rates) {
            *best = best.max(rate);
        }
    }
    let [single, batch, runs] = best;
    println!("one by one     {single:>10.0} datagrams/s");
    println!("sendmmsg       {batch:>10.0} datagrams/s  {:.2} times", batch / single);
    println!("and UDP_SEGMENT{runs:>10.0} datagrams/s  {:.2} times", runs / single);
}

fn bind() -> UdpSocket {
    UdpSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a socket")
}

fn measure(count: usize, mut send: impl FnMut()) -> f64 {
    let (started, mut flushes) = (Instant::now(), 0);
    while started.elapsed() < TIME {
        send();
        flushes += 1;
    }
    (flushes * count) as f64 / started.elapsed().as_secs_f64()
}

fn one_by_one(from: &UdpSocket, transmits: &[Transmit]) -> f64 {
    measure(transmits.len(), || {
        for transmit in transmits {
            let _ = from.send_to(&transmit.contents, transmit.destination);
        }
    })
}

fn batched(from: &UdpSocket, transmits: &[Transmit], is_segmenting: bool) -> f64 {
    let mut sender = Sender::new(is_segmenting);
    let mut datagrams = Datagrams::default();
    for transmit in transmits {
        datagrams.add(transmit);
    }
    measure(transmits.len(), || sender.send(from, &datagrams, datagrams.departures()))
}

//! Clients that were let in and are hostile, against a router of this machine alone.
//!
//!     echo TOKEN | cargo run --release -p tertulia-load --example hostile -- <url> <attacks> <clients of each> <seconds>
//!
//! `<attacks>` are names of [`attack::Attack`], with commas. All join the session of the token as anybody would, with real
//! ICE, DTLS and SRTP; then they attack for that long, at most two minutes. Prints lines of JSON: `ready` when all are in,
//! `result` at the end, with the datagrams that were sent. `bench/hostile.py` starts it, and measures what others notice.

mod attack;
mod client;
#[allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a part of the driver of the router's own tests"
)]
#[path = "../../../router/tests/driver/seal.rs"]
mod seal;

use std::io::{BufRead as _, Write as _};
use std::time::{Duration, Instant};

use attack::Attack;
use client::{Client, Shared};
use mio::{Events, Poll};
use serde_json::json;
use tertulia_load::client::PeerFactory;
use tertulia_load::datagrams::Inbox;
use tertulia_load::measure::Tally;
use tertulia_load::reach::Reach;
use tertulia_load::signalling::Server;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Nobody attacks longer, whatever was asked for.
const LONGEST: Duration = Duration::from_secs(120);
const MOST_CLIENTS: usize = 64;
/// By then everybody is in, or never.
const JOINING: Duration = Duration::from_secs(20);
const TURN: Duration = Duration::from_millis(1);

fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [url, attacks, count, seconds] = words.as_slice() else {
        return Err("see the head of this file for its arguments".into());
    };
    let attacks = attacks.split(',').map(Attack::parse).collect::<Result<Vec<_>, _>>()?;
    let (count, seconds): (usize, f64) = (count.parse()?, seconds.parse()?);
    if attacks.len() * count > MOST_CLIENTS {
        return Err(format!("more than {MOST_CLIENTS} clients").into());
    }
    let time = Duration::try_from_secs_f64(seconds)?.min(LONGEST);
    let mut token = String::new();
    std::io::stdin().lock().read_line(&mut token)?;
    let server = Server::find(url)?;
    if !Reach::ThisMachine.includes(server.address.ip()) {
        return Err("the server is not on this machine".into());
    }
    let mut poll = Poll::new()?;
    let mut shared = Shared {
        registry: poll.registry().try_clone()?,
        peers: PeerFactory::with_crypto(Reach::ThisMachine, seal::crypto_provider()),
        server,
        token: token.trim().to_owned(),
        tally: Tally::default(),
        inbox: Inbox::new(),
    };
    let seats = attacks.iter().flat_map(|attack| (0..count).map(|place| (*attack, place)));
    let mut clients: Vec<Client> =
        seats.enumerate().map(|(number, seat)| Client::new(number, seat, &mut shared)).collect();

    let mut events = Events::with_capacity(256);
    let mut turn = |clients: &mut Vec<Client>, shared: &mut Shared| -> Result<(), Failure> {
        match poll.poll(&mut events, Some(TURN)) {
            Err(error) if error.kind() != std::io::ErrorKind::Interrupted => {
                return Err(error.into());
            }
            _ => {}
        }
        for client in clients.iter_mut() {
            client.turn(shared);
        }
        Ok(())
    };
    let latest = Instant::now() + JOINING;
    while !clients.iter().all(Client::is_ready) {
        if Instant::now() > latest {
            return Err(format!("not all came in: {:?}", shared.tally.failures).into());
        }
        turn(&mut clients, &mut shared)?;
    }
    tell(&json!({"type": "ready"}))?;
    for client in &mut clients {
        client.begin(&mut shared);
    }
    let end = Instant::now() + time;
    while Instant::now() < end {
        turn(&mut clients, &mut shared)?;
    }
    let sent: u64 = clients.iter().map(|client| client.sent).sum();
    let rejoined: u64 = clients.iter().map(|client| client.rejoined).sum();
    let transports: u64 = clients.iter().map(|client| client.transports).sum();
    tell(&json!({
        "type": "result", "sent": sent, "rejoined": rejoined, "transports": transports,
        "failures": shared.tally.failures,
    }))
}

fn tell(line: &serde_json::Value) -> Result<(), Failure> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

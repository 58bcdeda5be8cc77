//! ICE-TCP: the door, as strangers find it, and what a connection makes of the frames of a stream
//! (RFC 4571). Strangers are told nothing, and whoever shows a known user name is let in.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tertulia_router::doorbell::Doorbell;
use tertulia_router::peers::Peers;
use tertulia_router::tcp::{
    Arrival, Connection, Connections, Door, DoorMail, DoorParts, Frames, MAX_FRAME_BYTES,
};
use tertulia_router_core::{ShardIndex, stun_local_ufrag};

use super::{Check, Target};
use crate::driver::forgery::{self, Dice};
use crate::mutation::Structure;

pub(super) const TARGET: Target =
    Target { name: "tcp", structure: Structure::Binary, seeds, start };

/// The user name that the door knows.
const KNOWN: &str = "known";
/// Largest first frame, of `docs/limits.md`.
const FIRST_FRAME_BYTES: usize = 1024;
/// The door answers at once; a machine may be busy.
const PATIENCE: Duration = Duration::from_secs(4);
/// Inputs that are cut into frames for one that also goes to the door.
const PERIOD: u32 = 16;

/// An input is one byte, the size of the pieces in which the rest comes.
fn start() -> Check {
    let mut entrance = None;
    let mut count = 0;
    Box::new(move |input| {
        let (piece, stream) = input.split_first().unwrap_or((&1, &[]));
        let piece = usize::from(*piece).pow(2).max(1);
        cut(piece, stream)?;
        count += 1;
        if count % PERIOD == 1 {
            // Made with the first input, so that it ends with the target.
            let entrance = entrance.get_or_insert_with(Entrance::open);
            entrance.visit(piece, stream)?;
        }
        Ok(())
    })
}

/// What the frames of a stream are: those that are whole.
fn frames(mut stream: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while let Some((length, rest)) = stream.split_first_chunk::<2>()
        && let Some((frame, rest)) = rest.split_at_checked(u16::from_be_bytes(*length).into())
    {
        frames.push(frame);
        stream = rest;
    }
    frames
}

fn cut(piece: usize, stream: &[u8]) -> Result<(), String> {
    let expected = frames(stream);
    let mut cut = Frames::default();
    let mut got = Vec::new();
    for bytes in stream.chunks(piece) {
        cut.push(bytes);
        while let Some(length) = cut.peek().map(<[u8]>::len) {
            if cut.announced() != Some(length) || length > MAX_FRAME_BYTES {
                return Err(format!("a frame of {length} bytes was announced otherwise"));
            }
            got.extend(cut.take().map(<[u8]>::to_vec));
        }
    }
    if got != expected {
        return Err(format!("{} frames instead of {}", got.len(), expected.len()));
    }
    Ok(())
}

/// A door with its thread, which ends with it.
struct Entrance {
    address: SocketAddr,
    arrivals: Receiver<Arrival>,
    bell: Arc<Doorbell>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    visitors: u32,
    _mail: SyncSender<DoorMail>,
}

impl Entrance {
    fn open() -> Self {
        let poll = mio::Poll::new().expect("a poll");
        let waker = mio::Waker::new(poll.registry(), Door::WAKE).expect("a waker");
        let bell = Arc::new(Doorbell::new(waker));
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = mio::net::TcpListener::bind(any).expect("a listener");
        let address = listener.local_addr().expect("its address");
        let stop = Arc::new(AtomicBool::new(false));
        let (mail, door_mail) = sync_channel(1);
        mail.send(DoorMail::UfragAdded(KNOWN.into(), ShardIndex(0))).expect("room");
        let door = Door::new(DoorParts {
            poll,
            listeners: vec![listener],
            first_socket: 0,
            peers: Arc::new(Peers::Any),
            mail: door_mail,
            bell: Arc::clone(&bell),
            stop: Arc::clone(&stop),
            refused: Arc::new(AtomicU64::new(0)),
        });
        let (tell, arrivals) = channel();
        let door = door.expect("a door");
        let thread = std::thread::spawn(move || {
            // Who is let in while the target ends is heard by nobody.
            let _ = door.run(|_, arrival| drop(tell.send(arrival)));
        });
        let thread = Some(thread);
        Self { address, arrivals, bell, stop, thread, visitors: 0, _mail: mail }
    }

    /// Somebody sends this, from an address that nobody else has.
    fn visit(&mut self, piece: usize, stream: &[u8]) -> Result<(), String> {
        self.visitors += 1;
        let [_, a, b, c] = (self.visitors % 0x00ff_fff0 + 2).to_be_bytes();
        let failed = |error: std::io::Error| format!("no way to the door: {error}");
        let mut visitor = connect(Ipv4Addr::new(127, a, b, c), self.address).map_err(failed)?;
        for bytes in stream.chunks(piece) {
            // The door may have closed already.
            if visitor.write_all(bytes).is_err() {
                break;
            }
        }
        let _ = visitor.shutdown(Shutdown::Write);
        let all = frames(stream);
        let first = all.first().filter(|frame| frame.len() <= FIRST_FRAME_BYTES);
        if first.and_then(|frame| stun_local_ufrag(frame)) == Some(KNOWN) {
            let arrival = self.arrivals.recv_timeout(PATIENCE);
            let arrival = arrival.map_err(|_| "a known user name was not let in")?;
            return receive(arrival, &all);
        }
        let mut said = [0; 64];
        match visitor.read(&mut said) {
            Ok(0) => {}
            Ok(length) => return Err(format!("a stranger was told {:?}", &said[..length])),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
            Err(error) => return Err(format!("a stranger was not sent away: {error}")),
        }
        if self.arrivals.try_recv().is_ok() {
            return Err("a stranger was let in".into());
        }
        Ok(())
    }
}

impl Drop for Entrance {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let _ = self.bell.ring();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn connect(from: Ipv4Addr, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.bind(&SocketAddr::from((from, 0)).into())?;
    socket.connect(&to.into())?;
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// A shard reads all frames to the end of the stream.
fn receive(arrival: Arrival, expected: &[&[u8]]) -> Result<(), String> {
    let mut poll = mio::Poll::new().map_err(|e| e.to_string())?;
    let mut events = mio::Events::with_capacity(8);
    let mut connections = Connections::new(0);
    let connection = Connection::new(arrival.stream, arrival.address, arrival.frames);
    connections.insert(poll.registry(), connection).map_err(|e| e.to_string())?;
    let mut got: Vec<Vec<u8>> = Vec::new();
    loop {
        let ended = connections.read(|_, frame| got.push(frame.to_vec()));
        if let Some(address) = ended.first() {
            connections.close(poll.registry(), *address);
            break;
        }
        if !connections.has_readable() {
            poll.poll(&mut events, Some(PATIENCE)).map_err(|e| e.to_string())?;
            if events.is_empty() {
                return Err("the end of a stream did not come".into());
            }
            for event in &events {
                connections.note(event);
            }
        }
    }
    if got != expected {
        return Err(format!("a shard got {} frames instead of {}", got.len(), expected.len()));
    }
    if connections.count() != 0 { Err("an ended connection stays".into()) } else { Ok(()) }
}

fn seeds() -> Vec<Vec<u8>> {
    let mut dice = Dice(1);
    let frame = |contents: &[u8]| [&(contents.len() as u16).to_be_bytes()[..], contents].concat();
    let check = |dice: &mut Dice, name: &str| frame(&forgery::check(dice, name));
    let known = check(&mut dice, &format!("{KNOWN}:peer"));
    let media = frame(&forgery::rtp(&mut dice, 97, 1, "0"));
    let mut seeds = vec![
        [&[40][..], &known].concat(),
        [&[1][..], &known, &media, &frame(&[]), &media].concat(),
        [&[30][..], &known, &media.repeat(40)].concat(),
        [&[200][..], &known, &frame(&[7; 3000])].concat(),
        [&[9][..], &check(&mut dice, "unknown:peer"), &known].concat(),
        [&[9][..], &frame(&[]), &known].concat(),
        vec![1],
        vec![2, 0xff, 0xff, 1, 2, 3],
        b"\x14GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
    ];
    seeds.push([&[3][..], &frame(&vec![0; 1025]), &known].concat());
    seeds
}

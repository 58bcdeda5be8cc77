//! Two peer connections that speak to each other, without a socket.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::*;

const STEP: Duration = Duration::from_millis(5);

/// A peer connection, and what it has sent but the other was not given yet.
struct End {
    peer: Peer,
    local: SocketAddr,
    sent: Vec<Vec<u8>>,
    packets: usize,
}

impl End {
    fn new(factory: &PeerFactory, now: Instant, local: &str) -> Self {
        let local = local.parse().unwrap();
        let peer = factory.create(now, local).unwrap();
        Self { peer, local, sent: Vec::new(), packets: 0 }
    }

    fn poll(&mut self, until: Until) {
        let (sent, packets) = (&mut self.sent, &mut self.packets);
        let mut tell = |arrival| *packets += usize::from(matches!(arrival, Arrival::Packet(_)));
        self.peer.poll_until(until, &mut |bytes, _| sent.push(bytes.to_vec()), &mut tell).unwrap();
    }

    fn pass(&mut self, now: Instant) {
        self.peer.handle_timeout(now).unwrap();
        self.poll(Until::Idle);
    }

    fn hear(&mut self, now: Instant, from: &mut Self) {
        for bytes in from.sent.drain(..) {
            self.peer.handle_datagram(now, from.local, &bytes).unwrap();
            self.poll(Until::Idle);
        }
    }
}

/// A publisher and a receiver whose media flows.
fn connected() -> (End, End, Instant) {
    let factory = PeerFactory::new(Reach::ThisMachine);
    let mut now = Instant::now();
    let mut publisher = End::new(&factory, now, "127.0.0.1:5001");
    let mut receiver = End::new(&factory, now, "127.0.0.1:5002");
    let offer = publisher.peer.offer(Some((true, false)), 0).unwrap();
    let answer = receiver.peer.answer(&offer.sdp).unwrap();
    publisher.peer.accept(offer.pending, &answer).unwrap();
    for _ in 0..2_000 {
        now += STEP;
        publisher.pass(now);
        receiver.hear(now, &mut publisher);
        receiver.pass(now);
        publisher.hear(now, &mut receiver);
        if publisher.peer.is_connected() && receiver.peer.is_connected() {
            return (publisher, receiver, now);
        }
    }
    panic!("they did not find each other");
}

#[test]
fn each_packet_of_datagrams_that_were_read_together_is_told() {
    let (mut publisher, mut receiver, mut now) = connected();
    publisher.sent.clear();
    for number in 0..5 {
        now += STEP;
        let packet = MediaPacket {
            payload: vec![7; 50],
            marker: number == 0,
            timestamp: 960 * number as u32,
            number,
            due: now,
            starts_key_frame: false,
        };
        publisher.peer.send(now, LineKind::Audio, packet, -20);
        publisher.pass(now);
    }
    let datagrams = std::mem::take(&mut publisher.sent);
    assert!(datagrams.len() >= 5, "{}", datagrams.len());
    for (index, bytes) in datagrams.iter().enumerate() {
        if index == 0 {
            receiver.peer.handle_datagram(now, publisher.local, bytes).unwrap();
        } else {
            receiver.peer.handle_another(now, publisher.local, bytes).unwrap();
        }
        receiver.poll(Until::Packet);
    }
    receiver.poll(Until::Idle);
    assert_eq!(receiver.packets, 5);
}

#[test]
fn clients_share_what_their_encryption_is_configured_with() {
    let one = dtls::config(None).unwrap();
    assert!(Arc::ptr_eq(&one, &dtls::config(None).unwrap()));
}

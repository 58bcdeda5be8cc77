//! What the kernel does with the programs, and who is in them.

use super::*;

fn peer(text: &str) -> PeerAddress {
    PeerAddress { socket: 0, source: text.parse().unwrap() }
}

fn learned(text: &str) -> ShardMessage {
    ShardMessage::AddressLearned(peer(text))
}

fn steering() -> Steering {
    Steering::new(&["127.0.0.1:9".parse().unwrap()])
}

fn known(steering: &Steering) -> Vec<(SocketAddr, ShardIndex)> {
    steering.sockets[0].peers.clone()
}

#[test]
fn a_program_is_made_when_who_is_whose_has_changed() {
    let mut steering = steering();
    assert!(steering.changed().is_empty());
    steering.note(ShardIndex(1), &learned("192.0.2.1:5"));
    steering.note(ShardIndex(0), &learned("192.0.2.2:5"));
    steering.note(ShardIndex(1), &ShardMessage::Listens);
    assert_eq!(steering.changed().len(), 1);
    assert!(steering.changed().is_empty());
    let gone = ShardMessage::AddressForgotten(peer("192.0.2.1:5"));
    steering.note(ShardIndex(0), &gone);
    assert!(steering.changed().is_empty(), "it is the other's");
    steering.note(ShardIndex(1), &gone);
    assert_eq!(steering.changed().len(), 1);
    steering.note(ShardIndex(1), &learned("192.0.2.2:5"));
    assert_eq!(known(&steering), [(peer("192.0.2.2:5").source, ShardIndex(1))]);
}

#[test]
fn who_was_there_first_stays_and_a_kernel_that_refuses_is_asked_for_less() {
    let mut steering = steering();
    for port in 1..=2_000 {
        steering.note(ShardIndex(1), &learned(&format!("192.0.2.1:{port}")));
    }
    let all = known(&steering);
    let [(socket, program)] = &steering.changed()[..] else { panic!("one program") };
    assert_eq!(all.len(), 510);
    assert!(program.len() <= MAX_INSTRUCTIONS, "{}", program.len());
    steering.refused(*socket);
    assert_eq!(known(&steering), all[..all.len() / 2]);
    while let [(socket, _)] = steering.changed()[..] {
        steering.refused(socket);
    }
    steering.note(ShardIndex(1), &learned("192.0.2.9:1"));
    assert!(steering.changed().is_empty() && known(&steering).is_empty());
}

#[cfg(target_os = "linux")]
mod in_the_kernel {
    use std::net::UdpSocket;
    use std::time::Duration;

    use mio::{Events, Interest, Poll, Token};

    use super::*;
    use crate::batch::Receiver;
    use crate::sockets;

    const SHARDS: usize = 3;

    struct Router {
        poll: Poll,
        sockets: Vec<mio::net::UdpSocket>,
        address: SocketAddr,
    }

    impl Router {
        fn open(ip: &str) -> Self {
            let opened = sockets::open(&[ip.parse().unwrap()], 0, SHARDS).unwrap();
            let poll = Poll::new().unwrap();
            let mut sockets: Vec<_> = opened.udp.into_iter().flatten().collect();
            for (index, socket) in sockets.iter_mut().enumerate() {
                poll.registry().register(socket, Token(index), Interest::READABLE).unwrap();
            }
            Self { poll, sockets, address: opened.bound[0] }
        }

        /// The shard to whose socket the kernel gives what this client sends.
        fn shard_of(&mut self, client: &UdpSocket) -> usize {
            client.send_to(b"hello", self.address).unwrap();
            let mut events = Events::with_capacity(SHARDS);
            self.poll.poll(&mut events, Some(Duration::from_secs(5))).unwrap();
            let came = |socket: &mio::net::UdpSocket| socket.recv_from(&mut [0; 9]).is_ok();
            self.sockets.iter().position(came).expect("it came")
        }

        fn steer(&self, peers: &[(SocketAddr, ShardIndex)]) {
            Receiver::steer(&self.sockets[0], &program(peers)).unwrap();
        }
    }

    fn clients(ip: &str, count: usize) -> Vec<UdpSocket> {
        (0..count).map(|_| UdpSocket::bind((ip, 0)).unwrap()).collect()
    }

    #[test]
    fn a_peer_comes_to_its_shard_and_anybody_else_to_where_the_hash_says() {
        for ip in ["127.0.0.1", "::1"] {
            let mut router = Router::open(ip);
            let clients = clients(ip, 60);
            let by_hash: Vec<_> = clients.iter().map(|client| router.shard_of(client)).collect();
            let mut expected = by_hash.clone();
            let mut peers = Vec::new();
            for (client, shard) in clients.iter().zip(&mut expected).take(40) {
                *shard = (*shard + 1) % SHARDS;
                peers.push((client.local_addr().unwrap(), ShardIndex(*shard as u16)));
            }
            router.steer(&peers);
            let steered: Vec<_> = clients.iter().map(|client| router.shard_of(client)).collect();
            assert_eq!(steered, expected, "{ip}");
            router.steer(&[]);
            let afterwards: Vec<_> = clients.iter().map(|client| router.shard_of(client)).collect();
            assert_eq!(afterwards, by_hash, "{ip}");
        }
    }

    #[test]
    fn a_port_that_several_addresses_have_is_looked_up_by_address() {
        let mut router = Router::open("127.0.0.1");
        let first = UdpSocket::bind("127.0.0.2:0").unwrap();
        let port = first.local_addr().unwrap().port();
        let others = ["127.0.0.3", "127.0.0.4"].map(|ip| UdpSocket::bind((ip, port)).unwrap());
        let [second, third] = &others;
        let by_hash = router.shard_of(third);
        let shard = ShardIndex;
        let of = |client: &UdpSocket| client.local_addr().unwrap();
        for (a, b) in [(0, 1), (1, 2), (2, 0)] {
            router.steer(&[(of(&first), shard(a)), (of(second), shard(b))]);
            let shards = [&first, second, third].map(|client| router.shard_of(client));
            assert_eq!(shards, [usize::from(a), usize::from(b), by_hash]);
        }
    }

    #[test]
    fn the_kernel_takes_the_largest_program() {
        for (ip, others) in [("127.0.0.1", "192.0.2.7"), ("::1", "2001:db8::7")] {
            let mut router = Router::open(ip);
            let mut steering = Steering::new(&[router.address]);
            let clients = clients(ip, 20);
            let by_hash: Vec<_> = clients.iter().map(|client| router.shard_of(client)).collect();
            let mut note = |source, shard: usize| {
                let message = ShardMessage::AddressLearned(PeerAddress { socket: 0, source });
                steering.note(ShardIndex(shard as u16), &message);
            };
            for (client, shard) in clients.iter().zip(&by_hash) {
                note(client.local_addr().unwrap(), (shard + 1) % SHARDS);
            }
            for port in 0..2_000 {
                note(SocketAddr::new(others.parse().unwrap(), 1 + 30 * port), 0);
            }
            let [(_, program)] = &steering.changed()[..] else { panic!("one program") };
            Receiver::steer(&router.sockets[0], program).unwrap();
            for (client, shard) in clients.iter().zip(&by_hash) {
                assert_eq!(router.shard_of(client), (shard + 1) % SHARDS, "{ip}");
            }
        }
    }
}

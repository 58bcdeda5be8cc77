//! The sockets: per local address one TCP listener and one UDP socket per shard, all on the same port,
//! never a wildcard.

use std::io;
use std::net::{IpAddr, SocketAddr};

use mio::net::{TcpListener, UdpSocket};
use socket2::{Domain, Protocol, Socket, Type};
use tertulia_router_core::{self as core, LocalAddress};

/// Kernel buffers, each way: 4 MB hold 30 ms at 1 Gbit/s. The kernel may give less.
const BUFFER_BYTES: usize = 4 << 20;

/// Connections that wait to be accepted; the kernel may hold fewer.
const BACKLOG: i32 = 1_024;

/// How often another free port is tried when the one of the first address is taken on the next.
const FREE_PORT_ATTEMPTS: u32 = 16;

/// A socket could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Somebody else has the port.
    #[error(
        "{protocol} port {} of {} is in use; stop the program that has it or choose another --port",
        .address.port(), .address.ip()
    )]
    InUse {
        /// `UDP` or `TCP`.
        protocol: &'static str,
        /// What was to be bound.
        address: SocketAddr,
    },
    /// Anything else.
    #[error("address {address} cannot be opened ({cause}); check --bind and --port")]
    Failed {
        /// What was to be bound.
        address: SocketAddr,
        /// Why it was not.
        cause: io::Error,
    },
    /// A wildcard stands for nothing.
    #[error("this machine has no address to listen on; give one with --bind")]
    NoAddress,
}

/// All sockets of the router.
#[derive(Debug)]
pub struct Sockets {
    /// By shard, then by address.
    pub udp: Vec<Vec<UdpSocket>>,
    /// By address.
    pub tcp: Vec<TcpListener>,
    /// The addresses, in the order given.
    pub bound: Vec<SocketAddr>,
}

/// Opens all sockets on one port; wildcards become the machine's addresses.
///
/// The UDP sockets of an address are one `SO_REUSEPORT` group. It is complete before anything is read,
/// and never changes, so that the kernel picks the same shard's socket for the same peer. A group can
/// be joined by whoever belongs to the same user: it is the TCP listener, bound first and alone, by
/// which a taken port is noticed.
pub fn open(bind: &[IpAddr], port: u16, shards: usize) -> Result<Sockets, SocketError> {
    let addresses = concrete(bind)?;
    let mut attempt = 0;
    loop {
        match open_all(&addresses, port, shards) {
            Err(SocketError::InUse { .. }) if port == 0 && attempt < FREE_PORT_ATTEMPTS => {
                attempt += 1;
            }
            other => return other,
        }
    }
}

fn open_all(addresses: &[IpAddr], mut port: u16, shards: usize) -> Result<Sockets, SocketError> {
    let mut sockets = Sockets { udp: Vec::new(), tcp: Vec::new(), bound: Vec::new() };
    for ip in addresses {
        let wanted = SocketAddr::new(*ip, port);
        let listener = open_tcp(wanted).map_err(|cause| failed("TCP", wanted, cause))?;
        let address = listener.local_addr().map_err(|cause| failed("TCP", wanted, cause))?;
        port = address.port();
        sockets.tcp.push(listener);
        sockets.bound.push(address);
    }
    for _ in 0..shards.max(1) {
        let open = |address: &SocketAddr| {
            open_udp(*address, shards > 1).map_err(|cause| failed("UDP", *address, cause))
        };
        sockets.udp.push(sockets.bound.iter().map(open).collect::<Result<_, _>>()?);
    }
    Ok(sockets)
}

fn failed(protocol: &'static str, address: SocketAddr, cause: io::Error) -> SocketError {
    match cause.kind() {
        io::ErrorKind::AddrInUse => SocketError::InUse { protocol, address },
        _ => SocketError::Failed { address, cause },
    }
}

fn open_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Connections of a router that was killed linger; they do not hold the port. A listener does.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}

fn open_udp(address: SocketAddr, is_shared: bool) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if is_shared {
        socket.set_reuse_port(true)?;
    }
    // Smaller buffers are a slower router, not a broken one.
    let _ = socket.set_recv_buffer_size(BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(BUFFER_BYTES);
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(UdpSocket::from_std(socket.into()))
}

/// Replaces wildcards by the machine's addresses of that family: loopback and link-local ones only
/// if there is nothing else.
fn concrete(bind: &[IpAddr]) -> Result<Vec<IpAddr>, SocketError> {
    let mut addresses = Vec::new();
    for ip in bind {
        if ip.is_unspecified() {
            let of_machine = if_addrs::get_if_addrs().unwrap_or_default();
            let family = of_machine.iter().filter(|i| i.ip().is_ipv4() == ip.is_ipv4());
            let all: Vec<_> =
                family.filter(|i| !i.is_link_local()).map(if_addrs::Interface::ip).collect();
            let reachable: Vec<_> = all.iter().copied().filter(|ip| !ip.is_loopback()).collect();
            addresses.extend(if reachable.is_empty() { all } else { reachable });
        } else {
            addresses.push(*ip);
        }
    }
    let mut unique = Vec::with_capacity(addresses.len());
    for ip in addresses {
        if !unique.contains(&ip) {
            unique.push(ip);
        }
    }
    if unique.is_empty() { Err(SocketError::NoAddress) } else { Ok(unique) }
}

/// What clients are told for each address: the public addresses of its family go to the first of that
/// family, because a 1:1 NAT leads to one; any other is told as it is. All UDP addresses come first,
/// in the order of the sockets, then the same for TCP: clients that can use both take UDP.
#[must_use]
pub fn advertise(bound: &[SocketAddr], public: &[IpAddr]) -> Vec<LocalAddress> {
    let mut local = Vec::with_capacity(2 * bound.len());
    let mut is_told = [false; 2];
    for address in bound {
        let family = usize::from(address.is_ipv6());
        let told: Vec<_> = public
            .iter()
            .filter(|ip| ip.is_ipv4() == address.is_ipv4())
            .map(|ip| SocketAddr::new(*ip, address.port()))
            .collect();
        let is_first = is_told.get_mut(family).is_some_and(|done| !std::mem::replace(done, true));
        let advertised = if is_first && !told.is_empty() { told } else { vec![*address] };
        local.push(LocalAddress { protocol: core::Protocol::Udp, bound: *address, advertised });
    }
    let tcp = |udp: &LocalAddress| LocalAddress { protocol: core::Protocol::Tcp, ..udp.clone() };
    let by_tcp: Vec<_> = local.iter().map(tcp).collect();
    local.extend(by_tcp);
    local
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_public_address_replaces_the_first_of_its_family_and_tcp_comes_last() {
        let bound = [address("10.0.0.1:9"), address("10.0.0.2:9"), address("[fd00::1]:9")];
        let told = advertise(&bound, &["203.0.113.7".parse().unwrap()]);
        let addresses: Vec<_> = told.iter().map(|l| l.advertised.clone()).collect();
        let expected = [vec![address("203.0.113.7:9")], vec![bound[1]], vec![bound[2]]];
        assert_eq!(addresses, [expected.clone(), expected].concat());
        let protocols: Vec<_> = told.iter().map(|l| l.protocol).collect();
        assert_eq!(protocols, [[core::Protocol::Udp; 3], [core::Protocol::Tcp; 3]].concat());
    }

    #[test]
    fn a_port_that_another_router_or_another_program_has_is_told_apart() {
        let ip = "127.0.0.1".parse().unwrap();
        let first = open(&[ip], 0, 2).unwrap();
        let of_router = open(&[ip], first.bound[0].port(), 2);
        assert!(matches!(of_router, Err(SocketError::InUse { protocol: "TCP", .. })));
        let other = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let of_other = open(&[ip], other.local_addr().unwrap().port(), 2);
        assert!(matches!(of_other, Err(SocketError::InUse { protocol: "UDP", .. })));
    }

    #[test]
    fn all_addresses_and_shards_share_one_free_port() {
        let ips = ["127.0.0.1".parse().unwrap(), "127.0.0.2".parse().unwrap()];
        let sockets = open(&ips, 0, 3).unwrap();
        assert_eq!(sockets.udp.len(), 3);
        let port = sockets.bound[0].port();
        for udp in sockets.udp.iter().flatten() {
            assert_eq!(udp.local_addr().unwrap().port(), port);
        }
        assert!(sockets.tcp.iter().all(|tcp| tcp.local_addr().unwrap().port() == port));
    }
}

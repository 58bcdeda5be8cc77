//! The UDP sockets: one per local address, all on the same port, never a wildcard.

use std::io;
use std::net::{IpAddr, SocketAddr};

use mio::net::UdpSocket;
use socket2::{Domain, Socket, Type};
use tertulia_router_core::{LocalAddress, Protocol};

/// Kernel buffers, each way: 4 MB hold 30 ms at 1 Gbit/s. The kernel may give less.
const BUFFER_BYTES: usize = 4 << 20;

/// How often another free port is tried when the one of the first address is taken on the next.
const FREE_PORT_ATTEMPTS: u32 = 16;

/// A socket could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Somebody else has the port.
    #[error(
        "UDP port {} of {} is in use; stop the program that has it or choose another --port",
        .0.port(), .0.ip()
    )]
    InUse(SocketAddr),
    /// Anything else.
    #[error("UDP address {address} cannot be opened ({cause}); check --bind and --port")]
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

/// Opens one socket per address and port; wildcards become the machine's addresses.
pub fn open(bind: &[IpAddr], port: u16) -> Result<Vec<UdpSocket>, SocketError> {
    let addresses = concrete(bind)?;
    let mut attempt = 0;
    loop {
        match open_all(&addresses, port) {
            Err(SocketError::InUse(_)) if port == 0 && attempt < FREE_PORT_ATTEMPTS => attempt += 1,
            other => return other,
        }
    }
}

fn open_all(addresses: &[IpAddr], mut port: u16) -> Result<Vec<UdpSocket>, SocketError> {
    let mut sockets = Vec::with_capacity(addresses.len());
    for ip in addresses {
        let address = SocketAddr::new(*ip, port);
        let failed = |cause: io::Error| match cause.kind() {
            io::ErrorKind::AddrInUse => SocketError::InUse(address),
            _ => SocketError::Failed { address, cause },
        };
        let socket = open_one(address).map_err(failed)?;
        port = socket.local_addr().map_err(failed)?.port();
        sockets.push(socket);
    }
    Ok(sockets)
}

fn open_one(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket =
        Socket::new(Domain::for_address(address), Type::DGRAM, Some(socket2::Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
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

/// What clients are told for each socket: the public addresses of its family go to the first socket
/// of that family, because a 1:1 NAT leads to one; any other socket is told as it is.
#[must_use]
pub fn advertise(bound: &[SocketAddr], public: &[IpAddr]) -> Vec<LocalAddress> {
    let mut local = Vec::with_capacity(bound.len());
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
        local.push(LocalAddress { protocol: Protocol::Udp, bound: *address, advertised });
    }
    local
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_public_address_replaces_the_first_of_its_family() {
        let bound = [address("10.0.0.1:9"), address("10.0.0.2:9"), address("[fd00::1]:9")];
        let told = advertise(&bound, &["203.0.113.7".parse().unwrap()]);
        let told: Vec<_> = told.into_iter().map(|l| l.advertised).collect();
        assert_eq!(told, [vec![address("203.0.113.7:9")], vec![bound[1]], vec![bound[2]]]);
    }

    #[test]
    fn a_taken_port_is_told_apart() {
        let ip = "127.0.0.1".parse().unwrap();
        let first = open(&[ip], 0).unwrap();
        let port = first[0].local_addr().unwrap().port();
        assert!(matches!(open(&[ip], port), Err(SocketError::InUse(_))));
    }

    #[test]
    fn all_addresses_share_one_free_port() {
        let sockets =
            open(&["127.0.0.1".parse().unwrap(), "127.0.0.2".parse().unwrap()], 0).unwrap();
        let ports: Vec<_> = sockets.iter().map(|s| s.local_addr().unwrap().port()).collect();
        assert_eq!(ports[0], ports[1]);
    }
}

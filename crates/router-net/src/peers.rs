//! Whose packets are taken.

use std::net::{IpAddr, SocketAddr};

/// Whose packets are taken.
#[derive(Debug)]
pub enum Peers {
    /// Everybody's.
    Any,
    /// Those of this machine, whose sockets these are: a peer on it sends from one of its addresses.
    Local(Vec<SocketAddr>),
}

impl Peers {
    /// Whether packets from this address are taken.
    #[must_use]
    pub fn include(&self, ip: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::Local(bound) => ip.is_loopback() || bound.iter().any(|own| own.ip() == ip),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_of_this_machine_are_told_from_others() {
        let local = Peers::Local(vec!["192.0.2.1:8081".parse().unwrap()]);
        for own in ["127.0.0.1", "127.3.2.1", "::1", "192.0.2.1"] {
            assert!(local.include(own.parse().unwrap()), "{own}");
        }
        for other in ["192.0.2.2", "10.0.0.1", "fd00::1"] {
            assert!(!local.include(other.parse().unwrap()), "{other}");
            assert!(Peers::Any.include(other.parse().unwrap()));
        }
    }
}

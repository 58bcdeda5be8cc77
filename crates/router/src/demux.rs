//! Which transport a datagram is for, without ever asking all of them.
//!
//! Addresses are learned only from connectivity checks whose integrity the engine verified. From an
//! unknown address only a connectivity check with a known user name is heard; anything else is
//! dropped without a reply.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::ids::TransportId;

/// How long checks with the user name of before an ICE restart still find their transport.
const OLD_UFRAG: Duration = Duration::from_secs(30);

/// Addresses of one transport; a client has a handful of candidate pairs.
const MAX_ADDRESSES: usize = 16;

/// Two maps: source address and local ICE user name to transport.
#[derive(Debug, Default)]
pub(crate) struct Demux {
    addresses: HashMap<SocketAddr, TransportId>,
    ufrags: HashMap<String, TransportId>,
    expiring: VecDeque<(Instant, String)>,
}

impl Demux {
    /// The transport that this datagram may be for.
    pub(crate) fn find(&self, source: SocketAddr, datagram: &[u8]) -> Option<TransportId> {
        match stun_local_ufrag(datagram) {
            Some(ufrag) => self.ufrags.get(ufrag).copied(),
            None => self.addresses.get(&source).copied(),
        }
    }

    /// `source` proved that it is the transport's peer. `known` are the transport's addresses,
    /// oldest first.
    pub(crate) fn learn_address(
        &mut self,
        source: SocketAddr,
        transport: TransportId,
        known: &mut VecDeque<SocketAddr>,
    ) {
        if self.addresses.insert(source, transport) == Some(transport) {
            return;
        }
        known.push_back(source);
        if known.len() > MAX_ADDRESSES
            && let Some(oldest) = known.pop_front()
        {
            self.forget_address(oldest, transport);
        }
    }

    /// The transport has this local user name now, and had `former` before.
    pub(crate) fn set_ufrag(
        &mut self,
        now: Instant,
        transport: TransportId,
        ufrag: &str,
        former: Option<&str>,
    ) {
        if former == Some(ufrag) {
            return;
        }
        self.ufrags.insert(ufrag.to_owned(), transport);
        if let Some(former) = former {
            self.expiring.push_back((now + OLD_UFRAG, former.to_owned()));
        }
    }

    /// Forgets user names whose time is over.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        while self.expiring.front().is_some_and(|(at, _)| *at <= now) {
            if let Some((_, ufrag)) = self.expiring.pop_front() {
                self.ufrags.remove(&ufrag);
            }
        }
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.expiring.front().map(|(at, _)| *at)
    }

    /// The transport is over.
    pub(crate) fn forget(
        &mut self,
        transport: TransportId,
        ufrag: &str,
        known: &VecDeque<SocketAddr>,
    ) {
        self.ufrags.remove(ufrag);
        for address in known {
            self.forget_address(*address, transport);
        }
    }

    fn forget_address(&mut self, address: SocketAddr, transport: TransportId) {
        if self.addresses.get(&address) == Some(&transport) {
            self.addresses.remove(&address);
        }
    }
}

const STUN_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const STUN_BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
const STUN_USERNAME: [u8; 2] = [0x00, 0x06];

/// The part before the colon of the user name in a STUN binding request (RFC 8445 section 7.2.2),
/// which is the receiver's. `None` for anything else.
///
/// Layout (RFC 8489 section 5): type 2, length 2, cookie 4, transaction 12, then attributes of
/// type 2, length 2 and value padded to 4; all big-endian.
fn stun_local_ufrag(datagram: &[u8]) -> Option<&str> {
    let (header, mut attributes) = datagram.split_first_chunk::<20>()?;
    if !header.starts_with(&STUN_BINDING_REQUEST) || header.get(4..8)? != STUN_COOKIE {
        return None;
    }
    loop {
        let ([t0, t1, l0, l1], rest) = attributes.split_first_chunk::<4>()?;
        let length = usize::from(u16::from_be_bytes([*l0, *l1]));
        if [*t0, *t1] == STUN_USERNAME {
            let name = std::str::from_utf8(rest.get(..length)?).ok()?;
            return name.split_once(':').map(|(local, _)| local);
        }
        attributes = rest.get(length.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: TransportId = TransportId(1);
    const B: TransportId = TransportId(2);

    fn check(user: &str) -> Vec<u8> {
        let mut m = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        m.extend([7; 12]);
        m.extend([0x80, 0x22, 0, 3, 1, 2, 3, 0]);
        m.extend([0, 6, 0, user.len() as u8]);
        m.extend(user.as_bytes());
        m.resize(m.len().next_multiple_of(4), 0);
        m
    }

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    #[test]
    fn a_check_is_found_by_user_name_and_nothing_else_is() {
        let mut demux = Demux::default();
        demux.set_ufrag(Instant::now(), A, "here", None);
        assert_eq!(demux.find(address(1), &check("here:there")), Some(A));
        assert_eq!(demux.find(address(1), &check("elsewhere:there")), None);
        assert_eq!(demux.find(address(1), &[0x80; 40]), None);
    }

    #[test]
    fn every_truncation_of_a_check_is_unknown() {
        let whole = check("here:there");
        for len in 0..whole.len() - 3 {
            assert_eq!(stun_local_ufrag(whole.get(..len).unwrap()), None, "{len}");
        }
    }

    #[test]
    fn an_old_user_name_lives_30_seconds() {
        let t = Instant::now();
        let mut demux = Demux::default();
        demux.set_ufrag(t, A, "old", None);
        demux.set_ufrag(t, A, "new", Some("old"));
        demux.handle_timeout(t + Duration::from_secs(29));
        assert_eq!(demux.find(address(1), &check("old:x")), Some(A));
        assert_eq!(demux.deadline(), Some(t + OLD_UFRAG));
        demux.handle_timeout(t + OLD_UFRAG);
        assert_eq!(demux.find(address(1), &check("old:x")), None);
        assert_eq!(demux.find(address(1), &check("new:x")), Some(A));
    }

    #[test]
    fn the_newest_owner_of_an_address_has_it_and_the_oldest_addresses_go_first() {
        let mut demux = Demux::default();
        let (mut of_a, mut of_b) = (VecDeque::new(), VecDeque::new());
        for port in 0..=MAX_ADDRESSES as u16 {
            demux.learn_address(address(port), A, &mut of_a);
        }
        assert_eq!(demux.find(address(0), &[0x80]), None);
        assert_eq!(demux.find(address(1), &[0x80]), Some(A));
        demux.learn_address(address(1), B, &mut of_b);
        demux.forget(A, "", &of_a);
        assert_eq!(demux.find(address(1), &[0x80]), Some(B));
        assert_eq!(demux.find(address(2), &[0x80]), None);
    }
}

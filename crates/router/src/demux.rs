//! Which transport a datagram is for, and on which shard, without ever asking all of them.
//!
//! Addresses are learned only from connectivity checks whose integrity the engine verified. From an
//! unknown address only a connectivity check with a known user name is heard; anything else is
//! dropped without a reply.
//!
//! The kernel gives a datagram to any of the shards' sockets, but always to the same one for the same
//! address. So that shard alone need know whose the address is; user names are known to all.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::exchange::PeerAddress;
use crate::ids::TransportId;
use crate::sink::ShardIndex;

/// How long checks with the user name of before an ICE restart still find their transport.
const OLD_UFRAG: Duration = Duration::from_secs(30);

/// Addresses of one transport; a client has a handful of candidate pairs.
const MAX_ADDRESSES: usize = 16;

/// Whose a datagram is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    Transport(TransportId),
    Shard(ShardIndex),
}

/// A proven address of a transport's peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) address: PeerAddress,
    /// The shard whose socket the kernel chose, if it is another.
    pub(crate) via: Option<ShardIndex>,
}

/// Two maps: source address and local ICE user name to owner.
#[derive(Debug, Default)]
pub(crate) struct Demux {
    addresses: HashMap<PeerAddress, Owner>,
    ufrags: HashMap<String, Owner>,
    expiring: VecDeque<(Instant, String)>,
}

impl Demux {
    /// Whether nobody is known.
    pub(crate) fn is_empty(&self) -> bool {
        self.addresses.is_empty() && self.ufrags.is_empty() && self.expiring.is_empty()
    }

    /// Whose this datagram may be.
    pub(crate) fn find(&self, address: PeerAddress, datagram: &[u8]) -> Option<Owner> {
        match stun_local_ufrag(datagram) {
            Some(ufrag) => self.ufrags.get(ufrag).copied(),
            None => self.addresses.get(&address).copied(),
        }
    }

    /// The transport of this shard that the address is known to be of.
    pub(crate) fn transport_at(&self, address: PeerAddress) -> Option<TransportId> {
        match self.addresses.get(&address)? {
            Owner::Transport(id) => Some(*id),
            Owner::Shard(_) => None,
        }
    }

    /// Whether what comes from this address is known to be this owner's.
    pub(crate) fn knows(&self, address: PeerAddress, owner: Owner) -> bool {
        self.addresses.get(&address) == Some(&owner)
    }

    /// The peer proved that this address is its own. `known` are the transport's addresses, oldest
    /// first; returns the one that had to go, if it has too many now, which is never the one in use.
    pub(crate) fn learn_address(
        &mut self,
        new: Known,
        transport: TransportId,
        known: &mut VecDeque<Known>,
        in_use: Option<PeerAddress>,
    ) -> Option<Known> {
        self.addresses.insert(new.address, Owner::Transport(transport));
        // The kernel may be told to choose the right shard. The one that it chose before still knows the address, and is
        // told when it is forgotten.
        let is_known =
            |k: &Known| k.address == new.address && (k.via == new.via || new.via.is_none());
        if known.iter().any(is_known) {
            return None;
        }
        known.push_back(new);
        if known.len() <= MAX_ADDRESSES {
            return None;
        }
        let oldest = known.iter().position(|k| Some(k.address) != in_use);
        let oldest = oldest.and_then(|place| known.remove(place));
        if let Some(oldest) = oldest {
            self.forget_address(oldest.address, Owner::Transport(transport));
        }
        oldest
    }

    /// What another shard says of an address.
    pub(crate) fn set_owner(&mut self, address: PeerAddress, shard: ShardIndex) {
        self.addresses.insert(address, Owner::Shard(shard));
    }

    /// The address is this owner's no longer; if it is another's by now, nothing changes.
    pub(crate) fn forget_address(&mut self, address: PeerAddress, owner: Owner) {
        if self.knows(address, owner) {
            self.addresses.remove(&address);
        }
    }

    /// The transport has this local user name now, and had `former` before. Returns whether it is new.
    pub(crate) fn set_ufrag(
        &mut self,
        now: Instant,
        transport: TransportId,
        ufrag: &str,
        former: Option<&str>,
    ) -> bool {
        if former == Some(ufrag) {
            return false;
        }
        self.ufrags.insert(ufrag.to_owned(), Owner::Transport(transport));
        if let Some(former) = former {
            self.expiring.push_back((now + OLD_UFRAG, former.to_owned()));
        }
        true
    }

    /// What another shard says of a user name; one of our own is not given away.
    pub(crate) fn add_foreign_ufrag(&mut self, ufrag: String, shard: ShardIndex) {
        self.ufrags.entry(ufrag).or_insert(Owner::Shard(shard));
    }

    /// The user name is this owner's no longer.
    pub(crate) fn remove_ufrag(&mut self, ufrag: &str, owner: Owner) {
        if self.ufrags.get(ufrag) == Some(&owner) {
            self.ufrags.remove(ufrag);
        }
    }

    /// Forgets the next user name whose time is over and returns it.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<String> {
        self.expiring.front().filter(|(at, _)| *at <= now)?;
        let (_, ufrag) = self.expiring.pop_front()?;
        self.ufrags.remove(&ufrag);
        Some(ufrag)
    }

    /// When [`Self::expire`] has something to do.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.expiring.front().map(|(at, _)| *at)
    }
}

const STUN_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const STUN_BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
const STUN_USERNAME: [u8; 2] = [0x00, 0x06];

/// The part before the colon of the user name in a STUN binding request (RFC 8445 section 7.2.2),
/// which is the receiver's. `None` for anything else. Proves nothing: the integrity is not looked at.
///
/// Layout (RFC 8489 section 5): type 2, length 2, cookie 4, transaction 12, then attributes of
/// type 2, length 2 and value padded to 4; all big-endian.
#[must_use]
pub fn stun_local_ufrag(datagram: &[u8]) -> Option<&str> {
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

    fn address(port: u16) -> PeerAddress {
        PeerAddress { socket: 0, source: ([192, 0, 2, 1], port).into() }
    }

    fn known(port: u16) -> Known {
        Known { address: address(port), via: None }
    }

    fn of(transport: TransportId) -> Owner {
        Owner::Transport(transport)
    }

    #[test]
    fn a_check_is_found_by_user_name_and_nothing_else_is() {
        let mut demux = Demux::default();
        demux.set_ufrag(Instant::now(), A, "here", None);
        assert_eq!(demux.find(address(1), &check("here:there")), Some(of(A)));
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
        assert!(demux.set_ufrag(t, A, "old", None));
        assert!(demux.set_ufrag(t, A, "new", Some("old")));
        assert!(!demux.set_ufrag(t, A, "new", Some("new")));
        assert_eq!(demux.expire(t + Duration::from_secs(29)), None);
        assert_eq!(demux.find(address(1), &check("old:x")), Some(of(A)));
        assert_eq!(demux.deadline(), Some(t + OLD_UFRAG));
        assert_eq!(demux.expire(t + OLD_UFRAG).as_deref(), Some("old"));
        assert_eq!(demux.expire(t + OLD_UFRAG), None);
        assert_eq!(demux.find(address(1), &check("old:x")), None);
        assert_eq!(demux.find(address(1), &check("new:x")), Some(of(A)));
    }

    #[test]
    fn the_newest_owner_of_an_address_has_it_and_the_oldest_addresses_go_first() {
        let mut demux = Demux::default();
        let (mut of_a, mut of_b) = (VecDeque::new(), VecDeque::new());
        for port in 0..=MAX_ADDRESSES as u16 {
            let gone = demux.learn_address(known(port), A, &mut of_a, None);
            assert_eq!(gone, (port == MAX_ADDRESSES as u16).then(|| known(0)));
        }
        assert_eq!(demux.find(address(0), &[0x80]), None);
        assert_eq!(demux.find(address(1), &[0x80]), Some(of(A)));
        demux.learn_address(known(1), B, &mut of_b, None);
        demux.forget_address(address(1), Owner::Transport(A));
        demux.forget_address(address(2), Owner::Transport(A));
        assert_eq!(demux.find(address(1), &[0x80]), Some(of(B)));
        assert_eq!(demux.find(address(2), &[0x80]), None);
    }

    #[test]
    fn an_address_that_comes_straight_later_is_one_address_by_way_of_the_first_shard() {
        let by_way = Known { via: Some(ShardIndex(1)), ..known(1) };
        let (mut demux, mut addresses) = (Demux::default(), VecDeque::new());
        demux.learn_address(by_way, A, &mut addresses, None);
        demux.learn_address(known(1), A, &mut addresses, None);
        assert_eq!(addresses, [by_way]);
        let other_way = Known { via: Some(ShardIndex(2)), ..by_way };
        demux.learn_address(other_way, A, &mut addresses, None);
        assert_eq!(addresses, [by_way, other_way], "both are to be told of its end");
    }

    #[test]
    fn another_shard_takes_an_address_but_no_user_name_that_is_ours() {
        let other = ShardIndex(1);
        let mut demux = Demux::default();
        demux.set_ufrag(Instant::now(), A, "ours", None);
        demux.learn_address(known(1), A, &mut VecDeque::new(), None);
        demux.add_foreign_ufrag("ours".into(), other);
        demux.add_foreign_ufrag("theirs".into(), other);
        demux.set_owner(address(1), other);
        assert_eq!(demux.find(address(9), &check("ours:x")), Some(of(A)));
        assert_eq!(demux.find(address(9), &check("theirs:x")), Some(Owner::Shard(other)));
        assert_eq!(demux.find(address(1), &[0x80]), Some(Owner::Shard(other)));
        demux.remove_ufrag("ours", Owner::Shard(other));
        demux.forget_address(address(1), Owner::Transport(A));
        assert_eq!(demux.find(address(9), &check("ours:x")), Some(of(A)));
        assert!(demux.knows(address(1), Owner::Shard(other)));
    }

    #[test]
    fn the_same_address_on_another_socket_is_another_peer() {
        let mut demux = Demux::default();
        demux.learn_address(known(1), A, &mut VecDeque::new(), None);
        let by_tcp = PeerAddress { socket: 1, ..address(1) };
        assert_eq!(demux.find(by_tcp, &[0x80]), None);
    }
}

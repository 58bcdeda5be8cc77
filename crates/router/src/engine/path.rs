//! Where a peer is to be sent to: the address from which its newest authenticated packet came.
//!
//! An ICE agent that is controlled uses the pair of the highest priority that was nominated. That pair
//! may be dead: a client whose UDP was blocked nominates its TCP pair, of lower priority, and a client
//! behind a rebound NAT simply comes from elsewhere. So the newest sign decides:
//!
//! - A check that nominates, and media that was decrypted, move the path at once: a client does both
//!   only where it wants to be.
//! - Any other check moves it only when nothing came on it for a while: clients keep pairs in reserve
//!   alive with such checks.

use std::time::{Duration, Instant};

use crate::exchange::PeerAddress;

/// How long the path must be silent before a check that nominates nothing moves it. Browsers that
/// send media report on it every second; those that send nothing check every 2.5 s or less.
const SILENCE: Duration = Duration::from_secs(3);

/// What a peer did, from a sign of which the engine knows whether it is genuine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// An authenticated connectivity check with USE-CANDIDATE (RFC 8445 section 8.2.2).
    Nomination,
    /// Any other authenticated connectivity check.
    Check,
    /// A packet that was decrypted.
    Media,
    /// Something from a proven address that says nothing of its authenticity.
    Unverified,
}

/// The address that is sent to.
#[derive(Debug, Default)]
pub(super) struct Path {
    current: Option<(PeerAddress, Instant)>,
    /// Where the newest packet came from that was decrypted: checks can be sent again by whoever saw one.
    media_from: Option<PeerAddress>,
}

impl Path {
    /// A sign came from `from`. Returns whether the peer has left another address for it.
    pub(super) fn note(&mut self, now: Instant, from: PeerAddress, sign: Sign) -> bool {
        let moves = match (self.current, sign) {
            (Some((current, _)), _) if current == from => true,
            (_, Sign::Nomination) | (Some(_), Sign::Media) => true,
            (Some((_, heard_at)), Sign::Check) => now >= heard_at + SILENCE,
            (None, Sign::Check | Sign::Media) | (_, Sign::Unverified) => false,
        };
        if sign == Sign::Media {
            self.media_from = Some(from);
        }
        let is_elsewhere = self.current.is_some_and(|(current, _)| current != from);
        if moves {
            self.current = Some((from, now));
        }
        moves && is_elsewhere
    }

    /// Where to send; `None` before the first nomination.
    pub(super) fn current(&self) -> Option<PeerAddress> {
        self.current.map(|(address, _)| address)
    }

    /// The address that the peer itself uses, as far as that is known.
    pub(super) fn in_use(&self) -> Option<PeerAddress> {
        self.media_from.or(self.current())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UDP: PeerAddress = address(0, 1);
    const REBOUND: PeerAddress = address(0, 2);
    const TCP: PeerAddress = address(1, 1);

    const fn address(socket: usize, port: u16) -> PeerAddress {
        let ip = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
        PeerAddress { socket, source: std::net::SocketAddr::new(ip, port) }
    }

    fn on_udp(now: Instant) -> Path {
        let mut path = Path::default();
        path.note(now, UDP, Sign::Check);
        assert_eq!(path.current(), None, "nothing before a nomination");
        path.note(now, UDP, Sign::Nomination);
        path
    }

    #[test]
    fn a_nomination_and_decrypted_media_move_the_path_at_once() {
        let now = Instant::now();
        for sign in [Sign::Nomination, Sign::Media] {
            let mut path = on_udp(now);
            assert!(!path.note(now, UDP, sign), "it stays");
            assert!(path.note(now, TCP, sign), "it moves");
            assert_eq!(path.current(), Some(TCP), "{sign:?}");
        }
    }

    #[test]
    fn a_reserve_pair_that_is_checked_takes_nothing_over_while_the_path_lives() {
        let start = Instant::now();
        let mut path = on_udp(start);
        for second in 0..30 {
            let now = start + Duration::from_secs(second);
            path.note(now, UDP, Sign::Unverified);
            path.note(now, TCP, Sign::Check);
            path.note(now, TCP, Sign::Unverified);
            assert_eq!(path.current(), Some(UDP));
        }
    }

    #[test]
    fn a_check_from_elsewhere_moves_a_path_that_fell_silent() {
        let start = Instant::now();
        let mut path = on_udp(start);
        path.note(start + SILENCE, REBOUND, Sign::Unverified);
        assert_eq!(path.current(), Some(UDP), "nobody proved anything");
        path.note(start + SILENCE, REBOUND, Sign::Check);
        assert_eq!(path.current(), Some(REBOUND));
    }
}

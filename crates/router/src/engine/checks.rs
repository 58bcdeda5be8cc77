//! From how many addresses a peer's connectivity checks are taken.
//!
//! The ICE library remembers every address until the next ICE restart, and looks through all of them at each check.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crate::exchange::PeerAddress;

/// A client has a handful of addresses, and a NAT may give it others now and then.
const MAX_CHECK_SOURCES: usize = 256;
/// A client that is called all day gets one more per this time.
const SOURCE_INTERVAL: Duration = Duration::from_secs(60);

/// Where authentic checks of one peer came from.
#[derive(Debug, Default)]
pub(super) struct CheckSources {
    /// Keyed by a secret, so that a client cannot choose addresses that collide.
    known: HashSet<PeerAddress>,
    since: Option<Instant>,
}

impl CheckSources {
    /// Whether a check from there is taken.
    pub(super) fn admit(&mut self, now: Instant, from: PeerAddress) -> bool {
        let since = *self.since.get_or_insert(now);
        if self.known.contains(&from) {
            return true;
        }
        let age = now.saturating_duration_since(since).as_secs();
        let most = MAX_CHECK_SOURCES + (age / SOURCE_INTERVAL.as_secs()) as usize;
        self.known.len() < most && self.known.insert(from)
    }

    /// The library remembers none any more.
    pub(super) fn forget(&mut self) {
        self.known.clear();
    }
}

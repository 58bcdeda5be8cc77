//! What is counted for the operator: totals since the start, and everything that was dropped, by cause.

use serde::{Deserialize, Serialize};

use crate::networks::Networks;
use crate::sojourn::Sojourns;

/// Why something was dropped: the closed list of `contract/router-link.yaml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropCause {
    /// A datagram from an address that proved nothing, or a check with a user name that nobody has.
    UnknownSource,
    /// A datagram from another machine, while only this one is served.
    ForeignMachine,
    /// The transport's engine did not accept it.
    Refused,
    /// Larger than any packet of a client, or not framed as it must be.
    Malformed,
    /// A DTLS record that has no place where the handshake is.
    OutOfPlace,
    /// A packet of one RTP source more than a transport may have.
    TooManySources,
    /// A packet of a client that sends more than a transport may.
    TooMuch,
    /// A media packet on a line, of a payload type or of an encoding that was not agreed on.
    NotNegotiated,
    /// A media packet that the subscriber has no payload type for.
    CodecNotSupported,
    /// A media packet that is older than the binding of its slot.
    BeforeBinding,
    /// A media packet for a sink that this version does not serve.
    NoSink,
    /// A packet for another shard that has not taken the earlier ones.
    RingFull,
    /// A packet that the kernel had no room for.
    SendBufferFull,
    /// A packet that the kernel refused otherwise.
    SendFailed,
    /// A packet for a TCP connection that takes too little.
    TcpQueueFull,
    /// A packet for a TCP connection that has ended.
    TcpNotConnected,
    /// A TCP connection that was one too many, or that did not begin with a known check in time.
    TcpRefused,
}

impl DropCause {
    /// Every cause, in the order of the contract.
    pub const ALL: [Self; 17] = [
        Self::UnknownSource,
        Self::ForeignMachine,
        Self::Refused,
        Self::Malformed,
        Self::OutOfPlace,
        Self::TooManySources,
        Self::TooMuch,
        Self::NotNegotiated,
        Self::CodecNotSupported,
        Self::BeforeBinding,
        Self::NoSink,
        Self::RingFull,
        Self::SendBufferFull,
        Self::SendFailed,
        Self::TcpQueueFull,
        Self::TcpNotConnected,
        Self::TcpRefused,
    ];
}

/// How often something was dropped for one cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// Why.
    pub cause: DropCause,
    /// How often since the start.
    pub count: u64,
}

/// A counter for every cause.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drops([u64; DropCause::ALL.len()]);

impl Drops {
    /// Counts one.
    pub fn count(&mut self, cause: DropCause) {
        self.add(cause, 1);
    }

    /// Counts several.
    pub fn add(&mut self, cause: DropCause, count: u64) {
        if let Some(counter) = self.0.get_mut(cause as usize) {
            *counter += count;
        }
    }

    /// How often this happened.
    #[must_use]
    pub fn of(&self, cause: DropCause) -> u64 {
        self.0.get(cause as usize).copied().unwrap_or(0)
    }

    /// Adds everything that another one counted.
    pub fn add_all(&mut self, other: &Self) {
        for cause in DropCause::ALL {
            self.add(cause, other.of(cause));
        }
    }

    /// Those that happened, in the order of the contract.
    #[must_use]
    pub fn list(&self) -> Vec<Dropped> {
        let all =
            DropCause::ALL.iter().map(|cause| Dropped { cause: *cause, count: self.of(*cause) });
        all.filter(|dropped| dropped.count > 0).collect()
    }
}

/// Counters of one shard since the router started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardStatistics {
    /// Its index.
    pub shard: u32,
    /// Transports that it has now.
    pub transports: u32,
    /// ICE-TCP connections that it has now.
    pub tcp_connections: u32,
    /// UDP datagrams and TCP frames that came.
    pub packets_received: u64,
    /// Their bytes, without IP, UDP and TCP headers.
    pub bytes_received: u64,
    /// UDP datagrams and TCP frames that left.
    pub packets_sent: u64,
    /// Their bytes.
    pub bytes_sent: u64,
    /// Media packets that were sent once more because a subscriber asked.
    pub retransmissions: u64,
    /// Packets given to other shards.
    pub handed_over: u64,
    /// What was dropped, by cause.
    pub drops: Vec<Dropped>,
    /// System calls that moved packets or waited for them.
    pub system_calls: u64,
    /// Most packets that one of them moved.
    pub largest_batch: u32,
    /// How long packets were in it.
    #[serde(default)]
    pub sojourns: Sojourns,
    /// What is known of its subscribers' networks; absent in earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub networks: Option<Networks>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_its_own_counter() {
        let mut drops = Drops::default();
        for (number, cause) in DropCause::ALL.into_iter().enumerate() {
            drops.add(cause, number as u64);
        }
        drops.count(DropCause::UnknownSource);
        let mut twice = drops;
        twice.add_all(&drops);
        for (number, cause) in DropCause::ALL.into_iter().enumerate() {
            let expected = if number == 0 { 2 } else { 2 * number as u64 };
            assert_eq!(twice.of(cause), expected, "{cause:?}");
        }
        assert_eq!(twice.list().len(), DropCause::ALL.len());
        assert_eq!(Drops::default().list(), []);
    }
}

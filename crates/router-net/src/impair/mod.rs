//! Owns the network that is made bad on purpose, for development: loss, delay and narrowness between the clients and
//! the router, on every datagram of UDP.
//!
//! It stands at the socket boundary of each shard, where a real network would: nothing behind it knows of it, and a
//! router without it has none of it.

mod conditions;
mod link;
mod stage;

pub use conditions::{Conditions, ConditionsError, Direction};
pub use stage::{Stage, Way};

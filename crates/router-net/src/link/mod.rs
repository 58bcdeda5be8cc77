//! The router link: how control speaks to the router over a Unix socket.
//!
//! `contract/router-link.yaml` is the wire. A connection has a reading and a writing thread; the
//! shard threads never wait for either.

pub mod message;
mod outbox;
mod server;

pub use outbox::{Item, Outbox};
pub(crate) use server::answer;
pub use server::{Link, LinkError, RouterFacts};

//! ICE-TCP (RFC 6544): the same packets as frames of a TCP stream, for clients whose network passes
//! no UDP.
//!
//! The [`Door`] listens, and holds every connection until its first frame has shown which shard it is
//! for; from then on the [`Connection`] is that shard's.

mod connection;
mod connections;
mod door;
mod framing;

pub use connection::{Connection, MAX_QUEUED_BYTES};
pub use connections::Connections;
pub use door::{
    Arrival, Door, DoorMail, DoorParts, FIRST_FRAME_TIMEOUT, MAX_WAITING, MAX_WAITING_OF_SOURCE,
};
pub use framing::{Frames, MAX_FRAME_BYTES};

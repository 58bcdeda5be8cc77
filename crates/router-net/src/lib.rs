//! The edge of the Tertulia media router: sockets, threads, the real clock and the router link.
//!
//! The program is one shard thread per core, each of which alone touches its sockets and its forwarding
//! core; the door, where TCP connections wait; a few threads that serve the router link; and the main
//! thread, which waits for the end.

pub mod args;
pub mod batch;
pub mod doorbell;
pub mod impair;
pub mod link;
pub mod logging;
pub mod parcels;
pub mod peers;
pub mod placement;
pub mod program;
pub mod shard;
pub mod shards;
pub mod sockets;
pub mod steering;
pub mod tcp;

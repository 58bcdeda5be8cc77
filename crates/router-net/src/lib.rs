//! The edge of the Tertulia media router: sockets, threads, the real clock and the router link.
//!
//! The program is a shard thread that alone touches the sockets and the forwarding core, a few
//! threads that serve the router link, and the main thread, which waits for the end.

pub mod args;
pub mod link;
pub mod logging;
pub mod program;
pub mod shard;
pub mod sockets;

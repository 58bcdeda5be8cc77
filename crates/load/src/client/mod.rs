//! One member of a session: what it says to the server, and its peer connection.
//!
//! Neither touches a socket: messages, datagrams and time come in, messages and datagrams go out.

mod dialogue;
mod dtls;
mod member;
mod peer;
mod picture;
mod receiving;
mod sending;

pub use member::{Context, Member, MemberOptions, Outcome, Phase, Role};
pub use peer::{Arrival, LineKind, Peer, PeerError, PeerFactory};

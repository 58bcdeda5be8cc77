//! The load generator: clients with real ICE, DTLS and SRTP that join sessions, publish, subscribe and count.
//!
//! `media` makes packets and `measure` counts them, both pure. A `client` is one member of a session: signalling state and
//! peer connection, driven by messages, datagrams and time. `worker` is a thread that owns sockets and drives its clients,
//! `conductor` says who joins and leaves when, `report` says what came of it.

pub mod args;
pub mod client;
pub mod conductor;
pub mod datagrams;
pub mod measure;
pub mod media;
pub mod plan;
pub mod program;
pub mod reach;
pub mod report;
pub mod signalling;
pub mod worker;

//! The signalling wire as `contract/signalling.yaml` has it: messages, and a WebSocket that never blocks.

mod message;
mod socket;

pub use message::{
    Binding, ClientMessage, ClientName, Dimensions, ErrorBody, Joined, ReplyResult, Resumed,
    ServerFrame, ServerMessage, SlotPair, Stream,
};
pub use socket::{Close, Server, Socket, SocketError};

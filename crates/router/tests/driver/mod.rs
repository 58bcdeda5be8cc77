//! Scripted clients, a virtual network and a virtual clock around one router.

mod client;
pub mod forgery;
pub mod layered;
mod media;
pub mod seal;
mod shards;
mod structure;
mod watching;
mod world;

pub use client::{Change, Client, ClientOptions, Codecs, Received};
pub use media::Picture;
pub use watching::size;
pub use world::{ClientId, Direction, World, router_address};

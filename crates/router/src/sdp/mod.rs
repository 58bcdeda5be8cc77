//! What the router itself reads and writes in session descriptions; the rest is the engine's.

mod answer;
mod media;
mod offer;

pub(crate) use answer::{SlotLine, finish};
pub(crate) use media::negotiated;
pub(crate) use offer::Offer;

//! What the router itself reads and writes in session descriptions; the rest is the engine's.

mod answer;
mod dependencies;
mod media;
mod offer;
mod redundancy;

pub(crate) use answer::{SlotLine, finish};
pub(crate) use dependencies::with_dependencies;
pub(crate) use media::negotiated;
pub(crate) use offer::Offer;
pub(crate) use redundancy::{with_audio_repair, with_round_trips};

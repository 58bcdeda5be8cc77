//! How much one subscriber's network carries, and what of its streams it gets for that.
//!
//! Pure: packets that left, feedback that came and the time go in; a rate, a share for each video and
//! probes come out. Each subscriber transport has one [`Network`] and each binding one [`Sharing`];
//! nothing here is called for a packet but [`Network::note_sent`].

mod allocation;
mod bitrate;
mod ceiling;
mod estimator;
mod fallback;
mod network;
mod probe;
mod redundancy;
mod sharing;
#[cfg(test)]
mod simulation;

pub(crate) use allocation::{Demand, Share, Stay, allocate};
pub(crate) use bitrate::Bitrate;
pub(crate) use estimator::{Estimate, Estimator, Limits, Reported, Sent};
pub(crate) use fallback::{Fallback, FallbackChange};
pub(crate) use network::Network;
pub(crate) use probe::Prober;
pub(crate) use sharing::Sharing;

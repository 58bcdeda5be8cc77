//! Why the router refuses a command.

use thiserror::Error;

use crate::ids::{Generation, Mid, SlotIndex, TransportId};

/// A command that was refused; it changed nothing unless its variant says so.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RouterError {
    /// A field is out of range.
    #[error("{0}")]
    InvalidRequest(String),
    /// The transport does not exist.
    #[error("No transport has the id {}; it may have been closed.", .0.0)]
    TransportNotFound(TransportId),
    /// The transport has no such slot pair.
    #[error("The transport has no slot pair {}; add it with an offer first.", .0.0)]
    SlotNotFound(SlotIndex),
    /// The source has no such line.
    #[error(
        "The source transport sends nothing on the media line `{0}`; bind a line that it sends on."
    )]
    TrackNotFound(Mid),
    /// The generation is not newer than the newest of the slot.
    #[error("Generation {} is not newer than {}; choose a larger one.", .asked.0, .newest.0)]
    StaleGeneration {
        /// What was asked for.
        asked: Generation,
        /// The newest that the slot had.
        newest: Generation,
    },
    /// The slot pair is not free.
    #[error("Slot pair {} is bound with generation {}; unbind it first.", .slot.0, .generation.0)]
    SlotBound {
        /// The slot pair.
        slot: SlotIndex,
        /// The binding that it has.
        generation: Generation,
    },
    /// The offer cannot be accepted.
    #[error("{0}")]
    OfferRefused(String),
    /// The transport ended while the command was handled.
    #[error("The transport ended while the request was handled ({0}); open a new one.")]
    TransportFailed(String),
    /// A limit of the configuration.
    #[error("{0}")]
    LimitReached(String),
}

impl RouterError {
    /// The stable code of `contract/router-link.yaml`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidRequest(_) => "invalid_request",
            Self::TransportNotFound(_) => "transport_not_found",
            Self::SlotNotFound(_) => "slot_not_found",
            Self::TrackNotFound(_) => "track_not_found",
            Self::StaleGeneration { .. } => "stale_generation",
            Self::SlotBound { .. } => "slot_bound",
            Self::OfferRefused(_) => "offer_refused",
            Self::TransportFailed(_) => "transport_failed",
            Self::LimitReached(_) => "limit_reached",
        }
    }
}

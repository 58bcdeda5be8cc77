//! Layers inside one stream of packets (VP9, AV1): what a frame is of, and which frames a subscriber gets.
//!
//! A publisher's packets are described once, as [`LayerFrame`]s, from the dependency descriptor or from
//! the VP9 payload descriptor; each subscriber's [`Selection`] decides from that. See
//! `docs/decisions/router-svc.md`.

mod describe;
mod pauses;
mod selection;

pub(crate) use describe::Describer;
pub(crate) use pauses::SpatialLayers;
pub(crate) use selection::{Fate, Selection};

use crate::layers::MAX_TEMPORAL_LAYERS;
use crate::rtp::dependency::{MAX_SPATIAL_LAYERS, MaskPlace, References};

/// A pair of a spatial and a temporal layer, both with all below them: what a subscriber can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// 0 to 3, the smallest first.
    pub spatial: u8,
    /// 0 to 3, the slowest first.
    pub temporal: u8,
}

impl Cell {
    /// All there can be.
    pub(crate) const COUNT: usize = MAX_SPATIAL_LAYERS * MAX_TEMPORAL_LAYERS;

    fn index(self) -> u8 {
        self.spatial * MAX_TEMPORAL_LAYERS as u8 + self.temporal
    }

    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let temporal = 0..MAX_TEMPORAL_LAYERS as u8;
        (0..MAX_SPATIAL_LAYERS as u8).flat_map(move |spatial| {
            temporal.clone().map(move |temporal| Self { spatial, temporal })
        })
    }

    /// Whether this is no more than that in both.
    pub(crate) fn is_within(self, other: Self) -> bool {
        self.spatial <= other.spatial && self.temporal <= other.temporal
    }
}

/// A set of cells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cells(u16);

impl Cells {
    pub(crate) const NONE: Self = Self(0);

    pub(crate) fn add(&mut self, cell: Cell) {
        self.0 |= 1_u16.checked_shl(cell.index().into()).unwrap_or(0);
    }

    /// Whether this one is in it.
    #[must_use]
    pub fn has(self, cell: Cell) -> bool {
        self.0 & 1_u16.checked_shl(cell.index().into()).unwrap_or(0) != 0
    }

    /// Its cells, spatially the lowest first.
    pub(crate) fn iter(self) -> impl DoubleEndedIterator<Item = Cell> {
        (0..Cell::COUNT as u8)
            .map(|index| Cell {
                spatial: index / MAX_TEMPORAL_LAYERS as u8,
                temporal: index % MAX_TEMPORAL_LAYERS as u8,
            })
            .filter(move |cell| self.has(*cell))
    }

    /// The one that comes nearest to what is wanted without exceeding it; the lowest if all exceed it.
    pub(crate) fn nearest(self, wanted: Cell) -> Option<Cell> {
        self.iter().rev().find(|cell| cell.is_within(wanted)).or_else(|| self.iter().next())
    }
}

/// What one packet says of its frame, and of the layers of its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerFrame {
    /// Counts frames, not pictures, mod 2^16.
    pub number: u16,
    /// The packet is the first of the frame.
    pub starts: bool,
    /// The packet is the last of the frame.
    pub ends: bool,
    /// Of the frame.
    pub spatial: u8,
    /// What subscribers can have just now.
    pub cells: Cells,
    /// Those that the frame is part of.
    pub present: Cells,
    /// Those of which all later frames can be decoded if this one can.
    pub switches: Cells,
    /// As above, for those who have the spatial layer already.
    pub paces: Cells,
    /// What it takes to decode the frame.
    pub references: References,
    /// The decode targets of the descriptor, if there is one.
    pub targets: Option<Targets>,
}

/// The decode targets of a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Targets {
    /// Where their mask stands.
    pub mask: MaskPlace,
    /// Those that are sent.
    pub active: u32,
    /// Of each the index of its cell, four bits.
    cells: u128,
    /// The packet brings the structure or a mask.
    pub is_told: bool,
}

impl Targets {
    /// Those of them that somebody gets who has this cell.
    pub(crate) fn within(&self, cell: Cell) -> u32 {
        let mut active = 0;
        for target in 0..self.mask.targets.min(32) {
            let index = (self.cells >> (4 * u32::from(target)) & 15) as u8;
            let layers = MAX_TEMPORAL_LAYERS as u8;
            let of = Cell { spatial: index / layers, temporal: index % layers };
            if of.is_within(cell) {
                active |= 1 << target;
            }
        }
        active & self.active
    }
}

//! Which frames of a layered stream one subscriber gets.

use std::collections::VecDeque;

use super::{Cell, Cells, LayerFrame};
use crate::rtp::dependency::References;

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is sent.
    Kept {
        /// It is the last of the highest frame of its picture that the subscriber gets.
        ends_picture: bool,
        /// The subscriber gets other layers from this frame on.
        is_change: bool,
    },
    /// It is not for this subscriber.
    LeftOut,
    /// As above, and what is wanted can only begin at a key frame.
    NeedsKeyFrame,
}

/// Frames that come at most so late are late; others are of a source that counts anew.
const LATEST: u16 = 1024;

/// Changes that are remembered for what comes late; they are rare.
const MAX_CHANGES: usize = 8;

/// Decides for one subscriber. It gets other layers from a frame on that says that all later frames of
/// those can be decoded if it can, and that refers only to frames that were sent.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    current: Option<Cell>,
    /// Frames at which other layers began, and which were before, the oldest first.
    changes: VecDeque<(u16, Option<Cell>)>,
    /// The newest frame.
    newest: u16,
    /// Whether the newest frame was sent, and those before; bit 0 is the newest.
    sent: u64,
}

impl Selection {
    /// What the subscriber gets.
    pub(crate) fn current(&self) -> Option<Cell> {
        self.current
    }

    /// Decides on a packet. `wanted` is at most what the subscriber should have.
    pub(crate) fn decide(&mut self, wanted: Cell, frame: &LayerFrame) -> Fate {
        let Some(wanted) = frame.cells.nearest(wanted) else {
            return Fate::Kept { ends_picture: false, is_change: false };
        };
        self.keep_within(frame.cells);
        let ahead = frame.number.wrapping_sub(self.newest);
        let is_new = self.current.is_none() || (1..u16::MAX - LATEST).contains(&ahead);
        if is_new {
            self.sent = self.sent.checked_shl(ahead.into()).unwrap_or(0);
            self.newest = frame.number;
            let is_over = |since: u16| !(..LATEST).contains(&frame.number.wrapping_sub(since));
            while self.changes.front().is_some_and(|(since, _)| is_over(*since)) {
                self.changes.pop_front();
            }
        }
        let mut needs_key = false;
        if is_new && frame.starts && self.current != Some(wanted) {
            let can_decode = self.has_sent(frame.references);
            let next = if can_decode { self.next(wanted, frame) } else { None };
            if let Some(next) = next {
                if self.changes.len() == MAX_CHANGES {
                    self.changes.pop_front();
                }
                self.changes.push_back((frame.number, self.current));
                self.current = Some(next);
            } else {
                let is_elsewhere = self.current.is_none_or(|c| c.spatial != wanted.spatial);
                let would_do = frame.switches.iter().any(|cell| cell.spatial == wanted.spatial);
                needs_key = !can_decode && is_elsewhere && would_do;
            }
        }
        match self.at(frame.number).filter(|cell| frame.present.has(*cell)) {
            Some(cell) => {
                self.note_sent(frame.number);
                let is_change =
                    self.changes.back().is_some_and(|(since, _)| *since == frame.number);
                Fate::Kept { ends_picture: frame.ends && frame.spatial == cell.spatial, is_change }
            }
            None if needs_key => Fate::NeedsKeyFrame,
            None => Fate::LeftOut,
        }
    }

    /// Of temporal layers that are sent no more, those that are left were sent too: to go on with them
    /// needs no frame to begin at.
    fn keep_within(&mut self, cells: Cells) {
        let Some(current) = self.current.filter(|cell| !cells.has(*cell)) else {
            return;
        };
        let is_left = |cell: &Cell| cell.spatial == current.spatial && cell.is_within(current);
        self.current = cells.iter().rev().find(is_left).or(self.current);
    }

    /// What the subscriber got at this frame: one that comes late is of what was before.
    fn at(&self, number: u16) -> Option<Cell> {
        let is_before = |since: u16| (number.wrapping_sub(since) as i16) < 0;
        let next = self.changes.iter().find(|(since, _)| is_before(*since));
        next.map_or(self.current, |(_, former)| *former)
    }

    /// The best step towards what is wanted, of those that a frame allows.
    fn next(&self, wanted: Cell, frame: &LayerFrame) -> Option<Cell> {
        let mut switches = frame.switches;
        let own = self.current.map(|current| current.spatial);
        for cell in frame.paces.iter().filter(|cell| Some(cell.spatial) == own) {
            switches.add(cell);
        }
        if switches.has(wanted) {
            return Some(wanted);
        }
        let is_step = |cell: &Cell| {
            cell.is_within(wanted)
                && self.current.is_none_or(|current| {
                    let is_too_fast = current.temporal > wanted.temporal;
                    let is_more = cell.spatial > current.spatial
                        || cell.temporal > current.temporal
                        || is_too_fast;
                    // What is too large goes at once or not at all: there is no way back up.
                    current.spatial <= wanted.spatial && cell.spatial >= current.spatial && is_more
                })
        };
        switches.iter().rev().find(is_step).filter(|cell| Some(*cell) != self.current)
    }

    /// Whether all these were sent.
    fn has_sent(&self, references: References) -> bool {
        !references.is_far && references.back & !(self.sent >> 1) == 0
    }

    fn note_sent(&mut self, number: u16) {
        let behind = u32::from(self.newest.wrapping_sub(number));
        self.sent |= 1_u64.checked_shl(behind).unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Cell = Cell { spatial: 0, temporal: u8::MAX };

    /// A frame of the lowest layer, of a stream that has or may have so many temporal layers.
    fn frame(number: u16, temporal_layers: u8, back: u64) -> LayerFrame {
        let mut cells = Cells::NONE;
        for temporal in 0..temporal_layers {
            cells.add(Cell { spatial: 0, temporal });
        }
        let mut lowest = Cells::NONE;
        lowest.add(Cell { spatial: 0, temporal: 0 });
        LayerFrame {
            number,
            starts: true,
            ends: true,
            spatial: 0,
            cells,
            present: cells,
            switches: if back == 0 { cells } else { lowest },
            paces: lowest,
            references: References { back, is_far: false },
            targets: None,
        }
    }

    #[test]
    fn what_comes_after_two_changes_is_judged_by_what_was_before_both() {
        let cell = |spatial, temporal| Cell { spatial, temporal };
        let all = [cell(0, 0), cell(0, 1), cell(1, 0), cell(1, 1)];
        let set = |cells: &[Cell]| {
            let mut set = Cells::NONE;
            for cell in cells {
                set.add(*cell);
            }
            set
        };
        // The upper spatial layer needs nothing of the lower one; numbers are even below and odd above.
        let of = |number: u16, present: &[Cell], switches: &[Cell], back| LayerFrame {
            spatial: (number % 2) as u8,
            cells: set(&all),
            present: set(present),
            switches: set(switches),
            paces: Cells::NONE,
            ..frame(number, 1, back)
        };
        let (lower, upper) = (&all[..2], &all[2..]);
        let mut selection = Selection::default();
        let small = cell(0, 0);
        assert!(matches!(selection.decide(small, &of(2, lower, lower, 0)), Fate::Kept { .. }));
        let large = cell(1, 0);
        assert!(matches!(selection.decide(large, &of(7, upper, upper, 0)), Fate::Kept { .. }));
        let fast = cell(1, 1);
        assert!(matches!(selection.decide(fast, &of(9, upper, upper, 2)), Fate::Kept { .. }));
        assert_eq!(selection.current(), Some(fast));
        assert_eq!(selection.decide(fast, &of(5, upper, &[], 2)), Fate::LeftOut);
    }

    #[test]
    fn a_loss_while_temporal_layers_turn_out_to_be_fewer_ends_nothing() {
        let mut selection = Selection::default();
        for (number, back) in [(1, 0), (2, 1), (3, 1)] {
            let fate = selection.decide(ALL, &frame(number, 4, back));
            assert!(matches!(fate, Fate::Kept { .. }), "{number}: {fate:?}");
        }
        // Frame 4 was lost, and its successor refers to it.
        for number in 5..9 {
            let fate = selection.decide(ALL, &frame(number, 1, 1));
            assert!(matches!(fate, Fate::Kept { .. }), "{number}: {fate:?}");
        }
        assert_eq!(selection.current(), Some(Cell { spatial: 0, temporal: 0 }));
    }
}

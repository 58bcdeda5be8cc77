//! Numbers that go on without the gaps of what was left out.

use std::collections::VecDeque;

/// Runs of numbers that are remembered as left out; what is older than all of them has no place any more.
const MAX_RUNS: usize = 64;

/// Maps the growing numbers of a source, some of which are left out, to numbers without these gaps.
///
/// A number that never came keeps its gap: it may come late, or be asked for again.
#[derive(Debug)]
pub(crate) struct Renumbering {
    /// Numbers below it have no place.
    first: u64,
    /// What `first` becomes.
    first_out: u64,
    /// The greatest number that was mapped or left out.
    newest: u64,
    /// Runs that were left out, `(from, to)` inclusive, growing.
    runs: VecDeque<(u64, u64)>,
    /// How many numbers they hold.
    left_out: u64,
}

impl Renumbering {
    /// `first` becomes `first_out`, and is not left out.
    pub(crate) fn new(first: u64, first_out: u64) -> Self {
        Self { first, first_out, newest: first, runs: VecDeque::new(), left_out: 0 }
    }

    /// The greatest number so far.
    pub(crate) fn newest(&self) -> u64 {
        self.newest
    }

    /// What a number becomes; `None` if it is older than all, or was left out.
    pub(crate) fn map(&mut self, number: u64) -> Option<u64> {
        let ahead = number.checked_sub(self.first)?;
        self.newest = self.newest.max(number);
        if self.runs.back().is_none_or(|(_, to)| number > *to) {
            return Some(self.first_out + ahead - self.left_out);
        }
        let mut left_out = 0;
        for (from, to) in &self.runs {
            if number < *from {
                break;
            }
            if number <= *to {
                return None;
            }
            left_out += to - from + 1;
        }
        Some(self.first_out + ahead - left_out)
    }

    /// Leaves a number out. One that comes late keeps its gap, for its followers have left.
    pub(crate) fn leave_out(&mut self, number: u64) {
        if number <= self.newest {
            return;
        }
        self.newest = number;
        self.left_out += 1;
        match self.runs.back_mut() {
            Some((_, to)) if *to + 1 == number => *to = number,
            _ => self.runs.push_back((number, number)),
        }
        if self.runs.len() > MAX_RUNS
            && let Some((from, to)) = self.runs.pop_front()
        {
            self.first_out += from - self.first;
            self.first = to + 1;
            self.left_out -= to - from + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_makes_no_gap_and_what_is_lost_does() {
        let mut numbers = Renumbering::new(100, 7);
        assert_eq!(numbers.map(100), Some(7));
        numbers.leave_out(101);
        numbers.leave_out(102);
        assert_eq!(numbers.map(103), Some(8));
        assert_eq!(numbers.map(105), Some(10), "104 may still come");
        assert_eq!(numbers.map(104), Some(9));
        assert_eq!(numbers.map(102), None);
        assert_eq!(numbers.map(99), None);
    }

    #[test]
    fn what_is_left_out_late_moves_nothing_that_has_left() {
        let mut numbers = Renumbering::new(0, 0);
        assert_eq!(numbers.map(0), Some(0));
        assert_eq!(numbers.map(2), Some(2));
        numbers.leave_out(1);
        assert_eq!(numbers.map(3), Some(3));
    }

    #[test]
    fn old_runs_are_forgotten_and_the_numbers_go_on() {
        let mut numbers = Renumbering::new(0, 1000);
        let mut expected = 1000;
        for number in 0..10_000 {
            if number % 2 == 1 {
                numbers.leave_out(number);
            } else {
                assert_eq!(numbers.map(number), Some(expected));
                expected += 1;
            }
        }
        assert!(numbers.runs.len() <= MAX_RUNS);
        assert_eq!(numbers.map(5), None, "too old");
    }
}

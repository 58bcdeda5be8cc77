//! What happened, for people.

use std::collections::VecDeque;
use std::time::Duration;

/// Lines that a person still reads.
const KEPT: usize = 120;

/// The last lines of a run, if it is traced.
pub(crate) struct Trace {
    lines: Option<VecDeque<String>>,
}

impl Trace {
    pub(crate) fn new(is_on: bool) -> Self {
        Self { lines: is_on.then(VecDeque::new) }
    }

    pub(crate) fn note(&mut self, at: Duration, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            if lines.len() == KEPT {
                lines.pop_front();
            }
            lines.push_back(format!("{:>9.3} s  {}", at.as_secs_f64(), line()));
        }
    }

    pub(crate) fn take(&mut self) -> Vec<String> {
        self.lines.take().unwrap_or_default().into()
    }
}

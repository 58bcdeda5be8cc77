//! How much of what was sent may be sent again.
//!
//! One small packet of requests asks for megabytes, so the bytes are counted.

/// Bytes that may be sent again at once: three seconds of 1.4 Mbit/s after a short outage.
const BURST: usize = 512 * 1024;
/// Of every byte of media, this part is added: 20 % loss needs a quarter.
const SHARE: usize = 2;

/// The allowance of one transport.
#[derive(Debug)]
pub(super) struct Repetition {
    left: usize,
}

impl Default for Repetition {
    fn default() -> Self {
        Self { left: BURST }
    }
}

impl Repetition {
    /// Media left for the first time.
    pub(super) fn note_media(&mut self, bytes: usize) {
        self.left = (self.left + bytes / SHARE).min(BURST);
    }

    /// Whether there is so much left that copies of repeats may leave.
    pub(super) fn is_ample(&self) -> bool {
        self.left > BURST / 4
    }

    /// Whether nothing more may leave again.
    pub(super) fn is_over(&self) -> bool {
        self.left == 0
    }

    /// Something leaves again.
    pub(super) fn note_repetition(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_a_half_of_what_is_new() {
        let mut repetition = Repetition::default();
        assert!(repetition.is_ample());
        repetition.note_repetition(BURST - 1);
        assert!(!repetition.is_over() && !repetition.is_ample());
        repetition.note_repetition(1);
        assert!(repetition.is_over());
        repetition.note_media(2001);
        repetition.note_repetition(999);
        assert!(!repetition.is_over());
        repetition.note_repetition(1);
        assert!(repetition.is_over());
        repetition.note_media(100 * BURST);
        repetition.note_repetition(BURST);
        assert!(repetition.is_over(), "no more than a burst is saved up");
    }
}

//! Bitrates and frame rates, from what came in a while.

use crate::layers::Rate;

/// What came in a window.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Window {
    pub(crate) bytes: u32,
    pub(crate) frames: u16,
}

impl Window {
    /// Moves a rate by `share` towards what came in these seconds, and begins anew.
    pub(crate) fn move_into(&mut self, rate: &mut Rate, seconds: f32, share: f32) {
        let follow = |former: f32, newest: f32| former + share * (newest - former);
        let bitrate = follow(rate.bitrate_bps as f32, self.bytes as f32 * 8.0 / seconds);
        rate.bitrate_bps = bitrate as u32;
        rate.frame_rate = follow(rate.frame_rate, f32::from(self.frames) / seconds);
        *self = Self::default();
    }
}

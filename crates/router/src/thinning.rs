//! Leaving out the higher temporal layers of one encoding.

use crate::codec::TemporalLayer;

/// Says which frames a subscriber gets whose frame rate is limited. A lower limit holds from the next
/// frame on, a higher one layer by layer from where a decoder may start with it.
#[derive(Debug)]
pub(crate) struct Thinning {
    /// The highest layer that passes.
    limit: u8,
    /// Timestamp of the newest frame.
    frame: Option<u32>,
}

impl Thinning {
    /// For a flow that starts at a key frame.
    pub(crate) fn new(limit: u8) -> Self {
        Self { limit, frame: None }
    }

    /// Whether a packet passes. `target` is the highest layer that is wanted now.
    pub(crate) fn keeps(
        &mut self,
        target: u8,
        layer: Option<TemporalLayer>,
        timestamp: u32,
        is_key: bool,
    ) -> bool {
        let Some(layer) = layer else {
            return true;
        };
        let is_newer = |former: u32| (timestamp.wrapping_sub(former) as i32) > 0;
        if self.frame.is_none_or(is_newer) {
            self.frame = Some(timestamp);
            let is_next = layer.index == self.limit.saturating_add(1);
            if is_key || target < self.limit {
                self.limit = target;
            } else if target > self.limit && is_next && layer.is_switching_point {
                self.limit = layer.index;
            }
        }
        layer.index <= self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(thinning: &mut Thinning, target: u8, index: u8, sync: bool, timestamp: u32) -> bool {
        let layer = TemporalLayer { index, is_switching_point: sync };
        thinning.keeps(target, Some(layer), timestamp, false)
    }

    #[test]
    fn a_lower_limit_holds_from_the_next_frame_on() {
        let mut thinning = Thinning::new(2);
        assert!(frame(&mut thinning, 2, 2, false, 100));
        assert!(frame(&mut thinning, 0, 2, false, 100), "the rest of the frame");
        assert!(!frame(&mut thinning, 0, 1, false, 200));
        assert!(frame(&mut thinning, 0, 0, false, 300));
    }

    #[test]
    fn a_higher_limit_waits_for_switching_points_layer_by_layer() {
        let mut thinning = Thinning::new(0);
        assert!(!frame(&mut thinning, 2, 1, false, 100));
        assert!(!frame(&mut thinning, 2, 2, true, 200), "layer 1 is missing");
        assert!(frame(&mut thinning, 2, 1, true, 300));
        assert!(!frame(&mut thinning, 2, 2, false, 400));
        assert!(frame(&mut thinning, 2, 2, true, 500));
    }

    #[test]
    fn a_key_frame_brings_all_that_is_wanted() {
        let mut thinning = Thinning::new(0);
        let base = TemporalLayer { index: 0, is_switching_point: false };
        assert!(thinning.keeps(2, Some(base), 100, true));
        assert!(frame(&mut thinning, 2, 2, false, 200));
        assert!(thinning.keeps(0, None, 300, false), "without layers everything passes");
    }
}

//! What a world has besides plain streams on links that carry everything. All of it is drawn from a
//! generator of its own, so that what else a seed decides stays what it was.

use fastrand::Rng;

use crate::calm::Stage;

/// What there is in a world.
#[derive(Debug)]
pub(crate) struct Novelty {
    pub(crate) rng: Rng,
    /// Some publishers send VP9 with layers inside one stream.
    pub(crate) has_layers: bool,
    /// Some links to subscribers are narrow for a while.
    pub(crate) has_narrow_links: bool,
    /// Some subscribers have audio slots for a while.
    pub(crate) has_audio_slots: bool,
    /// More happens: see [`crate::moves`].
    pub(crate) has_moves: bool,
    /// After a while nothing happens by chance: see [`crate::calm`].
    pub(crate) is_calm: bool,
    /// How far it is then.
    pub(crate) stage: Option<Stage>,
}

impl Novelty {
    /// Where networks are narrow, most videos may be left out for that.
    pub(crate) fn is_mostly_left_out(&mut self) -> bool {
        self.has_narrow_links && self.rng.u8(..4) > 0
    }

    pub(crate) fn of(seed: u64) -> Self {
        let mut rng = Rng::with_seed(!seed);
        // Two of seven worlds are plain, among them those of seeds that once found something.
        let is_plain = matches!(seed % 7, 0 | 6);
        let has_layers = !is_plain && rng.bool();
        let has_narrow_links = !is_plain && rng.bool();
        let has_audio_slots = !is_plain && rng.bool();
        let is_calm = !is_plain && rng.u8(..3) > 0;
        Self {
            rng,
            has_layers,
            has_narrow_links,
            has_audio_slots,
            has_moves: !is_plain,
            is_calm,
            stage: None,
        }
    }
}

//! The spatial layers that a stream has or had, and which of them nobody needs.

use std::time::{Duration, Instant};

use crate::layers::Layer;
use crate::rtp::dependency::MAX_SPATIAL_LAYERS;

/// What is known of the spatial layers inside of one encoding. One that is sent no more stays known, as a
/// paused encoding does: who wishes for it brings it back.
#[derive(Debug, Default)]
pub(crate) struct SpatialLayers([Place; MAX_SPATIAL_LAYERS]);

#[derive(Debug, Default)]
struct Place {
    layer: Option<Layer>,
    /// Since when nobody wants it.
    unwanted_since: Option<Instant>,
    is_paused: bool,
}

impl SpatialLayers {
    /// These are sent now, each with its number. If the lowest has another size than before, those that are
    /// not sent were of another picture.
    pub(crate) fn note(&mut self, sent: impl Iterator<Item = (u8, Layer)>) {
        for place in &mut self.0 {
            if let Some(layer) = &mut place.layer {
                layer.is_live = false;
            }
        }
        let mut is_other = false;
        for (spatial, layer) in sent {
            let Some(place) = self.0.get_mut(usize::from(spatial)) else {
                continue;
            };
            let former = place.layer.replace(layer);
            is_other |= spatial == 0 && former.is_some_and(|former| former.size != layer.size);
        }
        if is_other {
            for place in &mut self.0 {
                place.layer = place.layer.filter(|layer| layer.is_live);
            }
        }
    }

    /// All that are known, the lowest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Layer> {
        self.0.iter().filter_map(|place| place.layer)
    }

    /// Pauses layers above `wanted` that nobody has wanted for so long, and ends the pause of all others.
    /// Returns whether something changed.
    pub(crate) fn update_pauses(&mut self, now: Instant, wanted: u8, patience: Duration) -> bool {
        let mut has_changed = false;
        for (spatial, place) in (0..).zip(&mut self.0) {
            let is_unwanted = spatial > wanted && place.layer.is_some();
            place.unwanted_since = is_unwanted.then(|| place.unwanted_since.unwrap_or(now));
            let is_paused = place.unwanted_since.is_some_and(|since| {
                place.is_paused || now.saturating_duration_since(since) >= patience
            });
            has_changed |= std::mem::replace(&mut place.is_paused, is_paused) != is_paused;
        }
        has_changed
    }

    /// The numbers of those that are paused.
    pub(crate) fn paused(&self) -> impl Iterator<Item = u8> {
        (0..).zip(&self.0).filter_map(|(spatial, place)| place.is_paused.then_some(spatial))
    }
}

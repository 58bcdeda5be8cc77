//! Which of a publisher's encodings and temporal layers a subscriber gets.
//!
//! A track says what there is, as [`Layer`]s; control says what the subscriber would like, as
//! [`Wishes`]; a [`Budget`] says what its network bears. [`aim`] decides, and is pure.
//! See `docs/decisions/router-simulcast.md`.

use serde::{Deserialize, Serialize};

use crate::codec::FrameSize;

/// Encodings of one line; browsers send at most three.
pub(crate) const MAX_ENCODINGS: usize = 4;
/// A layer's index is that of its encoding and, above these bits, its spatial layer inside of that.
const ENCODING_BITS: u8 = 2;
const ENCODING_MASK: u8 = MAX_ENCODINGS as u8 - 1;

/// The index of a spatial layer of an encoding, see [`Layer::encoding`].
pub(crate) fn layer_index(encoding: u8, spatial: u8) -> u8 {
    encoding & ENCODING_MASK | spatial << ENCODING_BITS
}

/// The encoding of a layer.
pub(crate) fn encoding_of(index: u8) -> u8 {
    index & ENCODING_MASK
}

/// The spatial layer inside of its encoding.
fn spatial_of(index: u8) -> u8 {
    index >> ENCODING_BITS
}

/// Temporal layers of one encoding: VP8 counts them in two bits.
pub const MAX_TEMPORAL_LAYERS: usize = 4;

/// What one encoding takes up to one of its temporal layers.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Rate {
    /// Bits per second, measured; those of a paused encoding are the last ones.
    pub bitrate_bps: u32,
    /// Pictures per second, measured.
    pub frame_rate: f32,
}

/// One encoding of a track, or one spatial layer of it with those below.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Layer {
    /// Its index on the track, which it keeps: of the encoding in the lower two bits, of the spatial layer
    /// above them.
    pub encoding: u8,
    /// Packets come. Those of a paused one may come again.
    pub is_live: bool,
    /// Size of its pictures, once a key frame told it.
    pub size: Option<FrameSize>,
    /// By temporal layer: what the encoding takes up to that one.
    pub rates: [Rate; MAX_TEMPORAL_LAYERS],
    /// How many of them there are; at least 1.
    pub temporal_layers: u8,
}

impl Layer {
    /// The rate up to this temporal layer, or up to the highest if there are fewer.
    #[must_use]
    pub fn rate(&self, temporal: u8) -> Rate {
        let place = usize::from(temporal.min(self.temporal_layers.saturating_sub(1)));
        self.rates.get(place).copied().unwrap_or_default()
    }

    /// The rate with all temporal layers.
    #[must_use]
    pub fn full_rate(&self) -> Rate {
        self.rate(u8::MAX)
    }
}

/// The picture that a subscriber would like; the nearest layer is chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Wishes {
    /// In pixels; absent with the height: the largest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// In pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Pictures per second; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame_rate: Option<f64>,
}

/// One more that a subscriber could have, and what it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// By index on the track, see [`Layer::encoding`].
    pub encoding: u8,
    /// The highest temporal layer of it.
    pub temporal: u8,
    /// Bits per second.
    pub bitrate_bps: u32,
}

/// What a subscriber's network bears of one stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Budget {
    /// Whatever is wished for.
    #[default]
    Unlimited,
    /// No higher encoding, and of that one no higher temporal layer.
    UpTo {
        /// By index on the track, see [`Layer::encoding`].
        encoding: u8,
        /// The highest temporal layer of it.
        temporal: u8,
    },
    /// No video at all.
    Nothing,
}

/// A set of encodings of one track, by index.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Encodings(u8);

impl Encodings {
    /// All that there can be.
    pub const ALL: Self = Self(u8::MAX);
    /// None.
    pub const NONE: Self = Self(0);

    /// Only this one.
    #[must_use]
    pub fn one(index: u8) -> Self {
        Self(1u8.checked_shl(u32::from(index)).unwrap_or(0))
    }

    /// Whether this one is in it.
    #[must_use]
    pub fn has(self, index: u8) -> bool {
        self.0 & Self::one(index).0 != 0
    }

    /// Those of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// All but those of the other.
    #[must_use]
    pub(crate) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Their indices, growing.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (0..8).filter(move |index| self.has(*index))
    }
}

/// What somebody needs of the encodings of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// Packets of these are to be handed to it now.
    pub receives: Encodings,
    /// These the publisher should send, though it may not do so yet.
    pub wants: Encodings,
    /// The highest spatial layer that it should send inside of one.
    pub spatial: u8,
}

impl Need {
    /// Everything: of a track with one encoding, or of one that nothing is known of.
    pub const ALL: Self =
        Self { receives: Encodings::ALL, wants: Encodings::ALL, spatial: u8::MAX };
    /// Nothing: what is paused or not connected.
    pub const NONE: Self = Self { receives: Encodings::NONE, wants: Encodings::NONE, spatial: 0 };

    /// What both need.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            receives: self.receives.and(other.receives),
            wants: self.wants.and(other.wants),
            spatial: self.spatial.max(other.spatial),
        }
    }
}

/// What a line goes for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Aim {
    /// The encoding that it should have, if the publisher sends it; unknown before the first packet.
    pub(crate) wanted: Option<u8>,
    /// The highest spatial layer inside of that, as above.
    pub(crate) wanted_spatial: u8,
    /// The one to follow meanwhile: the best of those that are live.
    pub(crate) follow: Option<u8>,
    /// Any of these will do for a first picture.
    pub(crate) first: Encodings,
    /// The highest spatial layer inside of that which is followed.
    pub(crate) spatial: u8,
    /// The highest temporal layer.
    pub(crate) temporal: u8,
}

impl Aim {
    /// Before anything is known of the track.
    pub(crate) const UNKNOWN: Self = Self {
        wanted: None,
        wanted_spatial: u8::MAX,
        follow: None,
        first: Encodings::ALL,
        spatial: u8::MAX,
        temporal: u8::MAX,
    };
}

/// Decides what a line gets of `layers`, which stand in order, the lowest first.
pub(crate) fn aim(layers: &[Layer], wishes: Wishes, budget: Budget) -> Aim {
    let Some(place) = wanted_place(layers, wishes, budget) else {
        return Aim::UNKNOWN;
    };
    let (lower, higher) = layers.split_at_checked(place + 1).unwrap_or((layers, &[]));
    let live = |layer: &&Layer| layer.is_live;
    let follow = lower.iter().rev().find(live).or_else(|| higher.iter().find(live));
    let wanted = lower.last();
    let target = follow.or(wanted);
    Aim {
        wanted: wanted.map(|l| encoding_of(l.encoding)),
        wanted_spatial: wanted.map_or(u8::MAX, |l| spatial_of(l.encoding)),
        follow: follow.map(|l| encoding_of(l.encoding)),
        first: lower
            .iter()
            .chain(follow)
            .fold(Encodings::NONE, |all, l| all.and(Encodings::one(encoding_of(l.encoding)))),
        spatial: target.map_or(u8::MAX, |layer| spatial_of(layer.encoding)),
        temporal: target.map_or(u8::MAX, |layer| temporal_of(layer, wishes, budget)),
    }
}

/// Where the best layer stands that is wished for and borne.
pub(crate) fn wanted_place(layers: &[Layer], wishes: Wishes, budget: Budget) -> Option<usize> {
    let nearest = nearest_place(layers, wishes)?;
    let borne = match budget {
        Budget::UpTo { encoding, .. } => layers.iter().position(|l| l.encoding == encoding),
        Budget::Unlimited | Budget::Nothing => None,
    };
    Some(borne.map_or(nearest, |borne| borne.min(nearest)))
}

/// The layer whose number of pixels is nearest to that wished for, as a ratio: twice as many is as far
/// as half. The orientation does not matter. Layers of unknown size are not wished for below the highest.
fn nearest_place(layers: &[Layer], wishes: Wishes) -> Option<usize> {
    let highest = layers.len().checked_sub(1)?;
    let (Some(width), Some(height)) = (wishes.width, wishes.height) else {
        return Some(highest);
    };
    let pixels = (width.max(1) as f32) * (height.max(1) as f32);
    let sized = layers.iter().enumerate().filter_map(|(place, l)| Some((place, l.size?)));
    let nearest = sized.min_by(|(_, a), (_, b)| {
        let distance = |size: &FrameSize| (size.pixels() as f32 / pixels).ln().abs();
        distance(a).total_cmp(&distance(b))
    });
    Some(nearest.map_or(highest, |(place, _)| place))
}

/// What there is for a budget to choose from, up to what is wished for, each dearer than the one before:
/// the temporal layers of the lowest encoding, then the higher encodings as a whole.
#[must_use]
pub fn steps(layers: &[Layer], wishes: Wishes) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let count = wanted_place(layers, wishes, Budget::Unlimited).map_or(0, |place| place + 1);
    for (place, layer) in layers.iter().take(count).enumerate() {
        let highest = temporal_of(layer, wishes, Budget::Unlimited)
            .min(layer.temporal_layers.saturating_sub(1));
        for temporal in if place == 0 { 0 } else { highest }..=highest {
            let bitrate_bps = layer.rate(temporal).bitrate_bps;
            if steps.last().is_none_or(|last| last.bitrate_bps < bitrate_bps) {
                steps.push(Step { encoding: layer.encoding, temporal, bitrate_bps });
            }
        }
    }
    steps
}

fn temporal_of(layer: &Layer, wishes: Wishes, budget: Budget) -> u8 {
    let nearest =
        wishes.frame_rate.map_or(u8::MAX, |frame_rate| nearest_temporal(layer, frame_rate as f32));
    match budget {
        Budget::UpTo { encoding, temporal } if encoding == layer.encoding => temporal.min(nearest),
        _ => nearest,
    }
}

/// The temporal layer whose frame rate is nearest to that wished for, as a ratio.
fn nearest_temporal(layer: &Layer, wish: f32) -> u8 {
    let wish = if wish.is_nan() { 1000.0 } else { wish.clamp(0.1, 1000.0) };
    let distance = |rate: &Rate| (rate.frame_rate.max(0.1) / wish).ln().abs();
    let count = usize::from(layer.temporal_layers);
    let rates = layer.rates.iter().take(count).enumerate();
    let nearest = rates.min_by(|(_, a), (_, b)| distance(a).total_cmp(&distance(b)));
    nearest.and_then(|(index, _)| u8::try_from(index).ok()).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(encoding: u8, width: u16, height: u16, is_live: bool) -> Layer {
        let mut rates = [Rate::default(); MAX_TEMPORAL_LAYERS];
        for (rate, frame_rate) in rates.iter_mut().zip([7.5, 15.0, 30.0]) {
            *rate = Rate { bitrate_bps: u32::from(width) * 1000, frame_rate };
        }
        Layer { encoding, is_live, size: FrameSize::new(width, height), rates, temporal_layers: 3 }
    }

    fn three() -> [Layer; 3] {
        [layer(2, 320, 180, true), layer(0, 640, 360, true), layer(1, 1280, 720, true)]
    }

    fn size(width: u32, height: u32) -> Wishes {
        Wishes { width: Some(width), height: Some(height), frame_rate: None }
    }

    #[test]
    fn without_wishes_the_highest_is_wanted() {
        let aimed = aim(&three(), Wishes::default(), Budget::Unlimited);
        assert_eq!((aimed.wanted, aimed.follow, aimed.temporal), (Some(1), Some(1), u8::MAX));
        assert_eq!(aim(&[], Wishes::default(), Budget::Unlimited), Aim::UNKNOWN);
    }

    #[test]
    fn the_nearest_size_is_wanted_in_either_orientation() {
        let wanted = |width, height| aim(&three(), size(width, height), Budget::Unlimited).wanted;
        assert_eq!(wanted(640, 360), Some(0));
        assert_eq!(wanted(360, 640), Some(0));
        assert_eq!(wanted(440, 247), Some(2));
        assert_eq!(wanted(460, 259), Some(0));
        assert_eq!(wanted(1, 1), Some(2));
        assert_eq!(wanted(8000, 8000), Some(1));
        assert_eq!(wanted(0, 0), Some(2));
    }

    #[test]
    fn the_budget_cuts_what_is_wished_for_and_never_adds() {
        let up_to = |encoding, temporal| Budget::UpTo { encoding, temporal };
        let aimed = aim(&three(), Wishes::default(), up_to(0, 1));
        assert_eq!((aimed.wanted, aimed.temporal), (Some(0), 1));
        let aimed = aim(&three(), size(320, 180), up_to(0, 1));
        assert_eq!((aimed.wanted, aimed.temporal), (Some(2), u8::MAX));
    }

    #[test]
    fn what_is_not_live_is_wanted_and_the_next_best_followed() {
        let mut layers = three();
        layers[2].is_live = false;
        let aimed = aim(&layers, Wishes::default(), Budget::Unlimited);
        assert_eq!((aimed.wanted, aimed.follow), (Some(1), Some(0)));
        layers[1].is_live = false;
        assert_eq!(aim(&layers, size(640, 360), Budget::Unlimited).follow, Some(2));
        layers[0].is_live = false;
        layers[2].is_live = true;
        let aimed = aim(&layers, size(320, 180), Budget::Unlimited);
        assert_eq!((aimed.wanted, aimed.follow), (Some(2), Some(1)), "any live one");
    }

    #[test]
    fn the_nearest_frame_rate_is_taken() {
        let temporal = |frame_rate| {
            let wishes = Wishes { frame_rate: Some(frame_rate), ..Wishes::default() };
            aim(&three(), wishes, Budget::Unlimited).temporal
        };
        assert_eq!(temporal(1.0), 0);
        assert_eq!(temporal(7.0), 0);
        assert_eq!(temporal(15.0), 1);
        assert_eq!(temporal(30.0), 2);
        assert_eq!(temporal(60.0), 2);
    }

    #[test]
    fn steps_go_up_to_what_is_wished_for() {
        let mut layers = three();
        for (layer, base) in layers.iter_mut().zip([100, 500, 1500]) {
            for (rate, more) in layer.rates.iter_mut().zip([0, 20, 50]) {
                rate.bitrate_bps = base + more;
            }
        }
        let rates = |wishes| {
            let steps = steps(&layers, wishes);
            steps.iter().map(|s| (s.encoding, s.temporal, s.bitrate_bps)).collect::<Vec<_>>()
        };
        let lowest = vec![(2, 0, 100), (2, 1, 120), (2, 2, 150)];
        assert_eq!(rates(size(320, 180)), lowest);
        let all = [lowest, vec![(0, 2, 550), (1, 2, 1550)]].concat();
        assert_eq!(rates(Wishes::default()), all);
        let slow = Wishes { frame_rate: Some(7.0), ..Wishes::default() };
        assert_eq!(rates(slow), [(2, 0, 100), (0, 0, 500), (1, 0, 1500)]);
    }

    #[test]
    fn a_set_of_encodings_holds_what_was_put_in() {
        let set = Encodings::one(0).and(Encodings::one(3));
        assert!(set.has(0) && set.has(3) && !set.has(1) && !set.has(200));
    }
}

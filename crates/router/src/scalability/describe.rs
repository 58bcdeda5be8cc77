//! What the packets of one source say of their frames.

use super::{Cell, Cells, LayerFrame, Targets};
use crate::codec::{Codec, FrameInfo, FrameSize, Vp9Layers, vp9_layers};
use crate::layers::MAX_TEMPORAL_LAYERS;
use crate::rtp::dependency::{
    DependencyReader, Descriptor, MAX_SPATIAL_LAYERS, MAX_TARGETS, References,
};

/// A spatial layer that so many pictures lacked is not sent any more.
const ABSENT: u16 = 10;
/// After so many packets all temporal layers were there.
const ENOUGH: u32 = 100;
/// Frame numbers of one picture, where they are made of picture identifiers.
const FRAMES_OF_PICTURE: u16 = MAX_SPATIAL_LAYERS as u16;

/// What was found out about a packet's frame.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Described {
    /// `None`: it has no layers that could be told apart.
    pub(crate) layers: Option<LayerFrame>,
    /// A decoder can start here, where the descriptor says so.
    pub(crate) starts_key_frame: Option<bool>,
}

/// Describes the packets of one source, in the light of those before.
#[derive(Debug, Default)]
pub(crate) struct Describer {
    reader: DependencyReader,
    /// The cells of the structure's decode targets, as in [`Targets`].
    targets: u128,
    vp9: Vp9,
    /// By spatial layer.
    sizes: [Option<FrameSize>; MAX_SPATIAL_LAYERS],
    cells: Cells,
    temporal_layers: u8,
}

impl Describer {
    /// What a subscriber can have; none if no layers can be told apart.
    pub(crate) fn cells(&self) -> Cells {
        self.cells
    }

    /// How many temporal layers there are.
    pub(crate) fn temporal_layers(&self) -> u8 {
        self.temporal_layers
    }

    /// The size of the pictures of a spatial layer, once told.
    pub(crate) fn size(&self, spatial: u8) -> Option<FrameSize> {
        *self.sizes.get(usize::from(spatial))?
    }

    /// Describes a packet. The dependency descriptor says more than the payload and comes first.
    pub(crate) fn describe(
        &mut self,
        codec: Codec,
        descriptor: Option<&[u8]>,
        payload: &[u8],
        frame: FrameInfo,
    ) -> Described {
        if let Some(descriptor) = descriptor {
            return match self.reader.read(descriptor) {
                Ok(read) => self.follow(&read),
                Err(_) => Described::default(),
            };
        }
        let layers = match codec {
            Codec::Vp9 => vp9_layers(payload),
            _ => None,
        };
        let Some((layers, id)) = layers.zip(frame.picture_id) else {
            return Described::default();
        };
        for (known, told) in self.sizes.iter_mut().zip(layers.sizes) {
            *known = told.or(*known);
        }
        let layers = self.vp9.describe(&layers, id.value, id.mask());
        (self.cells, self.temporal_layers) = (layers.cells, self.vp9.temporal_layers);
        Described { layers: Some(layers), starts_key_frame: None }
    }

    fn follow(&mut self, read: &Descriptor) -> Described {
        let Some(structure) = self.reader.structure() else {
            return Described::default();
        };
        if read.has_structure {
            self.targets = 0;
            for target in 0..structure.targets().min(MAX_TARGETS as u8) {
                let cell = cell_of(structure.layers_of(target));
                self.targets |= u128::from(cell.index()) << (4 * u32::from(target));
            }
            for (spatial, size) in (0..).zip(&mut self.sizes) {
                *size = structure.size(spatial);
            }
        }
        let (mut cells, mut present, mut switches) = (Cells::NONE, Cells::NONE, Cells::NONE);
        for target in 0..structure.targets() {
            if read.active >> target & 1 == 0 {
                continue;
            }
            let cell = cell_of(structure.layers_of(target));
            cells.add(cell);
            if read.indications.is_present(target) {
                present.add(cell);
            }
            if read.indications.is_switch(target) {
                switches.add(cell);
            }
        }
        self.cells = cells;
        self.temporal_layers = cells.iter().map(|cell| cell.temporal + 1).max().unwrap_or(1);
        let starts_key_frame =
            read.starts_frame && read.has_structure && read.references.is_empty();
        let layers = LayerFrame {
            number: read.number,
            starts: read.starts_frame,
            ends: read.ends_frame,
            spatial: read.spatial,
            cells,
            present,
            switches,
            paces: Cells::NONE,
            references: read.references,
            targets: Some(Targets {
                mask: read.mask,
                active: read.active,
                cells: self.targets,
                is_told: read.has_structure || read.mask.is_there,
            }),
        };
        Described {
            layers: Some(layers),
            starts_key_frame: Some(starts_key_frame && read.spatial == 0),
        }
    }
}

/// More temporal layers than can be chosen from are one.
fn cell_of((spatial, temporal): (u8, u8)) -> Cell {
    let highest = MAX_TEMPORAL_LAYERS as u8 - 1;
    Cell { spatial: spatial.min(MAX_SPATIAL_LAYERS as u8 - 1), temporal: temporal.min(highest) }
}

/// Makes numbers and references of VP9 payload descriptors.
#[derive(Debug, Default)]
struct Vp9 {
    /// The newest picture's identifier and number.
    newest: Option<(u16, u16)>,
    /// By spatial layer, the newest picture that had it.
    seen: [Option<u16>; MAX_SPATIAL_LAYERS],
    /// By spatial and temporal layer: the newest picture that had them.
    pictures: [[Option<u16>; MAX_TEMPORAL_LAYERS]; MAX_SPATIAL_LAYERS],
    temporal_layers: u8,
    packets: u32,
}

impl Vp9 {
    fn describe(&mut self, layers: &Vp9Layers, id: u16, mask: u16) -> LayerFrame {
        let Cell { spatial, temporal } = cell_of((layers.spatial, layers.temporal));
        let picture = self.number(id, mask);
        let number = picture.wrapping_mul(FRAMES_OF_PICTURE).wrapping_add(spatial.into());
        let references = self.references(layers, spatial, temporal, picture);
        self.note(layers, spatial, temporal, picture);
        let is_known = self.packets > ENOUGH;
        let temporal_layers = if is_known { self.temporal_layers } else { u8::MAX };
        let is_sent = |cell: &Cell| {
            let seen = self.seen.get(usize::from(cell.spatial)).copied().flatten();
            seen.is_some_and(|seen| picture.wrapping_sub(seen) as i16 <= ABSENT as i16)
                && cell.temporal < temporal_layers
        };
        let (mut cells, mut present) = (Cells::NONE, Cells::NONE);
        let (mut switches, mut paces) = (Cells::NONE, Cells::NONE);
        for cell in Cell::all().filter(is_sent) {
            cells.add(cell);
            let is_own = cell.spatial == spatial;
            let is_needed = is_own || (cell.spatial > spatial && !layers.is_not_reference);
            let is_at_pace = cell.temporal == temporal;
            if cell.temporal >= temporal && is_needed {
                present.add(cell);
            }
            // Of a key picture every spatial layer begins anew.
            let is_base = !layers.is_predicted && (is_own || spatial == 0);
            if (is_own && is_at_pace) || (is_base && cell.temporal >= temporal) {
                switches.add(cell);
            }
            if is_needed && is_at_pace {
                paces.add(cell);
            }
        }
        LayerFrame {
            number,
            starts: layers.starts_frame,
            ends: layers.ends_frame,
            spatial,
            cells,
            present,
            switches,
            paces,
            references,
            targets: None,
        }
    }

    /// The picture's number: its identifier, carried on beyond its length.
    fn number(&mut self, id: u16, mask: u16) -> u16 {
        let Some((newest_id, newest)) = self.newest else {
            self.newest = Some((id, id));
            return id;
        };
        let ahead = id.wrapping_sub(newest_id) & mask;
        if ahead <= mask / 2 {
            let number = newest.wrapping_add(ahead);
            self.newest = Some((id, number));
            return number;
        }
        newest.wrapping_sub(mask.wrapping_add(1).wrapping_sub(ahead))
    }

    /// What a frame refers to. In flexible mode the descriptor says it. Else it is the newest picture of
    /// its layers, or of those below where the frame is marked as one to switch up at.
    fn references(
        &self,
        layers: &Vp9Layers,
        spatial: u8,
        temporal: u8,
        picture: u16,
    ) -> References {
        let mut references = References::NONE;
        let frames = u32::from(FRAMES_OF_PICTURE);
        if layers.is_dependent && spatial > 0 {
            references.add(1);
        }
        if !layers.is_predicted {
            return references;
        }
        if layers.is_flexible {
            for distance in layers.distances.into_iter().flatten() {
                references.add(frames * u32::from(distance));
            }
            return references;
        }
        let highest = if layers.is_switching_up { temporal.saturating_sub(1) } else { temporal };
        let of_spatial = self.pictures.get(usize::from(spatial)).into_iter().flatten();
        let earlier = of_spatial.take(usize::from(highest) + 1).flatten();
        let distance = earlier.map(|known| picture.wrapping_sub(*known)).filter(|d| *d > 0).min();
        match distance {
            Some(distance) => references.add(frames * u32::from(distance)),
            None => references.is_far = true,
        }
        references
    }

    fn note(&mut self, layers: &Vp9Layers, spatial: u8, temporal: u8, picture: u16) {
        let is_newer =
            |known: Option<u16>| known.is_none_or(|known| (picture.wrapping_sub(known) as i16) > 0);
        if let Some(count) = layers.spatial_layers {
            for (layer, seen) in (0..).zip(&mut self.seen) {
                *seen = (layer < count).then_some(picture);
            }
        }
        let place = self.pictures.get_mut(usize::from(spatial));
        if let Some(known) = place.and_then(|place| place.get_mut(usize::from(temporal)))
            && is_newer(*known)
        {
            *known = Some(picture);
        }
        if let Some(seen) = self.seen.get_mut(usize::from(spatial))
            && is_newer(*seen)
        {
            *seen = Some(picture);
        }
        self.temporal_layers = self.temporal_layers.max(temporal + 1);
        self.packets = self.packets.saturating_add(1);
    }
}

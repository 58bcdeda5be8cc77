//! The template structure: what frames of a source there are, told with its key frames.

use super::bits::BitReader;
use super::{Indications, References};
use crate::codec::FrameSize;
use crate::rtp::Malformed;

/// Most templates: their identifiers have six bits.
pub const MAX_TEMPLATES: usize = 64;
/// Most decode targets: their number has five bits.
pub const MAX_TARGETS: usize = 32;
/// Most spatial layers: AV1 numbers them in two bits.
pub const MAX_SPATIAL_LAYERS: usize = 4;
/// Greatest temporal layer: AV1 numbers them in three bits.
const MAX_TEMPORAL_ID: u8 = 7;
/// References of one template that are read; codecs have at most 8.
const MAX_REFERENCES: usize = 16;

/// What all frames of one kind have in common.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Template {
    pub(super) spatial: u8,
    pub(super) temporal: u8,
    pub(super) indications: Indications,
    pub(super) references: References,
}

/// A template dependency structure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Structure {
    /// Identifier of the first template.
    offset: u8,
    targets: u8,
    count: u8,
    templates: [Template; MAX_TEMPLATES],
    /// By decode target: its highest spatial and temporal layer.
    layers: [(u8, u8); MAX_TARGETS],
    /// By spatial layer, where told.
    sizes: [Option<FrameSize>; MAX_SPATIAL_LAYERS],
}

impl Structure {
    pub(super) fn read(reader: &mut BitReader<'_>) -> Result<Self, Malformed> {
        let mut structure = Self {
            offset: reader.number(6)? as u8,
            targets: reader.number(5)? as u8 + 1,
            count: 0,
            templates: [Template::default(); MAX_TEMPLATES],
            layers: [(0, 0); MAX_TARGETS],
            sizes: [None; MAX_SPATIAL_LAYERS],
        };
        let highest = structure.read_layers(reader)?;
        let targets = structure.targets;
        for template in structure.known_mut() {
            template.indications = Indications::read(reader, targets)?;
        }
        for template in structure.known_mut() {
            template.references = read_references(reader)?;
        }
        structure.skip_chains(reader)?;
        structure.find_layers_of_targets();
        if reader.flag()? {
            for size in structure.sizes.iter_mut().take(usize::from(highest) + 1) {
                // Told as one less, so that 65,536 fits; no codec here makes such pictures.
                let [width, height] = [reader.number(16)?, reader.number(16)?];
                let extent = |less: u32| (less as u16).saturating_add(1);
                *size = FrameSize::new(extent(width), extent(height));
            }
        }
        Ok(structure)
    }

    fn known_mut(&mut self) -> impl Iterator<Item = &mut Template> {
        self.templates.iter_mut().take(self.count.into())
    }

    /// Reads how many templates there are and their layers; returns the highest spatial one.
    fn read_layers(&mut self, reader: &mut BitReader<'_>) -> Result<u8, Malformed> {
        let (mut spatial, mut temporal) = (0, 0);
        for template in &mut self.templates {
            (template.spatial, template.temporal) = (spatial, temporal);
            self.count += 1;
            match reader.number(2)? {
                0 => {}
                1 => temporal += 1,
                2 => (spatial, temporal) = (spatial + 1, 0),
                _ => return Ok(spatial),
            }
            if usize::from(spatial) >= MAX_SPATIAL_LAYERS || temporal > MAX_TEMPORAL_ID {
                return Err(Malformed);
            }
        }
        Err(Malformed)
    }

    fn skip_chains(&self, reader: &mut BitReader<'_>) -> Result<(), Malformed> {
        let chains = reader.below(u32::from(self.targets) + 1)?;
        if chains == 0 {
            return Ok(());
        }
        for _ in 0..self.targets {
            reader.below(chains)?;
        }
        for _ in 0..u32::from(self.count) * chains {
            reader.number(4)?;
        }
        Ok(())
    }

    fn find_layers_of_targets(&mut self) {
        for (target, layers) in (0..self.targets).zip(&mut self.layers) {
            let known = self.templates.iter().take(self.count.into());
            for template in known.filter(|t| t.indications.is_present(target)) {
                layers.0 = layers.0.max(template.spatial);
                layers.1 = layers.1.max(template.temporal);
            }
        }
    }

    /// The template with this identifier.
    pub(super) fn template(&self, id: u8) -> Option<&Template> {
        let place = (id + 64 - self.offset) % 64;
        self.templates.get(usize::from(place)).filter(|_| place < self.count)
    }

    /// How many decode targets there are, 1 to 32.
    #[must_use]
    pub fn targets(&self) -> u8 {
        self.targets
    }

    /// The highest spatial and temporal layer of a decode target.
    #[must_use]
    pub fn layers_of(&self, target: u8) -> (u8, u8) {
        self.layers.get(usize::from(target)).copied().unwrap_or_default()
    }

    /// The size of the pictures of a spatial layer, where told.
    #[must_use]
    pub fn size(&self, spatial: u8) -> Option<FrameSize> {
        *self.sizes.get(usize::from(spatial))?
    }
}

fn read_references(reader: &mut BitReader<'_>) -> Result<References, Malformed> {
    let mut references = References::NONE;
    for _ in 0..=MAX_REFERENCES {
        if !reader.flag()? {
            return Ok(references);
        }
        references.add(reader.number(4)? + 1);
    }
    Err(Malformed)
}

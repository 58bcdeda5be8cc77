//! The dependency descriptor, an RTP header extension that says of each frame which layers it is of and
//! which frames it needs (RTP Payload Format For AV1, appendix A).
//!
//! Fields are bits, the most significant first. A *decode target* is a set of layers that can be decoded
//! by itself; an *indication* says what a frame is to a decode target.

mod bits;
mod structure;
#[cfg(test)]
mod tests;

use bits::{BitReader, BitWriter};
pub use structure::{MAX_SPATIAL_LAYERS, MAX_TARGETS, MAX_TEMPLATES, Structure};

use super::{Malformed, NoRoom};

/// Bytes of the fields that every descriptor has.
const MANDATORY_BYTES: usize = 3;
/// The bits of those.
const MANDATORY_BITS: usize = 8 * MANDATORY_BYTES;
/// The flags after them.
const FLAGS: u32 = 5;
/// Largest descriptor: the longest element of a header extension (RFC 8285 section 4.3).
pub const MAX_BYTES: usize = 255;
/// A structure is that of an earlier frame if its frame is at most this far behind.
const LATE: u16 = 64;
/// References of one frame that are read; codecs have at most 8.
const MAX_REFERENCES: usize = 16;

/// What a frame is to the decode targets: two bits each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Indications(u64);

impl Indications {
    fn read(reader: &mut BitReader<'_>, targets: u8) -> Result<Self, Malformed> {
        let mut all = 0;
        for target in 0..targets {
            all |= u64::from(reader.number(2)?) << (2 * target);
        }
        Ok(Self(all))
    }

    fn of(self, target: u8) -> u64 {
        self.0 >> (2 * u32::from(target).min(62)) & 3
    }

    /// Whether the frame is part of this decode target.
    #[must_use]
    pub fn is_present(self, target: u8) -> bool {
        self.of(target) != 0
    }

    /// Whether all later frames of this decode target can be decoded if this frame can.
    #[must_use]
    pub fn is_switch(self, target: u8) -> bool {
        self.of(target) == 2
    }
}

/// The frames that a frame refers to, by how many frame numbers they are behind it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct References {
    /// Bit 0 is the frame just before.
    pub back: u64,
    /// Others are further away than that.
    pub is_far: bool,
}

impl References {
    /// None, as of a key frame.
    pub const NONE: Self = Self { back: 0, is_far: false };

    /// Adds the frame that is `distance` frames behind, at least 1.
    pub fn add(&mut self, distance: u32) {
        match 1_u64.checked_shl(distance.wrapping_sub(1)) {
            Some(bit) => self.back |= bit,
            None => self.is_far = true,
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::NONE
    }
}

/// What one packet's descriptor says of its frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptor {
    /// The packet is the first of the frame.
    pub starts_frame: bool,
    /// The packet is the last of the frame.
    pub ends_frame: bool,
    /// Counts frames, mod 2^16.
    pub number: u16,
    /// It brings a structure.
    pub has_structure: bool,
    /// Of the frame.
    pub spatial: u8,
    /// Of the frame.
    pub temporal: u8,
    /// What the frame is to each decode target.
    pub indications: Indications,
    /// What the frame refers to.
    pub references: References,
    /// Which decode targets are sent, from this frame on; bit 0 is the first.
    pub active: u32,
    /// Where the mask of active decode targets stands or would stand.
    pub mask: MaskPlace,
}

/// Where in a descriptor the mask of active decode targets stands, or would stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MaskPlace {
    /// In bits from the start.
    pub at: u16,
    /// Bits of a mask: the number of decode targets.
    pub targets: u8,
    /// There is one.
    pub is_there: bool,
    /// The descriptor has no room for flags yet.
    pub is_short: bool,
}

/// Reads the descriptors of one source, each in the light of the newest structure.
#[derive(Debug, Default)]
pub struct DependencyReader {
    structure: Option<Box<Structure>>,
    /// The frame that brought it.
    since: u16,
    active: u32,
}

impl DependencyReader {
    /// The structure that holds.
    #[must_use]
    pub fn structure(&self) -> Option<&Structure> {
        self.structure.as_deref()
    }

    /// Reads a descriptor. Needs memory for the first structure only.
    ///
    /// # Errors
    /// [`Malformed`] if it ends too early, exceeds a limit, or names a template that the newest structure
    /// does not have. Nothing changed then.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Descriptor, Malformed> {
        if bytes.len() > MAX_BYTES {
            return Err(Malformed);
        }
        let mut reader = BitReader::new(bytes);
        let (starts_frame, ends_frame) = (reader.flag()?, reader.flag()?);
        let template = reader.number(6)? as u8;
        let number = reader.number(16)? as u16;
        let is_short = bytes.len() <= MANDATORY_BYTES;
        let flags = if is_short { Flags::default() } else { Flags::read(&mut reader)? };
        let brought = flags.structure.then(|| Structure::read(&mut reader)).transpose()?;
        let structure = brought.as_ref().or(self.structure.as_deref()).ok_or(Malformed)?;
        let targets = structure.targets();
        let at = reader.position() as u16;
        let mask = MaskPlace { at, targets, is_there: flags.active, is_short };
        let all = u32::MAX >> (32 - u32::from(targets));
        let active = match (flags.active, flags.structure) {
            (true, _) => reader.number(targets.into())?,
            (false, true) => all,
            (false, false) => self.active & all,
        };
        let template = structure.template(template).ok_or(Malformed)?;
        let indications = if flags.indications {
            Indications::read(&mut reader, targets)?
        } else {
            template.indications
        };
        let references =
            if flags.references { read_references(&mut reader)? } else { template.references };
        let descriptor = Descriptor {
            starts_frame,
            ends_frame,
            number,
            has_structure: flags.structure,
            spatial: template.spatial,
            temporal: template.temporal,
            indications,
            references,
            active,
            mask,
        };
        let behind = self.since.wrapping_sub(number);
        let is_late = self.structure.is_some() && (1..LATE).contains(&behind);
        if !is_late {
            self.active = active;
            if let Some(brought) = brought {
                self.since = number;
                match &mut self.structure {
                    Some(known) => **known = brought,
                    None => self.structure = Some(Box::new(brought)),
                }
            }
        }
        Ok(descriptor)
    }
}

/// The flags of a descriptor with more than the mandatory fields.
///
/// That of chains is left out: they stand last and say nothing that the references do not.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "they are flags")]
struct Flags {
    structure: bool,
    active: bool,
    indications: bool,
    references: bool,
}

impl Flags {
    fn read(reader: &mut BitReader<'_>) -> Result<Self, Malformed> {
        let flags = Self {
            structure: reader.flag()?,
            active: reader.flag()?,
            indications: reader.flag()?,
            references: reader.flag()?,
        };
        reader.flag()?;
        Ok(flags)
    }
}

fn read_references(reader: &mut BitReader<'_>) -> Result<References, Malformed> {
    let mut references = References::NONE;
    for _ in 0..=MAX_REFERENCES {
        let size = reader.number(2)?;
        if size == 0 {
            return Ok(references);
        }
        references.add(reader.number(4 * size)? + 1);
    }
    Err(Malformed)
}

/// A descriptor as it leaves for one receiver.
#[derive(Debug, Clone, Copy)]
pub struct Written {
    bytes: [u8; MAX_BYTES],
    length: u8,
}

impl Written {
    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length.into()).unwrap_or_default()
    }
}

/// What changes in a descriptor on its way to one receiver.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rewrite {
    /// Its frame number.
    pub number: u16,
    /// The mask of active decode targets, to be put in its place.
    pub active: Option<(MaskPlace, u32)>,
}

impl Rewrite {
    /// Writes a descriptor anew.
    ///
    /// # Errors
    /// [`NoRoom`] if it has less than the mandatory fields or would be too long.
    pub fn apply(&self, descriptor: &[u8]) -> Result<Written, NoRoom> {
        let mut written = Written { bytes: [0; MAX_BYTES], length: 0 };
        let first = *descriptor.first().ok_or(NoRoom)?;
        let length = match self.active {
            None => {
                let target = written.bytes.get_mut(..descriptor.len()).ok_or(NoRoom)?;
                target.copy_from_slice(descriptor);
                descriptor.len()
            }
            Some((place, active)) => {
                let mut writer = BitWriter::new(&mut written.bytes);
                writer.copy(descriptor, 0, MANDATORY_BITS)?;
                let at = usize::from(place.at);
                if place.is_short {
                    writer.number(FLAGS, 0b01000)?;
                } else {
                    writer.copy(descriptor, MANDATORY_BITS, MANDATORY_BITS + 1)?;
                    writer.number(1, 1)?;
                    writer.copy(descriptor, MANDATORY_BITS + 2, at)?;
                }
                writer.number(place.targets.into(), active)?;
                if !place.is_short {
                    let after = if place.is_there { at + usize::from(place.targets) } else { at };
                    writer.copy(descriptor, after, descriptor.len() * 8)?;
                }
                writer.length()
            }
        };
        let fields = written.bytes.first_chunk_mut::<MANDATORY_BYTES>();
        let fields = fields.filter(|_| length >= MANDATORY_BYTES).ok_or(NoRoom)?;
        let [high, low] = self.number.to_be_bytes();
        *fields = [first, high, low];
        written.length = u8::try_from(length).map_err(|_| NoRoom)?;
        Ok(written)
    }
}

//! Dependency descriptors: one after the other from one source, each behind its length. What is read can
//! be rewritten, and says the same afterwards.

use tertulia_router_core::rtp::dependency::{DependencyReader, Descriptor, MAX_BYTES, Rewrite};

use super::{Check, Target};
use crate::mutation::Structure;

pub(super) const TARGET: Target =
    Target { name: "dependencies", structure: Structure::Binary, seeds, start };

fn start() -> Check {
    Box::new(|input| {
        let (mut reader, mut other) = (DependencyReader::default(), DependencyReader::default());
        let mut rest = input;
        while let Some((length, after)) = rest.split_first() {
            let (descriptor, after) = after.split_at(usize::from(*length).min(after.len()));
            rest = after;
            let read = reader.read(descriptor);
            let Ok(read) = read else {
                continue;
            };
            let rewrite = Rewrite { number: read.number, active: Some((read.mask, read.active)) };
            let Ok(written) = rewrite.apply(descriptor) else {
                if descriptor.len() + 5 < MAX_BYTES {
                    return Err("what was read cannot be written".into());
                }
                return Ok(());
            };
            let again = other.read(written.as_bytes()).map_err(|e| format!("written: {e}"))?;
            if again != (Descriptor { mask: again.mask, ..read }) {
                return Err(format!("{read:?} became {again:?}"));
            }
        }
        Ok(())
    })
}

fn seeds() -> Vec<Vec<u8>> {
    // Two spatial and two temporal layers; a structure, frames of its templates, frames of their own.
    let structure = [
        0xbc, 0x00, 0x64, 0x87, 0x83, 0x18, 0x7a, 0xaa, 0x01, 0x00, 0xa0, 0xa0, 0x14, 0xd1, 0x41,
        0x34, 0x51, 0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x40, 0x4f, 0xc0, 0x2c, 0xc0, 0x9f, 0xc0,
        0x59, 0xc0,
    ];
    let mut whole = vec![structure.len() as u8];
    whole.extend(structure);
    let own = [0xbd, 0x00, 0x68, 0x71, 0x94, 0xa5, 0x89, 0x58];
    for frame in [&[0xbd, 0, 101][..], &own, &[0x81, 0, 107]] {
        whole.push(frame.len() as u8);
        whole.extend(frame);
    }
    let mut reader = DependencyReader::default();
    reader.read(&structure).expect("a structure");
    reader.read(&own).expect("a frame of its own");
    vec![whole.clone(), whole.get(..40).unwrap_or_default().to_vec(), vec![3, 0x80, 0, 1]]
}

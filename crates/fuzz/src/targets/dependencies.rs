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
        0xbc, 0, 100, 0x87, 0x8c, 0x18, 0x6a, 0xaa, 0xa0, 0x04, 0x00, 0x0a, 0x0a, 0x00, 0x10, 0x23,
        0x04, 0x01, 0x18, 0x88, 0x98, 0, 0, 0, 0, 0, 0, 0x80, 0x9f, 0x80, 0x59, 0x81, 0x3f, 0x80,
        0xb3, 0x80,
    ];
    let mut whole = vec![structure.len() as u8];
    whole.extend(structure);
    for frame in [&[0xbf, 0, 101][..], &[0xbd, 0, 104, 0x48, 0x60], &[0x81, 0, 107, 0x1a, 0xa4, 0x20]] {
        whole.push(frame.len() as u8);
        whole.extend(frame);
    }
    vec![whole.clone(), whole.get(..40).unwrap_or_default().to_vec(), vec![3, 0x80, 0, 1]]
}

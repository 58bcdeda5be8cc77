//! Payload descriptors of every codec. What is found lies inside of the payload, and rewriting it
//! changes the payload there and nowhere else. What VP9 says of its layers is whole or nothing.

use tertulia_router_core::{Codec, DescriptorRewrite, FrameInfo, vp9_layers};

use super::{Check, Target};
use crate::mutation::Structure;

pub(super) const TARGET: Target =
    Target { name: "descriptors", structure: Structure::Binary, seeds, start };

fn start() -> Check {
    Box::new(|payload| {
        layers(payload)?;
        for codec in [Codec::Opus, Codec::Vp8, Codec::Vp9, Codec::Av1, Codec::H264] {
            let info = FrameInfo::of(codec, payload);
            let rewrite = DescriptorRewrite {
                picture_id: info.picture_id,
                tl0_picture_index: info.tl0_picture_index,
                ..DescriptorRewrite::default()
            };
            let mut same = payload.to_vec();
            rewrite.apply(&mut same);
            if same != payload {
                return Err(format!("{codec:?}: what was read is not what is written"));
            }
            let mut other = rewrite;
            if let Some(id) = &mut other.picture_id {
                id.value = !id.value & id.mask();
            }
            let mut changed = payload.to_vec();
            other.apply(&mut changed);
            let differences = changed.iter().zip(payload).filter(|(a, b)| a != b).count();
            let most = info.picture_id.map_or(0, |id| 1 + usize::from(id.is_long));
            if changed.len() != payload.len() || differences > most {
                return Err(format!("{codec:?}: {differences} bytes changed"));
            }
        }
        Ok(())
    })
}

/// A descriptor that is cut off says nothing, or what it says as a whole.
fn layers(payload: &[u8]) -> Result<(), String> {
    let whole = vp9_layers(payload);
    for length in 0..payload.len().min(64) {
        let cut = vp9_layers(&payload[..length]);
        if cut.is_some() && cut != whole {
            return Err(format!("{length} bytes say {cut:?}, and all {whole:?}"));
        }
    }
    let Some(layers) = whole else { return Ok(()) };
    let count = usize::from(layers.spatial_layers.unwrap_or(0));
    let is_told = layers.sizes.iter().skip(count).all(Option::is_none);
    let has_distances = layers.distances.iter().any(Option::is_some);
    if !is_told || (has_distances && !(layers.is_flexible && layers.is_predicted)) {
        return Err(format!("{layers:?} says more than there is"));
    }
    Ok(())
}

fn seeds() -> Vec<Vec<u8>> {
    vec![
        vec![0x90, 0xe0, 0x81, 0x02, 7, 0x20, 0x00, 1, 2, 3],
        vec![0x90, 0x80, 0x7f, 0x01],
        vec![0x10, 0x00],
        vec![0xa8, 0x81, 0x02, 0x00, 9],
        vec![0xb8, 0x01, 0x00, 9],
        vec![0xf8, 0x05, 0x00, 0x07, 0x8c, 0xff],
        vec![0xed, 0x05, 0x53, 9, 0xff],
        vec![0xaa, 5, 0, 0, 0x38, 1, 0x40, 0, 0xb4, 2, 0x80, 1, 0x68, 1, 0, 0xff],
        vec![0xba, 5, 0, 0x30, 1, 0x40, 0, 0xb4, 2, 0x80, 1, 0x68, 0xff],
        vec![0x67, 0x42, 0xe0, 0x1f],
        vec![0x78, 0, 2, 0x67, 0x42, 0, 2, 0x68, 1],
        vec![0x7c, 0x87, 1, 2],
    ]
}

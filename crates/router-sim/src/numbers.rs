//! Identifiers of pictures and frames on a line: they go on counting, whatever is left out, and whoever is bound.

use std::collections::HashMap;

use crate::watch::LineKey;
use crate::wire::Packet;

/// Numbers of the newest picture that left a line, as its source counts and as it left.
#[derive(Debug, Clone, Copy)]
struct Newest {
    ssrc: u32,
    own: u16,
    out: u16,
    tl0: u8,
}

/// Of all lines.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    pictures: HashMap<LineKey, Newest>,
    frames: HashMap<LineKey, Newest>,
}

impl Numbers {
    /// A packet leaves for the first time; `frame` is the number that its source gave its frame.
    pub(crate) fn leave(
        &mut self,
        key: LineKey,
        packet: &Packet,
        frame: Option<u64>,
    ) -> Result<(), String> {
        let Some(mark) = packet.mark else { return Ok(()) };
        if let Some((out, tl0)) = packet.picture {
            let this = Newest { ssrc: mark.ssrc, own: mark.picture, out, tl0 };
            follow(&mut self.pictures, key, this, 15)
                .map_err(|e| format!("{key:?}: picture {e}"))?;
        }
        if let (Some(out), Some(own)) = (packet.frame, frame) {
            let this = Newest { ssrc: mark.ssrc, own: own as u16, out, tl0: 0 };
            follow(&mut self.frames, key, this, 16).map_err(|e| format!("{key:?}: frame {e}"))?;
        }
        Ok(())
    }
}

/// The distance of two numbers of so many bits.
fn ahead(to: u16, from: u16, bits: u32) -> i32 {
    let unused = 16 - bits;
    i32::from((to.wrapping_sub(from) << unused) as i16) >> unused
}

fn follow(
    lines: &mut HashMap<LineKey, Newest>,
    key: LineKey,
    this: Newest,
    bits: u32,
) -> Result<(), String> {
    let Some(former) = lines.get(&key).copied() else {
        lines.insert(key, this);
        return Ok(());
    };
    let out = ahead(this.out, former.out, bits);
    let own = ahead(this.own, former.own, bits);
    let tl0 = i32::from(this.tl0.wrapping_sub(former.tl0) as i8);
    // Of another source the next one; of the same one no more than were left out.
    let (is_in_order, is_lowest_in_order) = if this.ssrc == former.ssrc {
        let most = own.clamp(-127, 127);
        (
            if own > 0 {
                (1..=own).contains(&out)
            } else {
                (own..=out.min(0)).contains(&out) && (own == 0) == (out == 0)
            },
            if own > 0 { (0..=most).contains(&tl0) } else { (most..=0).contains(&tl0) },
        )
    } else {
        (out == 1, tl0 == 1 || this.tl0 == 0)
    };
    if !is_in_order || !(is_lowest_in_order || bits == 16) {
        return Err(format!("identifiers {this:?} follow {former:?}"));
    }
    if this.ssrc != former.ssrc || own > 0 {
        lines.insert(key, this);
    }
    Ok(())
}

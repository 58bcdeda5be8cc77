//! A stream of VP9 with two spatial and two temporal layers inside, the upper spatial one of which needs
//! the lower one of key frames only (`L2T2_KEY`), with dependency descriptors or without.

use fastrand::Rng;

use crate::peer::{Encoding, SendingLine};
use crate::pictures::Frame;
use crate::structure::{fields, structure};
use crate::voice::Voice;

const SIZES: [(u16, u16); 2] = [(320, 180), (640, 360)];
/// Payload bytes of a packet of each.
const BYTES: [usize; 2] = [150, 500];

/// How far such a stream is.
#[derive(Debug)]
pub(crate) struct Layered {
    has_descriptor: bool,
    frames: u64,
    /// What was sent since this was last taken.
    sent: Vec<((u32, u16), Frame)>,
}

impl Layered {
    pub(crate) fn new(rng: &mut Rng) -> Self {
        Self { has_descriptor: rng.bool(), frames: 1, sent: Vec::new() }
    }

    pub(crate) fn take_sent(&mut self) -> Vec<((u32, u16), Frame)> {
        std::mem::take(&mut self.sent)
    }
}

/// The next picture, two packets of each spatial layer.
pub(crate) fn picture(line: &mut SendingLine, voice: &mut Voice, said: &mut Vec<Vec<u8>>) {
    let of = (line.id, line.kind, line.mid, line.payload_type);
    let (Some(layered), Some(encoding)) = (&mut line.layered, line.encodings.first_mut()) else {
        return;
    };
    if !encoding.is_active || encoding.is_paused {
        return;
    }
    let (is_key, temporal) = encoding.begin_picture();
    for spatial in 0..2_u8 {
        let frame = Frame {
            number: layered.frames,
            needs: match (is_key, spatial, temporal) {
                (true, 0, _) => None,
                (true, ..) => Some(layered.frames - 1),
                (false, _, 0) => Some(layered.frames - 4),
                (false, ..) => Some(layered.frames - 2),
            },
        };
        for is_last in [false, true] {
            let payload = payload(encoding, is_key, spatial, temporal, is_last);
            let descriptor = layered
                .has_descriptor
                .then(|| descriptor(layered.frames as u16, is_key, spatial, temporal, is_last));
            let packet = encoding.send_of(voice, of, is_last && spatial == 1, payload, descriptor);
            // Without a descriptor the router guesses what needs what.
            if layered.has_descriptor {
                layered.sent.push(((encoding.ssrc, encoding.sequence_number as u16), frame));
            }
            said.push(packet);
        }
        layered.frames += 1;
    }
}

/// The beginning of a payload (RFC 9628 section 4.2), with room up to its length.
fn payload(encoding: &Encoding, is_key: bool, spatial: u8, temporal: u8, is_last: bool) -> Vec<u8> {
    let starts_sequence = is_key && spatial == 0 && !is_last;
    let (picture, tl0) = encoding.picture();
    let [high, low] = picture.to_be_bytes();
    // I and L; P; B or E; V; Z, as only key frames are needed above.
    let flags = 0xa0
        | u8::from(!is_key) << 6
        | if is_last { 0x04 } else { 0x08 }
        | u8::from(starts_sequence) << 1
        | u8::from(!is_key || spatial == 1);
    let depends = is_key && spatial == 1;
    let place = temporal << 5 | temporal << 4 | spatial << 1 | u8::from(depends);
    let mut payload = vec![flags, 0x80 | high, low, place, tl0];
    if starts_sequence {
        payload.push(1 << 5 | 0x10);
        payload.extend(SIZES.iter().flat_map(|(w, h)| [*w, *h]).flat_map(u16::to_be_bytes));
    }
    payload.resize(BYTES[usize::from(spatial)], 0);
    payload
}

fn descriptor(number: u16, is_key: bool, spatial: u8, temporal: u8, is_last: bool) -> Vec<u8> {
    let place = if is_key { 0 } else { 1 + u32::from(temporal) };
    let template = place + 3 * u32::from(spatial);
    let (first, last) = (u32::from(!is_last), u32::from(is_last));
    let mut all = vec![(1, first), (1, last), (6, template), (16, u32::from(number))];
    if is_key && spatial == 0 && !is_last {
        all.push((5, 0b10000));
        all.extend(structure(&SIZES));
    }
    fields(all)
}

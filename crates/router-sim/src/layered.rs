//! A stream of VP9 or AV1 with two spatial and two temporal layers inside, the upper spatial one of which needs
//! the lower one of key frames only (`L2T2_KEY`), with dependency descriptors or, of VP9, without.

use fastrand::Rng;

use crate::keys::{AV1, VP9};
use crate::pictures::Frame;
use crate::stream::{Encoding, SendingLine};
use crate::structure::{fields, structure};
use crate::voice::Voice;

const SIZES: [(u16, u16); 2] = [(320, 180), (640, 360)];
/// Payload bytes of a packet of each.
const BYTES: [usize; 2] = [150, 500];

/// How far such a stream is.
#[derive(Debug, Clone)]
pub(crate) struct Layered {
    /// That of its codec.
    pub(crate) payload_type: u8,
    has_descriptor: bool,
    frames: u64,
    /// The router said that nobody needs the upper spatial layer.
    is_upper_paused: bool,
    /// Spatial layers since the newest key frame.
    spatial_layers: u8,
    /// What was sent since this was last taken.
    sent: Vec<((u32, u16), Frame)>,
}

impl Layered {
    pub(crate) fn new(rng: &mut Rng) -> Self {
        let payload_type = if rng.u8(..3) == 0 { AV1 } else { VP9 };
        let has_descriptor = payload_type == AV1 || rng.bool();
        Self {
            payload_type,
            has_descriptor,
            frames: 1,
            is_upper_paused: false,
            spatial_layers: 2,
            sent: Vec::new(),
        }
    }

    /// The router said which layers nobody needs. Returns whether that is news: it takes a key frame.
    pub(crate) fn pause(&mut self, is_upper_paused: bool) -> bool {
        std::mem::replace(&mut self.is_upper_paused, is_upper_paused) != is_upper_paused
    }

    /// Whether the router said that nobody needs the upper spatial layer.
    pub(crate) fn rests(&self) -> bool {
        self.is_upper_paused
    }

    /// Whether subscribers could have the upper spatial layer, and the simulator would know it.
    pub(crate) fn shows_upper(&self) -> bool {
        self.has_descriptor
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
    if is_key {
        layered.spatial_layers = if layered.is_upper_paused { 1 } else { 2 };
    }
    let layers = layered.spatial_layers;
    for spatial in 0..layers {
        let frame = Frame {
            number: layered.frames,
            is_upper: spatial > 0,
            needs: match (is_key, spatial, temporal) {
                (true, 0, _) => None,
                (true, ..) => Some(layered.frames - 1),
                (false, _, 0) => Some(layered.frames - 2 * u64::from(layers)),
                (false, ..) => Some(layered.frames - u64::from(layers)),
            },
        };
        for is_last in [false, true] {
            let place = Place { is_key, spatial, temporal, is_last };
            let sizes = &SIZES[..usize::from(layers)];
            let payload = match layered.payload_type {
                AV1 => coded(place),
                _ => payload(encoding, place, sizes),
            };
            let descriptor =
                layered.has_descriptor.then(|| descriptor(layered.frames as u16, place, sizes));
            let is_end = is_last && spatial + 1 == layers;
            let packet = encoding.send_of(voice, of, is_end, payload, descriptor);
            // Without a descriptor the router guesses what needs what.
            if layered.has_descriptor {
                layered.sent.push(((encoding.ssrc, encoding.sequence_number as u16), frame));
            }
            said.push(packet);
        }
        layered.frames += 1;
    }
}

/// Where a packet stands.
#[derive(Debug, Clone, Copy)]
struct Place {
    is_key: bool,
    spatial: u8,
    temporal: u8,
    /// Of its frame.
    is_last: bool,
}

/// The beginning of a payload (RFC 9628 section 4.2), with room up to its length.
fn payload(encoding: &Encoding, place: Place, sizes: &[(u16, u16)]) -> Vec<u8> {
    let Place { is_key, spatial, temporal, is_last } = place;
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
        payload.push((sizes.len() as u8 - 1) << 5 | 0x10);
        payload.extend(sizes.iter().flat_map(|(w, h)| [*w, *h]).flat_map(u16::to_be_bytes));
    }
    payload.resize(BYTES[usize::from(spatial)], 0);
    payload
}

/// An aggregation header (RTP Payload Format For AV1, section 4.4) before half a frame.
fn coded(place: Place) -> Vec<u8> {
    let Place { is_key, spatial, is_last, .. } = place;
    let starts_sequence = is_key && spatial == 0 && !is_last;
    // Z or Y; W: one element; N.
    let header = if is_last { 0x80 } else { 0x40 } | 0x10 | u8::from(starts_sequence) << 3;
    let mut payload = vec![header];
    payload.resize(BYTES[usize::from(spatial)], 0);
    payload
}

fn descriptor(number: u16, place: Place, sizes: &[(u16, u16)]) -> Vec<u8> {
    let Place { is_key, spatial, temporal, is_last } = place;
    let place = if is_key { 0 } else { 1 + u32::from(temporal) };
    let template = place + 3 * u32::from(spatial);
    let (first, last) = (u32::from(!is_last), u32::from(is_last));
    let mut all = vec![(1, first), (1, last), (6, template), (16, u32::from(number))];
    if is_key && spatial == 0 && !is_last {
        all.push((5, 0b10000));
        all.extend(structure(sizes));
    }
    fields(all)
}

//! A publisher whose one stream has layers inside: two spatial and two temporal ones, where the upper
//! spatial layer needs the lower one of key frames only (`L2T2_KEY`); or the lower ones alone (`L1T2`).

use std::time::Instant;

use str0m::rtp::{Extension, ExtensionSerializer, ExtensionValues, RtpWrite};

use super::client::Client;
use super::media::Picture;
pub use super::structure::{fields, structure};

/// A dependency descriptor as it is on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency(pub Vec<u8>);

impl Dependency {
    /// Its frame number.
    pub fn number(&self) -> u16 {
        u16::from_be_bytes([self.0[1], self.0[2]])
    }
}

#[derive(Debug)]
struct Serializer;

impl ExtensionSerializer for Serializer {
    fn write_to(&self, buffer: &mut [u8], values: &ExtensionValues) -> usize {
        let Some(Dependency(bytes)) = values.user_values.get() else {
            return 0;
        };
        buffer[..bytes.len()].copy_from_slice(bytes);
        bytes.len()
    }

    fn parse_value(&self, buffer: &[u8], values: &mut ExtensionValues) -> bool {
        values.user_values.set(Dependency(buffer.to_vec()));
        true
    }

    fn is_video(&self) -> bool {
        true
    }

    fn is_audio(&self) -> bool {
        false
    }

    fn requires_two_byte_form(&self, values: &ExtensionValues) -> bool {
        values.user_values.get().is_none_or(|Dependency(bytes)| bytes.len() > 16)
    }
}

/// The extension, for a client that knows it.
pub fn extension() -> Extension {
    let uri =
        "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension";
    Extension::with_serializer(uri, Serializer)
}

/// The stream, as far as it was sent.
#[derive(Debug, Clone)]
pub struct Layered {
    /// VP9 describes layers in its payload, AV1 by the extension.
    pub picture: Picture,
    pub pictures: u32,
    /// How many are sent; changes at a key frame only.
    pub spatial_layers: u8,
    pub sizes: [(u16, u16); 2],
    /// False before the first key frame, and where the encoder is to begin anew with one.
    pub is_begun: bool,
    packets: u64,
    frames: u16,
}

impl Layered {
    pub fn new(picture: Picture) -> Self {
        Self {
            picture,
            pictures: 0,
            spatial_layers: 2,
            sizes: [(320, 180), (640, 360)],
            is_begun: false,
            packets: 0xffff_fff0 & 0xfff0,
            frames: 0,
        }
    }

    /// Number and timestamp of the newest packet.
    pub fn last(&self) -> (u64, u32) {
        (self.packets, self.pictures.wrapping_sub(1) * 3600)
    }

    /// So many frame numbers are of frames that nobody gets.
    pub fn skip_frames(&mut self, frames: u16) {
        self.frames = self.frames.wrapping_add(frames);
    }

    /// Sends the next picture of a client's first stream.
    pub fn send(&mut self, client: &mut Client, now: Instant, is_key: bool) {
        for packet in self.next_picture(client, now, is_key) {
            let video = client.streams[0].video;
            client.send(video, None, packet);
        }
    }

    /// The next picture: of each spatial layer two packets that end with its index.
    pub fn next_picture(&mut self, client: &Client, now: Instant, is_key: bool) -> Vec<RtpWrite> {
        // After a key frame the temporal layers begin anew.
        if is_key {
            self.pictures += self.pictures % 2;
        }
        self.is_begun |= is_key;
        let temporal = (self.pictures % 2) as u8;
        let mut packets = Vec::new();
        for spatial in 0..self.spatial_layers {
            for is_last in [false, true] {
                let payload = self.payload(is_key, spatial, temporal, is_last);
                let payload_type = client.options.codecs.video(self.picture);
                let timestamp = self.pictures * 3600;
                let mut values = ExtensionValues::default();
                if client.options.has_dependencies {
                    values.user_values.set(self.dependency(is_key, spatial, temporal, is_last));
                }
                self.packets += 1;
                let packet = RtpWrite::new(
                    payload_type.into(),
                    self.packets.into(),
                    timestamp,
                    now,
                    payload,
                )
                .marker(is_last && spatial + 1 == self.spatial_layers)
                .nackable(true)
                .ext_vals(values);
                packets.push(packet);
            }
            self.frames = self.frames.wrapping_add(1);
        }
        self.pictures += 1;
        packets
    }

    fn dependency(&self, is_key: bool, spatial: u8, temporal: u8, is_last: bool) -> Dependency {
        let place = if is_key { 0 } else { 1 + u32::from(temporal) };
        let template = place + 3 * u32::from(spatial);
        let number = u32::from(self.frames);
        let mut all =
            vec![(1, u32::from(!is_last)), (1, u32::from(is_last)), (6, template), (16, number)];
        if is_key && spatial == 0 && !is_last {
            all.push((5, 0b10000));
            all.extend(structure(&self.sizes[..usize::from(self.spatial_layers)]));
        }
        Dependency(fields(all))
    }

    fn payload(&self, is_key: bool, spatial: u8, temporal: u8, is_last: bool) -> Vec<u8> {
        let starts_sequence = is_key && spatial == 0 && !is_last;
        let mut payload = match self.picture {
            Picture::Vp9 => {
                let [high, low] = (self.pictures as u16 & 0x7fff).to_be_bytes();
                // I and L; P; B or E; V; Z, as only key frames are needed above.
                let flags = 0xa0
                    | u8::from(!is_key) << 6
                    | if is_last { 0x04 } else { 0x08 }
                    | u8::from(starts_sequence) << 1
                    | u8::from(!is_key || spatial == 1);
                let depends = is_key && spatial == 1;
                let place = temporal << 5 | (temporal << 4) | spatial << 1 | u8::from(depends);
                let mut payload = vec![flags, 0x80 | high, low, place, (self.pictures / 2) as u8];
                if starts_sequence {
                    let sizes = &self.sizes[..usize::from(self.spatial_layers)];
                    payload.push((self.spatial_layers - 1) << 5 | 0x10);
                    payload.extend(
                        sizes.iter().flat_map(|(w, h)| [*w, *h]).flat_map(u16::to_be_bytes),
                    );
                }
                payload
            }
            _ => vec![if starts_sequence { 0x18 } else { 0x10 }, 0, 0, 0, 0],
        };
        payload.resize(60 + 200 * usize::from(spatial), spatial);
        payload
    }
}

//! Sees every datagram that leaves the router for one peer, in order and before the network, with the
//! peer's keys.
//!
//! - Its peer can open it, whatever was lost before.
//! - No index of SRTP or SRTCP is used for two packets: what has the index of an earlier packet is that
//!   packet to the last bit.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use tertulia_router_core::Mid;
use tertulia_router_core::rtp::rtcp::{self, Packet as Control};
use tertulia_router_core::rtp::srtp::{OpenError, Opener};
use tertulia_router_core::rtp::{ExtensionIds, Extensions, Header, is_rtcp, red, rtx};

use crate::keys::{self, OPUS, RED, repaired_by};
use crate::wire::{Heard, Mark, Packet, Request};

/// Of one association.
pub(crate) struct Witness {
    opener: Opener,
    extensions: ExtensionIds,
    /// What left under an index, by source and the lower bits of it.
    left: HashMap<(u32, u16), (u64, Packet)>,
    /// Source and greatest number of each line.
    lines: HashMap<Mid, (u32, u64)>,
}

impl Witness {
    pub(crate) fn new(opener: Opener) -> Self {
        let extensions = keys::extensions();
        Self { opener, extensions, left: HashMap::new(), lines: HashMap::new() }
    }

    /// A datagram leaves.
    pub(crate) fn see(&mut self, datagram: &[u8]) -> Result<Heard, String> {
        let mut opened = datagram.to_vec();
        if is_rtcp(datagram) {
            let length = self.opener.open_rtcp(&mut opened).map_err(|error| match error {
                OpenError::Replayed | OpenError::TooOld => {
                    format!("an SRTCP index is used twice ({error})")
                }
                error => format!("an RTCP packet cannot be opened by its peer ({error})"),
            })?;
            return Ok(Heard::Control(requests(&opened[..length])));
        }
        let header = Header::parse(datagram).map_err(|e| format!("a packet that is none ({e})"))?;
        let place = (header.ssrc, header.sequence_number);
        let hash = hash_of(datagram);
        match self.opener.open_rtp(&mut opened, &header) {
            Ok(index) => {
                let packet = self.read(&header, &opened[..index.length], index.index)?;
                self.left.insert(place, (hash, packet.clone()));
                Ok(Heard::Media(Box::new(packet)))
            }
            Err(error @ (OpenError::Replayed | OpenError::TooOld)) => match self.left.get(&place) {
                Some((former, packet)) if *former == hash => {
                    Ok(Heard::Media(Box::new(Packet { is_repeated: true, ..packet.clone() })))
                }
                former => Err(format!(
                    "the SRTP index of number {} of source {:x} is used twice ({error}), first for \
                     {former:?}",
                    place.1, place.0
                )),
            },
            Err(error) => Err(format!("a packet cannot be opened by its peer ({error})")),
        }
    }

    fn read(&mut self, header: &Header, opened: &[u8], index: u64) -> Result<Packet, String> {
        let said = Extensions::read(&self.extensions, header.elements(opened));
        let mid = said.mid.and_then(|mid| Mid::parse(std::str::from_utf8(mid).ok()?));
        let mid = mid.ok_or("a packet names no line")?;
        let payload = header.payload(opened).map_err(|e| format!("a payload is none ({e})"))?;
        let mut packet = Packet {
            mid,
            ssrc: header.ssrc,
            sequence_number: index,
            timestamp: header.timestamp,
            transport_sequence: said.transport_sequence,
            is_audio: matches!(header.payload_type, OPUS | RED),
            is_repeated: false,
            mark: None,
            former: Vec::new(),
        };
        if repaired_by(header.payload_type).is_some() {
            let (number, rest) = payload
                .split_first_chunk::<{ rtx::OVERHEAD }>()
                .ok_or("a repetition of nothing")?;
            let (ssrc, newest) =
                *self.lines.get(&mid).ok_or("a repetition on a line that sent nothing")?;
            let behind = (newest as u16).wrapping_sub(u16::from_be_bytes(*number));
            packet.sequence_number = newest.saturating_sub(behind.into());
            packet.ssrc = ssrc;
            packet.is_repeated = true;
            packet.mark = Mark::read(rest);
            return Ok(packet);
        }
        let newest = &mut self.lines.entry(mid).or_insert((header.ssrc, index)).1;
        *newest = index.max(*newest);
        if header.payload_type != RED {
            packet.mark = Mark::read(payload);
            return Ok(packet);
        }
        let blocks = red::blocks(payload).map_err(|e| format!("redundant audio is none ({e})"))?;
        for block in blocks {
            let mark = Mark::read(block.payload);
            match block.distance {
                0 => packet.mark = mark,
                distance => packet.former.push((index - u64::from(distance), mark)),
            }
        }
        Ok(packet)
    }
}

fn requests(compound: &[u8]) -> Vec<Request> {
    let mut requests = Vec::new();
    for packet in rtcp::packets(compound).flatten() {
        match packet {
            Control::PictureLoss { media, .. } => requests.push(Request::KeyFrame(media)),
            Control::FullIntra(all) => {
                requests.extend(all.map(|(media, _)| Request::KeyFrame(media)));
            }
            Control::Nack(nack) => {
                requests.push(Request::Again(nack.media, nack.lost().collect()));
            }
            _ => {}
        }
    }
    requests
}

fn hash_of(datagram: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    datagram.hash(&mut hasher);
    hasher.finish()
}

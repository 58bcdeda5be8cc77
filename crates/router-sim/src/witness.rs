//! Sees every datagram that leaves the router for one peer, in order and before the network, with the
//! peer's keys.
//!
//! - Its peer can open it, whatever was lost before.
//! - It is of a payload type that its peer offered, and its number in the transport is the next one.
//! - A sender report counts what left, and says the time on the clock of that.
//! - No index of SRTP or SRTCP is used for two packets: what has the index of an earlier packet is that
//!   packet to the last bit.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use tertulia_router_core::rtp::rtcp::{self, Packet as Control, SenderInfo};
use tertulia_router_core::rtp::srtp::{OpenError, Opener};
use tertulia_router_core::rtp::{ExtensionIds, Extensions, Header, is_rtcp, red, rtx};
use tertulia_router_core::{Kind, Mid};

use crate::keys::{self, OPUS, RED, VP8, VP9, repaired_by};
use crate::wire::{Heard, Mark, Packet, Request};

/// Of one association.
pub(crate) struct Witness {
    opener: Opener,
    extensions: ExtensionIds,
    /// What left under an index, by source and the lower bits of it.
    left: HashMap<(u32, u16), (u64, Packet)>,
    /// Source and greatest number of each line.
    lines: HashMap<Mid, (u32, u64)>,
    /// By source.
    sent: HashMap<u32, Sent>,
    transport_sequence: Option<u16>,
    /// What its peer offered to take.
    takes: Vec<u8>,
}

/// What left of one source.
#[derive(Debug, Clone, Copy)]
struct Sent {
    kind: Kind,
    packets: u32,
    timestamp: u32,
    at: Instant,
}

/// How far a report may be off: before a publisher has reported itself its times are those of arrivals.
const MOST_OFF: Duration = Duration::from_secs(20);

impl Witness {
    pub(crate) fn new(opener: Opener, takes: Vec<u8>) -> Self {
        let extensions = keys::extensions();
        Self {
            opener,
            extensions,
            left: HashMap::new(),
            lines: HashMap::new(),
            sent: HashMap::new(),
            transport_sequence: None,
            takes,
        }
    }

    /// A datagram leaves; none: it is not for this peer.
    pub(crate) fn see(&mut self, now: Instant, datagram: &[u8]) -> Result<Option<Heard>, String> {
        let mut opened = datagram.to_vec();
        if is_rtcp(datagram) {
            let length = match self.opener.open_rtcp(&mut opened) {
                Ok(length) => length,
                Err(error @ (OpenError::Replayed | OpenError::TooOld)) => {
                    return Err(format!("an SRTCP index is used twice ({error})"));
                }
                Err(_) => return Ok(None),
            };
            return Ok(Some(Heard::Control(self.control(now, &opened[..length])?)));
        }
        let header = Header::parse(datagram).map_err(|e| format!("a packet that is none ({e})"))?;
        let place = (header.ssrc, header.sequence_number);
        let hash = hash_of(datagram);
        match self.opener.open_rtp(&mut opened, &header) {
            Ok(index) => {
                let packet = self.read(&header, &opened[..index.length], index.index)?;
                self.left.insert(place, (hash, packet.clone()));
                self.count(now, &packet, header.payload_type)?;
                Ok(Some(Heard::Media(Box::new(packet))))
            }
            Err(error @ (OpenError::Replayed | OpenError::TooOld)) => match self.left.get(&place) {
                Some((former, packet)) if *former == hash => {
                    let packet = Packet { is_repeated: true, ..packet.clone() };
                    Ok(Some(Heard::Media(Box::new(packet))))
                }
                former => Err(format!(
                    "the SRTP index of number {} of source {:x} is used twice ({error}), first for \
                     {former:?}",
                    place.1, place.0
                )),
            },
            Err(_) => Ok(None),
        }
    }

    fn count(&mut self, now: Instant, packet: &Packet, payload_type: u8) -> Result<(), String> {
        if !self.takes.contains(&payload_type) {
            return Err(format!("payload type {payload_type} was not offered: {packet:?}"));
        }
        if let Some(number) = packet.transport_sequence {
            let former = self.transport_sequence.replace(number);
            if former.is_some_and(|former| former.wrapping_add(1) != number) {
                return Err(format!("number {number} in the transport follows {former:?}"));
            }
        }
        if !packet.is_repeated {
            let kind = if packet.is_audio { Kind::Audio } else { Kind::Video };
            let new = Sent { kind, packets: 0, timestamp: packet.timestamp, at: now };
            let sent = self.sent.entry(packet.ssrc).or_insert(new);
            sent.packets += 1;
            // One that comes late says nothing of the time.
            if packet.timestamp.wrapping_sub(sent.timestamp) as i32 >= 0 {
                (sent.timestamp, sent.at) = (packet.timestamp, now);
            }
        }
        Ok(())
    }

    fn control(&self, now: Instant, compound: &[u8]) -> Result<Vec<Request>, String> {
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
                Control::SenderReport { ssrc, info, .. } => self.check_report(now, ssrc, &info)?,
                _ => {}
            }
        }
        Ok(requests)
    }

    fn check_report(&self, now: Instant, ssrc: u32, info: &SenderInfo) -> Result<(), String> {
        let Some(sent) = self.sent.get(&ssrc) else {
            return Err(format!("source {ssrc:x} reports, and sent nothing"));
        };
        if sent.packets != info.packets {
            return Err(format!("source {ssrc:x} reports {} packets: {sent:?}", info.packets));
        }
        let hz = u64::from(sent.kind.clock_hz());
        let passed = now.saturating_duration_since(sent.at).as_millis() as u64 * hz / 1_000;
        let exact = sent.timestamp.wrapping_add(passed as u32);
        let off = (info.rtp_timestamp.wrapping_sub(exact) as i32).unsigned_abs();
        if u64::from(off) > MOST_OFF.as_millis() as u64 * hz / 1_000 {
            let said = info.rtp_timestamp;
            return Err(format!("source {ssrc:x} reports timestamp {said} instead of {exact}"));
        }
        Ok(())
    }

    fn read(&mut self, header: &Header, opened: &[u8], index: u64) -> Result<Packet, String> {
        let said = Extensions::read(&self.extensions, header.elements(opened));
        let mid = said.mid.and_then(|mid| Mid::parse(std::str::from_utf8(mid).ok()?));
        let mid = mid.ok_or("a packet names no line")?;
        let payload = header.payload(opened).map_err(|e| format!("a payload is none ({e})"))?;
        let descriptor = said.dependency_descriptor.and_then(|all| all.get(1..));
        let frame = descriptor.and_then(<[u8]>::first_chunk);
        let mut packet = Packet {
            mid,
            ssrc: header.ssrc,
            sequence_number: index,
            timestamp: header.timestamp,
            picture: None,
            frame: frame.copied().map(u16::from_be_bytes),
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
            packet.picture = picture(header.payload_type, payload);
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

/// Identifiers in what the simulator's publishers write: they are where the payload descriptor has them.
fn picture(payload_type: u8, payload: &[u8]) -> Option<(u16, u8)> {
    let (id, tl0) = match (payload_type, payload) {
        (VP8, [_, _, high, low, tl0, ..]) | (VP9, [_, high, low, _, tl0, ..]) => {
            (u16::from_be_bytes([*high, *low]), *tl0)
        }
        _ => return None,
    };
    Some((id & 0x7fff, tl0))
}

fn hash_of(datagram: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    datagram.hash(&mut hasher);
    hasher.finish()
}

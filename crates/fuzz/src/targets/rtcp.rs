//! Compound RTCP: every iteration ends within its limit, and what is read can be composed and is read
//! as the same.

use std::collections::BTreeSet;

use tertulia_router_core::rtp::NoRoom;
use tertulia_router_core::rtp::rtcp::{
    Arrival, Compound, MAX_PACKETS, MAX_STATUSES, Packet, TransportFeedback, packets,
};

use super::{Check, Target};
use crate::mutation::Structure;

pub(super) const TARGET: Target =
    Target { name: "rtcp", structure: Structure::Binary, seeds, start };

fn start() -> Check {
    Box::new(|compound| {
        let mut count = 0;
        for packet in packets(compound).flatten() {
            count += 1;
            check(packet)?;
        }
        if count > MAX_PACKETS { Err(format!("{count} packets were read")) } else { Ok(()) }
    })
}

fn check(packet: Packet<'_>) -> Result<(), String> {
    let items = match packet {
        Packet::SenderReport { ssrc, info, blocks } => {
            let blocks: Vec<_> = blocks.collect();
            let again = compose(|compound| compound.sender_report(ssrc, &info, &blocks));
            let Some(Ok(Packet::SenderReport { info: same, blocks: read, .. })) =
                packets(&again).next()
            else {
                return Err("a sender report became something else".into());
            };
            if same != info || !read.eq(blocks.iter().copied()) {
                return Err("a sender report changed".into());
            }
            blocks.len()
        }
        Packet::ReceiverReport { blocks, .. } => blocks.count(),
        Packet::Goodbye(sources) => sources.count(),
        Packet::Nack(nack) => {
            let lost: Vec<u16> = nack.lost().collect();
            for (place, part) in lost.chunks(100).enumerate() {
                let again = compose(|compound| compound.nack(1, 2, part).map(drop));
                let Some(Ok(Packet::Nack(read))) = packets(&again).next() else {
                    return Err(format!("part {place} of a nack became something else"));
                };
                // The same number twice in a row is asked for once.
                let numbers: BTreeSet<u16> = read.lost().collect();
                let expected: BTreeSet<u16> = part.iter().copied().collect();
                if numbers != expected {
                    return Err(format!("{expected:?} became {numbers:?}"));
                }
            }
            lost.len()
        }
        Packet::FullIntra(command) => command.count(),
        Packet::Bitrate(bitrate) => bitrate.count(),
        Packet::ExtendedReport(report) => report.count(),
        Packet::TransportFeedback(feedback) => return transport(feedback),
        Packet::PictureLoss { .. } | Packet::Other { .. } => 0,
    };
    if items > MAX_STATUSES { Err(format!("{items} items")) } else { Ok(()) }
}

/// Feedback on what was reported is the same feedback.
fn transport(feedback: TransportFeedback<'_>) -> Result<(), String> {
    let statuses: Vec<_> = feedback.statuses().collect();
    if statuses.len() != usize::from(feedback.count) {
        return Err(format!("{} statuses of {}", statuses.len(), feedback.count));
    }
    let base = u64::from(feedback.base) + 65_536;
    // Far enough from zero for any sum of negative deltas.
    let mut ticks = 1u64 << 40;
    let mut arrivals = Vec::new();
    for (place, (_, delta)) in statuses.iter().enumerate() {
        if let Some(delta) = delta {
            ticks = ticks.wrapping_add_signed(i64::from(*delta));
            arrivals.push(Arrival { number: base + place as u64, ticks });
        }
    }
    let (mut next, mut left) = (base, arrivals.as_slice());
    while !left.is_empty() {
        let mut composed = None;
        let again = compose(|compound| {
            composed = Some(compound.transport_feedback(1, 2, 3, next, left)?);
            Ok(())
        });
        let composed = composed.ok_or("no feedback fits")?;
        let Some(Ok(Packet::TransportFeedback(read))) = packets(&again).next() else {
            return Err("feedback became something else".into());
        };
        let arrived = read.statuses().filter(|(_, delta)| delta.is_some()).count();
        if arrived != composed.arrivals || composed.arrivals == 0 || composed.next <= next {
            return Err(format!("{arrived} of {composed:?} arrived"));
        }
        next = composed.next;
        left = &left[composed.arrivals..];
    }
    Ok(())
}

fn compose(write: impl FnOnce(&mut Compound<'_>) -> Result<(), NoRoom>) -> Vec<u8> {
    let mut buffer = [0; 1_400];
    let mut compound = Compound::new(&mut buffer);
    // What does not fit leaves the compound empty, and the caller finds nothing in it.
    let _ = write(&mut compound);
    let length = compound.length();
    buffer[..length].to_vec()
}

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = super::sealed::reports();
    let feedback: [&[u8]; 3] = [
        &[0x20, 7, 4, 4, 4, 4, 4, 4, 4, 0],
        &[0xd6, 0x44, 0x11, 0x22, 0xff, 0xf0, 0x33, 0],
        &[0xbf, 0xff, 0x20, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 0],
    ];
    for chunks in feedback {
        let words = (4 + chunks.len() / 4) as u8 + 1;
        let head = [0x8f, 205, 0, words, 0, 0, 0, 7, 0, 0, 0, 8, 0xff, 0xfe, 0, 7, 0, 0, 5, 1];
        let padding =
            vec![0; (4 * usize::from(words) + 4).saturating_sub(head.len() + chunks.len())];
        seeds.push([&head[..], chunks, &padding].concat());
    }
    let all = seeds.concat();
    seeds.push(all);
    seeds
}

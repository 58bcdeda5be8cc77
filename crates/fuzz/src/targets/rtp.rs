//! Headers, header extensions, retransmissions and redundant audio: what is read is written again and
//! read as the same.

use tertulia_router_core::rtp::{
    ExtensionIds, ExtensionKind, Extensions, Header, Outgoing, pad, red, rtx,
};

use super::{Check, Target};
use crate::mutation::Structure;

pub(super) const TARGET: Target =
    Target { name: "rtp", structure: Structure::Binary, seeds, start };

fn start() -> Check {
    let mut ids = ExtensionIds::default();
    for (place, kind) in ExtensionKind::ALL.into_iter().enumerate() {
        ids.set(kind, place as u8 + 1);
    }
    Box::new(move |packet| {
        audio(packet)?;
        let Ok(header) = Header::parse(packet) else { return Ok(()) };
        let mut read = Extensions::read(&ids, header.elements(packet));
        read.send_time = None;
        rewrite(&header, &ids, &read)?;
        let Ok(payload) = header.payload(packet) else { return Ok(()) };
        repeat(packet, &header, payload)
    })
}

/// What is read is written again and read as the same.
fn rewrite(header: &Header, ids: &ExtensionIds, read: &Extensions<'_>) -> Result<(), String> {
    let outgoing = Outgoing {
        marker: header.marker,
        payload_type: header.payload_type,
        sequence_number: header.sequence_number,
        timestamp: header.timestamp,
        ssrc: header.ssrc,
    };
    let mut buffer = [0; 4_096];
    let length = outgoing.write(&mut buffer, ids, read).map_err(|cause| cause.to_string())?;
    let again = Header::parse(&buffer[..length]).map_err(|cause| cause.to_string())?;
    if again.length() != length || (again.ssrc, again.marker) != (header.ssrc, header.marker) {
        return Err(format!("the header became {again:?}"));
    }
    let extensions = Extensions::read(ids, again.elements(&buffer));
    if extensions != *read {
        return Err(format!("{read:?} became {extensions:?}"));
    }
    pad(&mut buffer, length, length + 7).map_err(|cause| cause.to_string())?;
    let padded = Header::parse(&buffer).map_err(|cause| cause.to_string())?;
    match padded.payload(&buffer[..length + 7]) {
        Ok([]) => Ok(()),
        other => Err(format!("padding became {other:?}")),
    }
}

/// A retransmission of it is unwrapped to it.
fn repeat(packet: &[u8], header: &Header, payload: &[u8]) -> Result<(), String> {
    let _ = rtx::unwrap(&mut packet.to_vec(), 1, 1);
    let stream = rtx::Stream { ssrc: !header.ssrc, payload_type: 1, sequence_number: 1 };
    let mut buffer = [packet, &[0; rtx::OVERHEAD]].concat();
    rtx::wrap(&mut buffer, packet.len(), stream).map_err(|cause| cause.to_string())?;
    match rtx::unwrap(&mut buffer, header.ssrc, header.payload_type) {
        Ok(unwrapped) if unwrapped == packet => Ok(()),
        other => Err(format!("{payload:?} became {other:?}")),
    }
}

/// Blocks lie within the packet, one behind the other; those of one codec are written as they were read.
fn audio(payload: &[u8]) -> Result<(), String> {
    let Ok(blocks) = red::blocks(payload) else { return Ok(()) };
    let blocks: Vec<_> = blocks.collect();
    let mut end = 4 * blocks.len() - 3;
    for block in &blocks {
        if block.start != end || payload.get(end..end + block.payload.len()) != Some(block.payload)
        {
            return Err(format!("{block:?} does not begin at {end}"));
        }
        end += block.payload.len();
    }
    if end != payload.len() {
        return Err(format!("{end} bytes of {}", payload.len()));
    }
    let Some((newest, formers)) = blocks.split_last() else { return Ok(()) };
    if formers.iter().any(|former| former.payload_type != newest.payload_type) {
        return Ok(());
    }
    let repeated = formers.iter().map(|former| red::Repeated {
        timestamp_offset: former.timestamp_offset.into(),
        payload: former.payload,
    });
    let repeated: Vec<_> = repeated.collect();
    let mut again = vec![0; payload.len()];
    red::write(&mut again, newest.payload_type, &repeated, newest.payload)
        .map_err(|cause| cause.to_string())?;
    if again == payload { Ok(()) } else { Err("blocks are written otherwise".into()) }
}

fn seeds() -> Vec<Vec<u8>> {
    let head = [0x90, 0xef, 0, 7, 0, 0, 0x12, 0x34, 0xbe, 0xef, 0, 1];
    let short: &[u8] = &[
        0xbe, 0xde, 0, 9, 0x10, b'0', 0x20, b'h', 0x30, b'q', 0x40, 0x85, 0x50, 1, 0x67, 1, 2, 3,
        4, 5, 6, 7, 8, 0x71, 0, 1, 0x82, 1, 2, 3, 0x92, 0x80, 0, 1, 0, 0, 0, 0, 0, 0,
    ];
    let long: &[u8] = &[0x10, 0, 0, 4, 1, 1, b'0', 4, 1, 0x85, 7, 2, 0, 1, 9, 4, 1, 2, 3, 4];
    let red = [0xef, 0x0f, 0, 3, 0x6f, 1, 2, 3, 4, 5];
    let mut seeds: Vec<_> =
        [short, long].iter().map(|block| [&head, *block, &red].concat()).collect();
    let mut padded = seeds[0].clone();
    padded[0] |= 0x20;
    padded.extend([0, 0, 3]);
    seeds.push(padded);
    seeds.push([&[0x82][..], &head[1..], &[1; 8], &red].concat());
    seeds.push(red.to_vec());
    seeds.push([&[0xef, 0x1e, 0, 1, 0xef, 0x0f, 0, 2, 0x6f][..], &[9; 6]].concat());
    seeds
}

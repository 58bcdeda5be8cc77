//! Packets that somebody changed on the way: none is opened, and none keeps a genuine one from being
//! opened.

use tertulia_router_core::rtp::Header;
use tertulia_router_core::rtp::srtp::{
    MAX_RTCP_OVERHEAD, MAX_RTP_OVERHEAD, Opener, Profile, Role, Sealer, contexts,
};

use super::{Check, Target};
use crate::mutation::Structure;

pub(super) const TARGET: Target =
    Target { name: "srtp", structure: Structure::Binary, seeds, start };

const PROFILES: [Profile; 3] =
    [Profile::Aes128CmSha1_80, Profile::AeadAes128Gcm, Profile::AeadAes256Gcm];
const SSRC: [u8; 4] = [0, 0, 0, 7];
/// Packets that the seeds use up.
const FIRST: u64 = 100;

fn side(profile: Profile, role: Role) -> (Opener, Sealer) {
    let material = vec![7; profile.keying_material()];
    contexts(profile, &material, role, 1).expect("keys")
}

/// An input is one byte, which chooses profile and protocol, and a sealed packet.
fn start() -> Check {
    let mut sides =
        PROFILES.map(|profile| (side(profile, Role::Server).0, side(profile, Role::Client).1));
    let known = seeds();
    let mut index = FIRST;
    Box::new(move |input| {
        let Some((kind, packet)) = input.split_first() else { return Ok(()) };
        let (opener, sealer) = &mut sides[usize::from(*kind) % 3];
        let mut forged = packet.to_vec();
        let is_open = if *kind < 128 {
            Header::parse(packet).is_ok_and(|header| opener.open_rtp(&mut forged, &header).is_ok())
        } else {
            opener.open_rtcp(&mut forged).is_ok()
        };
        let is_genuine = known.iter().any(|known| {
            known[1..] == *packet && known[0] % 3 == kind % 3 && (known[0] < 128) == (*kind < 128)
        });
        if is_open && !is_genuine {
            return Err("a forged packet was opened".into());
        }
        index += 1;
        let mut genuine = rtp(sealer, index);
        let header = Header::parse(&genuine).map_err(|cause| cause.to_string())?;
        let state = opener.open_rtp(&mut genuine, &header).map_err(|cause| cause.to_string())?;
        if state.index != index || opener.sources() != 1 {
            return Err(format!("{state:?} of {} sources", opener.sources()));
        }
        let mut genuine = rtcp(sealer);
        opener.open_rtcp(&mut genuine).map_err(|cause| cause.to_string()).map(drop)
    })
}

fn rtp(sealer: &mut Sealer, index: u64) -> Vec<u8> {
    let head = [0x80, 96, 0, 0, 0, 0, 0, 1];
    let mut packet = [&head[..], &SSRC, &[1; 20], &[0; MAX_RTP_OVERHEAD]].concat();
    let source = sealer.source(u32::from_be_bytes(SSRC)).expect("a source");
    let length = sealer.seal_rtp(source, &mut packet, 32, index).expect("a new index");
    packet.truncate(length);
    packet
}

fn rtcp(sealer: &mut Sealer) -> Vec<u8> {
    let mut packet = [&[0x80, 201, 0, 1][..], &SSRC, &[0; MAX_RTCP_OVERHEAD]].concat();
    let length = sealer.seal_rtcp(&mut packet, 8).expect("an index");
    packet.truncate(length);
    packet
}

fn seeds() -> Vec<Vec<u8>> {
    let of_profile = |(place, profile): (usize, Profile)| {
        let (_, mut sealer) = side(profile, Role::Client);
        let mut seeds: Vec<_> = (FIRST - 5..FIRST)
            .map(|index| [&[place as u8][..], &rtp(&mut sealer, index)].concat())
            .collect();
        // 129, 130 and 131 are 0, 1 and 2 of 3.
        seeds.push([&[129 + place as u8][..], &rtcp(&mut sealer)].concat());
        seeds
    };
    PROFILES.into_iter().enumerate().flat_map(of_profile).collect()
}

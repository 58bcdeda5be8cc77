//! What a handshake would have agreed on: keys, numbers of header extensions, payload types. Both sides
//! of an association find its keys by its name, which the answer tells.

use fastrand::Rng;
use tertulia_router_core::rtp::srtp::{Opener, Profile, Role, Sealer, contexts};
use tertulia_router_core::rtp::{ExtensionIds, ExtensionKind};

/// Payload types in offers of the simulator; those that repeat others are one greater.
pub(crate) const OPUS: u8 = 111;
pub(crate) const RED: u8 = 63;
pub(crate) const VP8: u8 = 96;
pub(crate) const VP9: u8 = 98;
pub(crate) const AV1: u8 = 45;

/// Sources of one association are bounded by the router; those who listen take all.
const ANY_NUMBER: usize = 1 << 20;

/// The payload type that repeats packets of this one.
pub(crate) const fn repair_of(payload_type: u8) -> u8 {
    payload_type + 1
}

/// What a payload type repeats.
pub(crate) const fn repaired_by(payload_type: u8) -> Option<u8> {
    match payload_type {
        97 => Some(VP8),
        99 => Some(VP9),
        46 => Some(AV1),
        _ => None,
    }
}

/// Of every line of everybody.
pub(crate) fn extensions() -> ExtensionIds {
    let mut ids = ExtensionIds::default();
    for (id, kind) in [
        (1, ExtensionKind::AudioLevel),
        (3, ExtensionKind::TransportSequence),
        (4, ExtensionKind::Mid),
        (10, ExtensionKind::Rid),
        (11, ExtensionKind::RepairedRid),
        (12, ExtensionKind::DependencyDescriptor),
    ] {
        ids.set(kind, id);
    }
    ids
}

/// The profile and the keying material of an association.
pub(crate) fn material(name: &str) -> (Profile, Vec<u8>) {
    let seed = name.bytes().fold(7_u64, |sum, byte| sum.wrapping_mul(31) + u64::from(byte));
    let mut rng = Rng::with_seed(seed);
    let profile = match rng.u8(..4) {
        0 => Profile::Aes128CmSha1_80,
        1 => Profile::AeadAes256Gcm,
        _ => Profile::AeadAes128Gcm,
    };
    (profile, (0..profile.keying_material()).map(|_| rng.u8(..)).collect())
}

/// What the peer of an association opens and seals with.
pub(crate) fn of_peer(name: &str) -> (Opener, Sealer) {
    let (profile, material) = material(name);
    contexts(profile, &material, Role::Client, ANY_NUMBER).expect("keys of the right length")
}

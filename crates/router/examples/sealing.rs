//! What sealing and opening cost beside the cryptography that is in them.
//!
//!     cargo run --release -p tertulia-router-core --example sealing -- [packet bytes]
//!
//! For each profile: nanoseconds of a packet that is sealed with its window and checks, of the same
//! packet sealed by the cryptographic library alone with the key kept, and of one that is opened. Best
//! of a hundred short rounds each, taken in turns.

use std::hint::black_box;
use std::io::Write as _;
use std::time::{Duration, Instant};

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_128, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;
use tertulia_router_core::rtp::Header;
use tertulia_router_core::rtp::srtp::{MAX_RTP_OVERHEAD, Profile, Role, contexts};

type Failure = Box<dyn std::error::Error>;

const HEADER: usize = 12;
const PACKETS: u64 = 5_000;
/// Packets that are sealed before they are opened, so that the clock is read rarely.
const BATCH: u64 = 100;
/// Short and many, as others disturb a measurement.
const ROUNDS: usize = 100;

fn main() -> Result<(), Failure> {
    let packet = match std::env::args().nth(1) {
        Some(word) => word.parse::<usize>()?.max(HEADER),
        None => 1_150,
    };
    let mut out = std::io::stdout();
    writeln!(out, "{packet} bytes, ns per packet: sealed by us, by the library, ratio; opened")?;
    for profile in [Profile::AeadAes128Gcm, Profile::AeadAes256Gcm, Profile::Aes128CmSha1_80] {
        let raw = Raw::new(profile)?;
        let (mut ours, mut theirs, mut opened) = (f64::MAX, f64::MAX, f64::MAX);
        for _ in 0..ROUNDS {
            ours = ours.min(seal(profile, packet)?);
            opened = opened.min(open(profile, packet)?);
            theirs = theirs.min(raw.time(packet)?);
        }
        let ratio = ours / theirs;
        writeln!(out, "{profile:?}: {ours:.0} {theirs:.0} {ratio:.2}; {opened:.0}")?;
    }
    Ok(())
}

/// Nanoseconds of sealing a packet.
fn seal(profile: Profile, packet: usize) -> Result<f64, Failure> {
    let (_, mut sealer) = contexts(profile, &vec![7; profile.keying_material()], Role::Client, 1)?;
    let source = sealer.source(0)?;
    let plain = plain(packet);
    let mut arena = vec![0; packet + MAX_RTP_OVERHEAD];
    let started = Instant::now();
    for index in 0..PACKETS {
        let (place, _) = arena.split_at_mut(packet);
        place.copy_from_slice(&plain);
        black_box(sealer.seal_rtp(source, &mut arena, packet, index)?);
    }
    Ok(started.elapsed().as_nanos() as f64 / PACKETS as f64)
}

/// Nanoseconds of reading the header of a packet and opening it.
fn open(profile: Profile, packet: usize) -> Result<f64, Failure> {
    let material = vec![7; profile.keying_material()];
    let (_, mut sealer) = contexts(profile, &material, Role::Client, 1)?;
    let (mut opener, _) = contexts(profile, &material, Role::Server, 1)?;
    let source = sealer.source(0)?;
    let mut batch = vec![vec![0; packet + MAX_RTP_OVERHEAD]; BATCH as usize];
    let plain = plain(packet);
    let mut elapsed = Duration::ZERO;
    for first in (0..PACKETS).step_by(BATCH as usize) {
        for (index, sealed) in (first..).zip(&mut batch) {
            sealed.resize(packet + MAX_RTP_OVERHEAD, 0);
            let (place, _) = sealed.split_at_mut(packet);
            place.copy_from_slice(&plain);
            let length = sealer.seal_rtp(source, sealed, packet, index)?;
            sealed.truncate(length);
        }
        let started = Instant::now();
        for sealed in &mut batch {
            let header = Header::parse(sealed)?;
            black_box(opener.open_rtp(sealed, &header)?);
        }
        elapsed += started.elapsed();
    }
    Ok(elapsed.as_nanos() as f64 / PACKETS as f64)
}

fn plain(packet: usize) -> Vec<u8> {
    let mut plain: Vec<u8> = (0..packet).map(|byte| byte as u8).collect();
    let (header, _) = plain.split_at_mut(HEADER);
    header.copy_from_slice(&[0x80, 96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    plain
}

/// The library's keys, and nothing around them.
enum Raw {
    Gcm(LessSafeKey),
    CounterMode(Box<(EncryptingKey, hmac::Key)>),
}

impl Raw {
    fn new(profile: Profile) -> Result<Self, Failure> {
        let gcm = |algorithm, key: &[u8]| {
            UnboundKey::new(algorithm, key).map(|key| Self::Gcm(LessSafeKey::new(key)))
        };
        let raw = match profile {
            Profile::AeadAes128Gcm => gcm(&AES_128_GCM, &[7; 16]),
            Profile::AeadAes256Gcm => gcm(&AES_256_GCM, &[7; 32]),
            Profile::Aes128CmSha1_80 => {
                UnboundCipherKey::new(&AES_128, &[7; 16]).and_then(EncryptingKey::ctr).map(|key| {
                    let authentication =
                        hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &[7; 20]);
                    Self::CounterMode(Box::new((key, authentication)))
                })
            }
        };
        Ok(raw.map_err(|_| "no key")?)
    }

    fn time(&self, packet: usize) -> Result<f64, Failure> {
        let plain = plain(packet);
        let mut arena = vec![0; packet + MAX_RTP_OVERHEAD];
        let started = Instant::now();
        for index in 0..PACKETS {
            let (place, tag) = arena.split_at_mut(packet);
            place.copy_from_slice(&plain);
            self.seal(place, tag, index).map_err(|_| "not sealed")?;
            black_box(&mut arena);
        }
        Ok(started.elapsed().as_nanos() as f64 / PACKETS as f64)
    }

    fn seal(&self, packet: &mut [u8], tag: &mut [u8], index: u64) -> Result<(), Unspecified> {
        match self {
            Self::Gcm(key) => {
                let (header, body) = packet.split_at_mut(HEADER);
                let mut nonce = [0; 12];
                let (_, low) = nonce.split_at_mut(4);
                low.copy_from_slice(&index.to_be_bytes());
                let nonce = Nonce::assume_unique_for_key(nonce);
                let made = key.seal_in_place_separate_tag(nonce, Aad::from(&*header), body)?;
                tag.copy_from_slice(made.as_ref());
            }
            Self::CounterMode(keys) => {
                let (key, authentication) = &**keys;
                let (_, body) = packet.split_at_mut(HEADER);
                let counter = (u128::from(index) << 16).to_be_bytes();
                let counter = EncryptionContext::Iv128(FixedLength::from(counter));
                key.less_safe_encrypt(body, counter)?;
                let made = hmac::sign(authentication, packet);
                for (target, byte) in tag.iter_mut().zip(made.as_ref()) {
                    *target = *byte;
                }
            }
        }
        Ok(())
    }
}

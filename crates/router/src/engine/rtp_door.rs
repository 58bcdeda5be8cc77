//! Which RTP packets may reach str0m: those of sources whose first packet proved its key.
//!
//! str0m assigns a new SSRC to a line, by the header extensions of its first packet, before it
//! verifies that packet; whoever forges the client's address could take a line away from the client.
//! So the first packet of every source is verified here. str0m then verifies it again like any other;
//! reading the same key twice harms nothing (writing with it would).

use std::time::{Duration, Instant};

use crate::statistics::DropCause;
use rustc_hash::FxHashSet;
use str0m::crypto::dtls::{KeyingMaterial, SrtpProfile};
use str0m::crypto::{
    AeadAes128Gcm, AeadAes128GcmCipher, AeadAes256Gcm, AeadAes256GcmCipher, Aes128CmSha1_80,
    CryptoProvider, SrtpProvider,
};

/// Sources of one transport: 16 streams of three encodings, each with audio, video and
/// retransmission, are 112. str0m remembers each for as long as the transport lives.
const SOURCES: u32 = 1024;
/// A client that starts streams all day gets one more per this time.
const SOURCE_INTERVAL: Duration = Duration::from_secs(10);

/// The sources of one transport.
#[derive(Debug, Default)]
pub(super) struct RtpDoor {
    known: FxHashSet<u32>,
    key: Option<ReceiveKey>,
    /// Since when the allowance of sources grows.
    opened_at: Option<Instant>,
    used: u32,
}

impl RtpDoor {
    /// The handshake is over; these are its keys, the client having been active in it.
    pub(super) fn open(
        &mut self,
        now: Instant,
        crypto: &CryptoProvider,
        keys: &KeyingMaterial,
        profile: SrtpProfile,
    ) {
        self.opened_at = Some(now);
        self.key = ReceiveKey::derive(crypto, keys, profile);
    }

    /// Decides on one RTP datagram.
    pub(super) fn check(&mut self, now: Instant, datagram: &[u8]) -> Result<(), DropCause> {
        let packet = Packet::parse(datagram).ok_or(DropCause::Malformed)?;
        if self.known.contains(&packet.ssrc) {
            return Ok(());
        }
        let key = self.key.as_mut().ok_or(DropCause::Refused)?;
        if !key.verifies(&packet) {
            return Err(DropCause::Refused);
        }
        let age = self.opened_at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        let grown = age.as_secs() / SOURCE_INTERVAL.as_secs();
        if u64::from(self.used) >= u64::from(SOURCES) + grown {
            return Err(DropCause::TooManySources);
        }
        self.used += 1;
        self.known.insert(packet.ssrc);
        Ok(())
    }
}

/// The parts of an SRTP packet (RFC 3711 section 3.1) that its verification needs.
struct Packet<'a> {
    whole: &'a [u8],
    header_length: usize,
    sequence_number: u16,
    ssrc: u32,
}

impl<'a> Packet<'a> {
    fn parse(whole: &'a [u8]) -> Option<Self> {
        let (header, rest) = whole.split_first_chunk::<12>()?;
        let [first, _, s0, s1, _, _, _, _, ssrc @ ..] = *header;
        let contributors = 4 * usize::from(first & 0x0f);
        let mut header_length = 12 + contributors;
        if first & 0x10 != 0 {
            let [_, _, l0, l1] = *rest.get(contributors..)?.first_chunk::<4>()?;
            header_length += 4 + 4 * usize::from(u16::from_be_bytes([l0, l1]));
        }
        (whole.len() > header_length).then_some(Self {
            whole,
            header_length,
            sequence_number: u16::from_be_bytes([s0, s1]),
            ssrc: u32::from_be_bytes(ssrc),
        })
    }
}

/// The session key for what comes in (RFC 3711 section 4.3, RFC 7714 section 11).
enum ReceiveKey {
    AesCm { authentication: [u8; Aes128CmSha1_80::HMAC_KEY_LEN], crypto: CryptoProvider },
    Gcm128 { salt: [u8; 12], cipher: Box<dyn AeadAes128GcmCipher>, scratch: Vec<u8> },
    Gcm256 { salt: [u8; 12], cipher: Box<dyn AeadAes256GcmCipher>, scratch: Vec<u8> },
}

impl std::fmt::Debug for ReceiveKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ReceiveKey")
    }
}

const LABEL_ENCRYPTION: u8 = 0;
const LABEL_AUTHENTICATION: u8 = 1;
const LABEL_SALT: u8 = 2;

impl ReceiveKey {
    fn derive(
        crypto: &CryptoProvider,
        keys: &KeyingMaterial,
        profile: SrtpProfile,
    ) -> Option<Self> {
        let srtp = crypto.srtp_provider;
        match profile {
            SrtpProfile::AES128_CM_SHA1_80 => {
                let master = Master::of_client(keys, 16, 14)?;
                Some(Self::AesCm {
                    authentication: master.derive(srtp, LABEL_AUTHENTICATION),
                    crypto: crypto.clone(),
                })
            }
            SrtpProfile::AEAD_AES_128_GCM => {
                let master = Master::of_client(keys, 16, 12)?;
                let key = master.derive(srtp, LABEL_ENCRYPTION);
                let cipher = srtp.aead_aes_128_gcm().create_cipher(key, false);
                let salt = master.derive(srtp, LABEL_SALT);
                Some(Self::Gcm128 { salt, cipher, scratch: Vec::new() })
            }
            SrtpProfile::AEAD_AES_256_GCM => {
                let master = Master::of_client(keys, 32, 12)?;
                let key = master.derive(srtp, LABEL_ENCRYPTION);
                let cipher = srtp.aead_aes_256_gcm().create_cipher(key, false);
                let salt = master.derive(srtp, LABEL_SALT);
                Some(Self::Gcm256 { salt, cipher, scratch: Vec::new() })
            }
            _ => None,
        }
    }

    /// A source begins with a rollover counter of 0 (RFC 3711 section 3.3.1).
    fn verifies(&mut self, packet: &Packet<'_>) -> bool {
        let (header, body) = packet.whole.split_at(packet.header_length);
        let (ssrc, number) = (packet.ssrc, packet.sequence_number);
        match self {
            Self::AesCm { authentication, crypto } => {
                let hmac = crypto.sha1_hmac_provider;
                body.len().checked_sub(Aes128CmSha1_80::HMAC_TAG_LEN).is_some_and(|end| {
                    let (covered, tag) = packet.whole.split_at(header.len() + end);
                    let sha1 = |key: &[u8], parts: &[&[u8]]| hmac.sha1_hmac(key, parts);
                    Aes128CmSha1_80::rtp_verify(sha1, authentication, covered, number.into(), tag)
                })
            }
            Self::Gcm128 { salt, cipher, scratch } => {
                let iv = AeadAes128Gcm::rtp_iv(*salt, ssrc, 0, number);
                body.len().checked_sub(AeadAes128Gcm::TAG_LEN).is_some_and(|plain| {
                    scratch.resize(plain, 0);
                    cipher.decrypt(&iv, &[header], body, scratch).is_ok()
                })
            }
            Self::Gcm256 { salt, cipher, scratch } => {
                let iv = AeadAes256Gcm::rtp_iv(*salt, ssrc, 0, number);
                body.len().checked_sub(AeadAes256Gcm::TAG_LEN).is_some_and(|plain| {
                    scratch.resize(plain, 0);
                    cipher.decrypt(&iv, &[header], body, scratch).is_ok()
                })
            }
        }
    }
}

/// A master key and salt.
struct Master<'a> {
    key: &'a [u8],
    salt: &'a [u8],
}

impl<'a> Master<'a> {
    /// Layout (RFC 5764 section 4.2): client key, server key, client salt, server salt.
    fn of_client(keys: &'a [u8], key_length: usize, salt_length: usize) -> Option<Self> {
        let (key, salts) = (keys.get(..key_length)?, keys.get(2 * key_length..)?);
        Some(Self { key, salt: salts.get(..salt_length)? })
    }

    /// AES in counter mode over label and salt (RFC 3711 section 4.3.3).
    fn derive<const N: usize>(&self, srtp: &dyn SrtpProvider, label: u8) -> [u8; N] {
        let mut input = [0; 16];
        for (target, byte) in input.iter_mut().zip(self.salt) {
            *target = *byte;
        }
        if let Some(target) = input.get_mut(7) {
            *target ^= label;
        }
        let mut derived = [0; N];
        for (round, target) in derived.chunks_mut(16).enumerate() {
            if let Some(counter) = input.get_mut(14..) {
                counter.copy_from_slice(&(round as u16).to_be_bytes());
            }
            let mut block = [0; 32];
            if self.key.len() == 32 {
                srtp.srtp_aes_256_ecb_round(self.key, &input, &mut block);
            } else {
                srtp.srtp_aes_128_ecb_round(self.key, &input, &mut block);
            }
            for (target, byte) in target.iter_mut().zip(block) {
                *target = byte;
            }
        }
        derived
    }
}

//! The transforms: what one packet becomes under one key. Which index may be used is decided elsewhere.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_128, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;

use super::keys::KeyError;

/// Bytes of an RTCP packet that stay readable (RFC 3711 section 3.4).
pub(super) const RTCP_HEAD: usize = 8;
/// Bytes of the word that carries the encryption flag and the SRTCP index.
const WORD: usize = 4;
/// The flag in it.
pub(super) const ENCRYPTED: u32 = 1 << 31;
const GCM_TAG: usize = 16;
const SHA1_TAG: usize = 10;

/// The packet is not what its tag says, or not long enough to have one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failed;

/// The session keys for RTP or for RTCP in one direction.
pub(super) enum Cipher {
    CounterMode(Box<CounterMode>),
    Gcm { key: LessSafeKey, salt: [u8; 12] },
}

/// Three times the size of the other.
pub(super) struct CounterMode {
    key: EncryptingKey,
    authentication: hmac::Key,
    salt: [u8; 14],
}

impl std::fmt::Debug for Cipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cipher")
    }
}

impl Cipher {
    pub(super) fn counter_mode(
        key: &[u8; 16],
        authentication: &[u8; 20],
        salt: [u8; 14],
    ) -> Result<Self, KeyError> {
        let key = UnboundCipherKey::new(&AES_128, key).and_then(EncryptingKey::ctr);
        let authentication = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, authentication);
        let key = key.map_err(|_| KeyError::Refused)?;
        Ok(Self::CounterMode(Box::new(CounterMode { key, authentication, salt })))
    }

    pub(super) fn gcm(key: &[u8], salt: [u8; 12]) -> Result<Self, KeyError> {
        let algorithm = if key.len() == 32 { &AES_256_GCM } else { &AES_128_GCM };
        let key = UnboundKey::new(algorithm, key).map_err(|_| KeyError::Refused)?;
        Ok(Self::Gcm { key: LessSafeKey::new(key), salt })
    }

    const fn tag(&self) -> usize {
        match self {
            Self::CounterMode(_) => SHA1_TAG,
            Self::Gcm { .. } => GCM_TAG,
        }
    }

    pub(super) const fn rtp_overhead(&self) -> usize {
        self.tag()
    }

    pub(super) const fn rtcp_overhead(&self) -> usize {
        self.tag() + WORD
    }

    /// Seals a buffer that ends with room for the tag and has `header` readable bytes.
    pub(super) fn seal_rtp(
        &self,
        buffer: &mut [u8],
        header: usize,
        ssrc: u32,
        index: u64,
    ) -> Result<(), Failed> {
        let length = buffer.len().checked_sub(self.tag()).ok_or(Failed)?;
        let (packet, tag) = buffer.split_at_mut_checked(length).ok_or(Failed)?;
        match self {
            Self::Gcm { key, salt } => {
                let (head, body) = packet.split_at_mut_checked(header).ok_or(Failed)?;
                // The tag goes to its place, and is not copied there.
                let (nonce, aad) = (gcm_rtp(salt, ssrc, index), Aad::from(&*head));
                key.seal_in_place_scatter(nonce, aad, body, &[], tag).map_err(|_| Failed)?;
            }
            Self::CounterMode(mode) => {
                let body = packet.get_mut(header..).ok_or(Failed)?;
                mode.crypt(ssrc, index, body)?;
                put_sha1(tag, &mode.sign(packet, &rollover(index)));
            }
        }
        Ok(())
    }

    /// Opens a whole packet and returns its length without the tag. If it fails, the bytes behind the
    /// header are undefined.
    pub(super) fn open_rtp(
        &self,
        packet: &mut [u8],
        header: usize,
        ssrc: u32,
        index: u64,
    ) -> Result<usize, Failed> {
        let length = packet.len().checked_sub(self.tag()).ok_or(Failed)?;
        match self {
            Self::Gcm { key, salt } => {
                let (head, body) = packet.split_at_mut_checked(header).ok_or(Failed)?;
                key.open_in_place(gcm_rtp(salt, ssrc, index), Aad::from(&*head), body)
                    .map_err(|_| Failed)?;
            }
            Self::CounterMode(mode) => {
                let (packet, tag) = packet.split_at_mut_checked(length).ok_or(Failed)?;
                verify_sha1(tag, &mode.sign(packet, &rollover(index)))?;
                mode.crypt(ssrc, index, packet.get_mut(header..).ok_or(Failed)?)?;
            }
        }
        Ok(length)
    }

    /// Seals a buffer that ends with room for tag and index.
    pub(super) fn seal_rtcp(&self, buffer: &mut [u8], ssrc: u32, index: u32) -> Result<(), Failed> {
        let length = buffer.len().checked_sub(self.rtcp_overhead()).ok_or(Failed)?;
        let word = (index | ENCRYPTED).to_be_bytes();
        match self {
            Self::Gcm { key, salt } => {
                let (packet, trailer) = buffer.split_at_mut_checked(length).ok_or(Failed)?;
                let (head, body) = packet.split_first_chunk_mut().ok_or(Failed)?;
                let (nonce, aad) = (gcm_rtcp(salt, ssrc, index), Aad::from(rtcp_aad(*head, word)));
                let made = key.seal_in_place_separate_tag(nonce, aad, body).map_err(|_| Failed)?;
                let (tag, end) = trailer.split_at_mut_checked(GCM_TAG).ok_or(Failed)?;
                tag.copy_from_slice(made.as_ref());
                end.copy_from_slice(&word);
            }
            Self::CounterMode(mode) => {
                let (covered, tag) = buffer.split_at_mut_checked(length + WORD).ok_or(Failed)?;
                let (packet, end) = covered.split_at_mut_checked(length).ok_or(Failed)?;
                let body = packet.get_mut(RTCP_HEAD..).ok_or(Failed)?;
                mode.crypt(ssrc, index.into(), body)?;
                end.copy_from_slice(&word);
                put_sha1(tag, &mode.sign(covered, &[]));
            }
        }
        Ok(())
    }

    /// The word with flag and index of a packet; not authentic yet.
    pub(super) fn rtcp_word(&self, packet: &[u8]) -> Result<u32, Failed> {
        let length = packet.len().checked_sub(self.rtcp_overhead()).ok_or(Failed)?;
        let at = match self {
            Self::Gcm { .. } => length + GCM_TAG,
            Self::CounterMode(_) => length,
        };
        let word = packet.get(at..).and_then(<[u8]>::first_chunk).ok_or(Failed)?;
        Ok(u32::from_be_bytes(*word))
    }

    /// Opens a whole packet and returns its length without tag and index. If it fails, the bytes behind
    /// the first eight are undefined.
    pub(super) fn open_rtcp(
        &self,
        packet: &mut [u8],
        ssrc: u32,
        index: u32,
    ) -> Result<usize, Failed> {
        let length = packet.len().checked_sub(self.rtcp_overhead()).ok_or(Failed)?;
        match self {
            Self::Gcm { key, salt } => {
                let sealed = packet.get_mut(..length + GCM_TAG).ok_or(Failed)?;
                let (head, body) = sealed.split_first_chunk_mut().ok_or(Failed)?;
                let aad = Aad::from(rtcp_aad(*head, (index | ENCRYPTED).to_be_bytes()));
                key.open_in_place(gcm_rtcp(salt, ssrc, index), aad, body).map_err(|_| Failed)?;
            }
            Self::CounterMode(mode) => {
                let (covered, tag) = packet.split_at_mut_checked(length + WORD).ok_or(Failed)?;
                verify_sha1(tag, &mode.sign(covered, &[]))?;
                let body = covered.get_mut(RTCP_HEAD..length).ok_or(Failed)?;
                mode.crypt(ssrc, index.into(), body)?;
            }
        }
        Ok(length)
    }
}

/// The upper 32 bits of an index: the rollover counter, which is authenticated and not sent.
fn rollover(index: u64) -> [u8; 4] {
    ((index >> 16) as u32).to_be_bytes()
}

impl CounterMode {
    /// AES in counter mode (RFC 3711 section 4.1.1), the same in both directions.
    fn crypt(&self, ssrc: u32, index: u64, body: &mut [u8]) -> Result<(), Failed> {
        let mut salted = [0; 16];
        let (start, _) = salted.split_at_mut(14);
        start.copy_from_slice(&self.salt);
        let salted = u128::from_be_bytes(salted);
        let counter = salted ^ u128::from(ssrc) << 64 ^ u128::from(index) << 16;
        let counter = EncryptionContext::Iv128(FixedLength::from(counter.to_be_bytes()));
        self.key.less_safe_encrypt(body, counter).map_err(|_| Failed)?;
        Ok(())
    }

    fn sign(&self, covered: &[u8], behind: &[u8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.authentication);
        context.update(covered);
        context.update(behind);
        context.sign()
    }
}

/// Only the first 80 of its 160 bits are sent.
fn put_sha1(target: &mut [u8], tag: &hmac::Tag) {
    for (target, byte) in target.iter_mut().zip(tag.as_ref()) {
        *target = *byte;
    }
}

fn verify_sha1(tag: &[u8], made: &hmac::Tag) -> Result<(), Failed> {
    let made = made.as_ref().get(..SHA1_TAG).ok_or(Failed)?;
    verify_slices_are_equal(made, tag).map_err(|_| Failed)
}

/// Two bytes of zero, the SSRC and the index of 48 bits, under the salt (RFC 7714 section 8.1).
fn gcm_rtp(salt: &[u8; 12], ssrc: u32, index: u64) -> Nonce {
    nonce(salt, u128::from(ssrc) << 48 | u128::from(index))
}

/// Two bytes of zero, the SSRC, two more and the index of 31 bits, under the salt (section 9.1).
fn gcm_rtcp(salt: &[u8; 12], ssrc: u32, index: u32) -> Nonce {
    nonce(salt, u128::from(ssrc) << 48 | u128::from(index))
}

fn nonce(salt: &[u8; 12], value: u128) -> Nonce {
    let [_, _, _, _, value @ ..] = value.to_be_bytes();
    let mut nonce = *salt;
    for (target, byte) in nonce.iter_mut().zip(value) {
        *target ^= byte;
    }
    Nonce::assume_unique_for_key(nonce)
}

/// What is authenticated and not encrypted (RFC 7714 section 9.2).
fn rtcp_aad(head: [u8; RTCP_HEAD], word: [u8; WORD]) -> [u8; RTCP_HEAD + WORD] {
    let mut aad = [0; RTCP_HEAD + WORD];
    let (start, end) = aad.split_at_mut(RTCP_HEAD);
    start.copy_from_slice(&head);
    end.copy_from_slice(&word);
    aad
}

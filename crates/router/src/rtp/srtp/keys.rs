//! Profiles, and session keys from what a DTLS handshake exports.

use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use thiserror::Error;

use super::cipher::Cipher;
use super::{Opener, Sealer};

/// Protection profile (RFC 5764 section 4.1.2, RFC 7714 section 14.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// AES in counter mode and HMAC-SHA1 of 80 bits.
    Aes128CmSha1_80,
    /// AES-GCM with keys of 128 bits.
    AeadAes128Gcm,
    /// AES-GCM with keys of 256 bits.
    AeadAes256Gcm,
}

impl Profile {
    /// Bytes that sealing adds to an RTP packet.
    #[must_use]
    pub const fn rtp_overhead(self) -> usize {
        match self {
            Self::Aes128CmSha1_80 => 10,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 16,
        }
    }

    /// Bytes that sealing adds to an RTCP packet.
    #[must_use]
    pub const fn rtcp_overhead(self) -> usize {
        self.rtp_overhead() + 4
    }

    /// Bytes of the keying material that is exported for it.
    #[must_use]
    pub const fn keying_material(self) -> usize {
        2 * (self.key() + self.salt())
    }

    const fn key(self) -> usize {
        match self {
            Self::Aes128CmSha1_80 | Self::AeadAes128Gcm => 16,
            Self::AeadAes256Gcm => 32,
        }
    }

    const fn salt(self) -> usize {
        match self {
            Self::Aes128CmSha1_80 => 14,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 12,
        }
    }
}

/// Which side of the DTLS handshake this one was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It said hello first.
    Client,
    /// It answered.
    Server,
}

/// The keying material cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// It has another length than the profile has.
    #[error("the keying material has another length than the profile says")]
    Length,
    /// The cryptographic library does not take a key.
    #[error("a session key was not accepted")]
    Refused,
}

/// Both contexts of one association. Call it once for each handshake: a second sealer of the same
/// keys would use its indices again.
///
/// `keying_material` is laid out as RFC 5764 section 4.2 has it: client key, server key, client salt,
/// server salt. `max_sources` bounds the sources that may come in, see [`Opener::set_max_sources`].
///
/// # Errors
/// See [`KeyError`].
pub fn contexts(
    profile: Profile,
    keying_material: &[u8],
    role: Role,
    max_sources: usize,
) -> Result<(Opener, Sealer), KeyError> {
    if keying_material.len() != profile.keying_material() {
        return Err(KeyError::Length);
    }
    let (keys, salts) = keying_material.split_at(2 * profile.key());
    let (client_key, server_key) = keys.split_at(profile.key());
    let (client_salt, server_salt) = salts.split_at(profile.salt());
    let client = Master { key: client_key, salt: client_salt };
    let server = Master { key: server_key, salt: server_salt };
    let (local, remote) = match role {
        Role::Client => (client, server),
        Role::Server => (server, client),
    };
    let opener = Opener::new(remote.rtp(profile)?, remote.rtcp(profile)?, max_sources);
    let sealer = Sealer::new(local.rtp(profile)?, local.rtcp(profile)?);
    Ok((opener, sealer))
}

/// A master key and salt.
pub(super) struct Master<'a> {
    pub(super) key: &'a [u8],
    pub(super) salt: &'a [u8],
}

impl Master<'_> {
    pub(super) fn rtp(&self, profile: Profile) -> Result<Cipher, KeyError> {
        self.cipher(profile, [0, 1, 2])
    }

    pub(super) fn rtcp(&self, profile: Profile) -> Result<Cipher, KeyError> {
        self.cipher(profile, [3, 4, 5])
    }

    /// Labels (RFC 3711 section 4.3.2): encryption, authentication, salt.
    fn cipher(&self, profile: Profile, labels: [u8; 3]) -> Result<Cipher, KeyError> {
        let [encryption, authentication, salt] = labels;
        match profile {
            Profile::Aes128CmSha1_80 => Cipher::counter_mode(
                &self.derive::<16>(encryption)?,
                &self.derive::<20>(authentication)?,
                self.derive(salt)?,
            ),
            Profile::AeadAes128Gcm => {
                Cipher::gcm(&self.derive::<16>(encryption)?, self.derive(salt)?)
            }
            Profile::AeadAes256Gcm => {
                Cipher::gcm(&self.derive::<32>(encryption)?, self.derive(salt)?)
            }
        }
    }

    /// AES in counter mode over label and salt (RFC 3711 section 4.3.3, RFC 6188 for 256 bits).
    pub(super) fn derive<const N: usize>(&self, label: u8) -> Result<[u8; N], KeyError> {
        let algorithm = if self.key.len() == 32 { &AES_256 } else { &AES_128 };
        let mut block = [0; 16];
        for (target, byte) in block.iter_mut().zip(self.salt) {
            *target = *byte;
        }
        let [_, _, _, _, _, _, _, target, ..] = &mut block;
        *target ^= label;
        let mut derived = [0; N];
        UnboundCipherKey::new(algorithm, self.key)
            .and_then(EncryptingKey::ctr)
            .and_then(|key| {
                let start = EncryptionContext::Iv128(FixedLength::from(block));
                key.less_safe_encrypt(&mut derived, start)
            })
            .map_err(|_| KeyError::Refused)?;
        Ok(derived)
    }
}

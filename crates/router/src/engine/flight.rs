//! The client's second flight of a DTLS handshake, checked as a whole before the library sees it.
//!
//! Certificate, key exchange and signature come without encryption, and a forged key exchange would
//! spoil a handshake for good. The signature covers everything before it (RFC 5246 section 7.4.8) and
//! only the owner of the certificate that the offer named can make it. So a key exchange is held until
//! a signature fits.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use dimpl::crypto::{HashAlgorithm, SignatureAlgorithm, aws_lc_rs};

use super::records::{Handshake, Record, record_of, records};

/// Different key exchanges that wait for a signature, the oldest forgotten first.
const MAX_EXCHANGES: usize = 4;
/// Signatures that are verified at once; a verification costs 0.1 ms.
const VERIFICATIONS: u32 = 50;
/// Then one per this time.
const VERIFICATION_INTERVAL: Duration = Duration::from_millis(5);
/// Bytes of one message that came in pieces; a `ClientHello` with the largest keys has 2 KB.
const MAX_MESSAGE_BYTES: usize = 4096;
/// Of a `ClientHello` or a message of ours.
const MAX_PIECES: usize = 8;

/// What a client is expected to say after the server's flight.
#[derive(Debug)]
pub(super) struct Flight {
    /// Of the certificate that is expected; `None` if the offer used another function than SHA-256.
    fingerprint: Option<[u8; 32]>,
    hello: Pieces,
    /// What the library said, by message.
    ours: BTreeMap<u16, Pieces>,
    certificate: Option<Vec<u8>>,
    exchanges: VecDeque<Vec<u8>>,
    is_signed: bool,
    allowance: Allowance,
}

impl Flight {
    pub(super) fn new(fingerprint: Option<[u8; 32]>) -> Self {
        Self {
            fingerprint,
            hello: Pieces::default(),
            ours: BTreeMap::new(),
            certificate: None,
            exchanges: VecDeque::new(),
            is_signed: false,
            allowance: Allowance { left: VERIFICATIONS, at: None },
        }
    }

    /// The library sends this. Its cookie request, which it says again while half of the client's answer
    /// is there, is no part of what is signed (RFC 6347 section 4.2.1).
    pub(super) fn note_ours(&mut self, datagram: &[u8]) {
        let messages = records(datagram).into_iter().flatten().filter_map(|r| r.handshakes());
        for message in messages.flatten().filter(|m| m.kind != Handshake::HELLO_VERIFY_REQUEST) {
            self.ours.entry(message.message_seq).or_default().add(&message);
        }
    }

    /// What of a client's datagram the library may see; `None` if nothing of it has a place.
    /// Something that waits for a signature is an empty datagram.
    pub(super) fn sift(
        &mut self,
        now: Option<Instant>,
        records: &[Record<'_>],
        cookie: &[u8],
    ) -> Option<Vec<u8>> {
        let mut passed = Vec::new();
        let mut is_any_in_place = false;
        for record in records {
            let Some(messages) = record.handshakes() else {
                if self.is_signed && (record.epoch == 1 || record.is_cipher_change()) {
                    passed.extend_from_slice(record.raw);
                    is_any_in_place = true;
                }
                continue;
            };
            for message in messages {
                is_any_in_place |= self.take(now, record, &message, cookie, &mut passed);
            }
        }
        is_any_in_place.then_some(passed)
    }

    /// Returns whether the message may be the client's.
    fn take(
        &mut self,
        now: Option<Instant>,
        record: &Record<'_>,
        message: &Handshake<'_>,
        cookie: &[u8],
        passed: &mut Vec<u8>,
    ) -> bool {
        let mut pass = |raw: &[u8]| passed.extend(record_of(record, raw));
        match (message.kind, message.message_seq) {
            (Handshake::CLIENT_HELLO, 1) => {
                let is_first = message.fragment_offset == 0;
                let is_known = !is_first || message.cookie() == Some(cookie);
                let fits = is_known && self.hello.add(message);
                if fits {
                    pass(message.raw);
                }
                fits
            }
            // Said again because something was lost: the library has these already.
            (2..=u8::MAX, 2..=4) if self.is_signed => true,
            (Handshake::CERTIFICATE, 2) => {
                let digest = message.certificate_digest();
                let is_expected = match self.fingerprint {
                    Some(expected) => digest == Some(expected),
                    None => digest.is_some(),
                };
                if is_expected && self.certificate.is_none() {
                    self.certificate = Some(message.raw.to_vec());
                    pass(message.raw);
                }
                is_expected
            }
            (Handshake::CLIENT_KEY_EXCHANGE, 3) if message.is_whole() => {
                if !self.exchanges.iter().any(|known| known == message.raw) {
                    self.exchanges.push_back(message.raw.to_vec());
                    if self.exchanges.len() > MAX_EXCHANGES {
                        self.exchanges.pop_front();
                    }
                }
                true
            }
            (Handshake::CERTIFICATE_VERIFY, 4) if message.is_whole() => {
                let Some(exchange) = self.signed_exchange(now, message) else {
                    return false;
                };
                self.is_signed = true;
                pass(&exchange);
                pass(message.raw);
                true
            }
            _ => false,
        }
    }

    /// The key exchange that this signature is of, the newest first: it mostly comes in one datagram
    /// with its signature.
    fn signed_exchange(
        &mut self,
        now: Option<Instant>,
        message: &Handshake<'_>,
    ) -> Option<Vec<u8>> {
        let certificate = self.certificate.as_ref()?;
        let mut signed = self.hello.message()?;
        for ours in self.ours.values() {
            signed.extend(ours.message()?);
        }
        signed.extend_from_slice(certificate);
        // Lengths of list and certificate, 3 each, after the header.
        let certificate = certificate.get(12..).and_then(Handshake::first_certificate)?;
        let (algorithms, signature) = message.body.split_first_chunk::<4>()?;
        let [hash, kind, ..] = *algorithms;
        let (hash, kind) = (HashAlgorithm::from_u8(hash), SignatureAlgorithm::from_u8(kind));
        let verifier = aws_lc_rs::default_provider().signature_verification;
        self.exchanges
            .iter()
            .rev()
            .find(|exchange| {
                let data = [signed.as_slice(), exchange].concat();
                self.allowance.take(now)
                    && verifier.verify_signature(certificate, &data, signature, hash, kind).is_ok()
            })
            .cloned()
    }
}

/// How many signatures may be verified.
#[derive(Debug)]
struct Allowance {
    left: u32,
    at: Option<Instant>,
}

impl Allowance {
    fn take(&mut self, now: Option<Instant>) -> bool {
        if let (Some(at), Some(now)) = (self.at, now) {
            let elapsed = now.saturating_duration_since(at).as_micros();
            let grown = elapsed / VERIFICATION_INTERVAL.as_micros();
            if grown > 0 {
                self.left = (u128::from(self.left) + grown).min(VERIFICATIONS.into()) as u32;
                self.at = Some(now);
            }
        } else {
            self.at = now;
        }
        let is_left = self.left > 0;
        self.left -= u32::from(is_left);
        is_left
    }
}

/// One message, whole or in pieces.
#[derive(Debug, Default)]
struct Pieces {
    header: [u8; 12],
    /// By offset.
    bodies: BTreeMap<u32, Vec<u8>>,
}

impl Pieces {
    /// Returns whether there is room for it.
    fn add(&mut self, piece: &Handshake<'_>) -> bool {
        if self.bodies.contains_key(&piece.fragment_offset) {
            return true;
        }
        let size: usize = self.bodies.values().map(Vec::len).sum();
        if self.bodies.len() >= MAX_PIECES || size + piece.body.len() > MAX_MESSAGE_BYTES {
            return false;
        }
        if let Some(header) = piece.raw.first_chunk::<12>() {
            self.header = *header;
        }
        self.bodies.insert(piece.fragment_offset, piece.body.to_vec());
        true
    }

    /// As it is signed: in one piece (RFC 6347 section 4.2.6).
    fn message(&self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        for (offset, piece) in &self.bodies {
            if usize::try_from(*offset) != Ok(body.len()) {
                return None;
            }
            body.extend_from_slice(piece);
        }
        let [kind, l0, l1, l2, s0, s1, ..] = self.header;
        if u32::try_from(body.len()) != Ok(u32::from_be_bytes([0, l0, l1, l2])) {
            return None;
        }
        let mut message = vec![kind, l0, l1, l2, s0, s1, 0, 0, 0, l0, l1, l2];
        message.append(&mut body);
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A handshake message in a record of its own.
    fn message(kind: u8, number: u8) -> Vec<u8> {
        let body = [7; 20];
        let mut datagram = vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12 + 20];
        datagram.extend([kind, 0, 0, 20, 0, number, 0, 0, 0, 0, 0, 20]);
        datagram.extend(body);
        datagram
    }

    #[test]
    fn a_cookie_request_that_is_said_again_is_no_part_of_what_is_signed() {
        const SERVER_HELLO: u8 = 2;
        let mut flight = Flight::new(None);
        flight.note_ours(&message(Handshake::HELLO_VERIFY_REQUEST, 0));
        flight.note_ours(&message(SERVER_HELLO, 1));
        assert_eq!(flight.ours.keys().copied().collect::<Vec<_>>(), [1]);
    }
}

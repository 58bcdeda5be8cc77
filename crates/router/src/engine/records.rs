//! Reading the outside of DTLS 1.2 (RFC 6347 sections 4.1 and 4.2.2), as far as the doorkeeper needs.

/// Records that one datagram may have; the handshake library takes no more.
const MAX_RECORDS: usize = 8;

const HEADER_BYTES: usize = 13;

/// One record. Layout: type 1, version 2, epoch 2, sequence number 6, length 2, then the fragment;
/// all big-endian.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    pub(super) raw: &'a [u8],
    kind: u8,
    pub(super) epoch: u16,
    fragment: &'a [u8],
}

/// All records of a datagram, at least one; `None` if it is not wholly DTLS 1.2 of this or the coming epoch.
pub(super) fn records(mut datagram: &[u8]) -> Option<Vec<Record<'_>>> {
    let mut found = Vec::with_capacity(4);
    while let Some((header, rest)) = datagram.split_first_chunk::<HEADER_BYTES>() {
        let [kind, major, _, e0, e1, .., l0, l1] = *header;
        let (epoch, length) = (u16::from_be_bytes([e0, e1]), u16::from_be_bytes([l0, l1]));
        let fragment = rest.get(..usize::from(length))?;
        if !(20..=23).contains(&kind) || major != 0xfe || epoch > 1 || fragment.is_empty() {
            return None;
        }
        let raw = datagram.get(..HEADER_BYTES + fragment.len())?;
        found.push(Record { raw, kind, epoch, fragment });
        if found.len() > MAX_RECORDS {
            return None;
        }
        datagram = rest.get(usize::from(length)..)?;
    }
    (datagram.is_empty() && !found.is_empty()).then_some(found)
}

/// A record like this one with another fragment.
pub(super) fn record_of(record: &Record<'_>, fragment: &[u8]) -> Vec<u8> {
    let mut bytes = record.raw.get(..HEADER_BYTES - 2).unwrap_or_default().to_vec();
    bytes.extend_from_slice(&(fragment.len() as u16).to_be_bytes());
    bytes.extend_from_slice(fragment);
    bytes
}

impl<'a> Record<'a> {
    pub(super) fn is_cipher_change(&self) -> bool {
        self.epoch == 0 && self.kind == 20 && self.fragment == [1]
    }

    pub(super) fn is_handshake(&self) -> bool {
        self.epoch == 0 && self.kind == 22
    }

    /// The messages of a handshake record without encryption; `None` if it is something else or
    /// malformed.
    pub(super) fn handshakes(&self) -> Option<Vec<Handshake<'a>>> {
        if !self.is_handshake() {
            return None;
        }
        let (mut messages, mut rest) = (Vec::with_capacity(1), self.fragment);
        while !rest.is_empty() {
            let (message, after) = Handshake::parse(rest)?;
            messages.push(message);
            rest = after;
        }
        Some(messages)
    }
}

/// A handshake message or a piece of one. Layout: type 1, length 3, message sequence 2, fragment
/// offset 3, fragment length 3, then the fragment; all big-endian.
#[derive(Debug, Clone, Copy)]
pub(super) struct Handshake<'a> {
    /// Header and body.
    pub(super) raw: &'a [u8],
    pub(super) kind: u8,
    length: u32,
    pub(super) message_seq: u16,
    pub(super) fragment_offset: u32,
    pub(super) body: &'a [u8],
}

impl<'a> Handshake<'a> {
    pub(super) const CLIENT_HELLO: u8 = 1;
    pub(super) const HELLO_VERIFY_REQUEST: u8 = 3;
    pub(super) const CERTIFICATE: u8 = 11;
    pub(super) const CERTIFICATE_VERIFY: u8 = 15;
    pub(super) const CLIENT_KEY_EXCHANGE: u8 = 16;

    fn parse(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (header, rest) = bytes.split_first_chunk::<12>()?;
        let [kind, l0, l1, l2, s0, s1, o0, o1, o2, f0, f1, f2] = *header;
        let length = u32::from_be_bytes([0, l0, l1, l2]);
        let fragment_offset = u32::from_be_bytes([0, o0, o1, o2]);
        let fragment_length = u32::from_be_bytes([0, f0, f1, f2]);
        let fits = fragment_offset.checked_add(fragment_length)? <= length;
        let body = rest.get(..usize::try_from(fragment_length).ok()?).filter(|_| fits)?;
        let message_seq = u16::from_be_bytes([s0, s1]);
        let raw = bytes.get(..12 + body.len())?;
        let message = Self { raw, kind, length, message_seq, fragment_offset, body };
        Some((message, rest.get(body.len()..)?))
    }

    pub(super) fn is_whole(&self) -> bool {
        u32::try_from(self.body.len()) == Ok(self.length)
    }

    /// The cookie of a `ClientHello` (or of its first piece): version 2, random 32, session id with a length of 1,
    /// cookie with a length of 1.
    pub(super) fn cookie(&self) -> Option<&'a [u8]> {
        let (session, rest) = self.body.get(34..)?.split_first()?;
        let (cookie, rest) = rest.get(usize::from(*session)..)?.split_first()?;
        rest.get(..usize::from(*cookie))
    }

    /// SHA-256 of the first certificate of a whole message.
    pub(super) fn certificate_digest(&self) -> Option<[u8; 32]> {
        let certificate = Self::first_certificate(self.body).filter(|_| self.is_whole())?;
        Some(str0m::crypto::from_feature_flags().sha256_provider.sha256(certificate))
    }

    /// Of the body of a certificate message: list length 3, certificate length 3, certificate.
    pub(super) fn first_certificate(body: &[u8]) -> Option<&[u8]> {
        let (lengths, rest) = body.split_first_chunk::<6>()?;
        let [_, _, _, c0, c1, c2] = *lengths;
        rest.get(..usize::try_from(u32::from_be_bytes([0, c0, c1, c2])).ok()?)
    }
}

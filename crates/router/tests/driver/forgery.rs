//! Datagrams that somebody writes who knows a client's address and nothing else.

/// A sequence of numbers that a seed determines (`splitmix64`).
#[derive(Debug, Clone)]
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0, below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }
}

/// One DTLS record.
pub fn record(kind: u8, epoch: u16, sequence: u64, fragment: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, 0xfe, 0xfd];
    bytes.extend(epoch.to_be_bytes());
    bytes.extend(&sequence.to_be_bytes()[2..]);
    bytes.extend((fragment.len() as u16).to_be_bytes());
    bytes.extend(fragment);
    bytes
}

/// One handshake message, whole.
pub fn handshake(kind: u8, message: u16, body: &[u8]) -> Vec<u8> {
    let length = &(body.len() as u32).to_be_bytes()[1..];
    let mut bytes = vec![kind];
    bytes.extend(length);
    bytes.extend(message.to_be_bytes());
    bytes.extend([0, 0, 0]);
    bytes.extend(length);
    bytes.extend(body);
    bytes
}

/// A `ClientHello` that any server would take, but for a version or a suite that is asked for.
pub fn hello(random: &[u8], cookie: &[u8], version: u16, suite: u16) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    body.extend(random);
    body.push(0);
    body.push(cookie.len() as u8);
    body.extend(cookie);
    body.extend([0, 2]);
    body.extend(suite.to_be_bytes());
    body.extend([1, 0]);
    // Groups (P-256), signatures (ECDSA with SHA-256), SRTP (GCM), extended master secret.
    let extensions: &[u8] = &[
        0, 10, 0, 4, 0, 2, 0, 23, 0, 13, 0, 4, 0, 2, 4, 3, 0, 14, 0, 5, 0, 2, 0, 7, 0, 0, 23, 0, 0,
    ];
    body.extend((extensions.len() as u16).to_be_bytes());
    body.extend(extensions);
    body
}

/// A STUN binding request for this user with an integrity that is a guess.
pub fn check(dice: &mut Dice, user: &str) -> Vec<u8> {
    let mut attributes = vec![0, 6, 0, user.len() as u8];
    attributes.extend(user.as_bytes());
    attributes.resize(attributes.len().next_multiple_of(4), 0);
    attributes.extend([0x00, 0x24, 0, 4, 0x7e, 0, 0, 1]);
    attributes.extend([0, 8, 0, 20]);
    attributes.extend(dice.bytes(20));
    let mut bytes = vec![0, 1];
    bytes.extend((attributes.len() as u16).to_be_bytes());
    bytes.extend([0x21, 0x12, 0xa4, 0x42]);
    bytes.extend(dice.bytes(12));
    bytes.extend(attributes);
    bytes
}

/// An RTP packet that claims to be of this line (extension 4 is the mid), as long as its tag would
/// make it.
pub fn rtp(dice: &mut Dice, payload_type: u8, ssrc: u32, mid: &str) -> Vec<u8> {
    let mut bytes = vec![0x90, payload_type];
    bytes.extend(dice.bytes(6));
    bytes.extend(ssrc.to_be_bytes());
    let mut extension = vec![0x40 | (mid.len() as u8 - 1)];
    extension.extend(mid.as_bytes());
    extension.resize(extension.len().next_multiple_of(4), 0);
    bytes.extend([0xbe, 0xde]);
    bytes.extend((extension.len() as u16 / 4).to_be_bytes());
    bytes.extend(extension);
    bytes.extend(dice.bytes(60));
    bytes
}

//! What receivers ask of senders (RFC 4585, RFC 5104), and goodbyes.

use super::{Malformed, split_u16, split_u32};

/// Entries of one NACK that are looked at, each up to 17 packets: more than half a second of video at
/// 40 Mbit/s.
pub(super) const MAX_NACK_ENTRIES: usize = 128;
/// Sources that one packet may name; more are ignored.
const MAX_SOURCES: usize = 31;

/// Packets that are missing (RFC 4585 section 6.2.1).
#[derive(Debug, Clone)]
pub struct Nack<'a> {
    /// Who asks.
    pub sender: u32,
    /// Packets of which source.
    pub media: u32,
    entries: &'a [u8],
}

impl<'a> Nack<'a> {
    pub(super) fn read(body: &'a [u8]) -> Result<Self, Malformed> {
        let (sender, rest) = split_u32(body)?;
        let (media, rest) = split_u32(rest)?;
        let end = rest.len().min(4 * MAX_NACK_ENTRIES);
        Ok(Self { sender, media, entries: rest.get(..end).ok_or(Malformed)? })
    }

    /// The sequence numbers, in the order of the packet.
    #[must_use]
    pub fn lost(&self) -> Lost<'a> {
        Lost { entries: self.entries, next: 0, mask: 0 }
    }
}

/// See [`Nack::lost`].
#[derive(Debug, Clone)]
pub struct Lost<'a> {
    entries: &'a [u8],
    /// Number that the lowest bit of the mask stands for.
    next: u16,
    mask: u32,
}

impl Iterator for Lost<'_> {
    type Item = u16;

    fn next(&mut self) -> Option<Self::Item> {
        if self.mask == 0 {
            let (first, rest) = split_u16(self.entries).ok()?;
            let (following, rest) = split_u16(rest).ok()?;
            self.entries = rest;
            self.next = first;
            self.mask = u32::from(following) << 1 | 1;
        }
        let skipped = self.mask.trailing_zeros();
        let number = self.next.wrapping_add(skipped as u16);
        self.mask = self.mask >> skipped >> 1;
        self.next = number.wrapping_add(1);
        Some(number)
    }
}

/// Decoders that need a key frame (RFC 5104 section 4.3.1): iterates over pairs of the source and the
/// number of the command, which a repetition has in common with what it repeats.
#[derive(Debug, Clone)]
pub struct FullIntra<'a> {
    /// Who asks.
    pub sender: u32,
    entries: &'a [u8],
}

impl<'a> FullIntra<'a> {
    pub(super) fn read(body: &'a [u8]) -> Result<Self, Malformed> {
        let (sender, rest) = split_u32(body)?;
        let (_, rest) = split_u32(rest)?;
        let end = rest.len().min(8 * MAX_SOURCES);
        Ok(Self { sender, entries: rest.get(..end).ok_or(Malformed)? })
    }
}

impl Iterator for FullIntra<'_> {
    type Item = (u32, u8);

    fn next(&mut self) -> Option<Self::Item> {
        let ([s0, s1, s2, s3, number, _, _, _], rest) = self.entries.split_first_chunk()?;
        self.entries = rest;
        Some((u32::from_be_bytes([*s0, *s1, *s2, *s3]), *number))
    }
}

/// How much a receiver takes altogether; iterates over the sources that it means.
#[derive(Debug, Clone)]
pub struct Bitrate<'a> {
    /// Who says so.
    pub sender: u32,
    /// In bit/s, saturating.
    pub bitrate_bps: u64,
    sources: &'a [u8],
}

impl<'a> Bitrate<'a> {
    pub(super) fn read(body: &'a [u8]) -> Result<Self, Malformed> {
        let (sender, rest) = split_u32(body)?;
        let (_, rest) = split_u32(rest)?;
        let ([b'R', b'E', b'M', b'B', count, high, m1, m0], rest) =
            rest.split_first_chunk().ok_or(Malformed)?
        else {
            return Err(Malformed);
        };
        let mantissa = u64::from(high & 3) << 16 | u64::from(*m1) << 8 | u64::from(*m0);
        let exponent = u32::from(high >> 2);
        let bitrate_bps = match mantissa {
            0 => 0,
            some if exponent <= some.leading_zeros() => some << exponent,
            _ => u64::MAX,
        };
        let end = rest.len().min(4 * usize::from(*count).min(MAX_SOURCES));
        Ok(Self { sender, bitrate_bps, sources: rest.get(..end).ok_or(Malformed)? })
    }
}

impl Iterator for Bitrate<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<Self::Item> {
        let (ssrc, rest) = split_u32(self.sources).ok()?;
        self.sources = rest;
        Some(ssrc)
    }
}

/// Sources that have ended (RFC 3550 section 6.6), at most 31: iterates over them.
#[derive(Debug, Clone)]
pub struct Goodbye<'a>(&'a [u8]);

impl<'a> Goodbye<'a> {
    pub(super) fn read(body: &'a [u8], count: u8) -> Result<Self, Malformed> {
        body.get(..4 * usize::from(count)).map(Self).ok_or(Malformed)
    }
}

impl Iterator for Goodbye<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<Self::Item> {
        let (ssrc, rest) = split_u32(self.0).ok()?;
        self.0 = rest;
        Some(ssrc)
    }
}

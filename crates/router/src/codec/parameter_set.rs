//! The picture size in an H.264 sequence parameter set (H.264 section 7.3.2.1.1).

use super::FrameSize;

/// Profiles whose sets say more of the colour format, and may hold scaling lists.
const WITH_CHROMA_FORMAT: [u32; 13] =
    [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];
/// Bytes that are looked at: the size stands within the first 100 even with all scaling lists.
const MAX_BYTES: usize = 256;

/// Reads the size of the visible picture from a set without its unit header; `None` if it is malformed.
pub(super) fn read_size(set: &[u8]) -> Option<FrameSize> {
    let mut bits = Bits::new(set);
    let profile = bits.take(8)?;
    bits.take(16)?;
    bits.number()?;
    let mut chroma_format = 1;
    if WITH_CHROMA_FORMAT.contains(&profile) {
        chroma_format = bits.number()?;
        if chroma_format == 3 && bits.flag()? {
            // Three planes that are coded like grey pictures.
            chroma_format = 0;
        }
        bits.number()?;
        bits.number()?;
        bits.take(1)?;
        if bits.flag()? {
            skip_scaling_lists(&mut bits, if chroma_format == 3 { 12 } else { 8 })?;
        }
    }
    skip_order_counts(&mut bits)?;
    bits.number()?;
    bits.take(1)?;
    let width_in_blocks = bits.number()?.checked_add(1)?;
    let height_in_units = bits.number()?.checked_add(1)?;
    let is_progressive = bits.flag()?;
    if !is_progressive {
        bits.take(1)?;
    }
    bits.take(1)?;
    let rows = if is_progressive { 1 } else { 2 };
    let (mut width, mut height) =
        (width_in_blocks.checked_mul(16)?, height_in_units.checked_mul(16 * rows)?);
    if bits.flag()? {
        let [left, right, top, bottom] =
            [bits.number()?, bits.number()?, bits.number()?, bits.number()?];
        let (across, down) = match chroma_format {
            1 => (2, 2),
            2 => (2, 1),
            _ => (1, 1),
        };
        width = width.checked_sub(left.checked_add(right)?.checked_mul(across)?)?;
        height = height.checked_sub(top.checked_add(bottom)?.checked_mul(down * rows)?)?;
    }
    FrameSize::new(u16::try_from(width).ok()?, u16::try_from(height).ok()?)
}

fn skip_scaling_lists(bits: &mut Bits<'_>, lists: u32) -> Option<()> {
    for list in 0..lists {
        if !bits.flag()? {
            continue;
        }
        let (mut last, mut next) = (8i64, 8i64);
        for _ in 0..if list < 6 { 16 } else { 64 } {
            if next != 0 {
                next = (last + i64::from(bits.signed()?)).rem_euclid(256);
            }
            last = if next == 0 { last } else { next };
        }
    }
    Some(())
}

fn skip_order_counts(bits: &mut Bits<'_>) -> Option<()> {
    bits.number()?;
    match bits.number()? {
        0 => {
            bits.number()?;
        }
        1 => {
            bits.take(1)?;
            bits.signed()?;
            bits.signed()?;
            for _ in 0..bits.number()?.min(255) {
                bits.signed()?;
            }
        }
        _ => {}
    }
    Some(())
}

/// Reads bits from the highest on, without the bytes of emulation prevention (section 7.4.1).
struct Bits<'a> {
    bytes: &'a [u8],
    next: usize,
    zeros: u8,
    byte: u8,
    left: u8,
}

impl<'a> Bits<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let bytes = bytes.get(..MAX_BYTES).unwrap_or(bytes);
        Self { bytes, next: 0, zeros: 0, byte: 0, left: 0 }
    }

    fn flag(&mut self) -> Option<bool> {
        if self.left == 0 {
            let mut byte = *self.bytes.get(self.next)?;
            if self.zeros >= 2 && byte == 3 {
                self.zeros = 0;
                self.next += 1;
                byte = *self.bytes.get(self.next)?;
            }
            self.next += 1;
            self.zeros = if byte == 0 { self.zeros + 1 } else { 0 };
            (self.byte, self.left) = (byte, 8);
        }
        self.left -= 1;
        Some(self.byte >> self.left & 1 == 1)
    }

    fn take(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            value = value << 1 | u32::from(self.flag()?);
        }
        Some(value)
    }

    /// An Exp-Golomb number (section 9.1); none above 16 bits has a place here.
    fn number(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 16 {
                return None;
            }
        }
        Some((1 << zeros) - 1 + self.take(zeros)?)
    }

    /// A signed one (section 9.1.1).
    fn signed(&mut self) -> Option<i32> {
        let number = i32::try_from(self.number()?).ok()?;
        Some(if number % 2 == 0 { -(number / 2) } else { number / 2 + 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Made by libx264 0.164 for these profiles and sizes.
    const BASELINE: &[u8] = &[
        0x42, 0xc0, 0x0d, 0xd9, 0x01, 0x41, 0x9f, 0x9e, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00,
        0x00, 0x03, 0x03, 0xc0, 0xf1, 0x42, 0xa4, 0x80,
    ];
    const HIGH: &[u8] = &[
        0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xba, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10,
        0x00, 0x00, 0x03, 0x03, 0xc0, 0xf1, 0x83, 0x19, 0x60,
    ];
    const MAIN: &[u8] = &[
        0x4d, 0x40, 0x28, 0xec, 0xa0, 0x3c, 0x01, 0x13, 0xf2, 0xc2, 0x00, 0x00, 0x03, 0x00, 0x02,
        0x00, 0x00, 0x03, 0x00, 0x78, 0x1e, 0x30, 0x63, 0x2c,
    ];

    #[test]
    fn sizes_that_an_encoder_wrote_are_read() {
        assert_eq!(read_size(BASELINE), FrameSize::new(320, 180));
        assert_eq!(read_size(HIGH), FrameSize::new(1280, 720));
        assert_eq!(read_size(MAIN), FrameSize::new(1920, 1080), "cropped from 1088 lines");
    }

    #[test]
    fn every_truncation_and_random_sets_are_harmless() {
        for len in 0..6 {
            assert_eq!(read_size(HIGH.get(..len).unwrap()), None);
        }
        for set in [[0; 300], [0xff; 300], [0x64; 300]] {
            let _ = read_size(&set);
        }
    }
}

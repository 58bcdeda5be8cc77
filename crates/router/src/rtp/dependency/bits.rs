//! Fields of any number of bits, the most significant first.

use crate::rtp::{Malformed, NoRoom};

/// Reads fields; nothing is read beyond the end.
#[derive(Debug, Clone)]
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bits were read.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// An unsigned number of `bits` bits, 0 to 32: f(n).
    pub(super) fn number(&mut self, bits: u32) -> Result<u32, Malformed> {
        let mut value = 0_u32;
        for _ in 0..bits {
            let byte = self.bytes.get(self.at / 8).ok_or(Malformed)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Ok(value)
    }

    pub(super) fn flag(&mut self) -> Result<bool, Malformed> {
        Ok(self.number(1)? == 1)
    }

    /// A number below `count`, which is at least 1, in as few bits as possible: ns(n).
    pub(super) fn below(&mut self, count: u32) -> Result<u32, Malformed> {
        let width = u32::BITS - count.leading_zeros();
        let short = (1 << width) - count;
        let value = self.number(width - 1)?;
        if value < short {
            return Ok(value);
        }
        Ok((value << 1) - short + self.number(1)?)
    }
}

/// Writes fields into a buffer of zeros.
#[derive(Debug)]
pub(super) struct BitWriter<'a> {
    bytes: &'a mut [u8],
    at: usize,
}

impl<'a> BitWriter<'a> {
    pub(super) fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The lower `bits` bits of a number, at most 32.
    pub(super) fn number(&mut self, bits: u32, value: u32) -> Result<(), NoRoom> {
        for place in (0..bits).rev() {
            let byte = self.bytes.get_mut(self.at / 8).ok_or(NoRoom)?;
            *byte |= ((value >> place & 1) as u8) << (7 - self.at % 8);
            self.at += 1;
        }
        Ok(())
    }

    /// Copies these bits of another buffer, as far as it has them.
    pub(super) fn copy(&mut self, from: &[u8], start: usize, end: usize) -> Result<(), NoRoom> {
        for at in start..end.min(from.len() * 8) {
            let byte = from.get(at / 8).copied().unwrap_or_default();
            self.number(1, u32::from(byte >> (7 - at % 8) & 1))?;
        }
        Ok(())
    }

    /// Bytes that were begun.
    pub(super) fn length(&self) -> usize {
        self.at.div_ceil(8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_were_written_and_never_beyond_the_end() {
        let mut bytes = [0; 4];
        let mut writer = BitWriter::new(&mut bytes);
        for (bits, value) in [(1, 1), (6, 0x2a), (16, 0xbeef), (5, 3)] {
            writer.number(bits, value).unwrap();
        }
        assert_eq!(writer.length(), 4);
        let mut reader = BitReader::new(&bytes);
        assert_eq!(reader.number(1), Ok(1));
        assert_eq!(reader.number(6), Ok(0x2a));
        assert_eq!(reader.number(16), Ok(0xbeef));
        assert_eq!(reader.number(5), Ok(3));
        assert_eq!(reader.position(), 28);
        assert_eq!(reader.number(5), Err(Malformed));
    }

    #[test]
    fn numbers_below_a_bound_take_as_few_bits_as_possible() {
        // Of 5 values the first three take two bits, the others three (AV1 specification, 4.10.7).
        let read = |byte: u8| {
            let bytes = [byte];
            let mut reader = BitReader::new(&bytes);
            (reader.below(5).unwrap(), reader.position())
        };
        assert_eq!(read(0b0000_0000), (0, 2));
        assert_eq!(read(0b1000_0000), (2, 2));
        assert_eq!(read(0b1100_0000), (3, 3));
        assert_eq!(read(0b1110_0000), (4, 3));
        assert_eq!(BitReader::new(&[]).below(1), Ok(0), "there is nothing to choose from");
    }
}

//! Redundant audio (RFC 2198): a packet that repeats what packets before it carried.
//!
//! Layout: a header of 4 bytes for each repeated block (flag 1, payload type 7 bits, timestamp offset
//! 14, length 10), one of 1 byte for the newest, then the blocks in the same order.
//!
//! **Sequence numbers.** A packet has one sequence number and one newest block. Senders repeat the
//! blocks of the packets just before it, without leaving one out, the oldest first: the block that
//! stands `distance` places before the newest is what the packet with a sequence number lower by
//! `distance` carried. So a receiver without RED is given the newest block as an ordinary packet, and,
//! before it, the blocks of those packets that have not come, each with its own number and timestamp.
//! If such a packet comes after all, its number is used and it is dropped.

use super::{Malformed, NoRoom};

/// Blocks that one packet may have, the newest included; browsers send 2 or 3.
pub const MAX_BLOCKS: usize = 10;

const REPEATED: u8 = 0x80;

/// One block of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block<'a> {
    /// Of the codec in it, 0 to 127.
    pub payload_type: u8,
    /// How many places before the newest it stands, which has 0.
    pub distance: u8,
    /// What its timestamp is lower than the packet's, below 16,384.
    pub timestamp_offset: u16,
    /// Where its payload begins in the packet's.
    pub start: usize,
    /// What the packet that it repeats carried; may be empty.
    pub payload: &'a [u8],
}

/// The blocks of a packet, oldest first, so the newest is the last. Everything is known to be whole.
#[derive(Debug, Clone)]
pub struct Blocks<'a> {
    headers: &'a [u8],
    contents: &'a [u8],
    /// Where the contents begin in the packet's payload.
    start: usize,
    left: u8,
}

/// Reads the payload of a packet.
///
/// # Errors
/// [`Malformed`] if it does not contain what its headers say, or more than [`MAX_BLOCKS`] blocks.
pub fn blocks(payload: &[u8]) -> Result<Blocks<'_>, Malformed> {
    let (mut rest, mut repeated, mut count) = (payload, 0, 1);
    loop {
        match rest {
            [first, ..] if first & REPEATED == 0 => break,
            [_, _, l0, l1, behind @ ..] if count < MAX_BLOCKS => {
                repeated += block_length(*l0, *l1);
                rest = behind;
                count += 1;
            }
            _ => return Err(Malformed),
        }
    }
    let (headers, contents) =
        payload.split_at_checked(payload.len() - rest.len() + 1).ok_or(Malformed)?;
    if contents.len() < repeated {
        return Err(Malformed);
    }
    Ok(Blocks { headers, contents, start: headers.len(), left: count as u8 })
}

/// Longest payload that can be repeated, 10 bits.
pub const MAX_REPEATED_BYTES: usize = 0x3ff;
/// Greatest timestamp offset, 14 bits.
pub const MAX_TIMESTAMP_OFFSET: u32 = 0x3fff;
/// Bytes of the header of a repeated block, and of the newest.
const HEADER: usize = 4;
const NEWEST_HEADER: usize = 1;

/// A packet that another one repeats.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Repeated<'a> {
    /// What its timestamp is lower.
    pub timestamp_offset: u32,
    /// What it carried.
    pub payload: &'a [u8],
}

/// Writes the payload of a packet that repeats others of the same codec, those just before it, oldest
/// first, and returns its length.
///
/// # Errors
/// [`NoRoom`] if the buffer is too small, or a repeated packet too long or too old.
pub fn write(
    buffer: &mut [u8],
    payload_type: u8,
    repeated: &[Repeated<'_>],
    newest: &[u8],
) -> Result<usize, NoRoom> {
    let payload_type = payload_type & !REPEATED;
    let headers = HEADER * repeated.len() + NEWEST_HEADER;
    let (headers, mut contents) = buffer.split_at_mut_checked(headers).ok_or(NoRoom)?;
    let (each, last) = headers.as_chunks_mut::<HEADER>();
    let mut length = each.as_flattened().len() + last.len();
    last.fill(payload_type);
    for (header, Repeated { timestamp_offset, payload }) in each.iter_mut().zip(repeated) {
        if payload.len() > MAX_REPEATED_BYTES || *timestamp_offset > MAX_TIMESTAMP_OFFSET {
            return Err(NoRoom);
        }
        let word = timestamp_offset << 10 | payload.len() as u32;
        let [_, b0, b1, b2] = word.to_be_bytes();
        *header = [REPEATED | payload_type, b0, b1, b2];
        contents = append(contents, payload)?;
        length += payload.len();
    }
    append(contents, newest)?;
    Ok(length + newest.len())
}

/// Puts bytes at the beginning of a buffer and returns what is behind them.
fn append<'a>(buffer: &'a mut [u8], bytes: &[u8]) -> Result<&'a mut [u8], NoRoom> {
    let (target, rest) = buffer.split_at_mut_checked(bytes.len()).ok_or(NoRoom)?;
    target.copy_from_slice(bytes);
    Ok(rest)
}

/// The newest block alone.
///
/// # Errors
/// As [`blocks`].
pub fn newest(payload: &[u8]) -> Result<Block<'_>, Malformed> {
    blocks(payload)?.last().ok_or(Malformed)
}

impl<'a> Iterator for Blocks<'a> {
    type Item = Block<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let (payload_type, timestamp_offset, length);
        match self.headers {
            [first, o0, l0, l1, rest @ ..] if first & REPEATED != 0 => {
                payload_type = first & !REPEATED;
                timestamp_offset = u16::from_be_bytes([*o0, *l0]) >> 2;
                length = block_length(*l0, *l1);
                self.headers = rest;
            }
            [first, ..] => {
                (payload_type, timestamp_offset) = (*first, 0);
                length = self.contents.len();
                self.headers = &[];
            }
            [] => return None,
        }
        let (payload, rest) = self.contents.split_at_checked(length)?;
        self.contents = rest;
        let start = self.start;
        self.start += length;
        Some(Block { payload_type, distance: self.left, timestamp_offset, start, payload })
    }
}

fn block_length(l0: u8, l1: u8) -> usize {
    usize::from(l0 & 3) << 8 | usize::from(l1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::testing::{Dice, hex};

    /// Two blocks of Opus, 3 and 2 bytes, 960 ticks apart, as Chromium sends them.
    const TWO: &str = "ef 0f00 03 6f 010203 0405";

    #[test]
    fn blocks_are_read_with_their_distance() {
        let payload = hex(TWO);
        let read: Vec<_> = blocks(&payload).unwrap().collect();
        let newest_block = Block {
            payload_type: 111,
            distance: 0,
            timestamp_offset: 0,
            start: 8,
            payload: &[4, 5],
        };
        let expected = [
            Block {
                distance: 1,
                timestamp_offset: 960,
                start: 5,
                payload: &[1, 2, 3],
                ..newest_block
            },
            newest_block,
        ];
        assert_eq!(read, expected);
        assert_eq!(newest(&payload), Ok(newest_block));
        let alone = hex("6f 0405");
        assert_eq!(newest(&alone), Ok(Block { start: 1, ..newest_block }));
        let empty = hex("ef 0f00 00 6f");
        let lengths: Vec<_> = blocks(&empty).unwrap().map(|block| block.payload.len()).collect();
        assert_eq!(lengths, [0, 0]);
    }

    #[test]
    fn fields_have_their_whole_range() {
        let payload = [hex("ff ffff ff 01"), vec![7; 1_024]].concat();
        let read: Vec<_> = blocks(&payload).unwrap().collect();
        assert_eq!(read[0].payload_type, 127);
        assert_eq!(read[0].timestamp_offset, 0x3fff);
        assert_eq!((read[0].payload.len(), read[1].payload.len()), (1_023, 1));
    }

    #[test]
    fn what_is_not_whole_is_malformed() {
        for broken in ["", "ef", "ef 0f00 03", "ef 0f00 03 6f 0102", "ef 0f00 03 ef 0f00 03 010203"]
        {
            assert!(blocks(&hex(broken)).is_err(), "{broken}");
        }
        let many = |count: usize| [hex("ef 0f00 00").repeat(count), hex("6f")].concat();
        assert_eq!(blocks(&many(MAX_BLOCKS - 1)).unwrap().count(), MAX_BLOCKS);
        assert!(blocks(&many(MAX_BLOCKS)).is_err());
    }

    #[test]
    fn what_is_written_is_what_chromium_writes() {
        let mut buffer = [0; 20];
        let one = |timestamp_offset, payload| [Repeated { timestamp_offset, payload }];
        let known = one(960, &[1, 2, 3][..]);
        assert_eq!(write(&mut buffer, 111, &known, &[4, 5]), Ok(10));
        assert_eq!(buffer[..10], hex(TWO));
        assert_eq!(write(&mut buffer[..9], 111, &known, &[4, 5]), Err(NoRoom));
        assert_eq!(write(&mut buffer, 111, &one(0x4000, &[1]), &[4]), Err(NoRoom));
        assert_eq!(write(&mut [0; 2_000], 111, &one(1, &[1; 0x400]), &[4]), Err(NoRoom));
        let mut most = [0; 2_000];
        let length = write(&mut most, 127, &one(0x3fff, &[7; 0x3ff]), &[1]).unwrap();
        assert_eq!(most[..length], [hex("ff ffff ff 7f"), vec![7; 1_023], vec![1]].concat());
    }

    #[test]
    fn what_is_written_is_read_with_any_number_of_repeats() {
        let contents: Vec<_> = (0..MAX_BLOCKS).map(|n| vec![n as u8; n * 5]).collect();
        let (newest, formers) = contents.split_last().unwrap();
        for count in 0..MAX_BLOCKS {
            let repeated: Vec<_> = formers[formers.len() - count..]
                .iter()
                .zip((1..=count as u32).rev())
                .map(|(payload, n)| Repeated { timestamp_offset: 960 * n, payload })
                .collect();
            let mut buffer = [0; 400];
            let length = write(&mut buffer, 111, &repeated, newest).unwrap();
            let read: Vec<_> = blocks(&buffer[..length]).unwrap().collect();
            assert_eq!(read.len(), count + 1);
            for (block, distance) in read.iter().rev().zip(0..) {
                assert_eq!((block.payload_type, block.distance), (111, distance));
                assert_eq!(block.timestamp_offset, 960 * u16::from(distance));
                assert_eq!(block.payload, contents[MAX_BLOCKS - 1 - usize::from(distance)]);
            }
        }
    }

    #[test]
    fn bytes_without_sense_are_read_or_refused() {
        let mut dice = Dice::of_today();
        for _ in 0..20_000 {
            let length = dice.below(40) as usize;
            let bytes = dice.bytes(length);
            if let Ok(read) = blocks(&bytes) {
                let read: Vec<_> = read.collect();
                let sum: usize = read.iter().map(|block| block.payload.len()).sum();
                assert_eq!(sum + 4 * (read.len() - 1) + 1, length);
                assert_eq!(read.last().unwrap().distance, 0);
            }
        }
    }
}

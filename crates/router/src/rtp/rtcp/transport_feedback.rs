//! Transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1): which
//! packets of a transport arrived, and when.
//!
//! Layout behind the two SSRCs: base number (16 bits), status count (16), reference time (24, in 64 ms),
//! number of the feedback (8), status chunks of 16 bits, then a delta of 8 or 16 bits for each packet
//! that arrived.

use super::{Malformed, split_u16, split_u32};
use crate::rtp::NoRoom;

/// Deltas are in units of this.
pub const TICK_MICROSECONDS: u64 = 250;
/// Ticks of one unit of the reference time.
const REFERENCE_TICKS: u64 = 256;
/// Packets that one feedback may report on, whoever writes it: a second and more at 40 Mbit/s. The
/// format would allow 65,535 in 16 bytes.
pub const MAX_STATUSES: usize = 4096;
/// Packets that a feedback of ours reports on; there is another one 50 ms later.
const MAX_WRITTEN: usize = 1024;
/// What a run-length chunk can count.
const MAX_RUN: usize = 0x1fff;

/// Status of a packet: lost, arrived with a delta of one byte, or of two.
const LOST: u8 = 0;
const SMALL: u8 = 1;
const LARGE: u8 = 2;

/// Feedback that came. Everything in it was found to be whole.
#[derive(Debug, Clone, Copy)]
pub struct TransportFeedback<'a> {
    /// Who reports.
    pub sender: u32,
    /// Any source of the transport.
    pub media: u32,
    /// The first packet that is reported on.
    pub base: u16,
    /// How many are; at most [`MAX_STATUSES`].
    pub count: u16,
    /// What the first delta begins at, in units of 64 ms (mod 2^24).
    pub reference: u32,
    /// Counts feedback packets (mod 256).
    pub number: u8,
    chunks: &'a [u8],
    deltas: &'a [u8],
}

impl<'a> TransportFeedback<'a> {
    pub(super) fn read(body: &'a [u8]) -> Result<Self, Malformed> {
        let (sender, rest) = split_u32(body)?;
        let (media, rest) = split_u32(rest)?;
        let (base, rest) = split_u16(rest)?;
        let (count, rest) = split_u16(rest)?;
        let (time, chunks) = split_u32(rest)?;
        if usize::from(count) > MAX_STATUSES {
            return Err(Malformed);
        }
        let (mut rest, mut left, mut bytes) = (chunks, usize::from(count), 0);
        while left > 0 {
            let (word, behind) = split_u16(rest)?;
            let mut chunk = Chunk::of(word, left);
            left -= chunk.left;
            bytes += chunk.delta_bytes()?;
            rest = behind;
        }
        let (chunks, deltas) = chunks.split_at(chunks.len() - rest.len());
        let deltas = deltas.get(..bytes).ok_or(Malformed)?;
        let (reference, number) = (time >> 8, time as u8);
        Ok(Self { sender, media, base, count, reference, number, chunks, deltas })
    }

    /// The packets in order.
    #[must_use]
    pub fn statuses(&self) -> Statuses<'a> {
        Statuses {
            next: self.base,
            left: self.count.into(),
            chunk: Chunk::default(),
            chunks: self.chunks,
            deltas: self.deltas,
        }
    }
}

/// Iterates over pairs of a packet's number and, if it arrived, the ticks between the one that arrived
/// before it, or the reference time, and itself.
#[derive(Debug, Clone)]
pub struct Statuses<'a> {
    next: u16,
    left: usize,
    chunk: Chunk,
    chunks: &'a [u8],
    deltas: &'a [u8],
}

impl Iterator for Statuses<'_> {
    type Item = (u16, Option<i16>);

    fn next(&mut self) -> Option<Self::Item> {
        while self.chunk.left == 0 {
            if self.left == 0 {
                return None;
            }
            let (word, rest) = split_u16(self.chunks).ok()?;
            self.chunks = rest;
            self.chunk = Chunk::of(word, self.left);
            self.left -= self.chunk.left;
        }
        let number = self.next;
        self.next = number.wrapping_add(1);
        let delta = match self.chunk.next()? {
            SMALL => {
                let (delta, rest) = self.deltas.split_first()?;
                self.deltas = rest;
                Some(i16::from(*delta))
            }
            LARGE => {
                let (delta, rest) = split_u16(self.deltas).ok()?;
                self.deltas = rest;
                Some(delta as i16)
            }
            _ => None,
        };
        Some((number, delta))
    }
}

/// What is left of a chunk.
#[derive(Debug, Clone, Copy, Default)]
struct Chunk {
    /// The symbols, the next one highest; unused by a run.
    symbols: u16,
    /// Bits of a symbol; 0 is a run of `symbols`.
    width: u8,
    left: usize,
}

impl Chunk {
    /// The symbols of a chunk, of which at most `most` count.
    fn of(word: u16, most: usize) -> Self {
        let (symbols, width, left) = match word >> 14 {
            0 | 1 => (word >> 13 & 3, 0, usize::from(word) & MAX_RUN),
            2 => (word << 2, 1, 14),
            _ => (word << 2, 2, 7),
        };
        Self { symbols, width, left: left.min(most) }
    }

    fn next(&mut self) -> Option<u8> {
        self.left = self.left.checked_sub(1)?;
        let symbol = match self.width {
            0 => self.symbols,
            1 => self.symbols >> 15,
            _ => self.symbols >> 14,
        };
        self.symbols = if self.width == 0 { symbol } else { self.symbols << self.width };
        Some(symbol as u8)
    }

    /// Bytes of the deltas that belong to it; it is used up.
    fn delta_bytes(&mut self) -> Result<usize, Malformed> {
        if self.width == 0 {
            return match self.symbols as u8 {
                symbol @ (LOST | SMALL | LARGE) => Ok(usize::from(symbol) * self.left),
                _ => Err(Malformed),
            };
        }
        let mut bytes = 0;
        while let Some(symbol) = self.next() {
            bytes += match symbol {
                LOST | SMALL | LARGE => usize::from(symbol),
                _ => return Err(Malformed),
            };
        }
        Ok(bytes)
    }
}

/// A packet that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Its number in the transport, extended beyond 16 bits.
    pub number: u64,
    /// When it arrived, in units of [`TICK_MICROSECONDS`] since a time of the caller's choice.
    pub ticks: u64,
}

/// How far a feedback that was written goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Composed {
    /// Arrivals that are in it, from the first on.
    pub arrivals: usize,
    /// The number at which the next feedback begins.
    pub next: u64,
}

/// Writes everything behind the SSRCs, and its length, a multiple of 4.
pub(super) fn compose(
    buffer: &mut [u8],
    number: u8,
    base: u64,
    arrivals: &[Arrival],
) -> Result<(usize, Composed), NoRoom> {
    let selection = Selection::of(buffer.len(), base, arrivals)?;
    let Selection { base, reference, symbols, count, composed } = &selection;
    let (head, rest) = buffer.split_first_chunk_mut::<8>().ok_or(NoRoom)?;
    let [b0, b1] = (*base as u16).to_be_bytes();
    let [c0, c1] = (*count as u16).to_be_bytes();
    let [_, t0, t1, t2] = (*reference as u32).to_be_bytes();
    *head = [b0, b1, c0, c1, t0, t1, t2, number];
    let mut writer = Writer { buffer: rest, used: 0 };
    let mut symbols = symbols.get(..*count).unwrap_or_default();
    while !symbols.is_empty() {
        let (word, taken) = encode(symbols);
        writer.put(&word.to_be_bytes())?;
        symbols = symbols.get(taken..).unwrap_or_default();
    }
    let mut before = reference * REFERENCE_TICKS;
    let mut next = *base;
    for arrival in arrivals.iter().take(composed.arrivals) {
        if arrival.number < next {
            continue;
        }
        next = arrival.number + 1;
        let delta = arrival.ticks.wrapping_sub(before) as i16;
        before = arrival.ticks;
        match u8::try_from(delta) {
            Ok(small) => writer.put(&[small])?,
            Err(_) => writer.put(&delta.to_be_bytes())?,
        }
    }
    while !writer.used.is_multiple_of(4) {
        writer.put(&[0])?;
    }
    Ok((8 + writer.used, *composed))
}

/// Which packets fit into one feedback, and their symbols.
struct Selection {
    base: u64,
    /// In units of the reference time.
    reference: u64,
    symbols: [u8; MAX_WRITTEN],
    count: usize,
    composed: Composed,
}

impl Selection {
    fn of(room: usize, base: u64, arrivals: &[Arrival]) -> Result<Self, NoRoom> {
        let first = arrivals.iter().find(|arrival| arrival.number >= base).ok_or(NoRoom)?;
        // A gap that no feedback spans is not reported: whoever sent that much knows of it.
        let base = if first.number - base >= MAX_WRITTEN as u64 { first.number } else { base };
        let reference = first.ticks / REFERENCE_TICKS;
        let composed = Composed { arrivals: 0, next: base };
        let symbols = [LOST; MAX_WRITTEN];
        let mut chosen = Self { base, reference, symbols, count: 0, composed };
        let (mut before, mut bytes) = (reference * REFERENCE_TICKS, 0);
        for arrival in arrivals {
            if arrival.number >= chosen.composed.next {
                let count = usize::try_from(arrival.number - base + 1).unwrap_or(usize::MAX);
                let delta = i128::from(arrival.ticks) - i128::from(before);
                let symbol = match delta {
                    0..=0xff => SMALL,
                    -0x8000..=0x7fff => LARGE,
                    _ => break,
                };
                let Some(target) = chosen.symbols.get_mut(count - 1) else { break };
                bytes += usize::from(symbol);
                // No chunk but the last stands for fewer than 7; the end is padded with up to 3 bytes.
                if 8 + 2 * (count / 7 + 1) + bytes + 3 > room {
                    break;
                }
                *target = symbol;
                before = arrival.ticks;
                chosen.count = count;
                chosen.composed.next = arrival.number + 1;
            }
            chosen.composed.arrivals += 1;
        }
        if chosen.count == 0 { Err(NoRoom) } else { Ok(chosen) }
    }
}

/// The next chunk and how many of the symbols it stands for.
fn encode(symbols: &[u8]) -> (u16, usize) {
    let first = symbols.first().copied().unwrap_or(LOST);
    let run = symbols.iter().take(MAX_RUN).take_while(|symbol| **symbol == first).count();
    let are_short = symbols.iter().take(14).all(|symbol| *symbol != LARGE);
    let vector = if are_short { 14 } else { 7 };
    if run >= vector.min(symbols.len()) {
        return (u16::from(first) << 13 | run as u16, run);
    }
    let (head, width) = if are_short { (0x8000, 1) } else { (0xc000, 2) };
    let word = symbols.iter().take(vector).enumerate().fold(head, |word, (place, symbol)| {
        word | u16::from(*symbol) << (14 - width * (place as u16 + 1))
    });
    (word, vector.min(symbols.len()))
}

struct Writer<'a> {
    buffer: &'a mut [u8],
    used: usize,
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), NoRoom> {
        let target = self.buffer.get_mut(self.used..).ok_or(NoRoom)?;
        target.get_mut(..bytes.len()).ok_or(NoRoom)?.copy_from_slice(bytes);
        self.used += bytes.len();
        Ok(())
    }
}

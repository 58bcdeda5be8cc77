//! The bytes of received packets, in buffers that are used again once nobody has them.

use std::collections::VecDeque;
use std::ops::{Deref, Range};
use std::sync::Arc;

use crate::engine::Dependency;

/// Sizes of buffers: audio and small reports, video within an Ethernet frame. A larger packet gets
/// one of its own.
const SIZES: [usize; 2] = [256, 1536];
/// Buffers of one size that one transport keeps for use: 3 s at 11 Mbit/s.
const MAX_BUFFERS: usize = 4096;
/// Buffers that are looked at before one more is made.
const TRIES: usize = 16;

/// A payload that all subscribers share; a clone costs no copy.
#[derive(Clone)]
pub struct MediaBytes {
    buffer: Arc<[u8]>,
    start: u32,
    end: u32,
}

impl MediaBytes {
    /// A part of a buffer; beyond its end there is nothing.
    #[must_use]
    pub(crate) fn new(buffer: Arc<[u8]>, range: Range<usize>) -> Self {
        let end = range.end.min(buffer.len());
        Self { start: range.start.min(end) as u32, end: end as u32, buffer }
    }

    /// What stands elsewhere in the buffer; nothing, if that is beyond its end.
    #[must_use]
    pub fn beside(&self, place: Dependency) -> &[u8] {
        let start = usize::from(place.start);
        self.buffer.get(start..start + usize::from(place.length)).unwrap_or_default()
    }

    /// The same from `start` of the buffer on, which is no later, and by how much that is more.
    pub(crate) fn beginning_at(&self, start: u16) -> (Self, u16) {
        let start = u32::from(start).min(self.start);
        let more = u16::try_from(self.start - start).unwrap_or(u16::MAX);
        let start = self.start - u32::from(more);
        (Self { buffer: Arc::clone(&self.buffer), start, end: self.end }, more)
    }

    /// Where the bytes begin in their buffer.
    pub(crate) fn start(&self) -> u16 {
        u16::try_from(self.start).unwrap_or(u16::MAX)
    }

    /// The same without the first bytes.
    #[must_use]
    pub(crate) fn without(mut self, bytes: u16) -> Self {
        self.start = self.start.saturating_add(bytes.into()).min(self.end);
        self
    }
}

impl Deref for MediaBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.buffer.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

impl From<&[u8]> for MediaBytes {
    fn from(bytes: &[u8]) -> Self {
        Self { buffer: bytes.into(), start: 0, end: bytes.len() as u32 }
    }
}

impl std::fmt::Debug for MediaBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MediaBytes({})", self.len())
    }
}

/// The buffers of one transport, or for packets of other shards, the longest unused first.
#[derive(Debug, Default)]
pub struct Buffers {
    by_size: [VecDeque<Arc<[u8]>>; SIZES.len()],
}

impl Buffers {
    /// A buffer of at least `length` bytes that nobody else has.
    pub(crate) fn take(&mut self, length: usize) -> Arc<[u8]> {
        let Some(index) = SIZES.iter().position(|size| length <= *size) else {
            return fresh(length);
        };
        let (Some(known), Some(size)) = (self.by_size.get_mut(index), SIZES.get(index)) else {
            return fresh(length);
        };
        for _ in 0..TRIES.min(known.len()) {
            let Some(mut buffer) = known.pop_front() else {
                break;
            };
            if Arc::get_mut(&mut buffer).is_some() {
                return buffer;
            }
            known.push_back(buffer);
        }
        fresh(*size)
    }

    /// The bytes in a buffer of their own.
    pub fn copy(&mut self, bytes: &[u8]) -> MediaBytes {
        let mut buffer = self.take(bytes.len());
        if let Some(target) = Arc::get_mut(&mut buffer).and_then(|all| all.get_mut(..bytes.len())) {
            target.copy_from_slice(bytes);
        }
        self.give_back(&buffer);
        MediaBytes::new(buffer, 0..bytes.len())
    }

    /// Keeps a buffer for when all its readers are gone.
    pub(crate) fn give_back(&mut self, buffer: &Arc<[u8]>) {
        let index = SIZES.iter().position(|size| buffer.len() == *size);
        if let Some(known) = index.and_then(|index| self.by_size.get_mut(index))
            && known.len() < MAX_BUFFERS
        {
            known.push_back(Arc::clone(buffer));
        }
    }
}

fn fresh(length: usize) -> Arc<[u8]> {
    std::iter::repeat_n(0, length).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(buffers: &mut Buffers, length: usize, byte: u8) -> MediaBytes {
        buffers.copy(&vec![byte; length])
    }

    #[test]
    fn a_buffer_is_used_again_when_its_last_reader_is_gone_and_not_before() {
        let mut buffers = Buffers::default();
        let first = fill(&mut buffers, 100, 1);
        let again = first.clone();
        let place = first.as_ptr();
        drop(first);
        let second = fill(&mut buffers, 100, 2);
        assert_ne!(second.as_ptr(), place);
        assert!(again.iter().all(|byte| *byte == 1));
        drop(again);
        assert_eq!(fill(&mut buffers, 100, 3).as_ptr(), place);
        assert!(second.iter().all(|byte| *byte == 2));
    }

    #[test]
    fn any_length_is_served_and_what_is_kept_is_bounded() {
        let mut buffers = Buffers::default();
        let held: Vec<_> = (0..2 * MAX_BUFFERS).map(|_| fill(&mut buffers, 1000, 7)).collect();
        assert_eq!(buffers.by_size[1].len(), MAX_BUFFERS);
        assert_eq!(fill(&mut buffers, 3000, 9).len(), 3000);
        assert_eq!(fill(&mut buffers, 0, 9).len(), 0);
        assert!(held.iter().all(|bytes| bytes.len() == 1000));
    }

    #[test]
    fn a_range_beyond_the_buffer_is_cut() {
        let bytes = MediaBytes::new(vec![1, 2, 3].into(), 2..9);
        assert_eq!(&*bytes, [3]);
        assert_eq!(MediaBytes::new(vec![1].into(), 5..9).len(), 0);
    }
}

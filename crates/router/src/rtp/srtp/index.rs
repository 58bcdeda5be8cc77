//! Packet indices: estimating them, and using none twice.

/// The index of 48 bits that a sequence number most probably stands for (RFC 3711 section 3.3.1),
/// `highest` being the greatest index so far. None if it would be before the first.
pub(super) fn estimate(highest: u64, sequence_number: u16) -> Option<u64> {
    let (known, cycle) = (highest as u16, highest & !0xffff);
    let index = cycle | u64::from(sequence_number);
    if known < 0x8000 {
        if i32::from(sequence_number) - i32::from(known) > 0x8000 {
            return index.checked_sub(0x1_0000);
        }
    } else if i32::from(known) - 0x8000 > i32::from(sequence_number) {
        return Some(index + 0x1_0000);
    }
    Some(index)
}

/// Why an index cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unusable {
    /// It was used.
    Used,
    /// It is so old that nobody knows.
    TooOld,
}

/// The greatest index, and which of the [`Window::SPAN`] before it were used. Its words are a ring
/// (RFC 6479): moving on clears words instead of shifting all.
#[derive(Debug, Clone)]
pub(super) struct Window<const WORDS: usize> {
    highest: u64,
    words: [u64; WORDS],
}

impl<const WORDS: usize> Window<WORDS> {
    /// Indices that are remembered, the greatest included. The word that the greatest is in may be
    /// nearly empty, so it does not count.
    pub(super) const SPAN: u64 = 64 * (WORDS as u64 - 1);

    /// One in which only this index was used.
    pub(super) fn new(first: u64) -> Self {
        let mut window = Self { highest: first, words: [0; WORDS] };
        window.set(first);
        window
    }

    pub(super) fn highest(&self) -> u64 {
        self.highest
    }

    /// Reads what using the next index will read.
    pub(super) fn look_at(&self) -> u64 {
        self.highest ^ self.word(self.highest)
    }

    /// Whether this index may be used; changes nothing.
    pub(super) fn check(&self, index: u64) -> Result<(), Unusable> {
        match self.highest.checked_sub(index) {
            Some(behind) if behind >= Self::SPAN => Err(Unusable::TooOld),
            Some(_) if self.word(index) & bit(index) != 0 => Err(Unusable::Used),
            _ => Ok(()),
        }
    }

    /// Uses an index that was checked.
    pub(super) fn mark(&mut self, index: u64) {
        if index > self.highest {
            let (from, to) = (self.highest / 64 + 1, index / 64);
            for word in (from..=to).take(WORDS) {
                if let Some(word) = self.words.get_mut((word % WORDS as u64) as usize) {
                    *word = 0;
                }
            }
            self.highest = index;
        }
        self.set(index);
    }

    fn word(&self, index: u64) -> u64 {
        self.words.get(place::<WORDS>(index)).copied().unwrap_or(u64::MAX)
    }

    fn set(&mut self, index: u64) {
        if let Some(word) = self.words.get_mut(place::<WORDS>(index)) {
            *word |= bit(index);
        }
    }
}

fn place<const WORDS: usize>(index: u64) -> usize {
    (index / 64 % WORDS as u64) as usize
}

fn bit(index: u64) -> u64 {
    1 << (index % 64)
}

/// Windows by SSRC, sorted: a client that chooses its SSRCs cannot make it slow, as it could a hash
/// table, and the one that was used last is found at once.
#[derive(Debug, Default)]
pub(super) struct Sources<const WORDS: usize> {
    ssrcs: Vec<u32>,
    windows: Vec<Window<WORDS>>,
    last: usize,
}

impl<const WORDS: usize> Sources<WORDS> {
    pub(super) fn len(&self) -> usize {
        self.ssrcs.len()
    }

    pub(super) fn get_mut(&mut self, ssrc: u32) -> Option<&mut Window<WORDS>> {
        if self.ssrcs.get(self.last) != Some(&ssrc) {
            self.last = self.ssrcs.binary_search(&ssrc).ok()?;
        }
        self.windows.get_mut(self.last)
    }

    /// Adds a source that is not there, of which this index was used.
    pub(super) fn insert(&mut self, ssrc: u32, first: u64) {
        if let Err(at) = self.ssrcs.binary_search(&ssrc) {
            self.ssrcs.insert(at, ssrc);
            self.windows.insert(at, Window::new(first));
        }
    }
}

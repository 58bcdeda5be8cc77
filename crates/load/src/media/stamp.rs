//! The last bytes of every generated payload: which packet of which source it is, and when it was made.

/// Length of a stamp.
pub const STAMP_BYTES: usize = 24;

/// "TLD1": no other sender ends its payloads like this.
const MAGIC: u32 = 0x544c_4431;

/// Layout, big endian: magic (4), source (4), number (8), made at (8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Chosen at random by the publisher for one of its tracks.
    pub source: u32,
    /// Place of the packet among all of its source, from 0.
    pub number: u64,
    /// Nanoseconds of this machine's wall clock; other machines' clocks differ.
    pub made_at_ns: u64,
}

impl Stamp {
    /// Writes the stamp over the end of `payload`; a payload that is too short stays as it is.
    pub fn write(self, payload: &mut [u8]) {
        let Some(start) = payload.len().checked_sub(STAMP_BYTES) else { return };
        let fields = [
            &MAGIC.to_be_bytes()[..],
            &self.source.to_be_bytes(),
            &self.number.to_be_bytes(),
            &self.made_at_ns.to_be_bytes(),
        ];
        let bytes = fields.into_iter().flatten();
        for (place, byte) in payload.iter_mut().skip(start).zip(bytes) {
            *place = *byte;
        }
    }

    /// Reads the stamp at the end of `payload`; `None` if this is no packet of a load generator.
    #[must_use]
    pub fn read(payload: &[u8]) -> Option<Self> {
        let (_, stamp) = payload.split_last_chunk::<STAMP_BYTES>()?;
        let (magic, rest) = stamp.split_first_chunk::<4>()?;
        let (source, rest) = rest.split_first_chunk::<4>()?;
        let (number, rest) = rest.split_first_chunk::<8>()?;
        let (made_at, _) = rest.split_first_chunk::<8>()?;
        (u32::from_be_bytes(*magic) == MAGIC).then(|| Self {
            source: u32::from_be_bytes(*source),
            number: u64::from_be_bytes(*number),
            made_at_ns: u64::from_be_bytes(*made_at),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp { source: 0xdead_beef, number: u64::MAX - 1, made_at_ns: 42 };

    #[test]
    fn what_is_written_is_read() {
        for length in [STAMP_BYTES, STAMP_BYTES + 1, 1_138] {
            let mut payload = vec![7; length];
            STAMP.write(&mut payload);
            assert_eq!(Stamp::read(&payload), Some(STAMP));
            assert!(payload.iter().take(length - STAMP_BYTES).all(|byte| *byte == 7));
        }
    }

    #[test]
    fn other_payloads_have_no_stamp() {
        assert_eq!(Stamp::read(&[]), None);
        assert_eq!(Stamp::read(&[0; 200]), None);
        let mut short = vec![0; STAMP_BYTES - 1];
        STAMP.write(&mut short);
        assert_eq!(short, [0; STAMP_BYTES - 1]);
        assert_eq!(Stamp::read(&short), None);
    }
}

//! Frames of a stream (RFC 4571): a length of 2 bytes, big-endian, and that many bytes.

/// Largest frame: what two bytes can say.
pub const MAX_FRAME_BYTES: usize = 65_535;
/// Bytes of the length.
const HEADER_BYTES: usize = 2;

/// Cuts what was read into frames. Holds at most one frame that is not whole yet, and what was read
/// with it.
#[derive(Debug, Default)]
pub struct Frames {
    buffer: Vec<u8>,
    taken: usize,
}

impl Frames {
    /// Appends what was read. Take all whole frames before the next time.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame, without its length.
    pub fn take(&mut self) -> Option<&[u8]> {
        let length = self.peek()?.len();
        let start = self.taken + HEADER_BYTES;
        self.taken = start + length;
        self.buffer.get(start..self.taken)
    }

    /// The same, but it stays the next one.
    #[must_use]
    pub fn peek(&self) -> Option<&[u8]> {
        let start = self.taken + HEADER_BYTES;
        self.buffer.get(start..start + self.announced()?)
    }

    /// The length that the next frame says it has, once that was read.
    #[must_use]
    pub fn announced(&self) -> Option<usize> {
        let rest = self.buffer.get(self.taken..)?;
        let (header, _) = rest.split_first_chunk::<HEADER_BYTES>()?;
        Some(usize::from(u16::from_be_bytes(*header)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(contents: &[u8]) -> Vec<u8> {
        let mut bytes = (contents.len() as u16).to_be_bytes().to_vec();
        bytes.extend_from_slice(contents);
        bytes
    }

    fn all(frames: &mut Frames) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| frames.take().map(<[u8]>::to_vec)).collect()
    }

    #[test]
    fn frames_come_out_as_they_went_in_wherever_the_stream_is_cut() {
        let contents = [vec![1; 20], vec![], vec![2; MAX_FRAME_BYTES], vec![3]];
        let stream: Vec<u8> = contents.iter().flat_map(|c| frame(c)).collect();
        for piece in [1, 2, 3, 21, 22, 23, 1000, stream.len()] {
            let mut frames = Frames::default();
            let mut out = Vec::new();
            for bytes in stream.chunks(piece) {
                frames.push(bytes);
                out.extend(all(&mut frames));
            }
            assert_eq!(out, contents, "in pieces of {piece}");
            assert_eq!(frames.announced(), None);
        }
    }

    #[test]
    fn it_never_holds_more_than_a_frame_and_one_read() {
        let mut frames = Frames::default();
        let stream = frame(&vec![7; MAX_FRAME_BYTES]).repeat(20);
        for bytes in stream.chunks(4096) {
            frames.push(bytes);
            while frames.take().is_some() {}
            assert!(frames.buffer.len() <= HEADER_BYTES + MAX_FRAME_BYTES + 4096);
        }
    }
}

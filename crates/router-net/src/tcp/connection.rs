//! One TCP connection: reading frames, and a bounded queue of what is to be sent.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Read as _, Write as _};

use mio::net::TcpStream;
use tertulia_router_core::{DropCause, Drops, PeerAddress, Urgency};

use super::Frames;
use crate::batch::Moved;

/// Bytes that wait for a client that takes too little: half a second at 4 Mbit/s.
pub const MAX_QUEUED_BYTES: usize = 256 * 1024;
/// Frames of one write.
const MAX_FRAMES: usize = 64;

struct Outgoing {
    header: [u8; 2],
    contents: Vec<u8>,
    urgency: Urgency,
}

impl Outgoing {
    fn bytes(&self) -> usize {
        self.header.len() + self.contents.len()
    }
}

/// One connection whose first frame was a check of a peer of this shard.
pub struct Connection {
    pub(super) stream: TcpStream,
    /// The peer, and which of the router's sockets it came to.
    pub address: PeerAddress,
    /// Counts the connections of a shard.
    pub(super) number: u64,
    frames: Frames,
    queue: VecDeque<Outgoing>,
    queued_bytes: usize,
    /// Bytes of the first frame of the queue that are written already.
    written: usize,
    pub(super) is_readable: bool,
    pub(super) is_writable: bool,
}

impl Connection {
    /// A connection from which some bytes were read already.
    #[must_use]
    pub fn new(stream: TcpStream, address: PeerAddress, frames: Frames) -> Self {
        // Without it a report may wait for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        Self {
            stream,
            address,
            number: 0,
            frames,
            queue: VecDeque::new(),
            queued_bytes: 0,
            written: 0,
            is_readable: true,
            is_writable: true,
        }
    }

    /// The next whole frame of what was read.
    pub fn next_frame(&mut self) -> Option<&[u8]> {
        self.frames.take()
    }

    /// Reads once. Returns whether more may wait.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        match self.stream.read(buffer) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(length) => {
                self.frames.push(buffer.get(..length).unwrap_or_default());
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.is_readable = false;
                Ok(false)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Queues a frame. Where there is no room, the oldest video goes, then the oldest audio; what is
    /// no more urgent than what would have to go for it is not taken.
    pub(super) fn push(&mut self, contents: Vec<u8>, urgency: Urgency, drops: &mut Drops) {
        let Ok(length) = u16::try_from(contents.len()) else {
            drops.count(DropCause::TcpQueueFull);
            return;
        };
        let frame = Outgoing { header: length.to_be_bytes(), contents, urgency };
        while self.queued_bytes + frame.bytes() > MAX_QUEUED_BYTES {
            drops.count(DropCause::TcpQueueFull);
            if !self.drop_oldest(urgency) {
                return;
            }
        }
        self.queued_bytes += frame.bytes();
        self.queue.push_back(frame);
    }

    /// Drops the oldest frame of the least urgent kind that is not more urgent than `than`.
    fn drop_oldest(&mut self, than: Urgency) -> bool {
        // The first frame may be half written.
        let droppable = |queue: &VecDeque<Outgoing>, urgency| {
            let first = usize::from(self.written > 0);
            queue.iter().skip(first).position(|f| f.urgency == urgency).map(|place| first + place)
        };
        let kinds = [Urgency::Video, Urgency::Audio, Urgency::Control];
        let place = kinds
            .into_iter()
            .filter(|urgency| *urgency <= than)
            .find_map(|urgency| droppable(&self.queue, urgency));
        let Some(frame) = place.and_then(|place| self.queue.remove(place)) else {
            return false;
        };
        self.queued_bytes -= frame.bytes();
        true
    }

    /// Drops all media that waits, but for a frame that is half written.
    pub(super) fn drop_media(&mut self) {
        let mut number = 0;
        let is_half_written = self.written > 0;
        self.queue.retain(|frame| {
            number += 1;
            frame.urgency == Urgency::Control || (number == 1 && is_half_written)
        });
        self.queued_bytes = self.queue.iter().map(Outgoing::bytes).sum();
    }

    /// Writes what the peer takes.
    pub(super) fn write(&mut self, moved: &mut Moved) -> io::Result<()> {
        while self.is_writable && !self.queue.is_empty() {
            let mut pieces = Vec::with_capacity(2 * MAX_FRAMES);
            let mut skip = self.written;
            for frame in self.queue.iter().take(MAX_FRAMES) {
                for part in [frame.header.as_slice(), &frame.contents] {
                    let rest = part.get(skip.min(part.len())..).unwrap_or_default();
                    skip = skip.saturating_sub(part.len());
                    pieces.push(IoSlice::new(rest));
                }
            }
            let (mut packets, mut bytes) = (0, 0);
            match self.stream.write_vectored(&pieces) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.written += count;
                    while let Some(frame) = take_written(&mut self.queue, self.written) {
                        self.written -= frame.bytes();
                        self.queued_bytes -= frame.bytes();
                        packets += 1;
                        bytes += frame.contents.len() as u64;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.is_writable = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            moved.count_call(packets, bytes);
        }
        Ok(())
    }
}

/// Takes the first frame if all of it is among the bytes that were written.
fn take_written(queue: &mut VecDeque<Outgoing>, written: usize) -> Option<Outgoing> {
    queue.front().filter(|frame| frame.bytes() <= written)?;
    queue.pop_front()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::{TcpListener, TcpStream as StdStream};
    use std::time::Duration;

    use super::*;

    const VIDEO: u8 = 1;
    const AUDIO: u8 = 2;
    const CONTROL: u8 = 3;

    /// A connection and the client's end of it, which reads nothing by itself.
    fn connected() -> (Connection, StdStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = StdStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, source) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        let address = PeerAddress { socket: 1, source };
        (Connection::new(TcpStream::from_std(stream), address, Frames::default()), client)
    }

    fn push(connection: &mut Connection, kind: u8, number: u8, drops: &mut Drops) {
        let urgency = match kind {
            VIDEO => Urgency::Video,
            AUDIO => Urgency::Audio,
            _ => Urgency::Control,
        };
        let mut contents = vec![0; 1000];
        contents[..2].copy_from_slice(&[kind, number]);
        connection.push(contents, urgency, drops);
    }

    fn queued(connection: &Connection, kind: u8) -> Vec<u8> {
        let of_kind = connection.queue.iter().filter(|f| f.contents[0] == kind);
        of_kind.map(|f| f.contents[1]).collect()
    }

    #[test]
    fn the_oldest_video_goes_first_then_audio_and_checks_last() {
        let (mut connection, _client) = connected();
        let mut drops = Drops::default();
        for number in 0..255 {
            push(&mut connection, VIDEO, number, &mut drops);
        }
        for number in 0..200 {
            push(&mut connection, AUDIO, number, &mut drops);
        }
        assert!(connection.queued_bytes <= MAX_QUEUED_BYTES);
        let video = queued(&connection, VIDEO);
        assert_eq!(video.last(), Some(&254), "the newest video stays");
        assert_eq!(queued(&connection, AUDIO).len(), 200, "audio only makes room for its like");
        let all = MAX_QUEUED_BYTES / 1002;
        assert_eq!(drops.of(DropCause::TcpQueueFull), 455 - all as u64);

        for number in 0..255 {
            push(&mut connection, CONTROL, number, &mut drops);
        }
        assert_eq!(queued(&connection, CONTROL).len(), 255);
        assert_eq!(queued(&connection, VIDEO).len(), 0);
        assert_eq!(queued(&connection, AUDIO).first(), Some(&194), "the newest audio stays");
        push(&mut connection, VIDEO, 9, &mut drops);
        assert_eq!(queued(&connection, VIDEO).len(), 0, "video takes no more urgent place");
        assert!(connection.queued_bytes <= MAX_QUEUED_BYTES);
    }

    #[test]
    fn a_client_that_reads_slowly_gets_whole_frames_and_never_the_rest_of_a_dropped_one() {
        let (mut connection, mut client) = connected();
        client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut drops = Drops::default();
        let mut moved = Moved::default();
        let mut pushed = 0;
        // Until the kernel takes no more and the queue overflows behind a half-written frame.
        while drops.of(DropCause::TcpQueueFull) < 50 {
            push(&mut connection, VIDEO, pushed as u8, &mut drops);
            pushed += 1;
            connection.write(&mut moved).unwrap();
        }
        connection.drop_media();
        push(&mut connection, CONTROL, 7, &mut drops);
        let mut frames = Frames::default();
        let mut buffer = vec![0; 65_536];
        let mut received = 0;
        let mut last = 0;
        while last != CONTROL {
            let length = client.read(&mut buffer).unwrap();
            frames.push(&buffer[..length]);
            while let Some(frame) = frames.take() {
                assert_eq!(frame.len(), 1000);
                last = frame[0];
                received += 1;
            }
            connection.is_writable = true;
            connection.write(&mut moved).unwrap();
        }
        assert_eq!(moved.packets, received);
        assert_eq!(moved.bytes, received * 1000);
        assert_eq!((connection.queued_bytes, connection.queue.len()), (0, 0));
    }

    #[test]
    fn the_end_of_the_stream_is_an_error() {
        let (mut connection, client) = connected();
        drop(client);
        let mut buffer = [0; 100];
        let ended = std::iter::repeat_with(|| connection.read(&mut buffer)).find(Result::is_err);
        assert!(ended.is_some());
    }
}

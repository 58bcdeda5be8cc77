//! Opus: silence that any decoder plays, padded to a size, with a level as if somebody spoke.

use std::time::{Duration, Instant};

use super::{LARGEST_DELAY, MediaPacket, RTP_HEADER_BYTES, STAMP_BYTES, Stamp};

/// CELT frames in full band, mono, of 5, 10 and 20 ms: configs 29 to 31 (RFC 6716 section 3.1).
const CONFIGS: [(u32, u8); 3] = [(5, 29 << 3), (10, 30 << 3), (20, 31 << 3)];
const SILENCE: [u8; 2] = [0xff, 0xfe];
/// Code 3: a frame count and padding follow (RFC 6716 section 3.2.5).
const CODE_3: u8 = 3;
const PADDED: u8 = 0x40;
const CLOCK_HZ: u32 = 48_000;
/// Smallest payload: table of contents, count, one length byte, silence and the stamp.
const SMALLEST: usize = 3 + SILENCE.len() + STAMP_BYTES;

/// What an audio source sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioOptions {
    /// Every RTP packet without header extensions, in bytes.
    pub packet_bytes: usize,
    /// Length of a frame, which is a packet, in ms: 5, 10 or 20.
    pub frame_ms: u32,
}

impl AudioOptions {
    /// Whether frames may be so long, in ms.
    #[must_use]
    pub fn may_last(frame_ms: u32) -> bool {
        CONFIGS.iter().any(|(ms, _)| *ms == frame_ms)
    }

    fn frame(self) -> Duration {
        Duration::from_millis(u64::from(self.frame_ms))
    }

    fn ticks(self) -> u32 {
        CLOCK_HZ / 1_000 * self.frame_ms
    }

    fn config(self) -> u8 {
        CONFIGS
            .iter()
            .find(|(ms, _)| *ms == self.frame_ms)
            .map_or(CONFIGS[2].1, |(_, config)| *config)
    }
}

/// A microphone with its encoder: one packet for each frame.
#[derive(Debug)]
pub struct AudioSource {
    options: AudioOptions,
    source: u32,
    next: Instant,
    number: u64,
    timestamp: u32,
    /// Packets that were left out because the source was not asked in time.
    pub frames_left_out: u64,
}

impl AudioSource {
    /// A source whose first packet is due at `first`; `source` marks its packets.
    #[must_use]
    pub fn new(options: AudioOptions, source: u32, first: Instant) -> Self {
        Self { options, source, next: first, number: 0, timestamp: source, frames_left_out: 0 }
    }

    /// Packets sent so far.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.number
    }

    /// When [`Self::poll`] has a packet.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.next
    }

    /// Level of the next packet in dBov (RFC 6464): a voice between -50 and -20 that rises and falls in a second.
    #[must_use]
    pub fn level_dbov(&self) -> i8 {
        let place = (self.number % 50) as i16;
        (-50 + if place < 25 { place } else { 50 - place } * 6 / 5) as i8
    }

    /// The next packet if it is due; `wall_ns` is what the wall clock says at `now`.
    pub fn poll(&mut self, now: Instant, wall_ns: u64) -> Option<MediaPacket> {
        if self.next > now {
            return None;
        }
        let late = now - self.next;
        if late > LARGEST_DELAY {
            let skipped = late.as_nanos().div_euclid(self.options.frame().as_nanos()) as u32;
            self.frames_left_out += u64::from(skipped);
            self.next += skipped * self.options.frame();
            self.timestamp =
                self.timestamp.wrapping_add(self.options.ticks().wrapping_mul(skipped));
        }
        let length = self.options.packet_bytes.saturating_sub(RTP_HEADER_BYTES);
        let mut payload = padded_silence(self.options.config(), length);
        Stamp { source: self.source, number: self.number, made_at_ns: wall_ns }.write(&mut payload);
        let packet = MediaPacket {
            number: self.number,
            timestamp: self.timestamp,
            marker: self.number == 0,
            starts_key_frame: false,
            payload,
            due: self.next,
        };
        self.number += 1;
        self.timestamp = self.timestamp.wrapping_add(self.options.ticks());
        self.next += self.options.frame();
        Some(packet)
    }
}

/// A packet of `length` bytes: table of contents, frame count, length of the padding (255 stands for 254 and more),
/// the frame, the padding. A decoder must take any padding.
fn padded_silence(config: u8, length: usize) -> Vec<u8> {
    let length = length.max(SMALLEST);
    let room = length - 2 - SILENCE.len();
    // Each length byte of 255 stands for 254 bytes of padding, so `n` of them and a last one cover the room.
    let full = (room - 1) / 255;
    let last = room - 1 - full * 255;
    let mut payload = Vec::with_capacity(length);
    payload.extend([config | CODE_3, PADDED | 1]);
    payload.extend(std::iter::repeat_n(255, full));
    payload.push(last as u8);
    payload.extend(SILENCE);
    payload.resize(length, 0);
    payload
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frame bytes of a code 3 packet of one frame, read as RFC 6716 section 3.2.5 says.
    fn frame_of(payload: &[u8]) -> &[u8] {
        assert_eq!(payload[0] & 3, 3);
        assert_eq!(payload[1], 0x41, "one frame, padding, constant rate");
        let (mut at, mut padding) = (2, 0);
        loop {
            let byte = usize::from(payload[at]);
            at += 1;
            if byte < 255 {
                padding += byte;
                break;
            }
            padding += 254;
        }
        &payload[at..payload.len() - padding]
    }

    #[test]
    fn a_packet_of_any_length_is_one_frame_of_silence() {
        for length in SMALLEST..1_200 {
            let payload = padded_silence(CONFIGS[2].1, length);
            assert_eq!(payload.len(), length);
            assert_eq!(frame_of(&payload), SILENCE, "length {length}");
        }
    }

    #[test]
    fn fifty_packets_a_second_have_the_size_and_the_stamp() {
        let start = Instant::now();
        let mut source =
            AudioSource::new(AudioOptions { packet_bytes: 100, frame_ms: 20 }, 5, start);
        let mut packets = Vec::new();
        while source.deadline() < start + Duration::from_secs(2) {
            let level = source.level_dbov();
            assert!((-50..=-20).contains(&level), "{level}");
            packets.extend(source.poll(source.deadline(), 7));
        }
        assert_eq!(packets.len(), 100);
        for (number, packet) in (0..).zip(&packets) {
            assert_eq!(packet.payload.len(), 88);
            assert_eq!(frame_of(&packet.payload), SILENCE);
            assert_eq!(packet.timestamp, 5 + 960 * number as u32);
            let stamp = Stamp { source: 5, number, made_at_ns: 7 };
            assert_eq!(Stamp::read(&packet.payload), Some(stamp));
        }
    }

    #[test]
    fn shorter_frames_are_as_many_packets_and_say_how_long_they_are() {
        for (frame_ms, config) in [(5, 29), (10, 30), (20, 31)] {
            let start = Instant::now();
            let options = AudioOptions { packet_bytes: 100, frame_ms };
            let mut source = AudioSource::new(options, 0, start);
            let mut packets = Vec::new();
            while source.deadline() < start + Duration::from_secs(1) {
                packets.extend(source.poll(source.deadline(), 7));
            }
            assert_eq!(packets.len() as u32, 1_000 / frame_ms);
            assert_eq!(packets[1].timestamp, 48 * frame_ms);
            assert!(packets.iter().all(|packet| packet.payload[0] >> 3 == config));
        }
    }

    #[test]
    fn a_source_that_was_stopped_leaves_out_what_it_missed() {
        let start = Instant::now();
        let mut source =
            AudioSource::new(AudioOptions { packet_bytes: 100, frame_ms: 20 }, 0, start);
        let packet = source.poll(start + Duration::from_secs(10), 7).unwrap();
        assert_eq!(packet.timestamp, 480_000);
        assert_eq!(source.frames_left_out, 500);
        assert!(source.deadline() > start + Duration::from_secs(10));
    }
}

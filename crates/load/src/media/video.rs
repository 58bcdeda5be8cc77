//! VP8: colour bars that any decoder shows, filled up to the bitrate, in the packets of RFC 7741.

use std::time::{Duration, Instant};

use super::{LARGEST_DELAY, MediaPacket, RTP_HEADER_BYTES, STAMP_BYTES, Stamp};

/// A key frame of 320x240 and a frame that changes nothing, made by libvpx in its error-resilient mode, in which
/// frames do not depend on the entropy state that earlier ones left. A decoder reads no further than it must, so
/// what follows the picture in the frame does not matter.
const KEY_PICTURE: &[u8] = include_bytes!("bars-key.vp8");
const SAME_PICTURE: &[u8] = include_bytes!("bars-inter.vp8");
/// Size of the picture.
pub(crate) const WIDTH: u32 = 320;
pub(crate) const HEIGHT: u32 = 240;

/// X with S, then I, L and T (RFC 7741 section 4.2), 15 bits of picture id, TL0PICIDX and TID.
const DESCRIPTOR_BYTES: usize = 6;
/// What a key frame costs compared with the frame that the bitrate allows: encoders of calls are near this.
const KEY_FRAME_SCALE: usize = 4;
/// The frames after a key frame are smaller by at most this share until it is paid for.
const REPAYMENT: usize = 4;
/// A frame's packets leave evenly over this time, as a browser's pacer would have it.
const SPREAD: Duration = Duration::from_millis(5);
const CLOCK_HZ: u32 = 90_000;

/// What a video source sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VideoOptions {
    /// Bits per second of RTP packets without header extensions, SRTP and below.
    pub bitrate_bps: u32,
    /// Frames per second, 1 to 120.
    pub frame_rate: u32,
    /// Largest RTP packet without header extensions, in bytes.
    pub packet_bytes: usize,
}

impl VideoOptions {
    /// Payload bytes of one packet.
    fn payload_bytes(&self) -> usize {
        self.packet_bytes.saturating_sub(RTP_HEADER_BYTES)
    }

    /// Bytes of RTP packets that one frame may have.
    fn frame_bytes(&self) -> usize {
        (self.bitrate_bps / 8 / self.frame_rate.max(1)) as usize
    }
}

/// A camera with its encoder and pacer.
#[derive(Debug)]
pub struct VideoSource {
    options: VideoOptions,
    source: u32,
    first: Instant,
    /// Frames until `next_frame`, those that were left out included.
    frames: u64,
    next_frame: Instant,
    /// Of the frame that is being sent.
    frame: Frame,
    number: u64,
    timestamp: u32,
    picture_id: u16,
    tl0_picture_index: u8,
    key_frame_due: bool,
    /// Bytes that key frames cost beyond their share and that later frames save.
    debt: usize,
    /// Frames that were left out because the source was not asked in time.
    pub frames_left_out: u64,
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    starts_at: Instant,
    is_key: bool,
    sent: usize,
    packets: usize,
    /// Payload bytes of the last packet; all others are full.
    last_bytes: usize,
}

impl VideoSource {
    /// A source whose first frame, a key frame, is due at `first`; `source` marks its packets.
    #[must_use]
    pub fn new(options: VideoOptions, source: u32, first: Instant) -> Self {
        Self {
            options,
            source,
            first,
            frames: 0,
            next_frame: first,
            frame: Frame { starts_at: first, is_key: true, sent: 0, packets: 0, last_bytes: 0 },
            number: 0,
            timestamp: source,
            picture_id: source as u16 & 0x7fff,
            tl0_picture_index: source as u8,
            key_frame_due: true,
            debt: 0,
            frames_left_out: 0,
        }
    }

    /// The next frame is to be one that a decoder can start from.
    pub fn request_key_frame(&mut self) {
        self.key_frame_due = true;
    }

    /// Packets sent so far.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.number
    }

    /// When [`Self::poll`] has a packet.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        if self.frame.sent < self.frame.packets {
            let share = self.frame.sent as u32 * SPREAD / self.frame.packets.max(1) as u32;
            return self.frame.starts_at + share;
        }
        self.next_frame
    }

    /// The next packet if it is due; `wall_ns` is what the wall clock says at `now`.
    pub fn poll(&mut self, now: Instant, wall_ns: u64) -> Option<MediaPacket> {
        let due = self.deadline();
        if due > now {
            return None;
        }
        if self.frame.sent == self.frame.packets {
            self.begin_frame(now);
        }
        let due = due.max(self.frame.starts_at);
        let mut payload = self.payload();
        Stamp { source: self.source, number: self.number, made_at_ns: wall_ns }.write(&mut payload);
        let packet = MediaPacket {
            number: self.number,
            timestamp: self.timestamp,
            marker: self.frame.sent + 1 == self.frame.packets,
            starts_key_frame: self.frame.is_key && self.frame.sent == 0,
            payload,
            due,
        };
        self.number += 1;
        self.frame.sent += 1;
        Some(packet)
    }

    fn begin_frame(&mut self, now: Instant) {
        let rate = u64::from(self.options.frame_rate.max(1));
        let mut skipped = 0;
        if now.saturating_duration_since(self.next_frame) > LARGEST_DELAY {
            let frames = (now - self.first).as_nanos() * u128::from(rate) / 1_000_000_000;
            skipped = (frames as u64).saturating_sub(self.frames);
        }
        self.frames_left_out += skipped;
        let starts_at = self.time_of(self.frames + skipped);
        self.frames += skipped + 1;
        self.next_frame = self.time_of(self.frames);
        let is_first = self.number == 0;
        let ticks = CLOCK_HZ / self.options.frame_rate.max(1);
        if !is_first {
            self.timestamp = self.timestamp.wrapping_add(ticks.wrapping_mul(1 + skipped as u32));
            self.picture_id = (self.picture_id + 1) & 0x7fff;
            self.tl0_picture_index = self.tl0_picture_index.wrapping_add(1);
        }
        let is_key = std::mem::take(&mut self.key_frame_due);
        let bytes = self.budget(is_key);
        let payload = self.options.payload_bytes().max(1);
        let packets = bytes.div_ceil(self.options.packet_bytes.max(1)).max(1);
        let total = bytes.saturating_sub(packets * RTP_HEADER_BYTES);
        let last_bytes =
            total.saturating_sub((packets - 1) * payload).clamp(smallest(is_key), payload);
        self.frame = Frame { starts_at, is_key, sent: 0, packets, last_bytes };
    }

    /// When a frame begins.
    fn time_of(&self, frame: u64) -> Instant {
        let rate = u64::from(self.options.frame_rate.max(1));
        self.first + Duration::from_nanos(frame * 1_000_000_000 / rate)
    }

    /// Bytes of this frame's packets.
    fn budget(&mut self, is_key: bool) -> usize {
        let usual = self.options.frame_bytes();
        if is_key {
            self.debt += usual * (KEY_FRAME_SCALE - 1);
            return usual * KEY_FRAME_SCALE;
        }
        let saved = self.debt.min(usual / REPAYMENT);
        self.debt -= saved;
        usual - saved
    }

    fn payload(&self) -> Vec<u8> {
        let Frame { is_key, sent, packets, last_bytes, .. } = self.frame;
        let is_last = sent + 1 == packets;
        let full = self.options.payload_bytes().max(smallest(is_key));
        let length = if is_last { last_bytes } else { full };
        let mut payload = Vec::with_capacity(length);
        let starts_partition = if sent == 0 { 0x10 } else { 0 };
        payload.extend([0x80 | starts_partition, 0xe0]);
        payload.extend((0x8000 | self.picture_id).to_be_bytes());
        payload.extend([self.tl0_picture_index, 0]);
        if sent == 0 {
            payload.extend(if is_key { KEY_PICTURE } else { SAME_PICTURE });
        }
        payload.resize(length.max(payload.len() + STAMP_BYTES), 0xa5);
        payload
    }
}

/// Payload bytes of the first packet of a frame: descriptor, picture and stamp.
fn smallest(is_key: bool) -> usize {
    DESCRIPTOR_BYTES + if is_key { KEY_PICTURE.len() } else { SAME_PICTURE.len() } + STAMP_BYTES
}

/// Whether a VP8 payload is the first packet of a key frame (RFC 7741 sections 4.2 and 4.3).
#[must_use]
pub fn starts_key_frame(payload: &[u8]) -> bool {
    let Some((descriptor, mut rest)) = payload.split_first() else { return false };
    // The start of partition 0.
    if descriptor & 0x17 != 0x10 {
        return false;
    }
    if descriptor & 0x80 != 0 {
        let Some((extensions, after)) = rest.split_first() else { return false };
        let has_long_id = extensions & 0x80 != 0 && after.first().is_some_and(|id| id & 0x80 != 0);
        let fields = [0x80, 0x40, 0x30].iter().filter(|bits| extensions & **bits != 0).count();
        rest = after.get(fields + usize::from(has_long_id)..).unwrap_or_default();
    }
    rest.first().is_some_and(|tag| tag & 1 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: VideoOptions =
        VideoOptions { bitrate_bps: 2_484_000, frame_rate: 30, packet_bytes: 1_150 };

    /// Everything that a source sends within `seconds`, asked at every deadline.
    fn run(source: &mut VideoSource, start: Instant, seconds: u64) -> Vec<MediaPacket> {
        let mut packets = Vec::new();
        while source.deadline() < start + Duration::from_secs(seconds) {
            packets.extend(source.poll(source.deadline(), 7));
        }
        packets
    }

    fn frames(packets: &[MediaPacket]) -> Vec<&[MediaPacket]> {
        packets.chunk_by(|a, b| a.timestamp == b.timestamp).collect()
    }

    #[test]
    fn thirty_frames_a_second_of_full_packets_reach_the_bitrate() {
        let start = Instant::now();
        let packets = run(&mut VideoSource::new(OPTIONS, 9, start), start, 10);
        assert_eq!(frames(&packets).len(), 300);
        let bits: usize = packets.iter().map(|p| (p.payload.len() + RTP_HEADER_BYTES) * 8).sum();
        let share = bits as f64 / f64::from(OPTIONS.bitrate_bps * 10);
        assert!((0.99..1.01).contains(&share), "{share}");
        let late = frames(&packets).split_off(100);
        assert!(late.iter().all(|frame| frame.len() == 9), "2.484 Mbit/s are nine packets a frame");
        assert!(late.iter().flat_map(|f| *f).all(|p| p.payload.len() == 1_138));
    }

    #[test]
    fn the_packets_of_a_frame_are_spread_over_five_milliseconds() {
        let start = Instant::now();
        let packets = run(&mut VideoSource::new(OPTIONS, 9, start), start, 2);
        for frame in frames(&packets) {
            let (Some(first), Some(last)) = (frame.first(), frame.last()) else { panic!("empty") };
            assert!(last.due - first.due < SPREAD);
            assert!(frame.is_sorted_by_key(|p| p.due));
            assert_eq!(frame.iter().filter(|p| p.marker).count(), 1);
            assert!(last.marker);
        }
    }

    #[test]
    fn a_key_frame_is_known_behind_every_form_of_descriptor() {
        for descriptor in [
            &[0x10][..],
            &[0x90, 0x00],
            &[0x90, 0x80, 0x05],
            &[0x90, 0x80, 0x85, 0x05],
            &[0x90, 0xe0, 0x85, 0x05, 1, 2],
            &[0x90, 0xf0, 0x05, 1, 2],
        ] {
            let with = |tag: u8| [descriptor, &[tag, 0, 0]].concat();
            assert!(starts_key_frame(&with(0x10)), "{descriptor:?}");
            assert!(!starts_key_frame(&with(0x11)), "{descriptor:?}");
            assert!(!starts_key_frame(descriptor), "{descriptor:?} alone");
        }
        for none in [&[][..], &[0x00, 0x10], &[0x11, 0x10], &[0x90], &[0x90, 0xff]] {
            assert!(!starts_key_frame(none), "{none:?}");
        }
    }

    #[test]
    fn the_first_frame_and_each_asked_for_is_a_key_frame() {
        let start = Instant::now();
        let mut source = VideoSource::new(OPTIONS, 9, start);
        let mut packets = run(&mut source, start, 1);
        source.request_key_frame();
        source.request_key_frame();
        packets.extend(run(&mut source, start, 2));
        for packet in &packets {
            assert_eq!(starts_key_frame(&packet.payload), packet.starts_key_frame);
        }
        let keys: Vec<_> = frames(&packets)
            .iter()
            .enumerate()
            .filter_map(|(index, frame)| frame[0].starts_key_frame.then_some(index))
            .collect();
        assert_eq!(keys, [0, 30]);
        // RFC 6386 section 9.1: bit 0 of the first byte is 0 in a key frame.
        let tag = packets.iter().find(|p| p.starts_key_frame).unwrap().payload[DESCRIPTOR_BYTES];
        assert_eq!(tag & 1, 0);
        assert_eq!(frames(&packets)[1][0].payload[DESCRIPTOR_BYTES] & 1, 1);
    }

    #[test]
    fn descriptors_count_pictures_and_mark_first_packets() {
        let start = Instant::now();
        let packets = run(&mut VideoSource::new(OPTIONS, 0x7fff, start), start, 1);
        for (index, frame) in frames(&packets).iter().enumerate() {
            for (place, packet) in frame.iter().enumerate() {
                let [first, flags, high, low, ..] = packet.payload[..] else { panic!("too short") };
                assert_eq!((first, flags), (if place == 0 { 0x90 } else { 0x80 }, 0xe0));
                let id = u16::from_be_bytes([high & 0x7f, low]);
                assert_eq!(id, (0x7fff + index as u16) & 0x7fff);
            }
        }
    }

    #[test]
    fn every_packet_is_stamped_with_its_number() {
        let start = Instant::now();
        for bitrate_bps in [1, 50_000, 20_000_000] {
            let options = VideoOptions { bitrate_bps, ..OPTIONS };
            let packets = run(&mut VideoSource::new(options, 9, start), start, 2);
            for (number, packet) in (0..).zip(&packets) {
                let expected = Stamp { source: 9, number, made_at_ns: 7 };
                assert_eq!(Stamp::read(&packet.payload), Some(expected));
                assert_eq!(packet.number, number);
                assert!(packet.payload.len() <= 1_138);
            }
        }
    }

    #[test]
    fn a_source_that_was_stopped_leaves_out_what_it_missed() {
        let start = Instant::now();
        let mut source = VideoSource::new(OPTIONS, 9, start);
        let before = run(&mut source, start, 1).last().unwrap().timestamp;
        let later = start + Duration::from_secs(11);
        let packet = source.poll(later, 7).unwrap();
        assert!(later - packet.due < Duration::from_millis(34), "it does not catch up");
        let ticks = packet.timestamp.wrapping_sub(before);
        assert!(ticks.abs_diff(10 * CLOCK_HZ) < CLOCK_HZ / 10, "media time went on: {ticks}");
        assert!(source.frames_left_out.abs_diff(300) < 3);
    }
}

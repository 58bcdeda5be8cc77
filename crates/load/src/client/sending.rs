//! What a member sends: an audio and a video source.

use std::time::{Duration, Instant};

use super::peer::{LineKind, Peer};
use crate::measure::Tally;
use crate::media::{AudioOptions, AudioSource, MediaPacket, VideoOptions, VideoSource};

/// The sources of one stream, with the numbers in their stamps.
pub(super) struct Sources {
    audio: Option<(u32, AudioSource)>,
    video: Option<(u32, VideoSource)>,
}

impl Sources {
    /// Sources that begin within a frame from now: publishers that began at the same moment would all send at the
    /// same moment ever after.
    pub(super) fn new(
        audio: Option<AudioOptions>,
        video: Option<VideoOptions>,
        now: Instant,
        random: &mut fastrand::Rng,
    ) -> Self {
        let mut start = |interval_us| now + Duration::from_micros(random.u64(0..interval_us));
        let (audio_at, video_at) = (start(20_000), start(33_333));
        let (audio_id, video_id) = (random.u32(..), random.u32(..));
        Self {
            audio: audio.map(|audio| (audio_id, AudioSource::new(audio, audio_id, audio_at))),
            video: video.map(|video| (video_id, VideoSource::new(video, video_id, video_at))),
        }
    }

    /// When there is a packet.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let audio = self.audio.as_ref().map(|(_, source)| source.deadline());
        let video = self.video.as_ref().map(|(_, source)| source.deadline());
        audio.into_iter().chain(video).min()
    }

    /// The next video frame is to be a key frame.
    pub(super) fn request_key_frame(&mut self) {
        if let Some((_, video)) = &mut self.video {
            video.request_key_frame();
        }
    }

    /// Gives what is due to the peer connection. Without one it is lost, as what a camera sees meanwhile is.
    pub(super) fn send(
        &mut self,
        now: Instant,
        wall_ns: u64,
        mut peer: Option<&mut Peer>,
        tally: &mut Tally,
    ) {
        if let Some((_, source)) = &mut self.audio {
            let mut level = source.level_dbov();
            while let Some(packet) = source.poll(now, wall_ns) {
                count(tally, now, LineKind::Audio, &packet);
                if let Some(peer) = &mut peer {
                    peer.send(now, LineKind::Audio, packet, level);
                }
                level = source.level_dbov();
            }
        }
        if let Some((_, source)) = &mut self.video {
            while let Some(packet) = source.poll(now, wall_ns) {
                count(tally, now, LineKind::Video, &packet);
                if let Some(peer) = &mut peer {
                    peer.send(now, LineKind::Video, packet, 0);
                }
            }
        }
    }

    /// Nothing more will be sent: what was is final.
    pub(super) fn close(self, tally: &mut Tally) {
        if let Some((id, source)) = self.audio {
            tally.sources.insert(id, source.sent());
            tally.frames_left_out += source.frames_left_out;
        }
        if let Some((id, source)) = self.video {
            tally.sources.insert(id, source.sent());
            tally.frames_left_out += source.frames_left_out;
        }
    }
}

fn count(tally: &mut Tally, now: Instant, kind: LineKind, packet: &MediaPacket) {
    let traffic = match kind {
        LineKind::Audio => &mut tally.audio,
        LineKind::Video => &mut tally.video,
    };
    traffic.sent += 1;
    traffic.sent_bytes += packet.payload.len() as u64;
    tally.key_frames += u64::from(packet.starts_key_frame);
    tally.sending_late.add(now.saturating_duration_since(packet.due));
}

"""Encoders and decoders, on PyAV. One object for each encoding; calls are made one after another, in any thread."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, Protocol

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame

from tertulia.client.media.peer import Codec, EncodedFrame, Kind
from tertulia.client.media.webrtc.payloads import is_key_frame

AUDIO_RATE, VIDEO_RATE = 48_000, 90_000
OPUS_SAMPLES = 960
"""20 ms: what browsers send."""

BITS_PER_PIXEL = 0.1
"""For the default bitrate: a talking head in VP8 looks clean at this. Our own choice."""

LEAST_BITRATE_BPS, MOST_BITRATE_BPS = 100_000, 4_000_000


class OpusEncoder:
    """Sound to Opus: 48 kHz, stereo, 20 ms a packet, from frames of any rate, layout and length."""

    def __init__(self, bitrate_bps: int) -> None:
        """Takes the bits per second."""
        self._codec = _audio_context("libopus", "w")
        self._codec.bit_rate = bitrate_bps
        self._codec.time_base = Fraction(1, AUDIO_RATE)
        self._codec.options = {"application": "voip", "frame_duration": "20"}
        self._resampler: AudioResampler | None = None
        self._shape: tuple[str, str, int] | None = None

    def encode(self, frame: AudioFrame, timestamp: int) -> list[EncodedFrame]:
        """The packets that are complete now; the first begins at or before `timestamp` (48 kHz), the rest follow it."""
        shape = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._resampler is None or shape != self._shape:
            self._resampler, self._shape = AudioResampler("s16", "stereo", AUDIO_RATE, OPUS_SAMPLES), shape
        frame.pts = None
        encoded = []
        for piece in self._resampler.resample(frame):
            level = loudness(bytes(piece.planes[0])[: piece.samples * 4])
            piece.pts = None
            for packet in self._codec.encode(piece):
                encoded.append(EncodedFrame("audio", "opus", bytes(packet), timestamp & 0xFFFFFFFF, audio_level=level))
                timestamp += OPUS_SAMPLES
        return encoded


def loudness(samples: bytes) -> int:
    """Level of 16-bit samples, 0 (loudest) to 127 (silence), in -dBov (RFC 6464). Every eighth sample is looked at."""
    values = memoryview(samples).cast("h")[::8].tolist()
    power = sum(value * value for value in values) / max(1, len(values))
    return 127 if power < 1 else min(127, max(0, round(-10 * math.log10(power / 32768**2))))


class VideoEncoder:
    """Pictures to VP8 or H.264. A picture of another size than the one before begins anew with a key frame."""

    def __init__(self, codec: Codec, *, scale: int = 1, bitrate_bps: int | None = None, frame_rate: float = 30) -> None:
        """Takes by what the picture's sides are divided, and the bits per second; None chooses them by the size."""
        self._name: Codec = codec
        self._scale = scale
        self._bitrate_bps = bitrate_bps
        self._frame_rate = frame_rate
        self._codec: VideoCodecContext | None = None

    def encode(self, frame: VideoFrame, timestamp: int, *, key_frame: bool) -> list[EncodedFrame]:
        """The picture at `timestamp` (90 kHz)."""
        width, height = (max(2, side // self._scale & ~1) for side in (frame.width, frame.height))
        picture = frame.reformat(width=width, height=height, format="yuv420p")
        if self._codec is None or (self._codec.width, self._codec.height) != (width, height):
            self._codec = self._make(width, height)
        picture.pts, picture.time_base = timestamp, Fraction(1, VIDEO_RATE)
        picture.pict_type = PictureType.I if key_frame else PictureType.NONE
        data = b"".join(bytes(packet) for packet in self._codec.encode(picture))
        if not data:
            return []  # the encoder saves bits
        key = is_key_frame(self._name, data)
        return [EncodedFrame("video", self._name, data, timestamp & 0xFFFFFFFF, key)]

    def _make(self, width: int, height: int) -> VideoCodecContext:
        wanted = self._bitrate_bps or int(width * height * self._frame_rate * BITS_PER_PIXEL)
        bitrate = min(MOST_BITRATE_BPS, max(LEAST_BITRATE_BPS, wanted))
        codec = _video_context("libvpx" if self._name == "vp8" else "libx264", "w")
        codec.width, codec.height, codec.pix_fmt = width, height, "yuv420p"
        codec.bit_rate, codec.time_base = bitrate, Fraction(1, VIDEO_RATE)
        codec.framerate = Fraction(self._frame_rate).limit_denominator(1001)
        codec.gop_size, codec.max_b_frames, codec.thread_count = 3000, 0, 1
        rate = {"maxrate": str(bitrate), "bufsize": str(bitrate)}
        if self._name == "vp8":
            codec.options = {
                **rate,
                "minrate": str(bitrate),
                "deadline": "realtime",
                "cpu-used": "8",
                "lag-in-frames": "0",
                "error-resilient": "default",
            }
        else:
            codec.options = {**rate, "preset": "ultrafast", "tune": "zerolatency", "forced-idr": "1"}
            codec.profile = "Baseline"
        return codec


class Decoder(Protocol):
    """Encoded frames to decoded ones."""

    def decode(self, frame: EncodedFrame) -> list[Any]:
        """The frames that come of it.

        Raises:
            av.FFmpegError: it cannot be decoded; a key frame is needed.
        """


class FrameDecoder:
    """Decodes one track; when its codec changes it begins anew."""

    def __init__(self, kind: Kind) -> None:
        """Takes what it decodes."""
        self._rate = AUDIO_RATE if kind == "audio" else VIDEO_RATE
        self._codec: AudioCodecContext | VideoCodecContext | None = None
        self._name = ""

    def decode(self, frame: EncodedFrame, pts: int) -> list[AudioFrame | VideoFrame]:
        """The frames that come of `frame`, which get `pts`, in ticks of 48 kHz or 90 kHz.

        Raises:
            av.FFmpegError: it cannot be decoded; a key frame is needed.
        """
        if self._codec is None or self._name != frame.codec:
            self._name = frame.codec
            self._codec = _audio_context("libopus", "r") if frame.kind == "audio" else _video_decoder(frame.codec)
        packet = Packet(frame.data)
        packet.pts, packet.time_base = pts, Fraction(1, self._rate)
        frames: list[AudioFrame | VideoFrame] = list(self._codec.decode(packet))
        for decoded in frames:
            decoded.pts, decoded.time_base = pts, Fraction(1, self._rate)
        return frames


def _audio_context(name: str, mode: Any) -> AudioCodecContext:
    codec = av.CodecContext.create(name, mode)
    assert isinstance(codec, AudioCodecContext)
    codec.format, codec.layout, codec.sample_rate = "s16", "stereo", AUDIO_RATE
    return codec


def _video_context(name: str, mode: Any) -> VideoCodecContext:
    codec = av.CodecContext.create(name, mode)
    assert isinstance(codec, VideoCodecContext)
    return codec


def _video_decoder(codec: Codec) -> VideoCodecContext:
    context = _video_context({"vp8": "libvpx", "vp9": "libvpx-vp9"}.get(codec, "h264"), "r")
    context.thread_count = 1
    return context

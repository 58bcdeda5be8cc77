"""From a Publisher's sources to its lines: pace, encode, send. One task for each track until the Publisher is over."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterable, AsyncIterator
from typing import TYPE_CHECKING, Any

from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame

from tertulia.client.errors import capture_failed
from tertulia.client.media.codecs import AUDIO_RATE, VIDEO_RATE, OpusEncoder, VideoEncoder
from tertulia.client.media.sources import as_session_error
from tertulia.client.media.workers import WORKERS

if TYPE_CHECKING:
    from tertulia.client.media.peer import SentLine
    from tertulia.client.publisher import Publisher

LATE_S = 0.5
"""A frame that comes later than its time by more than this moves the time of all that follow. Our own choice."""

SKIP_S = 0.15
"""A picture that is later than this is not encoded: the encoder does not keep up. Our own choice."""

LONGEST_SIDE = 8192
"""Pixels of a picture's side, as in a Publisher's options: above it encoders and browsers give up."""

JUMP_SAMPLES = 4800
"""Sound follows its own count of samples, until its times say that 100 ms are missing or too many."""


class Timeline:
    """When frames are due. The tracks of one source share it, so that they stay in sync."""

    def __init__(self) -> None:
        """Time begins with the first frame of any track."""
        self.origin_s: float | None = None


class Pump:
    """One track of a Publisher."""

    kind = ""

    def __init__(self, publisher: Publisher, source: AsyncIterable[Any], timeline: Timeline) -> None:
        """Starts to take frames."""
        self._publisher = publisher
        self._timeline = timeline
        self._shift_s: float | None = None
        self._start_s = 0.0
        self._next_s = 0.0
        WORKERS.lease()
        self._task = asyncio.get_running_loop().create_task(self._run(source), name="tertulia publisher")
        self._task.add_done_callback(lambda _: WORKERS.release())

    @property
    def running(self) -> bool:
        """Whether its source still delivers."""
        return not self._task.done()

    def stop(self) -> None:
        """Ends the source."""
        if self._task is not asyncio.current_task():
            self._task.cancel()

    async def stopped(self) -> None:
        """Waits for the end of the source."""
        if self._task is not asyncio.current_task():
            await asyncio.wait((self._task,))

    async def _run(self, source: AsyncIterable[Any]) -> None:
        error = None
        try:
            async with _closing(aiter(source)) as frames:
                async for frame in frames:
                    await self._take(frame)
                    if self._publisher.destroyed:
                        return
        except Exception as failure:  # noqa: BLE001 - the program's own source may raise anything
            error = as_session_error(failure)
        asyncio.get_running_loop().call_soon(self._publisher._source_ended, self, self.kind, error)

    async def _take(self, frame: Any) -> None:
        raise NotImplementedError

    async def _wait_until_due(self, frame: AudioFrame | VideoFrame, duration_s: float) -> float:
        """Waits for the frame's time and returns it, in seconds of the event loop's clock."""
        loop = asyncio.get_running_loop()
        time_s = float(frame.pts * frame.time_base) if frame.pts is not None and frame.time_base else self._next_s
        self._next_s = time_s + duration_s
        now = loop.time()
        if self._timeline.origin_s is None:
            self._timeline.origin_s = now - time_s
        if self._shift_s is None:
            self._shift_s = self._timeline.origin_s
        due_s = self._shift_s + time_s
        if now - due_s > LATE_S or due_s - now > 60:
            self._shift_s = now - time_s
            due_s = now
        if due_s > now:
            await asyncio.sleep(due_s - now)
        return due_s


class AudioPump(Pump):
    """Sound to Opus."""

    kind = "audio"

    def __init__(self, publisher: Publisher, source: AsyncIterable[AudioFrame], timeline: Timeline) -> None:
        """Starts to take frames."""
        self._encoder = OpusEncoder(publisher._options.audio_bitrate_bps)
        self._timestamp: int | None = None
        super().__init__(publisher, source, timeline)

    async def _take(self, frame: object) -> None:
        if not isinstance(frame, AudioFrame):
            raise capture_failed(f"The audio source gave a {type(frame).__name__}; it must give PyAV audio frames.")
        if frame.samples == 0 or frame.sample_rate == 0:
            return
        due_s = await self._wait_until_due(frame, frame.samples / frame.sample_rate)
        line = _line(self._publisher, self.kind)
        wanted = int(due_s * AUDIO_RATE)
        if self._timestamp is None or abs(wanted - self._timestamp) > JUMP_SAMPLES:
            self._timestamp = wanted
        # Encoded at once: 20 ms of Opus take less time than a hop to another thread and back.
        for encoded in self._encoder.encode(frame, self._timestamp):
            self._timestamp += 960
            if line is not None and self._publisher.publishes_audio:
                line.send(encoded)


class VideoPump(Pump):
    """Pictures to VP8 or H.264, in one size or three."""

    kind = "video"

    def __init__(self, publisher: Publisher, source: AsyncIterable[VideoFrame], timeline: Timeline) -> None:
        """Starts to take frames."""
        options = publisher._options
        self._frame_rate = options.frame_rate or publisher._frame_rate or 30.0
        scales = (4, 2, 1) if options.simulcast else (1,)
        bitrate = options.video_bitrate_bps
        self._encoders = [
            VideoEncoder(
                options.video_codec,
                scale=scale,
                bitrate_bps=None if bitrate is None else max(50_000, bitrate // scale**2),
                frame_rate=self._frame_rate,
            )
            for scale in scales
        ]
        self._encoding: set[int] = set()
        super().__init__(publisher, source, timeline)

    async def _take(self, frame: object) -> None:
        if not isinstance(frame, VideoFrame):
            raise capture_failed(f"The video source gave a {type(frame).__name__}; it must give PyAV video frames.")
        if not (1 <= frame.width <= LONGEST_SIDE and 1 <= frame.height <= LONGEST_SIDE):
            raise capture_failed(
                f"The video source gave a picture of {frame.width} x {frame.height}. Scale it: each side may have 1 to "
                f"{LONGEST_SIDE} pixels."
            )
        due_s = await self._wait_until_due(frame, 1 / self._frame_rate)
        self._publisher._resized(frame.width, frame.height)
        line, publication = _line(self._publisher, self.kind), self._publisher._publication
        late = asyncio.get_running_loop().time() - due_s > SKIP_S
        if line is None or publication is None or late or not self._publisher.publishes_video:
            return
        # What was paused begins anew: nobody has the pictures before.
        keys = {
            index: line.take_key_frame_request(index) or index not in self._encoding for index in publication.needed
        }
        self._encoding = set(keys)
        timestamp = int(due_s * VIDEO_RATE)
        encoded = await WORKERS.run(self._encode, frame, timestamp, keys)
        line = _line(self._publisher, self.kind)
        for index, pictures in encoded.items():
            for picture in pictures:
                if line is not None:
                    line.send(picture, index)

    def _encode(self, frame: VideoFrame, timestamp: int, keys: dict[int, bool]) -> dict[int, list[Any]]:
        return {index: self._encoders[index].encode(frame, timestamp, key_frame=key) for index, key in keys.items()}


def _line(publisher: Publisher, kind: str) -> SentLine | None:
    publication = publisher._publication
    if publication is None or publication.lines is None:
        return None
    return publication.lines.audio if kind == "audio" else publication.lines.video


@contextlib.asynccontextmanager
async def _closing(frames: AsyncIterator[Any]) -> AsyncIterator[AsyncIterator[Any]]:
    """Ends a generator whatever happens in between."""
    try:
        yield frames
    finally:
        close = getattr(frames, "aclose", None)
        if close is not None:
            await close()

"""Publisher: what a program sends into a session."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterable, AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from tertulia.client.dispatch import EventDispatcher
from tertulia.client.emitter import Emitter
from tertulia.client.errors import invalid_parameter, media_not_installed
from tertulia.client.events import (
    PUBLISHER_EVENTS,
    DestroyedEvent,
    MediaStoppedEvent,
    MuteForcedEvent,
    StreamEvent,
)
from tertulia.client.values import Stream, StreamReason, VideoDimensions

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.video.frame import VideoFrame

    from tertulia.client.media.engine import Publication
    from tertulia.client.media.pumps import Pump
    from tertulia.client.media.sources import Opened

VideoCodec = Literal["vp8", "h264"]
VideoType = Literal["camera", "screen", "custom"]

Wanted = tuple[Literal["audio", "video"], str | Path, str | None]
"""A track of a file (no third part) or device (its kind in ffmpeg's words; "" for the system's own kind)."""

RIDS = ("q", "h", "f")
"""Names of the encodings of a simulcast, smallest first; each has sides twice as long as the one before."""

_log = logging.getLogger("tertulia.client")


@dataclass(frozen=True, slots=True)
class _Options:
    """What a Publisher was made with."""

    name: str
    initials: str | None
    video_type: VideoType
    video_codec: VideoCodec
    simulcast: bool
    audio_fallback: bool
    dimensions: VideoDimensions
    frame_rate: float | None
    audio_bitrate_bps: int
    video_bitrate_bps: int | None


class Publisher(Emitter):
    """One stream that this program sends: frames of its own, a file, or a camera and a microphone.

        publisher = Publisher.from_file("welcome.webm")
        await session.publish(publisher)
        await publisher.ended()

    Frames are paced by their times (`pts`), so a source that is faster than real time is slowed down. Sound may
    have any
    sample rate and layout; pictures may have any format, and may change their size in mid-stream: subscribers then get
    `streamPropertyChanged` for `videoDimensions`. A source goes on while the Publisher is not published, as a
    camera does; what it delivers meanwhile is dropped.

    Events: `streamCreated`, `streamDestroyed` (default: the Publisher is destroyed), `mediaStopped` (default: it is
    destroyed when no source is left), `muteForced`, `destroyed`.
    """

    def __init__(
        self,
        *,
        audio: AsyncIterable[AudioFrame] | None = None,
        video: AsyncIterable[VideoFrame] | None = None,
        name: str = "",
        initials: str | None = None,
        video_type: VideoType = "camera",
        publish_audio: bool = True,
        publish_video: bool = True,
        width: int = 640,
        height: int = 480,
        frame_rate: float | None = None,
        video_codec: VideoCodec = "vp8",
        simulcast: bool = False,
        audio_fallback: bool | None = None,
        audio_bitrate_bps: int = 64_000,
        video_bitrate_bps: int | None = None,
    ) -> None:
        """Prepares a stream. Nothing is sent and no source is opened before `session.publish()`.

        Args:
            audio: PyAV audio frames; None for a stream without sound.
            video: PyAV video frames; None for a stream without pictures.
            name: shown to subscribers; at most 1000 characters.
            initials: shown where there is no picture.
            video_type: `camera`, `screen` or `custom`.
            publish_audio: whether sound is sent at first.
            publish_video: whether pictures are sent at first.
            width: in pixels, as announced before the first picture has come.
            height: in pixels, likewise.
            frame_rate: pictures in a second, 1 to 120; also the pace of pictures that have no times. None: 30.
            video_codec: `vp8`, which every browser plays, or `h264`, which costs about half the work.
            simulcast: sends the pictures in three sizes (a quarter, a half, and whole sides).
            audio_fallback: whether the server may leave the pictures out for subscribers whose network cannot carry
                them. None: unless `video_type` is `screen`.
            audio_bitrate_bps: bits per second, 6000 to 510000.
            video_bitrate_bps: bits per second of the whole size, 50000 to 20000000; None chooses by size and frame
            rate.

        Raises:
            InvalidParameterError: neither `audio` nor `video`, something that cannot be iterated over, or an option out
                of its range.
        """
        super().__init__(EventDispatcher(PUBLISHER_EVENTS))
        for kind, source in (("audio", audio), ("video", video)):
            if source is not None and not isinstance(source, AsyncIterable):
                raise invalid_parameter(
                    f"`{kind}` is a {type(source).__name__}; it must be an async iterable of PyAV {kind} frames."
                )
        if audio is None and video is None:
            raise invalid_parameter("A Publisher needs `audio`, `video` or both.")
        self._set_up(
            _Options(
                _text(name, "name", 1000),
                None if initials is None else _text(initials, "initials", 1000),
                _one_of(video_type, "video_type", ("camera", "screen", "custom")),
                _one_of(video_codec, "video_codec", ("vp8", "h264")),
                bool(simulcast),
                video_type != "screen" if audio_fallback is None else bool(audio_fallback),
                VideoDimensions(_number(width, "width", 1, 8192), _number(height, "height", 1, 8192)),
                None if frame_rate is None else _real(frame_rate, "frame_rate", 1, 120),
                _number(audio_bitrate_bps, "audio_bitrate_bps", 6_000, 510_000),
                None
                if video_bitrate_bps is None
                else _number(video_bitrate_bps, "video_bitrate_bps", 50_000, 20_000_000),
            ),
            audio,
            video,
        )
        self._wants_audio, self._wants_video = bool(publish_audio), bool(publish_video)

    def _set_up(
        self, options: _Options, audio: AsyncIterable[AudioFrame] | None, video: AsyncIterable[VideoFrame] | None
    ) -> None:
        self._options = options
        self._audio, self._video = audio, video
        self._opening: Callable[[], tuple[Opened | None, Opened | None]] | None = None
        self._wants_audio = self._wants_video = True
        self._stream: Stream | None = None
        self._publication: Publication | None = None
        self._update: Callable[[dict[str, Any]], None] | None = None
        self._leave: Callable[[str], None] | None = None
        self._busy = self._destroyed = False
        self._pumps: list[Pump] = []
        self._dimensions = options.dimensions
        self._over: asyncio.Event = asyncio.Event()

    @classmethod
    def from_file(
        cls, path: str | Path, *, loop: bool = False, audio: bool = True, video: bool = True, **options: Any
    ) -> Self:
        """A Publisher that plays a file, or an address that ffmpeg can open.

        It is opened by `session.publish()`, which raises `CaptureError` if it cannot be decoded. At its end comes
        `mediaStopped`, with a `CaptureError` as its `error` if the file breaks off or is damaged in the middle.

        Args:
            path: of the file.
            loop: whether it begins again at its end.
            audio: whether its sound is published, if it has any.
            video: whether its pictures are published, if it has any.
            options: those of `Publisher`, for example `name`.

        Raises:
            InvalidParameterError: neither `audio` nor `video`, or an option out of its range.
        """
        wanted: list[Wanted] = []
        if audio:
            wanted.append(("audio", path, None))
        if video:
            wanted.append(("video", path, None))
        return cls._opened_later(wanted, loop, options)

    @classmethod
    def from_device(
        cls,
        *,
        audio: str | None = "default",
        video: str | None = "/dev/video0",
        audio_format: str | None = None,
        video_format: str | None = None,
        **options: Any,
    ) -> Self:
        """A Publisher of a microphone and a camera, or of anything else that ffmpeg opens as a device.

        They are opened by `session.publish()`, which raises `CaptureError` if one is missing (`OT_NO_DEVICES_FOUND`),
        busy or broken (`OT_HARDWARE_UNAVAILABLE`). When one is taken away later, `mediaStopped` carries the error.

        Args:
            audio: the microphone; None for none.
            video: the camera; None for none.
            audio_format: ffmpeg's name for the kind of device; None: `alsa`, on macOS `avfoundation`.
            video_format: the same for the camera; None: `v4l2`, on macOS `avfoundation`.
            options: those of `Publisher`.

        Raises:
            InvalidParameterError: neither `audio` nor `video`, or an option out of its range.
        """
        wanted: list[Wanted] = []
        if audio is not None:
            wanted.append(("audio", audio, audio_format or ""))
        if video is not None:
            wanted.append(("video", video, video_format or ""))
        return cls._opened_later(wanted, False, options)

    @classmethod
    def _opened_later(cls, wanted: list[Wanted], loop: bool, options: dict[str, Any]) -> Self:
        if not wanted:
            raise invalid_parameter("A Publisher needs `audio`, `video` or both.")

        async def nothing() -> AsyncIterator[Any]:
            return
            yield

        publisher = cls(audio=nothing(), **options)  # checks the options
        publisher._audio = publisher._video = None

        def open_all() -> tuple[Opened | None, Opened | None]:
            from tertulia.client.media.sources import open_all

            return open_all(wanted, loop=loop)

        publisher._opening = open_all
        return publisher

    # What it is

    @property
    def stream(self) -> Stream | None:
        """The stream while it is published, else None."""
        return self._stream

    @property
    def publishes_audio(self) -> bool:
        """Whether sound is sent while it is published."""
        return self._wants_audio

    @property
    def publishes_video(self) -> bool:
        """Whether pictures are sent while it is published."""
        return self._wants_video

    @property
    def destroyed(self) -> bool:
        """Whether it is over; it cannot be published again then."""
        return self._destroyed

    def publish_audio(self, value: bool) -> None:
        """Sends sound or silence. Subscribers learn of it by `streamPropertyChanged`."""
        if value is not self._wants_audio:
            self._wants_audio = bool(value)
            self._tell({"has_audio": self._wants_audio})

    def publish_video(self, value: bool) -> None:
        """Sends pictures or none. Subscribers learn of it by `streamPropertyChanged`."""
        if value is not self._wants_video:
            self._wants_video = bool(value)
            self._tell({"has_video": self._wants_video})

    async def ended(self) -> None:
        """Waits until it is destroyed: by `destroy()`, by the end of its sources, or with its session."""
        await self._over.wait()

    def destroy(self) -> None:
        """Ends the stream and the sources. `destroyed` follows. On a destroyed Publisher it does nothing."""
        self._destroy("clientDisconnected")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.destroy()
        for pump in self._pumps:
            await pump.stopped()
        await self._dispatcher.drained()
        await self._dispatcher.cancel_hanging()

    # What the session does with it

    async def _prepare(self) -> None:
        """Opens what is to be opened."""
        try:
            from tertulia.client.media.workers import WORKERS
        except ImportError as error:
            raise media_not_installed(error) from error
        if self._opening is None:
            return
        WORKERS.lease()
        try:
            audio, video = await WORKERS.run(self._opening)
        finally:
            WORKERS.release()
        self._opening = None
        self._audio = None if audio is None else audio.frames()
        if video is not None:
            self._video = video.frames()
            self._dimensions = VideoDimensions(video.width, video.height)
            if self._options.frame_rate is None and video.frame_rate is not None:
                self._frame_rate = video.frame_rate

    _frame_rate: float = 0.0

    def _published(
        self,
        stream: Stream,
        publication: Publication,
        update: Callable[[dict[str, Any]], None],
        leave: Callable[[str], None],
    ) -> None:
        """The server has registered the stream."""
        from tertulia.client.media.pumps import AudioPump, Timeline, VideoPump

        self._stream, self._publication, self._update, self._leave = stream, publication, update, leave
        self._dispatch(StreamEvent("streamCreated", stream))
        if self._pumps or self._destroyed:
            return
        timeline = Timeline()
        if self._audio is not None:
            self._pumps.append(AudioPump(self, self._audio, timeline))
        if self._video is not None:
            self._pumps.append(VideoPump(self, self._video, timeline))

    def _unpublished(self, reason: StreamReason, *, prevented: bool = False) -> None:
        """The stream is over."""
        stream, self._stream = self._stream, None
        self._publication = self._update = self._leave = None
        if stream is None:
            return
        event = StreamEvent("streamDestroyed", stream, reason)
        if prevented:
            event.prevent_default()
        event.default = lambda: None if event.is_default_prevented() else self._destroy(str(reason))
        self._dispatch(event)

    def _mute(self) -> None:
        """A moderator or the server mutes it."""
        self.publish_audio(False)
        self._dispatch(MuteForcedEvent(active=True))

    def _resized(self, width: int, height: int) -> None:
        """A picture has another size than those before."""
        if self._dimensions != VideoDimensions(width, height):
            self._dimensions = VideoDimensions(width, height)
            self._tell({"video_dimensions": self._dimensions})

    def _source_ended(self, pump: Pump, kind: str, error: Any) -> None:
        """One source has come to its end, or failed."""
        event = MediaStoppedEvent(kind, error)

        def default() -> None:
            if not event.is_default_prevented() and not any(pump.running for pump in self._pumps):
                self._destroy("mediaStopped")

        event.default = default
        self._dispatch(event)

    def _destroy(self, reason: str) -> None:
        if self._destroyed:
            return
        self._destroyed = True
        if self._leave is not None:
            self._leave(reason)
        for pump in self._pumps:
            pump.stop()
        self._over.set()
        self._dispatch(DestroyedEvent(reason))

    def _tell(self, changes: dict[str, Any]) -> None:
        if self._update is not None:
            self._update(changes)


def _text(value: object, name: str, longest: int) -> str:
    if not isinstance(value, str) or len(value) > longest:
        raise invalid_parameter(f"`{name}` must be a text of at most {longest} characters.")
    return value


def _number(value: object, name: str, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise invalid_parameter(f"`{name}` must be a whole number from {least} to {most}, not {value!r}.")
    return value


def _real(value: object, name: str, least: float, most: float) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value <= most:
        raise invalid_parameter(f"`{name}` must be a number from {least} to {most}, not {value!r}.")
    return float(value)


def _one_of(value: Any, name: str, choices: tuple[str, ...]) -> Any:
    if value not in choices:
        raise invalid_parameter(f"`{name}` must be one of {', '.join(choices)}, not {value!r}.")
    return value

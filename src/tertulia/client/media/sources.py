"""Where a Publisher's frames come from: files, devices, and anything that the program iterates over."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import av
from av.audio.frame import AudioFrame
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame

from tertulia.client.errors import SessionError, capture_failed, device_failed
from tertulia.client.media.peer import Kind
from tertulia.client.media.workers import WORKERS

OPEN_S = 10
"""A file or device must open, and go on delivering, within this time."""

TIMED_FORMATS = frozenset({"matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2", "avi"})
"""ffmpeg's names of the formats whose files say how long they are; of others it makes an estimate."""

SHORT_S = 1.0
"""A file that ends sooner than it says by more than this and a hundredth is damaged. Our own choice."""


class Opened:
    """One track of a file or device, read frame by frame in a thread. Made by `open_track`."""

    def __init__(self, container: InputContainer, kind: Kind, name: str, *, loop: bool, device: bool) -> None:
        """Takes an open container that has such a track.

        Raises:
            SessionError: there is no decoder for it.
        """
        self._container = container
        self._name = name
        self._loop = loop
        self._device = device
        self._frames: Iterator[AudioFrame | VideoFrame] | None = None
        track = container.streams.video[0] if kind == "video" else container.streams.audio[0]
        self._track = track
        if track.codec_context is None:
            raise capture_failed(
                f"{name} has {kind} in a format that cannot be decoded here. Convert it, for example to WebM, or "
                f"publish without it: {kind}=False."
            )
        timed = container.format.name in TIMED_FORMATS and not device
        self._length_s = (container.duration or 0) / av.time_base if timed else 0.0
        self._begin_s = (container.start_time or 0) / av.time_base
        self._reached_s = 0.0
        self.width = self.height = 0
        self.frame_rate: float | None = None
        if kind == "video":
            video = container.streams.video[0]
            video.thread_type = "SLICE"
            self.width, self.height = video.width, video.height
            self.frame_rate = float(video.average_rate) if video.average_rate else None
        self._shift_s = self._end_s = 0.0

    async def frames(self) -> AsyncIterator[Any]:
        """The frames, with times in seconds that go on when the file begins again.

        Raises:
            SessionError: the file cannot be decoded any further, or the device was taken away.
        """
        WORKERS.lease()
        try:
            while (frame := await WORKERS.run(self._next)) is not None:
                yield frame
        finally:
            # In a thread: a device takes a while to close, and a read may still be under way in another.
            WORKERS.release()
            self._frames = None
            self._container.close()

    def close(self) -> None:
        """Closes it unread."""
        self._container.close()

    def _next(self) -> AudioFrame | VideoFrame | None:
        try:
            while True:
                if self._frames is None:
                    self._frames = self._decoded()
                frame = next(self._frames, None)
                if frame is None:
                    self._check_length()
                    if not self._loop or self._end_s <= self._shift_s:
                        return None
                    self._container.seek(0)
                    self._frames, self._shift_s = None, self._end_s
                    continue
                return self._shifted(frame)
        except FFmpegError as error:
            if self._device:
                raise _device_error(self._name, "gives nothing more", error) from error
            raise capture_failed(f"{self._name} cannot be decoded further: {_words(error)}. {_DAMAGED}") from error

    def _decoded(self) -> Iterator[AudioFrame | VideoFrame]:
        # Every track is read, though one is decoded: tracks of a sound file differ in length, and the longest counts.
        for packet in self._container.demux():
            if packet.pts is not None and packet.time_base is not None:
                end_s = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                self._reached_s = max(self._reached_s, end_s - self._begin_s)
            if packet.stream_index == self._track.index:
                for frame in packet.decode():
                    if isinstance(frame, AudioFrame | VideoFrame):
                        yield frame

    def _check_length(self) -> None:
        """Some formats hide what is missing: their files seem to end where they are damaged."""
        if self._reached_s < 0.99 * self._length_s - SHORT_S:
            raise capture_failed(
                f"{self._name} breaks off after {self._reached_s:.1f} s of {self._length_s:.1f} s. {_DAMAGED}"
            )

    def _shifted(self, frame: AudioFrame | VideoFrame) -> AudioFrame | VideoFrame:
        if frame.pts is not None and frame.time_base is not None:
            duration_s = (
                frame.samples / frame.sample_rate if isinstance(frame, AudioFrame) else 1 / (self.frame_rate or 30)
            )
            start_s = float(frame.pts * frame.time_base)
            self._end_s = max(self._end_s, self._shift_s + start_s + duration_s)
            frame.pts += round(self._shift_s / frame.time_base)
        return frame


def open_track(
    name: str | Path,
    kind: Kind,
    *,
    loop: bool = False,
    format: str | None = None,
    options: dict[str, str] | None = None,
) -> Opened | None:
    """Opens one track of a file or device; None if it has none of that kind. Blocks: call it in a thread.

    Raises:
        SessionError: it does not exist or cannot be opened (device), or is no media file that can be decoded.
    """
    device = format is not None
    where = f"The {'device' if device else 'file'} {str(name)!r}"
    try:
        container = av.open(str(name), format=format, options=options or {}, timeout=OPEN_S)
    except (FFmpegError, OSError, ValueError) as error:
        if device:
            raise _device_error(where, "cannot be opened", error) from error
        raise capture_failed(
            f"{where} cannot be opened: {_words(error)}. Give the path of a file that ffmpeg can decode."
        ) from error
    try:
        if not (container.streams.video if kind == "video" else container.streams.audio):
            container.close()
            return None
        return Opened(container, kind, where, loop=loop, device=device)
    except BaseException:
        container.close()
        raise


_DAMAGED = "It is damaged there: convert it (`ffmpeg -i`), or get it anew."

_LIST = "`v4l2-ctl --list-devices` and `arecord -L` name what there is"

_CURES = {
    **dict.fromkeys(
        (errno.ENOENT, errno.ENODEV, errno.ENXIO), f"It is not there. Plug it in, or name another: {_LIST}."
    ),
    **dict.fromkeys((errno.EBUSY, errno.EAGAIN), "Another program uses it. End that one, or name another device."),
    **dict.fromkeys(
        (errno.EACCES, errno.EPERM),
        "This user may not open it. On Linux, put it into the group `video` for cameras and `audio` for sound.",
    ),
}
_OTHER_CURE = f"It is missing, used by another program, broken, or no such device. Look whether it is there: {_LIST}."
"""ALSA answers all of that alike."""


def _device_error(where: str, what: str, error: Exception) -> SessionError:
    number = getattr(error, "errno", None)
    cure = _CURES.get(number, _OTHER_CURE) if isinstance(number, int) else _OTHER_CURE
    missing = number in (errno.ENOENT, errno.ENODEV, errno.ENXIO)
    return device_failed(f"{where} {what}: {_words(error)}. {cure}", missing=missing)


def device_format(kind: Kind) -> str:
    """How this system's devices are opened, in ffmpeg's words."""
    import sys

    if sys.platform == "darwin":
        return "avfoundation"
    return "v4l2" if kind == "video" else "alsa"


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def as_session_error(error: Exception) -> SessionError:
    """What a source raised, as the error that `mediaStopped` carries."""
    if isinstance(error, SessionError):
        return error
    failure = capture_failed(f"The source of the frames failed: {type(error).__name__}: {error}")
    failure.__cause__ = error
    return failure


def open_all(wanted: list[tuple[Kind, str | Path, str | None]], *, loop: bool) -> tuple[Opened | None, Opened | None]:
    """Opens the tracks that are wanted (kind, name, format of a device or None), and returns sound and pictures.

    A kind of device is "" for the system's own. Blocks: call it in a thread.

    Raises:
        SessionError: one cannot be opened, or a file has none of the tracks.
    """
    opened: dict[Kind, Opened | None] = {"audio": None, "video": None}
    try:
        for kind, name, format in wanted:
            device = device_format(kind) if format == "" else format
            opened[kind] = open_track(name, kind, loop=loop, format=device)
        if not any(opened.values()):
            raise capture_failed(f"The file {str(wanted[0][1])!r} has no track that could be published.")
    except BaseException:
        for track in opened.values():
            if track is not None:
                track.close()
        raise
    return opened["audio"], opened["video"]

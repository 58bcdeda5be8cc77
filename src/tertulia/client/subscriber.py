"""Subscriber: what a program receives of a stream."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, overload

from tertulia.client.dispatch import EventDispatcher
from tertulia.client.emitter import Emitter
from tertulia.client.errors import invalid_parameter
from tertulia.client.events import SUBSCRIBER_EVENTS, DestroyedEvent, Event, VideoEnabledChangedEvent
from tertulia.client.values import Stream, Wishes

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.video.frame import VideoFrame

    from tertulia.client.media.engine import SlotMedia
    from tertulia.client.media.flows import Flow, FrameFlow, PacketFlow
    from tertulia.client.media.peer import EncodedFrame, Kind, Receiver

F = TypeVar("F", bound="Flow[Any]")

AUDIO_BUFFER, VIDEO_BUFFER, PACKET_BUFFER = 50, 8, 256
"""Frames that wait for the program by default: a second of sound, a quarter of a second of pictures."""

MOST_BUFFERED = 3_000


class Subscriber(Emitter):
    """One stream that this program receives. Made by `session.subscribe()`.

        subscriber = await session.subscribe(event.stream)
        async for frame in subscriber.video():
            picture = frame.to_ndarray(format="rgb24")

    `video()` and `audio()` give decoded PyAV frames, `packets()` what came, without decoding. Each call gives an
    iterator
    of its own, with a bounded queue: if the program is slower than the stream, the oldest frames are dropped (and
    counted in `dropped`), so that it always sees what is new. Nothing is decoded for which there is no iterator. All
    iterators end when the Subscriber is destroyed, and one can be ended before with `aclose()` or `async with`.

    Events: `connected` when media begins to come or comes again, `disconnected` when the way to the server or the
    publishing client is interrupted, `videoDisabled`, `videoEnabled`, `destroyed`; `videoDisableWarning` when the
    server may soon leave the video out for this client's bandwidth, and `videoDisableWarningLifted` when it will not.
    """

    def __init__(self, stream: Stream, *, audio: bool = True, video: bool = True) -> None:
        """Prepares a Subscriber; programs call `session.subscribe()` instead."""
        super().__init__(EventDispatcher(SUBSCRIBER_EVENTS))
        self._stream = stream
        self._wishes = Wishes(audio, video)
        self._update: Callable[[Wishes], None] | None = None
        self._leave: Callable[[], None] | None = None
        self._media: SlotMedia | None = None
        self._sound: Receiver | None = None
        self._flows: list[Flow[Any]] = []
        self._level: int | None = None
        self._first_s: float | None = None
        self._server_sends_video = True
        self._warned = False
        self._had_video = self._has_video
        self._present = self._path = True
        self._connected = self._destroyed = False

    # What it is

    @property
    def stream(self) -> Stream:
        """The stream."""
        return self._stream

    @property
    def subscribes_to_audio(self) -> bool:
        """Whether sound is wanted."""
        return self._wishes.audio

    @property
    def subscribes_to_video(self) -> bool:
        """Whether pictures are wanted."""
        return self._wishes.video

    @property
    def connected(self) -> bool:
        """Whether media comes."""
        return self._connected

    @property
    def destroyed(self) -> bool:
        """Whether it is over."""
        return self._destroyed

    @property
    def audio_level(self) -> float:
        """How loud the newest packet of sound is, 0 (silence) to 1; 0 if its sender does not say (RFC 6464)."""
        return 0.0 if self._level is None or self._level >= 127 else 10 ** (-self._level / 20)

    # What it gives

    def audio(self, *, buffer: int = AUDIO_BUFFER) -> FrameFlow[AudioFrame]:
        """Decoded sound from now on: 16 bits, 48 kHz, stereo, mostly 20 ms a frame.

        `pts` are in `time_base` units since the Subscriber's first frame; sound and pictures have the same beginning.

        Args:
            buffer: frames that wait for the program, 1 to 3000; above it the oldest are dropped.

        Raises:
            InvalidParameterError: `buffer` is out of its range, or the Subscriber is destroyed.
        """
        from tertulia.client.media.flows import FrameFlow

        return self._add(FrameFlow("audio", _buffer(buffer), self._remove, self._request_key_frame, self._origin))

    def video(self, *, buffer: int = VIDEO_BUFFER) -> FrameFlow[VideoFrame]:
        """Decoded pictures from now on, from the next key frame, which is asked for. The size may change at any time.

        Args:
            buffer: frames that wait for the program, 1 to 3000; above it the oldest are dropped.

        Raises:
            InvalidParameterError: `buffer` is out of its range, or the Subscriber is destroyed.
        """
        from tertulia.client.media.flows import FrameFlow

        flow: FrameFlow[VideoFrame] = self._add(
            FrameFlow("video", _buffer(buffer), self._remove, self._request_key_frame, self._origin)
        )
        self._request_key_frame()
        return flow

    @overload
    def packets(self, kind: Literal["audio", "video"], *, buffer: int = PACKET_BUFFER) -> PacketFlow: ...
    @overload
    def packets(self, kind: None = None, *, buffer: int = PACKET_BUFFER) -> PacketFlow: ...
    def packets(self, kind: Kind | None = None, *, buffer: int = PACKET_BUFFER) -> PacketFlow:
        """What comes, as it is encoded: whole pictures and packets of sound, in order. Nothing is decoded.

        Pictures begin with a key frame, and with a new one after some were dropped.

        Args:
            kind: `audio` or `video`; None for both.
            buffer: frames that wait for the program, 1 to 3000; above it the oldest are dropped.

        Raises:
            InvalidParameterError: an argument is out of its range, or the Subscriber is destroyed.
        """
        from tertulia.client.media.flows import PacketFlow

        if kind not in ("audio", "video", None):
            raise invalid_parameter(f"`kind` must be audio or video, not {kind!r}.")
        flow = self._add(PacketFlow(kind, _buffer(buffer), self._remove, self._request_key_frame))
        if kind != "audio":
            self._request_key_frame()
        return flow

    # What it wants

    def subscribe_to_audio(self, value: bool) -> None:
        """Receives sound, or none."""
        self._wish(self._wishes._replace(audio=bool(value)))

    def subscribe_to_video(self, value: bool) -> None:
        """Receives pictures, or none. `videoDisabled` or `videoEnabled` follows, with the reason `subscribeToVideo`."""
        self._wish(self._wishes._replace(video=bool(value)))
        self._video_changed("subscribeToVideo")

    def set_preferred_resolution(self, size: tuple[int, int] | None) -> None:
        """Asks for the encoding whose pictures are nearest to a size. Of a stream of one encoding it changes nothing.

        Args:
            size: width and height in pixels, each 1 to 65,535; None for the largest.

        Raises:
            InvalidParameterError: `size` is no such pair.
        """
        if size is not None and not _is_size(size):
            raise invalid_parameter(f"`size` must be a width and a height of 1 to 65535 pixels, not {size!r}.")
        self._wish(self._wishes._replace(size=size))

    def set_preferred_frame_rate(self, frame_rate: float | None) -> None:
        """Asks for the temporal layer whose frame rate is nearest. Of a stream without such layers it changes nothing.

        Args:
            frame_rate: pictures per second, above 0 and up to 1000; None for all.

        Raises:
            InvalidParameterError: `frame_rate` is out of its range.
        """
        if frame_rate is not None and not _is_rate(frame_rate):
            raise invalid_parameter(f"`frame_rate` must be a number above 0 and up to 1000, not {frame_rate!r}.")
        self._wish(self._wishes._replace(frame_rate=frame_rate))

    def destroy(self) -> None:
        """Ends the subscription and all its iterators. `destroyed` follows. The same as `session.unsubscribe()`."""
        self._destroy("unsubscribed")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.destroy()
        for flow in list(self._flows):
            await flow.aclose()
        await self._dispatcher.drained()
        await self._dispatcher.cancel_hanging()

    # What the session does with it

    def _begin(self, update: Callable[[Wishes], None], leave: Callable[[], None], *, path: bool) -> None:
        self._update, self._leave, self._path = update, leave, path
        if self._wishes != Wishes():
            update(self._wishes)

    def _attach(self, media: SlotMedia) -> None:
        """Media comes in this binding."""
        self._media = media
        media.receivers.audio.listen(self._take, media.audio_start)
        media.receivers.video.listen(self._take, media.video_start)

    def _carry(self, receiver: Receiver | None, start: int | None) -> None:
        """In a large session the sound comes by another line than the pair's; None: by that again."""
        if self._sound is not None:
            self._sound.listen(None, None)
            self._level = None
        self._sound = receiver
        if receiver is not None:
            receiver.listen(self._take, start)

    def _detach(self) -> None:
        """Nothing of the binding counts any more."""
        self._carry(None, None)
        media, self._media = self._media, None
        if media is not None:
            media.receivers.audio.listen(None, None)
            media.receivers.video.listen(None, None)

    def _origin(self) -> float:
        return self._first_s or 0.0

    def _take(self, frame: EncodedFrame) -> None:
        if self._first_s is None:
            self._first_s = frame.arrived_s
        if frame.kind == "audio":
            self._level = frame.audio_level
        if not self._connected:
            self._arrived()
        for flow in self._flows:
            flow.take(frame)

    def _video(self, *, enabled: bool, reason: str) -> None:
        self._server_sends_video = enabled
        if not enabled:
            self._warned = False
        self._video_changed(reason)

    def _video_warning(self, *, active: bool) -> None:
        if active is not self._warned and not self._destroyed:
            self._warned = active
            self._dispatch(Event("videoDisableWarning" if active else "videoDisableWarningLifted"))

    def _path_flows(self, *, flows: bool) -> None:
        self._path = flows
        self._interruption_changed()

    def _publisher_present(self, *, present: bool) -> None:
        self._present = present
        self._interruption_changed()

    def _stream_changed(self, changed_property: str) -> None:
        if changed_property == "hasVideo":
            self._video_changed("publishVideo")

    def _session_ended(self) -> None:
        self._detach()
        self._update = self._leave = None
        self._path = False
        self._interruption_changed()

    def _destroy(self, reason: str) -> None:
        if self._destroyed:
            return
        self._destroyed = True
        if self._leave is not None:
            self._leave()
        self._detach()
        self._update = self._leave = None
        for flow in self._flows:
            flow.finish()
        self._dispatch(DestroyedEvent(reason))

    @property
    def _has_video(self) -> bool:
        return self._stream.has_video and self._wishes.video and self._server_sends_video

    def _video_changed(self, reason: str) -> None:
        has_video = self._has_video
        if has_video is not self._had_video and not self._destroyed:
            self._had_video = has_video
            self._dispatch(VideoEnabledChangedEvent("videoEnabled" if has_video else "videoDisabled", reason))

    def _arrived(self) -> None:
        if self._path and self._present:
            self._connected = True
            self._dispatch(Event("connected"))

    def _interruption_changed(self) -> None:
        if self._connected and not (self._path and self._present):
            self._connected = False
            self._dispatch(Event("disconnected"))

    def _wish(self, wishes: Wishes) -> None:
        self._wishes = wishes
        if self._update is not None:
            self._update(wishes)

    def _request_key_frame(self) -> None:
        if self._media is not None:
            self._media.receivers.video.request_key_frame()

    def _add(self, flow: F) -> F:
        if self._destroyed:
            raise invalid_parameter("The Subscriber is destroyed; subscribe again.")
        self._flows.append(flow)
        return flow

    def _remove(self, flow: Flow[Any]) -> None:
        if flow in self._flows:
            self._flows.remove(flow)


def _buffer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MOST_BUFFERED:
        raise invalid_parameter(f"`buffer` must be a whole number from 1 to {MOST_BUFFERED}, not {value!r}.")
    return value


def _is_size(size: object) -> bool:
    lawful = isinstance(size, tuple) and len(size) == 2
    return lawful and all(type(extent) is int and 1 <= extent <= 65_535 for extent in size)  # type: ignore[attr-defined]  # it is a tuple


def _is_rate(rate: object) -> bool:
    return isinstance(rate, int | float) and 0 < rate <= 1000

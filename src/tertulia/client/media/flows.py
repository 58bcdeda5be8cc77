"""What a Subscriber's iterators hand over: bounded queues of encoded or decoded frames that drop the oldest."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import weakref
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from av.error import FFmpegError

from tertulia.client.media.codecs import FrameDecoder
from tertulia.client.media.peer import CLOCK_RATES, EncodedFrame, Kind
from tertulia.client.media.workers import WORKERS

UNDECODED = 64
"""Encoded frames that may wait for the decoder; above it all are dropped, and pictures go on with a key frame."""

T = TypeVar("T")

_log = logging.getLogger("tertulia.client")


class Flow(Generic[T]):
    """One iterator of a Subscriber.

    Attributes:
        dropped: frames that were dropped because the program, or its machine, was too slow.
    """

    def __init__(
        self,
        kind: Kind | None,
        buffer: int,
        on_close: Callable[[Flow[Any]], None],
        request_key_frame: Callable[[], None],
    ) -> None:
        """Takes what it hands over, how much may wait, who hears of its end, and how to ask for a key frame."""
        self.dropped = 0
        self._kind = kind
        self._buffer = buffer
        self._on_close = on_close
        self._request_key_frame = request_key_frame
        self._ready: deque[T] = deque()
        self._finished = False
        self._waiter: asyncio.Future[None] | None = None

    def take(self, frame: EncodedFrame) -> None:
        """A frame has come. Called by the Subscriber."""
        raise NotImplementedError

    def finish(self) -> None:
        """No more frames will come; those that wait are still handed over."""
        self._finished = True
        self._wake()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        while not self._ready:
            if self._finished and self._is_idle():
                await self.aclose()
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self._ready.popleft()

    async def aclose(self) -> None:
        """Ends the iterator."""
        self._finished = True
        self._ready.clear()
        self._on_close(self)
        self._wake()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _is_idle(self) -> bool:
        return True

    def _put(self, item: T) -> None:
        self._ready.append(item)
        if len(self._ready) > self._buffer:
            self._ready.popleft()
            self.dropped += 1
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class PacketFlow(Flow[EncodedFrame]):
    """Encoded frames of a stream, in order."""

    _needs_key_frame = True

    def take(self, frame: EncodedFrame) -> None:
        """A frame has come. After a picture was dropped only a key frame is of use."""
        if self._finished or (self._kind is not None and frame.kind != self._kind):
            return
        if frame.kind == "video":
            if self._needs_key_frame and not frame.key_frame:
                self._request_key_frame()
                return
            self._needs_key_frame = False
        if len(self._ready) >= self._buffer and self._ready[0].kind == "video":
            self._drop_pictures()
            if frame.kind == "video" and not frame.key_frame:
                self.dropped += 1
                self._needs_key_frame = True
                self._request_key_frame()
                return
        self._put(frame)

    def _drop_pictures(self) -> None:
        """The oldest picture goes, and with it all that cannot be decoded without it, up to the next key frame."""
        kept: deque[EncodedFrame] = deque()
        dropping = True
        for number, frame in enumerate(self._ready):
            if frame.kind == "video" and dropping and number > 0 and frame.key_frame:
                dropping = False
            if frame.kind == "video" and dropping:
                self.dropped += 1
            else:
                kept.append(frame)
        self._ready = kept


class FrameFlow(Flow[T]):
    """Decoded frames of one track. A task decodes while the iterator exists and frames come."""

    def __init__(
        self,
        kind: Kind,
        buffer: int,
        on_close: Callable[[Flow[Any]], None],
        request_key_frame: Callable[[], None],
        origin: Callable[[], float],
    ) -> None:
        """Takes what Flow takes, and when the Subscriber's first frame came, on the event loop's clock."""
        super().__init__(kind, buffer, on_close, request_key_frame)
        self._decoder = FrameDecoder(kind)
        self._encoded: deque[EncodedFrame] = deque()
        self._needs_key_frame = kind == "video"
        self._task: asyncio.Task[None] | None = None
        self._pts = _Times(CLOCK_RATES[kind], origin)
        WORKERS.lease()
        self._leased = weakref.finalize(self, WORKERS.release)

    def take(self, frame: EncodedFrame) -> None:
        """A frame has come."""
        if self._finished or frame.kind != self._kind:
            return
        if self._needs_key_frame and not frame.key_frame:
            self._request_key_frame()
            return
        self._needs_key_frame = False
        self._encoded.append(frame)
        if len(self._encoded) > UNDECODED:
            self.dropped += len(self._encoded)
            self._encoded.clear()
            self._needs_key_frame = self._kind == "video"
        elif self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._decode(), name="tertulia decoder")

    def finish(self) -> None:
        """No more frames will come; those that wait are still decoded and handed over."""
        super().finish()
        if self._task is None:
            self._leased()

    async def aclose(self) -> None:
        """Ends the iterator and its decoder."""
        await super().aclose()
        self._encoded.clear()
        task, self._task = self._task, None
        if task is not None and task is not asyncio.current_task():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait((task,))
        self._leased()

    def _is_idle(self) -> bool:
        return self._task is None

    async def _decode(self) -> None:
        """Decodes what waits, then ends: while nothing comes there is no task."""
        try:
            while self._encoded:
                frame = self._encoded.popleft()
                pts = self._pts.of(frame)
                try:
                    if frame.kind == "audio":  # faster than a hop to another thread and back
                        decoded = self._decoder.decode(frame, pts)
                    else:
                        decoded = await WORKERS.run(self._decoder.decode, frame, pts)
                except FFmpegError as error:
                    _log.debug("a frame could not be decoded: %s", error)
                    self._needs_key_frame = frame.kind == "video"
                    continue
                for one in decoded:
                    self._put(one)  # type: ignore[arg-type]  # T is what this kind is decoded to
        finally:
            self._task = None
            if self._finished:
                self._leased()
            self._wake()


class _Times:
    """RTP timestamps to times that begin near the first arrival and go on when the source of a stream is another."""

    def __init__(self, rate: int, origin: Callable[[], float]) -> None:
        self._rate = rate
        self._origin = origin
        self._last: tuple[int, int] | None = None

    def of(self, frame: EncodedFrame) -> int:
        """The frame's time in ticks since the Subscriber's first frame of any track."""
        arrived = round((frame.arrived_s - self._origin()) * self._rate)
        if self._last is None:
            pts = arrived
        else:
            timestamp, last = self._last
            step = (frame.rtp_timestamp - timestamp + (1 << 31)) % (1 << 32) - (1 << 31)
            pts = last + step
            if not -self._rate < pts - arrived < self._rate or step <= 0:  # another source: its clock begins anew
                pts = max(arrived, last + 1)
        self._last = (frame.rtp_timestamp, pts)
        return pts

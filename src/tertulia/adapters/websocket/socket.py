"""The sending half of one signalling socket: a bounded queue and the loop that empties it."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from tertulia.errors import UnavailableError
from tertulia.services.ports import Backlog, SocketEnd
from tertulia.wire.codes import CloseCode

__all__ = ["QUEUE_BYTES", "QUEUE_MESSAGES", "SEND_AT_ONCE", "OutgoingSocket", "Send"]

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
"""ASGI's `send`."""

AtOnce = Callable[[tuple[str, ...]], bool]

SEND_AT_ONCE = "tertulia.send_at_once"
"""The ASGI extension by which a server offers to send texts without waiting: its `send` says whether it did."""

QUEUE_MESSAGES = 1_000
QUEUE_BYTES = 1_048_576
"""What a client may leave unread: some seconds of the busiest session; with more it cannot keep up."""

_ENDS = {
    SocketEnd.ENDED: CloseCode.ENDED,
    SocketEnd.REPLACED: CloseCode.REPLACED,
    SocketEnd.UNLAWFUL: CloseCode.UNLAWFUL,
    SocketEnd.RESTART: CloseCode.RESTART,
}


class OutgoingSocket:
    """What is still to be sent on one socket.

    A frame that no longer fits closes the socket with 4004, and what was queued is dropped: its client resumes and is
    sent all of it again from the log.

    Args:
        send: Sends an ASGI message; waits while the network does not take more.
        closing: Called once when the socket is to be closed, before the rest of the queue is sent.
        at_once: Sends frames as one write if the network takes them without waiting, else says False; None if there is
            no such way.
    """

    def __init__(self, send: Send, closing: Callable[[], None], at_once: AtOnce | None = None) -> None:
        self._send = send
        self._closing = closing
        self._at_once = at_once
        self._is_sending = False
        self._backlog: deque[str] = deque()
        self._more: Backlog | None = None
        self._frames: deque[str] = deque()
        self._bytes = 0
        self._filled = asyncio.Event()
        self._close_code: CloseCode | None = None

    @property
    def close_code(self) -> CloseCode | None:
        """Why the socket is being closed from this side, or None if it is not."""
        return self._close_code

    def send(self, *frames: str) -> None:
        """Send frames, or queue them behind those that wait."""
        if self._close_code is not None:
            return
        if self._at_once is not None and self._is_idle() and self._at_once(frames):
            return
        self._frames.extend(frames)
        self._bytes += sum(map(_size, frames))
        if len(self._frames) > QUEUE_MESSAGES or self._bytes > QUEUE_BYTES:
            self._give_up(CloseCode.TOO_SLOW)
        self._filled.set()

    def send_backlog(self, frames: Sequence[str], more: Backlog | None = None) -> None:
        """Queue what a resuming client missed, before everything else; `more` is read as it takes what came before."""
        if self._close_code is None:
            self._backlog.extend(frames)
            self._more = more
            self._filled.set()

    def close(self, end: SocketEnd) -> None:
        """Close after what is queued."""
        self.close_with(_ENDS[end])

    def close_with(self, code: CloseCode) -> None:
        """Close after what is queued; the first code stands."""
        if self._close_code is None:
            self._close_code = code
            self._filled.set()
            self._closing()

    def _give_up(self, code: CloseCode) -> None:
        """Close without what is queued: its client is sent all of it again when it resumes."""
        self._frames.clear()
        self._backlog.clear()
        self._more = None
        self._bytes = 0
        self.close_with(code)

    async def run(self) -> None:
        """Send until the socket is closed from this side, or the client has gone."""
        try:
            while True:
                await self._filled.wait()
                self._filled.clear()
                self._is_sending = True
                await self._drain()
                self._is_sending = False
                if self._close_code is not None:
                    code, reason = int(self._close_code), self._close_code.name.lower()
                    await self._send({"type": "websocket.close", "code": code, "reason": reason})
                    return
        except OSError:
            return  # the client has gone; whoever reads from the socket learns it too

    def _is_idle(self) -> bool:
        return not (self._is_sending or self._frames or self._backlog or self._more is not None)

    async def _drain(self) -> None:
        while self._backlog or self._more is not None:
            while self._backlog:
                await self._send({"type": "websocket.send", "text": self._backlog.popleft()})
            await self._read_on()
        while self._frames:
            frame = self._frames.popleft()
            self._bytes -= _size(frame)
            await self._send({"type": "websocket.send", "text": frame})

    async def _read_on(self) -> None:
        if self._more is None:
            return
        more = self._more
        try:
            page = await anext(more, None)
        except UnavailableError:
            self._give_up(CloseCode.RESTART)
            return
        if page is None:
            self._more = None
        elif self._more is more:
            self._backlog.extend(page)


def _size(frame: str) -> int:
    return len(frame) if frame.isascii() else len(frame.encode())

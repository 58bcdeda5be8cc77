"""The sending half of one signalling socket: a bounded queue and the loop that empties it."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from tertulia.services.ports import SocketEnd
from tertulia.wire.codes import CloseCode

__all__ = ["QUEUE_BYTES", "QUEUE_MESSAGES", "OutgoingSocket", "Send"]

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
"""ASGI's `send`."""

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
    """

    def __init__(self, send: Send, closing: Callable[[], None]) -> None:
        self._send = send
        self._closing = closing
        self._backlog: deque[str] = deque()
        self._frames: deque[str] = deque()
        self._characters = 0
        self._filled = asyncio.Event()
        self._close_code: CloseCode | None = None

    @property
    def close_code(self) -> CloseCode | None:
        """Why the socket is being closed from this side, or None if it is not."""
        return self._close_code

    def send(self, frame: str) -> None:
        """Queue a frame."""
        if self._close_code is not None:
            return
        self._frames.append(frame)
        self._characters += len(frame)
        if len(self._frames) > QUEUE_MESSAGES or self._characters > QUEUE_BYTES:
            self._frames.clear()
            self.close_with(CloseCode.TOO_SLOW)
        self._filled.set()

    def send_backlog(self, frames: Sequence[str]) -> None:
        """Queue what a resuming client missed, before everything else; it may be more than a slow client is allowed."""
        if self._close_code is None:
            self._backlog.extend(frames)
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

    async def run(self) -> None:
        """Send until the socket is closed from this side, or the client has gone."""
        try:
            while True:
                await self._filled.wait()
                self._filled.clear()
                await self._drain()
                if self._close_code is not None:
                    code, reason = int(self._close_code), self._close_code.name.lower()
                    await self._send({"type": "websocket.close", "code": code, "reason": reason})
                    return
        except OSError:
            return  # the client has gone; whoever reads from the socket learns it too

    async def _drain(self) -> None:
        while self._backlog:
            await self._send({"type": "websocket.send", "text": self._backlog.popleft()})
        while self._frames:
            frame = self._frames.popleft()
            self._characters -= len(frame)
            await self._send({"type": "websocket.send", "text": frame})

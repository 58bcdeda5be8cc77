"""A WebSocket between a client core and the signalling endpoint that can be slow, silent or cut, at any frame."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Endpoint = Callable[..., Awaitable[None]]


class Pipe:
    """One socket. Frames wait on the way until `to_server` or `to_client` moves them."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.dark = False
        self.up: deque[str] = deque()
        self.down: deque[str | int] = deque()
        self._arrived: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._arrived.put_nowait({"type": "websocket.connect"})
        self._gone = False
        self.served = asyncio.ensure_future(endpoint({"type": "websocket"}, self._arrived.get, self._send))

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        if self._gone:
            raise OSError("the client has gone")
        if message["type"] == "websocket.send":
            self.down.append(message["text"])
        elif message["type"] == "websocket.close":
            self.down.append(message["code"])

    def to_server(self, count: int) -> None:
        """Let that many frames of the client arrive."""
        while self.up and count > 0 and not self.dark:
            self._arrived.put_nowait({"type": "websocket.receive", "text": self.up.popleft()})
            count -= 1

    def to_client(self) -> str | int | None:
        """The next frame for the client, or the code of the close; None while there is nothing."""
        return self.down.popleft() if self.down and not self.dark else None

    def end(self) -> None:
        """The server learns that the socket has ended; what was on its way to either side is lost."""
        self.up.clear()
        self.down.clear()
        if not self._gone:
            self._gone = True
            self._arrived.put_nowait({"type": "websocket.disconnect", "code": 1006})

    def kill_server(self) -> None:
        """The serving process is gone in the midst of whatever it did."""
        self._gone = True
        self.served.cancel()

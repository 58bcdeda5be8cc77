"""The web server's two protocols with what they lack against hostile clients: deadlines, sizes, and an end that is one.

uvicorn bounds idle connections between requests; nothing bounds one that sends its request a byte at a time, a header
without end, answers to pings that nobody reads, or a last word that is never taken.
"""

from __future__ import annotations

import asyncio
from functools import lru_cache

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State

from tertulia.adapters.gate import Gate, Pass
from tertulia.adapters.websocket.socket import SEND_AT_ONCE

__all__ = [
    "CLOSING_S",
    "FRAGMENTS",
    "HEAD_BYTES",
    "REQUEST_BYTES",
    "REQUEST_S",
    "GuardedHttp",
    "GuardedWebSocket",
    "guarded",
]

REQUEST_S = 10.0
"""A request must have come whole within this time, counted from the connection or the request's first byte."""
HEAD_BYTES = 32_768
"""Request line and headers of a request; the tokens of all official SDKs are below 2 KB. Our own choice."""
REQUEST_BYTES = 1_048_576
"""A request in all, with whatever its transfer encoding adds. Routes have smaller limits of their own."""
FRAGMENTS = 1_024
"""Fragments of one WebSocket message. A browser sends one."""
_SHARED_MESSAGES = 16
CLOSING_S = 10.0
"""A connection that is being closed is cut after this time, though its client has not taken all of it."""


class GuardedHttp(HttpToolsProtocol):
    """HTTP/1.1 as uvicorn speaks it, where a request must be whole in time and of a bounded size."""

    gate: Gate
    request_s: float
    _pass: Pass | None = None
    _deadline: asyncio.TimerHandle | None = None
    _request_bytes = 0
    _has_head = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Start to wait for a request."""
        super().connection_made(transport)
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came, and end a request that is too large."""
        self._request_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if not self._has_head and self._request_bytes > HEAD_BYTES:
            self._refuse(431)
        elif self._request_bytes > REQUEST_BYTES:
            self._refuse(413)

    def handle_websocket_upgrade(self) -> None:
        """Hand over to the WebSocket protocol; the signalling socket has a deadline of its own."""
        self._stop_waiting()
        super().handle_websocket_upgrade()

    def on_message_begin(self) -> None:
        """Start to wait for the rest of this request."""
        self._has_head = False
        self._request_bytes = 0
        self._await_request()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Note that the head is whole."""
        self._has_head = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note that the request is whole."""
        self._request_bytes = 0
        self._stop_waiting()
        super().on_message_complete()

    def _await_request(self) -> None:
        if self._pass is None:
            self._pass = self.gate.enter(self.client[0] if self.client else "", self._expel)
            self._deadline = self.loop.call_later(self.request_s, self._miss_deadline)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if self._pass is not None:
            self.gate.leave(self._pass)
            self._pass = None

    def _miss_deadline(self) -> None:
        if self._request_bytes:
            self._refuse(408)
        else:
            self._expel()

    def _refuse(self, status: int) -> None:
        self._stop_waiting()
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete:
            self.transport.write(STATUS_LINE[status] + b"content-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()

    def _expel(self) -> None:
        self._stop_waiting()
        self.transport.abort()


class GuardedWebSocket(WebSocketsSansIOProtocol):
    """WebSocket as uvicorn speaks it, where what a client does not take is not kept for it for ever.

    And where messages for many clients are framed once and need no task of each to be sent.
    """

    def handle_connect(self, event: Request) -> None:
        """Take the handshake, and offer the application to send at once."""
        super().handle_connect(event)
        if self.response.status_code == 101:
            self.scope["extensions"][SEND_AT_ONCE] = {"send": self.send_at_once}

    def send_at_once(self, texts: tuple[str, ...]) -> bool:
        """Send text messages; False, and nothing sent, if they would have to wait, or the socket is not open."""
        is_open = self.handshake_complete and not self.close_sent and self.conn.state is State.OPEN
        if not is_open or not self.writable.is_set() or self.transport.is_closing():
            return False
        self.transport.write(_framed(texts))
        return True

    def handle_ping(self) -> None:
        """Answer, unless the answers before are still unread: then the client only wants memory."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.transport.abort()

    def handle_cont(self, event: Frame) -> None:
        """Take a further fragment of a message; the size of all is bounded elsewhere, not their number."""
        if len(self.frames) >= FRAGMENTS:
            self.transport.abort()
        else:
            super().handle_cont(event)

    async def run_asgi(self) -> None:
        """Serve the socket; a client that does not take its last words keeps no memory."""
        await super().run_asgi()
        self.loop.call_later(CLOSING_S, self.transport.abort)


@lru_cache(_SHARED_MESSAGES)
def _framed(texts: tuple[str, ...]) -> bytes:
    return b"".join(Frame(Opcode.TEXT, text.encode()).serialize(mask=False) for text in texts)


def guarded(gate: Gate, request_s: float) -> tuple[type[GuardedHttp], type[GuardedWebSocket]]:
    """The two protocols with this gate and this deadline for requests."""
    return type("Http", (GuardedHttp,), {"gate": gate, "request_s": request_s}), GuardedWebSocket

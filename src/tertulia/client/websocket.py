"""The client's socket: one WebSocket of text frames, without a task of its own.

It puts the `websockets` library's protocol without input and output straight on an asyncio transport. Frames are handed
over inside `data_received`, and sending never waits: a thousand clients in one process cost no task and no queue each.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Protocol, cast

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidURI
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import WebSocketURI, parse_uri

from tertulia.client.errors import invalid_parameter

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""The largest message taken from the server: `joined` lists everybody in the session. Our own choice."""


class Socket(Protocol):
    """An open WebSocket, as the session uses it."""

    def send(self, text: bytes) -> None:
        """Sends one text message. On a socket that has ended it does nothing."""

    def close(self) -> None:
        """Says goodbye and lets go at once. The listener hears nothing more."""

    def pause(self) -> None:
        """Stops reading, so that the server feels that we are slow."""

    def resume(self) -> None:
        """Reads on."""


class Listener(Protocol):
    """Who is told what comes out of a socket."""

    def received(self, text: bytes) -> None:
        """One whole text message has come."""

    def lost(self, code: int | None) -> None:
        """The socket has ended. `code` is the server's WebSocket close code; None if it gave none."""


Dial = Callable[[str, Listener, ssl.SSLContext | None], Awaitable[Socket]]
"""Opens a socket to an address. Raises OSError if it cannot be opened. The caller sets the deadline."""


async def dial(address: str, listener: Listener, ssl_context: ssl.SSLContext | None) -> Socket:
    """Opens a WebSocket to `address` (`ws://` or `wss://`) and returns when the server has accepted it.

    Raises:
        OSError: no connection could be made, or the server refused the upgrade.
        ssl.SSLError: the server's certificate is not trusted (it is an OSError).
    """
    uri = parse_uri(address)
    loop = asyncio.get_running_loop()
    tls = (ssl_context or True) if uri.secure else None
    _, connection = await loop.create_connection(lambda: _Connection(uri, listener), uri.host, uri.port, ssl=tls)
    try:
        await connection.accepted
    except BaseException:
        connection.close()
        raise
    return connection


def signalling_address(server: str) -> str:
    """The WebSocket address of the signalling of `server`, which may have a path of its own.

    Raises:
        InvalidParameterError: it is not an http, https, ws or wss address.
    """
    scheme, separator, rest = server.strip().partition("://")
    schemes = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
    if not separator or scheme.lower() not in schemes:
        raise invalid_parameter(f"The server address {server!r} does not begin with http:// or https://.")
    address = f"{schemes[scheme.lower()]}://{rest.rstrip('/')}/signalling"
    try:
        parse_uri(address)
    except (InvalidURI, ValueError) as error:
        raise invalid_parameter(f"The server address {server!r} is malformed.") from error
    return address


class _Connection(asyncio.Protocol):
    """Joins the library's protocol to an asyncio transport."""

    _transport: asyncio.Transport

    def __init__(self, uri: WebSocketURI, listener: Listener) -> None:
        self._protocol = ClientProtocol(uri, max_size=MAX_MESSAGE_BYTES)
        self._listener: Listener | None = listener
        self._fragments: list[bytes] = []
        self.accepted: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._protocol.send_request(self._protocol.connect())
        self._flush()

    def data_received(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        self._take_events()

    def eof_received(self) -> None:
        self._protocol.receive_eof()
        self._take_events()

    def connection_lost(self, exc: Exception | None) -> None:
        self._protocol.receive_eof()
        if not self.accepted.done():
            self.accepted.set_exception(exc if isinstance(exc, OSError) else _refused(self._protocol, exc))
            # Nobody waits if the caller's deadline passed meanwhile; asking marks the exception as seen.
            self.accepted.exception()
        elif self._listener is not None:
            listener, self._listener = self._listener, None
            listener.lost(self._protocol.close_code)

    def send(self, text: bytes) -> None:
        # The peer's goodbye may have come in the same chunk as what is answered here.
        if self._listener is not None and self._protocol.state is State.OPEN and not self._transport.is_closing():
            self._protocol.send_text(text)
            self._flush()

    def close(self) -> None:
        self._listener = None
        if not self._transport.is_closing():
            if self._protocol.state is State.OPEN:
                self._protocol.send_close(1000)
                self._flush()
            self._transport.close()

    def pause(self) -> None:
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def _take_events(self) -> None:
        events = self._protocol.events_received()
        self._flush()
        for event in events:
            if isinstance(event, Frame):
                self._take_frame(event)
            elif self._protocol.handshake_exc is None and not self.accepted.done():
                self.accepted.set_result(None)
        if self._protocol.handshake_exc is not None or self._protocol.close_expected():
            # The peer of a closing handshake gets our half; we do not wait for its end of the connection.
            self._transport.close()

    def _take_frame(self, frame: Frame) -> None:
        """Hands over whole text messages. Binary ones are no part of the wire and are dropped with their fragments."""
        if frame.opcode is Opcode.TEXT:
            self._fragments = [bytes(frame.data)]
        elif frame.opcode is Opcode.CONT and self._fragments:
            self._fragments.append(bytes(frame.data))
        else:
            return
        if frame.fin:
            text, self._fragments = b"".join(self._fragments), []
            if self._listener is not None:
                self._listener.received(text)

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._transport.write(data)


def _refused(protocol: ClientProtocol, cause: Exception | None) -> OSError:
    why = protocol.handshake_exc or cause
    error = ConnectionError(f"the server does not speak WebSocket at this address: {why or 'it hung up'}")
    error.__cause__ = why
    return error

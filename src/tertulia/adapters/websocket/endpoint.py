"""The ASGI program at `/signalling`: one conversation per socket, from its first frame to its close."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

import structlog

from tertulia.adapters.websocket.codec import error_part
from tertulia.adapters.websocket.flood import TokenBucket
from tertulia.adapters.websocket.heartbeat import Heartbeat
from tertulia.adapters.websocket.requests import RequestMessage, command_of
from tertulia.adapters.websocket.socket import OutgoingSocket, Send
from tertulia.clock import Clock, MonotonicTime, TimerHandle
from tertulia.domain.connection import Origin
from tertulia.domain.roles import Reason
from tertulia.errors import (
    AuthenticationError,
    InvalidParameterError,
    MalformedFrameError,
    RateLimitError,
    TertuliaError,
    UnavailableError,
)
from tertulia.ids import IdSource
from tertulia.services.sessions import Attachment, ConnectionEndedError, JoinRequest, ResumeRequest, Sessions
from tertulia.wire import signalling
from tertulia.wire.codes import AUTHENTICATION_S, HEARTBEAT_S, SIGNALS_PER_SECOND, CloseCode

__all__ = ["SignallingEndpoint", "SignallingLimits"]

_log = structlog.get_logger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

_PING = signalling.server_frame(0, signalling.encode_body(signalling.Ping()))
_PONG = signalling.server_frame(0, signalling.encode_body(signalling.Pong()))


@dataclass(frozen=True, slots=True)
class SignallingLimits:
    """What a socket may do and how long it waits.

    Attributes:
        authentication_s: How long a socket may stay without join or resume.
        heartbeat_s: How often it is pinged; twice that in silence is a lost network.
        signals_per_second: Above it a signal is answered with an error.
        refusals: How many such errors in a row, coming back at a tenth per second, close the socket.
        closing_s: How long a client may take to read what is left before its socket is dropped.
    """

    authentication_s: float = AUTHENTICATION_S
    heartbeat_s: float = HEARTBEAT_S
    signals_per_second: int = SIGNALS_PER_SECOND
    refusals: int = 200
    closing_s: float = 5.0


class SignallingEndpoint:
    """Serves signalling sockets. To be routed by the web framework, or run by an ASGI server as it is."""

    def __init__(self, sessions: Sessions, clock: Clock, ids: IdSource, limits: SignallingLimits) -> None:
        self._sessions = sessions
        self._clock = clock
        self._ids = ids
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket until it is closed."""
        await receive()  # websocket.connect
        await send({"type": "websocket.accept"})
        await _Conversation(self._sessions, self._clock, self._ids, self._limits, receive, send).run()


class _Conversation:
    """One socket. Reads and writes in two tasks; whichever ends first ends the other."""

    def __init__(
        self,
        sessions: Sessions,
        clock: Clock,
        ids: IdSource,
        limits: SignallingLimits,
        receive: Receive,
        send: Send,
    ) -> None:
        self._sessions = sessions
        self._clock = clock
        self._ids = ids
        self._limits = limits
        self._receive = receive
        self._socket = OutgoingSocket(send, self._limit_closing)
        self._attachment: Attachment | None = None
        self._heartbeat: Heartbeat | None = None
        self._writer: asyncio.Task[None] | None = None
        self._timers: list[TimerHandle] = []
        now = clock.monotonic()
        self._signals = TokenBucket(limits.signals_per_second, limits.signals_per_second, now)
        self._refusals = TokenBucket(limits.refusals / 10, limits.refusals, now)

    async def run(self) -> None:
        self._call_later(self._limits.authentication_s, self._miss_authentication)
        self._writer = asyncio.create_task(self._socket.run(), name="signalling writer")
        reader = asyncio.create_task(self._read(), name="signalling reader")
        try:
            await asyncio.wait({reader, self._writer}, return_when=asyncio.FIRST_COMPLETED)
            if self._socket.close_code is not None:
                await asyncio.wait({self._writer})  # the last words are still on their way; `_drop` limits this
        finally:
            for timer in self._timers:
                timer.cancel()
            if self._heartbeat is not None:
                self._heartbeat.stop()
            reader.cancel()
            self._writer.cancel()
            await asyncio.wait({reader, self._writer})
            if self._attachment is not None:
                self._attachment.lost()
            if not reader.cancelled() and (error := reader.exception()) is not None:
                _log.error("signalling socket broke", exc_info=error)

    # ---- reading

    async def _read(self) -> None:
        while (text := await self._next_text()) is not None:
            try:
                frame = signalling.decode_client_frame(text)
            except MalformedFrameError:
                self._socket.close_with(CloseCode.UNLAWFUL)
                return
            if self._heartbeat is not None:
                self._heartbeat.heard()
            if self._attachment is None:
                await self._open(frame)
            else:
                await self._handle(self._attachment, frame)

    async def _next_text(self) -> str | None:
        """Return the next text frame, or None at the end of the socket or of what we want to hear."""
        if self._socket.close_code is not None:
            return None
        message = await self._receive()
        if message["type"] != "websocket.receive":
            return None
        text = message.get("text")
        if not isinstance(text, str):
            self._socket.close_with(CloseCode.UNLAWFUL)
            return None
        return text

    async def _open(self, frame: signalling.ClientFrame) -> None:
        """Handle a socket's first frame, which is join or resume."""
        self._stop_timers()
        try:
            if frame.id != 0:
                raise InvalidParameterError("The first frame is join or resume, with id 0.")
            match frame.body:
                case signalling.Join(token, session_id, api_key, suppressed):
                    request = JoinRequest(token, session_id, api_key, suppressed or False)
                    self._attachment = await self._sessions.join(request, self._socket)
                case signalling.Resume(connection_id, resume_key, after):
                    wish = ResumeRequest(connection_id, resume_key, after)
                    self._attachment = await self._sessions.resume(wish, self._socket)
                case TertuliaError() as error:
                    raise error
                case _:
                    raise InvalidParameterError("The first frame is join or resume.")
        except UnavailableError as error:
            if isinstance(frame.body, signalling.Resume):
                self._socket.close_with(CloseCode.RESTART)  # the seat may well be there in a moment
            else:
                self._refuse(error)
        except ConnectionEndedError as error:
            self._say_why(error.reason)
        except TertuliaError as error:
            self._refuse(error)
        else:
            self._heartbeat = Heartbeat(
                self._clock, self._limits.heartbeat_s, lambda: self._socket.send(_PING), self._fall_silent
            )

    async def _handle(self, attachment: Attachment, frame: signalling.ClientFrame) -> None:
        match frame.body:
            case signalling.Pong():
                pass
            case signalling.Ping():
                self._socket.send(_PONG)
            case TertuliaError() as error:
                # Without a number there is nothing to answer: a message from a newer client, without effect here.
                if frame.id != 0:
                    self._reply(frame.id, error)
            case _ if frame.id == 0:
                self._socket.close_with(CloseCode.UNLAWFUL)
            case signalling.Join() | signalling.Resume():
                self._reply(frame.id, InvalidParameterError("This socket has its connection already."))
            case signalling.SendSignal() if not self._signals.take(self._clock.monotonic()):
                self._refuse_signal(frame.id)
            case message:
                await self._ask(attachment, frame.id, message)

    async def _ask(self, attachment: Attachment, request_id: int, message: RequestMessage) -> None:
        origin = Origin(attachment.connection_id, request_id)
        await attachment.request(command_of(message, origin, self._ids, self._clock.wall()))

    def _refuse_signal(self, request_id: int) -> None:
        if self._refusals.take(self._clock.monotonic()):
            self._reply(request_id, RateLimitError())
        else:
            self._socket.close_with(CloseCode.FLOODING)

    # ---- writing

    def _reply(self, request_id: int, error: TertuliaError) -> None:
        self._socket.send(signalling.server_frame(0, signalling.reply_body(request_id, error_part(error))))

    def _say_why(self, reason: Reason) -> None:
        ended = signalling.Disconnected(reason.value)
        self._socket.send(signalling.server_frame(0, signalling.encode_body(ended)))
        self._socket.close_with(CloseCode.ENDED)

    def _refuse(self, error: TertuliaError) -> None:
        refused = signalling.Refused(error_part(error))
        self._socket.send(signalling.server_frame(0, signalling.encode_body(refused)))
        self._socket.close_with(CloseCode.REFUSED)
        # Only these messages are certain to quote nothing of the client's.
        reason = error.message if isinstance(error, AuthenticationError) else error.kind.meaning
        _log.info("client refused", code=error.kind.code, reason=reason)

    # ---- time

    def _call_later(self, delay_s: float, callback: Callable[[], None]) -> None:
        when = MonotonicTime(self._clock.monotonic() + delay_s)
        self._timers.append(self._clock.call_at(when, callback))

    def _stop_timers(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def _miss_authentication(self) -> None:
        self._socket.close_with(CloseCode.NOT_AUTHENTICATED)

    def _fall_silent(self) -> None:
        self._socket.close_with(CloseCode.TOO_SLOW)

    def _limit_closing(self) -> None:
        """Do not wait for ever for a client that does not read."""
        self._call_later(self._limits.closing_s, self._drop)

    def _drop(self) -> None:
        if self._writer is not None:
            self._writer.cancel()

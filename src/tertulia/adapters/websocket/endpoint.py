"""The ASGI program at `/signalling`: one conversation per socket, from its first frame to its close."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from tertulia.adapters.gate import Gate, Pass
from tertulia.adapters.websocket.codec import error_part
from tertulia.adapters.websocket.flood import RateBook, Rates
from tertulia.adapters.websocket.heartbeat import Heartbeat
from tertulia.adapters.websocket.requests import RequestMessage, command_of, report_of
from tertulia.adapters.websocket.socket import SEND_AT_ONCE, OutgoingSocket, Send
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
from tertulia.observability.metrics import Metrics
from tertulia.services.sessions import Attachment, ConnectionEndedError, JoinRequest, ResumeRequest, Sessions
from tertulia.wire import signalling
from tertulia.wire.codes import (
    AUTHENTICATION_S,
    HEARTBEAT_S,
    REFUSALS,
    REQUEST_BURST,
    REQUESTS_PER_SECOND,
    SIGNALS_PER_SECOND,
    CloseCode,
)

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
        signals_per_second: Above it a signal is answered with an error; as many may come at once.
        requests_per_second: The same for everything else.
        request_burst: How many others may come at once: a client subscribes to a whole session when it joins.
        refusals: How many such errors in a row, coming back at a tenth per second, close the socket.
        closing_s: How long a client may take to read what is left before its socket is dropped.
    """

    authentication_s: float = AUTHENTICATION_S
    heartbeat_s: float = HEARTBEAT_S
    signals_per_second: int = SIGNALS_PER_SECOND
    requests_per_second: int = REQUESTS_PER_SECOND
    request_burst: int = REQUEST_BURST
    refusals: int = REFUSALS
    closing_s: float = 5.0


class SignallingEndpoint:
    """Serves signalling sockets. To be routed by the web framework, or run by an ASGI server as it is."""

    def __init__(
        self,
        sessions: Sessions,
        clock: Clock,
        ids: IdSource,
        limits: SignallingLimits,
        *,
        gate: Gate | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._sessions = sessions
        self._clock = clock
        self._ids = ids
        self._limits = limits
        self._gate = Gate() if gate is None else gate
        self._metrics = metrics or Metrics()
        self._rates = RateBook(
            signals_per_second=limits.signals_per_second,
            requests_per_second=limits.requests_per_second,
            burst=limits.request_burst,
            refusals=limits.refusals,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket until it is closed."""
        await receive()  # websocket.connect
        await send({"type": "websocket.accept"})
        at_once = (scope.get("extensions") or {}).get(SEND_AT_ONCE, {})
        conversation = _Conversation(
            self._sessions,
            self._clock,
            self._ids,
            self._limits,
            self._rates,
            self._gate,
            self._metrics,
            receive,
            partial(OutgoingSocket, send, at_once=at_once.get("send")),
        )
        with self._metrics.sockets.track_inprogress():
            await conversation.run(str((scope.get("client") or ("",))[0]))


class _Conversation:
    """One socket. Reads and writes in two tasks; whichever ends first ends the other."""

    def __init__(
        self,
        sessions: Sessions,
        clock: Clock,
        ids: IdSource,
        limits: SignallingLimits,
        rates: RateBook,
        gate: Gate,
        metrics: Metrics,
        receive: Receive,
        make_socket: Callable[[Callable[[], None]], OutgoingSocket],
    ) -> None:
        self._sessions = sessions
        self._clock = clock
        self._ids = ids
        self._limits = limits
        self._receive = receive
        self._socket = make_socket(self._limit_closing)
        self._attachment: Attachment | None = None
        self._heartbeat: Heartbeat | None = None
        self._writer: asyncio.Task[None] | None = None
        self._timers: list[TimerHandle] = []
        self._book = rates
        self._rates: Rates | None = None
        self._gate = gate
        self._metrics = metrics
        self._pass: Pass | None = None

    async def run(self, address: str) -> None:
        self._pass = self._gate.enter(address, self._miss_authentication)
        self._call_later(self._limits.authentication_s, self._miss_authentication)
        self._writer = asyncio.create_task(self._socket.run(), name="signalling writer")
        reader = asyncio.create_task(self._read(), name="signalling reader")
        try:
            await asyncio.wait({reader, self._writer}, return_when=asyncio.FIRST_COMPLETED)
            if self._socket.close_code is not None:
                await asyncio.wait({self._writer})  # the last words are still on their way; `_drop` limits this
        finally:
            self._stop_timers()
            self._gate.leave(self._pass)
            if self._heartbeat is not None:
                self._heartbeat.stop()
            reader.cancel()
            self._writer.cancel()
            await asyncio.wait({reader, self._writer})
            code = self._socket.close_code
            self._metrics.sockets_closed.labels("lost" if code is None else code.name.lower()).inc()
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
                case signalling.Join(token, session_id, api_key, suppressed, encrypts, client_data) as join:
                    request = JoinRequest(
                        token,
                        session_id,
                        api_key,
                        suppressed or False,
                        encrypts or False,
                        client_data or "",
                        join.audio_slots or False,
                    )
                    self._attachment = await self._sessions.join(request, self._socket)
                case signalling.Resume(connection_id, resume_key, after, audio_slots):
                    wish = ResumeRequest(connection_id, resume_key, after, audio_slots or False)
                    self._attachment = await self._sessions.resume(wish, self._socket)
                case TertuliaError() as error:
                    raise error
                case _:
                    raise InvalidParameterError("The first frame is join or resume.")
        except UnavailableError as error:
            self._count(frame.body, "unavailable")
            if isinstance(frame.body, signalling.Resume):
                self._socket.close_with(CloseCode.RESTART)  # the seat may well be there in a moment
            else:
                self._refuse(error)
        except ConnectionEndedError as error:
            self._count(frame.body, "ended")
            self._say_why(error.reason)
        except TertuliaError as error:
            self._count(frame.body, "refused")
            self._refuse(error)
        else:
            self._count(frame.body, "seated")
            if self._pass is not None:
                self._gate.leave(self._pass)
            self._rates = self._book.of(self._attachment.connection_id, self._clock.monotonic())
            self._heartbeat = Heartbeat(
                self._clock, self._limits.heartbeat_s, lambda: self._socket.send(_PING), self._fall_silent
            )

    async def _handle(self, attachment: Attachment, frame: signalling.ClientFrame) -> None:
        if not self._may_ask(frame.body):
            self._refuse_for_rate(frame.id)
            return
        match frame.body:
            case signalling.Pong():
                pass
            case signalling.Ping():
                self._socket.send(_PONG)
            case (signalling.ReportSenderStats() | signalling.ReportStalledVideo()) as message:
                await attachment.report(report_of(message, attachment.connection_id))
            case TertuliaError() as error:
                # Without a number there is nothing to answer: a message from a newer client, without effect here.
                if frame.id != 0:
                    self._reply(frame.id, error)
            case _ if frame.id == 0:
                self._socket.close_with(CloseCode.UNLAWFUL)
            case signalling.Join() | signalling.Resume():
                self._reply(frame.id, InvalidParameterError("This socket has its connection already."))
            case message:
                await self._ask(attachment, frame.id, message)

    async def _ask(self, attachment: Attachment, request_id: int, message: RequestMessage) -> None:
        origin = Origin(attachment.connection_id, request_id)
        await attachment.request(command_of(message, origin, self._ids, self._clock.wall()))

    def _may_ask(self, body: object) -> bool:
        """Count a frame; whatever it holds, it costs. A goodbye always comes through."""
        assert self._rates is not None, "a client that asks has a seat"
        if isinstance(body, signalling.Leave):
            return True
        bucket = (
            self._rates.signals
            if isinstance(body, signalling.SendSignal | signalling.SetState)
            else self._rates.requests
        )
        return bucket.take(self._clock.monotonic())

    def _refuse_for_rate(self, request_id: int) -> None:
        assert self._rates is not None, "a client that asks has a seat"
        if not self._rates.refusals.take(self._clock.monotonic()):
            self._socket.close_with(CloseCode.FLOODING)
        elif request_id != 0:
            self._reply(request_id, RateLimitError())

    def _count(self, body: object, outcome: str) -> None:
        counter = self._metrics.resumes if isinstance(body, signalling.Resume) else self._metrics.joins
        counter.labels(outcome).inc()

    # ---- writing

    def _reply(self, request_id: int, error: TertuliaError) -> None:
        self._metrics.requests_refused.labels(error.kind.name, str(error.kind.code)).inc()
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

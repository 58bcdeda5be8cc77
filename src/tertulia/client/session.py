"""Session: what a program uses. It carries out what the core decides, on asyncio."""

from __future__ import annotations

import asyncio
import logging
import secrets
import ssl
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Self

from tertulia.client.answer import Answer
from tertulia.client.core import Core, State
from tertulia.client.dispatch import EventDispatcher
from tertulia.client.emitter import Emitter
from tertulia.client.errors import (
    SessionError,
    authentication_error,
    invalid_parameter,
    invalid_session_id,
    not_connected,
    signal_too_long,
    stream_not_found,
)
from tertulia.client.events import (
    SESSION_EVENTS,
    Event,
    SessionDisconnectEvent,
    StreamEvent,
    StreamPropertyChangedEvent,
)
from tertulia.client.exchange import (
    Answered,
    Ask,
    CloseSocket,
    Connect,
    ConnectDone,
    Disconnect,
    DisconnectDone,
    Dispatched,
    Effect,
    ForMedia,
    Input,
    MediaOver,
    OpenSocket,
    Reading,
    Received,
    Request,
    Send,
    SocketLost,
    SocketOpened,
)
from tertulia.client.presence import Presence
from tertulia.client.publisher import Publisher
from tertulia.client.session_media import SessionMedia
from tertulia.client.subscriber import Subscriber
from tertulia.client.values import Capabilities, Connection, Stream
from tertulia.client.websocket import Dial, Socket, dial, signalling_address
from tertulia.errors import MalformedFrameError
from tertulia.wire import signalling as wire
from tertulia.wire.codes import MESSAGE_BYTES, OFFER_MESSAGE_BYTES

SIGNAL_DATA_BYTES, SIGNAL_TYPE_BYTES = 8192, 128
"""`signal_data_bytes` and `signal_type_bytes` in `contract/signalling.yaml`."""

ENVELOPE_BYTES = 64
"""More than the two numbers and the brackets around a body can take."""

_log = logging.getLogger("tertulia.client")


class Session(Emitter):
    """One session of a Tertulia server, as one client of it sees it.

    It is connected with a token, can be left and connected again, and keeps itself connected over lost networks. All
    its methods must be called in one event loop. Handlers are called in order, after the call that caused an event.

        async with Session(api_key, session_id, server="https://video.example.org") as session:
            session.on("signal:chat", lambda event: print(event.data))
            await session.connect(token)
            await session.signal("hello", type="chat")

    Leaving the `async with` block disconnects and waits until the last handler has run.
    """

    def __init__(
        self,
        api_key: str,
        session_id: str,
        *,
        server: str = "http://127.0.0.1:8080",
        connection_events_suppressed: bool = False,
        ssl_context: ssl.SSLContext | None = None,
        dial: Dial = dial,
    ) -> None:
        """Prepares a session. Nothing is sent before `connect()`.

        Args:
            api_key: the project's key.
            session_id: the session's id, made by the REST API.
            server: where Tertulia is, `http://` or `https://`, with the path before `/signalling` if it has one.
            connection_events_suppressed: whether the server keeps quiet about other clients' connections. For sessions
                of thousands; `connections` then holds the own one only.
            ssl_context: how the server's certificate is checked; None for the system's rules.
            dial: opens a socket. Tests give their own.

        Raises:
            AuthenticationError: the key is empty.
            InvalidSessionIdError: the session id is empty.
            InvalidParameterError: the server address is malformed.
        """
        if not api_key:
            raise authentication_error("The API key is empty.")
        if not session_id:
            raise invalid_session_id("The session id is empty.")
        self.api_key = str(api_key)
        self.session_id = session_id
        self._address = signalling_address(server)
        self._suppressed = connection_events_suppressed
        self._ssl_context = ssl_context
        self._dial = dial
        self._core = Core(self._opening, Presence(suppressed=connection_events_suppressed))
        super().__init__(EventDispatcher(SESSION_EVENTS, self._read_on))
        self._connect_waiters: list[asyncio.Future[None]] = []
        self._disconnect_waiters: list[asyncio.Future[None]] = []
        self._answers: dict[int, Answer] = {}
        self._effects: deque[Effect] = deque()
        self._carrying_out = False
        self._media = SessionMedia(self._core.presence, self._ask)
        self._tickets = 0
        self._dialling: asyncio.Task[None] | None = None
        self._socket: Socket | None = None
        self._paused = False
        self._timer: asyncio.TimerHandle | None = None

    # What is in the session

    @property
    def connected(self) -> bool:
        """Whether the client is in the session. True during a reconnection as well: it keeps its place."""
        return self._core.state in (State.CONNECTED, State.RECONNECTING, State.DISCONNECTING)

    @property
    def connection(self) -> Connection | None:
        """The client's own connection; None while it is not in the session."""
        return self._core.presence.own

    @property
    def capabilities(self) -> Capabilities | None:
        """What the token's role allows; None while the client is not in the session."""
        return self._core.presence.capabilities

    @property
    def connections(self) -> list[Connection]:
        """Everybody in the session, the own connection included, in the order of coming."""
        return list(self._core.presence.connections.values())

    @property
    def state(self) -> dict[str, str]:
        """The shared state of the session: a copy, empty while not connected."""
        return dict(self._core.presence.state)

    @property
    def streams(self) -> list[Stream]:
        """Every stream in the session, in the order of publishing."""
        return list(self._core.presence.streams.values())

    # Joining and leaving

    async def connect(self, token: str) -> None:
        """Connects. Returns when the server has let the client in; the events follow.

        Called while connected it returns at once; called while connecting it waits for the same attempt. If it is
        cancelled, the attempt is given up.

        Raises:
            InvalidParameterError: the token is empty.
            AuthenticationError: the token is forged, expired, malformed, or for another session or project.
            InvalidSessionIdError: there is no such session.
            LimitExceededError: the session is full.
            ConnectFailedError: the server cannot be reached, or did not answer within 10 s.
            DisconnectedError: `disconnect()` was called meanwhile.
        """
        if not token:
            raise invalid_parameter("The token is empty.")
        while self._core.state is State.DISCONNECTING:
            await self.disconnect()
        waiter = asyncio.get_running_loop().create_future()
        self._connect_waiters.append(waiter)
        self._feed(Connect(token))
        try:
            await waiter
        finally:
            if waiter in self._connect_waiters:  # cancelled
                self._connect_waiters.remove(waiter)
                if not self._connect_waiters:
                    self._feed(Disconnect())

    async def disconnect(self) -> None:
        """Leaves the session. Returns when the server has confirmed it, or after 3 s without its answer.

        `sessionDisconnected` is dispatched afterwards. Called while not connected it does nothing.
        """
        waiter = asyncio.get_running_loop().create_future()
        self._disconnect_waiters.append(waiter)
        if self._core.state is not State.DISCONNECTING:
            self._feed(Disconnect())
        try:
            await waiter
        finally:
            if waiter in self._disconnect_waiters:  # cancelled; the leaving goes on
                self._disconnect_waiters.remove(waiter)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.disconnect()
        await self._media.closed()
        await self._dispatcher.drained()
        await self._dispatcher.cancel_hanging()

    # Media

    @property
    def publishers(self) -> list[Publisher]:
        """What this client publishes in the session, in the order of publishing."""
        return self._media.publishers

    @property
    def subscribers(self) -> list[Subscriber]:
        """What this client subscribes to, in the order of subscribing."""
        return self._media.subscribers

    async def publish(self, publisher: Publisher) -> Publisher:
        """Publishes, and returns the Publisher when media passes to the server.

        Its sources are opened first, and the media connection is made if there is none yet. If it is cancelled,
        the stream is taken out again.

        Raises:
            InvalidParameterError: it is no Publisher, is destroyed, or is published already.
            CaptureError: the file or device cannot be opened.
            NotSupportedError: the media part of the package is not installed.
            PermissionDeniedError: the token's role does not allow publishing (code 1500).
            LimitExceededError: there are too many streams.
            MediaFailedError: no media path to the server was found within 30 s.
            NotConnectedError, DisconnectedError, RequestTimeoutError: as for `signal()`.
        """
        if not isinstance(publisher, Publisher):
            raise invalid_parameter(f"A Publisher can be published, not a {type(publisher).__name__}.")
        if not self.connected:
            raise not_connected()
        await self._media.publish(publisher)
        return publisher

    async def unpublish(self, publisher: Publisher) -> None:
        """Ends the stream of a Publisher. `streamDestroyed` and, unless prevented, `destroyed` follow on the Publisher.

        Raises:
            InvalidParameterError: it is no Publisher, or not published in this session.
            NotConnectedError, DisconnectedError, RequestTimeoutError: as for `signal()`.
        """
        if not isinstance(publisher, Publisher):
            raise invalid_parameter(f"A Publisher can be unpublished, not a {type(publisher).__name__}.")
        await self._media.unpublish(publisher)

    async def subscribe(self, stream: Stream | str, *, audio: bool = True, video: bool = True) -> Subscriber:
        """Subscribes to a stream, the client's own included. Returns when the server has accepted it; media follows.

        Args:
            stream: a Stream of this session, or its id.
            audio: whether its sound is received at first.
            video: whether its pictures are received at first.

        Raises:
            NotFoundError: no such stream in the session.
            NotSupportedError: the media part of the package is not installed.
            PermissionDeniedError: the token's role does not allow subscribing (code 1501).
            LimitExceededError: the client has as many subscriptions as there can be.
            InvalidParameterError: it is neither a Stream nor a text.
            NotConnectedError, DisconnectedError, RequestTimeoutError: as for `signal()`.
        """
        if not isinstance(stream, Stream | str):
            raise invalid_parameter(f"A Stream or its id is needed, not a {type(stream).__name__}.")
        if not self.connected:
            raise not_connected()
        found = self._core.presence.streams.get(_id_of(stream, "The stream id is empty."))
        if found is None:
            raise stream_not_found()
        subscriber = Subscriber(found, audio=bool(audio), video=bool(video))
        await self._media.subscribe(found, subscriber)
        return subscriber

    async def unsubscribe(self, subscriber: Subscriber) -> None:
        """Ends a subscription. `destroyed` follows on the Subscriber. One that is over already is left alone.

        Raises:
            InvalidParameterError: it is no Subscriber.
        """
        if not isinstance(subscriber, Subscriber):
            raise invalid_parameter(f"A Subscriber can be unsubscribed, not a {type(subscriber).__name__}.")
        subscriber.destroy()

    # Requests

    async def signal(self, data: str = "", *, type: str = "", to: Connection | str | None = None) -> None:
        """Sends a signal. Returns when it stands in the session's log; it is then delivered to everybody exactly once.

        During a reconnection it waits and is sent when the client is back.

        Args:
            data: at most 8192 bytes of UTF-8.
            type: at most 128 bytes; letters, digits, `-`, `_` and `~`.
            to: a connection or its id; everybody, the sender included, if it is left out.

        Raises:
            InvalidParameterError: too long (code 413) or malformed (code 400).
            NotFoundError: the receiver is not in the session.
            PermissionDeniedError: the role does not allow signalling.
            LimitExceededError: more than 100 signals in a second, or too many requests without an answer.
            NotConnectedError: the session is not connected.
            DisconnectedError: the connection ended before the answer came.
            RequestTimeoutError: the server did not answer; the signal may have been delivered.
        """
        if len(data.encode()) > SIGNAL_DATA_BYTES:
            raise signal_too_long(f"The data of a signal may have {SIGNAL_DATA_BYTES} bytes.")
        if len(type.encode()) > SIGNAL_TYPE_BYTES:
            raise signal_too_long(f"The type of a signal may have {SIGNAL_TYPE_BYTES} bytes.")
        receiver = None if to is None else _id_of(to, "The receiver's connection id is empty.")
        await self._ask(wire.SendSignal(to=receiver, signal_type=type or None, data=data or None))

    async def set_state(self, values: Mapping[str, str | None]) -> None:
        """Sets keys of the session's shared state, which every client reads; returns when the server has stored it.

        All of it happens, or nothing. Everybody, this client included, gets `stateChanged` with what is different.

        Args:
            values: key to text; None removes a key. At most 20 keys of at most 100 characters without a space; at
                most 1000 characters of text. Keys that begin with `publisher_` or `moderator_` belong to these roles.

        Raises:
            PermissionDeniedError: the token's role may not set one of the keys (code 401).
            InvalidParameterError: a bad key (402), a bad value (403), or too many (405).
            LimitExceededError: more than 100 signals and settings in a second (code 429).
            NotConnectedError, DisconnectedError, RequestTimeoutError: as for `signal()`.
        """
        await self._ask(wire.SetState(dict(values)))

    async def force_disconnect(self, connection: Connection | str) -> None:
        """Removes a client from the session. It gets `sessionDisconnected` with the reason `forceDisconnected`.

        Raises:
            PermissionDeniedError: the token's role is not moderator (code 1520).
            NotFoundError: no such connection in the session.
            NotConnectedError, DisconnectedError, RequestTimeoutError: as for `signal()`.
        """
        await self._ask(wire.ForceDisconnect(_id_of(connection, "The connection id is empty.")))

    async def force_unpublish(self, stream: Stream | str) -> None:
        """Ends a stream. Its publisher stays connected.

        Raises:
            PermissionDeniedError: the token's role is not moderator (code 1530).
            InvalidParameterError: no such stream in the session (code 1535).
            NotConnectedError, DisconnectedError, RequestTimeoutError: as for `signal()`.
        """
        await self._ask(wire.ForceUnpublish(_id_of(stream, "The stream id is empty.")))

    async def force_mute_stream(self, stream: Stream | str) -> None:
        """Mutes a stream. Returns when the server has accepted it; the publisher may unmute itself later.

        Raises:
            PermissionDeniedError: the token's role is not moderator (code 1540).
            NotFoundError: no such stream in the session.
            NotConnectedError, DisconnectedError, RequestTimeoutError: as for `signal()`.
        """
        await self._ask(wire.ForceMuteStream(_id_of(stream, "The stream id is empty.")))

    async def force_mute_all(self, excluded: Iterable[Stream | str] = ()) -> None:
        """Mutes every stream but those excluded, and every stream that begins before `disable_force_mute()`.

        Raises:
            PermissionDeniedError: the token's role is not moderator (code 1540).
            NotConnectedError, DisconnectedError, RequestTimeoutError: as for `signal()`.
        """
        await self._ask(wire.ForceMuteAll([_id_of(stream, "The stream id is empty.") for stream in excluded]))

    async def disable_force_mute(self) -> None:
        """Lets streams begin with sound again. Nobody is unmuted.

        Raises:
            PermissionDeniedError: the token's role is not moderator (code 1540).
            NotConnectedError, DisconnectedError, RequestTimeoutError: as for `signal()`.
        """
        await self._ask(wire.DisableForceMute())

    # The edge

    def _opening(self, token: str) -> wire.Join:
        from tertulia import __version__

        return wire.Join(
            token=token,
            session_id=self.session_id,
            api_key=self.api_key,
            connection_events_suppressed=self._suppressed or None,
            client=wire.ClientInfo(name="tertulia-python", version=__version__),
            audio_slots=True,
        )

    async def _ask(self, request: Request, now: Callable[[wire.Result], None] | None = None) -> wire.Result:
        """Sends a request and returns its result; `now` gets it in the very moment in which it comes."""
        name = str(request.__struct_config__.tag)
        most = OFFER_MESSAGE_BYTES if name in wire.OFFER_MESSAGES else MESSAGE_BYTES
        if len(wire.encode_body(request).encode()) + ENVELOPE_BYTES > most:
            raise invalid_parameter(f"The request is longer than {most} bytes.")
        self._tickets += 1
        ticket = self._tickets
        answer = self._answers[ticket] = Answer(name, now)
        self._feed(Ask(ticket, request))
        try:
            return await answer.future
        finally:
            self._answers.pop(ticket, None)

    def _feed(self, input: Input) -> None:
        """Gives the core an input and does what it says."""
        loop = asyncio.get_running_loop()
        self._carry_out(self._core.handle(input, loop.time()))
        self._arm(loop)

    def _carry_out(self, effects: list[Effect]) -> None:
        """Does what the core says, in order: what an effect leads to comes after what was decided before."""
        self._effects.extend(effects)
        if self._carrying_out:
            return
        self._carrying_out = True
        try:
            while self._effects:
                self._do(self._effects.popleft())
        finally:
            self._carrying_out = False

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        """Sets the timer for the core's next deadline. One that is set too early is left: it finds nothing to do."""
        deadline = self._core.next_deadline()
        if self._timer is not None and (deadline is None or deadline < self._timer.when()):
            self._timer.cancel()
            self._timer = None
        if self._timer is None and deadline is not None:
            self._timer = loop.call_at(deadline, self._wake)

    def _wake(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        self._carry_out(self._core.handle_timeout(loop.time()))
        self._arm(loop)

    def _do(self, effect: Effect) -> None:
        match effect:
            case Dispatched(event):
                self._attach_default(event)
                self._dispatch(event)
            case ForMedia(news):
                self._media.take(news)
            case MediaOver(reason):
                self._end_media = self._media.over(reason)
            case Send(id, ack, body):
                if self._socket is not None:
                    self._socket.send(wire.client_frame(id, ack, body).encode())
            case Answered(ticket, error, reply):
                if (answer := self._answers.get(ticket)) is not None:
                    answer.settle(error, reply)
            case ConnectDone(error):
                waiters, self._connect_waiters = self._connect_waiters, []
                _settle(waiters, error)
            case DisconnectDone():
                waiters, self._disconnect_waiters = self._disconnect_waiters, []
                _settle(waiters, None)
            case OpenSocket(number):
                self._dialling = asyncio.get_running_loop().create_task(self._open(number), name="tertulia dial")
            case CloseSocket():
                self._close()

    def _attach_default(self, event: Event) -> None:
        """Gives an event what happens after its handlers."""
        match event:
            case SessionDisconnectEvent():
                end = self._end_media
                event.default = lambda: end(event.is_default_prevented())
            case StreamEvent(type="streamDestroyed"):
                event.default = lambda: self._media.stream_ended(event)
            case StreamPropertyChangedEvent():
                self._media.stream_changed(event.stream, event.changed_property)

    def _close(self) -> None:
        if self._dialling is not None:
            self._dialling.cancel()
            self._dialling = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._paused = False

    async def _open(self, number: int) -> None:
        try:
            self._socket = await self._dial(self._address, _Ear(self, number), self._ssl_context)
        except (OSError, UnicodeError) as error:  # the latter for a host name that no resolver takes
            self._dialling = None
            self._feed(SocketLost(number, None, _jitter(), str(error) or type(error).__name__))
        else:
            self._dialling = None
            self._feed(SocketOpened(number))

    def _read_on(self) -> None:
        """The last waiting event has been delivered."""
        if self._paused and self._socket is not None:
            self._paused = False
            self._feed(Reading(on=True))
            self._socket.resume()

    def _received(self, number: int, text: bytes) -> None:
        """A message has come on the socket with this number. Called by the socket."""
        try:
            frame = wire.decode_server_frame(text)
        except MalformedFrameError as error:
            _log.warning("a message of the server was ignored: %s", error)
            return
        self._feed(Received(number, frame.number, frame.body))
        if self._dispatcher.full and self._socket is not None and not self._paused:
            self._paused = True
            self._socket.pause()
            self._feed(Reading(on=False))

    def _lost(self, number: int, code: int | None) -> None:
        """The socket with this number has ended. Called by the socket."""
        why = "the connection was closed" if code is None else f"the connection was closed with code {code}"
        self._feed(SocketLost(number, code, _jitter(), why))


class _Ear:
    """Tells the session what comes out of one of its sockets, and out of which."""

    __slots__ = ("_number", "_session")

    def __init__(self, session: Session, number: int) -> None:
        self._session = session
        self._number = number

    def received(self, text: bytes) -> None:
        self._session._received(self._number, text)

    def lost(self, code: int | None) -> None:
        self._session._lost(self._number, code)


def _settle(waiters: list[asyncio.Future[None]], error: SessionError | None) -> None:
    for waiter in waiters:
        if not waiter.done():
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(error)


def _id_of(thing: Connection | Stream | str, empty: str) -> str:
    id = thing if isinstance(thing, str) else thing.id
    if not id:
        raise invalid_parameter(empty)
    return id


def _jitter() -> float:
    return secrets.randbelow(1 << 16) / (1 << 16)

"""Sessions that run: letting clients in, and what the server's API does to them."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from tertulia.clock import Clock, MonotonicTime, TimerHandle, pause
from tertulia.domain.callbacks import OutboxEntry
from tertulia.domain.commands import (
    DisableForceMute,
    ForceDisconnect,
    ForceMuteAll,
    ForceMuteStream,
    ForceUnpublish,
    Join,
    ReportSenderStats,
    ReportStalledVideo,
    Request,
    Resume,
    SendSignal,
    SetLayoutClasses,
)
from tertulia.domain.connection import SeatState
from tertulia.domain.limits import SessionLimits
from tertulia.domain.reports import Report
from tertulia.domain.roles import Reason
from tertulia.domain.session import Session
from tertulia.errors import (
    AuthenticationError,
    ConnectFailedError,
    EncryptionSecretMissingError,
    InvalidSessionIdError,
    NotConnectedError,
    NotFoundError,
    RefusedByApplicationError,
    SessionIdFormatError,
    TertuliaError,
    UnavailableError,
)
from tertulia.ids import (
    ApiKey,
    ConnectionId,
    IdSource,
    SessionId,
    StreamId,
    TransportId,
    api_key_in,
    is_session_id_shaped,
)
from tertulia.services.hooks import ConnectionAttempt, HookRunner
from tertulia.services.inbox import Ask, Entry, LostSocket, Order, Seat, Stop, Tell
from tertulia.services.live_session import Directory, Environment, LiveSession
from tertulia.services.ports import (
    ClientClaims,
    ClientSocket,
    Codec,
    IceServer,
    RouterPort,
    Store,
    TokenVerifier,
    Welcome,
)
from tertulia.services.projects import Projects
from tertulia.services.resume_keys import ResumeKeys
from tertulia.services.router_lanes import RouterGate, RouterLanes
from tertulia.services.router_reports import RouterReports
from tertulia.services.session_records import SessionRecords
from tertulia.services.tasks import TaskSet

__all__ = [
    "Attachment",
    "Census",
    "ConnectionEndedError",
    "JoinRequest",
    "ResumeRequest",
    "SessionSettings",
    "Sessions",
]

_log = structlog.get_logger(__name__)

CLOSE_S = 5.0
"""How long sessions may take to store their last changes when the server ends. Our own choice."""
ORDER_S = 5.0
"""How long the server's API waits for a session that waits for the store. Our own choice: below the SDKs' time-outs."""
_TRIM_EVERY_S = 3600.0
_LOAD_AGAIN_S = 5.0
"""Its clients come at once, so this is for a session whose clients are all gone. Our own choice."""


class ConnectionEndedError(NotConnectedError):
    """The connection ended while its client was away; `reason` is what the others were told."""

    def __init__(self, reason: Reason) -> None:
        super().__init__("The connection has ended.")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """What an operator may choose.

    Attributes:
        limits: What one session may hold and how long it waits for lost clients.
        heartbeat_s: How often clients are pinged; they are told, so that they notice silence as well.
        ice_servers: STUN and TURN servers that clients are told of.
        single_use_tokens: Whether a token opens one connection only.
    """

    limits: SessionLimits = field(default_factory=SessionLimits)
    heartbeat_s: float = 10.0
    ice_servers: tuple[IceServer, ...] = ()
    single_use_tokens: bool = False


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """A client's wish for a seat; session id and API key are checked against the token if they are given.

    `encrypts` says that the client encrypts its media end to end, which a session may demand; `client_data` is what it
    tells the others of itself; `knows_audio_slots` that it understands the notice `audioSlot`.
    """

    token: str = field(repr=False)
    session_id: str | None = None
    api_key: str | None = None
    connection_events_suppressed: bool = False
    encrypts: bool = False
    client_data: str = ""
    knows_audio_slots: bool = False


@dataclass(frozen=True, slots=True)
class ResumeRequest:
    """A client's wish for the seat it had; `after` is the number of the last event that it has handled."""

    connection_id: str
    resume_key: str = field(repr=False)
    after: int = 0
    knows_audio_slots: bool = False


@dataclass(frozen=True, slots=True)
class Census:
    """How many sessions and streams there are, and how many seats by where they stand."""

    sessions: int
    streams: int
    connections: Mapping[str, int]


class Attachment:
    """A client's hold on its seat through one socket."""

    def __init__(
        self, live: LiveSession, connection_id: ConnectionId, socket: ClientSocket, hooks: HookRunner | None
    ) -> None:
        self.session_id = live.session_id
        self.connection_id = connection_id
        self._live = live
        self._socket = socket
        self._hooks = hooks

    async def request(self, request: Request) -> None:
        """Hand in a request; waits for hooks, and while the session has much to do. The answer goes to the socket."""
        refusal: TertuliaError | None = None
        if self._hooks is not None:
            try:
                await self._hooks.request(self.session_id, request)
            except RefusedByApplicationError as error:
                refusal = error
        await self._live.put(Ask(request, refusal))

    async def report(self, command: ReportSenderStats | ReportStalledVideo) -> None:
        """Hand in what is not answered; waits while the session has much to do."""
        await self._live.put(Tell(command))

    def lost(self) -> None:
        """Say that the socket ended without goodbye; harmless if the seat has ended or has another socket."""
        self._live.post(LostSocket(self.connection_id, self._socket))


class Sessions:
    """All sessions of this control process. `start` it before use, `close` it to leave every seat in the store.

    Attributes:
        records: Which sessions there are, running or not.
        router_reports: The listener of the media router.
    """

    def __init__(
        self,
        *,
        store: Store,
        router: RouterPort,
        codec: Codec,
        clock: Clock,
        ids: IdSource,
        projects: Projects,
        verify_token: TokenVerifier,
        settings: SessionSettings,
        hooks: HookRunner | None = None,
        report: Callable[[Report, ApiKey], OutboxEntry] | None = None,
        reported: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._hooks = hooks
        self._router = router
        self._clock = clock
        self._ids = ids
        self._projects = projects
        self._verify_token = verify_token
        self._settings = settings
        self._keys = ResumeKeys(b"")
        self._tasks = TaskSet()
        self._gate = RouterGate()
        self._live: dict[SessionId, asyncio.Future[LiveSession]] = {}
        self._closing = False
        self._trimmer: TimerHandle | None = None
        self._directory = Directory()
        self.records = SessionRecords(store, projects, clock, ids)
        self.router_reports = RouterReports(router, self._gate, self._directory, self._live.values, self._tasks)
        self._environment = Environment(
            store=store,
            codec=codec,
            clock=clock,
            welcome=self._welcome,
            lanes=lambda session_id, tell, idle: RouterLanes(session_id, router, self._gate, tell, idle, self._tasks),
            directory=self._directory,
            ended=self._forget,
            watch=hooks.happened if hooks is not None and hooks.watches else None,
            report=report,
            reported=reported,
        )

    # ---- beginning and end

    async def start(self) -> None:
        """Load every session in which a seat is held; their clients have the usual time to resume.

        Raises:
            UnavailableError: If the store cannot be read.
        """
        self._keys = ResumeKeys(await self._store.secret("resume-keys", self._ids.secret_bytes()))
        for session_id in await self._store.sessions_with_seats():
            await self._running(session_id)
        self._trim()

    async def close(self) -> None:
        """Close every socket so that its client resumes, keep every seat in the store, and end all tasks."""
        self._closing = True
        if self._trimmer is not None:
            self._trimmer.cancel()
        running = [future.result() for future in self._live.values() if future.done() and not future.cancelled()]
        for live in running:
            live.post(Stop())
        # A session that waits for a store that is away is cut off; nobody was told what it could not store.
        over = asyncio.Event()
        ending = asyncio.create_task(_end_of(running, over), name="sessions ending")
        await pause(self._clock, CLOSE_S, over)
        ending.cancel()
        await self._tasks.close()

    @property
    def is_closing(self) -> bool:
        """Whether clients are being sent away."""
        return self._closing

    def census(self) -> Census:
        """Count what is in memory."""
        states: Counter[str] = Counter({state.value: 0 for state in SeatState})
        running = [future.result() for future in self._live.values() if future.done() and not future.exception()]
        for live in running:
            states.update(connection.state.value for connection in live.state.connections.values())
        return Census(len(running), sum(len(live.state.streams) for live in running), states)

    def owner_of(self, transport_id: TransportId) -> tuple[SessionId, ConnectionId] | None:
        """Return whose transport this is, if it is known."""
        known = self._directory.transports.get(transport_id)
        return None if known is None else (known[0].session_id, known[1])

    # ---- the server's API

    async def force_disconnect(self, session_id: str, connection_id: str) -> None:
        """End a connection.

        Raises:
            InvalidSessionIdError: If there is no such session.
            NotFoundError: If the connection is not in it.
            UnavailableError: If the store is away.
        """
        await self._order(session_id, ForceDisconnect(None, ConnectionId(connection_id)))

    async def evict(self, api_key: str) -> None:
        """End every connection to every session of a project, as a moderator's removal.

        Raises:
            UnavailableError: If the store is away.
        """
        for session_id in await self._store.sessions_with_seats(ApiKey(api_key)):
            for connection in (await self.records.inhabitants(session_id))[0]:
                # Who left meanwhile is gone all the same.
                with contextlib.suppress(NotFoundError, InvalidSessionIdError):
                    await self.force_disconnect(session_id, connection.connection_id)

    async def force_unpublish(self, session_id: str, stream_id: str) -> None:
        """End a stream.

        Raises:
            InvalidSessionIdError: If there is no such session.
            ForceUnpublishInvalidStreamError: If the stream is not in it.
            UnavailableError: If the store is away.
        """
        await self._order(session_id, ForceUnpublish(None, StreamId(stream_id)))

    async def force_mute_stream(self, session_id: str, stream_id: str) -> None:
        """Mute a stream.

        Raises:
            InvalidSessionIdError: If there is no such session.
            StreamNotFoundError: If the stream is not in it.
            UnavailableError: If the store is away.
        """
        await self._order(session_id, ForceMuteStream(None, StreamId(stream_id)))

    async def force_mute_all(self, session_id: str, excluded_stream_ids: Iterable[str] = ()) -> None:
        """Mute every stream but the excluded, and every later one until `disable_force_mute`.

        Raises:
            InvalidSessionIdError: If there is no such session.
            UnavailableError: If the store is away.
        """
        excluded = frozenset(StreamId(stream_id) for stream_id in excluded_stream_ids)
        await self._order(session_id, ForceMuteAll(None, excluded))

    async def disable_force_mute(self, session_id: str) -> None:
        """Let later streams begin with sound; nobody is unmuted.

        Raises:
            InvalidSessionIdError: If there is no such session.
            UnavailableError: If the store is away.
        """
        await self._order(session_id, DisableForceMute(None))

    async def set_layout_classes(self, session_id: str, classes: Mapping[str, Sequence[str]]) -> None:
        """Replace the layout classes of streams.

        Raises:
            InvalidSessionIdError: If there is no such session.
            InvalidParameterError: If a stream is not in it, or has too many classes; then nothing changes.
            UnavailableError: If the store is away.
        """
        wanted = {StreamId(stream_id): tuple(names) for stream_id, names in classes.items()}
        await self._order(session_id, SetLayoutClasses(wanted))

    async def signal(self, session_id: str, *, to: str | None, signal_type: str | None, data: str | None) -> None:
        """Signal one connection or, with `to` None, everybody; returns once the signal is stored and on its way.

        Raises:
            InvalidSessionIdError: If there is no such session.
            NotFoundError: If nobody is there, or not the one.
            SignalInvalidError, SignalTooLongError: If type or data are not lawful.
            RefusedByApplicationError: If a hook would not have it.
            UnavailableError: If the store is away.
        """
        receiver = None if to is None else ConnectionId(to)
        request = SendSignal(None, receiver, signal_type, data)
        if self._hooks is not None:
            await self._hooks.request(SessionId(session_id), request)
        await self._order(session_id, request)

    # ---- clients

    async def join(self, request: JoinRequest, socket: ClientSocket) -> Attachment:
        """Give a client a seat; when this returns, `joined` is queued on its socket.

        Raises:
            AuthenticationError: If the token does not open this session; the message says why.
            InvalidSessionIdError: If the token's session does not exist.
            SessionIdFormatError: If the session id beside it is none.
            EncryptionSecretMissingError: If the session is encrypted end to end and the client does not encrypt.
            ConnectionLimitError: If the session is full.
            RefusedByApplicationError: If a hook would not have the client.
            UnavailableError: If the store is away.
        """
        claims = await self._projects.verify(request.token, self._verify_token, self._clock.wall())
        await self._check(claims, request)
        connection_id = self._ids.connection_id()
        if self._hooks is not None:
            await self._hooks.connection(
                ConnectionAttempt(claims.session_id, claims.api_key, connection_id, claims.role, claims.connection_data)
            )
        if self._settings.single_use_tokens and not await self._store.spend_token(claims.digest, claims.expires_at_s):
            raise AuthenticationError("The token was used before; on this server a token is good for one connection.")
        command = Join(
            connection_id=connection_id,
            created_at_ms=self._clock.wall(),
            role=claims.role,
            data=claims.connection_data,
            expires_at_s=claims.expires_at_s,
            connection_events_suppressed=request.connection_events_suppressed,
            layout_classes=claims.layout_classes,
            client_data=request.client_data,
            knows_audio_slots=request.knows_audio_slots,
        )
        return await self._seat(claims.session_id, command, socket, after=0)

    async def resume(self, request: ResumeRequest, socket: ClientSocket) -> Attachment:
        """Give a client its seat back; when this returns, `resumed` and all it missed are queued on its socket.

        Raises:
            AuthenticationError: If the resume key is not good (any more).
            ConnectionEndedError: If the seat has ended and it is known why.
            NotConnectedError: If the seat has ended.
            UnavailableError: If the store is away.
        """
        try:
            return await self._resume(request, socket)
        except NotConnectedError as error:
            reason = self._directory.end_of(ConnectionId(request.connection_id))
            if reason is None:
                raise
            raise ConnectionEndedError(reason) from error

    async def _resume(self, request: ResumeRequest, socket: ClientSocket) -> Attachment:
        connection_id = ConnectionId(request.connection_id)
        generation = self._keys.verify(connection_id, request.resume_key, self._clock.wall())
        live = self._directory.sessions.get(connection_id)
        session_id = live.session_id if live is not None else await self._store.find_seat(connection_id)
        if session_id is None:
            raise NotConnectedError("The connection has ended.")
        return await self._seat(
            session_id, Resume(connection_id, generation, request.knows_audio_slots), socket, after=request.after
        )

    async def _check(self, claims: ClientClaims, request: JoinRequest) -> None:
        if request.session_id is not None and request.session_id != claims.session_id:
            if not is_session_id_shaped(request.session_id):
                raise SessionIdFormatError("The session id is malformed.")
            raise AuthenticationError("The token is for another session.")
        if request.api_key is not None and request.api_key != claims.api_key:
            raise AuthenticationError("The token is for another project.")
        try:
            record = await self.records.of_token(claims.api_key, claims.session_id)
        except InvalidSessionIdError as error:
            # By the text of the id alone: nobody is told whether a session of another project exists.
            if api_key_in(claims.session_id) not in (None, claims.api_key):
                raise AuthenticationError("The session of the token belongs to another project.") from error
            raise InvalidSessionIdError("The session of the token does not exist.") from error
        if record.e2ee and not request.encrypts:
            raise EncryptionSecretMissingError

    async def _seat(
        self, session_id: SessionId, command: Join | Resume, socket: ClientSocket, *, after: int
    ) -> Attachment:
        seated: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        live = await self._put(session_id, Seat(command, socket, seated, after))
        attachment = Attachment(live, command.connection_id, socket, self._hooks)
        try:
            await seated
        except asyncio.CancelledError:
            attachment.lost()
            raise
        return attachment

    async def _order(self, session_id: str, request: Request | SetLayoutClasses) -> None:
        # One that is running exists.
        if SessionId(session_id) not in self._live and await self.records.find(session_id) is None:
            raise InvalidSessionIdError()
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        putting = asyncio.ensure_future(self._put(SessionId(session_id), Order(request, done)))
        when = MonotonicTime(self._clock.monotonic() + ORDER_S)
        late = self._clock.call_at(when, lambda: _be_late(done))
        try:
            waiting: set[asyncio.Future[Any]] = {putting, done}
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if putting.done():
                putting.result()
            await done
        finally:
            late.cancel()
            putting.cancel()
            done.cancel()

    # ---- running sessions

    async def _put(self, session_id: SessionId, entry: Entry) -> LiveSession:
        while True:
            live = await self._running(session_id)
            if await live.put(entry):
                return live

    async def _running(self, session_id: SessionId) -> LiveSession:
        """Return the running session, loading it first if need be; callers that come meanwhile wait for the same."""
        if self._closing:
            raise ConnectFailedError("The server is restarting; try again.")
        future = self._live.get(session_id)
        if future is None:
            future = self._live[session_id] = asyncio.get_running_loop().create_future()
            self._tasks.spawn(self._run(session_id, future), "session")
        return await asyncio.shield(future)

    async def _run(self, session_id: SessionId, ready: "asyncio.Future[LiveSession]") -> None:
        try:
            live = await self._load(session_id)
        except UnavailableError as error:
            del self._live[session_id]
            ready.set_exception(error)
            return
        ready.set_result(live)
        if self.router_reports.has_connected and live.state.connections:
            # The router may have what the store does not know: a transport that was opened, but could not be stored.
            self.router_reports.router_connected()
        if not await live.run() and not self._closing:
            self._tasks.spawn(self._load_again(session_id), "session loader")

    async def _load_again(self, session_id: SessionId) -> None:
        """Load a session that could not go on: should none of its clients come back, their seats must still end."""
        while not self._closing:
            await pause(self._clock, _LOAD_AGAIN_S)
            try:
                await self._running(session_id)
            except UnavailableError:
                continue
            return

    async def _load(self, session_id: SessionId) -> LiveSession:
        stored = await self._store.load_seats(session_id)
        restored = Session.restore(
            self._settings.limits,
            self._clock.monotonic(),
            number=stored.last_number,
            connections=stored.connections,
            streams=stored.streams,
            subscriptions=stored.subscriptions,
            pairs=[(connection_id, pair) for connection_id, pairs in stored.pairs.items() for pair in pairs],
            muted=stored.muted,
            shared=stored.shared,
        )
        live = LiveSession.load(session_id, self._environment, stored, restored)
        await live.begin()
        return live

    def _forget(self, live: LiveSession) -> None:
        future = self._live.get(live.session_id)
        if future is not None and future.done() and future.result() is live:
            del self._live[live.session_id]

    def _welcome(self, connection_id: ConnectionId, key_generation: int) -> Welcome:
        return Welcome(
            resume_key=self._keys.mint(connection_id, key_generation, self._clock.wall()),
            heartbeat_s=self._settings.heartbeat_s,
            reconnect_window_s=self._settings.limits.reconnect_window_s,
            ice_servers=self._settings.ice_servers,
        )

    def _trim(self) -> None:
        self._tasks.spawn(self._trim_log(), "log trimmer")
        when = MonotonicTime(self._clock.monotonic() + _TRIM_EVERY_S)
        self._trimmer = self._clock.call_at(when, self._trim)

    async def _trim_log(self) -> None:
        try:
            await self._store.trim_log(self._clock.wall())
        except UnavailableError:
            _log.warning("the session logs could not be trimmed", exc_info=True)


async def _end_of(running: Iterable[LiveSession], over: asyncio.Event) -> None:
    for live in running:
        await live.ended.wait()
    over.set()


def _be_late(done: "asyncio.Future[None]") -> None:
    if not done.done():
        done.set_exception(ConnectFailedError("The store is not available; it may still be done when that is back."))

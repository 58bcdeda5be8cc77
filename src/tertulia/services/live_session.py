"""One running session: the task that owns its state machine, stores what changes, and only then tells anybody."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

import structlog

from tertulia.clock import Clock, MonotonicTime, TimerHandle
from tertulia.domain.callbacks import OutboxEntry
from tertulia.domain.commands import (
    Command,
    EndTransport,
    FindTransport,
    Join,
    LoseSocket,
    Request,
    Resume,
    SetLayoutClasses,
)
from tertulia.domain.connection import Origin
from tertulia.domain.events import (
    Answered,
    Change,
    CloseTransport,
    ConnectionCreated,
    ConnectionDestroyed,
    ConnectionRemoved,
    ConnectionSaved,
    Event,
    Failed,
    Happened,
    Joined,
    Notice,
    Resumed,
    RouterIntent,
    SeatEnded,
)
from tertulia.domain.reports import Report, Reporter
from tertulia.domain.roles import Reason
from tertulia.domain.session import Session
from tertulia.errors import (
    ConnectFailedError,
    InternalError,
    InvalidParameterError,
    TertuliaError,
    UnavailableError,
)
from tertulia.ids import ApiKey, ConnectionId, SessionId, TransportId
from tertulia.services.audience import Audience
from tertulia.services.backlog import BacklogGoneError, read_backlog
from tertulia.services.hooks import Watch
from tertulia.services.inbox import Ask, Entry, Inbox, LostSocket, Order, Seat, Stop, Synchronise, Tell, Wake
from tertulia.services.kept_replies import Arrival, KeptReplies
from tertulia.services.lifecycle_log import log_fact
from tertulia.services.ports import (
    Backlog,
    ClientSocket,
    Codec,
    KeptReply,
    LogRow,
    SocketEnd,
    Store,
    StoredSession,
    TransportListing,
    Welcome,
    WriteBatch,
)
from tertulia.services.router_lanes import RouterLanes

__all__ = ["Directory", "Environment", "LiveSession"]

_INBOX_LIMIT = 1000
_ENDS_LIMIT = 10_000
"""Connections whose end is remembered, about 200 bytes each. Our own choice."""

_IDLE_S = 10.0
"""How long an empty session stays in memory, for whoever comes next."""


class Directory:
    """Where to find a connection or a transport among the running sessions."""

    def __init__(self) -> None:
        self.sessions: dict[ConnectionId, LiveSession] = {}
        self.transports: dict[TransportId, tuple[LiveSession, ConnectionId]] = {}
        self._ends: OrderedDict[ConnectionId, Reason] = OrderedDict()

    def remember_end(self, connection_id: ConnectionId, reason: Reason) -> None:
        """Keep why a connection ended, for a client that was away then and asks for its seat; the oldest goes."""
        self._ends[connection_id] = reason
        if len(self._ends) > _ENDS_LIMIT:
            self._ends.popitem(last=False)

    def end_of(self, connection_id: ConnectionId) -> Reason | None:
        """Return why a connection ended, if that is still known."""
        return self._ends.get(connection_id)


@dataclass(frozen=True, slots=True)
class Environment:
    """What every running session shares.

    Attributes:
        store: Where changes go.
        codec: How messages are made.
        clock: The time.
        welcome: What a client is told with its seat, given connection and key generation.
        lanes: Makes the router lanes of a session, given which, where outcomes go and whom to tell that all are empty.
        directory: Kept up to date by the sessions.
        ended: Called once when a session has nothing to live for any more, or cannot go on.
        watch: Is told each fact when it is stored; None if nobody wants to know.
        report: Makes an entry of the outbox of a report, given the project.
        reported: Called when such entries are stored that some callback may want.
    """

    store: Store
    codec: Codec
    clock: Clock
    welcome: Callable[[ConnectionId, int], Welcome]
    lanes: Callable[[SessionId, Callable[[Command], None], Callable[[], None]], RouterLanes]
    directory: Directory
    ended: Callable[["LiveSession"], None]
    watch: Watch | None = None
    report: Callable[[Report, ApiKey], OutboxEntry] | None = None
    reported: Callable[[], None] = lambda: None


@dataclass(slots=True)
class _Round:
    """What one run through the inbox brings about: first stored as one, then carried out in order."""

    changes: list[Change] = field(default_factory=list)
    log: list[LogRow] = field(default_factory=list)
    replies: list[KeptReply] = field(default_factory=list)
    reports: list[OutboxEntry] = field(default_factory=list)
    then: list[Callable[[], None]] = field(default_factory=list)
    leaving: list[ConnectionId] = field(default_factory=list)
    waiting: list["asyncio.Future[None]"] = field(default_factory=list)


class LiveSession:
    """A session in memory. Everything goes through its inbox and is handled by its one task, `run`.

    Each round takes all that is in the inbox, lets the state machine decide, stores the outcome as one batch, and then
    sends. While the store writes, the inbox fills: that is what makes thousands of signals a second cheap.
    If a batch cannot be stored, memory is ahead of the store; the session then ends here, its clients are told to
    resume at once, and it is loaded again from what is stored.
    """

    def __init__(
        self,
        session_id: SessionId,
        environment: Environment,
        session: Session,
        reporter: Reporter,
        api_key: ApiKey | None,
    ) -> None:
        self._reporter = reporter
        self._api_key = api_key
        self.session_id = session_id
        self.closed = False
        self.ended = asyncio.Event()
        self._env = environment
        self._session = session
        self._inbox = Inbox(_INBOX_LIMIT)
        self._audience = Audience(environment.clock)
        self._requests: dict[ConnectionId, KeptReplies] = {}
        # Whose socket is whose, as decided; the audience follows once it is stored.
        self._sockets: dict[ConnectionId, ClientSocket] = {}
        self._lanes = environment.lanes(session_id, self._tell, partial(self._inbox.post, Wake()))
        self._round = _Round()
        # What was taken from the inbox and is being handled.
        self._taken: list[Entry] = []
        self._timer: TimerHandle | None = None
        self._idle_until: MonotonicTime | None = None
        self._log = structlog.get_logger(__name__).bind(session_id=session_id)

    @classmethod
    def load(
        cls,
        session_id: SessionId,
        environment: Environment,
        stored: StoredSession,
        restored: tuple[Session, list[Event]],
    ) -> "LiveSession":
        """Make a session of what the store holds; `begin` stores what that changes."""
        session, events = restored
        reporter = Reporter(session_id, stored.connections, stored.streams)
        live = cls(session_id, environment, session, reporter, stored.api_key)
        for reply in stored.replies:
            live._requests_of(reply.connection_id).keep(reply.request_id, reply.body)
        for connection in session.connections.values():
            live._index(ConnectionSaved(connection))
        live._take(events)
        return live

    @property
    def state(self) -> Session:
        """The state machine, to read."""
        return self._session

    # ---- the ways in

    async def put(self, entry: Entry) -> bool:
        """Queue what a client or the API wants, as soon as there is room; False if the session has ended here."""
        if not self.closed:
            await self._inbox.put(entry)
        return not self.closed

    def post(self, entry: Entry) -> None:
        """Queue what the program tells itself."""
        self._inbox.post(entry)

    def _tell(self, command: Command) -> None:
        self._inbox.post(Tell(command))

    # ---- the task

    async def begin(self) -> None:
        """Store and carry out what loading changed.

        Raises:
            UnavailableError: If it cannot be stored; the session then does not run.
        """
        await self._finish_round()
        self._inbox.post(Wake())

    async def run(self) -> bool:
        """Handle the inbox until nothing is left to live for; False if it ended before, and the store has its seats."""
        try:
            while not self.closed:
                self._taken = await self._inbox.take()
                await self._handle(self._taken)
                if self._is_over():
                    break
                self._arm()
        except UnavailableError:
            self._log.error("session cannot be stored; its clients resume from what is stored", exc_info=True)
        except Exception:  # noqa: BLE001 - whatever it is, it ends this session only
            self._log.exception("session broke; its clients resume from what is stored")
            await self._store_last_words()
        else:
            return True
        finally:
            self._end()
        return False

    async def _handle(self, entries: list[Entry]) -> None:
        for index, entry in enumerate(entries):
            if isinstance(entry, Seat) and isinstance(entry.command, Resume):
                await self._finish_round()
                await self._resume(entry, entry.command)
            elif isinstance(entry, Stop):
                await self._finish_round()
                self.closed = True
                self._audience.close_all(SocketEnd.RESTART)
                self._reject(entries[index:])
                return
            else:
                self._handle_entry(entry)
        self._take(self._session.handle_timeout(self._env.clock.monotonic()))
        await self._finish_round()

    def _handle_entry(self, entry: Entry) -> None:
        match entry:
            case Ask(command, refusal):
                self._ask(command, refusal)
            case Tell(command):
                self._take(self._session.handle(command, self._env.clock.monotonic()))
            case Seat(Join() as command):
                self._join(entry, command)
            case Order(command, done):
                self._order(command, done)
            case LostSocket(connection_id, socket):
                if self._sockets.get(connection_id) is socket:
                    self._lose(connection_id)
            case Synchronise(listing):
                self._synchronise(listing)
            case _:
                pass

    def _ask(self, command: Request, refusal: TertuliaError | None) -> None:
        origin = command.origin
        assert origin is not None, "a client's request names its client"
        if origin.connection_id not in self._session.connections:
            return
        requests = self._requests_of(origin.connection_id)
        if (body := requests.find(origin.request_id)) is not None:
            self._send_later(origin.connection_id, self._env.codec.frame(0, body))
            return
        match requests.arrive(origin.request_id):
            case Arrival.OPEN:
                return
            case Arrival.TOO_MANY:
                if (socket := self._sockets.get(origin.connection_id)) is not None:
                    socket.close(SocketEnd.UNLAWFUL)
                    self._lose(origin.connection_id)
                return
            case Arrival.STALE:
                error = InvalidParameterError("The number of the request is below that of an answered one.")
                self._send_later(origin.connection_id, self._env.codec.frame(0, self._error(origin, error)))
                return
            case Arrival.NEW:
                pass
        if refusal is not None:
            self._reply(origin, self._error(origin, refusal))
            return
        try:
            events = self._session.handle(command, self._env.clock.monotonic())
        except TertuliaError as error:
            self._reply(origin, self._error(origin, error))
        except Exception:
            # Memory may be half changed: nothing of this round stands but this reply, which is stored so that the
            # client, when it has resumed, does not break the session again by repeating the request.
            reply = KeptReply(origin.connection_id, origin.request_id, self._error(origin, InternalError()))
            self._round = _Round(replies=[reply], waiting=self._round.waiting)
            raise
        else:
            self._take(events)

    def _join(self, entry: Seat, command: Join) -> None:
        try:
            events = self._session.handle(command, self._env.clock.monotonic())
        except TertuliaError as error:
            _fail(entry.seated, error)
            return
        self._sockets[command.connection_id] = entry.socket
        self._round.waiting.append(entry.seated)
        self._take(events, seat=entry)
        self._round.then.append(partial(_succeed, entry.seated))

    def _order(self, command: Request | SetLayoutClasses, done: "asyncio.Future[None]") -> None:
        try:
            events = self._session.handle(command, self._env.clock.monotonic())
        except TertuliaError as error:
            _fail(done, error)
            return
        self._round.waiting.append(done)
        self._take(events)
        self._round.then.append(partial(_succeed, done))

    def _lose(self, connection_id: ConnectionId) -> None:
        del self._sockets[connection_id]
        self._round.then.append(partial(self._audience.detach, connection_id))
        self._take(self._session.handle(LoseSocket(connection_id), self._env.clock.monotonic()))

    def _synchronise(self, listing: dict[TransportId, TransportListing]) -> None:
        now = self._env.clock.monotonic()
        for connection in list(self._session.connections.values()):
            transport_id = connection.transport_id
            if transport_id is None:
                continue
            found = listing.get(transport_id)
            if found is None or found.seat != connection.connection_id or not found.alive:
                message = "The media router restarted." if found is None else "The media transport ended."
                command: Command = EndTransport(connection.connection_id, transport_id, message)
            else:
                slots = tuple(found.slots)
                command = FindTransport(connection.connection_id, transport_id, slots, tuple(found.audio_slots))
            self._take(self._session.handle(command, now))
        for listed in listing.values():
            owner = self._session.connections.get(ConnectionId(listed.seat))
            if owner is not None and owner.transport_id != listed.transport_id:
                # Opened for this seat by a request whose outcome was never stored; nobody will use it.
                self._take(self._session.handle(FindTransport(owner.connection_id, listed.transport_id, ()), now))

    # ---- from events to what follows

    def _take(self, events: Iterable[Event], seat: Seat | None = None) -> None:
        """Sort events into what is stored and what is done afterwards, keeping their order."""
        for event in events:
            if isinstance(event, Happened):
                self._take_fact(event)
            elif isinstance(event, Answered):
                body = self._env.codec.result(event.origin.request_id, event.result)
                self._reply(event.origin, body)
            elif isinstance(event, Failed):
                self._reply(event.origin, self._error(event.origin, event.error))
            elif isinstance(event, Change):
                self._round.changes.append(event)
                self._index(event)
            elif isinstance(event, RouterIntent):
                if isinstance(event, CloseTransport):
                    self._env.directory.transports.pop(event.transport_id, None)
                self._round.then.append(partial(self._lanes.send, event))
            else:
                self._take_notice(event, seat)

    def _take_fact(self, event: Happened) -> None:
        row = LogRow(
            number=event.number,
            recipients=event.recipients,
            about_connections=isinstance(event.fact, ConnectionCreated | ConnectionDestroyed),
            body=self._env.codec.fact(event.fact),
        )
        self._round.log.append(row)
        frame = self._env.codec.frame(row.number, row.body)
        self._round.then.append(partial(self._audience.deliver, row, frame))
        self._round.then.append(partial(log_fact, self._log, event.fact))
        if self._env.report is not None and self._api_key is not None and Reporter.listens_to(event.fact):
            for report in self._reporter.reports(event, self._env.clock.wall()):
                self._round.reports.append(self._env.report(report, self._api_key))
        if self._env.watch is not None:
            self._round.then.append(partial(self._env.watch, self.session_id, event.number, event.fact))

    def _take_notice(self, notice: Notice, seat: Seat | None) -> None:
        match notice:
            case SeatEnded(connection_id, reason):
                if reason is not None:
                    self._round.then.append(partial(self._env.directory.remember_end, connection_id, reason))
                    body = self._env.codec.notice(notice, None, None)
                    self._send_later(connection_id, self._env.codec.frame(0, body))
                else:
                    self._round.leaving.append(connection_id)
                self._round.then.append(partial(self._audience.close, connection_id, SocketEnd.ENDED))
            case Joined(connection_id, connection):
                assert seat is not None, "only a client that joins is told so"
                welcome = self._env.welcome(connection_id, connection.key_issued)
                body = self._env.codec.notice(notice, welcome, None)
                self._round.then.append(
                    partial(
                        self._audience.attach,
                        connection_id,
                        seat.socket,
                        spared=connection.connection_events_suppressed,
                    )
                )
                self._send_later(connection_id, self._env.codec.frame(0, body))
            case _:
                body = self._env.codec.notice(notice, None, None)
                self._send_later(notice.connection_id, self._env.codec.frame(0, body))

    def _send_later(self, connection_id: ConnectionId, frame: str) -> None:
        self._round.then.append(partial(self._audience.send, connection_id, frame))

    def _reply(self, origin: Origin, body: str) -> None:
        self._requests_of(origin.connection_id).keep(origin.request_id, body)
        self._round.replies.append(KeptReply(origin.connection_id, origin.request_id, body))
        self._send_later(origin.connection_id, self._env.codec.frame(0, body))

    def _error(self, origin: Origin, error: TertuliaError) -> str:
        return self._env.codec.error(origin.request_id, error)

    def _requests_of(self, connection_id: ConnectionId) -> KeptReplies:
        return self._requests.setdefault(connection_id, KeptReplies())

    def _index(self, change: Change) -> None:
        directory = self._env.directory
        match change:
            case ConnectionSaved(connection):
                directory.sessions[connection.connection_id] = self
                if connection.transport_id is not None:
                    directory.transports[connection.transport_id] = (self, connection.connection_id)
            case ConnectionRemoved(connection_id):
                directory.sessions.pop(connection_id, None)
                self._requests.pop(connection_id, None)
                self._sockets.pop(connection_id, None)
            case _:
                pass

    # ---- storing and carrying out

    async def _finish_round(self) -> None:
        finished, self._round = self._round, _Round()
        try:
            await self._commit(finished)
        except UnavailableError as error:
            for future in finished.waiting:
                _fail(future, error)
            raise
        # Goodbyes are answered with the round, and whatever everybody is to know goes out behind them.
        self._audience.part(finished.leaving)
        for action in finished.then:
            action()
        self._audience.tell()

    async def _commit(self, finished: _Round) -> None:
        batch = WriteBatch(
            session_id=self.session_id,
            at=self._env.clock.wall(),
            changes=finished.changes,
            log=finished.log,
            replies=[reply for reply in finished.replies if reply.connection_id in self._session.connections],
            reports=finished.reports,
        )
        if batch and await self._env.store.commit(batch):
            self._env.reported()

    async def _store_last_words(self) -> None:
        """Store the reply to a request that broke the session, if it was one."""
        last = _Round(replies=self._round.replies if not self._round.changes else [])
        try:
            await self._commit(last)
        except UnavailableError:
            self._log.error("the reply to the request that broke the session is lost", exc_info=True)

    async def _resume(self, entry: Seat, command: Resume) -> None:
        try:
            events = self._session.handle(command, self._env.clock.monotonic())
        except TertuliaError as error:
            _fail(entry.seated, error)
            return
        position = next(index for index, event in enumerate(events) if isinstance(event, Resumed))
        resumed = events[position]
        assert isinstance(resumed, Resumed), "found by its type"
        self._round.waiting.append(entry.seated)
        self._audience.close(command.connection_id, SocketEnd.REPLACED)
        self._sockets[command.connection_id] = entry.socket
        self._take(events[:position])
        frames, more = await self._missed(resumed, entry.after)
        self._round.then.append(partial(self._seat_again, resumed, entry, frames, more))
        self._take(events[position + 1 :])
        await self._finish_round()

    async def _missed(self, resumed: Resumed, after: int) -> tuple[list[str], Backlog | None]:
        """Return what brings a client up to date: `resumed` and what followed `after`, or the whole state."""
        connection, codec = resumed.connection, self._env.codec
        # What this very round logged is not for the client itself, and stands nowhere yet.
        stored_up_to = resumed.number - len(self._round.log)
        missed: list[str] = []
        more: Backlog | None = None
        snapshot: Joined | None = None
        try:
            if after > resumed.number:
                raise BacklogGoneError()
            missed, more = await read_backlog(self._env.store, codec, self.session_id, connection, after, stored_up_to)
        except BacklogGoneError:
            snapshot = self._session.seen_by(connection)
        welcome = self._env.welcome(connection.connection_id, connection.key_issued)
        return [codec.frame(0, codec.notice(resumed, welcome, snapshot)), *missed], more

    def _seat_again(self, resumed: Resumed, entry: Seat, frames: list[str], more: Backlog | None) -> None:
        self._audience.attach(
            resumed.connection_id, entry.socket, spared=resumed.connection.connection_events_suppressed
        )
        entry.socket.send_backlog(frames, more)
        _succeed(entry.seated)

    # ---- time and the end

    def _is_over(self) -> bool:
        """Say whether the session has been empty for so long that it need not stay in memory."""
        now = self._env.clock.monotonic()
        if self._session.connections or len(self._inbox) or self._lanes.busy:
            self._idle_until = None
        elif self._idle_until is None:
            self._idle_until = MonotonicTime(now + _IDLE_S)
        return self._idle_until is not None and self._idle_until <= now

    def _arm(self) -> None:
        """Set the timer to what is due next."""
        if self._timer is not None:
            self._timer.cancel()
        when = self._idle_until or self._session.next_deadline()
        self._timer = None if when is None else self._env.clock.call_at(when, partial(self._inbox.post, Wake()))

    def _end(self) -> None:
        self.closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._audience.close_all(SocketEnd.RESTART)
        error = ConnectFailedError("The session is being loaded again; try again.")
        for future in self._round.waiting:
            _fail(future, error)
        self._reject([*self._taken, *self._inbox.drain()])
        directory = self._env.directory
        for connection_id in self._session.connections:
            if directory.sessions.get(connection_id) is self:
                del directory.sessions[connection_id]
        for transport_id in [key for key, (live, _) in directory.transports.items() if live is self]:
            del directory.transports[transport_id]
        self._env.ended(self)
        self.ended.set()

    def _reject(self, entries: Iterable[Entry]) -> None:
        error = ConnectFailedError("The server restarts; try again.")
        for entry in entries:
            match entry:
                case Seat(seated=future) | Order(done=future):
                    _fail(future, error)
                case _:
                    pass


def _succeed(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _fail(future: "asyncio.Future[None]", error: TertuliaError) -> None:
    if not future.done():
        future.set_exception(error)

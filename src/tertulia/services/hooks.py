"""What the application around this server may watch and refuse: its hooks, called with a deadline and fenced in."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import structlog

from tertulia.clock import Clock, MonotonicTime
from tertulia.domain.commands import Publish, Request, SendSignal
from tertulia.domain.events import Fact
from tertulia.domain.roles import Role
from tertulia.domain.stream import VideoType
from tertulia.errors import RefusedByApplicationError
from tertulia.ids import ApiKey, ConnectionId, SessionId

__all__ = [
    "ConnectionAttempt",
    "HookRunner",
    "Hooks",
    "Refused",
    "SessionEvent",
    "SignalAttempt",
    "StreamAttempt",
]

_log = structlog.get_logger(__name__)

DECISION_S = 1.0
"""How long a hook may take to allow something; then it is refused."""
EVENT_S = 10.0
"""How long a hook may take over one event; then it is cancelled and the next event follows. Our own choice."""
EVENTS_WAITING = 10_000
"""Events that wait for the hook; above it the newest are dropped and counted. Our own choice."""


class Refused(Exception):  # noqa: N818 - it is an answer, not a failure
    """Raised by a hook that refuses; `message` is one sentence that the client is told."""

    def __init__(self, message: str = "") -> None:
        self.message = message or "The application refused this."
        super().__init__(self.message)


@dataclass(frozen=True, slots=True)
class ConnectionAttempt:
    """A client with a good token wants to enter a session.

    Attributes:
        session_id: The session.
        api_key: Its project.
        connection_id: The id that the connection will have.
        role: What the token lets it do.
        data: What the token says for the others to read.
    """

    session_id: SessionId
    api_key: ApiKey
    connection_id: ConnectionId
    role: Role
    data: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class StreamAttempt:
    """A client wants to publish. Whether its role allows that is looked at afterwards.

    Attributes:
        session_id: The session.
        connection_id: Who wants to.
        stream_id: The id that the stream will have.
        name: As the publisher gave it.
        has_audio: Whether it begins with sound.
        has_video: Whether it begins with a picture.
        video_type: Camera, screen or custom; None without video.
    """

    session_id: SessionId
    connection_id: ConnectionId
    stream_id: str
    name: str = field(repr=False)
    has_audio: bool
    has_video: bool
    video_type: VideoType | None


@dataclass(frozen=True, slots=True)
class SignalAttempt:
    """A client, or the REST API, wants to signal. Whether that is lawful is looked at afterwards.

    Attributes:
        session_id: The session.
        connection_id: Who wants to; None for the REST API.
        to: Who is to get it; None for everybody.
        type: Its type, if it has one.
        data: Its text, if it has one.
    """

    session_id: SessionId
    connection_id: ConnectionId | None
    to: ConnectionId | None
    type: str | None
    data: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class SessionEvent:
    """Something that happened in a session and is stored.

    Attributes:
        session_id: The session.
        number: Its place in the session's log; grows, with the events that every client is told.
        fact: What happened, for example `ConnectionCreated` or `StreamDestroyed`.
    """

    session_id: SessionId
    number: int
    fact: Fact


class Hooks:
    """What an application may override. The methods of this class allow everything and watch nothing.

    An `allow_…` method returns to allow and raises `Refused` to refuse. One that raises anything else, or takes longer
    than a second, is reported to the log, and what it was asked about is refused. They run in the server's event loop:
    await what takes time, and never block.
    """

    async def allow_connection(self, attempt: ConnectionAttempt) -> None:
        """Decide whether a client may enter.

        Args:
            attempt: Who wants to enter where.

        Raises:
            Refused: If it may not; the client's `connect` fails with `OT_REFUSED_BY_APPLICATION`.
        """

    async def allow_stream(self, attempt: StreamAttempt) -> None:
        """Decide whether a client may publish.

        Args:
            attempt: Who wants to publish what.

        Raises:
            Refused: If it may not; the client's `publish` fails with `OT_REFUSED_BY_APPLICATION`.
        """

    async def allow_signal(self, attempt: SignalAttempt) -> None:
        """Decide whether a signal is sent.

        Args:
            attempt: Who signals what to whom.

        Raises:
            Refused: If it is not; the sender's `signal` fails with `OT_REFUSED_BY_APPLICATION`.
        """

    async def on_event(self, event: SessionEvent) -> None:
        """See what happened, in order, one event after the other; nothing waits for it.

        Args:
            event: What happened. It is stored and being told to the clients.
        """


class HookRunner:
    """Asks the hooks. Methods that the application did not override cost nothing."""

    def __init__(self, hooks: Hooks, clock: Clock) -> None:
        self._hooks = hooks
        self._clock = clock
        self._events: deque[SessionEvent] = deque()
        self._dropped = 0
        self._filled = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._watcher: asyncio.Task[None] | None = None
        # Calls that were given up and go on all the same.
        self._abandoned: set[asyncio.Task[None]] = set()

    @property
    def watches(self) -> bool:
        """Whether anybody wants to see events."""
        return self._overrides("on_event")

    def start(self) -> None:
        """Begin to hand out events."""
        if self.watches:
            self._watcher = asyncio.create_task(self._watch(), name="hooks")

    async def close(self) -> None:
        """Give the hook a moment for the events that wait, then end everything."""
        if self._watcher is not None:
            await self._within(asyncio.create_task(self._become_idle(), name="hooks idle"), DECISION_S)
        tasks = {*self._abandoned, *([self._watcher] if self._watcher is not None else [])}
        self._watcher = None
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=DECISION_S)

    async def connection(self, attempt: ConnectionAttempt) -> None:
        """Ask about a connection. Raises RefusedByApplicationError."""
        if self._overrides("allow_connection"):
            await self._ask(self._hooks.allow_connection(attempt), "allow_connection", attempt.session_id)

    async def request(self, session_id: SessionId, request: Request) -> None:
        """Ask about a stream or a signal; other requests pass. Raises RefusedByApplicationError."""
        match request:
            case Publish(origin=origin) if self._overrides("allow_stream"):
                stream = StreamAttempt(
                    session_id,
                    origin.connection_id,
                    request.stream_id,
                    request.name,
                    request.has_audio,
                    request.has_video,
                    request.video_type,
                )
                await self._ask(self._hooks.allow_stream(stream), "allow_stream", session_id)
            case SendSignal(sender, to, signal_type, data) if self._overrides("allow_signal"):
                sender_id = None if sender is None else sender.connection_id
                signal = SignalAttempt(session_id, sender_id, to, signal_type, data)
                await self._ask(self._hooks.allow_signal(signal), "allow_signal", session_id)
            case _:
                pass

    def happened(self, session_id: SessionId, number: int, fact: Fact) -> None:
        """Queue an event for the hook."""
        if len(self._events) >= EVENTS_WAITING:
            self._dropped += 1
            return
        self._events.append(SessionEvent(session_id, number, fact))
        self._idle.clear()
        self._filled.set()

    def _overrides(self, method: str) -> bool:
        return getattr(type(self._hooks), method) is not getattr(Hooks, method)

    async def _ask(self, call: Coroutine[Any, Any, None], hook: str, session_id: SessionId) -> None:
        task = asyncio.create_task(call, name=f"hook {hook}")
        if not await self._within(task, DECISION_S):
            _log.error("hook did not answer in time; refused", hook=hook, session_id=session_id)
            raise RefusedByApplicationError("The application did not decide in time.")
        if task.cancelled():
            raise RefusedByApplicationError("The application could not decide.")
        if (error := task.exception()) is None:
            return
        if isinstance(error, Refused):
            raise RefusedByApplicationError(error.message)
        _log.error("hook failed; refused", hook=hook, session_id=session_id, exc_info=error)
        raise RefusedByApplicationError("The application could not decide.")

    async def _within(self, task: "asyncio.Task[None]", seconds: float) -> bool:
        """Wait for a task at most so long, then give it up; whether it is done. Ends it if the waiting ends."""
        late = asyncio.Event()
        timer = self._clock.call_at(MonotonicTime(self._clock.monotonic() + seconds), late.set)
        waiter = asyncio.create_task(late.wait())
        try:
            await asyncio.wait({task, waiter}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
            waiter.cancel()
            if not task.done():
                self._abandoned.add(task)
                task.add_done_callback(self._forget)
                task.cancel()
        return task.done()

    def _forget(self, task: "asyncio.Task[None]") -> None:
        self._abandoned.discard(task)
        if not task.cancelled():
            task.exception()  # looked at, so that nobody complains that nobody did

    # ---- events

    async def _watch(self) -> None:
        while True:
            await self._filled.wait()
            await self._drain()
            self._filled.clear()
            self._idle.set()

    async def _become_idle(self) -> None:
        await self._idle.wait()

    async def _drain(self) -> None:
        while self._events:
            event = self._events.popleft()
            if self._dropped:
                _log.error("events dropped: the hook is too slow", hook="on_event", dropped=self._dropped)
                self._dropped = 0
            task = asyncio.create_task(self._hooks.on_event(event), name="hook on_event")
            if not await self._within(task, EVENT_S):
                _log.error("hook did not end in time", hook="on_event", session_id=event.session_id)
            elif not task.cancelled() and (error := task.exception()) is not None:
                _log.error("hook failed", hook="on_event", session_id=event.session_id, exc_info=error)


Watch = Callable[[SessionId, int, Fact], None]
"""Is told each fact once it is stored; returns at once."""

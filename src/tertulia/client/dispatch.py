"""Handlers and the delivery of events to them: in order, one after another, never inside the call that caused them."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from tertulia.client.errors import LimitExceededError, SessionError, invalid_parameter
from tertulia.client.events import DestroyedEvent, Event, SessionDisconnectEvent

E = TypeVar("E", bound=Event)
Handler = Callable[[E], object]
"""A plain or an asynchronous function of one event. What it returns is ignored, except that an awaitable is awaited."""

WAITING_EVENTS = 10_000
"""Events that may wait for handlers, or for one iterator. Our own choice: seconds of the liveliest session."""

FAREWELL_S = 1.0
"""How long handlers may still run when the event loop is shut down while events wait for them. Our own choice."""

PATIENCE_S = 10.0
"""An asynchronous handler that takes longer than this is reported, goes on by itself, and is waited for no more."""

_log = logging.getLogger("tertulia.client")


@dataclass(eq=False, slots=True)
class _Registration:
    """One handler, what it listens to, and whether it is called once only."""

    wanted: str | type[Event]
    handler: Handler[Any]
    once: bool

    def wants(self, event: Event) -> bool:
        if isinstance(self.wanted, str):
            return event.type == self.wanted or (self.wanted == "signal" and event.type.startswith("signal:"))
        return isinstance(event, self.wanted)


class EventDispatcher:
    """Keeps the handlers of one Session, Publisher or Subscriber and calls them.

    A task lives only while events wait. Handlers of an event run in the order of registration; an asynchronous handler
    is awaited before the next one runs, for at most 10 s. One that takes longer is reported and goes on by itself,
    while the others get theirs; it can prevent no default any more. `cancel_hanging` ends those.
    """

    def __init__(self, names: frozenset[str], when_drained: Callable[[], None] = lambda: None) -> None:
        """Takes the names that can be listened to, and who is told each time the last waiting event was delivered."""
        self._names = names
        self._running: set[asyncio.Future[Any]] = set()
        self._registrations: list[_Registration] = []
        self._iterators: weakref.WeakSet[EventIterator] = weakref.WeakSet()
        self._waiting: deque[Event] = deque()
        self._calls: deque[_Registration] = deque()
        self._task: asyncio.Task[None] | None = None
        self._when_drained = when_drained

    def add(self, wanted: str | type[Event], handler: Handler[Any], *, once: bool) -> None:
        """Registers `handler`. The same handler registered twice is called twice.

        Raises:
            InvalidParameterError: no event has that name, or the handler cannot be called.
        """
        self._check_wanted(wanted)
        if not callable(handler):
            raise invalid_parameter(f"The handler of {wanted} is not callable.")
        self._registrations.append(_Registration(wanted, handler, once))

    def remove(self, wanted: str | type[Event] | None, handler: Handler[Any] | None) -> None:
        """Removes registrations: all, all of `wanted`, or those of `wanted` with `handler`. It is no error if none."""
        self._registrations = [
            kept
            for kept in self._registrations
            if (wanted is not None and kept.wanted != wanted) or (handler is not None and kept.handler != handler)
        ]

    def iterate(self) -> EventIterator:
        """An iterator over every event from now on, up to and including the next `sessionDisconnected`."""
        iterator = EventIterator()
        self._iterators.add(iterator)
        return iterator

    @property
    def full(self) -> bool:
        """Whether as many events wait as may wait. The caller then stops reading the socket."""
        return len(self._waiting) >= WAITING_EVENTS

    def dispatch(self, event: Event) -> None:
        """Puts `event` in the queue. Its handlers run later, never inside this call."""
        self._waiting.append(event)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="tertulia events")

    async def drained(self) -> None:
        """Waits until every waiting event has been delivered. Called from a handler it returns at once."""
        task = self._task
        if task is not None and asyncio.current_task() not in (task, *self._running):
            await asyncio.shield(task)

    async def cancel_hanging(self) -> None:
        """Ends the handlers that nobody waits for any more. Called from a handler it leaves that one alone."""
        hanging = self._running - {asyncio.current_task()}
        for task in hanging:
            task.cancel()
        if hanging:
            await asyncio.wait(hanging)

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._deliver_waiting()
                self._when_drained()
        except asyncio.CancelledError:
            # The loop is being shut down, usually because the program's main coroutine has returned. What happened is
            # still told: a program learns of the end of its connection even if it does not wait for the news.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FAREWELL_S):
                    await self._deliver_waiting()
            raise
        finally:
            self._task = None

    async def _deliver_waiting(self) -> None:
        while self._waiting:
            event = self._waiting[0]
            if not self._calls:
                self._calls.extend(kept for kept in self._registrations if kept.wants(event))
            while self._calls:
                await self._call(self._calls.popleft(), event)
            event.settle()
            self._waiting.popleft()
            for iterator in self._iterators:
                iterator.put(event)

    async def _call(self, registration: _Registration, event: Event) -> None:
        if registration not in self._registrations:
            return  # removed by a handler that ran before it
        if registration.once:
            self._registrations.remove(registration)
        try:
            result = registration.handler(event)
        except Exception as error:  # noqa: BLE001 - the program's own code may raise anything, and stops nobody else
            _report(registration, event, error)
            return
        if inspect.isawaitable(result):
            await self._wait_for(asyncio.ensure_future(result), registration, event)

    async def _wait_for(self, running: asyncio.Future[Any], registration: _Registration, event: Event) -> None:
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        running.add_done_callback(lambda done: _report_end(done, registration, event))
        try:
            done, _ = await asyncio.wait((running,), timeout=PATIENCE_S)
        except asyncio.CancelledError:
            running.cancel()
            raise
        if not done:
            _log.warning("a handler of %s has taken more than %.0f s; the others go on", event.type, PATIENCE_S)

    def _check_wanted(self, wanted: object) -> None:
        if isinstance(wanted, type) and issubclass(wanted, Event):
            return
        signal = isinstance(wanted, str) and wanted.startswith("signal:") and "signal" in self._names
        if not isinstance(wanted, str) or not (wanted in self._names or signal):
            raise invalid_parameter(f"There is no event {wanted!r} here; there are {', '.join(sorted(self._names))}.")


class EventIterator(AsyncIterator[Event]):
    """Events in their order, from the call that made it to the next `sessionDisconnected` or `destroyed`.

    It gets an event after the handlers, so its default can no longer be prevented here. An iterator that falls
    10,000 events behind raises `LimitExceededError`; nobody else waits for it.
    """

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._complete = False
        self._overflowed = False

    def put(self, event: Event) -> None:
        """Adds an event. Called by the dispatcher."""
        if self._complete:
            return
        if len(self._events) >= WAITING_EVENTS:
            self._overflowed = self._complete = True
            self._events.clear()
        else:
            self._events.append(event)
            self._complete = isinstance(event, SessionDisconnectEvent | DestroyedEvent)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def __anext__(self) -> Event:
        while not self._events:
            if self._overflowed:
                raise _fell_behind()
            if self._complete:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self._events.popleft()


def _fell_behind() -> SessionError:
    return LimitExceededError(
        "OT_RATE_LIMIT_EXCEEDED", 429, f"The iterator fell {WAITING_EVENTS} events behind; take them faster."
    )


def _report_end(done: asyncio.Future[Any], registration: _Registration, event: Event) -> None:
    if not done.cancelled() and (error := done.exception()) is not None:
        if not isinstance(error, Exception):
            raise error  # the program is to end
        _report(registration, event, error)


def _report(registration: _Registration, event: Event, error: Exception) -> None:
    _log.error("a handler of %s raised", event.type, exc_info=error)
    asyncio.get_running_loop().call_exception_handler(
        {"message": f"a handler of {event.type} raised", "exception": error, "handler": registration.handler}
    )

"""What Session, Publisher and Subscriber have in common: handlers, and events to iterate over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self, TypeVar, overload

from tertulia.client.dispatch import E, EventDispatcher, EventIterator, Handler
from tertulia.client.events import Event

F = TypeVar("F", bound=Callable[[Any], object])


class Emitter:
    """Something that dispatches events."""

    def __init__(self, dispatcher: EventDispatcher) -> None:
        """Takes what keeps and calls the handlers."""
        self._dispatcher = dispatcher

    @overload
    def on(self, event: type[E], handler: Handler[E]) -> Self: ...
    @overload
    def on(self, event: str, handler: Handler[Any]) -> Self: ...
    @overload
    def on(self, event: type[Event] | str) -> Callable[[F], F]: ...
    def on(self, event: type[Event] | str, handler: Handler[Any] | None = None) -> Any:
        """Calls `handler` for every event of this name or class from now on.

        With two arguments it returns the object; with one it is a decorator. Handlers may be plain or `async`
        functions.
        They run one after another in the order of registration, each finished before the next one starts, so start a
        task for long work. An `async` handler that takes more than 10 s is reported and waited for no more. A handler
        that raises is reported to the log `tertulia.client` and to the event loop's exception handler, and stops
        nothing.

        Args:
            event: a name such as `sessionDisconnected` or `signal:chat`, or a class such as `SessionDisconnectEvent`.
            handler: a function of one event.

        Raises:
            InvalidParameterError: there is no such event, or the handler cannot be called.
        """
        return self._listen(event, handler, once=False)

    @overload
    def once(self, event: type[E], handler: Handler[E]) -> Self: ...
    @overload
    def once(self, event: str, handler: Handler[Any]) -> Self: ...
    @overload
    def once(self, event: type[Event] | str) -> Callable[[F], F]: ...
    def once(self, event: type[Event] | str, handler: Handler[Any] | None = None) -> Any:
        """Like `on()`, for the first such event only."""
        return self._listen(event, handler, once=True)

    def off(self, event: type[Event] | str | None = None, handler: Handler[Any] | None = None) -> Self:
        """Removes handlers: all of them, all of `event`, or `handler` of `event`. Returns the object."""
        self._dispatcher.remove(event, handler)
        return self

    def events(self) -> EventIterator:
        """Every event from this call on, for `async for`; it ends after `sessionDisconnected` or `destroyed`.

        An event comes here after its handlers have run, so its default can no longer be prevented. An iterator that
        falls 10,000 events behind raises `LimitExceededError`.
        """
        return self._dispatcher.iterate()

    def _dispatch(self, event: Event) -> None:
        event.target = self
        self._dispatcher.dispatch(event)

    def _listen(self, event: type[Event] | str, handler: Handler[Any] | None, *, once: bool) -> Any:
        if handler is not None:
            self._dispatcher.add(event, handler, once=once)
            return self

        def register(function: F) -> F:
            self._dispatcher.add(event, function, once=once)
            return function

        return register

"""The two kinds of time and the port through which a program reads them and waits for them."""

import asyncio
import time
from collections.abc import Callable
from typing import NewType, Protocol

__all__ = ["Clock", "MonotonicTime", "SystemClock", "TimerHandle", "WallTime", "pause"]

MonotonicTime = NewType("MonotonicTime", float)
"""Seconds on a clock that only goes forward; comparable within one process, meaningless outside it."""

WallTime = NewType("WallTime", int)
"""Milliseconds since the Unix epoch, as tokens and the API count them; it may jump."""


class TimerHandle(Protocol):
    """A callback that is due at a set time and can still be called off."""

    def cancel(self) -> None:
        """Make sure that the callback does not run any more; harmless when it already did."""


class Clock(Protocol):
    """The only source of time. Tests drive one by hand."""

    def monotonic(self) -> MonotonicTime:
        """Return the present on the monotonic clock."""
        ...

    def wall(self) -> WallTime:
        """Return the present on the wall clock."""
        ...

    def call_at(self, when: MonotonicTime, callback: Callable[[], None]) -> TimerHandle:
        """Run `callback` in the event loop as soon as the monotonic clock reaches `when`."""
        ...


class SystemClock:
    """The clock of the machine. `call_at` needs a running event loop."""

    def monotonic(self) -> MonotonicTime:
        """Return the machine's monotonic clock."""
        return MonotonicTime(time.monotonic())

    def wall(self) -> WallTime:
        """Return the machine's wall clock."""
        return WallTime(time.time_ns() // 1_000_000)

    def call_at(self, when: MonotonicTime, callback: Callable[[], None]) -> TimerHandle:
        """Let the running event loop call `callback` at `when`."""
        return asyncio.get_running_loop().call_later(max(0.0, when - time.monotonic()), callback)


async def pause(clock: Clock, seconds: float, interruption: asyncio.Event | None = None) -> None:
    """Return after `seconds` on the monotonic clock, or as soon as `interruption` is set."""
    over = interruption or asyncio.Event()
    due = asyncio.Event()
    timer = clock.call_at(MonotonicTime(clock.monotonic() + seconds), due.set)
    waiters = [asyncio.ensure_future(event.wait()) for event in (due, over)]
    try:
        await asyncio.wait(waiters, return_when=asyncio.FIRST_COMPLETED)
    finally:
        timer.cancel()
        for waiter in waiters:
            waiter.cancel()

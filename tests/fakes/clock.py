"""A clock that stands still until a test moves it."""

import heapq
import itertools
from collections.abc import Callable

from tertulia.clock import MonotonicTime, WallTime

START_MS = 1_767_225_600_000
"""1 January 2026, 00:00 UTC."""


class FakeTimer:
    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class FakeClock:
    """Both times at once; timers fire in `advance`, each at its own moment."""

    def __init__(self) -> None:
        self._now = 1000.0
        self._timers: list[tuple[float, int, FakeTimer]] = []
        self._order = itertools.count()

    def monotonic(self) -> MonotonicTime:
        return MonotonicTime(self._now)

    def wall(self) -> WallTime:
        return WallTime(START_MS + round((self._now - 1000.0) * 1000))

    def call_at(self, when: MonotonicTime, callback: Callable[[], None]) -> FakeTimer:
        timer = FakeTimer(callback)
        heapq.heappush(self._timers, (when, next(self._order), timer))
        return timer

    def next_timer(self) -> float | None:
        """The moment of the next timer that is still wanted."""
        while self._timers and self._timers[0][2].cancelled:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def advance(self, seconds: float) -> None:
        """Let time pass; what timers set off in the event loop is for the caller to wait for."""
        end = self._now + seconds
        while (when := self.next_timer()) is not None and when <= end:
            _, _, timer = heapq.heappop(self._timers)
            self._now = max(self._now, when)
            timer.callback()
        self._now = end

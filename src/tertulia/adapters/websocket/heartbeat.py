"""The heartbeat of one socket: pings, and the silence that means a lost network."""

from collections.abc import Callable

from tertulia.clock import Clock, MonotonicTime, TimerHandle

__all__ = ["Heartbeat"]

_SILENT_BEATS = 2


class Heartbeat:
    """Calls `ping` every `interval_s`, and `silent` once if nothing was heard for two of them.

    The server pings because timers sleep in a browser's background tabs, while message handlers do not.
    """

    def __init__(self, clock: Clock, interval_s: float, ping: Callable[[], None], silent: Callable[[], None]) -> None:
        self._clock = clock
        self._interval_s = interval_s
        self._ping = ping
        self._silent = silent
        self._heard_at = clock.monotonic()
        self._ping_at = MonotonicTime(self._heard_at + interval_s)
        self._timer: TimerHandle | None = None
        self._arm()

    def heard(self) -> None:
        """Note a sign of life."""
        self._heard_at = self._clock.monotonic()

    def stop(self) -> None:
        """Call nobody any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self) -> None:
        silent_at = self._heard_at + _SILENT_BEATS * self._interval_s
        self._timer = self._clock.call_at(MonotonicTime(min(self._ping_at, silent_at)), self._beat)

    def _beat(self) -> None:
        now = self._clock.monotonic()
        if now >= self._heard_at + _SILENT_BEATS * self._interval_s:
            self._silent()
            return
        if now >= self._ping_at:
            self._ping_at = MonotonicTime(now + self._interval_s)
            self._ping()
        self._arm()

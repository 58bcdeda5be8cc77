"""What is done about a database that is away: which errors say so, and for how long one asks again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from tertulia.clock import Clock, pause
from tertulia.errors import ConnectFailedError

__all__ = ["AWAY_S", "FIRST_PAUSE_S", "LONGEST_PAUSE_S", "WAIT_S", "Failure", "Patience", "is_away", "unavailable"]

WAIT_S = 3.0
"""How long a reading, or a write that somebody waits for, asks again before it is refused. Our own choice: below the
time-outs of the server SDKs, above the restart of a PostgreSQL on the same machine."""
AWAY_S = 600.0
"""How long what sessions report waits for a store that is away; then they end here and their clients start again."""
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 2.0

_SQLITE_AWAY = frozenset({5, 6, 8, 10, 13, 14})
"""SQLITE_BUSY, LOCKED, READONLY, IOERR, FULL, CANTOPEN (sqlite.org/rescode.html): the file may be usable later."""
_POSTGRES_AWAY = ("08", "25006", "40", "53", "55P03", "57", "58")
"""Connection, read-only standby, rollback, resources, lock, operator intervention, system (PostgreSQL, appendix A)."""

Failure = (SQLAlchemyError, OSError)
"""What the drivers raise; a time-out is an OSError."""
T = TypeVar("T")
_log = structlog.get_logger(__name__)


def is_away(error: BaseException) -> bool:
    """Say whether the same statement may succeed later, as it stands."""
    if isinstance(error, OSError | PoolTimeoutError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    code = getattr(error.orig, "sqlite_errorcode", None)
    if isinstance(code, int):
        return code & 0xFF in _SQLITE_AWAY
    state = getattr(error.orig, "sqlstate", None)
    if isinstance(state, str):
        return state.startswith(_POSTGRES_AWAY)
    # The driver itself gave up on its connection: closed, lost, or in the middle of something.
    return type(error.orig).__name__ == "InterfaceError"


def unavailable() -> ConnectFailedError:
    """Return what is raised instead of the drivers' errors."""
    return ConnectFailedError("The store is not available; try again.")


class Patience:
    """Tries again while the store is away, with growing pauses.

    Args:
        clock: The time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._hurry = asyncio.Event()

    def hurry(self) -> None:
        """Give up from now on instead of pausing: the program ends."""
        self._hurry.set()

    async def insist(self, attempt: Callable[[], Awaitable[T]], wait_s: float) -> T:
        """Return what `attempt` returns; it is made again while the store is away, for at most `wait_s` seconds.

        Raises:
            SQLAlchemyError, OSError: What the last attempt raised.
        """
        give_up = self._clock.monotonic() + wait_s
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                result = await attempt()
            except Failure as error:
                if not is_away(error) or self._hurry.is_set() or self._clock.monotonic() + pause_s > give_up:
                    raise
                if pause_s == FIRST_PAUSE_S:
                    _log.warning("store away", error=type(error).__name__)
            else:
                if pause_s > FIRST_PAUSE_S:
                    _log.info("store back")
                return result
            await pause(self._clock, pause_s, self._hurry)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

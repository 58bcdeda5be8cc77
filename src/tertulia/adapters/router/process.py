"""The router program as a child of an application: started, started again when it ends, stopped with it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog

from tertulia.clock import Clock

__all__ = ["keep_router"]

_log = structlog.get_logger(__name__)

FIRST_DELAY_S = 0.1
LONGEST_DELAY_S = 5.0
# A router that lived this long was healthy: its next end is a new story.
STEADY_S = 30.0
STOP_S = 5.0
_STANDARD_ERROR = 2


@asynccontextmanager
async def keep_router(command: tuple[str, ...], clock: Clock, started: Callable[[int], None]) -> AsyncIterator[None]:
    """Keep the program running meanwhile; `started` is told the number of each process.

    A router that ends is started again after 0.1 s, later each time it ends soon, at most 5 s later. It is stopped at
    the end, by force if it does not heed. What it says goes to standard error.
    """
    keeper = asyncio.create_task(_keep(command, clock, started), name="router process")
    try:
        yield
    finally:
        keeper.cancel()
        await asyncio.wait({keeper})


async def _keep(command: tuple[str, ...], clock: Clock, started: Callable[[int], None]) -> None:
    delay_s = FIRST_DELAY_S
    while True:
        began = clock.monotonic()
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=_STANDARD_ERROR,
                stderr=_STANDARD_ERROR,
                # Signals for the application's own group are not for it.
                start_new_session=True,
            )
        except OSError:
            _log.error("router cannot be started", exc_info=True)
        else:
            started(process.pid)
            try:
                status = await process.wait()
            except asyncio.CancelledError:
                await _stop(process)
                raise
            _log.error("router ended; started again", status=status)
        if clock.monotonic() - began > STEADY_S:
            delay_s = FIRST_DELAY_S
        await asyncio.sleep(delay_s)
        delay_s = min(delay_s * 2, LONGEST_DELAY_S)


async def _stop(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()

"""Threads for codecs and blocking reads: shared by everything of a process that needs them, gone when nobody does."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

MOST_THREADS = 32
"""Threads at once. Codecs use as many cores as there are; devices block theirs. Our own choice."""


class Workers:
    """A thread pool that exists while at least one `lease` is held."""

    def __init__(self) -> None:
        """No thread yet."""
        self._lock = threading.Lock()
        self._leases = 0
        self._pool: ThreadPoolExecutor | None = None

    def lease(self) -> None:
        """Keeps the pool until `release`."""
        with self._lock:
            self._leases += 1
            if self._pool is None:
                threads = min(MOST_THREADS, (os.cpu_count() or 1) + 4)
                self._pool = ThreadPoolExecutor(threads, thread_name_prefix="tertulia media")

    def release(self) -> None:
        """Ends a lease; the last one ends the threads, once they have finished what they do."""
        with self._lock:
            self._leases -= 1
            if self._leases == 0 and self._pool is not None:
                self._pool.shutdown(wait=False)
                self._pool = None

    async def run(self, function: Callable[[*Ts], T], *arguments: *Ts) -> T:
        """Runs a function in one of the threads. A lease must be held."""
        pool = self._pool
        assert pool is not None, "a lease is held"
        return await asyncio.get_running_loop().run_in_executor(pool, function, *arguments)


WORKERS = Workers()
"""The process's one."""

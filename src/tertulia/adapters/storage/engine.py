"""The two databases: how each is opened, and how work is done on it.

Work is a plain function of a connection. On SQLite it runs whole in a thread: one change of threads for a transaction,
where a driver that is asynchronous by statement makes one for each statement, fetch and commit. On PostgreSQL its
statements are awaited one by one beneath it (SQLAlchemy's `run_sync`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

from sqlalchemy import URL, Connection, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

__all__ = ["Database", "open_database"]

_CONNECT_S = 3.0
_COMMAND_S = 10.0
"""A statement of ours takes milliseconds; what takes this long waits for a machine that is gone."""
_POSTGRES_CONNECTIONS = 10
_SQLITE_READERS = 4
T = TypeVar("T")


class Database(Protocol):
    """A database that is connected to when there is work. `dialect` is `sqlite` or `postgresql`."""

    dialect: str

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Return what `work` reads on one connection."""
        ...

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Return what `work` returns when its transaction is committed; raises what it or the commit raises."""
        ...

    async def close(self) -> None:
        """Wait for what is being done and let go of every connection."""
        ...


def open_database(url: str) -> Database:
    """Return the database at an address; nothing is connected yet.

    Its errors, which are logged, do not repeat what was to be written: secrets, names, what clients signal.

    Args:
        url: `sqlite:///…` or `postgresql+asyncpg://…`; libpq's `sslmode` is understood.

    Raises:
        ArgumentError: If the address cannot be read.
    """
    address = make_url(url)
    return _Sqlite(address) if address.get_backend_name() == "sqlite" else _Postgres(address)


class _Sqlite:
    dialect = "sqlite"

    def __init__(self, address: URL) -> None:
        self._engine = create_engine(address, hide_parameters=True, pool_size=_SQLITE_READERS + 1, max_overflow=0)
        event.listen(self._engine, "connect", _tune_sqlite)
        self._readers = ThreadPoolExecutor(_SQLITE_READERS, "store reader")
        # SQLite lets one write at a time: further ones wait for this thread instead of asking for the file's lock.
        self._writer = ThreadPoolExecutor(1, "store writer")

    async def read(self, work: Callable[[Connection], T]) -> T:
        def run() -> T:
            with self._engine.connect() as connection:
                return work(connection)

        return await asyncio.get_running_loop().run_in_executor(self._readers, run)

    async def write(self, work: Callable[[Connection], T]) -> T:
        def run() -> T:
            with self._engine.begin() as connection:
                return work(connection)

        return await asyncio.get_running_loop().run_in_executor(self._writer, run)

    async def close(self) -> None:
        with ThreadPoolExecutor(1, "store closer") as closer:
            # A write whose waiter has gone may still wait for the file.
            await asyncio.get_running_loop().run_in_executor(closer, self._end)

    def _end(self) -> None:
        for threads in (self._readers, self._writer):
            threads.shutdown()
        self._engine.dispose()


class _Postgres:
    dialect = "postgresql"

    def __init__(self, address: URL) -> None:
        if "sslmode" in address.query:
            mode = address.query["sslmode"]
            address = address.difference_update_query(["sslmode"]).update_query_dict({"ssl": mode})
        self._engine = create_async_engine(
            address,
            hide_parameters=True,
            pool_size=_POSTGRES_CONNECTIONS,
            max_overflow=0,
            pool_timeout=_CONNECT_S,
            connect_args={
                "timeout": _CONNECT_S,
                "command_timeout": _COMMAND_S,
                "server_settings": {"application_name": "tertulia", "jit": "off"},
            },
        )

    async def read(self, work: Callable[[Connection], T]) -> T:
        async with self._engine.connect() as connection:
            return await connection.run_sync(work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        async with self._engine.begin() as connection:
            return await connection.run_sync(work)

    async def close(self) -> None:
        await self._engine.dispose()


def _tune_sqlite(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    """Let readers and the writer work side by side; leave syncing to checkpoints (a killed process loses nothing)."""
    cursor = connection.cursor()
    # The time-out first: changing the journal mode needs the file for itself for a moment.
    for pragma in ("busy_timeout=2000", "journal_mode=WAL", "synchronous=NORMAL", "temp_store=MEMORY"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()

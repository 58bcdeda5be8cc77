"""Engines: how each of the two databases is opened."""

from __future__ import annotations

from sqlalchemy import event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

__all__ = ["make_engine"]

_CONNECT_S = 3.0
_COMMAND_S = 10.0
"""A statement of ours takes milliseconds; what takes this long waits for a machine that is gone."""
_POSTGRES_CONNECTIONS = 10


def make_engine(url: str) -> AsyncEngine:
    """Return an engine for the address of a database; nothing is connected yet.

    Its errors, which are logged, do not repeat what was to be written: secrets, names, what clients signal.

    Args:
        url: `sqlite+aiosqlite:///…` or `postgresql+asyncpg://…`; libpq's `sslmode` is understood.

    Raises:
        ArgumentError: If the address cannot be read.
    """
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        engine = create_async_engine(address, hide_parameters=True)
        event.listen(engine.sync_engine, "connect", _tune_sqlite)
        return engine
    if "sslmode" in address.query:
        mode = address.query["sslmode"]
        address = address.difference_update_query(["sslmode"]).update_query_dict({"ssl": mode})
    return create_async_engine(
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


def _tune_sqlite(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    """Let readers and the writer work side by side; leave syncing to checkpoints (a killed process loses nothing)."""
    cursor = connection.cursor()
    # The time-out first: changing the journal mode needs the file for itself for a moment.
    for pragma in ("busy_timeout=2000", "journal_mode=WAL", "synchronous=NORMAL", "temp_store=MEMORY"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()

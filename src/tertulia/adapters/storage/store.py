"""`SqlStore`: the store port on SQLAlchemy Core."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import Delete, Update, delete, event, func, insert, select, update
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql import Select

from tertulia.adapters.storage import rows, tables
from tertulia.adapters.storage.migrate import migrate
from tertulia.adapters.storage.writer import Writer
from tertulia.clock import WallTime
from tertulia.domain.project import Project
from tertulia.domain.subscription import SlotPair
from tertulia.errors import ConnectFailedError
from tertulia.ids import ApiKey, ConnectionId, SessionId
from tertulia.observability.metrics import Metrics
from tertulia.services.ports import KeptReply, LogRow, SessionRecord, StoredSession, WriteBatch

__all__ = ["LOG_AGE_MS", "SqlStore"]

LOG_AGE_MS = 24 * 3600 * 1000
"""How long a session's log is kept."""


class SqlStore:
    """Projects, sessions and seats in one database. Make it with `open`, end it with `close`."""

    def __init__(self, engine: AsyncEngine, metrics: Metrics) -> None:
        self._engine = engine
        self._writer = Writer(engine, metrics)

    @classmethod
    async def open(cls, url: str, metrics: Metrics | None = None) -> "SqlStore":
        """Open a database, make it if it is a file that does not exist, and bring its tables up to date.

        Args:
            url: For SQLAlchemy, for example `sqlite+aiosqlite:////var/lib/tertulia/tertulia.db`.
            metrics: Where the time of each write is noted.

        Raises:
            ConnectFailedError: If the database cannot be opened or migrated.
        """
        engine = create_async_engine(url)
        if engine.dialect.name == "sqlite":
            event.listen(engine.sync_engine, "connect", _tune_sqlite)
        try:
            async with engine.begin() as connection:
                await connection.run_sync(migrate)
        except (SQLAlchemyError, OSError) as error:
            await engine.dispose()
            raise ConnectFailedError("The database cannot be opened or brought up to date.") from error
        store = cls(engine, metrics or Metrics())
        store._writer.start()
        return store

    async def is_available(self) -> bool:
        """Say whether the database answers."""
        try:
            await self._all(select(tables.secrets.c.name).limit(1))
        except ConnectFailedError:
            return False
        return True

    async def close(self) -> None:
        """Write what is queued and close the database."""
        await self._writer.close()
        await self._engine.dispose()

    # ---- projects and secrets

    async def add_project(self, project: Project) -> bool:
        """Store a project; False, and nothing stored, if its key is taken."""
        try:
            async with self._engine.begin() as connection:
                await connection.execute(insert(tables.projects), rows.project_row(project))
        except IntegrityError:
            return False
        except SQLAlchemyError as error:
            raise _away() from error
        return True

    async def find_project(self, api_key: ApiKey) -> Project | None:
        """Return the project with this key."""
        found = await self._all(select(tables.projects).where(tables.projects.c.api_key == api_key))
        return rows.project_of(found[0]) if found else None

    async def list_projects(self) -> list[Project]:
        """Return all projects by key."""
        found = await self._all(select(tables.projects).order_by(tables.projects.c.api_key))
        return [rows.project_of(row) for row in found]

    async def change_project(self, project: Project) -> bool:
        """Store what a project is now; False, and nothing stored, if there is none with its key."""
        row = rows.project_row(project)
        return await self._change(
            update(tables.projects).where(tables.projects.c.api_key == project.api_key).values(row)
        )

    async def remove_project(self, api_key: ApiKey) -> bool:
        """Remove a project, the records of its sessions and what they share; False if there is none with this key."""
        own = select(tables.sessions.c.session_id).where(tables.sessions.c.api_key == api_key)
        return await self._change(
            delete(tables.projects).where(tables.projects.c.api_key == api_key),
            delete(tables.session_values).where(tables.session_values.c.session_id.in_(own)),
            delete(tables.sessions).where(tables.sessions.c.api_key == api_key),
        )

    async def _change(self, first: Update | Delete, *more: Update | Delete) -> bool:
        """Run statements as one; says whether the first of them met a row."""
        try:
            async with self._engine.begin() as connection:
                met = (await connection.execute(first)).rowcount > 0
                for statement in more:
                    await connection.execute(statement)
        except (SQLAlchemyError, OSError) as error:
            raise _away() from error
        return met

    async def secret(self, name: str, fresh: bytes) -> bytes:
        """Return the secret kept under `name`; the first call ever stores `fresh` and returns it."""
        try:
            async with self._engine.begin() as connection:
                await connection.execute(insert(tables.secrets), {"name": name, "secret": fresh})
        except IntegrityError:
            found = await self._all(select(tables.secrets).where(tables.secrets.c.name == name))
            return bytes(found[0].secret)
        except SQLAlchemyError as error:
            raise _away() from error
        return fresh

    async def spend_token(self, digest: str, expires_at_s: int) -> bool:
        """Note that a token was used; False if it was before."""
        row = {"digest": digest, "expires_at_s": expires_at_s}
        try:
            async with self._engine.begin() as connection:
                await connection.execute(insert(tables.spent_tokens), row)
        except IntegrityError:
            return False
        except SQLAlchemyError as error:
            raise _away() from error
        return True

    # ---- sessions and seats

    async def add_session(self, record: SessionRecord) -> bool:
        """Store a new session; False, and nothing stored, if its id is taken."""
        try:
            async with self._engine.begin() as connection:
                await connection.execute(insert(tables.sessions), rows.session_row(record))
        except IntegrityError:
            return False
        except SQLAlchemyError as error:
            raise _away() from error
        return True

    async def find_session(self, session_id: SessionId) -> SessionRecord | None:
        """Return the session with this id."""
        found = await self._all(select(tables.sessions).where(tables.sessions.c.session_id == session_id))
        return rows.session_of(found[0]) if found else None

    async def sessions_of(self, api_key: ApiKey, count: int, before_ms: int | None = None) -> list[SessionRecord]:
        """Return up to `count` sessions of a project, the newest first, made before `before_ms` if given."""
        column = tables.sessions.c
        wanted = select(tables.sessions).where(column.api_key == api_key)
        if before_ms is not None:
            wanted = wanted.where(column.created_at_ms < before_ms)
        newest = wanted.order_by(column.created_at_ms.desc(), column.session_id).limit(count)
        return [rows.session_of(row) for row in await self._all(newest)]

    async def sessions_with_seats(self, api_key: ApiKey | None = None) -> list[SessionId]:
        """Return every session, or every one of a project, that has a connection."""
        seats, records = tables.connections.c, tables.sessions.c
        wanted = select(seats.session_id).distinct()
        if api_key is not None:
            wanted = wanted.join(tables.sessions, records.session_id == seats.session_id)
            wanted = wanted.where(records.api_key == api_key)
        found = await self._all(wanted)
        return [SessionId(row.session_id) for row in found]

    async def find_seat(self, connection_id: ConnectionId) -> SessionId | None:
        """Return the session in which this connection has a seat."""
        column = tables.connections.c
        found = await self._all(select(column.session_id).where(column.connection_id == connection_id))
        return SessionId(found[0].session_id) if found else None

    async def load_seats(self, session_id: SessionId) -> StoredSession:
        """Return what is stored of a session's seats, all of it at one moment."""
        connections, streams, subscriptions = tables.connections, tables.streams, tables.subscriptions
        slots, replies, log = tables.slots, tables.kept_replies, tables.session_log
        states, values = tables.session_states, tables.session_values
        pairs: dict[ConnectionId, list[SlotPair]] = {}
        async with self._reading() as reader:
            newest = await reader.scalar(select(func.max(log.c.number)).where(log.c.session_id == session_id))
            muted = await reader.scalar(select(states.c.muted).where(states.c.session_id == session_id))
            found_values = await reader.execute(
                select(values.c.key, values.c.value).where(values.c.session_id == session_id).order_by(values.c.key)
            )
            found_connections = await reader.execute(
                select(connections).where(connections.c.session_id == session_id).order_by(connections.c.joined_number)
            )
            found_streams = await reader.execute(
                select(streams)
                .where(streams.c.session_id == session_id)
                .order_by(streams.c.created_at_ms, streams.c.stream_id)
            )
            found_subscriptions = await reader.execute(
                select(subscriptions)
                .where(subscriptions.c.session_id == session_id)
                .order_by(subscriptions.c.connection_id, subscriptions.c.subscription_id)
            )
            found_slots = await reader.execute(
                select(slots).where(slots.c.session_id == session_id).order_by(slots.c.connection_id, slots.c.slot)
            )
            found_replies = await reader.execute(
                select(replies)
                .where(replies.c.session_id == session_id)
                .order_by(replies.c.connection_id, replies.c.request_id)
            )
        for row in found_slots:
            pairs.setdefault(ConnectionId(row.connection_id), []).append(rows.pair_of(row))
        return StoredSession(
            last_number=newest or 0,
            connections=[rows.connection_of(row) for row in found_connections],
            streams=[rows.stream_of(row) for row in found_streams],
            subscriptions=[rows.subscription_of(row) for row in found_subscriptions],
            pairs=pairs,
            replies=[KeptReply(ConnectionId(row.connection_id), row.request_id, row.body) for row in found_replies],
            muted=bool(muted),
            shared={row.key: row.value for row in found_values},
        )

    async def commit(self, batch: WriteBatch) -> None:
        """Store a batch; batches are stored in the order of the calls."""
        await self._writer.write(batch)

    async def read_log(self, session_id: SessionId, after: int, up_to: int) -> list[LogRow]:
        """Return the rows with `after` < number <= `up_to` that are still kept, by number."""
        log = tables.session_log.c
        statement = (
            select(tables.session_log)
            .where(log.session_id == session_id, log.number > after, log.number <= up_to)
            .order_by(log.number)
        )
        return [rows.log_row_of(row) for row in await self._all(statement)]

    async def trim_log(self, now: WallTime) -> None:
        """Drop rows older than a day, but keep each session's newest so that its numbers go on; and expired tokens."""
        log = tables.session_log
        other = log.alias("other")
        newest = select(func.max(other.c.number)).where(other.c.session_id == log.c.session_id).scalar_subquery()
        try:
            async with self._engine.begin() as connection:
                await connection.execute(delete(log).where(log.c.at_ms < now - LOG_AGE_MS, log.c.number < newest))
                spent = tables.spent_tokens
                await connection.execute(delete(spent).where(spent.c.expires_at_s < now // 1000))
        except SQLAlchemyError as error:
            raise _away() from error

    # ---- reading

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._engine.connect() as connection:
                yield connection
        except (SQLAlchemyError, OSError) as error:
            raise _away() from error

    async def _all(self, statement: "Select[*tuple[object, ...]]") -> "list[rows.SqlRow]":
        async with self._reading() as connection:
            return list(await connection.execute(statement))


def _away() -> ConnectFailedError:
    return ConnectFailedError("The store is not available; try again.")


def _tune_sqlite(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    """Let readers and the writer work side by side; leave syncing to checkpoints (a killed process loses nothing)."""
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=5000", "temp_store=MEMORY"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()

"""`SqlStore`: the store port on SQLAlchemy Core."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from sqlalchemy import (
    Connection,
    Delete,
    Executable,
    Insert,
    ScalarSelect,
    String,
    Table,
    Update,
    bindparam,
    delete,
    exists,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql import ColumnElement, Select

from tertulia.adapters.storage import rows, tables
from tertulia.adapters.storage.callbacks import SqlCallbacks
from tertulia.adapters.storage.engine import Database, open_database
from tertulia.adapters.storage.migrate import migrate
from tertulia.adapters.storage.patience import WAIT_S, Failure, Patience, unavailable
from tertulia.adapters.storage.writer import Writer
from tertulia.clock import Clock, MonotonicTime, SystemClock, WallTime
from tertulia.domain.project import Project
from tertulia.domain.subscription import SlotPair
from tertulia.errors import ConnectFailedError
from tertulia.ids import ApiKey, ConnectionId, SessionId
from tertulia.observability.metrics import Metrics
from tertulia.services.ports import KEPT_ISSUES, Issue, KeptReply, LogRow, SessionRecord, StoredSession, WriteBatch

__all__ = ["LOG_AGE_MS", "SqlStore"]

LOG_AGE_MS = 24 * 3600 * 1000
"""How long a session's log is kept."""
_SNAPSHOT = {
    "sqlite": "BEGIN",  # which the driver itself does before writes only
    "postgresql": "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
}
T = TypeVar("T")

_SESSION = bindparam("session", type_=String)
_IN_ORDER = {
    table.name: select(table).where(table.c.session_id == _SESSION).order_by(*(table.c[name] for name in order))
    for table, order in (
        (tables.connections, ("joined_number",)),
        (tables.streams, ("created_at_ms", "stream_id")),
        (tables.subscriptions, ("connection_id", "subscription_id")),
        (tables.slots, ("connection_id", "slot")),
        (tables.kept_replies, ("connection_id", "request_id")),
        (tables.session_values, ("key",)),
    )
}


def _of_session(column: "ColumnElement[Any]", table: Table) -> "ScalarSelect[Any]":
    return select(column).where(table.c.session_id == _SESSION).scalar_subquery()


# What a new session needs to know, which is the usual case: that there is nothing of it.
_OVERVIEW = select(
    _of_session(func.max(tables.session_log.c.number), tables.session_log).label("newest"),
    _of_session(tables.sessions.c.api_key, tables.sessions).label("api_key"),
    _of_session(tables.session_states.c.muted, tables.session_states).label("muted"),
    *(exists().where(tables.metadata.tables[name].c.session_id == _SESSION).label(name) for name in _IN_ORDER),
)
_RECORD = select(tables.sessions).where(tables.sessions.c.session_id == _SESSION)


class SqlStore:
    """Projects, sessions and seats in one database. Make it with `open`, end it with `close`."""

    def __init__(self, database: Database, metrics: Metrics, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._patience = Patience(clock)
        self._begin_snapshot = _SNAPSHOT[database.dialect]
        self.callbacks = SqlCallbacks(self)
        self._writer = Writer(database, metrics, self._patience)

    @classmethod
    async def open(cls, url: str, metrics: Metrics | None = None, clock: Clock | None = None) -> "SqlStore":
        """Open a database, make it if it is a file that does not exist, and bring its tables up to date.

        Args:
            url: For SQLAlchemy: `sqlite:////var/lib/tertulia/tertulia.db`, or `postgresql+asyncpg://…`.
            metrics: Where the time of each write is noted.
            clock: The machine's unless given.

        Raises:
            ConnectFailedError: If the database cannot be opened or migrated.
        """
        database = open_database(url)
        try:
            await database.write(migrate)
        except Failure as error:
            await database.close()
            raise ConnectFailedError("The database cannot be opened or brought up to date.") from error
        store = cls(database, metrics or Metrics(), clock or SystemClock())
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
        """Write what is queued and close the database; what waits for a database that is away is given up."""
        self._patience.hurry()
        await self._writer.close()
        await self._database.close()

    # ---- projects and secrets

    async def add_project(self, project: Project) -> bool:
        """Store a project; False, and nothing stored, if its key is taken."""
        try:
            await self._execute(insert(tables.projects).values(rows.project_row(project)))
        except IntegrityError:
            return False
        return True

    async def find_project(self, api_key: ApiKey) -> Project | None:
        """Return the project with this key."""
        if not _can_be_stored(api_key):
            return None
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
        """Remove a project, the records of its sessions, what they share, its callbacks; False if there is no such."""
        own = select(tables.sessions.c.session_id).where(tables.sessions.c.api_key == api_key)
        return await self._change(
            delete(tables.projects).where(tables.projects.c.api_key == api_key),
            delete(tables.session_values).where(tables.session_values.c.session_id.in_(own)),
            delete(tables.sessions).where(tables.sessions.c.api_key == api_key),
            *(
                delete(table).where(table.c.api_key == api_key)
                for table in (tables.callbacks, tables.callback_lanes, tables.callback_deliveries)
            ),
        )

    async def _change(self, first: Insert | Update | Delete, *more: Update | Delete) -> bool:
        """Run statements as one; says whether the first of them met a row."""

        def change(connection: Connection) -> bool:
            met = (connection.execute(first)).rowcount > 0
            for statement in more:
                connection.execute(statement)
            return met

        return await self.transact(change)

    # ---- issues

    async def add_issue(self, issue: Issue) -> None:
        """Keep a report; the oldest goes when there are too many."""
        table = tables.issues
        kept = select(table.c.issue_id).order_by(table.c.at_ms.desc(), table.c.issue_id).limit(KEPT_ISSUES)
        await self._change(
            insert(table).values(dataclasses.asdict(issue)), delete(table).where(table.c.issue_id.not_in(kept))
        )

    async def issues(self, count: int) -> list[Issue]:
        """Return the newest reports, the newest first."""
        table = tables.issues
        found = await self._all(select(table).order_by(table.c.at_ms.desc(), table.c.issue_id).limit(count))
        return [Issue(**row._mapping) for row in found]

    async def find_issue(self, issue_id: str) -> Issue | None:
        """Return the report with this id."""
        if not _can_be_stored(issue_id):
            return None
        found = await self._all(select(tables.issues).where(tables.issues.c.issue_id == issue_id))
        return Issue(**found[0]._mapping) if found else None

    # ---- secrets and sessions

    async def secret(self, name: str, fresh: bytes) -> bytes:
        """Return the secret kept under `name`; the first call ever stores `fresh` and returns it."""
        try:
            await self._execute(insert(tables.secrets).values(name=name, secret=fresh))
        except IntegrityError:
            found = await self._all(select(tables.secrets).where(tables.secrets.c.name == name))
            return bytes(found[0].secret)
        return fresh

    async def spend_token(self, digest: str, expires_at_s: int) -> bool:
        """Note that a token was used; False if it was before."""
        try:
            await self._execute(insert(tables.spent_tokens).values(digest=digest, expires_at_s=expires_at_s))
        except IntegrityError:
            return False
        return True

    # ---- sessions and seats

    async def add_session(self, record: SessionRecord) -> bool:
        """Store a new session; False, and nothing stored, if its id is taken."""
        written = asyncio.ensure_future(self._writer.write(record))
        late = self._clock.call_at(MonotonicTime(self._clock.monotonic() + WAIT_S), lambda: _give_up(written))
        try:
            await asyncio.wait({written})
        finally:
            late.cancel()
            written.cancel()
        if written.cancelled():
            raise unavailable()
        return written.result()

    async def find_session(self, session_id: SessionId) -> SessionRecord | None:
        """Return the session with this id."""
        if not _can_be_stored(session_id):
            return None
        found = await self._all(_RECORD, {"session": session_id})
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
        if not _can_be_stored(connection_id):
            return None
        column = tables.connections.c
        found = await self._all(select(column.session_id).where(column.connection_id == connection_id))
        return SessionId(found[0].session_id) if found else None

    async def load_seats(self, session_id: SessionId) -> StoredSession:
        """Return what is stored of a session's seats, all of it at one moment."""
        of = {"session": session_id}

        def read(reader: Connection) -> StoredSession:
            reader.exec_driver_sql(self._begin_snapshot)
            overview = reader.execute(_OVERVIEW, of).one()
            pairs: dict[ConnectionId, list[SlotPair]] = {}

            def rows_of(table: Table) -> "Iterable[rows.SqlRow]":
                return reader.execute(_IN_ORDER[table.name], of) if overview._mapping[table.name] else ()

            for row in rows_of(tables.slots):
                pairs.setdefault(ConnectionId(row.connection_id), []).append(rows.pair_of(row))
            return StoredSession(
                api_key=None if overview.api_key is None else ApiKey(overview.api_key),
                last_number=overview.newest or 0,
                connections=[rows.connection_of(row) for row in rows_of(tables.connections)],
                streams=[rows.stream_of(row) for row in rows_of(tables.streams)],
                subscriptions=[rows.subscription_of(row) for row in rows_of(tables.subscriptions)],
                pairs=pairs,
                replies=[
                    KeptReply(ConnectionId(row.connection_id), row.request_id, row.body)
                    for row in rows_of(tables.kept_replies)
                ],
                muted=bool(overview.muted),
                shared={row.key: row.value for row in rows_of(tables.session_values)},
            )

        return await self.read(read)

    async def commit(self, batch: WriteBatch) -> bool:
        """Store a batch, in the order of the calls; say whether some callback may want one of its reports."""
        return await self._writer.write(batch)

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
        await self._change(
            delete(log).where(log.c.at_ms < now - LOG_AGE_MS, log.c.number < newest),
            delete(tables.spent_tokens).where(tables.spent_tokens.c.expires_at_s < now // 1000),
        )

    # ---- asking the database

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Return what `work` reads on one connection."""
        return await self._soon(lambda: self._database.read(work))

    async def transact(self, work: Callable[[Connection], T]) -> T:
        """Return what `work` returns when its transaction is committed. Raises IntegrityError as it comes."""
        return await self._soon(lambda: self._database.write(work))

    async def _soon(self, attempt: Callable[[], Awaitable[T]]) -> T:
        try:
            return await self._patience.insist(attempt, WAIT_S)
        except IntegrityError:
            raise
        except Failure as error:
            raise unavailable() from error

    async def _all(
        self, statement: "Select[*tuple[object, ...]]", parameters: dict[str, object] | None = None
    ) -> "list[rows.SqlRow]":
        def read(connection: Connection) -> "list[rows.SqlRow]":
            return list(connection.execute(statement, parameters))

        return await self.read(read)

    async def _execute(self, statement: Executable) -> None:
        def change(connection: Connection) -> None:
            connection.execute(statement)

        await self.transact(change)


def _give_up(written: "asyncio.Future[bool]") -> None:
    written.cancel()


def _can_be_stored(identifier: str) -> bool:
    """Say whether this can be asked for at all: whoever sends NUL or half a character learns that there is no such."""
    return "\0" not in identifier and identifier.isascii()

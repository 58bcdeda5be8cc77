"""Group commit: one task writes everything that is queued in one transaction, so a commit is shared by many signals."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Table, and_, bindparam, delete, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import ColumnElement
from sqlalchemy.sql.dml import Delete, Insert

from tertulia.adapters.storage import rows, tables
from tertulia.adapters.storage.callbacks import enqueue
from tertulia.adapters.storage.engine import Database
from tertulia.adapters.storage.patience import AWAY_S, Failure, Patience, unavailable
from tertulia.adapters.storage.rows import Row
from tertulia.clock import WallTime
from tertulia.domain.callbacks import OutboxEntry
from tertulia.domain.events import (
    Change,
    ConnectionRemoved,
    ConnectionSaved,
    MuteStateSaved,
    PairRemoved,
    PairSaved,
    StateKeyRemoved,
    StateKeySaved,
    StreamRemoved,
    StreamSaved,
    SubscriptionRemoved,
    SubscriptionSaved,
)
from tertulia.errors import ConnectFailedError
from tertulia.ids import ConnectionId, SessionId
from tertulia.observability.metrics import Metrics
from tertulia.services.ports import SessionRecord, WriteBatch

__all__ = ["KEPT_REPLIES", "LOG_ROWS", "QUEUE_LIMIT", "Writer"]

LOG_ROWS = 10_000
"""Rows of a session's log that are kept, at least; some hundreds more until the next trimming."""
KEPT_REPLIES = 256
_TRIM_LOG_EVERY = 500
_TRIM_REPLIES_EVERY = 64
_BATCHES_PER_TRANSACTION = 512

QUEUE_LIMIT = 20_000
"""Batches and sessions that wait to be written; further ones are refused. Each session waits with one batch at most."""

_Item = WriteBatch | SessionRecord

_DISOWN = tuple(
    delete(table).where(table.c.connection_id == bindparam("gone"))
    for table in (tables.subscriptions, tables.slots, tables.kept_replies)
)
"""Rows that go with their connection."""
_ADD_TO_LOG = insert(tables.session_log)


@dataclass(slots=True)
class _Plan:
    """The outcome of some batches: for each row that changed its last state, None for gone."""

    rows: dict[str, dict[tuple[object, ...], Row | None]] = field(default_factory=dict)
    log: list[Row] = field(default_factory=list)
    sessions: dict[str, Row] = field(default_factory=dict)
    reports: list[tuple[SessionId, WallTime, OutboxEntry]] = field(default_factory=list)
    gone: list[ConnectionId] = field(default_factory=list)
    log_limits: dict[SessionId, int] = field(default_factory=dict)
    reply_limits: dict[ConnectionId, int] = field(default_factory=dict)

    def put(self, table: Table, row: Row) -> None:
        key = tuple(row[column.name] for column in table.primary_key)
        self.rows.setdefault(table.name, {})[key] = row

    def drop(self, table: Table, *key: object) -> None:
        self.rows.setdefault(table.name, {})[key] = None

    def add(self, item: "_Item") -> None:
        if isinstance(item, SessionRecord):
            self.sessions.setdefault(item.session_id, rows.session_row(item))
        else:
            self._add_batch(item)

    def _add_batch(self, batch: WriteBatch) -> None:
        for change in batch.changes:
            self._add_change(batch.session_id, change)
        self.reports.extend((batch.session_id, batch.at, entry) for entry in batch.reports)
        for row in batch.log:
            self.log.append(rows.log_row(batch.session_id, batch.at, row))
            if row.number % _TRIM_LOG_EVERY == 0:
                self.log_limits[batch.session_id] = row.number - LOG_ROWS
        for reply in batch.replies:
            self.put(
                tables.kept_replies,
                {
                    "connection_id": reply.connection_id,
                    "request_id": reply.request_id,
                    "session_id": batch.session_id,
                    "body": reply.body,
                },
            )
            if reply.request_id % _TRIM_REPLIES_EVERY == 0:
                self.reply_limits[reply.connection_id] = reply.request_id - KEPT_REPLIES

    def _add_change(self, session_id: SessionId, change: Change) -> None:
        match change:
            case MuteStateSaved(muted):
                self.put(tables.session_states, {"session_id": session_id, "muted": muted})
            case StateKeySaved(key, value):
                self.put(tables.session_values, {"session_id": session_id, "key": key, "value": value})
            case StateKeyRemoved(key):
                self.drop(tables.session_values, session_id, key)
            case ConnectionSaved(connection):
                self.put(tables.connections, rows.connection_row(session_id, connection))
            case ConnectionRemoved(connection_id):
                self.drop(tables.connections, connection_id)
                self.gone.append(connection_id)
            case StreamSaved(stream):
                self.put(tables.streams, rows.stream_row(session_id, stream))
            case StreamRemoved(stream_id):
                self.drop(tables.streams, stream_id)
            case SubscriptionSaved(subscription):
                self.put(tables.subscriptions, rows.subscription_row(session_id, subscription))
            case SubscriptionRemoved(connection_id, subscription_id):
                self.drop(tables.subscriptions, connection_id, subscription_id)
            case PairSaved(connection_id, pair):
                self.put(tables.slots, rows.pair_row(session_id, connection_id, pair))
            case PairRemoved(connection_id, slot):
                self.drop(tables.slots, connection_id, slot)


class Writer:
    """Writes batches and new sessions in the order in which they come, and waits with them while the store is away.

    Args:
        database: Where to.
        metrics: Where the time of each transaction is noted.
        patience: How one waits for a store that is away.
    """

    def __init__(self, database: Database, metrics: Metrics, patience: Patience) -> None:
        self._database = database
        self._metrics = metrics
        self._patience = patience
        self._queue: deque[tuple[_Item, asyncio.Future[bool]]] = deque()
        self._filled = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        dialect = database.dialect
        self._upserts = {table.name: _upsert(table, dialect) for table in _WRITTEN}
        self._deletes = {table.name: _delete_by_key(table) for table in _WRITTEN}
        self._add_sessions = _add_if_absent(tables.sessions, dialect).returning(tables.sessions.c.session_id)

    def start(self) -> None:
        """Start the task that writes."""
        self._task = asyncio.create_task(self._run(), name="store writer")

    async def close(self) -> None:
        """Write what is queued, unless the store is away, and end."""
        self._closing = True
        self._filled.set()
        if self._task is not None:
            await self._task

    async def write(self, item: "_Item") -> bool:
        """Return when the batch or session is committed. Who stops waiting for it before its turn takes it back.

        Returns:
            For a session, whether its id was free; for a batch, whether some callback may want one of its reports.

        Raises:
            ConnectFailedError: If it could not be; nothing of it is stored.
        """
        if self._closing:
            raise ConnectFailedError("The store is closed.")
        if len(self._queue) >= QUEUE_LIMIT:
            self._queue = deque((waiting, future) for waiting, future in self._queue if not future.done())
            if len(self._queue) >= QUEUE_LIMIT:
                raise unavailable()
        written: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._queue.append((item, written))
        self._filled.set()
        return await written

    async def _run(self) -> None:
        while self._queue or not self._closing:
            await self._filled.wait()
            taken = [self._queue.popleft() for _ in range(min(len(self._queue), _BATCHES_PER_TRANSACTION))]
            if not self._queue and not self._closing:
                self._filled.clear()
            if wanted := [(item, future) for item, future in taken if not future.done()]:
                await self._write_all(wanted)

    async def _write_all(self, taken: Sequence[tuple["_Item", "asyncio.Future[bool]"]]) -> None:
        outcome = await self._try([item for item, _ in taken])
        for index, (item, written) in enumerate(taken):
            # One bad batch must not take the others with it.
            again = isinstance(outcome, Exception) and len(taken) > 1
            own = await self._try([item]) if again else outcome
            if written.done():
                continue
            if isinstance(own, Exception):
                failure = ConnectFailedError("The store could not be written.")
                failure.__cause__ = own
                written.set_exception(failure)
            else:
                written.set_result(own[0] if again else own[index])

    async def _try(self, items: Sequence["_Item"]) -> list[bool] | Exception:
        """Return for each item what `write` says of it, or what keeps all of them from the store."""
        plan = _Plan()
        for item in items:
            plan.add(item)
        uncertain = False

        async def attempt() -> tuple[set[str], bool]:
            nonlocal uncertain
            if uncertain and await self._is_stored(plan):
                return set(plan.sessions), True
            try:
                with self._metrics.store_write.time():
                    added, wanted = await self._database.write(lambda connection: self._execute(connection, plan))
            except Failure:
                uncertain = True
                raise
            # Those that were there already may be ours, of an attempt whose answer was lost.
            return set(plan.sessions) if uncertain else added, wanted

        try:
            added, wanted = await self._patience.insist(attempt, AWAY_S)
        except (*Failure, ValueError) as error:
            self._metrics.store_writes_failed.inc()
            return error
        # Of several with one id the first is the one that stands.
        return [
            _take(added, item.session_id) if isinstance(item, SessionRecord) else wanted and bool(item.reports)
            for item in items
        ]

    async def _is_stored(self, plan: _Plan) -> bool:
        """Say whether a transaction whose commit was not answered has gone through: one row of its log tells."""
        if not plan.log:
            return False
        row, log = plan.log[0], tables.session_log.c
        same = [log.session_id == row["session_id"], log.number == row["number"], log.body == row["body"]]
        stored = select(log.number).where(*same)
        return await self._database.read(lambda connection: connection.scalar(stored)) is not None

    def _execute(self, connection: Connection, plan: _Plan) -> tuple[set[str], bool]:
        """Write all that is planned; return the ids of the sessions that are new, and whether a report is wanted."""
        added: set[str] = set()
        if plan.sessions:
            added.update(connection.scalars(self._add_sessions, list(plan.sessions.values())))
        for name, by_key in plan.rows.items():
            present = [row for row in by_key.values() if row is not None]
            if present:
                connection.execute(self._upserts[name], present)
            absent = [key for key, row in by_key.items() if row is None]
            if absent:
                columns = [f"key_{column.name}" for column in _WRITTEN_BY_NAME[name].primary_key]
                connection.execute(self._deletes[name], [dict(zip(columns, key, strict=True)) for key in absent])
        if plan.gone:
            parameters = [{"gone": connection_id} for connection_id in plan.gone]
            for statement in _DISOWN:
                connection.execute(statement, parameters)
        if plan.log:
            connection.execute(_ADD_TO_LOG, plan.log)
        wanted = bool(plan.reports) and enqueue(connection, plan.reports)
        for session_id, limit in plan.log_limits.items():
            log = tables.session_log.c
            connection.execute(delete(tables.session_log).where(log.session_id == session_id, log.number <= limit))
        for connection_id, limit in plan.reply_limits.items():
            kept = tables.kept_replies.c
            connection.execute(
                delete(tables.kept_replies).where(kept.connection_id == connection_id, kept.request_id <= limit)
            )
        return added, wanted


_WRITTEN = (
    tables.session_states,
    tables.session_values,
    tables.connections,
    tables.streams,
    tables.subscriptions,
    tables.slots,
    tables.kept_replies,
)
_WRITTEN_BY_NAME = {table.name: table for table in _WRITTEN}


def _upsert(table: Table, dialect: str) -> Insert:
    keys = [column.name for column in table.primary_key]
    if dialect == "postgresql":
        on_postgres = postgresql.insert(table)
        values = {column.name: on_postgres.excluded[column.name] for column in table.c if column.name not in keys}
        return on_postgres.on_conflict_do_update(index_elements=keys, set_=values)
    on_sqlite = sqlite.insert(table)
    values = {column.name: on_sqlite.excluded[column.name] for column in table.c if column.name not in keys}
    return on_sqlite.on_conflict_do_update(index_elements=keys, set_=values)


def _take(added: set[str], session_id: str) -> bool:
    known = session_id in added
    added.discard(session_id)
    return known


def _add_if_absent(table: Table, dialect: str) -> Insert:
    on_database = postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
    return on_database.on_conflict_do_nothing()


def _delete_by_key(table: Table) -> Delete:
    conditions: list[ColumnElement[Any]] = [column == bindparam(f"key_{column.name}") for column in table.primary_key]
    return delete(table).where(and_(*conditions))

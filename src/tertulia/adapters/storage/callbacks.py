"""`SqlCallbacks`: callbacks and their deliveries in the database, and what a session's commit puts into the outbox.

A lane, one row for each session and receiver, exists while it has something pending. Whoever adds to a lane writes its
row, and so does whoever looks whether it is empty, before looking: on PostgreSQL the row is the lock between the two.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    String,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from tertulia.adapters.storage import tables
from tertulia.clock import WallTime
from tertulia.domain.callbacks import GIVE_UP_S, Callback, CallbackGroup, Delivery, DeliveryStatus, OutboxEntry
from tertulia.ids import ApiKey, SessionId
from tertulia.services.ports import Lane

__all__ = ["DELIVERED_KEPT_S", "GIVEN_UP_KEPT_S", "SqlCallbacks", "enqueue", "lane_upsert"]

DELIVERED_KEPT_S = 24 * 3600
GIVEN_UP_KEPT_S = 30 * 24 * 3600
"""How long deliveries are kept that arrived, and those that were set aside or given up. Our own choice."""
_CANDIDATES = 256

T = TypeVar("T")
_callbacks, _lanes, _deliveries = tables.callbacks, tables.callback_lanes, tables.callback_deliveries


class PatientDatabase(Protocol):
    """What the store lends: reading, and changing in one transaction, with patience."""

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Return what `work` reads on one connection."""
        ...

    async def transact(self, work: Callable[[Connection], T]) -> T:
        """Return what `work` returns when its transaction is committed."""
        ...


class SqlCallbacks:
    """Fulfils the port `CallbackStore`."""

    def __init__(self, database: PatientDatabase) -> None:
        self._database = database

    # ---- for owners

    async def add_callback(self, callback: Callback, limit: int) -> bool:
        """Store a callback, with the receiver of the project's others to the same address; False above the limit."""
        column = _callbacks.c

        def change(connection: Connection) -> bool:
            connection.execute(insert(_callbacks).values(_callback_row(callback)))
            mine = column.api_key == callback.api_key
            if (connection.scalar(select(func.count()).select_from(_callbacks).where(mine)) or 0) > limit:
                connection.rollback()
                return False
            other = (
                select(column.receiver_id, column.secret)
                .where(mine, column.url == callback.url, column.callback_id != callback.callback_id)
                .limit(1)
            )
            if (known := (connection.execute(other)).first()) is not None:
                connection.execute(
                    update(_callbacks)
                    .where(column.callback_id == callback.callback_id)
                    .values(receiver_id=known.receiver_id, secret=known.secret)
                )
            return True

        return await self._database.transact(change)

    async def list_callbacks(self, api_key: ApiKey) -> list[Callback]:
        """Return the callbacks of a project, the oldest first."""
        column = _callbacks.c
        mine = select(_callbacks).where(column.api_key == api_key).order_by(column.created_at_ms, column.callback_id)
        return [_callback_of(row) for row in await self._rows(mine)]

    async def remove_callback(self, api_key: ApiKey, callback_id: str) -> bool:
        """Remove a callback and what is pending for it; an empty lane goes when it is due."""
        if "\0" in callback_id or not callback_id.isascii():
            return False

        def change(connection: Connection) -> bool:
            column = _callbacks.c
            gone = connection.execute(
                delete(_callbacks).where(column.callback_id == callback_id, column.api_key == api_key)
            )
            if gone.rowcount > 0:
                connection.execute(
                    delete(_deliveries).where(
                        _deliveries.c.callback_id == callback_id, _deliveries.c.status == DeliveryStatus.PENDING.value
                    )
                )
            return gone.rowcount > 0

        return await self._database.transact(change)

    async def find_delivery(self, api_key: ApiKey, delivery_id: int) -> Delivery | None:
        """Return a delivery of a project."""
        column = _deliveries.c
        if not 0 <= delivery_id < 2**63:
            return None
        found = await self._rows(
            select(_deliveries).where(column.delivery_id == delivery_id, column.api_key == api_key)
        )
        return _delivery_of(found[0]) if found else None

    async def list_deliveries(
        self,
        api_key: ApiKey,
        *,
        statuses: Collection[DeliveryStatus] = (),
        session_id: SessionId | None = None,
        before: int | None = None,
        limit: int,
    ) -> list[Delivery]:
        """Return a project's deliveries with ids below `before`, the newest first."""
        column = _deliveries.c
        wanted = select(_deliveries).where(column.api_key == api_key)
        if statuses:
            wanted = wanted.where(column.status.in_([status.value for status in statuses]))
        if session_id is not None:
            wanted = wanted.where(column.session_id == session_id)
        if before is not None:
            wanted = wanted.where(column.delivery_id < min(before, 2**63 - 1))
        return [_delivery_of(row) for row in await self._rows(wanted.order_by(column.delivery_id.desc()).limit(limit))]

    async def replay(self, delivery: Delivery, now: WallTime) -> None:
        """Store a delivery that is to go out again, in its old place, at once."""

        def change(connection: Connection) -> None:
            column = _deliveries.c
            receiver = connection.scalar(select(column.receiver_id).where(column.delivery_id == delivery.delivery_id))
            if receiver is None:
                return
            lane = {"session_id": delivery.session_id, "receiver_id": receiver, "api_key": delivery.api_key}
            connection.execute(
                lane_upsert(connection.dialect.name, hurry=True).values(**lane, due_at_ms=now, leased_until_ms=0)
            )
            _save(connection, delivery)

        await self._database.transact(change)

    # ---- for workers

    async def claim(
        self,
        worker: str,
        now: WallTime,
        lease_until: WallTime,
        *,
        limit: int,
        busy_receivers: Collection[str] = (),
        busy_projects: Collection[ApiKey] = (),
    ) -> list[Lane]:
        """Lease lanes in which something is due, the longest due first."""
        column = _lanes.c
        free = and_(column.due_at_ms <= now, column.leased_until_ms <= now)
        wanted = (
            select(column.session_id, column.receiver_id, column.api_key)
            .where(free, column.receiver_id.not_in(busy_receivers), column.api_key.not_in(busy_projects))
            .order_by(column.due_at_ms)
            .limit(min(limit, _CANDIDATES))
        )

        def change(connection: Connection) -> list[Lane]:
            claimed = []
            for row in list(connection.execute(wanted.with_for_update(skip_locked=True))):
                lane = Lane(SessionId(row.session_id), row.receiver_id, ApiKey(row.api_key))
                # Asked again: SQLite locks nothing by reading.
                leased = connection.execute(
                    update(_lanes).where(_is(lane), free).values(leased_by=worker, leased_until_ms=lease_until)
                )
                if leased.rowcount > 0:
                    claimed.append(lane)
            return claimed

        if not await self._rows(wanted.limit(1)):
            return []
        return await self._database.transact(change)

    async def next_due(self, after: WallTime) -> WallTime | None:
        """Return when the next lane becomes due or its lease ends."""
        column = _lanes.c
        when = case((column.due_at_ms > column.leased_until_ms, column.due_at_ms), else_=column.leased_until_ms)
        found = await self._rows(select(func.min(when)).where(when > after))
        return None if found[0][0] is None else WallTime(found[0][0])

    async def advance(
        self, lane: Lane, worker: str, lease_until: WallTime, settled: Delivery | None = None
    ) -> tuple[Delivery, str] | None:
        """Store what became of a delivery, extend the lease, and return the next one."""

        def change(connection: Connection) -> tuple[Delivery, str] | None:
            if not _hold(connection, lane, worker, leased_until_ms=lease_until):
                return None
            if settled is not None:
                _save(connection, settled)
            if (found := _head(connection, lane)) is None:
                connection.execute(delete(_lanes).where(_is(lane)))
            return found

        return await self._database.transact(change)

    async def put_back(self, lane: Lane, worker: str, due: WallTime, settled: Delivery | None = None) -> None:
        """Store what became of a delivery, and end the lease of its lane."""

        def change(connection: Connection) -> None:
            held = _hold(connection, lane, worker, due_at_ms=due, leased_by=None, leased_until_ms=0)
            if held and settled is not None:
                _save(connection, settled)

        await self._database.transact(change)

    async def release(self, worker: str) -> None:
        """End every lease of a worker."""

        def change(connection: Connection) -> None:
            mine = _lanes.c.leased_by == worker
            connection.execute(update(_lanes).where(mine).values(leased_by=None, leased_until_ms=0))

        await self._database.transact(change)

    async def trim(self, now: WallTime) -> None:
        """Drop deliveries that are over for longer than they are kept."""

        def change(connection: Connection) -> None:
            column = _deliveries.c
            delivered = column.status == DeliveryStatus.DELIVERED.value
            given_up = column.status.in_([DeliveryStatus.SET_ASIDE.value, DeliveryStatus.DEAD.value])
            connection.execute(
                delete(_deliveries).where(
                    or_(
                        and_(delivered, column.created_at_ms < now - 1000 * DELIVERED_KEPT_S),
                        and_(given_up, column.created_at_ms < now - 1000 * GIVEN_UP_KEPT_S),
                    )
                )
            )

        await self._database.transact(change)

    async def _rows(self, statement: Any) -> Sequence[Row[Any]]:
        def read(connection: Connection) -> Sequence[Row[Any]]:
            return list(connection.execute(statement))

        return await self._database.read(read)


# ---- putting in


_WANTED = and_(
    _callbacks.c.api_key == bindparam("wanted_key"),
    _callbacks.c.event_group == bindparam("wanted_group"),
    _callbacks.c.event == bindparam("wanted_event"),
)
_ENQUEUE = insert(_deliveries).from_select(
    [
        *("event_id", "callback_id", "receiver_id", "api_key", "session_id", "url", "name", "body", "status"),
        *("created_at_ms", "retry_until_ms", "attempts", "refusals"),
    ],
    select(
        bindparam("event_id", type_=String),
        _callbacks.c.callback_id,
        _callbacks.c.receiver_id,
        _callbacks.c.api_key,
        bindparam("of_session", type_=String),
        _callbacks.c.url,
        bindparam("named", type_=String),
        bindparam("holding", type_=_deliveries.c.body.type),
        literal(DeliveryStatus.PENDING.value, String),
        bindparam("made_at_ms", type_=_deliveries.c.created_at_ms.type),
        bindparam("until_ms", type_=_deliveries.c.created_at_ms.type),
        literal(0),
        literal(0),
    )
    .where(_WANTED)
    .order_by(_callbacks.c.created_at_ms),
)


_WANTS = select(_callbacks.c.api_key, _callbacks.c.event_group, _callbacks.c.event).where(
    _callbacks.c.api_key.in_(bindparam("keys", expanding=True))
)


def enqueue(connection: Connection, entries: Sequence[tuple[SessionId, WallTime, OutboxEntry]]) -> bool:
    """Put events into the outbox, for each callback that wants them, within the transaction that makes them true.

    Returns:
        Whether any does.
    """
    keys = sorted({entry.api_key for _, _, entry in entries})
    wanted = {tuple(row) for row in connection.execute(_WANTS, {"keys": keys})}
    entries = [each for each in entries if (each[2].api_key, each[2].group.value, each[2].event) in wanted]
    if not entries:
        return False
    parameters = [
        {
            "wanted_key": entry.api_key,
            "wanted_group": entry.group.value,
            "wanted_event": entry.event,
            "event_id": entry.event_id,
            "of_session": session_id,
            "named": entry.name,
            "holding": entry.body,
            "made_at_ms": at,
            "until_ms": at + 1000 * GIVE_UP_S,
        }
        for session_id, at, entry in entries
    ]
    lanes = lane_upsert(connection.dialect.name).from_select(
        ["session_id", "receiver_id", "api_key", "due_at_ms", "leased_until_ms"],
        select(
            bindparam("of_session", type_=String),
            _callbacks.c.receiver_id,
            _callbacks.c.api_key,
            bindparam("made_at_ms", type_=_deliveries.c.created_at_ms.type),
            literal(0),
        )
        .where(_WANTED)
        .distinct(),
    )
    connection.execute(lanes, parameters)
    connection.execute(_ENQUEUE, parameters)
    return True


def lane_upsert(dialect: str, *, hurry: bool = False) -> Any:
    """Return what makes a lane, or writes its row if it is there; with `hurry` it becomes due at once."""
    made: Any = postgresql.insert(_lanes) if dialect == "postgresql" else sqlite.insert(_lanes)
    due = made.excluded.due_at_ms if hurry else _lanes.c.due_at_ms
    return made.on_conflict_do_update(index_elements=["session_id", "receiver_id"], set_={"due_at_ms": due})


# ---- within a transaction


def _is(lane: Lane) -> ColumnElement[bool]:
    return and_(_lanes.c.session_id == lane.session_id, _lanes.c.receiver_id == lane.receiver_id)


def _hold(connection: Connection, lane: Lane, worker: str, **values: object) -> bool:
    """Write the lane's row, which locks it; False if its lease is not the worker's any more."""
    held = connection.execute(update(_lanes).where(_is(lane), _lanes.c.leased_by == worker).values(**values))
    return held.rowcount > 0


def _head(connection: Connection, lane: Lane) -> tuple[Delivery, str] | None:
    """Return the first that is pending, with its receiver's secret; drops those whose callback is gone."""
    column = _deliveries.c
    first = (
        select(_deliveries, _callbacks.c.secret)
        .outerjoin(_callbacks, _callbacks.c.callback_id == column.callback_id)
        .where(
            column.session_id == lane.session_id,
            column.receiver_id == lane.receiver_id,
            column.status == DeliveryStatus.PENDING.value,
        )
        .order_by(column.delivery_id)
        .limit(1)
    )
    while (row := (connection.execute(first)).first()) is not None:
        if row.secret is not None:
            return _delivery_of(row), row.secret
        connection.execute(
            delete(_deliveries).where(
                column.callback_id == row.callback_id, column.status == DeliveryStatus.PENDING.value
            )
        )
    return None


def _save(connection: Connection, delivery: Delivery) -> None:
    connection.execute(
        update(_deliveries)
        .where(_deliveries.c.delivery_id == delivery.delivery_id)
        .values(
            status=delivery.status.value,
            retry_until_ms=delivery.retry_until_ms,
            attempts=delivery.attempts,
            refusals=delivery.refusals,
            last_attempt_at_ms=delivery.last_attempt_at_ms,
            last_status=delivery.last_status,
            last_error=delivery.last_error,
        )
    )


# ---- rows


def _callback_row(callback: Callback) -> dict[str, object]:
    return {
        "callback_id": callback.callback_id,
        "api_key": callback.api_key,
        "event_group": callback.group.value,
        "event": callback.event,
        "url": callback.url,
        "receiver_id": callback.receiver_id,
        "secret": callback.secret,
        "created_at_ms": callback.created_at_ms,
    }


def _callback_of(row: Row[Any]) -> Callback:
    return Callback(
        callback_id=row.callback_id,
        api_key=ApiKey(row.api_key),
        group=CallbackGroup(row.event_group),
        event=row.event,
        url=row.url,
        receiver_id=row.receiver_id,
        secret=row.secret,
        created_at_ms=row.created_at_ms,
    )


def _delivery_of(row: Row[Any]) -> Delivery:
    return Delivery(
        delivery_id=row.delivery_id,
        event_id=row.event_id,
        callback_id=row.callback_id,
        api_key=ApiKey(row.api_key),
        session_id=SessionId(row.session_id),
        url=row.url,
        name=row.name,
        body=row.body,
        status=DeliveryStatus(row.status),
        created_at_ms=row.created_at_ms,
        retry_until_ms=row.retry_until_ms,
        attempts=row.attempts,
        refusals=row.refusals,
        last_attempt_at_ms=row.last_attempt_at_ms,
        last_status=row.last_status,
        last_error=row.last_error,
    )

"""Callbacks in memory, and a receiver that answers as a test says."""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, replace

from tertulia.clock import WallTime
from tertulia.domain.callbacks import GIVE_UP_S, Callback, Delivery, DeliveryStatus, OutboxEntry, Outcome
from tertulia.errors import ConnectFailedError
from tertulia.ids import ApiKey, SessionId
from tertulia.services.ports import Lane
from tests.fakes.clock import FakeClock


@dataclass
class _LaneRow:
    due: int
    leased_by: str | None = None
    leased_until: int = 0


class MemoryCallbacks:
    """Fulfils the port `CallbackStore`; while `away`, every method fails."""

    def __init__(self) -> None:
        self.away = False
        self.callbacks: list[Callback] = []
        self.deliveries: dict[int, Delivery] = {}
        self.lanes: dict[Lane, _LaneRow] = {}

    def _check(self) -> None:
        if self.away:
            raise ConnectFailedError("The store is not available; try again.")

    def _lane_of(self, delivery: Delivery) -> Lane:
        receiver = next(each.receiver_id for each in self.callbacks if each.callback_id == delivery.callback_id)
        return Lane(delivery.session_id, receiver, delivery.api_key)

    def put(self, session_id: SessionId, now: WallTime, entry: OutboxEntry) -> None:
        """What the writer does within a session's commit."""
        for callback in self.callbacks:
            if (callback.api_key, callback.group, callback.event) != (entry.api_key, entry.group, entry.event):
                continue
            number = len(self.deliveries) + 1
            self.deliveries[number] = Delivery(
                number,
                entry.event_id,
                callback.callback_id,
                entry.api_key,
                session_id,
                callback.url,
                entry.name,
                entry.body,
                DeliveryStatus.PENDING,
                now,
                now + 1000 * GIVE_UP_S,
            )
            self.lanes.setdefault(self._lane_of(self.deliveries[number]), _LaneRow(now))

    async def add_callback(self, callback: Callback, limit: int) -> bool:
        self._check()
        mine = [each for each in self.callbacks if each.api_key == callback.api_key]
        if len(mine) >= limit:
            return False
        for other in mine:
            if other.url == callback.url:
                callback = replace(callback, receiver_id=other.receiver_id, secret=other.secret)
        self.callbacks.append(callback)
        return True

    async def list_callbacks(self, api_key: ApiKey) -> list[Callback]:
        self._check()
        return [each for each in self.callbacks if each.api_key == api_key]

    async def remove_callback(self, api_key: ApiKey, callback_id: str) -> bool:
        self._check()
        before = len(self.callbacks)
        self.callbacks = [each for each in self.callbacks if (each.api_key, each.callback_id) != (api_key, callback_id)]
        return len(self.callbacks) < before

    async def find_delivery(self, api_key: ApiKey, delivery_id: int) -> Delivery | None:
        self._check()
        found = self.deliveries.get(delivery_id)
        return found if found is not None and found.api_key == api_key else None

    async def list_deliveries(
        self,
        api_key: ApiKey,
        *,
        statuses: Collection[DeliveryStatus] = (),
        session_id: SessionId | None = None,
        before: int | None = None,
        limit: int,
    ) -> list[Delivery]:
        self._check()
        found = [
            each
            for each in self.deliveries.values()
            if each.api_key == api_key
            and (not statuses or each.status in statuses)
            and session_id in (None, each.session_id)
            and (before is None or each.delivery_id < before)
        ]
        return found[::-1][:limit]

    async def replay(self, delivery: Delivery, now: WallTime) -> None:
        self._check()
        self.deliveries[delivery.delivery_id] = delivery
        self.lanes.setdefault(self._lane_of(delivery), _LaneRow(now)).due = now

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
        self._check()
        free = [
            lane
            for lane, row in self.lanes.items()
            if row.due <= now
            and row.leased_until <= now
            and lane.receiver_id not in busy_receivers
            and lane.api_key not in busy_projects
        ]
        claimed = sorted(free, key=lambda lane: self.lanes[lane].due)[:limit]
        for lane in claimed:
            self.lanes[lane] = replace(self.lanes[lane], leased_by=worker, leased_until=lease_until)
        return claimed

    async def next_due(self, after: WallTime) -> WallTime | None:
        self._check()
        times = [max(row.due, row.leased_until) for row in self.lanes.values()]
        return min((WallTime(time) for time in times if time > after), default=None)

    async def advance(
        self, lane: Lane, worker: str, lease_until: WallTime, settled: Delivery | None = None
    ) -> tuple[Delivery, str] | None:
        self._check()
        row = self.lanes.get(lane)
        if row is None or row.leased_by != worker:
            return None
        row.leased_until = lease_until
        if settled is not None:
            self.deliveries[settled.delivery_id] = settled
        for delivery in self.deliveries.values():
            if delivery.status is DeliveryStatus.PENDING and self._lane_of(delivery) == lane:
                return delivery, "secret"
        del self.lanes[lane]
        return None

    async def put_back(self, lane: Lane, worker: str, due: WallTime, settled: Delivery | None = None) -> None:
        self._check()
        row = self.lanes.get(lane)
        if row is not None and row.leased_by == worker:
            self.lanes[lane] = _LaneRow(due)
            if settled is not None:
                self.deliveries[settled.delivery_id] = settled

    async def release(self, worker: str) -> None:
        self._check()
        for row in self.lanes.values():
            if row.leased_by == worker:
                row.leased_by, row.leased_until = None, 0

    async def trim(self, now: WallTime) -> None:
        self._check()


class FakeReceiver:
    """Fulfils the port `CallbackSender`: answers with `answers` in turn, then 200; `down` overrules them."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.down = False
        self.answers: deque[Outcome] = deque()
        self.got: list[tuple[float, Delivery]] = []
        """Every attempt with its time, in seconds since the start."""
        self.began = clock.monotonic()

    async def send(self, delivery: Delivery, secret: str, now: WallTime) -> Outcome:
        self.got.append((self.clock.monotonic() - self.began, delivery))
        if self.down:
            return Outcome(error="the connection was refused")
        return self.answers.popleft() if self.answers else Outcome(200)

    @property
    def times(self) -> list[float]:
        return [round(time, 3) for time, _ in self.got]

    @property
    def names(self) -> list[str]:
        return [delivery.name for _, delivery in self.got]

"""Where callbacks wait, and what sends them."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from tertulia.clock import WallTime
from tertulia.domain.callbacks import Callback, Delivery, DeliveryStatus, Outcome
from tertulia.ids import ApiKey, SessionId


@dataclass(frozen=True, slots=True)
class Lane:
    """The deliveries of one session to one receiver: they go out one after the other.

    Attributes:
        session_id: The session.
        receiver_id: The receiver, see `Callback`.
        api_key: Its project.
    """

    session_id: SessionId
    receiver_id: str
    api_key: ApiKey


class CallbackStore(Protocol):
    """Where callbacks and their deliveries live. Every method may raise UnavailableError."""

    async def add_callback(self, callback: Callback, limit: int) -> bool:
        """Store a callback; False, and nothing stored, if its project has `limit` of them.

        Its receiver and secret are replaced by those of the project's other callbacks to the same address.
        """
        ...

    async def list_callbacks(self, api_key: ApiKey) -> list[Callback]:
        """Return the callbacks of a project, the oldest first."""
        ...

    async def remove_callback(self, api_key: ApiKey, callback_id: str) -> bool:
        """Remove a callback and what is pending for it; False if the project has no such."""
        ...

    async def find_delivery(self, api_key: ApiKey, delivery_id: int) -> Delivery | None:
        """Return a delivery of a project."""
        ...

    async def list_deliveries(
        self,
        api_key: ApiKey,
        *,
        statuses: Collection[DeliveryStatus] = (),
        session_id: SessionId | None = None,
        before: int | None = None,
        limit: int,
    ) -> list[Delivery]:
        """Return a project's deliveries with ids below `before`, the newest first; all statuses if none is named."""
        ...

    async def replay(self, delivery: Delivery, now: WallTime) -> None:
        """Store a delivery that is to go out again, in its old place, at once."""
        ...

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
        """Lease to a worker up to `limit` lanes in which something is due, the longest due first; none of the busy."""
        ...

    async def next_due(self, after: WallTime) -> WallTime | None:
        """Return when after that the next lane becomes due, or its lease ends, if there is such a lane."""
        ...

    async def advance(
        self, lane: Lane, worker: str, lease_until: WallTime, settled: Delivery | None = None
    ) -> tuple[Delivery, str] | None:
        """Store what became of a delivery, extend the lease, and return the lane's next one with its receiver's secret.

        None when nothing is pending, or the lease is another's by now (then nothing is stored).
        """
        ...

    async def put_back(self, lane: Lane, worker: str, due: WallTime, settled: Delivery | None = None) -> None:
        """Store what became of a delivery, and end the lease of its lane, in which something is due at `due`."""
        ...

    async def release(self, worker: str) -> None:
        """End every lease of a worker."""
        ...

    async def trim(self, now: WallTime) -> None:
        """Drop deliveries that are over for longer than they are kept."""
        ...


class CallbackSender(Protocol):
    """Sends callbacks."""

    async def send(self, delivery: Delivery, secret: str, now: WallTime) -> Outcome:
        """Make one attempt, within its deadline. Raises nothing: whatever goes wrong is an outcome."""
        ...

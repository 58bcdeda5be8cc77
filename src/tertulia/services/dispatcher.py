"""Delivering callbacks: workers lease lanes, send what is due in them one by one, and note what became of it."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import structlog

from tertulia.clock import Clock, MonotonicTime, WallTime, pause
from tertulia.domain.callbacks import Delivery, DeliveryStatus, Outcome, after_attempt
from tertulia.errors import UnavailableError
from tertulia.services.ports import CallbackSender, CallbackStore, Lane
from tertulia.services.tasks import TaskSet

__all__ = ["DispatchSettings", "Dispatcher"]

POLL_S = 5.0
"""How often the store is asked although nothing woke us: another process may have put something in, or have died."""
WORKERS = 64
PER_RECEIVER = 4
PER_PROJECT = 16
"""At once, of all, to one receiver, of one project: one receiver that is slow must not hold up the others."""
TURN = 100
"""Deliveries of one lane in a row, after which others have a turn."""
LEASE_MARGIN_S = 5.0
"""How much longer than an attempt a lease is."""
GRACE_S = 2.0
"""How long attempts that are under way may go on when the server ends."""
_TRIM_EVERY_S = 3600.0
_RETRY_S = 1.0

T = TypeVar("T")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DispatchSettings:
    """What an operator may choose.

    Attributes:
        attempt_s: How long the receiver may take for one attempt, from resolving its name to its answer.
    """

    attempt_s: float = 10.0


class Dispatcher:
    """Delivers callbacks from `start` to `close`.

    Args:
        store: The outbox.
        sender: Makes the attempts.
        clock: The time.
        worker: The name in the leases, another for each process.
        settings: What may be chosen.
        count: Told of each attempt what it came to.
    """

    def __init__(
        self,
        store: CallbackStore,
        sender: CallbackSender,
        clock: Clock,
        worker: str,
        settings: DispatchSettings | None = None,
        count: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._sender = sender
        self._clock = clock
        self._worker = worker
        self._lease_s = (settings or DispatchSettings()).attempt_s + LEASE_MARGIN_S
        self._count = count
        self._tasks = TaskSet()
        self._busy: set[Lane] = set()
        self._sending: set[asyncio.Task[Outcome]] = set()
        self._woken = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closing = asyncio.Event()
        self._trim_at = clock.monotonic()

    def start(self) -> None:
        """Begin to deliver."""
        self._tasks.spawn(self._run(), "callback dispatcher")

    def wake(self) -> None:
        """Look at once whether something is due."""
        self._woken.set()

    async def close(self) -> None:
        """Let attempts that are under way end for a moment, then leave everything to whoever comes next."""
        self._closing.set()
        self._woken.set()
        await self._wait(self._idle, GRACE_S)
        for sending in list(self._sending):
            sending.cancel()
        await self._wait(self._idle, GRACE_S)
        await self._tasks.close()
        try:
            await self._store.release(self._worker)
        except UnavailableError:
            _log.warning("callback leases are left to run out")

    async def _wait(self, event: asyncio.Event, seconds: float) -> None:
        await pause(self._clock, seconds, event)

    # ---- finding lanes

    async def _run(self) -> None:
        while not self._closing.is_set():
            self._woken.clear()
            try:
                sleep_s = await self._look()
            except UnavailableError:
                sleep_s = _RETRY_S
            if sleep_s > 0:
                await self._wait(self._woken, sleep_s)

    async def _look(self) -> float:
        """Start a worker for each lane that may have one; return how long nothing will be due."""
        if self._clock.monotonic() >= self._trim_at:
            await self._store.trim(self._clock.wall())
            self._trim_at = MonotonicTime(self._clock.monotonic() + _TRIM_EVERY_S)
        now = self._clock.wall()
        while not self._closing.is_set() and (free := WORKERS - len(self._busy)) > 0:
            now = self._clock.wall()
            receivers = Counter(lane.receiver_id for lane in self._busy)
            projects = Counter(lane.api_key for lane in self._busy)
            claimed = await self._store.claim(
                self._worker,
                now,
                self._lease(now),
                limit=free,
                busy_receivers=[receiver for receiver, count in receivers.items() if count >= PER_RECEIVER],
                busy_projects=[project for project, count in projects.items() if count >= PER_PROJECT],
            )
            for lane in claimed:
                if lane in self._busy:
                    continue  # its lease ran out while the store was away; now it is ours again
                receivers[lane.receiver_id] += 1
                projects[lane.api_key] += 1
                if receivers[lane.receiver_id] > PER_RECEIVER or projects[lane.api_key] > PER_PROJECT:
                    await self._store.put_back(lane, self._worker, now)
                else:
                    self._work_on(lane)
            if not claimed:
                break
        # What is due and was not claimed waits for a worker, and that one wakes us.
        due = await self._store.next_due(now)
        return POLL_S if due is None else min((due - now) / 1000, POLL_S)

    def _lease(self, now: WallTime) -> WallTime:
        return WallTime(now + round(1000 * self._lease_s))

    # ---- working on one

    def _work_on(self, lane: Lane) -> None:
        self._busy.add(lane)
        self._idle.clear()
        self._tasks.spawn(self._work(lane), "callback worker")

    async def _work(self, lane: Lane) -> None:
        try:
            await self._deliver(lane)
        finally:
            self._busy.discard(lane)
            if not self._busy:
                self._idle.set()
            self._woken.set()

    async def _deliver(self, lane: Lane) -> None:
        """Send what is due in a lane until something must wait, nothing is left, or others should have a turn."""
        store, worker = self._store, self._worker
        settled: Delivery | None = None
        for _ in range(TURN):
            lease_until = self._lease(self._clock.wall())
            found = await self._insist(partial(store.advance, lane, worker, lease_until, settled))
            if found is None:
                return
            delivery, secret = found
            outcome = await self._send(delivery, secret)
            if outcome is None:
                settled = None
                break
            settled, due = after_attempt(delivery, outcome, self._clock.wall())
            self._note(settled, outcome)
            if due is not None:
                await self._insist(partial(store.put_back, lane, worker, due, settled))
                return
        await self._insist(partial(store.put_back, lane, worker, self._clock.wall(), settled))

    async def _send(self, delivery: Delivery, secret: str) -> Outcome | None:
        """Make an attempt; None if it was broken off because the server ends."""
        if self._closing.is_set():
            return None
        sending = asyncio.create_task(self._sender.send(delivery, secret, self._clock.wall()), name="callback")
        self._sending.add(sending)
        try:
            await asyncio.wait({sending})
        finally:
            self._sending.discard(sending)
            sending.cancel()
        return None if sending.cancelled() else sending.result()

    async def _insist(self, ask: Callable[[], Coroutine[None, None, T]]) -> T | None:
        """Ask the store until it answers: what was sent and is not noted would be sent again. None at the end."""
        while True:
            try:
                return await ask()
            except UnavailableError:
                if self._closing.is_set():
                    return None
                await self._wait(self._closing, _RETRY_S)

    def _note(self, delivery: Delivery, outcome: Outcome) -> None:
        self._count(outcome.answer.value)
        if delivery.status in (DeliveryStatus.SET_ASIDE, DeliveryStatus.DEAD):
            _log.warning(
                "callback given up",
                session_id=delivery.session_id,
                delivery=delivery.delivery_id,
                callback_event=delivery.name,
                why=delivery.status.value,
                http_status=delivery.last_status,
                error=delivery.last_error,
            )

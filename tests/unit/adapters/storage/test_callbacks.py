"""Callbacks and the outbox in both databases."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from tertulia.adapters.storage import SqlStore
from tertulia.adapters.storage.callbacks import DELIVERED_KEPT_S, GIVEN_UP_KEPT_S
from tertulia.clock import WallTime
from tertulia.domain.callbacks import (
    Callback,
    CallbackGroup,
    Delivery,
    DeliveryStatus,
    OutboxEntry,
    Outcome,
    after_attempt,
    replayed,
)
from tertulia.domain.events import All
from tertulia.domain.project import Project
from tertulia.errors import ConnectFailedError
from tertulia.ids import ApiKey, SessionId
from tertulia.services.ports import Lane, LogRow, WriteBatch
from tests.fakes.clock import FakeClock

NOW = FakeClock().wall()
LEASE = WallTime(NOW + 15_000)
KEY, OTHER_KEY = ApiKey("10000000"), ApiKey("20000000")
SESSION, OTHER = SessionId("2_session"), SessionId("2_other")
URL = "https://receiver.example.org/events"


def callback(number: int, event: str = "created", url: str = URL, key: ApiKey = KEY) -> Callback:
    return Callback(
        f"callback-{number}",
        key,
        CallbackGroup.STREAM,
        event,
        url,
        f"receiver-{number}",
        f"{number:040x}",
        NOW + number,
    )


def entry(number: int, event: str = "created", key: ApiKey = KEY) -> OutboxEntry:
    name = f"stream{event.capitalize()}"
    return OutboxEntry(f"event-{number}", key, CallbackGroup.STREAM, event, name, f'{{"n":{number}}}')


def batch(session_id: SessionId, *entries: OutboxEntry, number: int = 0) -> WriteBatch:
    log = [LogRow(number, All(), False, "{}")] if number else []
    return WriteBatch(session_id, NOW, log=log, reports=entries)


async def claim(store: SqlStore, worker: str = "worker", now: WallTime = NOW, **more: Sequence[str]) -> list[Lane]:
    until = WallTime(now + 15_000)
    return await store.callbacks.claim(worker, now, until, limit=64, **more)  # type: ignore[arg-type]  # ids are texts


async def empty(store: SqlStore, lane: Lane, worker: str = "worker") -> list[Delivery]:
    """Deliver everything in a lane."""
    got: list[Delivery] = []
    settled = None
    while (found := await store.callbacks.advance(lane, worker, LEASE, settled)) is not None:
        got.append(found[0])
        settled, _ = after_attempt(found[0], Outcome(200), NOW)
    return got


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[SqlStore]:
    opened = await SqlStore.open(store_url)
    yield opened
    await opened.close()


async def test_callbacks_are_kept_by_project_and_share_a_receiver_by_address(store: SqlStore) -> None:
    elsewhere = callback(3, url="https://other.example.org/")
    for made in (callback(1), callback(2, "destroyed"), elsewhere, callback(4, key=OTHER_KEY)):
        assert await store.callbacks.add_callback(made, 3)
    first, second, third = await store.callbacks.list_callbacks(KEY)
    assert first == callback(1)
    assert (second.receiver_id, second.secret) == ("receiver-1", callback(1).secret)
    assert third == elsewhere
    assert await store.callbacks.list_callbacks(OTHER_KEY) == [callback(4, key=OTHER_KEY)]
    assert not await store.callbacks.add_callback(callback(5), 3), "there are three"
    assert len(await store.callbacks.list_callbacks(KEY)) == 3


async def test_an_event_becomes_a_delivery_for_each_callback_that_wants_it(store: SqlStore) -> None:
    for made in (
        callback(1),
        callback(2, url="https://b.example/"),
        callback(3, "destroyed"),
        callback(4, key=OTHER_KEY),
    ):
        await store.callbacks.add_callback(made, 9)
    await store.commit(batch(SESSION, entry(1)))
    found = await store.callbacks.list_deliveries(KEY, limit=9)
    assert [(each.event_id, each.callback_id, each.url) for each in reversed(found)] == [
        ("event-1", "callback-1", URL),
        ("event-1", "callback-2", "https://b.example/"),
    ]
    assert {(each.name, each.body, each.status, each.created_at_ms) for each in found} == {
        ("streamCreated", '{"n":1}', DeliveryStatus.PENDING, NOW)
    }
    assert await store.callbacks.list_deliveries(OTHER_KEY, limit=9) == []
    assert {lane.receiver_id for lane in await claim(store)} == {"receiver-1", "receiver-2"}


async def test_the_outbox_is_written_with_the_change_or_not_at_all(store: SqlStore) -> None:
    await store.callbacks.add_callback(callback(1), 9)
    await store.commit(batch(SESSION, entry(1), number=1))
    with pytest.raises(ConnectFailedError):
        await store.commit(batch(SESSION, entry(2), number=1))  # the number is taken, so the batch is a bad one
    assert [each.event_id for each in await store.callbacks.list_deliveries(KEY, limit=9)] == ["event-1"]


async def test_a_commit_says_whether_a_callback_wants_what_it_reports(store: SqlStore) -> None:
    assert not await store.commit(batch(SESSION, entry(1)))
    await store.callbacks.add_callback(callback(1), 9)
    assert await store.commit(batch(SESSION, entry(2)))
    assert not await store.commit(batch(SESSION, entry(3, "destroyed"), entry(4, key=OTHER_KEY)))
    assert not await store.commit(batch(SESSION, number=1))
    assert [each.event_id for each in await store.callbacks.list_deliveries(KEY, limit=9)] == ["event-2"]


async def test_a_lane_is_delivered_in_the_order_of_its_events_over_many_commits(store: SqlStore) -> None:
    await store.callbacks.add_callback(callback(1), 9)
    await store.callbacks.add_callback(callback(2, "destroyed"), 9)
    await asyncio.gather(
        *(store.commit(batch(SESSION, entry(2 * n), entry(2 * n + 1, "destroyed"))) for n in range(50)),
        *(store.commit(batch(OTHER, entry(1000 + n))) for n in range(20)),
    )
    lanes = {lane.session_id: lane for lane in await claim(store)}
    assert [each.event_id for each in await empty(store, lanes[SESSION])] == [f"event-{n}" for n in range(100)]
    assert [each.event_id for each in await empty(store, lanes[OTHER])] == [f"event-{1000 + n}" for n in range(20)]
    assert await claim(store, now=WallTime(NOW + 10**9)) == [], "both are empty and gone"
    await store.commit(batch(SESSION, entry(2000)))
    (again,) = await claim(store)
    assert [each.event_id for each in await empty(store, again)] == ["event-2000"]


async def test_a_leased_lane_is_nobody_else_s_until_the_lease_runs_out(store: SqlStore) -> None:
    await store.callbacks.add_callback(callback(1), 9)
    await store.commit(batch(SESSION, entry(1)))
    (lane,) = await claim(store, "first")
    assert await claim(store, "second") == []
    assert await store.callbacks.next_due(NOW) == LEASE
    assert await claim(store, "second", LEASE) == [lane]
    found = await store.callbacks.advance(lane, "second", WallTime(LEASE + 1))
    assert found is not None
    delivered, _ = after_attempt(found[0], Outcome(200), NOW)
    assert await store.callbacks.advance(lane, "first", LEASE, delivered) is None
    assert (await store.callbacks.list_deliveries(KEY, limit=1))[0].status is DeliveryStatus.PENDING
    await store.callbacks.release("second")
    assert await claim(store, "third") == [lane]


async def test_of_many_that_claim_at_once_each_lane_goes_to_one(store: SqlStore) -> None:
    await store.callbacks.add_callback(callback(1), 9)
    sessions = [SessionId(f"2_{number}") for number in range(40)]
    await asyncio.gather(*(store.commit(batch(session_id, entry(1))) for session_id in sessions))
    claimed = await asyncio.gather(*(claim(store, f"worker-{number}") for number in range(8)))
    got = [lane.session_id for lanes in claimed for lane in lanes]
    left = [lane.session_id for lane in await claim(store, "last")]
    assert sorted(got + left) == sorted(sessions)


async def test_what_is_put_back_comes_when_it_is_due(store: SqlStore) -> None:
    await store.callbacks.add_callback(callback(1), 9)
    await store.commit(batch(SESSION, entry(1), entry(2)))
    (lane,) = await claim(store)
    found = await store.callbacks.advance(lane, "worker", LEASE)
    assert found is not None
    assert found[1] == callback(1).secret
    failed, due = after_attempt(found[0], Outcome(503), NOW)
    assert due is not None
    await store.callbacks.put_back(lane, "worker", due, failed)
    await store.commit(batch(SESSION, entry(3)))
    assert await claim(store, now=WallTime(due - 1)) == [], "a new event does not hurry those before it"
    assert await store.callbacks.next_due(NOW) == due
    assert await claim(store, now=due) == [lane]
    found = await store.callbacks.advance(lane, "worker", WallTime(due + 1))
    assert found is not None
    assert found[0] == failed


async def test_busy_receivers_and_projects_are_left_out(store: SqlStore) -> None:
    await store.callbacks.add_callback(callback(1), 9)
    await store.callbacks.add_callback(callback(2, key=OTHER_KEY), 9)
    await store.commit(batch(SESSION, entry(1)))
    await store.commit(batch(OTHER, entry(2, key=OTHER_KEY)))
    assert await claim(store, busy_receivers=["receiver-1", "receiver-2"]) == []
    assert [lane.api_key for lane in await claim(store, busy_projects=[KEY])] == [OTHER_KEY]
    assert [lane.api_key for lane in await claim(store, busy_receivers=["receiver-2"])] == [KEY]


async def test_nothing_is_sent_for_a_callback_that_is_gone(store: SqlStore) -> None:
    await store.callbacks.add_callback(callback(1), 9)
    await store.callbacks.add_callback(callback(2, "destroyed"), 9)
    await store.commit(batch(SESSION, entry(1), entry(2, "destroyed"), entry(3)))
    assert not await store.callbacks.remove_callback(OTHER_KEY, "callback-1")
    assert not await store.callbacks.remove_callback(KEY, "\0")
    assert await store.callbacks.remove_callback(KEY, "callback-1")
    (lane,) = await claim(store)
    assert [each.event_id for each in await empty(store, lane)] == ["event-2"]


async def test_a_project_takes_its_callbacks_with_it(store: SqlStore) -> None:
    await store.add_project(Project(KEY, "a" * 40))
    await store.callbacks.add_callback(callback(1), 9)
    await store.commit(batch(SESSION, entry(1)))
    assert await store.remove_project(KEY)
    assert await store.callbacks.list_callbacks(KEY) == []
    assert await store.callbacks.list_deliveries(KEY, limit=9) == []
    assert await claim(store) == []


async def test_deliveries_are_listed_by_status_session_and_page(store: SqlStore) -> None:
    await store.callbacks.add_callback(callback(1), 9)
    await store.commit(batch(SESSION, *(entry(n) for n in range(5))))
    await store.commit(batch(OTHER, entry(9)))
    lane = next(lane for lane in await claim(store) if lane.session_id == OTHER)
    await empty(store, lane)
    listing = store.callbacks.list_deliveries
    assert [each.event_id for each in await listing(KEY, statuses=[DeliveryStatus.DELIVERED], limit=9)] == ["event-9"]
    page = await listing(KEY, session_id=SESSION, limit=2)
    assert [each.event_id for each in page] == ["event-4", "event-3"]
    rest = await listing(KEY, session_id=SESSION, before=page[-1].delivery_id, limit=9)
    assert [each.event_id for each in rest] == ["event-2", "event-1", "event-0"]
    assert await store.callbacks.find_delivery(KEY, rest[0].delivery_id) == rest[0]
    assert await store.callbacks.find_delivery(OTHER_KEY, rest[0].delivery_id) is None
    for strange in (-1, 0, 2**63, 2**70):
        assert await store.callbacks.find_delivery(KEY, strange) is None
        assert len(await listing(KEY, before=strange, limit=9)) in (0, 6)


async def test_a_replayed_delivery_goes_out_before_those_that_wait(store: SqlStore) -> None:
    await store.callbacks.add_callback(callback(1), 9)
    await store.commit(batch(SESSION, entry(1)))
    (lane,) = await claim(store)
    (delivered,) = await empty(store, lane)
    await store.commit(batch(SESSION, entry(2)))
    later = WallTime(NOW + 1000)
    await store.callbacks.replay(replayed(delivered, later), later)
    assert await claim(store, now=later) == [lane]
    assert [each.event_id for each in await empty(store, lane)] == ["event-1", "event-2"]
    await store.callbacks.replay(replayed(delivered, later), later)
    assert await claim(store, now=later) == [lane], "its lane was gone and is there again"


async def test_what_is_over_is_kept_for_a_time(store: SqlStore) -> None:
    await store.callbacks.add_callback(callback(1), 9)
    await store.commit(batch(SESSION, entry(1), entry(2), entry(3)))
    (lane,) = await claim(store)
    first = await store.callbacks.advance(lane, "worker", LEASE)
    assert first is not None
    second = await store.callbacks.advance(lane, "worker", LEASE, after_attempt(first[0], Outcome(200), NOW)[0])
    assert second is not None
    dead = after_attempt(second[0], Outcome(500), WallTime(second[0].retry_until_ms))[0]
    await store.callbacks.advance(lane, "worker", LEASE, dead)

    async def kept(seconds: float) -> list[str]:
        await store.callbacks.trim(WallTime(NOW + round(1000 * seconds)))
        return [each.event_id for each in await store.callbacks.list_deliveries(KEY, limit=9)]

    assert await kept(DELIVERED_KEPT_S) == ["event-3", "event-2", "event-1"]
    assert await kept(DELIVERED_KEPT_S + 1) == ["event-3", "event-2"]
    assert await kept(GIVEN_UP_KEPT_S + 1) == ["event-3"], "what is pending is never dropped"


async def test_a_lane_that_is_filled_while_it_is_found_empty_is_not_lost(store: SqlStore) -> None:
    await store.callbacks.add_callback(callback(1), 9)
    delivered: list[str] = []
    number = 0

    async def fill() -> None:
        nonlocal number
        while number < 60:
            number += 1
            await store.commit(batch(SESSION, entry(number)))

    async def drain() -> None:
        while len(delivered) < 60:
            for lane in await claim(store):
                delivered.extend(each.event_id for each in await empty(store, lane))

    await asyncio.wait_for(asyncio.gather(fill(), drain()), 50)
    assert delivered == [f"event-{n}" for n in range(1, 61)]

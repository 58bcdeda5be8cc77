"""A store that goes away for a while: what waits, what is refused, and what is written when it is back."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from tertulia.adapters.storage import SqlStore
from tertulia.adapters.storage import store as store_module
from tertulia.adapters.storage import writer as writer_module
from tertulia.adapters.storage.patience import AWAY_S, LONGEST_PAUSE_S, WAIT_S, Patience
from tertulia.adapters.storage.writer import _Plan
from tertulia.config import StoreSettings
from tertulia.domain.events import All
from tertulia.errors import ConnectFailedError
from tertulia.ids import ApiKey, SessionId
from tertulia.services.ports import LogRow, SessionRecord, WriteBatch
from tests.fakes.clock import START_MS, FakeClock
from tests.fakes.house import settle
from tests.stores import Postgres

NOW = FakeClock().wall()
SESSION = SessionId("2_session")


def batch(number: int) -> WriteBatch:
    return WriteBatch(SESSION, NOW, log=[LogRow(number, All(), False, f'{{"n":{number}}}')])


def record(name: str) -> SessionRecord:
    return SessionRecord(SessionId(f"2_{name}"), ApiKey("10000000"), "routed", "manual", START_MS, False)


class Away:
    """Takes the store away and gives it back."""

    def __init__(self, url: str, server: Postgres | None) -> None:
        self._file = url.partition(":///")[2]
        self._server = server

    @contextmanager
    def outage(self) -> Iterator[None]:
        if self._server is None:
            with sqlite3.connect(self._file, isolation_level=None) as thief:
                thief.execute("BEGIN IMMEDIATE")
                yield
                thief.execute("ROLLBACK")
            thief.close()
        else:
            self._server.stop()
            yield
            self._server.start()


@pytest.fixture(params=["sqlite", "postgresql"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[SqlStore, Away]]:
    server: Postgres | None = None
    url = f"sqlite:///{tmp_path / 'tertulia.db'}"
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres")
        name = server.make_database(request.getfixturevalue("postgres_template"))
        url = StoreSettings(url=server.url(name)).driver_url
    store = await SqlStore.open(url)
    yield store, Away(url, server)
    await store.close()


async def test_what_sessions_report_waits_for_the_store_and_is_written_in_order(
    place: tuple[SqlStore, Away], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "WAIT_S", 0.2)
    store, away = place
    await store.commit(batch(1))
    with away.outage():
        writing = [asyncio.create_task(store.commit(batch(number))) for number in range(2, 6)]
        with pytest.raises(ConnectFailedError, match="not available"):
            await store.add_session(record("refused"))
        assert not any(task.done() for task in writing)
    await asyncio.wait_for(asyncio.gather(*writing), 30)
    assert [row.number for row in await store.read_log(SESSION, 0, 99)] == [1, 2, 3, 4, 5]
    await store.add_session(record("made"))
    assert await store.find_session(SessionId("2_made")) is not None


async def test_a_short_outage_is_only_a_delay(place: tuple[SqlStore, Away], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "WAIT_S", 30)  # to start PostgreSQL takes a busy machine longer than a quiet one
    store, away = place
    with away.outage():
        making = asyncio.create_task(store.add_session(record("late")))
        asking = asyncio.create_task(store.find_session(SessionId("2_early")))
        await asyncio.sleep(0)
    await asyncio.wait_for(making, 30)
    assert await asyncio.wait_for(asking, 30) is None
    assert await store.find_session(SessionId("2_late")) == record("late")


async def test_a_store_that_is_closed_while_its_database_is_away_does_not_wait(place: tuple[SqlStore, Away]) -> None:
    store, away = place
    with away.outage():
        writing = asyncio.create_task(store.commit(batch(1)))
        await asyncio.sleep(0)
        await asyncio.wait_for(store.close(), 30)
        with pytest.raises(ConnectFailedError):
            await writing


async def test_a_commit_whose_answer_was_lost_is_not_made_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await SqlStore.open(f"sqlite:///{tmp_path / 'tertulia.db'}")
    original, lost = store._writer._execute, [True, True]

    def execute(connection: Connection, plan: _Plan) -> tuple[set[str], bool]:
        outcome = original(connection, plan)
        connection.commit()
        if lost:
            lost.pop()
            raise ConnectionResetError("the answer to COMMIT was lost")
        return outcome

    monkeypatch.setattr(store._writer, "_execute", execute)
    await store.commit(batch(1))
    assert await store.add_session(record("made")), "it is new, whatever the second attempt found"
    assert not await store.add_session(record("made"))
    assert not lost
    assert len(await store.read_log(SESSION, 0, 9)) == 1
    await store.close()


async def test_the_writer_s_queue_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "QUEUE_LIMIT", 3)
    path = tmp_path / "tertulia.db"
    store = await SqlStore.open(f"sqlite:///{path}")
    with Away(f":///{path}", None).outage():
        writing = [asyncio.create_task(store.commit(batch(1)))]
        await settle()  # this one is being written
        writing += [asyncio.create_task(store.commit(batch(number))) for number in range(2, 5)]
        await settle()
        with pytest.raises(ConnectFailedError):
            await store.commit(batch(9))
    await asyncio.wait_for(asyncio.gather(*writing), 30)
    await store.close()


# ---- the rules of waiting, in virtual time


class Attempts:
    """Something that fails until a moment, and notes when it was tried."""

    def __init__(self, clock: FakeClock, back_s: float, error: Exception | None = None) -> None:
        self.clock = clock
        self.began = clock.monotonic()
        self.back_s = back_s
        self.error = error or ConnectionRefusedError()
        self.times: list[float] = []

    async def __call__(self) -> str:
        self.times.append(self.clock.monotonic() - self.began)
        if self.times[-1] < self.back_s:
            raise self.error
        return "done"


async def run_until_done(clock: FakeClock, task: "asyncio.Task[str]") -> None:
    await settle()
    while not task.done():
        when = clock.next_timer()
        assert when is not None, "nobody waits for anything"
        clock.advance(when - clock.monotonic())
        await settle()


async def test_a_store_away_for_a_minute_is_asked_with_growing_pauses_until_it_is_back() -> None:
    clock = FakeClock()
    attempts = Attempts(clock, back_s=60)
    task = asyncio.create_task(Patience(clock).insist(attempts, AWAY_S))
    await run_until_done(clock, task)
    assert task.result() == "done"
    pauses = [after - before for before, after in zip(attempts.times, attempts.times[1:], strict=False)]
    assert pauses[:5] == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6])
    assert max(pauses) == pytest.approx(LONGEST_PAUSE_S)
    assert 60 <= attempts.times[-1] <= 60 + LONGEST_PAUSE_S


async def test_who_waits_for_an_answer_is_refused_in_time() -> None:
    clock = FakeClock()
    attempts = Attempts(clock, back_s=60)
    task = asyncio.create_task(Patience(clock).insist(attempts, WAIT_S))
    await run_until_done(clock, task)
    with pytest.raises(ConnectionRefusedError):
        task.result()
    assert attempts.times[-1] <= WAIT_S


async def test_what_is_wrong_with_the_statement_is_said_at_once() -> None:
    clock = FakeClock()
    attempts = Attempts(clock, back_s=60, error=IntegrityError("INSERT", {}, Exception("twice")))
    with pytest.raises(IntegrityError):
        await Patience(clock).insist(attempts, AWAY_S)
    assert len(attempts.times) == 1

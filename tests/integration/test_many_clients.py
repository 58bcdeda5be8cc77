"""Two hundred Python clients in one event loop that come and go, and what they leave behind."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path

import pytest

from tertulia import Publisher, Session
from tests.servers import TertuliaServer
from tests.signs import tone

CLIENTS = 200
ROUNDS = 3
AT_ONCE = 20
DEADLINE_S = 100


async def come_and_go(server: TertuliaServer, session_id: str, token: str) -> None:
    """One round: everybody joins, one in fifty publishes, everybody hears a signal and leaves."""
    gate = asyncio.Semaphore(AT_ONCE)
    heard: list[str] = []
    everybody = asyncio.Event()

    def hear(event: object) -> None:
        heard.append("")
        if len(heard) == CLIENTS:
            everybody.set()

    sessions = [
        Session(server.api_key, session_id, server=server.url, connection_events_suppressed=True).on("signal:all", hear)
        for _ in range(CLIENTS)
    ]

    async def join(number: int, session: Session) -> None:
        async with gate:
            await session.connect(token)
            if number % 50 == 0:
                await session.publish(Publisher(audio=tone()))

    async with asyncio.TaskGroup() as group:
        for number, session in enumerate(sessions):
            group.create_task(join(number, session))
    await sessions[0].signal("now", type="all")
    await everybody.wait()
    async with asyncio.TaskGroup() as group:
        for session in sessions:
            group.create_task(session.__aexit__(None, None, None))


@pytest.mark.timeout(120)
async def test_two_hundred_clients_come_and_go_without_growth(tmp_path: Path) -> None:
    with TertuliaServer(tmp_path) as server:
        session_id = server.create_session()
        token = server.token(session_id)
        kept: list[int] = []
        others = {id(one) for one in gc.get_objects() if type(one) in (Session, Publisher)}  # of tests that failed
        async with asyncio.timeout(DEADLINE_S):
            for _ in range(ROUNDS):
                await come_and_go(server, session_id, token)
                for _ in range(10):
                    await asyncio.sleep(0)
                gc.collect()
                kept.append(len(gc.get_objects()))
                assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("tertulia")]
                left = [one for one in gc.get_objects() if type(one) in (Session, Publisher) and id(one) not in others]
                assert not left
    assert kept[-1] - kept[1] < CLIENTS, kept  # not even one object for each client of a round

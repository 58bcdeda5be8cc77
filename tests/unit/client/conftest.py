"""What the tests of the client share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from tertulia.client import Event, Session
from tests.fakes.signalling_server import FakeSignallingServer
from tests.unit.client.virtual_time import VirtualTimeLoop

CONTRACT = Path(__file__).parents[3] / "contract"

IDA = {"id": "22222222-0000-4000-8000-000000000000", "creationTime": 500, "data": "Ida"}
DESK = {
    "id": "33333333-0000-4000-8000-000000000000",
    "connectionId": IDA["id"],
    "creationTime": 600,
    "name": "Desk",
    "hasAudio": True,
    "hasVideo": True,
    "hasCaptions": False,
    "videoType": "camera",
    "videoDimensions": {"width": 640, "height": 480},
}


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Every asynchronous test here runs in virtual time, except those of real sockets."""
    return (
        {"sockets": asyncio.SelectorEventLoop} if item.path.stem == "test_websocket" else {"virtual": VirtualTimeLoop}
    )


@pytest.fixture
async def loop() -> AsyncIterator[VirtualTimeLoop]:
    """The test's loop. Nothing may be left running in it when the test is over."""
    loop = cast(VirtualTimeLoop, asyncio.get_running_loop())
    yield loop
    for _ in range(5):
        await asyncio.sleep(0)
    assert {task for task in asyncio.all_tasks() if task.get_name().startswith("tertulia")} == set()


@pytest.fixture
async def server(loop: VirtualTimeLoop) -> FakeSignallingServer:
    return FakeSignallingServer()


@pytest.fixture
async def session(server: FakeSignallingServer) -> Session:
    """A session that is not connected yet."""
    return Session("12345678", "1_session", server="http://server.test:8080", dial=server.dial)


async def settle() -> None:
    """Lets everything that can happen without time passing happen."""
    for _ in range(20):
        await asyncio.sleep(0)


class Diary:
    """Keeps every event of a session and waits for more."""

    def __init__(self, session: Session) -> None:
        self.events: list[Event] = []
        self._news = asyncio.Event()
        session.on(Event, self._note)

    def _note(self, event: Event) -> None:
        self.events.append(event)
        self._news.set()

    @property
    def types(self) -> list[str]:
        return [event.type for event in self.events]

    async def sees(self, type: str, times: int = 1) -> Any:
        """Waits until events of that type have come `times` times and returns the last of them."""
        while self.types.count(type) < times:
            self._news.clear()
            await self._news.wait()
        return [event for event in self.events if event.type == type][-1]


@pytest.fixture
async def diary(session: Session) -> Diary:
    return Diary(session)


@cache
def contract(name: str) -> dict[str, Any]:
    """One file of the contract; read once, which takes longer than most tests."""
    loaded: dict[str, Any] = yaml.safe_load((CONTRACT / name).read_text())
    return loaded

"""A Python client in a session, with a memory of what it was told and when."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from tertulia import Session
from tertulia.client.events import ConnectionEvent, SignalEvent, StreamEvent
from tests.network import Place
from tests.servers import Api

T = TypeVar("T")
DEADLINE_S = 20


class Member:
    """One client and what it has seen, with the times of it."""

    def __init__(self, server: Api, session_id: str, url: str, *, token: str | None = None) -> None:
        self.session = Session(server.api_key, session_id, server=url)
        self._token = server.token(session_id) if token is None else token
        self.told: list[tuple[str, float]] = []
        self.heard: dict[str, list[int]] = {}
        self._news = asyncio.Event()
        self.ends: list[tuple[str, str, str]] = []
        """Streams and connections of others that have ended: what it was, its id, the reason."""
        for name in ("sessionReconnecting", "sessionReconnected", "sessionDisconnected", "connectionDestroyed"):
            self.session.on(name, self._note)
        self.session.on(ConnectionEvent, self._note_end)
        self.session.on(StreamEvent, self._note_end)
        self.session.on("signal", self._hear)

    def _note(self, event: object) -> None:
        self.told.append((event.type, time.perf_counter()))  # type: ignore[attr-defined]  # any event
        self._news.set()

    def _note_end(self, event: ConnectionEvent | StreamEvent) -> None:
        if event.reason is not None:
            id = event.stream.stream_id if isinstance(event, StreamEvent) else event.connection.connection_id
            self.ends.append((event.type, id, event.reason.value))

    def _hear(self, event: SignalEvent) -> None:
        assert event.from_ is not None
        self.heard.setdefault(event.from_.connection_id, []).append(int(event.data or ""))
        self._news.set()

    async def arrive(self) -> None:
        await self.session.connect(self._token)
        assert self.session.connection is not None
        self.id = self.session.connection.connection_id

    def times(self, name: str) -> list[float]:
        return [at for type, at in self.told if type == name]

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not holds():
                self._news.clear()
                await self._news.wait()

    async def talk(self, count: int) -> None:
        """Says the numbers below `count`, a few at a time, below the server's limit of 100 in a second."""
        for begin in range(0, count, 8):
            await asyncio.gather(*(self.session.signal(str(number)) for number in range(begin, min(count, begin + 8))))
            await asyncio.sleep(0.1)


class FarMember:
    """A member in a namespace of its own, on a thread of its own, for tests that wait for browsers meanwhile."""

    def __init__(self, place: Place, server: Api, session_id: str) -> None:
        self._place = place
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=place.inside, args=(self._loop.run_forever,), name="far member")
        self.member = Member(server, session_id, server.url)
        self._hushed = asyncio.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        self.do(self.member.arrive())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.do(self.member.session.disconnect())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def do(self, work: Coroutine[Any, Any, T], deadline_s: float = DEADLINE_S) -> T:
        """Runs `work` there and returns what it returns."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(deadline_s)

    def until(self, holds: Callable[[], bool]) -> None:
        self.do(self.member.until(holds), DEADLINE_S + 5)

    def start_talking(self, pause_s: float) -> None:
        """Says numbers from 0, with such pauses, until `stop_talking`."""

        async def start() -> None:
            self._talking = asyncio.create_task(self._talk(pause_s))

        self.do(start())

    def stop_talking(self) -> int:
        """Says nothing more, and returns how many numbers were said."""

        async def stop() -> int:
            self._hushed.set()
            return await self._talking

        return self.do(stop())

    async def _talk(self, pause_s: float) -> int:
        said = 0
        while not self._hushed.is_set():
            await self.member.session.signal(str(said), type="talk")
            said += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hushed.wait(), pause_s)
        return said

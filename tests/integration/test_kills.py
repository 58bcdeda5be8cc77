"""Control is killed at awkward moments, with Python clients in the session; the browser tests do it with media."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tertulia import ConnectFailedError, Session
from tests.servers import TertuliaServer

DEADLINE_S = 30
RESUME_S = 5
# Well below the server's limit of 100 a second: what piles up must be caught up with.
PACE_S = 0.03
ORPHAN_GRACE_S = 2.0


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TertuliaServer, float]]:
    """A server, and how long this machine took to start it at present."""
    began = time.monotonic()
    with TertuliaServer(tmp_path_factory.mktemp("kills")) as running:
        yield running, time.monotonic() - began


@pytest.fixture
def server(started: tuple[TertuliaServer, float]) -> TertuliaServer:
    return started[0]


@pytest.fixture
def resume_s(started: tuple[TertuliaServer, float]) -> float:
    """Within what time all clients are back after a kill: 5 s, unless the machine is busy with other things."""
    return max(RESUME_S, 3 * started[1])


@pytest.fixture
def session_id(server: TertuliaServer) -> str:
    return server.create_session()


class Member:
    """One client, what it heard, and when it was back."""

    def __init__(self, server: TertuliaServer, session_id: str, name: str) -> None:
        self.name = name
        self.session = Session(server.api_key, session_id, server=server.url)
        self.token = server.token(session_id)
        self.heard: list[str] = []
        self.back_at: list[float] = []
        self.session.on("signal", lambda event: self.heard.append(event.data))
        self.session.on("sessionReconnected", lambda _: self.back_at.append(time.monotonic()))

    async def speak(self, count: int) -> None:
        """Sends numbered signals at a steady pace, whatever happens; returns when all are acknowledged."""
        sending = []
        for number in range(count):
            sending.append(asyncio.ensure_future(self.session.signal(f"{self.name} {number}")))
            await asyncio.wait(sending[-1:], timeout=PACE_S)  # the pace
        await asyncio.gather(*sending)

    def heard_of(self, name: str) -> list[int]:
        return [int(data.split()[1]) for data in self.heard if data.split()[0] == name]


@asynccontextmanager
async def members(server: TertuliaServer, session_id: str, *names: str) -> AsyncIterator[list[Member]]:
    present = [Member(server, session_id, name) for name in names]
    for member in present:
        await member.session.connect(member.token)
    yield present
    for member in present:
        await member.session.disconnect()


async def eventually(condition: Callable[[], bool], what: str) -> None:
    """Waits for something; `what` says what for, in the traceback."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - the condition is another process's
            await asyncio.sleep(0.01)


def kill(server: TertuliaServer, name: str = "control") -> float:
    os.kill(server.pids()[name], signal.SIGKILL)
    return time.monotonic()


async def new_control(server: TertuliaServer, before: int) -> int:
    await eventually(lambda: server.pids().get("control") not in (None, before), "a new control")
    return server.pids()["control"]


@pytest.mark.parametrize("kills", [1, 3])
async def test_signals_in_full_flow_arrive_exactly_once_and_in_order(
    server: TertuliaServer, session_id: str, resume_s: float, kills: int
) -> None:
    count = 50 * kills
    async with members(server, session_id, "ann", "ben", "cleo") as present:
        ids = [member.session.connection for member in present]
        speaking = [asyncio.ensure_future(member.speak(count)) for member in present]
        for done in range(kills):
            # While the store is being written: all three speak at this moment.
            await eventually(lambda: len(present[0].heard) > 50 * (done + 1), "signals flow")  # noqa: B023 - awaited here
            killed_at = kill(server)
            await eventually(lambda: all(len(each.back_at) > done for each in present), "all are back")  # noqa: B023
            took_s = max(member.back_at[done] for member in present) - killed_at
            assert took_s < resume_s
        await asyncio.gather(*speaking)
        for member in present:
            await eventually(lambda: len(member.heard) >= 3 * count, "everything is heard")  # noqa: B023
            for speaker in present:
                assert member.heard_of(speaker.name) == list(range(count))
        assert [member.session.connection for member in present] == ids


async def test_a_control_that_is_killed_again_while_it_starts_loses_nothing(
    server: TertuliaServer, session_id: str
) -> None:
    async with members(server, session_id, "ann", "ben") as present:
        ann, ben = present
        first = server.pids()["control"]
        kill(server)
        sending = [asyncio.ensure_future(ann.session.signal(f"ann {number}")) for number in range(20)]
        second = await new_control(server, first)
        kill(server)
        await new_control(server, second)
        await asyncio.gather(*sending)
        await eventually(lambda: len(ben.heard) == 20, "everything is heard")
        assert ben.heard_of("ann") == list(range(20))


async def test_clients_that_join_while_control_is_killed_get_in(server: TertuliaServer, session_id: str) -> None:
    crowd = [Member(server, session_id, f"c{number}") for number in range(30)]

    async def join(member: Member) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while True:
                try:
                    await member.session.connect(member.token)
                    return
                except ConnectFailedError:
                    await asyncio.sleep(0.1)

    joining = [asyncio.ensure_future(join(member)) for member in crowd]
    await eventually(lambda: any(member.session.connected for member in crowd), "some are in")
    kill(server)
    await asyncio.gather(*joining)
    mine = {member.session.connection.id for member in crowd if member.session.connection is not None}
    assert len(mine) == 30
    for member in crowd:
        await eventually(lambda: mine <= {each.id for each in member.session.connections}, "all know all")  # noqa: B023
    for member in crowd:
        await member.session.disconnect()


async def test_control_and_supervisor_are_killed_and_the_next_one_brings_the_session_back(tmp_path: Path) -> None:
    with TertuliaServer(tmp_path) as first:
        port = int(first.url.rpartition(":")[2])
    with TertuliaServer(tmp_path, port=port) as killed:
        session_id = killed.create_session()
        async with members(killed, session_id, "ann", "ben") as (ann, ben):
            before = [ann.session.connection, ben.session.connection]
            router = killed.pids()["router"]
            os.kill(killed.facts["pids"]["supervisor"], signal.SIGKILL)
            kill(killed)
            sending = asyncio.ensure_future(ann.session.signal("ann 0"))
            again = TertuliaServer(tmp_path, port=port)
            await asyncio.to_thread(again.__enter__)
            try:
                assert again.pids()["router"] == router, "the media goes on meanwhile"
                await sending
                await eventually(lambda: ben.heard == ["ann 0"], "it is heard once")
                assert [ann.session.connection, ben.session.connection] == before
                await ann.session.disconnect()
                await ben.session.disconnect()
            finally:
                await asyncio.to_thread(again.__exit__, None, None, None)


async def test_without_a_new_supervisor_the_call_goes_on_for_a_while_and_then_everything_ends(tmp_path: Path) -> None:
    settings = {"TERTULIA_SESSIONS_ORPHAN_GRACE_S": str(ORPHAN_GRACE_S)}
    with TertuliaServer(tmp_path, settings=settings) as first:
        port = int(first.url.rpartition(":")[2])
    with TertuliaServer(tmp_path, settings=settings, port=port) as killed:
        session_id = killed.create_session()
        async with members(killed, session_id, "ann", "ben") as (ann, ben):
            before = [ann.session.connection, ben.session.connection]
            children = {name: os.pidfd_open(pid) for name, pid in killed.pids().items()}
            os.kill(killed.facts["pids"]["supervisor"], signal.SIGKILL)
            killed_at = time.monotonic()
            await ann.session.signal("ann 0")
            await eventually(lambda: ben.heard == ["ann 0"], "the session goes on")
            await eventually(lambda: all(map(has_ended, children.values())), "control and router end by themselves")
            assert time.monotonic() - killed_at >= ORPHAN_GRACE_S
            for handle in children.values():
                os.close(handle)
            assert list((tmp_path / "run").glob("*.sock")) == []
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port))
            assert "Traceback" not in (tmp_path / "log" / "control.log").read_text()

            # It was a clean end: the seats are in the store.
            again = TertuliaServer(tmp_path, settings=settings, port=port)
            await asyncio.to_thread(again.__enter__)
            try:
                await eventually(lambda: bool(ann.back_at and ben.back_at), "both are back")
                assert [ann.session.connection, ben.session.connection] == before
                await ann.session.disconnect()
                await ben.session.disconnect()
            finally:
                await asyncio.to_thread(again.__exit__, None, None, None)


def has_ended(handle: int) -> bool:
    return bool(select.select([handle], [], [], 0)[0])

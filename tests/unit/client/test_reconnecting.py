"""Session over a network that is cut, against a scripted server, in virtual time."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from tertulia.client import (
    DisconnectReason,
    Session,
)
from tests.fakes.signalling_server import FakeSignallingServer
from tests.unit.client.conftest import DESK, IDA, Diary, settle
from tests.unit.client.virtual_time import VirtualTimeLoop


async def test_a_cut_is_resumed_with_the_last_number_and_asks_again(
    session: Session, server: FakeSignallingServer, diary: Diary, loop: VirtualTimeLoop
) -> None:
    await session.connect("token")
    first = session.connection
    server.tell("signal", data="one")
    await diary.sees("signal")
    server.replies = False
    asking = asyncio.create_task(session.signal("asked before the cut"))
    await server.has("signal")
    server.replies = True
    cut_at = loop.time()
    server.cut()
    later = asyncio.create_task(session.signal("asked during the cut"))
    await diary.sees("sessionReconnected")
    assert server.dialled[-1] == cut_at
    [[request_id, _, resume]] = server.of_type("resume")
    assert request_id == 0
    assert resume["resumeKey"] == "first key"
    assert resume["after"] == server.number
    await asyncio.gather(asking, later)
    assert [(frame[0], frame[2]["data"]) for frame in server.of_type("signal")] == [
        (1, "asked before the cut"),
        (1, "asked before the cut"),
        (2, "asked during the cut"),
    ]
    assert session.connection is first
    assert diary.types[-2:] == ["sessionReconnecting", "sessionReconnected"]
    await session.disconnect()


async def test_events_that_were_had_already_are_not_told_twice(
    session: Session, server: FakeSignallingServer, diary: Diary
) -> None:
    await session.connect("token")
    number = server.tell("signal", data="one")
    server.socket.tell(number, {"type": "signal", "data": "one"})
    server.socket.tell(number - 1, {"type": "signal", "data": "older"})
    server.tell("signal", data="two")
    await diary.sees("signal", times=2)
    await settle()
    assert [e.data for e in diary.events if e.type == "signal"] == ["one", "two"]  # type: ignore[attr-defined]
    await session.disconnect()


async def test_a_second_cut_uses_the_new_key(session: Session, server: FakeSignallingServer, diary: Diary) -> None:
    await session.connect("token")
    server.cut()
    await diary.sees("sessionReconnected")
    server.cut()
    await diary.sees("sessionReconnected", times=2)
    keys = [frame[2]["resumeKey"] for frame in server.of_type("resume")]
    assert keys[0] == "first key"
    assert keys[1] != "first key"
    await session.disconnect()


async def test_a_network_that_stays_away_ends_the_connection_when_the_window_is_over(
    session: Session, server: FakeSignallingServer, diary: Diary, loop: VirtualTimeLoop
) -> None:
    await session.connect("token")
    asking = asyncio.create_task(session.signal("lost"))
    server.reachable = False
    server.cut()
    lost_at = loop.time()
    event = await diary.sees("sessionDisconnected")
    assert event.reason is DisconnectReason.NETWORK_DISCONNECTED
    assert loop.time() - lost_at == pytest.approx(60)
    tries = server.dialled[1:]
    assert tries[0] == lost_at
    assert 12 <= len(tries) <= 40
    assert max(later - earlier for earlier, later in itertools.pairwise(tries)) <= 5.001
    await asyncio.gather(asking, return_exceptions=True)
    server.reachable = True
    await session.connect("token")
    await session.disconnect()


async def test_a_silent_server_is_a_lost_network_after_two_heartbeats(
    session: Session, server: FakeSignallingServer, diary: Diary, loop: VirtualTimeLoop
) -> None:
    await session.connect("token")
    await settle()
    quiet_since = loop.time()
    await diary.sees("sessionReconnecting")
    assert loop.time() - quiet_since == pytest.approx(20)
    await diary.sees("sessionReconnected")
    assert [socket.open for socket in server.sockets] == [False, True]
    await session.disconnect()


async def test_a_resumption_without_an_answer_is_tried_again(
    session: Session, server: FakeSignallingServer, diary: Diary, loop: VirtualTimeLoop
) -> None:
    await session.connect("token")
    server.accepts = False
    server.cut()
    await server.has("resume")
    await server.has("resume", times=2)
    server.accepts = True
    await diary.sees("sessionReconnected")
    await session.disconnect()


async def test_a_refused_resumption_ends_the_connection(
    session: Session, server: FakeSignallingServer, diary: Diary
) -> None:
    await session.connect("token")
    server.refusal = {"name": "OT_AUTHENTICATION_ERROR", "code": 1004, "message": "The resume key is not valid."}
    server.cut()
    assert (await diary.sees("sessionDisconnected")).reason == "networkDisconnected"
    assert len(server.of_type("resume")) == 1


async def test_a_server_that_cannot_take_the_client_now_is_asked_again(
    session: Session, server: FakeSignallingServer, diary: Diary
) -> None:
    await session.connect("token")
    server.refusal = {"name": "OT_CONNECT_FAILED", "code": 1006, "message": "Starting."}
    server.cut(1012)
    await server.has("resume", times=2)
    server.refusal = None
    await diary.sees("sessionReconnected")
    await session.disconnect()


async def test_a_connection_that_resumed_elsewhere_is_over_here(
    session: Session, server: FakeSignallingServer, diary: Diary
) -> None:
    await session.connect("token")
    server.cut(4002)
    assert (await diary.sees("sessionDisconnected")).reason == "networkDisconnected"
    assert server.of_type("resume") == []


async def test_leaving_during_a_cut_ends_at_once(
    session: Session, server: FakeSignallingServer, diary: Diary, loop: VirtualTimeLoop
) -> None:
    await session.connect("token")
    server.reachable = False
    server.cut()
    await diary.sees("sessionReconnecting")
    before = loop.time()
    await session.disconnect()
    assert loop.time() == before
    assert (await diary.sees("sessionDisconnected")).reason == "clientDisconnected"


async def test_a_snapshot_is_told_as_what_changed(session: Session, server: FakeSignallingServer, diary: Diary) -> None:
    server.others, server.streams = [IDA], [DESK]
    await session.connect("token")
    await diary.sees("streamCreated")
    eva = {"id": "44444444-0000-4000-8000-000000000000", "creationTime": 900, "data": "Eva"}
    own = server.own
    server.snapshot = {"connections": [own, eva], "streams": [], "number": 5_000}
    server.cut()
    await diary.sees("connectionCreated", times=3)
    assert diary.types[-4:] == ["sessionReconnected", "streamDestroyed", "connectionDestroyed", "connectionCreated"]
    assert [c.data for c in session.connections] == ["own", "Eva"]
    server.socket.tell(4_999, {"type": "signal", "data": "before the snapshot"})
    server.socket.tell(5_001, {"type": "signal", "data": "after it"})
    assert (await diary.sees("signal")).data == "after it"
    await session.disconnect()

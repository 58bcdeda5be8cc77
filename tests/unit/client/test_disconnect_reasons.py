"""Every reason for which a connection ends, with handlers of `sessionDisconnected` that raise."""

from __future__ import annotations

import asyncio

import pytest

from tertulia.client import DisconnectReason, Session, SessionDisconnectEvent
from tests.fakes.signalling_server import FakeSignallingServer
from tests.unit.client.conftest import Diary
from tests.unit.client.virtual_time import VirtualTimeLoop


async def end(session: Session, server: FakeSignallingServer, reason: DisconnectReason) -> None:
    """Ends the connection for this reason."""
    match reason:
        case DisconnectReason.CLIENT_DISCONNECTED:
            await session.disconnect()
        case DisconnectReason.FORCE_DISCONNECTED:
            server.notify("disconnected", reason=reason.value)
        case DisconnectReason.NETWORK_DISCONNECTED:
            server.reachable = False
            server.cut()


@pytest.mark.parametrize("later", [False, True], ids=["at once", "later"])
@pytest.mark.parametrize("prevents", [False, True], ids=["as it is", "prevented"])
@pytest.mark.parametrize("reason", DisconnectReason)
async def test_a_handler_that_raises_is_reported_and_changes_nothing_about_the_end(
    session: Session,
    server: FakeSignallingServer,
    diary: Diary,
    loop: VirtualTimeLoop,
    caplog: pytest.LogCaptureFixture,
    reason: DisconnectReason,
    prevents: bool,
    later: bool,
) -> None:
    server.reconnect_window_s = 1.0
    heard: list[tuple[DisconnectReason, bool]] = []

    def broken(event: SessionDisconnectEvent) -> None:
        if prevents:
            event.prevent_default()
        raise LookupError(f"broken on {event.reason}")

    async def broken_later(event: SessionDisconnectEvent) -> None:
        await asyncio.sleep(1)
        broken(event)

    session.on(SessionDisconnectEvent, broken_later if later else broken)
    session.on(SessionDisconnectEvent, lambda event: heard.append((event.reason, event.is_default_prevented())))
    iterator = session.events()
    await session.connect("token")
    await end(session, server, reason)
    event = await diary.sees("sessionDisconnected")
    assert [told.type async for told in iterator][-1] == "sessionDisconnected"
    assert (event.reason, event.target) == (reason, session)
    assert heard == [(reason, prevents)]
    assert diary.types.count("sessionDisconnected") == 1
    assert [str(problem["exception"]) for problem in loop.problems] == [f"broken on {reason}"]
    assert "a handler of sessionDisconnected raised" in caplog.text
    assert not session.connected
    loop.problems.clear()
    server.reachable = True
    await session.connect("token")
    session.off(SessionDisconnectEvent)
    await session.disconnect()

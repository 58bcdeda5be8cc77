"""The inbox of a session."""

import asyncio

from tertulia.services.inbox import Inbox, Stop, Wake
from tests.fakes.house import settle


async def test_everything_is_taken_at_once_and_in_order() -> None:
    inbox = Inbox(10)
    wake, stop = Wake(), Stop()
    inbox.post(wake)
    await inbox.put(stop)
    assert await inbox.take() == [wake, stop]
    assert len(inbox) == 0


async def test_taking_waits_for_something() -> None:
    inbox = Inbox(10)
    taking = asyncio.create_task(inbox.take())
    await settle()
    assert not taking.done()
    inbox.post(Wake())
    assert await taking == [Wake()]


async def test_a_full_inbox_makes_clients_wait_but_not_the_program() -> None:
    inbox = Inbox(2)
    inbox.post(Wake())
    inbox.post(Wake())
    putting = asyncio.create_task(inbox.put(Stop()))
    await settle()
    assert not putting.done()
    inbox.post(Wake())
    assert len(await inbox.take()) == 3
    await putting
    assert await inbox.take() == [Stop()]

"""What sessions put into the outbox: in the commit that makes it true, with the reasons that the clients saw."""

import json

import pytest

from tertulia.domain.roles import Role
from tertulia.wire import signalling
from tests.fakes.house import House, settle
from tests.fakes.store import MemoryStore


def reports(store: MemoryStore) -> list[tuple[str, str | None]]:
    """Every report so far, in order, with its reason."""
    entries = [json.loads(entry.body) for batch in store.batches for entry in batch.reports]
    return [(entry["event"], entry.get("reason")) for entry in entries]


async def test_the_life_of_a_session_is_reported(house: House, store: MemoryStore) -> None:
    ana, ben = await house.join(), await house.join(Role.MODERATOR)
    await ana.publish()
    await ben.ask(signalling.ForceDisconnect(ana.id))
    await ben.send(signalling.Leave())
    await settle()
    assert reports(store) == [
        ("sessionCreated", None),
        ("connectionCreated", None),
        ("connectionCreated", None),
        ("streamCreated", None),
        ("streamDestroyed", "forceDisconnected"),
        ("connectionDestroyed", "forceDisconnected"),
        ("connectionDestroyed", "clientDisconnected"),
        ("sessionDestroyed", None),
    ]


async def test_each_report_is_stored_with_the_fact_that_it_reports(house: House, store: MemoryStore) -> None:
    ana = await house.join()
    await ana.publish()
    for batch in store.batches:
        bodies = " ".join(row.body for row in batch.log)
        for entry in batch.reports:
            if entry.group != "session":
                assert json.loads(entry.body)[entry.group]["id"] in bodies
    assert house.reported >= 2


async def test_a_lost_network_is_reported_when_its_window_ends(house: House, store: MemoryStore) -> None:
    ana = await house.join()
    await ana.lose()
    assert reports(store)[-1] == ("connectionCreated", None)
    await house.pass_time(60)
    assert reports(store)[-2:] == [("connectionDestroyed", "networkDisconnected"), ("sessionDestroyed", None)]


async def test_a_control_that_takes_over_reports_what_ends_then(house: House, store: MemoryStore) -> None:
    ana = await house.join()
    stream = await ana.publish()
    successor = await house.killed()
    await successor.pass_time(120)
    assert reports(store)[-3:] == [
        ("streamDestroyed", "networkDisconnected"),
        ("connectionDestroyed", "networkDisconnected"),
        ("sessionDestroyed", None),
    ]
    ending = next(entry for batch in store.batches for entry in batch.reports if entry.name == "streamDestroyed")
    assert json.loads(ending.body)["stream"]["id"] == stream.id
    await successor.sessions.close()


async def test_what_could_not_be_stored_is_not_reported(house: House, store: MemoryStore) -> None:
    ana = await house.join()
    before = reports(store)
    store.failing = True
    await ana.send(signalling.Leave())
    store.failing = False
    assert reports(store) == before
    await house.pass_time(120)
    assert [name for name, _ in reports(store)].count("connectionDestroyed") == 1


@pytest.mark.parametrize("count", [1, 3])
async def test_signals_are_not_reported(house: House, store: MemoryStore, count: int) -> None:
    ana = await house.join()
    before = reports(store)
    for _ in range(count):
        await ana.ask(signalling.SendSignal(signal_type="chat", data="hello"))
    assert reports(store) == before

"""Pages of both generations and a Python program in one session: each is told the same, in its own words."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from tertulia import ConnectionEvent, Session, StreamEvent
from tests.e2e.person import Era, Person
from tests.e2e.programs import Programs
from tests.proxy import Proxy
from tests.servers import TertuliaServer

Arrive = Callable[..., Person]
Fact = tuple[str, str, str | None]
DEADLINE_S = 60
TYPES = ("connectionCreated", "connectionDestroyed", "streamCreated", "streamDestroyed")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TertuliaServer]:
    """A server that waits 3 s for a client that has lost its network, and 1 s more before it tells the others."""
    waits = {"HEARTBEAT_S": "2", "RECONNECT_WINDOW_S": "3", "RECONNECT_GRACE_S": "1"}
    settings = {f"TERTULIA_SESSIONS_{name}": value for name, value in waits.items()}
    with TertuliaServer(tmp_path_factory.mktemp("mixed"), settings=settings) as running:
        yield running


@pytest.fixture
def told(programs: Programs, server: TertuliaServer, session_id: str) -> Iterator[list[Fact]]:
    """What a Python program in the session is told."""
    facts: list[Fact] = []
    session = Session(server.api_key, session_id, server=server.url)

    def note(event: ConnectionEvent | StreamEvent) -> None:
        if isinstance(event, StreamEvent):
            facts.append((event.type, event.stream.stream_id, event.reason))
        else:
            facts.append((event.type, event.connection.connection_id, event.reason))

    for type in TYPES:
        session.on(type, note)
    programs.run(session.connect(server.token(session_id, data="program")))
    yield facts
    programs.run(session.__aexit__(None, None, None))


def facts(person: Person) -> list[Fact]:
    """What a page of either generation was told, in the program's form."""
    seen = [entry for entry in person.log() if entry["source"] == "session" and entry["type"] in TYPES]
    return [(e["type"], (e["streams"] or e["connections"])[0], e.get("reason")) for e in seen]


@pytest.mark.timeout(240)  # nine clients in a row, and the wait for one that is lost
def test_everybody_sees_the_same_facts_in_the_same_order(
    arrive: Arrive, told: list[Fact], server: TertuliaServer
) -> None:
    """Clients of each kind come, publish, are stopped, leave, are removed and lose their network."""
    moderator = arrive(Era.V1, role="moderator", subscribe_to_all=False)
    watchers = [
        moderator,
        arrive(Era.V091, subscribe_to_all=False),
        arrive(Era.V2_0, subscribe_to_all=False),
        arrive(Era.V2, subscribe_to_all=False),
    ]
    expected: list[Fact] = []

    def comes(person: Person) -> tuple[str, str]:
        """The person has come and publishes."""
        stream = person.publish_colour("teal")
        expected.extend([("connectionCreated", person.connection_id, None), ("streamCreated", stream, None)])
        return person.connection_id, stream

    def goes(connection_id: str, stream: str, reason: str) -> None:
        expected.extend([("streamDestroyed", stream, reason), ("connectionDestroyed", connection_id, reason)])
        moderator.sees("connectionDestroyed", connections=[connection_id])

    for era in (Era.V1, Era.V2):
        leaves = arrive(era, subscribe_to_all=False)
        connection, stream = comes(leaves)
        moderator.page.evaluate("id => { person.session.forceUnpublish(id) }", stream)
        expected.append(("streamDestroyed", stream, "forceUnpublished"))
        moderator.sees("streamDestroyed", streams=[stream])
        leaves.page.evaluate("() => { person.session.disconnect() }")
        leaves.sees("sessionDisconnected", reason="clientDisconnected")
        expected.append(("connectionDestroyed", connection, "clientDisconnected"))
        moderator.sees("connectionDestroyed", connections=[connection])

        removed = arrive(era, subscribe_to_all=False)
        who = comes(removed)
        moderator.page.evaluate("id => { person.session.forceDisconnect(id) }", who[0])
        removed.sees("sessionDisconnected", reason="forceDisconnected")
        goes(*who, "forceDisconnected")

    with Proxy(int(server.url.rpartition(":")[2])) as proxy:
        lost = arrive(Era.V1, subscribe_to_all=False, server_url=proxy.url)
        who = comes(lost)
        proxy.freeze()
        event = lost.sees("sessionDisconnected", reason="networkDisconnected")
        assert event["state"] == {"connected": False, "elements": 1}
        lost.wait("() => document.querySelectorAll('.OT_root').length === 0")
        assert [type for type, _, _ in facts(lost)] == ["streamCreated"], "its own stream is not told apart"
        goes(*who, "networkDisconnected")

    actors = {id for _, id, _ in expected}
    end = time.monotonic() + DEADLINE_S
    while [fact for fact in told if fact[1] in actors] != expected and time.monotonic() < end:
        watchers[-1].page.wait_for_timeout(50)
    assert [fact for fact in told if fact[1] in actors] == expected
    for watcher in watchers:
        watcher.sees("connectionDestroyed", connections=[who[0]])
        assert [fact for fact in facts(watcher) if fact[1] in actors] == expected, watcher.era

"""The network between clients and the server is cut, in silence and both ways, while people talk."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Playwright

from tests.e2e.far import FarBrowser, clock, events_since, go_on, publish_small
from tests.e2e.person import Person
from tests.member import FarMember
from tests.network import Client, DistantServer, Network, missing

WHY_NOT = missing()
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))

TALK_MS = 150
"""Between two signals of one person: below the limit of signals, and more than a hundred in the longest cut."""
WINDOW_S = 60


@dataclass
class Cut:
    """A person who is cut off for `seconds`. `mirror` is the own stream, which comes back from the server."""

    seconds: float
    client: Client
    ann: Person
    mirror: str
    id: str
    began_at: float = 0.0

    @property
    def healed_at(self) -> float:
        """On the page's own clock, in ms."""
        return self.began_at + self.seconds * 1000


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.timeout(300)
def test_calls_survive_cuts_of_5_15_and_55_s_and_end_beyond_the_window(
    stack: ExitStack, playwright: Playwright, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    network = stack.enter_context(Network())
    near = network.client()

    def arrive(seconds: float, server: DistantServer, session_id: str) -> Cut:
        client = network.client()
        ann = FarBrowser(stack, playwright, client, tmp_path).arrive(server, session_id)
        mirror = publish_small(ann)
        ann.page.evaluate("() => { person.subscribe(person.publisher.stream) }")
        ann.watches(mirror)
        return Cut(seconds, client, ann, mirror, ann.connection_id)

    server, hasty = (
        stack.enter_context(DistantServer(network.server, tmp_path / str(port), port, **sessions))
        for port, sessions in ((8080, {}), (9080, {"reconnect_window_s": 3, "reconnect_grace_s": 1, "heartbeat_s": 2}))
    )
    session_id, short = server.create_session(), hasty.create_session()
    ben = stack.enter_context(FarMember(near, server, session_id))
    witness = stack.enter_context(FarMember(near, hasty, short))
    cuts = [arrive(seconds, server, session_id) for seconds in (5, 15, 55)]
    lost = arrive(0, hasty, short)

    ben.start_talking(TALK_MS / 1000)
    for cut in cuts:
        cut.ann.page.evaluate("pause => { person.talk(pause) }", TALK_MS)
    for cut in (*cuts, lost):
        cut.began_at = clock(cut.ann)
    network.cut(*(cut.client for cut in cuts), lost.client)
    for cut in cuts:
        heal = threading.Timer(cut.seconds, network.heal, [cut.client])
        heal.start()
        stack.callback(heal.join)
        stack.callback(heal.cancel)

    _expect_the_end(lost, witness)
    said = {}
    for cut in cuts:
        _expect_recovery(cut, figure)
        said[cut.id] = cut.ann.page.evaluate("() => person.hush()")
        assert said[cut.id] >= cut.seconds * 1000 / TALK_MS / 2
        if cut.seconds == 15:
            _change_the_scene(cuts, stack.enter_context(FarMember(near, server, session_id)))
    _expect_what_was_missed(cuts)

    said[ben.member.id] = ben.stop_talking()
    expected = {sender: list(range(count)) for sender, count in said.items()}
    ben.until(lambda: {id: len(heard) for id, heard in ben.member.heard.items()} == said)
    assert ben.member.heard == expected
    for cut in cuts[1:]:
        cut.ann.wait(
            "said => Object.entries(said).every(([id, count]) => (person.spoken[id] || []).length >= count)", said
        )
        assert cut.ann.page.evaluate("() => person.spoken") == expected
        assert cut.ann.page.evaluate("() => person.errors") == []
    # Nobody who came back had ever left.
    assert [id for type, id, _ in ben.member.ends if type == "connectionDestroyed"] == [cuts[0].id]


def _expect_recovery(cut: Cut, figure: Callable[[str], None]) -> None:
    """One pause, told once; then pictures that have gone up to the server and come down again."""
    cut.ann.wait("() => person.log.some(e => e.type === 'sessionReconnected')", deadline_s=WINDOW_S + 15)
    assert cut.ann.connection_id == cut.id
    go_on(cut.ann, cut.mirror)
    told = [(type, at) for type, at in events_since(cut.ann, cut.began_at) if type.startswith("session")]
    assert [type for type, _ in told] == ["sessionReconnecting", "sessionReconnected"]
    (_, noticed), (_, resumed) = told
    assert noticed < 5000 or cut.seconds > 5
    assert cut.ann.count("publisher", "streamDestroyed") == 0
    assert cut.ann.count(f"subscriber:{cut.mirror}", "destroyed") == 0
    after = resumed / 1000 - cut.seconds
    figure(f"cut of {cut.seconds} s: noticed after {noticed / 1000:.2f} s, resumed {after:.2f} s after its end")


def _change_the_scene(cuts: list[Cut], visitor: FarMember) -> None:
    """While the last is still away: one has left, another sends a new stream, and a visitor has come."""
    left, stayed, _ = cuts
    visitor.until(lambda: visitor.member.session.connected)
    left.ann.disconnect()
    stayed.ann.sees("connectionDestroyed", reason="clientDisconnected")
    stayed.ann.page.evaluate("() => { person.session.unpublish(person.publisher) }")
    stayed.ann.sees("streamDestroyed", source="publisher")
    publish_small(stayed.ann)


def _expect_what_was_missed(cuts: list[Cut]) -> None:
    """As ordinary events, in the order in which it happened, after the reconnection was told."""
    left, stayed, away = cuts
    missed = [
        (e["type"], e["reason"], e["connections"] or e["streams"])
        for e in away.ann.log()
        if e["source"] == "session" and e["at"] > away.healed_at and not e["type"].startswith("signal")
    ]
    published = stayed.ann.page.evaluate("() => person.publisher.stream.streamId")
    (visitor,) = [e[2] for e in missed if e[0] == "connectionCreated"]
    assert missed == [
        ("sessionReconnected", None, []),
        ("connectionCreated", None, visitor),
        ("streamDestroyed", "clientDisconnected", [left.mirror]),
        ("connectionDestroyed", "clientDisconnected", [left.id]),
        ("streamDestroyed", "clientDisconnected", [stayed.mirror]),
        ("streamCreated", None, [published]),
    ]
    for ended in (left.mirror, stayed.mirror):
        assert away.ann.count(f"subscriber:{ended}", "destroyed") == 1
    away.ann.watches(published)


def _expect_the_end(lost: Cut, witness: FarMember) -> None:
    """Beyond the window both sides are told, for the same reason: first the stream, then the connection."""
    lost.ann.sees("sessionDisconnected", reason="networkDisconnected")
    told = [type for type, _ in events_since(lost.ann, lost.began_at) if type.startswith("session")]
    assert told == ["sessionReconnecting", "sessionDisconnected"]
    assert lost.ann.elements(".OT_root") == 0
    witness.until(lambda: bool(witness.member.times("connectionDestroyed")))
    assert witness.member.ends == [
        ("streamDestroyed", lost.mirror, "networkDisconnected"),
        ("connectionDestroyed", lost.id, "networkDisconnected"),
    ]

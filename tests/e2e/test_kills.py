"""Control is killed in mid-call: the call goes on under the same objects."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.e2e.person import Era, Person
from tests.servers import PageServer, TertuliaServer


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[TertuliaServer]:
    """A server of the test's own: its processes are killed."""
    with TertuliaServer(tmp_path) as running:
        yield running


@pytest.fixture
def call(
    own_server: TertuliaServer, pages: PageServer, chromium: Browser
) -> Iterator[Callable[[], tuple[Person, Person, str]]]:
    """Two people in a call; gives both and the stream that the second watches."""
    contexts = []

    def call() -> tuple[Person, Person, str]:
        session_id = own_server.create_session()
        people = []
        for _ in range(2):
            contexts.append(chromium.new_context())
            page = contexts[-1].new_page()
            page.goto(pages.person_page(own_server.url, Era.V2))
            person = Person(page, Era.V2)
            person.prepare(own_server, session_id, role="publisher", data="", subscribe_to_all=True)
            person.connect()
            person.sees("sessionConnected")
            people.append(person)
        ann, bob = people
        stream = ann.publish()
        bob.watches(stream)
        return ann, bob, stream

    yield call
    for context in contexts:
        context.close()


def go_on(bob: Person, stream: str) -> None:
    """Waits for new pictures of the stream in the element that showed it before."""
    before = bob.page.evaluate("id => person.subscriberFrames(id)", stream)
    bob.wait("([id, before]) => person.subscriberFrames(id) > before + 10", [stream, before])


def test_control_is_killed(own_server: TertuliaServer, call: Callable[[], tuple[Person, Person, str]]) -> None:
    ann, bob, stream = call()
    ids = [ann.connection_id, bob.connection_id]
    os.kill(own_server.facts["pids"]["control"], signal.SIGKILL)
    for person in (ann, bob):
        person.sees("sessionReconnected")
    go_on(bob, stream)
    ann.page.evaluate("() => { person.session.signal({ type: 'chat', data: 'still here' }) }")
    bob.sees("signal:chat", data="still here")
    assert [ann.connection_id, bob.connection_id] == ids
    assert bob.count(f"subscriber:{stream}", "disconnected") == 0
    assert bob.count("session", "streamDestroyed") == 0

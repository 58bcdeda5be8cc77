"""Control, router, both and the supervisor are killed in mid-call: the call goes on under the same objects."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.e2e.bidi import Firefox
from tests.e2e.person import Era, Person
from tests.servers import PageServer, TertuliaServer

SIGNALS = 60


@dataclass
class Call:
    """Ann publishes; Bob watches in Chromium, Cleo in Firefox."""

    server: TertuliaServer
    ann: Person
    bob: Person
    cleo: Person
    stream: str

    @property
    def people(self) -> tuple[Person, Person, Person]:
        return self.ann, self.bob, self.cleo

    @property
    def watchers(self) -> tuple[Person, Person]:
        return self.bob, self.cleo

    def kill(self, *names: str) -> None:
        known = self.server.pids()
        for name in names:
            os.kill(known[name], signal.SIGKILL)

    def begin(self) -> dict[str, Any]:
        """Starts to watch for gaps; returns what must be the same afterwards."""
        for watcher in self.watchers:
            watcher.page.evaluate("id => { person.longestGap(id) }", self.stream)
        return {
            "ids": [person.connection_id for person in self.people],
            "logs": [len(person.log()) for person in self.people],
        }

    def wait_for_pictures(self) -> None:
        """Waits until both watchers see new pictures in the element that showed the stream before."""
        for watcher in self.watchers:
            before = watcher.page.evaluate("id => person.subscriberFrames(id)", self.stream)
            watcher.wait("([id, before]) => person.subscriberFrames(id) > before + 15", [self.stream, before])

    def longest_gap_s(self) -> float:
        """The longest time without a new picture, of either watcher, since the last call or `begin`."""
        gaps: list[float] = []
        for watcher in self.watchers:
            gaps.append(watcher.page.evaluate("id => person.longestGap(id)", self.stream) / 1000)
            watcher.page.evaluate("id => { delete person.gaps[id] }", self.stream)
        return max(gaps)

    def told_since(self, begun: dict[str, Any]) -> list[list[str]]:
        """Names of the events that each application was told since `begin`, with their source if not the session."""
        return [
            [
                entry["type"]
                if entry["source"] == "session"
                else f"{entry['source'].partition(':')[0]} {entry['type']}"
                for entry in person.log()[had:]
                if not entry["type"].startswith("signal")
            ]
            for person, had in zip(self.people, begun["logs"], strict=True)
        ]


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory, pages: PageServer, chromium: Browser) -> Iterator[Call]:
    """One call for all tests here, on a server whose processes may be killed."""
    with contextlib.ExitStack() as open_parts:
        server = open_parts.enter_context(TertuliaServer(tmp_path_factory.mktemp("kills")))
        session_id = server.create_session()

        def arrive(page: Any) -> Person:
            page.goto(pages.person_page(server.url, Era.V2))
            person = Person(page, Era.V2)
            person.prepare(server, session_id, role="publisher", data="", subscribe_to_all=True)
            page.evaluate(
                "() => { person.heard = []; person.session.on('signal', e => { person.heard.push(e.data) }) }"
            )
            person.connect()
            person.sees("sessionConnected")
            return person

        def chromium_page() -> Any:
            context = chromium.new_context()
            open_parts.callback(context.close)
            return context.new_page()

        ann, bob = arrive(chromium_page()), arrive(chromium_page())
        cleo = arrive(open_parts.enter_context(Firefox(tmp_path_factory.mktemp("firefox"))))
        stream = ann.publish()
        for watcher in (bob, cleo):
            watcher.watches(stream)
        yield Call(server, ann, bob, cleo, stream)


def send_signals_around(call: Call, kill: tuple[str, ...], word: str) -> None:
    """Ann sends signals one after the other, and `kill` happens among them."""
    send = (
        "([word, from, to]) => { for (let n = from; n < to; n += 1)"
        " person.session.signal({ type: 'chat', data: `${word} ${n}` }) }"
    )
    call.ann.page.evaluate(send, [word, 0, SIGNALS // 2])
    call.kill(*kill)
    call.ann.page.evaluate(send, [word, SIGNALS // 2, SIGNALS])


def signals_of(person: Person, word: str) -> list[str]:
    heard: list[str] = person.page.evaluate("() => person.heard")
    return [data for data in heard if data.startswith(f"{word} ")]


def test_control_is_killed_and_no_picture_is_late(call: Call) -> None:
    begun = call.begin()

    send_signals_around(call, ("control",), "control")

    for person in call.people:
        person.wait("had => person.log.slice(had).some(e => e.type === 'sessionReconnected')", begun["logs"][0])
        person.sees("signal:chat", data=f"control {SIGNALS - 1}")
    call.wait_for_pictures()
    # One gap of a picture is 33 ms; this leaves room for a machine that has other things to do.
    assert call.longest_gap_s() < 1.0
    assert [person.connection_id for person in call.people] == begun["ids"]
    assert call.told_since(begun) == [["sessionReconnecting", "sessionReconnected"]] * 3
    for person in call.people:
        assert signals_of(person, "control") == [f"control {n}" for n in range(SIGNALS)]


def test_the_router_is_killed_and_the_application_is_told_nothing(call: Call) -> None:
    begun = call.begin()

    call.kill("router")

    call.wait_for_pictures()
    assert call.longest_gap_s() < 3.0
    assert call.told_since(begun) == [[], [], []]


def test_both_are_killed(call: Call) -> None:
    begun = call.begin()

    send_signals_around(call, ("router", "control"), "both")

    for person in call.people:
        person.sees("signal:chat", data=f"both {SIGNALS - 1}")
    call.wait_for_pictures()
    assert call.longest_gap_s() < 8.0
    assert [person.connection_id for person in call.people] == begun["ids"]
    told = call.told_since(begun)
    assert [[event for event in of_one if "Reconnect" in event] for of_one in told] == [
        ["sessionReconnecting", "sessionReconnected"]
    ] * 3
    for person in call.people:
        assert signals_of(person, "both") == [f"both {n}" for n in range(SIGNALS)]


def test_the_supervisor_is_killed_and_the_next_one_keeps_the_call(call: Call) -> None:
    begun = call.begin()
    before = call.server.pids()

    os.kill(call.server.facts["pids"]["supervisor"], signal.SIGKILL)
    call.wait_for_pictures()
    with TertuliaServer(call.server.folder) as again:
        assert again.url == call.server.url
        assert again.pids() == before
        call.wait_for_pictures()
        assert call.longest_gap_s() < 1.0
        assert call.told_since(begun) == [[], [], []]

        call.kill("control")

        for person, had in zip(call.people, begun["logs"], strict=True):
            person.wait("had => person.log.slice(had).some(e => e.type === 'sessionReconnected')", had)
        call.wait_for_pictures()
        assert [person.connection_id for person in call.people] == begun["ids"]

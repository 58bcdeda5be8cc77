"""Who may come into a session and how long they may stay there, as a page sees it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.e2e.person import Era, Person
from tests.servers import PageServer, TertuliaServer


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TertuliaServer]:
    """A server with room for two in a session, where nobody may be idle for longer than a second."""
    settings = {"TERTULIA_SESSIONS_MEDIA_IDLE_S": "1", "TERTULIA_SESSIONS_CONNECTIONS": "2"}
    folder: Path = tmp_path_factory.mktemp("strict")
    with TertuliaServer(folder, settings=settings) as running:
        yield running


@pytest.fixture
def person(strict: TertuliaServer, pages: PageServer, chromium: Browser) -> Iterator[Person]:
    context = chromium.new_context()
    page = context.new_page()
    page.goto(pages.person_page(strict.url, Era.V2))
    yield Person(page, Era.V2)
    context.close()


def test_who_does_nothing_is_disconnected_and_told_why(strict: TertuliaServer, person: Person) -> None:
    person.prepare(strict, strict.create_session(), role="publisher", data="", subscribe_to_all=True)
    person.connect()
    person.sees("sessionDisconnected", reason="mediaIdle")


def test_a_full_session_refuses_the_next_with_1027(strict: TertuliaServer, person: Person) -> None:
    session_id = strict.create_session()
    token = strict.token(session_id)
    codes = person.page.evaluate(
        """async ([key, id, token]) => {
            // Three clients of one page: each object is a connection of its own.
            const sessions = [OT.initSession(key, id)];
            for (const frame of [0, 1].map(() => document.body.appendChild(document.createElement('iframe')))) {
                const script = frame.contentDocument.createElement('script');
                script.src = document.querySelector('script').src;
                const loaded = new Promise((resolve) => { script.onload = resolve; });
                frame.contentDocument.head.append(script);
                await loaded;
                sessions.push(frame.contentWindow.OT.initSession(key, id));
            }
            const connect = (session) => session.connect.promise(token).then(() => 0, (error) => error.code);
            return (await Promise.all(sessions.map(connect))).sort();
        }""",
        [strict.api_key, session_id, token],
    )
    assert codes == [0, 0, 1027]

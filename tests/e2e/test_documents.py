"""The browser examples of the documents, run as printed beside another person in the session."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.docs.examples import Example, examples
from tests.e2e.person import Person
from tests.servers import PageServer, TertuliaServer

DEADLINE_MS = 15_000
PAGES = examples(language="html")


@pytest.fixture
def run(
    server: TertuliaServer, pages: PageServer, chromium: Browser, session_id: str
) -> Callable[[Example, str], Page]:
    """Opens an example as a page of its own with the reader's key, session and a token of that role."""

    def run(example: Example, role: str) -> Page:
        text = example.filled(
            server=server.url, api_key=server.api_key, session_id=session_id, token=server.token(session_id, role)
        )
        page = chromium.new_page()
        page.goto(pages.serve(f"/example-{example.line}.html", text))
        return page

    return run


def keeps(example: Example) -> bool:
    return "preventDefault" in example.text


@pytest.mark.parametrize("example", PAGES, ids=str)
@pytest.mark.parametrize("cause", ["leave", "kick"])
def test_an_example_says_why_the_connection_ended(
    run: Callable[[Example, str], Page], arrive: Callable[..., Person], example: Example, cause: str
) -> None:
    moderator = arrive(role="moderator")
    stream = moderator.publish()
    page = run(example, "publisher")
    try:
        expect(page.locator("#leave")).to_be_enabled(timeout=DEADLINE_MS)
        theirs = moderator.sees("streamCreated")
        moderator.watches(theirs["streams"][0])
        page.wait_for_function(
            "() => [...document.querySelectorAll('#others video')]"
            ".some(video => video.getVideoPlaybackQuality().totalVideoFrames > 3)",
            timeout=DEADLINE_MS,
        )
        if cause == "leave":
            page.click("#leave")
            reason = "clientDisconnected"
        else:
            other = moderator.sees("connectionCreated")["connections"][0]
            moderator.page.evaluate("id => { person.session.forceDisconnect(id) }", other)
            reason = "forceDisconnected"
        expect(page.locator("#reason")).to_have_text(reason, timeout=DEADLINE_MS)
        expect(page.locator("#leave")).to_be_disabled()
        moderator.sees("connectionDestroyed", reason=reason)
        expect(page.locator(".OT_subscriber")).to_have_count(0)
        expect(page.locator(".OT_publisher")).to_have_count(1 if keeps(example) else 0)
        if page.locator("#return").count():
            page.click("#return")
            moderator.sees("streamCreated", times=2)
            moderator.watches(moderator.sees("streamCreated", times=2)["streams"][0])
    finally:
        page.close()
    assert stream

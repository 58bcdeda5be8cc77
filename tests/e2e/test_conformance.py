"""The conformance checks: each runs in Chromium, in one page, against a real server.

The checks are JavaScript, in `pages/conformance/`; `contract/conformance.yaml` says which facts of the API they show.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.bidi import Firefox
from tests.servers import PageServer, TertuliaServer

SUITES = Path(__file__).parent / "pages" / "conformance"
CHECK = re.compile(r"^check\('([^']+)'", re.MULTILINE)
FILES = ["suite.js", *sorted(path.name for path in SUITES.glob("*.js") if path.name != "suite.js")]
IDS = [name for file in FILES for name in CHECK.findall((SUITES / file).read_text(encoding="utf-8"))]
SCRIPT = "/v2/js/opentok.min.js"


SILENT = "Firefox starts no AudioContext on a machine without sound, so that the check has no sound of its own"
FIXED = "Firefox's fake camera has one size"
UNTOLD = "In Firefox a track that a script has stopped tells no listener that it ended"
FIREFOX_SKIPS = {
    "audio-output": "Firefox lists no audio outputs until the user has chosen one in its own dialogue",
    "media-processor-support": "Firefox has no MediaStreamTrackProcessor in pages",
    "publisher-defaults": "Firefox's fake microphone has no audio processing to report",
    "publisher-capture-options": f"Firefox has no content hints, and {FIXED}",
    "publisher-cycle-video": "Firefox has one fake camera",
    "publisher-audio-source": SILENT,
    "publisher-audio-level": SILENT,
    "publisher-processors": SILENT,
    "subscriber-audio-level": SILENT,
    "publisher-dimensions": FIXED,
    "subscriber-dimensions": FIXED,
    "quality-events": FIXED,
    "publisher-unplugged-microphone": UNTOLD,
    "publisher-unplugged-camera": UNTOLD,
    "audio-acquisition": "In Firefox a track tells nobody of what a script dispatches, and its microphone stays on",
    "screen-sharing": "Firefox shares a screen only after a gesture of the user's and has no fake screen",
}
"""Checks that are not run in Firefox ESR, and why."""


def prepare(server: TertuliaServer, pages: PageServer) -> str:
    """Serves a page with all checks, which can make sessions and tokens; returns its address."""
    head = f'<!doctype html><meta charset="utf-8"><title>checks</title><script src="{server.url}{SCRIPT}"></script>'
    pages.serve("/frame.html", f"{head}<body></body>")
    pages.answer("/make-session", lambda query: server.create_session(e2ee=query.get("e2ee") == "true"))
    pages.answer("/make-token", lambda query: make_token(server, query))
    scripts = "".join(f'<script src="/conformance/{file}"></script>' for file in FILES)
    facts = f"<script>const apiKey = '{server.api_key}', serverUrl = '{server.url}';</script>"
    return pages.serve("/conformance.html", f'{head}{facts}<body><div id="stage"></div>{scripts}</body>')


def make_token(server: TertuliaServer, query: dict[str, str]) -> str:
    expires = int(time.time()) + int(query["expiresIn"])
    return server.token(query["sessionId"], query["role"], query.get("data", ""), expires_at_s=expires)


@pytest.fixture(scope="session")
def chromium_page(server: TertuliaServer, pages: PageServer, chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context()
    page = context.new_page()
    page.goto(prepare(server, pages))
    yield page
    context.close()


@pytest.fixture(scope="session")
def firefox_page(
    server: TertuliaServer, pages: PageServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Firefox]:
    with Firefox(tmp_path_factory.mktemp("firefox-checks")) as browser:
        browser.goto(prepare(server, pages))
        yield browser


@pytest.mark.parametrize("check", IDS)
def test_chromium(chromium_page: Page, check: str) -> None:
    failure = chromium_page.evaluate("id => suite.run(id)", check)
    assert failure is None, failure


@pytest.mark.parametrize("check", IDS)
def test_firefox(firefox_page: Firefox, check: str) -> None:
    if reason := FIREFOX_SKIPS.get(check):
        pytest.skip(reason)
    failure = firefox_page.evaluate("id => suite.run(id)", check)
    assert failure is None, failure

"""The conformance checks: each runs in Chromium, in one page, against a real server.

The checks are JavaScript, in `pages/conformance/`; `contract/conformance.yaml` says which facts of the API they show.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.servers import PageServer, TertuliaServer

SUITES = Path(__file__).parent / "pages" / "conformance"
CHECK = re.compile(r"^check\('([^']+)'", re.MULTILINE)
FILES = ["suite.js", *sorted(path.name for path in SUITES.glob("*.js") if path.name != "suite.js")]
IDS = [name for file in FILES for name in CHECK.findall((SUITES / file).read_text(encoding="utf-8"))]
SCRIPT = "/v2/js/opentok.min.js"


@pytest.fixture(scope="session")
def conformance_page(server: TertuliaServer, pages: PageServer, chromium: Browser) -> Iterator[Page]:
    """A page with all checks, which can make sessions and tokens."""
    head = f'<!doctype html><meta charset="utf-8"><title>checks</title><script src="{server.url}{SCRIPT}"></script>'
    pages.serve("/frame.html", f"{head}<body></body>")
    scripts = "".join(f'<script src="/conformance/{file}"></script>' for file in FILES)
    facts = f"<script>const apiKey = '{server.api_key}', serverUrl = '{server.url}';</script>"
    address = pages.serve("/conformance.html", f'{head}{facts}<body><div id="stage"></div>{scripts}</body>')
    context = chromium.new_context()
    page = context.new_page()
    page.expose_function("makeSession", make_session(server))
    page.expose_function("makeToken", make_token(server))
    page.goto(address)
    yield page
    context.close()


def make_session(server: TertuliaServer) -> Callable[[dict[str, object]], str]:
    return lambda options: server.create_session()


def make_token(server: TertuliaServer) -> Callable[[str, str, str, dict[str, object]], str]:
    def make(session_id: str, role: str, data: str, options: dict[str, object]) -> str:
        expires = int(time.time()) + 3600
        if isinstance(seconds := options.get("expiresIn"), int):
            expires = int(time.time()) + seconds
        return server.token(session_id, role, data, expires_at_s=expires)

    return make


@pytest.mark.parametrize("check", IDS)
def test_chromium(conformance_page: Page, check: str) -> None:
    failure = conformance_page.evaluate("id => suite.run(id)", check)
    assert failure is None, failure

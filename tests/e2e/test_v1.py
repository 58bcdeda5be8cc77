"""Pages of the first generation, as they were written in its time, at every script address that they load.

`pages/v1/` has a page for each area of the API; `contract/conformance.yaml` says which facts its checks show. The pages
of the four addresses run side by side, in one browser against one server.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.e2e.test_conformance import make_token
from tests.servers import PageServer, TertuliaServer

SUITES = Path(__file__).parent / "pages" / "v1"
CHECK = re.compile(r"^check\('([^']+)'", re.MULTILINE)
ADDRESSES = {
    "0.91": "/v0.91/js/TB.min.js",
    "1.0": "/v1.0/js/TB.min.js",
    "1.1": "/v1.1/js/TB.min.js",
    "2.0": "/webrtc/v2.0/js/TB.min.js",
}
SAME_BUILD = "1.0"
"""The address that has the build of another: what belongs to addresses is run there, and the Session."""
SAME_BUILD_AREAS = ("loading", "events", "session")
CHECKS = {
    path.stem: CHECK.findall(path.read_text(encoding="utf-8"))
    for path in sorted(SUITES.glob("*.js"))
    if path.name != "suite.js"
}

ONCE = {"v1-microphone-gain", "v1-microphone-activity", "v1-recorder", "v1-player", "v1-report-issue"}
"""Checks that take long and in which the builds do not differ: they run at one address."""
CASES = [
    (at, check)
    for area, checks in CHECKS.items()
    for check in checks
    for at in ADDRESSES
    if at == "1.1" or (check not in ONCE and (at != SAME_BUILD or area in SAME_BUILD_AREAS))
]


def serve(server: TertuliaServer, pages: PageServer, at: str) -> None:
    """Serves, for one address, a page for each area, and the bare pages that the checks open in frames."""
    script = server.url + ADDRESSES[at]
    begin = '<!doctype html><html><head><meta charset="utf-8"><title>old page</title>'
    library = f'<script src="{script}"></script>'
    facts = (
        f"<script>var at = '{at}', apiKey = '{server.api_key}', script = '{script}', server = '{server.url}';</script>"
    )
    for area in CHECKS:
        keyed = f'<script src="{script}?apikey={server.api_key}"></script>'
        body = '<body onload="loaded = true"><div id="stage"></div>'
        scripts = f'<script src="/v1/suite.js"></script><script src="/v1/{area}.js"></script>'
        pages.serve(f"/v1-{area}-{at}.html", f"{begin}{keyed}{facts}</head>{body}{scripts}</body></html>")
    pages.serve(f"/v1-frame-{at}.html", f"{begin}{library}</head><body></body></html>")
    key = f"var apiKey = '{server.api_key}', told = [];"
    early = f"""<script>{key}
        TB.addEventListener('exception', function (event) {{ told.push(event.type); }});
        TB.addEventListener('envLoaded', function () {{ told.push('envLoaded'); }});
        TB.onLoad(function () {{ told.push('onLoad'); }});
        var publisher = TB.initPublisher(apiKey, 'late', {{ width: 160, height: 120 }});
        var homeless = TB.initPublisher(apiKey, 'nowhere', {{ width: 160, height: 120 }});
        var anywhere = TB.initPublisher(apiKey);
        publisher.addEventListener('loaded', function () {{ told.push('loaded'); }});
        told.push('called');</script>"""
    late = '<body><p><span id="late" class="mine" title="here"></span></p></body></html>'
    pages.serve(f"/v1-early-{at}.html", f"{begin}{library}{early}</head>{late}")
    written = f"""<script>{key}
        document.write('<script src="{script}"><\\/script>');
        document.write('<script>document.write("<div id=\\\\"written\\\\"></div>");'
            + 'var publisher = TB.initPublisher(apiKey, "written");<\\/script>');</script>"""
    pages.serve(f"/v1-written-{at}.html", f"{begin}</head><body>{written}</body></html>")
    first = "<script>var first = TB;</script>"
    pages.serve(f"/v1-twice-{at}.html", f"{begin}{library}{first}{library}</head><body></body></html>")
    other = f'<script src="{server.url}/v2/js/opentok.min.js"></script>'
    pages.serve(f"/v1-mixed-{at}.html", f"{begin}{library}{other}</head><body></body></html>")
    pages.serve(f"/v1-mixed-after-{at}.html", f"{begin}{other}{library}</head><body></body></html>")


class Run:
    """The checks that were selected, run for one area at a time, when the first of its results is asked for."""

    def __init__(self, selected: set[tuple[str, str]], server: TertuliaServer, pages: PageServer, browser: Browser):
        self._selected = selected
        self._server = server
        self._pages = pages
        self._browser = browser
        self._found: dict[tuple[str, str], str | None] = {}

    def failure(self, at: str, check: str) -> str | None:
        """Why the check does not hold at that address; None when it does."""
        if (at, check) not in self._found:
            self._run(*next((area, checks) for area, checks in CHECKS.items() if check in checks))
        return self._found[at, check]

    def _run(self, area: str, checks: list[str]) -> None:
        running = {}
        for at in ADDRESSES:
            wanted = [check for check in checks if (at, check) in self._selected]
            if not wanted:
                continue
            serve(self._server, self._pages, at)
            page = self._browser.new_context().new_page()
            page.goto(self._pages.url + f"/v1-{area}-{at}.html")
            page.evaluate("ids => { window.running = suite.run(ids) }", wanted)
            running[at] = page
        for at, page in running.items():
            for check, failure in page.evaluate("() => window.running").items():
                self._found[at, check] = failure
            page.context.close()


def issue_of(server: TertuliaServer, issue_id: str) -> object:
    """What the operator reads of a report, from a shell."""
    command = [sys.executable, "-m", "tertulia", "issue", "show", issue_id, "--json", "--data", str(server.folder)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def run(request: pytest.FixtureRequest, server: TertuliaServer, pages: PageServer, chromium: Browser) -> Run:
    pages.answer("/make-session", lambda query: server.create_session())
    pages.answer("/make-token", lambda query: make_token(server, query))
    pages.answer("/issue-of", lambda query: issue_of(server, query["id"]))
    items = [item for item in request.session.items if isinstance(item, pytest.Function)]
    mine: list[dict[str, Any]] = [
        item.callspec.params for item in items if item.originalname == "test_chromium" and item.path == request.path
    ]
    return Run({(params["at"], params["check"]) for params in mine}, server, pages, chromium)


@pytest.mark.timeout(300)  # the first test of an area waits for all its checks
@pytest.mark.parametrize(("at", "check"), CASES)
def test_chromium(run: Run, at: str, check: str) -> None:
    failure = run.failure(at, check)
    assert failure is None, failure

"""Pages of the first generation, as they were written in its time, at the script addresses that they load.

`pages/v1/` has a page for each area of the API; `contract/conformance.yaml` says which facts its checks show. The page
of an area runs all its checks at one address, and at each of the others those that tell the builds apart. Several pages
run side by side, in one browser against one server.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.e2e.test_conformance import make_token
from tests.servers import PageServer, TertuliaServer

SUITES = Path(__file__).parent / "pages" / "v1"
DEADLINE_S = 600
LOOK_AGAIN_S = 0.05
CHECK = re.compile(r"^check\('([^']+)'", re.MULTILINE)
ADDRESSES = {
    "0.91": "/v0.91/js/TB.min.js",
    "1.0": "/v1.0/js/TB.min.js",
    "1.1": "/v1.1/js/TB.min.js",
    "2.0": "/webrtc/v2.0/js/TB.min.js",
}
CHECKS = {
    path.stem: CHECK.findall(path.read_text(encoding="utf-8"))
    for path in sorted(SUITES.glob("*.js"))
    if path.name != "suite.js"
}
HOMES = {
    **{"archives": "1.0", "devices": "0.91", "events": "0.91", "issues": "2.0", "leaving": "1.1", "loading": "1.0"},
    **{"session": "2.0", "state": "0.91", "views": "1.1"},
}
"""Where an area runs all its checks. Most of it is the same at each address, so that each address has its share."""
EVERYWHERE = {
    *("v1-globals", "v1-default-key", "v1-document-write", "v1-loaded-twice", "v1-log"),
    *("v1-listeners", "v1-session-mistakes", "v1-who-is-there", "v1-kick-oneself", "v1-state-gone"),
    *("v1-elements", "v1-subscriber", "v1-publisher-tells-no-end", "v1-device-panel-places", "v1-player"),
    "v1-report-issue-fails",
}
"""Checks that run at every address: of each area at least one, and all in which the builds differ."""
CASES = [
    (at, check)
    for area, checks in CHECKS.items()
    for check in checks
    for at in ADDRESSES
    if at == HOMES[area] or check in EVERYWHERE
]
PAGES_AT_ONCE = 4
CHECKS_OF_A_PAGE = 5
"""More are given to several pages, so that no page runs on when all others have ended."""


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


@dataclass(frozen=True)
class Job:
    """Checks of one area that a page runs one after the other."""

    at: str
    area: str
    checks: list[str]


class Worker:
    """A page in a browser context of its own, with one job at a time."""

    def __init__(self, browser: Browser, pages: PageServer) -> None:
        self._page = browser.new_context().new_page()
        self._pages = pages
        self._job: Job | None = None

    def begin(self, job: Job) -> None:
        self._job = job
        self._page.goto(self._pages.url + f"/v1-{job.area}-{job.at}.html")
        self._page.evaluate("ids => { suite.run(ids).then(results => { window.results = results }) }", job.checks)

    def results(self) -> dict[tuple[str, str], str | None] | None:
        """Why each check of the job does not hold, None for those that do; None altogether while the page runs them."""
        assert self._job is not None
        found: dict[str, str | None] | None = self._page.evaluate("() => window.results || null")
        if found is None:
            return None
        at, self._job = self._job.at, None
        return {(at, check): failure for check, failure in found.items()}

    @property
    def is_free(self) -> bool:
        return self._job is None

    def close(self) -> None:
        self._page.context.close()


def jobs_of(selected: set[tuple[str, str]]) -> list[Job]:
    """What is to be run, the longest first."""
    jobs = []
    for area, checks in CHECKS.items():
        for at in ADDRESSES:
            wanted = [check for check in checks if (at, check) in selected]
            jobs += [Job(at, area, wanted[i : i + CHECKS_OF_A_PAGE]) for i in range(0, len(wanted), CHECKS_OF_A_PAGE)]
    return sorted(jobs, key=lambda job: -len(job.checks))


def run_all(selected: set[tuple[str, str]], browser: Browser, pages: PageServer) -> dict[tuple[str, str], str | None]:
    """Runs the checks; says of each why it does not hold, None for those that do."""
    found: dict[tuple[str, str], str | None] = {}
    jobs = jobs_of(selected)
    workers = [Worker(browser, pages) for _ in range(min(PAGES_AT_ONCE, len(jobs)))]
    end = time.monotonic() + DEADLINE_S
    try:
        while len(found) < len(selected):
            assert time.monotonic() < end, f"never ended: {sorted(selected - found.keys())}"
            for worker in workers:
                if not worker.is_free:
                    found |= worker.results() or {}
                if worker.is_free and jobs:
                    worker.begin(jobs.pop(0))
            time.sleep(LOOK_AGAIN_S)
    finally:
        for worker in workers:
            worker.close()
    return found


def issue_of(server: TertuliaServer, issue_id: str) -> object:
    """What the operator reads of a report, from a shell."""
    command = [sys.executable, "-m", "tertulia", "issue", "show", issue_id, "--json", "--data", str(server.folder)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def failures(
    request: pytest.FixtureRequest, server: TertuliaServer, pages: PageServer, chromium: Browser
) -> dict[tuple[str, str], str | None]:
    """The outcome of every check that was selected, by address and name."""
    pages.answer("/make-session", lambda query: server.create_session())
    pages.answer("/make-token", lambda query: make_token(server, query))
    pages.answer("/issue-of", lambda query: issue_of(server, query["id"]))
    for at in ADDRESSES:
        serve(server, pages, at)
    items = [item for item in request.session.items if isinstance(item, pytest.Function)]
    mine: list[dict[str, Any]] = [
        item.callspec.params for item in items if item.originalname == "test_chromium" and item.path == request.path
    ]
    return run_all({(params["at"], params["check"]) for params in mine}, chromium, pages)


@pytest.mark.timeout(DEADLINE_S + 60)  # the first test waits for all checks
@pytest.mark.parametrize(("at", "check"), CASES)
def test_chromium(failures: dict[tuple[str, str], str | None], at: str, check: str) -> None:
    failure = failures[at, check]
    assert failure is None, failure


def test_every_area_is_served_at_every_address() -> None:
    assert HOMES.keys() == CHECKS.keys()
    assert {(at, area) for at in ADDRESSES for area in CHECKS} == {
        (at, area) for at, check in CASES for area, checks in CHECKS.items() if check in checks
    }

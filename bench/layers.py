"""What several sizes of one picture cost, and when they are there: Chromium publishes its fake camera, others watch.

`scalableVideo` on and off, with a camera of 640x480 and one of 1280x720, 30 frames a second. CPU is that of all
processes of the publishing browser, its own preview included; the viewers are another browser.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from bench.browser import PAGES
from bench.figures import Figure, percentile
from bench.router import cpu_s
from tests.e2e.conftest import CHROMIUM_FLAGS
from tests.e2e.person import Era, Person
from tests.servers import PageServer, TertuliaServer

SIZES = ((640, 480), (1280, 720))
# Until what nobody watches is paused, and encoders have found their rates.
SETTLE_S, SECONDS, JOINS = 5, 6, 5
MARK = "--tertulia-publishes"

SUBSCRIBE = """([id, width, height]) => new Promise(async (done) => {
    const stream = await person.find('streams', 'streamId', id);
    const began = performance.now();
    const wishes = width ? { preferredResolution: { width, height } } : {};
    new MutationObserver((_, observer) => {
        const video = document.querySelector('.OT_subscriber video');
        if (!video) return;
        observer.disconnect();
        video.requestVideoFrameCallback(() => done(performance.now() - began));
    }).observe(document.body, { childList: true, subtree: true });
    person.subscriber = person.subscribe(stream, wishes);
})"""
UNSUBSCRIBE = "() => { person.session.unsubscribe(person.subscriber) }"
IS_WIDE = "width => document.querySelector('.OT_subscriber video')?.videoWidth === width"
IS_GONE = "() => document.querySelectorAll('.OT_subscriber').length === 0"
BYTES_SENT = """async () => {
    const [{ rtcStatsReport }] = await person.publisher.getRtcStatsReport();
    const sent = [...rtcStatsReport.values()].filter(({ type, kind }) => type === 'outbound-rtp' && kind === 'video');
    return sent.reduce((sum, { bytesSent }) => sum + bytesSent, 0);
}"""


@dataclass(frozen=True)
class Cost:
    """What a span of a call took: shares of one core in percent, and kbit/s of video."""

    publisher: float
    router: float
    kbps: float


def layer_figures() -> Iterator[Figure]:
    """Four calls of about 25 s."""
    with PageServer(PAGES) as pages, sync_playwright() as playwright:
        for size in SIZES:
            for is_scalable in (False, True):
                with (
                    tempfile.TemporaryDirectory() as folder,
                    TertuliaServer(Path(folder)) as server,
                    _browser(playwright, MARK) as sender,
                    _browser(playwright) as viewers,
                ):
                    yield from _call(server, pages, sender, viewers, size, is_scalable)


@contextmanager
def _browser(playwright: object, *flags: str) -> Iterator[Browser]:
    launch = playwright.chromium.launch  # type: ignore[attr-defined]  # Playwright's
    browser = launch(executable_path="/usr/bin/chromium", args=[*CHROMIUM_FLAGS, *flags])
    try:
        yield browser
    finally:
        browser.close()


def _call(
    server: TertuliaServer,
    pages: PageServer,
    sender: Browser,
    viewers: Browser,
    size: tuple[int, int],
    is_scalable: bool,
) -> Iterator[Figure]:
    session_id = server.create_session()

    def arrive(browser: Browser) -> Person:
        page = browser.new_context().new_page()
        page.goto(pages.person_page(server.url, Era.V2))
        person = Person(page, Era.V2)
        person.prepare(server, session_id, role="publisher", data="", subscribe_to_all=False)
        person.connect()
        person.sees("sessionConnected")
        return person

    width, height = size
    what = f"a camera of {width}x{height}, `scalableVideo` {'on' if is_scalable else 'off'}"
    publisher, viewer = arrive(sender), arrive(viewers)
    stream = publisher.publish(resolution=f"{width}x{height}", frameRate=30, scalableVideo=is_scalable)
    published = time.monotonic()
    viewer.sees("streamCreated", streams=[stream])
    first = viewer.page.evaluate(SUBSCRIBE, [stream, 0, 0])
    viewer.wait(IS_WIDE, width, deadline_s=30)
    whole_s = time.monotonic() - published
    time.sleep(SETTLE_S)
    cost = _cost(server, publisher)
    joins = []
    for _ in range(JOINS):
        viewer.page.evaluate(UNSUBSCRIBE)
        viewer.wait(IS_GONE)
        joins.append(viewer.page.evaluate(SUBSCRIBE, [stream, 0, 0]))
    times = {"first subscriber": first, f"p50 of {JOINS} more": percentile(joins, 0.5), "whole size": 1000 * whole_s}
    yield Figure(f"{what}: `subscribe()` to the first frame, `publish()` to the whole size", "ms", times)
    yield _of(f"{what}, one subscriber", cost)
    if is_scalable:
        for part in (2, 4):
            arrive(viewers).page.evaluate(SUBSCRIBE, [stream, width // part, height // part])
        time.sleep(SETTLE_S)
        yield _of(f"{what}, every size watched", _cost(server, publisher))


def _of(what: str, cost: Cost) -> Figure:
    values = {"publishing browser": cost.publisher, "router": cost.router, "video kbit/s sent": cost.kbps}
    return Figure(what, "% of a core", values)


def _cost(server: TertuliaServer, publisher: Person) -> Cost:
    def read() -> tuple[float, float, float, float]:
        bytes_sent = publisher.page.evaluate(BYTES_SENT)
        return time.monotonic(), _browser_cpu_s(), cpu_s(server.pids()["router"]), bytes_sent

    before = read()
    time.sleep(SECONDS)
    took_s, browser_s, router_s, sent = (after - former for former, after in zip(before, read(), strict=True))
    return Cost(100 * browser_s / took_s, 100 * router_s / took_s, sent * 8 / 1000 / took_s)


def _browser_cpu_s() -> float:
    """CPU time so far of the publishing browser's processes, in seconds."""
    parents: dict[int, int] = {}
    roots: list[int] = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            pid = int(folder.name)
            parents[pid] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if MARK in (folder / "cmdline").read_text().split("\0"):
                roots.append(pid)
        except OSError:
            continue

    def belongs(pid: int) -> bool:
        while pid in parents:
            if pid in roots:
                return True
            pid = parents[pid]
        return False

    return sum(cpu_s(pid) for pid in parents if belongs(pid))

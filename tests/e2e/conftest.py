"""What the browser tests share: a running server, a page server on another origin, Chromium, people."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from tests.e2e.person import Era, Person
from tests.e2e.programs import Programs
from tests.servers import PageServer, TertuliaServer

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--use-fake-device-for-media-stream=device-count=2",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TertuliaServer]:
    """One `tertulia dev` for all browser tests; every test makes sessions of its own.

    The clients of a session take turns on two shards of the router, so that media crosses between them.
    """
    settings = {"TERTULIA_MEDIA_SHARDS": "2", "TERTULIA_MEDIA_GROUP_SHARE": "1"}
    with TertuliaServer(tmp_path_factory.mktemp("e2e"), settings=settings) as running:
        yield running


@pytest.fixture(scope="session")
def pages() -> Iterator[PageServer]:
    """Serves the application's pages from an origin that is not the server's."""
    with PageServer(Path(__file__).parent / "pages") as running:
        yield running


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    executable = shutil.which("chromium")
    assert executable, "Chromium is missing; install it with `apt-get install chromium`"
    browser = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_FLAGS)
    yield browser
    browser.close()


@pytest.fixture
def programs() -> Iterator[Programs]:
    running = Programs()
    yield running
    running.close()


@pytest.fixture
def figure(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Prints a figure that the test has measured, whatever becomes of the test."""

    def figure(text: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{text}\n")

    return figure


@pytest.fixture
def session_id(server: TertuliaServer) -> str:
    """A fresh routed session."""
    return server.create_session()


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[Callable[[str], Page]]:
    """Opens an address in a browser context of its own."""
    contexts = []

    def open_page(address: str) -> Page:
        context = chromium.new_context()
        contexts.append(context)
        page = context.new_page()
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def arrive(
    server: TertuliaServer, pages: PageServer, chromium: Browser, session_id: str
) -> Iterator[Callable[..., Person]]:
    """Opens one person's page in a browser context of its own and connects it unless told otherwise."""
    contexts = []

    def arrive(
        era: Era = Era.V2,
        *,
        role: str = "publisher",
        data: str = "",
        connect: bool = True,
        subscribe_to_all: bool = True,
        session: str = session_id,
        secret: str | None = None,
        script: str = "",
        server_url: str = "",
    ) -> Person:
        context = chromium.new_context()
        contexts.append(context)
        page = context.new_page()
        if script:
            page.add_init_script(script)
        page.goto(pages.person_page(server_url or server.url, era))
        person = Person(page, era)
        person.prepare(server, session, role=role, data=data, subscribe_to_all=subscribe_to_all, secret=secret)
        if connect:
            person.connect()
            person.sees("sessionConnected")
        return person

    yield arrive
    for context in contexts:
        context.close()

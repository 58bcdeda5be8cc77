"""People in network namespaces of their own: each has a browser there, and its page comes from there."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from tests.e2e.conftest import CHROMIUM_FLAGS
from tests.e2e.person import Era, Person
from tests.network import Place
from tests.servers import Api, PageServer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

PAGES = Path(__file__).parent / "pages"


class FarBrowser:
    """Chromium inside `place`, until `stack` is closed; `folder` keeps its start script."""

    def __init__(self, stack: ExitStack, playwright: Playwright, place: Place, folder: Path) -> None:
        self._stack = stack
        self.place = place
        self._pages = stack.enter_context(place.inside(lambda: PageServer(PAGES)))
        self._browser: Browser = playwright.chromium.launch(
            executable_path=place.program(folder, "chromium"), args=CHROMIUM_FLAGS
        )
        stack.callback(self._browser.close)

    def arrive(self, server: Api, session_id: str, url: str | None = None) -> Person:
        """Opens a page, which finds the server at `url` if that is another, and connects it."""
        page = self._browser.new_context().new_page()
        page.goto(self._pages.person_page(url or server.url, Era.V2))
        person = Person(page, Era.V2)
        person.prepare(server, session_id, role="publisher", data="", subscribe_to_all=True)
        person.page.evaluate("() => { person.listen() }")
        person.connect()
        person.sees("sessionConnected")
        return person


def publish_small(person: Person) -> str:
    """Publishes sound and small, slow pictures, so that many browsers fit on a small machine."""
    return person.publish(resolution="320x240", frameRate=15)


def call(far: FarBrowser, near: FarBrowser, server: Api) -> tuple[Person, Person, str, str]:
    """Two people who see each other: both, and the streams that the first and the second publish."""
    session_id = server.create_session()
    ann, bob = far.arrive(server, session_id), near.arrive(server, session_id)
    anns, bobs = publish_small(ann), publish_small(bob)
    ann.watches(bobs)
    bob.watches(anns)
    return ann, bob, anns, bobs


def clock(person: Person) -> float:
    """The page's own time, in ms."""
    at: float = person.page.evaluate("() => performance.now()")
    return at


def events_since(person: Person, at: float) -> list[tuple[str, float]]:
    """What the application has seen of its session since then, each with the ms that had passed."""
    return [(e["type"], e["at"] - at) for e in person.log() if e["source"] == "session" and e["at"] > at]


def longest_gap_ms(person: Person, stream_id: str, since: float) -> float:
    """The longest time without a picture of that stream, in ms."""
    gap: float = person.page.evaluate("([id, since]) => person.gapSince(id, since)", [stream_id, since])
    return gap


def carrier(person: Person) -> str:
    """What carries the media of that page: `udp` or `tcp`."""
    protocol: str = person.page.evaluate("() => person.carrier()")
    return protocol


def go_on(person: Person, stream_id: str) -> None:
    """Waits for new pictures of the stream in the element that showed it before."""
    before = person.page.evaluate("id => person.subscriberFrames(id)", stream_id)
    person.wait("([id, before]) => person.subscriberFrames(id) > before + 10", [stream_id, before])

"""Firefox in calls with Chromium."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.e2e.bidi import Firefox
from tests.e2e.person import Era, Person
from tests.e2e.test_layers import DEADLINE_S, SENT, SHOWS, decodes_on, watch
from tests.servers import PageServer, TertuliaServer

Arrive = Callable[..., Person]


@pytest.fixture(scope="module")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    with Firefox(tmp_path_factory.mktemp("firefox")) as running:
        yield running


@pytest.fixture
def come(
    firefox: Firefox, server: TertuliaServer, pages: PageServer, session_id: str
) -> Iterator[Callable[[bool], Person]]:
    """Bob comes with Firefox; True: he subscribes to all."""

    def come(subscribe_to_all: bool) -> Person:
        firefox.goto(pages.person_page(server.url, Era.V2))
        bob = Person(firefox, Era.V2)
        bob.prepare(server, session_id, role="publisher", data="", subscribe_to_all=subscribe_to_all)
        bob.connect()
        bob.sees("sessionConnected")
        return bob

    yield come
    firefox.goto("about:blank")


def test_firefox_and_chromium_see_and_hear_each_other(arrive: Arrive, come: Callable[[bool], Person]) -> None:
    ann = arrive(role="moderator")
    anns = ann.publish()
    bob = come(True)
    bob.watches(anns)
    bob.hears(anns)
    bobs = bob.publish()
    ann.watches(bobs)
    ann.hears(bobs)

    ann.page.evaluate("id => { person.session.forceDisconnect(id) }", bob.connection_id)
    bob.sees("sessionDisconnected", reason="forceDisconnected")
    bob.wait("() => document.querySelectorAll('.OT_root').length === 0")


@pytest.mark.timeout(240)
def test_firefox_gets_the_layers_of_one_vp9_stream_that_it_asks_for(
    arrive: Arrive, come: Callable[[bool], Person]
) -> None:
    ann, other = arrive(subscribe_to_all=False), arrive(subscribe_to_all=False)
    stream = ann.publish(resolution="640x360", frameRate=10, audioSource=None, preferredVideoCodecs=["vp9"])
    # Somebody needs the upper layer all the time: for Firefox it is left out, not paused.
    watch(other, stream, preferredResolution={"width": 640, "height": 360})
    other.wait(SHOWS, 640, deadline_s=DEADLINE_S)
    bob = come(False)
    watch(bob, stream, preferredResolution={"width": 320, "height": 180})
    for width, height in ((320, 180), (640, 360), (320, 180)):
        bob.page.evaluate("size => person.subscriber.setPreferredResolution(size)", {"width": width, "height": height})
        bob.wait(SHOWS, width, deadline_s=DEADLINE_S)
        decodes_on(bob)
    bob.page.evaluate("() => person.subscriber.setPreferredFrameRate(1)")
    decodes_on(bob)
    assert ann.page.evaluate(SENT)["scalabilityMode"] == "L2T3_KEY"

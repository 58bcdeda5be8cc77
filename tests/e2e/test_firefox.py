"""A call between Firefox and Chromium."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.e2e.bidi import Firefox
from tests.e2e.person import Era, Person
from tests.servers import PageServer, TertuliaServer


def test_firefox_and_chromium_see_and_hear_each_other(
    arrive: Callable[..., Person], server: TertuliaServer, pages: PageServer, session_id: str, tmp_path: Path
) -> None:
    ann = arrive(role="moderator")
    anns = ann.publish()
    with Firefox(tmp_path) as firefox:
        firefox.goto(pages.person_page(server.url, Era.V2))
        bob = Person(firefox, Era.V2)
        bob.prepare(server, session_id, role="publisher", data="", subscribe_to_all=True)
        bob.connect()
        bob.sees("sessionConnected")
        bob.watches(anns)
        bob.hears(anns)
        bobs = bob.publish()
        ann.watches(bobs)
        ann.hears(bobs)

        ann.page.evaluate("id => { person.session.forceDisconnect(id) }", bob.connection_id)
        bob.sees("sessionDisconnected", reason="forceDisconnected")
        bob.wait("() => document.querySelectorAll('.OT_root').length === 0")

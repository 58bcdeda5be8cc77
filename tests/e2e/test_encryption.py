"""End-to-end encryption between real browsers, through the router."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.e2e.bidi import Firefox
from tests.e2e.person import Era, Person
from tests.servers import PageServer, TertuliaServer

ROOT = Path(__file__).parents[2]
Arrive = Callable[..., Person]
SECRET, OTHER = "the cat sat on the mat", "the dog lay on the mat"
OLDER_BROWSER = "delete window.RTCRtpScriptTransform"
"""Leaves what Chromium had before."""


@pytest.fixture
def secret_session(server: TertuliaServer) -> str:
    """A fresh session whose clients must encrypt."""
    return server.create_session(e2ee=True)


def changes_secret(person: Person, secret: str) -> None:
    person.page.evaluate("secret => person.session.setEncryptionSecret(secret)", secret)


def sees_no_picture_of(person: Person, stream_id: str) -> None:
    assert person.page.evaluate("id => person.subscriberFrames(id)", stream_id) == 0


def test_who_has_the_secret_sees_and_hears_and_who_has_another_does_not(arrive: Arrive, secret_session: str) -> None:
    ann, bob = (arrive(session=secret_session, secret=SECRET) for _ in range(2))
    eve = arrive(session=secret_session, secret=OTHER)
    anns, bobs = ann.publish(), bob.publish()
    for person, stream in ((ann, bobs), (bob, anns)):
        person.watches(stream)
        person.hears(stream)
    for stream in (anns, bobs):
        eve.sees("connected", source=f"subscriber:{stream}")
        eve.sees("encryptionSecretMismatch", source=f"subscriber:{stream}", cancelable=False, rightTarget=True)
    eve.hears_nothing_of(anns)
    for stream in (anns, bobs):
        sees_no_picture_of(eve, stream)
        assert not eve.count(f"subscriber:{stream}", "encryptionSecretMatch")
    assert not bob.count(f"subscriber:{anns}", "encryptionSecretMismatch")

    ann.page.evaluate("() => { person.session.unpublish(person.publisher) }")
    again = ann.publish()
    bob.watches(again)
    eve.sees("encryptionSecretMismatch", source=f"subscriber:{again}")


def test_a_secret_that_changes_in_mid_call_parts_them_until_both_have_it(arrive: Arrive, secret_session: str) -> None:
    ann, bob = (arrive(session=secret_session, secret=SECRET) for _ in range(2))
    anns, bobs = ann.publish(), bob.publish()
    bob.watches(anns)
    ann.watches(bobs)
    changes_secret(ann, OTHER)
    for person, stream in ((bob, anns), (ann, bobs)):
        person.sees("encryptionSecretMismatch", source=f"subscriber:{stream}")
    changes_secret(bob, OTHER)
    for person, stream in ((bob, anns), (ann, bobs)):
        person.sees("encryptionSecretMatch", source=f"subscriber:{stream}")
        shown = person.page.evaluate("id => person.subscriberFrames(id)", stream)
        person.wait("([id, shown]) => person.subscriberFrames(id) >= shown + 5", [stream, shown])
        person.hears(stream)


@pytest.mark.parametrize("codec", ["h264", "vp9"])
def test_every_codec_passes_the_router_encrypted(arrive: Arrive, secret_session: str, codec: str) -> None:
    ann, bob = (arrive(session=secret_session, secret=SECRET) for _ in range(2))
    stream = ann.publish(preferredVideoCodecs=[codec])
    bob.watches(stream)
    ann.wait(
        "async codec => (await person.publisher.getStats())[0].stats.video.layers[0].codec.toLowerCase() === codec",
        codec,
    )


def test_an_older_chromium_and_a_newer_one_understand_each_other(arrive: Arrive, secret_session: str) -> None:
    ann = arrive(session=secret_session, secret=SECRET, script=OLDER_BROWSER)
    bob = arrive(session=secret_session, secret=SECRET)
    anns, bobs = ann.publish(), bob.publish()
    for person, stream in ((ann, bobs), (bob, anns)):
        person.watches(stream)
        person.hears(stream)
    changes_secret(bob, OTHER)
    ann.sees("encryptionSecretMismatch", source=f"subscriber:{bobs}")


def test_a_call_that_began_in_the_clear_goes_on_encrypted(arrive: Arrive) -> None:
    ann, bob = arrive(), arrive()
    anns = ann.publish()
    bob.watches(anns)
    changes_secret(bob, SECRET)
    bob.sees("encryptionSecretMismatch", source=f"subscriber:{anns}")
    changes_secret(ann, SECRET)
    bob.sees("encryptionSecretMatch", source=f"subscriber:{anns}")
    shown = bob.page.evaluate("id => person.subscriberFrames(id)", anns)
    bob.wait("([id, shown]) => person.subscriberFrames(id) >= shown + 5", [anns, shown])


def test_firefox_and_chromium_with_one_secret_see_and_hear_each_other(
    arrive: Arrive, server: TertuliaServer, pages: PageServer, secret_session: str, tmp_path: Path
) -> None:
    ann = arrive(session=secret_session, secret=SECRET)
    anns = ann.publish()
    with Firefox(tmp_path) as firefox:
        firefox.goto(pages.person_page(server.url, Era.V2))
        bob = Person(firefox, Era.V2)
        bob.prepare(server, secret_session, role="publisher", data="", subscribe_to_all=True, secret=SECRET)
        bob.connect()
        bob.sees("sessionConnected")
        bob.watches(anns)
        bob.hears(anns)
        bobs = bob.publish()
        ann.watches(bobs)
        ann.hears(bobs)
        changes_secret(ann, OTHER)
        bob.sees("encryptionSecretMismatch", source=f"subscriber:{anns}")
        changes_secret(bob, OTHER)
        bob.sees("encryptionSecretMatch", source=f"subscriber:{anns}")
        ann.sees("encryptionSecretMatch", source=f"subscriber:{bobs}")


def test_a_page_that_allows_no_worker_from_a_blob_names_a_file(
    server: TertuliaServer, pages: PageServer, chromium: Browser, secret_session: str
) -> None:
    script = (ROOT / "web" / "dist" / "tertulia-encryption.js").read_text(encoding="utf-8")
    pages.serve("/encryption.js", script, kind="text/javascript")
    policy = '<meta http-equiv="Content-Security-Policy" content="worker-src \'self\'">'
    head = f'<!doctype html><meta charset="utf-8">{policy}<script src="{server.url}{Era.V2.script}"></script>'
    context = chromium.new_context()
    page = context.new_page()
    page.goto(pages.serve("/strict.html", f"{head}<body></body>"))
    facts = {"key": server.api_key, "session": secret_session, "token": server.token(secret_session), "secret": SECRET}
    names = page.evaluate(
        """async ({ key, session: id, token, secret }) => {
            const session = OT.initSession(key, id, { encryptionSecret: secret });
            const attempt = () => session.connect.promise(token).then(() => 'connected', (error) => error.name);
            const first = await attempt();
            OT.setEncryptionWorkerUrl('/encryption.js');
            return [first, await attempt()];
        }""",
        facts,
    )
    assert names == ["OT_NOT_SUPPORTED", "connected"]
    context.close()

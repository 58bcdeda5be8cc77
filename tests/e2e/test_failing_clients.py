"""What goes wrong at one client: no camera to be had, a page that dies without a word, a network that ends."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Page, Playwright

from tests.e2e.conftest import CHROMIUM_FLAGS
from tests.e2e.person import Era, Person
from tests.proxy import Proxy
from tests.servers import PageServer, TertuliaServer

pytestmark = pytest.mark.timeout(180)

DEADLINE_S = 60
DEVICES = "--use-fake-device-for-media-stream=device-count=2"
GRANTS = "--use-fake-ui-for-media-stream"
CAMERAS = "async () => (await navigator.mediaDevices.enumerateDevices()).some(({ kind }) => kind === 'videoinput')"
# Every way by which the failure of a Publisher can be heard, and the session afterwards.
FAIL = """
async ([apiKey, sessionId, token]) => {
  const facts = ({ name, code }) => [name, code];
  const exceptions = [];
  OT.on('exception', ({ code, target }) => exceptions.push([code, target]));
  const session = OT.initSession(apiKey, sessionId);
  await session.connect.promise(token);
  let publisher;
  const denied = [];
  const initHandler = new Promise((resolve) => {
    publisher = OT.initPublisher('me', { insertMode: 'append' }, resolve);
    publisher.on('accessDenied', () => denied.push('accessDenied'));
  });
  const publishHandler = new Promise((resolve) => { session.publish(publisher, resolve); });
  const heard = {
    initHandler: facts(await initHandler),
    publishHandler: facts(await publishHandler),
    initPromise: await OT.initPublisher.promise('me', { insertMode: 'append' }).then(() => 'made', facts),
    publishPromise: await session.publish.promise(document.createElement('div')).then(() => 'published', facts),
    userMedia: await OT.getUserMedia().then(() => 'captured', facts),
  };
  while (!exceptions.some(([, target]) => target === publisher)) await new Promise((resume) => setTimeout(resume, 20));
  const own = exceptions.filter(([, target]) => target === publisher).map(([code]) => code);
  const { accessAllowed } = publisher;
  const shown = publisher.element.querySelector('[role=alert]') !== null;
  publisher.destroy();
  // The objects are usable: what needs no device is published on the same session.
  const canvas = document.createElement('canvas');
  canvas.getContext('2d').fillRect(0, 0, 8, 8);
  const [videoSource] = canvas.captureStream(5).getVideoTracks();
  const later = await OT.initPublisher.promise('me', { insertMode: 'append', videoSource, audioSource: null });
  await session.publish.promise(later);
  const streaming = later.stream !== undefined && session.isConnected();
  await session.disconnect();
  return { heard, own, accessAllowed, shown, denied, streaming };
}
"""


@pytest.fixture(params=["denied", "no camera"])
def poor_browser(request: pytest.FixtureRequest, playwright: Playwright) -> Iterator[tuple[str, Browser]]:
    """A Chromium whose user grants nothing, and one that has nothing but the computer's own devices."""
    flags = [flag for flag in CHROMIUM_FLAGS if flag not in (DEVICES, GRANTS)]
    more = [DEVICES] if request.param == "denied" else [GRANTS]
    browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=[*flags, *more])
    yield request.param, browser
    browser.close()


def test_a_camera_that_is_not_to_be_had_is_told_by_every_way(
    server: TertuliaServer, pages: PageServer, poor_browser: tuple[str, Browser]
) -> None:
    why, browser = poor_browser
    script = f'<script src="{server.url}{Era.V2.script}"></script>'
    page = browser.new_page()
    page.goto(
        pages.serve("/poor.html", f'<!doctype html><meta charset="utf-8">{script}<body><div id="me"></div></body>')
    )
    session_id = server.create_session()
    if why == "no camera" and page.evaluate(CAMERAS):
        pytest.skip("this computer has a camera, and Chromium has no switch that hides it")

    told: dict[str, Any] = page.evaluate(FAIL, [server.api_key, session_id, server.token(session_id)])

    name = "OT_USER_MEDIA_ACCESS_DENIED" if why == "denied" else "OT_NO_DEVICES_FOUND"
    ways = ("initHandler", "publishHandler", "initPromise", "publishPromise", "userMedia")
    assert told["heard"] == {way: [name, 1500] for way in ways}
    assert told["own"] == [1500], "once for the Publisher, whoever else hears of it"
    assert told["accessAllowed"] is False
    assert told["denied"] == (["accessDenied"] if why == "denied" else [])
    assert told["shown"]
    assert told["streaming"]


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TertuliaServer]:
    """A server that gives a client up seconds after its socket has ended; who is merely slow has all the time."""
    waits = {"RECONNECT_WINDOW_S": "3", "RECONNECT_GRACE_S": "1"}
    settings = {f"TERTULIA_SESSIONS_{name}": value for name, value in waits.items()}
    with TertuliaServer(tmp_path_factory.mktemp("impatient"), settings=settings) as running:
        yield running


@pytest.fixture
def come(impatient: TertuliaServer, pages: PageServer, chromium: Browser) -> Iterator[Callable[..., Person]]:
    """Opens a person's page that reaches the impatient server by `address`; connects it unless told otherwise."""
    contexts = []
    session_id = impatient.create_session()

    def come(address: str = impatient.url, *, connect: bool = True, clock: bool = False) -> Person:
        context = chromium.new_context()
        contexts.append(context)
        page = context.new_page()
        if clock:
            page.clock.install()
        page.goto(pages.person_page(address, Era.V2))
        person = Person(page, Era.V2)
        person.prepare(impatient, session_id, role="publisher", data="", subscribe_to_all=True)
        if connect:
            person.connect()
            person.sees("sessionConnected")
        return person

    yield come
    for context in contexts:
        context.close()


def test_a_page_that_dies_without_goodbye_is_given_up_as_a_lost_network(come: Callable[..., Person]) -> None:
    ann, ben = come(), come()
    stream = ben.publish()
    ann.watches(stream)
    connection_id = ben.connection_id

    crash(ben.page)

    ann.wait("() => person.log.some(({ type }) => type === 'connectionDestroyed')", deadline_s=DEADLINE_S)
    ann.sees("streamDestroyed", streams=[stream], reason="networkDisconnected")
    ann.sees("connectionDestroyed", connections=[connection_id], reason="networkDisconnected")
    ann.wait("() => document.querySelectorAll('.OT_subscriber').length === 0")
    assert ann.page.evaluate("() => person.session.isConnected()")


def test_a_page_may_keep_what_it_shows_when_its_network_is_lost_for_good(
    impatient: TertuliaServer, come: Callable[..., Person]
) -> None:
    with Proxy(int(impatient.url.rpartition(":")[2])) as proxy:
        ann, ben = come(), come(proxy.url)
        stream, bens = ann.publish(), ben.publish()
        ben.watches(stream)
        ann.watches(bens)
        ben.prevents("session.sessionDisconnected")
        ben.prevents("publisher.streamDestroyed")

        proxy.freeze()
        proxy.hang_up()

        ben.wait("() => person.log.some(({ type }) => type === 'sessionDisconnected')", deadline_s=DEADLINE_S)
        event = ben.sees("sessionDisconnected", reason="networkDisconnected")
        assert event["cancelable"] is True
        assert event["state"] == {"connected": False, "elements": 2}
        ben.sees("streamDestroyed", source="publisher", streams=[bens], reason="networkDisconnected")
        assert [ben.elements(f".OT_{kind}") for kind in ("publisher", "subscriber")] == [1, 1]
        assert ben.count("session", "streamDestroyed") == 0
        ann.wait("() => document.querySelectorAll('.OT_subscriber').length === 0", deadline_s=DEADLINE_S)


def test_a_server_that_says_nothing_is_a_connect_time_out(
    impatient: TertuliaServer, come: Callable[..., Person]
) -> None:
    with Proxy(int(impatient.url.rpartition(":")[2])) as proxy:
        person = come(proxy.url, connect=False, clock=True)
        proxy.freeze()
        person.connect()
        person.page.clock.fast_forward(14_000)
        assert person.log() == []
        person.page.clock.fast_forward(2_000)
        error = person.sees("connect", source="handler")["error"]
        assert (error["name"], error["code"]) == ("OT_CONNECT_FAILED", 1008)
        person.sees("exception", source="exception", code=1008)
        assert person.count("session", "sessionDisconnected") == 0

        proxy.thaw()
        person.connect()
        person.sees("sessionConnected")


def crash(page: Page) -> None:
    """Ends the page's process: nothing in the page runs any more."""
    with page.expect_event("crash", timeout=DEADLINE_S * 1000), contextlib.suppress(Error):
        page.goto("chrome://crash", wait_until="commit", timeout=DEADLINE_S * 1000)

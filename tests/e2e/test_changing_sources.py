"""Stories in which what a publisher sends changes or ends: other devices, the end of a share, another session."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Playwright

from tests.e2e.conftest import CHROMIUM_FLAGS
from tests.e2e.person import Era, Person
from tests.servers import PageServer, TertuliaServer

Arrive = Callable[..., Person]
SLIDES = "Slides to share"


@pytest.fixture
def well_equipped(playwright: Playwright) -> Iterator[Browser]:
    """A Chromium with three cameras, which shares the tab with the slides when a page asks for a screen.

    Pictures of its second camera are of a kind that no codec takes: that of a depth sensor.
    """
    executable = shutil.which("chromium")
    assert executable
    browser = playwright.chromium.launch(
        executable_path=executable,
        args=[
            # A fake dialogue would share a fake screen.
            *(flag for flag in CHROMIUM_FLAGS if "fake-" not in flag),
            "--use-fake-device-for-media-stream=device-count=3",
            f"--auto-select-tab-capture-source-by-title={SLIDES}",
        ],
    )
    yield browser
    browser.close()


def sees_new_frames(person: Person, stream_id: str) -> None:
    shown = person.page.evaluate("id => person.subscriberFrames(id)", stream_id)
    person.wait("([id, shown]) => person.subscriberFrames(id) >= shown + 5", [stream_id, shown])


@pytest.fixture
def ann(server: TertuliaServer, pages: PageServer, well_equipped: Browser, session_id: str) -> Iterator[Person]:
    """Somebody in the session with that browser."""
    context = well_equipped.new_context(permissions=["camera", "microphone"])
    page = context.new_page()
    page.goto(pages.person_page(server.url, Era.V2))
    person = Person(page, Era.V2)
    person.prepare(server, session_id, role="publisher", data="", subscribe_to_all=True)
    person.connect()
    person.sees("sessionConnected")
    yield person
    context.close()


def test_cameras_and_microphones_change_in_mid_call_and_the_others_go_on_seeing_and_hearing(
    arrive: Arrive, ann: Person
) -> None:
    bob = arrive()
    stream = ann.publish()
    bob.watches(stream)
    bob.hears(stream)
    now = "() => [person.publisher.getVideoSource().deviceId, person.publisher.getAudioSource().getSettings().deviceId]"
    camera, microphone = ann.page.evaluate(now)
    third, other = ann.page.evaluate(
        """async (microphone) => {
            const devices = await OT.getDevices();
            const ids = (wanted) => devices.filter(({ kind }) => kind === wanted).map(({ deviceId }) => deviceId);
            return [ids('videoInput')[2], ids('audioInput').find((id) => id !== microphone && id !== 'default')];
        }""",
        microphone,
    )
    ann.page.evaluate("id => person.publisher.setVideoSource(id)", third)
    sees_new_frames(bob, stream)
    ann.page.evaluate("id => person.publisher.setAudioSource(id)", other)
    assert ann.page.evaluate(now) == [third, other]
    ann.page.evaluate("() => person.publisher.cycleVideo()")
    assert ann.page.evaluate(now) == [camera, other]
    sees_new_frames(bob, stream)
    bob.page.evaluate("id => { person.silent(id) }", stream)  # forgets how loud it was
    bob.hears(stream)
    assert ann.count("publisher", "streamDestroyed") == bob.count("session", "streamDestroyed") == 0
    assert bob.count(f"subscriber:{stream}", "disconnected") == 0


def test_a_share_that_the_browser_ends_ends_the_stream_for_everybody(
    arrive: Arrive, pages: PageServer, ann: Person
) -> None:
    bob = arrive()
    slides = ann.page.context.new_page()
    slides.goto(pages.serve("/slides.html", f"<!doctype html><title>{SLIDES}</title><h1>Cats</h1>"))
    ann.page.bring_to_front()
    camera = ann.publish()
    bob.watches(camera)
    screen = ann.publish(videoSource="screen")
    bob.sees("streamCreated", streams=[screen])
    assert ann.page.evaluate("() => person.publisher.getVideoSource().track.getSettings().displaySurface") == "browser"
    bob.sees("connected", source=f"subscriber:{screen}")
    slides.close()  # as pressing the browser's own button: nobody but the browser ends the track
    ann.sees("streamDestroyed", source="publisher", reason="mediaStopped", streams=[screen])
    ann.sees("destroyed", source="publisher", reason="mediaStopped")
    bob.sees("streamDestroyed", reason="mediaStopped", streams=[screen])
    bob.sees("destroyed", source=f"subscriber:{screen}")
    sees_new_frames(bob, camera)


def test_a_publisher_that_was_kept_is_published_again_elsewhere(arrive: Arrive, server: TertuliaServer) -> None:
    elsewhere = server.create_session()
    ann, bob, cleo = arrive(), arrive(), arrive(session=elsewhere)
    first = ann.publish()
    bob.watches(first)
    ann.prevents("publisher.streamDestroyed")
    ann.disconnect()
    ann.sees("streamDestroyed", source="publisher", reason="clientDisconnected", cancelable=True)
    bob.sees("streamDestroyed", reason="clientDisconnected", streams=[first])
    assert ann.page.evaluate("() => person.publisher.getVideoSource().track.readyState") == "live"
    second = ann.page.evaluate(
        """async ([key, id, token]) => {
            const session = OT.initSession(key, id);
            await session.connect.promise(token);
            await session.publish.promise(person.publisher);
            return person.publisher.stream.streamId;
        }""",
        [server.api_key, elsewhere, server.token(elsewhere)],
    )
    assert second != first
    cleo.watches(second)
    cleo.hears(second)
    assert ann.count("publisher", "destroyed") == 0
    assert bob.count("session", "streamCreated") == 1

"""Scenarios in Chromium with its fake camera and microphone."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import sync_playwright

from bench.figures import Bar, Figure, spread
from tests.e2e.conftest import CHROMIUM_FLAGS
from tests.e2e.person import Era, Person
from tests.servers import PageServer, TertuliaServer

TIMES = 30
PAGES = Path(__file__).parent.parent / "tests" / "e2e" / "pages"


def in_chromium(server: TertuliaServer) -> list[Figure]:
    """`connect()` to `sessionConnected`, and `publish()` to the first decoded frame at the other browser."""
    with PageServer(PAGES) as pages, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM_FLAGS)
        viewer_browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM_FLAGS)
        try:
            address = pages.person_page(server.url, Era.V2)

            def arrive(in_browser: object, session_id: str) -> Person:
                page = in_browser.new_context().new_page()  # type: ignore[attr-defined]  # Playwright's browser
                page.goto(address)
                person = Person(page, Era.V2)
                person.prepare(server, session_id, role="publisher", data="", subscribe_to_all=True)
                return person

            connects = []
            for _ in range(TIMES):
                person = arrive(browser, server.create_session())
                # Chromium starts a process for the page to come once one is loaded, on the two processors of a small
                # machine: whoever presses a button has waited for that.
                person.page.wait_for_load_state("networkidle")
                connects.append(
                    person.page.evaluate(
                        """() => new Promise(done => {
                            let started;
                            person.session.once('sessionConnected', () => done(performance.now() - started));
                            started = performance.now();
                            person.connect();
                        })"""
                    )
                )
                person.page.context.close()

            frames = []
            session_id = server.create_session()
            sender, viewer = arrive(browser, session_id), arrive(viewer_browser, session_id)
            for person in (sender, viewer):
                person.connect()
                person.sees("sessionConnected")
            sender.publish()
            viewer.sees("streamCreated")
            for _ in range(TIMES):
                sender.page.evaluate("() => { person.session.unpublish(person.publisher) }")
                viewer.wait("() => document.querySelectorAll('.OT_subscriber').length === 0")
                viewer.page.evaluate(
                    """() => { person.firstFrame = new Promise(done => new MutationObserver((_, observer) => {
                        const video = document.querySelector('.OT_subscriber video');
                        if (!video) return;
                        observer.disconnect();
                        video.requestVideoFrameCallback(() => done(Date.now()));
                    }).observe(document.body, { childList: true, subtree: true })) }"""
                )
                started = sender.page.evaluate(
                    """() => new Promise(done => {
                        person.publisher = OT.initPublisher(person.box('me'), { width: 320, height: 240 }, () => {
                            done(Date.now());
                            person.publishAgain();
                        });
                    })"""
                )
                frames.append(viewer.page.evaluate("() => person.firstFrame") - started)
        finally:
            browser.close()
            viewer_browser.close()
    return [
        Figure(
            f"`connect()` to `sessionConnected` in a loaded page, Chromium, {TIMES} times",
            "ms",
            spread(connects),
            (Bar("p50", at_most=50.0),),
        ),
        Figure(
            f"`publish()` to the first decoded frame at the other browser, {TIMES} times",
            "ms",
            spread(frames),
            (Bar("p50", at_most=400.0),),
        ),
    ]

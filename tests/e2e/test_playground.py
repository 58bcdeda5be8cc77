"""The playground: opened in two tabs it is a video call."""

from __future__ import annotations

from playwright.sync_api import Browser, expect

from tests.servers import TertuliaServer


def test_two_tabs_are_a_call_with_chat_and_a_kick_button(server: TertuliaServer, chromium: Browser) -> None:
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    try:
        ann, bob = context.new_page(), context.new_page()
        for page in (ann, bob):
            page.goto(server.facts["url"])
        for page in (ann, bob):
            page.wait_for_function(
                "() => [...document.querySelectorAll('.OT_subscriber video')]"
                ".some(video => video.getVideoPlaybackQuality().totalVideoFrames > 5)",
                timeout=15_000,
            )
        box = ann.get_by_role("textbox", name="Message")
        box.fill("hello from Ann")
        box.press("Enter")
        bob.get_by_role("tab", name="Chat").click()
        expect(bob.get_by_text("hello from Ann")).to_be_visible()

        ann.get_by_role("tab", name="People").click()
        ann.get_by_role("button", name="Remove").first.click()
        ann.get_by_role("button", name="Remove").first.click()
        expect(bob.get_by_text("You were removed by a moderator").first).to_be_visible()
        bob.get_by_role("button", name="Join again").first.click()
        ann.wait_for_function(
            "() => [...document.querySelectorAll('.OT_subscriber video')]"
            ".some(video => video.getVideoPlaybackQuality().totalVideoFrames > 5)",
            timeout=15_000,
        )
    finally:
        context.close()

"""The projects page in Chromium: a first project, a call in both generations, by mouse, by keyboard, on a phone."""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect

from tests.http_server import HttpServer
from tests.production import ProductionServer
from tests.servers import TertuliaServer

PICTURES = (
    "() => [...document.querySelectorAll('.OT_subscriber video')]"
    ".some(video => video.getVideoPlaybackQuality().totalVideoFrames > 5)"
)
DEADLINE_MS = 30_000
PHONE: ViewportSize = {"width": 390, "height": 844}
expect.set_options(timeout=DEADLINE_MS)


class Receiver(http.server.BaseHTTPRequestHandler):
    """An application that takes every callback."""

    heard: ClassVar[list[dict[str, str]]] = []

    def do_POST(self) -> None:
        self.heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def receiver() -> Iterator[str]:
    """The address of such an application."""
    with HttpServer(Receiver) as application:
        yield f"{application.url}/events"


@pytest.fixture
def context(chromium: Browser, server: TertuliaServer) -> Iterator[BrowserContext]:
    """A browser of its own, which lets pages of the server use the clipboard."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(DEADLINE_MS)
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=server.facts["url"])
    yield context
    context.close()


def opened(context: BrowserContext, url: str) -> tuple[Page, list[str]]:
    """The page, and everything that the browser finds fault with."""
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.goto(f"{url}/projects")
    return page, faults


def test_a_first_project_leads_to_a_call_in_both_generations(
    context: BrowserContext, server: TertuliaServer, receiver: str
) -> None:
    page, faults = opened(context, server.facts["url"])
    page.get_by_role("button", name="New project").first.click()
    page.get_by_label("Name").fill("First <b>product</b>")
    page.get_by_role("button", name="Create project").click()
    expect(page.get_by_role("heading", name="First <b>product</b>")).to_be_visible()

    page.get_by_role("button", name="Copy API secret").click()
    expect(page.get_by_text("API secret copied")).to_be_visible()
    secret = page.evaluate("() => navigator.clipboard.readText()")
    assert len(secret) == 40
    assert secret not in page.content()
    page.get_by_role("button", name="Show the secret").click()
    expect(page.get_by_text(secret)).to_be_visible()

    page.get_by_role("link", name="Callbacks").click()
    page.get_by_role("button", name="New callback").click()
    page.get_by_label("Event").select_option("connection destroyed")
    page.get_by_role("textbox", name="Address").fill(receiver)
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_text(receiver)).to_be_visible()

    page.get_by_role("link", name="Sessions").click()
    page.get_by_role("button", name="New session").click()
    page.get_by_label("Media").select_option("routed")
    page.get_by_role("button", name="Create session").click()
    expect(page.get_by_text("Nobody is inside.")).to_be_visible()
    page.get_by_label("Data for the others").fill("name=Ida")
    page.get_by_role("button", name="Make token").click()
    page.get_by_role("button", name="Copy a page with TB, version 1").click()
    expect(page.get_by_text("Page copied")).to_be_visible()
    assert "/v1.1/js/TB.min.js" in page.evaluate("() => navigator.clipboard.readText()")

    with context.expect_page() as arrived:
        page.get_by_role("link", name="Open a page with OT, version 2").click()
    newer = arrived.value
    # Only a page in front may use the clipboard.
    page.bring_to_front()
    page.get_by_label("Format").select_option("t1")
    page.get_by_label("Data for the others").fill("name=Bo")
    page.get_by_role("button", name="Make token").click()
    page.get_by_role("button", name="Copy token").click()
    assert page.evaluate("() => navigator.clipboard.readText()").startswith("T1==")
    with context.expect_page() as arrived:
        page.get_by_role("link", name="Open a page with TB, version 1").click()
    older = arrived.value
    for call in (newer, older):
        call.wait_for_function(PICTURES)

    page.bring_to_front()
    expect(page.get_by_text("2 connections")).to_be_visible()
    page.get_by_role("button", name="Remove Bo").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(older.get_by_text("Disconnected: forceDisconnected")).to_be_visible()
    expect(page.get_by_text("1 connection", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Remove Ida")).to_be_visible()

    page.get_by_role("link", name="First <b>product</b>").last.click()
    page.get_by_role("link", name="Callbacks").click()
    expect(page.get_by_text("connectionDestroyed")).to_be_visible()
    expect(page.get_by_text("delivered", exact=True)).to_be_visible()
    assert [event["reason"] for event in Receiver.heard] == ["forceDisconnected"]
    page.get_by_role("button", name="Set aside").click()
    expect(page.get_by_text("There are none.")).to_be_visible()
    assert faults == []


def test_the_page_is_used_by_keyboard_alone_and_on_a_phone(context: BrowserContext, server: TertuliaServer) -> None:
    page, faults = opened(context, server.facts["url"])
    page.set_viewport_size(PHONE)
    expect(page.get_by_role("heading", name="Projects")).to_be_visible()

    def reach(name: str, role: str = "button") -> None:
        """Tab until the thing with this name has the focus."""
        wanted = page.get_by_role(role, name=name).first  # type: ignore[arg-type]  # a role's name
        for _ in range(40):
            if wanted.evaluate("element => element === document.activeElement"):
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"{name} is not reached by the keyboard")

    reach("New project")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="New project").first).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.type("By keyboard")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="By keyboard")).to_be_focused()

    reach("Suspend")
    page.keyboard.press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Suspend").press("Enter")
    expect(page.get_by_role("main").get_by_text("suspended", exact=True)).to_be_visible()
    reach("Activate")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Suspend")).to_be_visible()
    reach("Rotate secret")
    page.keyboard.press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Rotate secret").press("Enter")
    expect(page.get_by_text("The project has a new secret")).to_be_visible()
    # Nothing is wider than the phone.
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")

    reach("Delete project")
    page.keyboard.press("Enter")
    key = page.url.split("#/")[1].split("/")[0]
    page.keyboard.type("12345678")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.get_by_label(f"Type the key {key}").fill(key)
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("navigation", name="Projects").get_by_text(key)).to_have_count(0)
    assert faults == []


def test_elsewhere_the_page_asks_for_the_password(chromium: Browser, tmp_path: Path) -> None:
    password = "correct horse battery staple"
    made = subprocess.run(
        [sys.executable, "-m", "tertulia", "password"],
        input=password + "\n",
        capture_output=True,
        text=True,
        timeout=30,
    )
    settings = {"TERTULIA_OPERATOR_PASSWORD_HASH": made.stdout.strip()}
    context = chromium.new_context(viewport=PHONE)
    context.set_default_timeout(DEADLINE_MS)
    try:
        with ProductionServer(tmp_path, environment=settings) as server:
            page, _ = opened(context, server.url)
            field = page.get_by_label("The operator's password")
            field.fill("not the password")
            field.press("Enter")
            expect(page.get_by_text("The password is wrong.")).to_be_visible()
            field.fill(password)
            field.press("Enter")
            expect(page.get_by_role("link", name=server.api_key)).to_be_visible()
            assert "password" not in server.log_file.read_text().replace("a wrong operator password", "")
            page.reload()
            expect(page.get_by_role("link", name=server.api_key)).to_be_visible()
            page.get_by_role("button", name="Sign out").click()
            expect(field).to_be_visible()
            page.reload()
            expect(field).to_be_visible()
    finally:
        context.close()

"""Pages with a strict content policy, and pages that pin the script by its hash."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.servers import PageServer, TertuliaServer

DEADLINE_MS = 30_000

# Two waits after another may each take their deadline.
pytestmark = pytest.mark.timeout(120)

# The name is long enough for a bar; the page's own program is a file, for the policy allows no inline script either.
PROGRAM = """
window.violations = [];
document.addEventListener('securitypolicyviolation', (event) =>
  violations.push(`${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}`));
window.join = (apiKey, sessionId, token) => new Promise((resolve, reject) => {
  const failed = (error) => error && reject(error);
  window.session = OT.initSession(apiKey, sessionId);
  session.on('streamCreated', ({ stream }) => {
    window.subscriber = session.subscribe(stream, 'them', { insertMode: 'append' }, failed);
  });
  window.publisher = OT.initPublisher('me', { insertMode: 'append', name: 'Somebody' }, failed);
  session.connect(token, (error) => failed(error) || session.publish(publisher, (error) => failed(error) || resolve()));
});
window.sees = () =>
  (window.subscriber?.element.querySelector('video')?.getVideoPlaybackQuality().totalVideoFrames ?? 0) > 5;
"""
STYLED = "() => getComputedStyle(publisher.element).position === 'relative'"


@pytest.fixture
def strict(server: TertuliaServer, pages: PageServer) -> Callable[..., str]:
    """Makes a page that may load scripts, styles and icons from the server and itself, and nothing inline."""

    def strict(path: str, script: str, link: str) -> str:
        host = urllib.parse.urlsplit(server.url).netloc
        policy = (
            f"default-src 'none'; script-src 'self' {server.url}; style-src 'self' {server.url}; "
            f"img-src 'self' {server.url}; connect-src {server.url} ws://{host}"
        )
        pages.serve("/strict.js", PROGRAM, kind="text/javascript")
        return pages.serve(
            path,
            f'<!doctype html><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{policy}">'
            f'<title>strict</title>{link}<script src="/strict.js"></script><script src="{server.url}{script}"></script>'
            '<body><div id="me"></div><div id="them"></div></body>',
        )

    return strict


def join(server: TertuliaServer, page: Page, session_id: str) -> None:
    arguments = [server.api_key, session_id, server.token(session_id)]
    page.evaluate("args => join(...args)", arguments)


@pytest.mark.parametrize("way", ["the build without style", "a linked style sheet"])
def test_a_call_breaks_no_rule_of_a_strict_content_policy(
    server: TertuliaServer, strict: Callable[..., str], open_page: Callable[[str], Page], way: str
) -> None:
    sheet = f'<link rel="stylesheet" href="{server.url}/v2/css/opentok.css"'
    if way == "the build without style":
        address = strict("/strict-build.html", "/v2/js/opentok-no-style.min.js", f"{sheet}>")
    else:
        address = strict("/strict-link.html", "/v2/js/opentok.min.js", f'{sheet} id="tertulia-style">')
    session_id = server.create_session()
    ann, ben = open_page(address), open_page(address)
    for page in (ann, ben):
        join(server, page, session_id)
    for page in (ann, ben):
        wait(page, "() => sees()")
        wait(page, STYLED)

    # Everything that the client can show: muted, without picture, with another style, the notice for old browsers.
    ann.evaluate("() => { publisher.publishAudio(false).publishVideo(false).setStyle('nameDisplayMode', 'on') }")
    wait(ben, "() => subscriber.element.classList.contains('OT_audio-only')")
    ann.evaluate("() => { OT.upgradeSystemRequirements(); subscriber.setStyle('buttonDisplayMode', 'on') }")
    wait(ann, "() => getComputedStyle(document.getElementById('OT_requirements')).position === 'fixed'")
    mask = "getComputedStyle(publisher.element.querySelector('.OT_mute'), '::before').maskImage"
    assert f"{server.url}/v2/css/icons/microphone-off.svg" in ann.evaluate(f"() => {mask}")

    assert [page.evaluate("() => violations") for page in (ann, ben)] == [[], []]


def test_the_policy_of_these_tests_is_one_that_bites(
    server: TertuliaServer, strict: Callable[..., str], open_page: Callable[[str], Page]
) -> None:
    page = open_page(strict("/strict-bare.html", "/v2/js/opentok.min.js", ""))

    join(server, page, server.create_session())

    wait(page, "() => violations.some(one => one.startsWith('style-src'))")


def overview(server: TertuliaServer) -> dict[str, dict[str, str]]:
    with urllib.request.urlopen(f"{server.url}/scripts", timeout=10) as answer:
        facts: dict[str, dict[str, str]] = json.load(answer)
        return facts


def pinning(server: TertuliaServer, pages: PageServer, path: str, integrity: str) -> str:
    """A page that loads the script at `path` and takes no other than the one with that hash."""
    pages.serve("/strict.js", PROGRAM, kind="text/javascript")
    return pages.serve(
        f"/pinning-{len(integrity)}{path.replace('/', '-')}.html",
        '<!doctype html><meta charset="utf-8"><title>pinned</title><script src="/strict.js"></script>'
        f'<script src="{server.url}{path}" integrity="{integrity}" crossorigin="anonymous" '
        'onerror="window.refused = true"></script><body><div id="me"></div><div id="them"></div></body>',
    )


@pytest.mark.parametrize("kind", ["path", "pinned"])
def test_a_page_on_another_origin_pins_the_script_by_its_hash(
    server: TertuliaServer, pages: PageServer, open_page: Callable[[str], Page], kind: str
) -> None:
    script = overview(server)["script"]
    page = open_page(pinning(server, pages, script[kind], script["integrity"]))

    join(server, page, server.create_session())

    assert page.evaluate("() => session.isConnected() && OT === TB")


def test_a_script_with_another_hash_is_refused(
    server: TertuliaServer, pages: PageServer, open_page: Callable[[str], Page]
) -> None:
    facts = overview(server)
    page = open_page(pinning(server, pages, facts["script"]["path"], facts["no_style"]["integrity"]))

    assert page.evaluate("() => [window.refused, typeof OT]") == [True, "undefined"]


def wait(page: Page, condition: str) -> None:
    """Playwright's own waiting evaluates text in the page, which the policy forbids."""
    held = page.evaluate(
        f"""async () => {{
            const end = performance.now() + {DEADLINE_MS};
            while (!({condition})()) {{
                if (performance.now() > end) return false;
                await new Promise((resume) => setTimeout(resume, 30));
            }}
            return true;
        }}"""
    )
    assert held, f"{condition} never held; against the policy: {page.evaluate('() => violations')}"

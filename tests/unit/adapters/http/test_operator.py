"""The projects page's own interface: who gets in, what is forged, and what an operator can do."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog

from tertulia.adapters.http import operator_access
from tertulia.adapters.http.operator_access import CSRF_HEADER, GUESSES_AT_ONCE, OperatorRules
from tertulia.domain.callbacks import CallbackGroup, DeliveryStatus, OutboxEntry
from tertulia.domain.project import Project, ProjectStatus
from tertulia.ids import ApiKey
from tertulia.services.sessions import JoinRequest
from tertulia.wire.tokens import verify_client_token
from tests.fakes.callbacks import MemoryCallbacks
from tests.fakes.socket import FakeSocket
from tests.unit.adapters.http.conftest import Server

PASSWORD = "correct horse battery staple"
ORIGIN = "https://video.example.org"
API = "/projects/api"
RULES = OperatorRules(b"k" * 32, password_hash="a hash")

Open = Callable[..., Any]


@pytest.fixture(autouse=True)
def _fast_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the cost of a real hash, which has tests of its own."""
    monkeypatch.setattr(
        operator_access, "is_password", lambda password, hashed: (password, hashed) == (PASSWORD, "a hash")
    )


@pytest.fixture
async def page(server: Server, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A browser on the page of a production server, not signed in yet."""
    server.operator = RULES
    async with await server.start(tmp_path / "playground.json", development=False) as client:
        client.base_url = httpx.URL(ORIGIN)
        client.headers["Origin"] = ORIGIN
        yield client


def outbox(server: Server) -> MemoryCallbacks:
    """Where the callbacks of these tests are kept."""
    assert isinstance(server.callbacks, MemoryCallbacks)
    return server.callbacks


async def sign_in(page: httpx.AsyncClient, password: str = PASSWORD) -> httpx.Response:
    answer = await page.post(f"{API}/sign-in", json={"password": password})
    if answer.status_code == 200:
        page.headers[CSRF_HEADER] = answer.json()["csrf"]
    return answer


@pytest.fixture
async def operator(page: httpx.AsyncClient) -> httpx.AsyncClient:
    """The same, signed in."""
    assert (await sign_in(page)).status_code == 200
    return page


async def test_nobody_gets_anything_before_signing_in(page: httpx.AsyncClient, server: Server) -> None:
    state = (await page.get(f"{API}/state")).json()
    assert state == {"signedIn": False, "csrf": None, "hasPassword": True}
    before = await server.projects.list()
    for method, path in (
        ("GET", "/projects"),
        ("POST", "/projects"),
        ("DELETE", "/projects/40012345"),
        ("POST", "/sign-out"),
    ):
        answer = await page.request(method, API + path, json={})
        assert answer.status_code == 401, path
        assert answer.headers["cache-control"] == "no-store"
    assert await server.projects.list() == before


async def test_the_password_gives_a_cookie_that_scripts_and_other_sites_cannot_use(page: httpx.AsyncClient) -> None:
    answer = await sign_in(page)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-tertulia=")
    for attribute in ("HttpOnly", "SameSite=strict", "Secure", "Path=/", "Max-Age=43200"):
        assert attribute.lower() in cookie.lower()
    assert "domain" not in cookie.lower()
    assert answer.headers["cache-control"] == "no-store"
    assert (await page.get(f"{API}/projects")).status_code == 200
    # A reload of the page learns the text that its requests must carry.
    assert (await page.get(f"{API}/state")).json()["csrf"] == answer.json()["csrf"]


async def test_a_wrong_password_is_refused_and_guesses_are_few(page: httpx.AsyncClient, server: Server) -> None:
    with structlog.testing.capture_logs() as logs:
        statuses = [(await sign_in(page, f"guess {number}")).status_code for number in range(GUESSES_AT_ONCE + 2)]
    assert statuses == [403] * GUESSES_AT_ONCE + [429] * 2
    assert "guess" not in json.dumps(logs)
    # The right one does not help either, until some time has passed.
    assert (await sign_in(page)).status_code == 429
    server.clock.advance(10)
    assert (await sign_in(page)).status_code == 200


async def test_a_cookie_ends_by_itself_with_the_password_and_with_signing_out(
    operator: httpx.AsyncClient, server: Server, tmp_path: Path
) -> None:
    copied = {"Cookie": "; ".join(f"{name}={value}" for name, value in operator.cookies.items())}
    server.operator = replace(RULES, password_hash="another hash")
    async with await server.start(tmp_path / "playground.json", development=False) as other:
        other.base_url = httpx.URL(ORIGIN)
        assert (await other.get(f"{API}/projects", headers=copied)).status_code == 401
    assert (await operator.post(f"{API}/sign-out", json={})).status_code == 204
    assert (await operator.get(f"{API}/projects", headers=copied)).status_code == 401
    await sign_in(operator)
    assert (await operator.get(f"{API}/projects")).status_code == 200
    server.clock.advance(RULES.signed_in_s)
    assert (await operator.get(f"{API}/projects")).status_code == 401


@pytest.mark.parametrize("forge", ["expires", "nonce", "signature", "nothing"])
async def test_a_forged_cookie_is_none(operator: httpx.AsyncClient, forge: str) -> None:
    [(name, value)] = operator.cookies.items()
    nonce, expires, signature = value.split(".")
    forged = {
        "expires": f"{nonce}.{int(expires) + 1}.{signature}",
        "nonce": f"{nonce[:-1]}{'y' if nonce[-1] == 'x' else 'x'}.{expires}.{signature}",
        "signature": f"{nonce}.{expires}.",
        "nothing": "..",
    }[forge]
    answer = await operator.get(f"{API}/projects", headers={"Cookie": f"{name}={forged}"})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "http://video.example.org"},
        {"Origin": "null"},
        {"Origin": ""},
        {CSRF_HEADER: ""},
        {CSRF_HEADER: "guessed"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
    ],
    ids=str,
)
async def test_a_forged_request_changes_nothing(
    operator: httpx.AsyncClient, server: Server, headers: dict[str, str]
) -> None:
    before = await server.projects.list()
    sent = {"Content-Type": "application/json", **headers}
    answer = await operator.post(f"{API}/projects", content=b'{"name":"forged"}', headers=sent)
    assert answer.status_code in (400, 403)
    assert await server.projects.list() == before


async def test_pages_of_other_origins_may_not_read(operator: httpx.AsyncClient) -> None:
    foreign = await operator.get(f"{API}/projects", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in foreign.headers
    preflight = await operator.options(
        f"{API}/projects", headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    )
    assert "access-control-allow-origin" not in preflight.headers


async def test_a_public_address_before_a_proxy_is_an_own_origin(server: Server, tmp_path: Path) -> None:
    server.operator = replace(RULES, public_url="https://public.example.org/")
    async with await server.start(tmp_path / "playground.json", development=False) as page:
        page.headers["Origin"] = "https://public.example.org"
        assert (await sign_in(page)).status_code == 200


async def test_without_a_password_nobody_gets_in(server: Server, tmp_path: Path) -> None:
    server.operator = OperatorRules(b"k" * 32)
    async with await server.start(tmp_path / "playground.json", development=False) as page:
        page.headers["Origin"] = "http://localhost:8080"
        assert (await page.get(f"{API}/state")).json() == {"signedIn": False, "csrf": None, "hasPassword": False}
        answer = await sign_in(page, "")
        assert answer.status_code == 403
        assert "tertulia password" in answer.json()["message"]


@pytest.mark.parametrize(
    ("headers", "is_home"),
    [
        ({}, True),
        ({"Host": "127.0.0.1:8080"}, True),
        ({"Host": "rebound.example:8080"}, False),
        ({"X-Forwarded-For": "203.0.113.9"}, False),
    ],
)
async def test_in_development_whoever_sits_here_is_signed_in(
    server: Server, tmp_path: Path, headers: dict[str, str], is_home: bool
) -> None:
    server.operator = OperatorRules(b"k" * 32, is_open=True)
    async with await server.start(tmp_path / "playground.json") as page:
        state = (await page.get(f"{API}/state", headers=headers)).json()
        assert state["signedIn"] is is_home
        assert (state["csrf"] is not None) is is_home


async def test_the_page_runs_nothing_but_its_own_script(page: httpx.AsyncClient) -> None:
    answer = await page.get("/projects")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    for name in ("try-v1", "try-v2"):
        assert name in (await page.get(f"/{name}")).text


async def test_a_project_lives_from_its_making_to_its_end(operator: httpx.AsyncClient, server: Server) -> None:
    made = await operator.post(f"{API}/projects", json={"name": " Acme "})
    assert made.status_code == 201
    project = made.json()
    assert re.fullmatch(r"[0-9a-f]{40}", project["apiSecret"])
    assert (project["name"], project["status"], project["isConfigured"]) == ("Acme", "ACTIVE", False)
    path = f"{API}/projects/{project['apiKey']}"
    changed = (
        await operator.patch(path, json={"name": "Renamed", "status": "SUSPENDED", "acceptKnownKeys": True})
    ).json()
    assert (changed["name"], changed["status"], changed["acceptKnownKeys"]) == ("Renamed", "SUSPENDED", True)
    rotated = (await operator.post(f"{path}/rotate", json={})).json()
    assert rotated["apiSecret"] != project["apiSecret"]
    assert rotated in (await operator.get(f"{API}/projects")).json()
    assert (await operator.delete(path)).status_code == 204
    assert (await operator.get(f"{path}/sessions")).status_code == 404
    assert await server.projects.find(project["apiKey"]) is None


async def test_a_project_is_made_with_known_credentials(operator: httpx.AsyncClient) -> None:
    wanted = {"name": "Kept", "apiKey": "40012345", "apiSecret": "9f2c4e6a8b0d1f3a5c7e9b1d3f5a7c9e0b2d4f68"}
    assert (await operator.post(f"{API}/projects", json=wanted)).json()["apiSecret"] == wanted["apiSecret"]
    again = await operator.post(f"{API}/projects", json=wanted)
    assert again.status_code == 400
    assert "already" in again.json()["message"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/projects", {"nam": "x"}),
        ("/projects", {"name": 7}),
        ("/projects", {"apiSecret": "weak"}),
        ("/projects/{key}/sessions", {"mediaMode": "direct"}),
        ("/projects/{key}/sessions", {"mediaMode": "relayed", "archiveMode": "always"}),
        ("/projects/{key}/sessions/{session}/tokens", {"role": "king"}),
        ("/projects/{key}/sessions/{session}/tokens", {"lifetimeS": 2_592_001}),
        ("/projects/{key}/sessions/{session}/tokens", {"data": "x" * 1001}),
    ],
)
async def test_what_is_not_lawful_is_refused_in_words(
    operator: httpx.AsyncClient, server: Server, path: str, body: dict[str, object]
) -> None:
    place = path.format(key=server.playground.project.api_key, session=server.playground.session_id)
    answer = await operator.post(API + place, json=body)
    assert answer.status_code == 400
    assert answer.json()["message"]


async def test_sessions_are_made_seen_and_emptied(operator: httpx.AsyncClient, server: Server) -> None:
    key = server.playground.project.api_key
    path = f"{API}/projects/{key}/sessions"
    made = (await operator.post(path, json={"mediaMode": "relayed"})).json()
    assert made["mediaMode"] == "relayed"
    session = f"{path}/{made['sessionId']}"
    assert (await operator.get(session)).json()["inside"] == []
    token = await operator.post(f"{session}/tokens", json={"role": "moderator", "data": "name=Ida", "format": "t1"})
    assert token.status_code == 201
    project = server.playground.project
    claims = verify_client_token(token.json()["token"], lambda _: project, server.clock.wall())
    assert (claims.session_id, claims.role, claims.connection_data) == (made["sessionId"], "moderator", "name=Ida")
    assert claims.expires_at_s * 1000 == token.json()["expiresAtMs"]

    socket = FakeSocket()
    attachment = await server.sessions.join(JoinRequest(token.json()["token"]), socket)
    live = (await operator.get(path)).json()
    assert [(one["sessionId"], one["connections"]) for one in live["live"]] == [(made["sessionId"], 1)]
    assert made["sessionId"] not in [one["sessionId"] for one in live["others"]]
    [person] = (await operator.get(session)).json()["inside"]
    assert (person["connectionId"], person["role"], person["data"]) == (
        attachment.connection_id,
        "moderator",
        "name=Ida",
    )
    assert (await operator.delete(f"{session}/connections/nobody")).status_code == 404
    assert (await operator.delete(f"{session}/connections/{person['connectionId']}")).status_code == 204
    assert (await operator.get(path)).json()["live"] == []


async def test_deleting_a_project_sends_everybody_out(operator: httpx.AsyncClient, server: Server) -> None:
    project = server.playground.project
    token = server.playground.tokens()["publisher"]
    socket = FakeSocket()
    await server.sessions.join(JoinRequest(token), socket)
    assert (await operator.delete(f"{API}/projects/{project.api_key}")).status_code == 204
    assert socket.end is not None
    assert await server.projects.find(project.api_key) is None


async def test_another_projects_session_is_not_shown(operator: httpx.AsyncClient, server: Server) -> None:
    other = await server.projects.create("other")
    path = f"{API}/projects/{other.api_key}/sessions/{server.playground.session_id}"
    assert (await operator.get(path)).status_code == 404
    assert (await operator.post(f"{path}/tokens", json={})).status_code == 404


async def test_no_token_is_made_of_a_suspended_project(operator: httpx.AsyncClient, server: Server) -> None:
    key = server.playground.project.api_key
    await server.projects.set_status(key, ProjectStatus.SUSPENDED)
    answer = await operator.post(f"{API}/projects/{key}/sessions/{server.playground.session_id}/tokens", json={})
    assert answer.status_code == 400
    assert "suspended" in answer.json()["message"]


async def test_a_configured_project_stays(operator: httpx.AsyncClient, server: Server) -> None:
    given = Project(ApiKey("40012345"), "9f2c4e6a8b0d1f3a5c7e9b1d3f5a7c9e0b2d4f68", "given")
    server.projects._configured = frozenset({given.api_key})
    await server.projects.provide(given)
    path = f"{API}/projects/{given.api_key}"
    assert (await operator.delete(path)).status_code == 400
    assert (await operator.post(f"{path}/rotate", json={})).status_code == 400
    found = await server.projects.find(given.api_key)
    assert found is not None
    assert found.status is ProjectStatus.ACTIVE


async def test_callbacks_are_set_and_what_failed_is_sent_again(operator: httpx.AsyncClient, server: Server) -> None:
    key = server.playground.project.api_key
    path = f"{API}/projects/{key}"
    wanted = {"group": "connection", "event": "created", "url": "https://app.example.org/events"}
    made = (await operator.post(f"{path}/callbacks", json=wanted)).json()
    assert {name: made[name] for name in wanted} == wanted
    assert len(made["secret"]) == 40
    listed = (await operator.get(f"{path}/callbacks")).json()
    assert listed["callbacks"] == [made]
    assert listed["events"]["stream"] == ["created", "destroyed"]

    session_id = server.playground.session_id
    entry = OutboxEntry("event", key, CallbackGroup.CONNECTION, "created", "connectionCreated", "{}")
    for _ in range(3):
        outbox(server).put(session_id, server.clock.wall(), entry)
    for number, status in ((1, DeliveryStatus.DELIVERED), (2, DeliveryStatus.SET_ASIDE), (3, DeliveryStatus.DEAD)):
        outbox(server).deliveries[number] = replace(
            outbox(server).deliveries[number], status=status, attempts=5, last_status=400
        )
    newest = (await operator.get(f"{path}/deliveries")).json()
    assert [(one["id"], one["status"]) for one in newest] == [(3, "dead"), (2, "set_aside"), (1, "delivered")]
    assert newest[0] == {
        "id": 3,
        "name": "connectionCreated",
        "url": wanted["url"],
        "sessionId": session_id,
        "status": "dead",
        "createdAtMs": server.clock.wall(),
        "attempts": 5,
        "lastStatus": 400,
        "lastError": None,
    }
    assert [one["id"] for one in (await operator.get(f"{path}/deliveries?status=set_aside")).json()] == [2]
    assert [one["id"] for one in (await operator.get(f"{path}/deliveries?before=3")).json()] == [2, 1]
    assert (await operator.post(f"{path}/deliveries/2/replay", json={})).json()["status"] == "pending"
    assert (await operator.post(f"{path}/deliveries/2/replay", json={})).status_code == 400
    assert (await operator.post(f"{path}/deliveries/replay", json={})).json() == {"replayed": 1}

    other = await server.projects.create("other")
    assert (await operator.post(f"{API}/projects/{other.api_key}/deliveries/1/replay", json={})).status_code == 404
    assert (await operator.delete(f"{API}/projects/{other.api_key}/callbacks/{made['id']}")).status_code == 404
    assert (await operator.delete(f"{path}/callbacks/{made['id']}")).status_code == 204
    assert (await operator.get(f"{path}/callbacks")).json()["callbacks"] == []


@pytest.mark.parametrize(
    "wanted",
    [
        {"group": "connection", "event": "status", "url": "https://app.example.org/"},
        {"group": "rain", "event": "created", "url": "https://app.example.org/"},
        {"group": "stream", "event": "created", "url": "ftp://app.example.org/"},
        {"group": "stream", "event": "created", "url": "http://169.254.169.254/"},
        {"group": "stream", "event": "created"},
    ],
    ids=str,
)
async def test_a_callback_that_goes_nowhere_is_refused(
    operator: httpx.AsyncClient, server: Server, wanted: dict[str, str]
) -> None:
    path = f"{API}/projects/{server.playground.project.api_key}/callbacks"
    assert (await operator.post(path, json=wanted)).status_code == 400
    assert outbox(server).callbacks == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/deliveries?before=9999999999999999999", 400),
        ("GET", "/deliveries?before=-1", 400),
        ("GET", "/deliveries?status=lost", 400),
        ("POST", "/deliveries/9999999999999999999/replay", 404),
        ("POST", "/deliveries/x/replay", 404),
        ("POST", "/deliveries/7/replay", 404),
    ],
)
async def test_a_delivery_that_cannot_be_is_refused(
    operator: httpx.AsyncClient, server: Server, method: str, path: str, status: int
) -> None:
    place = f"{API}/projects/{server.playground.project.api_key}{path}"
    assert (await operator.request(method, place, json={})).status_code == status


async def test_nothing_is_registered_for_a_project_that_there_is_not(
    operator: httpx.AsyncClient, server: Server
) -> None:
    wanted = {"group": "stream", "event": "created", "url": "https://app.example.org/"}
    assert (await operator.post(f"{API}/projects/99999999/callbacks", json=wanted)).status_code == 404
    assert outbox(server).callbacks == []

"""The REST API as the official server SDKs meet it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from tertulia.adapters.http.rest_access import AccessRules
from tertulia.domain.project import Project, ProjectStatus
from tertulia.domain.roles import Role
from tertulia.services.sessions import JoinRequest
from tertulia.wire import signalling
from tests.fakes.socket import FakeSocket
from tests.unit.adapters.http.conftest import STORES, Server

STRANGER = "2_MX40MDAxMjM0NX5-MTc2NzIyNTYwMDAwMH5rM0p0OVF3Wng3TG1OMnBSdjhzWWI0VWF-fg"


@pytest.fixture(params=STORES)
def store_kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


def authentication(server: Server, project: Project | None = None, **changes: Any) -> dict[str, str]:
    project = project or server.playground.project
    now_s = server.clock.wall() // 1000
    claims = {"iss": project.api_key, "ist": "project", "iat": now_s, "exp": now_s + 180, **changes}
    return {"X-OPENTOK-AUTH": jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(project.api_secret))}


def session_path(server: Server, session_id: str | None = None) -> str:
    return f"/v2/project/{server.playground.project.api_key}/session/{session_id or server.playground.session_id}"


async def arrive(server: Server) -> tuple[str, FakeSocket]:
    socket = FakeSocket()
    attachment = await server.sessions.join(JoinRequest(server.playground.token(Role.PUBLISHER)), socket)
    return attachment.connection_id, socket


@pytest.mark.parametrize("path", ["/session/create", "//session/create", "/session/create/", "/hl/session/create"])
async def test_a_session_is_created_at_every_spelling_of_the_address(
    server: Server, client: httpx.AsyncClient, path: str
) -> None:
    headers = {**authentication(server), "Accept": "application/json"}
    answer = await client.post(f"http://localhost:8080{path}", headers=headers)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    (made,) = answer.json()
    assert made["project_id"] == server.playground.project.api_key
    assert await server.sessions.records.find(made["session_id"]) is not None


@pytest.mark.parametrize("accept", [None, "*/*", "text/xml"])
async def test_whoever_does_not_ask_for_json_gets_xml(
    server: Server, client: httpx.AsyncClient, accept: str | None
) -> None:
    client.headers.pop("accept")
    headers = authentication(server) | ({"Accept": accept} if accept else {})
    answer = await client.post("/session/create", data={"p2p.preference": "enabled"}, headers=headers)

    assert answer.headers["content-type"] == "text/xml"
    assert answer.text.startswith("<?xml")
    assert "<session_id>1_" in answer.text


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({}, "No suitable authentication found"),
        ({"X-OPENTOK-AUTH": "nonsense"}, "malformed"),
        ({"X-TB-PARTNER-AUTH": "40012345:secret"}, "No suitable authentication found"),
    ],
)
async def test_nobody_else_is_served(client: httpx.AsyncClient, headers: dict[str, str], message: str) -> None:
    answer = await client.post("/session/create", headers=headers)

    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["code"] == -1
    assert message in answer.json()["message"]


async def test_an_accounts_token_is_for_other_endpoints(server: Server, client: httpx.AsyncClient) -> None:
    answer = await client.post("/session/create", headers=authentication(server, ist="account"))

    assert answer.status_code == 403


async def test_a_clients_token_opens_no_endpoint(server: Server, client: httpx.AsyncClient) -> None:
    token = server.playground.token(Role.MODERATOR)
    answer = await client.post(session_path(server) + "/signal", headers={"X-OPENTOK-AUTH": token})

    assert answer.status_code == 403
    # What else could be said of it, that it lives too long, would be taken for the reason.
    assert answer.json()["message"] == "This is a client token; it opens no REST endpoint."


async def test_the_key_that_php_posts_must_be_its_own(server: Server, client: httpx.AsyncClient) -> None:
    headers = authentication(server)
    own = {"api_key": server.playground.project.api_key}

    assert (await client.post("/session/create", data=own, headers=headers)).status_code == 200
    assert (await client.post("/session/create", data={"api_key": "99999999"}, headers=headers)).status_code == 403


async def test_an_unlawful_session_is_refused_in_json_for_everybody(server: Server, client: httpx.AsyncClient) -> None:
    answer = await client.post("/session/create", data={"location": "home"}, headers=authentication(server))

    assert answer.status_code == 400
    assert answer.json()["code"] == 400
    assert "location" in answer.json()["message"]


async def test_a_body_without_end_is_cut_off(server: Server, client: httpx.AsyncClient) -> None:
    headers = authentication(server)
    creating = await client.post("/session/create", content=b"a" * 70_000, headers=headers)
    signalling = await client.post(session_path(server) + "/signal", content=b"a" * 70_000, headers=headers)

    assert (creating.status_code, signalling.status_code) == (400, 413)


async def test_a_forced_disconnection_ends_that_connection_alone(server: Server, client: httpx.AsyncClient) -> None:
    kicked, kicked_socket = await arrive(server)
    _, witness = await arrive(server)
    path = f"{session_path(server)}/connection/{kicked}"

    answer = await client.delete(path, headers={**authentication(server), "Content-Type": "application/json"})

    assert (answer.status_code, answer.content) == (204, b"")
    assert kicked_socket.messages[-1] == signalling.Disconnected("forceDisconnected")
    assert witness.messages[-1] == signalling.ConnectionDestroyed(kicked, "forceDisconnected")
    assert (await client.delete(path, headers=authentication(server))).status_code == 404


@pytest.mark.parametrize(
    "body", [{"type": "chat", "data": "hello"}, {"type": None, "data": "hello"}, {"data": "hello"}]
)
async def test_a_signal_reaches_everybody_and_has_no_sender(
    server: Server, client: httpx.AsyncClient, body: dict[str, Any]
) -> None:
    _, ann = await arrive(server)
    _, bob = await arrive(server)

    answer = await client.post(session_path(server) + "/signal", json=body, headers=authentication(server))

    assert answer.status_code == 204
    for socket in (ann, bob):
        assert socket.messages[-1] == signalling.Signal(None, body.get("type"), "hello")


async def test_a_signal_to_one_reaches_nobody_else(server: Server, client: httpx.AsyncClient) -> None:
    receiver, ann = await arrive(server)
    _, bob = await arrive(server)
    path = f"{session_path(server)}/connection/{receiver}/signal"

    answer = await client.post(path, json={"data": "psst"}, headers=authentication(server))

    assert answer.status_code == 204
    assert ann.messages[-1] == signalling.Signal(None, None, "psst")
    assert not any(isinstance(message, signalling.Signal) for message in bob.messages)


@pytest.mark.parametrize(
    ("body", "status"),
    [({"type": 1}, 400), ({"type": "no spaces"}, 400), ({"data": "x" * 8193}, 413), ({"type": "x" * 129}, 413)],
)
async def test_a_bad_signal_is_refused(
    server: Server, client: httpx.AsyncClient, body: dict[str, Any], status: int
) -> None:
    _, witness = await arrive(server)
    before = len(witness.frames)

    answer = await client.post(session_path(server) + "/signal", json=body, headers=authentication(server))

    assert answer.status_code == status
    assert isinstance(answer.json()["message"], str)
    assert len(witness.frames) == before


async def test_a_signal_to_nobody_is_not_found(server: Server, client: httpx.AsyncClient) -> None:
    answer = await client.post(session_path(server) + "/signal", json={}, headers=authentication(server))

    assert answer.status_code == 404


async def test_sessions_of_others_cannot_be_told_from_unknown_ones(server: Server, client: httpx.AsyncClient) -> None:
    other = await server.projects.create("other")
    headers = authentication(server, other)
    foreign = f"/v2/project/{other.api_key}/session/{server.playground.session_id}/signal"
    unknown = f"/v2/project/{other.api_key}/session/{STRANGER}/signal"
    answers = [await client.post(path, json={}, headers=headers) for path in (foreign, unknown)]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].json() == answers[1].json()


async def test_the_path_must_name_the_tokens_project(server: Server, client: httpx.AsyncClient) -> None:
    other = await server.projects.create("other")
    answer = await client.post(session_path(server) + "/signal", json={}, headers=authentication(server, other))

    assert answer.status_code == 403


async def test_what_is_no_session_id_has_its_own_code(server: Server, client: httpx.AsyncClient) -> None:
    answer = await client.post(session_path(server, "nonsense") + "/signal", headers=authentication(server))

    assert (answer.status_code, answer.json()["code"]) == (400, 10101)


async def test_the_retired_header_is_taken_only_where_the_operator_allows_it(server: Server, tmp_path: Path) -> None:
    server.rules = AccessRules(partner_auth=True)
    async with await server.start(tmp_path / "playground.json") as client:
        project = server.playground.project
        sleeping = await server.projects.create("sleeping")
        await server.projects.set_status(sleeping.api_key, ProjectStatus.SUSPENDED)
        for value, status in (
            (f"{project.api_key}:{project.api_secret}", 200),
            (f"{project.api_key}:{'0' * 40}", 403),
            (f"{project.api_key}:", 403),
            (project.api_key, 403),
            (":", 403),
            (f"99999999:{project.api_secret}", 403),
            (f"{sleeping.api_key}:{sleeping.api_secret}", 403),
        ):
            answer = await client.post("/session/create", headers={"X-TB-PARTNER-AUTH": value})
            assert (answer.status_code, value) == (status, value)
            assert project.api_secret not in answer.text

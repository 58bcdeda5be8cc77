"""Two projects that try everything on each other; and the routes against their description."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from tertulia.adapters.http.rest import rest_routes
from tertulia.services.callbacks import Callbacks
from tests import openapi
from tests.fakes.ids import CountingIds
from tests.openapi import Operation
from tests.unit.adapters.http.conftest import Server
from tests.unit.adapters.http.test_rest import STRANGER, arrive, authentication

OPERATIONS = openapi.operations()
OF_SESSIONS = [
    one for one in OPERATIONS if "{session}" in one.path or "sessionId" in (one.body or {}).get("required", ())
]
OF_PROJECTS = [one for one in OPERATIONS if "{key}" in one.path and "security" not in one.about]
LAWFUL: dict[str, dict[str, Any]] = {
    "setLayoutClasses": {"items": [{"id": "STREAM", "layoutClassList": ["focus"]}]},
    "setLayoutClassesOfOne": {"layoutClassList": ["focus"]},
    "muteAll": {"active": True},
    "playTonesToAll": {"digits": "1"},
    "playTonesToOne": {"digits": "1"},
    "startBroadcast": {"outputs": {"hls": {}}},
    "dial": {"sip": {"uri": "sip:a@example.net"}},
    "connectAudio": {"websocket": {"uri": "wss://a.example.net/in"}},
    "startRender": {"url": "https://app.example.org/stage"},
    "setArchiveStorage": {"type": "s3", "config": {"accessKey": "a", "secretKey": "b", "bucket": "c"}},
    "setArchiveLayout": {"type": "pip"},
    "setBroadcastLayout": {"type": "pip"},
    "changeArchiveStreams": {"addStream": "s"},
    "changeBroadcastStreams": {"addStream": "s"},
}
"""Bodies against which nothing speaks but whose session it is."""


def body_of(operation: Operation, session_id: str) -> dict[str, Any]:
    return {"sessionId": session_id, "token": "token", **LAWFUL.get(operation.name, {})}


@pytest.mark.parametrize("operation", OF_SESSIONS, ids=lambda one: one.name)
async def test_a_session_of_another_project_is_as_unknown_as_one_that_nobody_made(
    server: Server, client: httpx.AsyncClient, operation: Operation
) -> None:
    present, socket = await arrive(server)
    before = len(socket.frames)
    other = await server.projects.create("other")
    answers = []
    for session_id in (server.playground.session_id, STRANGER):
        path = operation.path.format(key=other.api_key, session=session_id, connection=present, stream=present)
        answers.append(
            await client.request(
                operation.method, path, json=body_of(operation, session_id), headers=authentication(server, other)
            )
        )
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].content == answers[1].content
    assert {*answers[0].headers.items()} == {*answers[1].headers.items()}
    assert len(socket.frames) == before


@pytest.mark.parametrize("operation", OF_PROJECTS, ids=lambda one: one.name)
async def test_nobody_is_served_in_the_name_of_another_project(
    server: Server, client: httpx.AsyncClient, operation: Operation
) -> None:
    other = await server.projects.create("other")
    own = server.playground.project
    words = {name: "x" for name in re.findall(r"\{(\w+)\}", operation.path)} | {"session": server.playground.session_id}
    body = body_of(operation, server.playground.session_id)
    told = set()
    for key in (own.api_key, "49999999"):
        path = operation.path.format(**words | {"key": key})
        answer = await client.request(operation.method, path, json=body, headers=authentication(server, other))
        assert answer.status_code == 403
        told.add(answer.content)
    assert len(told) == 1, "whether the other project exists is nobody's matter"


def test_every_route_is_described_and_everything_described_has_a_route(server: Server) -> None:
    routes = rest_routes(
        server.sessions,
        server.projects,
        Callbacks(server.callbacks, CountingIds(), server.clock),
        server.clock,
        server.rules,
    )
    served = {
        (method, re.sub(r"\{[^}]+\}", "{}", route.path.replace("{owner:owner}", "project")))
        for route in routes
        for method in (route.methods or set()) - {"HEAD"}
    }
    described = {
        (one.method, re.sub(r"\{[^}]+\}", "{}", path))
        for one in OPERATIONS
        for path in (one.path, *one.about.get("x-also", {}))
    }
    assert served == described


async def test_the_description_is_served_for_programs(server: Server, client: httpx.AsyncClient) -> None:
    folder = Path(server.docs) / "reference" / "api"
    folder.mkdir(parents=True)
    (folder / "openapi.json").write_text('{"openapi": "3.1.0"}')
    answer = await client.get("/docs/reference/api/openapi.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json()["openapi"] == "3.1.0"

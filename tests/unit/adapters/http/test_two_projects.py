"""Two projects on one server, each of which tries everything on the other's session: not found, and never a hint.

Whatever one asks about the other's session is answered to the byte as if the session had never been made, and changes
nothing there.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, cast

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from tertulia.adapters.http.rest_access import PROJECT
from tertulia.domain.project import Project
from tertulia.errors import TertuliaError
from tertulia.services.callbacks import Callbacks
from tertulia.services.sessions import Attachment, JoinRequest
from tertulia.wire import signalling
from tertulia.wire.tokens import encode_jwt, encode_t1
from tests.fakes.ids import CountingIds
from tests.fakes.socket import FakeSocket
from tests.unit.adapters.http.conftest import Server, ask, publish
from tests.unit.adapters.http.test_rest import STRANGER, authentication

STARTS = {f"{PROJECT}/{what}" for what in ("archive", "broadcast", "dial", "call", "captions", "connect", "render")}
"""Routes whose body names a session when they are posted to."""
LISTS = {f"{PROJECT}/archive", f"{PROJECT}/broadcast"}
"""Routes whose query may name a session when they are read."""
UNKNOWN_CONNECTION = "b7d0a3c2-0000-4000-8000-000000000000"
UNKNOWN_CALLBACK = "d2b1a0c4-0000-4000-8000-000000000000"
UNKNOWN_STREAM = "7c1f0000-0000-4000-8000-000000000000"


@dataclass(frozen=True)
class House:
    """A project with a session in which one client publishes."""

    project: Project
    session_id: str
    stream_id: str
    callback_id: str
    attachment: Attachment
    socket: FakeSocket
    numbers: itertools.count[int]
    """Of its client's next requests."""


@dataclass(frozen=True)
class Target:
    """What a request is about."""

    session_id: str
    connection_id: str
    stream_id: str
    callback_id: str


async def move_in(server: Server, project: Project, ids: CountingIds) -> House:
    session = await server.sessions.records.create(
        project.api_key, media_mode="routed", archive_mode="manual", location=None, e2ee=False
    )
    socket = FakeSocket()
    attachment = await server.sessions.join(JoinRequest(token(server, project, session.session_id)), socket)
    numbers = itertools.count(1)
    stream_id = await publish(server, attachment, socket, next(numbers), "Secret")
    callback = await callbacks(server, ids).register(
        project.api_key, "connection", "created", "https://a.example/secret"
    )
    return House(project, session.session_id, stream_id, callback.callback_id, attachment, socket, numbers)


def callbacks(server: Server, ids: CountingIds) -> Callbacks:
    return Callbacks(server.callbacks, ids, server.clock)


def token(server: Server, project: Project, session_id: str, *, old_format: bool = False) -> str:
    encode = encode_t1 if old_format else encode_jwt
    return encode(
        api_key=project.api_key,
        api_secret=project.api_secret,
        session_id=session_id,
        created_at_s=server.clock.wall() // 1000,
        role="moderator",
    )


@pytest.fixture(params=["sqlite", "postgresql"])
def store_kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture
async def attack(store_kind: str, server: Server, client: httpx.AsyncClient) -> AsyncIterator[tuple[House, House]]:
    """The attacker and the victim, who notices nothing of anything."""
    server.router.connect(server.sessions.router_reports)
    # The most generous kind of project, in case that kindness went too far.
    projects = [server.playground.project, await server.projects.create("other", accept_known_keys=True)]
    ids = CountingIds()
    houses = [await move_in(server, project, ids) for project in projects]
    attacker, victim = reversed(houses) if store_kind == "sqlite" else houses
    seen, present = list(victim.socket.frames), await server.sessions.records.inhabitants(victim.session_id)

    yield attacker, victim

    # What would have reached the victim came before this does.
    await ask(server, victim.attachment, victim.socket, next(victim.numbers), signalling.Unsubscribe(99))
    victim.socket.frames.pop()
    assert victim.socket.frames == seen
    assert victim.socket.end is None
    assert await server.sessions.records.inhabitants(victim.session_id) == present
    left = await callbacks(server, ids).list(victim.project.api_key)
    assert [callback.callback_id for callback in left] == [victim.callback_id]


def routes(server: Server) -> list[tuple[str, str]]:
    """Method and path of every route below a project."""
    application = cast("Starlette", server.application)
    return [
        (method, route.path)
        for route in application.routes
        if isinstance(route, Route) and route.path.startswith(PROJECT + "/") and not route.path.endswith("Secret")
        for method in sorted((route.methods or set()) - {"HEAD"})
    ]


def body(target: Target) -> dict[str, Any]:
    """Everything that any route wants to know."""
    return {
        "sessionId": target.session_id,
        "token": "token",
        "items": [{"id": target.stream_id, "layoutClassList": ["wide"]}],
        "layoutClassList": ["wide"],
        "digits": "1",
        "active": True,
        "excludedStreamIds": [target.stream_id],
        "data": "hello",
        "outputs": {"hls": {}},
        "sip": {"uri": "sip:ida@example.net"},
        "websocket": {"uri": "wss://asr.example.net/in"},
        "url": "https://app.example.org/stage",
    }


async def answer(
    client: httpx.AsyncClient, method: str, path: str, headers: dict[str, str], api_key: str, target: Target
) -> tuple[int, dict[str, str], bytes]:
    filled = path.replace("{owner:owner}", "project").format_map(
        {
            "api_key": api_key,
            "session_id": target.session_id,
            "connection_id": target.connection_id,
            "stream_id": target.stream_id,
            "id": target.callback_id,
        }
    )
    query = {"sessionId": target.session_id} if path in LISTS and method == "GET" else {}
    got = await client.request(method, filled, headers=headers, params=query, json=body(target))
    return got.status_code, dict(got.headers), got.content


async def test_no_route_tells_anothers_session_from_one_that_was_never_made(
    server: Server, client: httpx.AsyncClient, attack: tuple[House, House]
) -> None:
    attacker, victim = attack
    own = authentication(server, attacker.project)
    theirs = Target(victim.session_id, victim.attachment.connection_id, victim.stream_id, victim.callback_id)
    nobodys = Target(STRANGER, UNKNOWN_CONNECTION, UNKNOWN_STREAM, UNKNOWN_CALLBACK)
    tried = routes(server)
    for method, path in tried:
        got = await answer(client, method, path, own, attacker.project.api_key, theirs)
        assert got == await answer(client, method, path, own, attacker.project.api_key, nobodys), (method, path)
        names_session = "{session_id}" in path or (path in STARTS and method == "POST") or path in LISTS
        assert got[0] == 404 or not names_session, (method, path, got)
        assert b"Secret" not in got[2]
        assert victim.callback_id.encode() not in got[2]
    assert len(tried) > 25
    assert {path for method, path in tried if method == "POST"} >= STARTS


async def test_ids_of_anothers_clients_and_streams_are_unknown_in_the_own_session(
    server: Server, client: httpx.AsyncClient, attack: tuple[House, House]
) -> None:
    attacker, victim = attack
    own = authentication(server, attacker.project)
    theirs = Target(attacker.session_id, victim.attachment.connection_id, victim.stream_id, victim.callback_id)
    nobodys = Target(attacker.session_id, UNKNOWN_CONNECTION, UNKNOWN_STREAM, UNKNOWN_CALLBACK)
    for method, path in routes(server):
        if "{session_id}/connection/{" in path or "{session_id}/stream/{" in path:
            got = await answer(client, method, path, own, attacker.project.api_key, theirs)
            assert got == await answer(client, method, path, own, attacker.project.api_key, nobodys), (method, path)
            assert 400 <= got[0] < 500, (method, path, got)


async def test_the_path_of_another_project_is_closed_whether_it_exists_or_not(
    server: Server, client: httpx.AsyncClient, attack: tuple[House, House]
) -> None:
    attacker, victim = attack
    own = authentication(server, attacker.project)
    theirs = Target(victim.session_id, victim.attachment.connection_id, victim.stream_id, victim.callback_id)
    for method, path in routes(server):
        got = await answer(client, method, path, own, victim.project.api_key, theirs)
        assert got == await answer(client, method, path, own, "99999999", theirs), (method, path)
        assert got[0] == 403, (method, path, got)


@pytest.mark.parametrize("old_format", [False, True], ids=["JWT", "T1"])
async def test_a_token_of_one_project_does_not_open_the_others_session(
    server: Server, attack: tuple[House, House], old_format: bool
) -> None:
    attacker, victim = attack
    refusals = []
    for session_id in (victim.session_id, STRANGER):
        forged = token(server, attacker.project, session_id, old_format=old_format)
        with pytest.raises(TertuliaError) as caught:
            await server.sessions.join(JoinRequest(forged), FakeSocket())
        refusals.append((type(caught.value), caught.value.message))
    assert refusals[0] == refusals[1]


async def test_a_client_reaches_nobody_and_nothing_of_the_others_session(
    server: Server, attack: tuple[House, House]
) -> None:
    attacker, victim = attack

    async def errors(connection_id: str, stream_id: str) -> list[signalling.Error | None]:
        told = list[signalling.Error | None]()
        for message in (
            signalling.Subscribe(stream_id=stream_id, audio=True, video=True),
            signalling.UpdateStream(stream_id=stream_id, has_audio=False),
            signalling.Unpublish(stream_id=stream_id),
            signalling.ForceUnpublish(stream_id=stream_id),
            signalling.ForceMuteStream(stream_id=stream_id),
            signalling.ForceDisconnect(connection_id=connection_id),
            signalling.SendSignal(to=connection_id, data="hello"),
        ):
            told.append(
                (await ask(server, attacker.attachment, attacker.socket, next(attacker.numbers), message)).error
            )
        return told

    told = await errors(victim.attachment.connection_id, victim.stream_id)
    assert told == await errors(UNKNOWN_CONNECTION, UNKNOWN_STREAM)
    assert len(told) == 7
    assert None not in told

"""The REST API's view of live sessions, and its answers for features that are not there."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec
import pytest

from tertulia.domain.roles import Role
from tertulia.services.sessions import JoinRequest
from tertulia.wire import signalling
from tests.fakes.socket import FakeSocket
from tests.unit.adapters.http.conftest import Server, publish
from tests.unit.adapters.http.test_rest import STRANGER, arrive, authentication, session_path


@pytest.fixture(params=["sqlite", "postgresql"])
def store_kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture
async def publisher(server: Server, client: httpx.AsyncClient) -> tuple[str, str, FakeSocket]:
    """Somebody who publishes: connection id, stream id, socket."""
    server.router.connect(server.sessions.router_reports)
    socket = FakeSocket()
    attachment = await server.sessions.join(JoinRequest(server.playground.token(Role.PUBLISHER)), socket)
    about: dict[str, Any] = {"has_video": True, "video_mid": "v", "video_type": "screen"}
    stream_id = await publish(server, attachment, socket, 1, "Desk", **about)
    return attachment.connection_id, stream_id, socket


async def test_streams_are_listed_with_nothing_that_a_strict_reader_does_not_know(
    server: Server, client: httpx.AsyncClient, publisher: tuple[str, str, FakeSocket]
) -> None:
    _, stream_id, _ = publisher
    for path in ("/stream", "/stream/"):
        answer = await client.get(session_path(server) + path, headers=authentication(server))
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        assert answer.json() == {
            "count": 1,
            "items": [{"id": stream_id, "videoType": "screen", "name": "Desk", "layoutClassList": []}],
        }


async def test_a_session_without_streams_has_an_empty_list(server: Server, client: httpx.AsyncClient) -> None:
    answer = await client.get(session_path(server) + "/stream", headers=authentication(server))
    assert (answer.status_code, answer.json()) == (200, {"count": 0, "items": []})


async def test_one_stream_is_described_and_an_unknown_one_is_a_408(
    server: Server, client: httpx.AsyncClient, publisher: tuple[str, str, FakeSocket]
) -> None:
    _, stream_id, _ = publisher
    headers = authentication(server)
    known = await client.get(f"{session_path(server)}/stream/{stream_id}", headers=headers)
    unknown = await client.get(f"{session_path(server)}/stream/nobody", headers=headers)
    node = await client.get(
        f"{session_path(server)}/stream/{stream_id}", headers={**headers, "User-Agent": "OpenTok-Node-SDK/2.23.2"}
    )

    assert known.json()["name"] == "Desk"
    assert known.headers["content-type"] == "application/json"
    assert (unknown.status_code, unknown.json()["code"]) == (408, 408)
    assert node.headers["content-type"] == "Application/JSON"


async def test_connections_are_listed(server: Server, client: httpx.AsyncClient) -> None:
    connection_id, _ = await arrive(server)
    answer = await client.get(session_path(server) + "/connection", headers=authentication(server))

    assert answer.json() == {
        "count": 1,
        "projectId": server.playground.project.api_key,
        "sessionId": server.playground.session_id,
        "items": [{"connectionId": connection_id, "connectionState": "Connected", "createdAt": server.clock.wall()}],
    }


async def test_a_stream_is_muted(
    server: Server, client: httpx.AsyncClient, publisher: tuple[str, str, FakeSocket]
) -> None:
    _, stream_id, socket = publisher
    headers = authentication(server)
    answer = await client.post(f"{session_path(server)}/stream/{stream_id}/mute", headers=headers)

    assert answer.status_code == 200
    assert answer.json()["id"] == server.playground.project.api_key
    assert server.playground.project.api_secret not in answer.text
    assert [type(message) for message in socket.messages].count(signalling.StreamMuted) == 1
    assert (await client.post(f"{session_path(server)}/stream/nobody/mute", headers=headers)).status_code == 404


@pytest.mark.parametrize(
    ("body", "muted"),
    [
        ({"active": True}, True),
        ({"active": "true"}, True),
        (None, True),
        ({"active": True, "excludedStreamIds": ["STREAM"]}, False),
        ({"active": True, "excludedStreams": ["STREAM"]}, False),
        ({"active": "True", "excudedStreamIds": ["STREAM"]}, False),
        ({"active": False}, False),
        ({"active": "false"}, False),
    ],
)
async def test_all_are_muted_but_the_excluded_however_an_sdk_spells_it(
    server: Server,
    client: httpx.AsyncClient,
    publisher: tuple[str, str, FakeSocket],
    body: dict[str, Any] | None,
    muted: bool,
) -> None:
    _, stream_id, socket = publisher
    given = {name: [stream_id] if value == ["STREAM"] else value for name, value in (body or {}).items()}
    answer = await client.post(
        session_path(server) + "/mute", json=None if body is None else given, headers=authentication(server)
    )

    assert answer.status_code == 200
    assert any(isinstance(message, signalling.StreamMuted) for message in socket.messages) is muted


@pytest.mark.parametrize(
    "body", [{"excludedStreamIds": []}, {"active": "maybe"}, {"active": True, "excludedStreams": "x"}, [True]]
)
async def test_a_muting_that_says_nothing_clear_is_refused(
    server: Server, client: httpx.AsyncClient, body: Any
) -> None:
    answer = await client.post(session_path(server) + "/mute", json=body, headers=authentication(server))
    assert answer.status_code == 400


@pytest.mark.parametrize(("digits", "status"), [("1713p#*", 404), ("12a", 400), ("", 400), ("1" * 1001, 400), (5, 400)])
async def test_tones_are_checked_and_find_no_sip_connection(
    server: Server, client: httpx.AsyncClient, digits: Any, status: int
) -> None:
    for path in ("/play-dtmf", "/connection/somebody/play-dtmf"):
        answer = await client.post(session_path(server) + path, json={"digits": digits}, headers=authentication(server))
        assert (answer.status_code, answer.json()["code"]) == (status, status)


ROUTES = [
    ("GET", "/stream"),
    ("GET", "/stream/s"),
    ("PUT", "/stream"),
    ("PUT", "/stream/s"),
    ("POST", "/stream/s/mute"),
    ("POST", "/mute"),
    ("GET", "/connection"),
    ("POST", "/play-dtmf"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_every_route_checks_who_asks_and_about_what(
    server: Server, client: httpx.AsyncClient, method: str, path: str
) -> None:
    other = await server.projects.create("other")
    theirs = f"/v2/project/{other.api_key}/session/"
    own = authentication(server)
    body = {"digits": "1"}
    asked = [
        await client.request(method, session_path(server) + path, json=body),
        await client.request(method, session_path(server) + path, json=body, headers=authentication(server, other)),
        await client.request(method, session_path(server, "nonsense") + path, json=body, headers=own),
        await client.request(method, session_path(server, STRANGER) + path, json=body, headers=own),
        await client.request(
            method,
            theirs + server.playground.session_id + path,
            json=body,
            headers=authentication(server, other),
        ),
    ]
    assert [answer.status_code for answer in asked] == [403, 403, 400, 404, 404]
    assert asked[2].json()["code"] == 10101
    assert asked[3].json() == asked[4].json()


def started(server: Server, **more: Any) -> dict[str, Any]:
    return {"sessionId": server.playground.session_id, "token": "token", **more}


WISHES: list[tuple[str, dict[str, Any], str]] = [
    ("/dial", {"sip": {"uri": "sip:a@example.net", "headers": {"X-Case": "1"}, "secure": "false"}}, "SIP"),
    ("/call", {"sip": {"uri": "sip:a@example.net", "secure": True}}, "SIP"),
    ("/captions", {"languageCode": "en-US", "maxDuration": 14400.0, "statusCallbackUrl": None}, "captions"),
    ("/connect", {"websocket": {"uri": "wss://a.example.net", "streams": []}}, "audio connector"),
    (
        "/connect",
        {"websocket": {"uri": "wss://a.example.net", "audioTransport": '{"transport":"json"}', "audioRate": 16000}},
        "audio connector",
    ),
    ("/render", {"url": "https://app.example.org/stage", "properties": None, "maxDuration": 1800}, "render"),
]


@pytest.mark.parametrize(("path", "more", "feature"), WISHES)
async def test_what_the_server_does_not_have_is_refused_by_its_name(
    server: Server, client: httpx.AsyncClient, path: str, more: dict[str, Any], feature: str
) -> None:
    project = f"/v2/project/{server.playground.project.api_key}"
    answer = await client.post(project + path, json=started(server, **more), headers=authentication(server))

    assert (answer.status_code, answer.json()["code"]) == (403, 403)
    assert feature in answer.json()["message"]
    unknown = await client.post(
        project + path, json={**started(server, **more), "sessionId": STRANGER}, headers=authentication(server)
    )
    assert unknown.status_code == 404
    assert (await client.post(project + path, json=started(server, **more))).json()["code"] == -1


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("/dial", {}),
        ("/dial", {"sip": {"uri": "sip:a@b", "headers": {"Case": "1"}}}),
        ("/dial", {"sip": "sip:a@b"}),
        ("/dial", {"sip": {"uri": "sip:a@b", "secure": "perhaps"}}),
        ("/captions", {"maxDuration": 299}),
        ("/captions", {"maxDuration": "NaN"}),
        ("/captions", {"maxDuration": 1e400}),
        ("/captions", {"statusCallbackUrl": "x"}),
        ("/captions", {"token": ""}),
        ("/connect", {"websocket": {"uri": "https://a.example.net"}}),
        ("/connect", {"websocket": {"uri": "wss://a.example.net", "audioRate": 44100}}),
        ("/connect", {"websocket": {"uri": "wss://a.example.net", "headers": {"a": "x" * 512}}}),
        ("/connect", {"websocket": {"uri": "wss://a.example.net", "audioTransport": "{"}}),
        ("/render", {"url": "https://a"}),
        ("/render", {"url": "https://app.example.org/stage", "resolution": "1x1"}),
        ("/render", {"url": "https://app.example.org/stage", "properties": {"name": "x" * 201}}),
    ],
)
async def test_a_wish_that_is_malformed_is_refused_as_such(
    server: Server, client: httpx.AsyncClient, path: str, more: dict[str, Any]
) -> None:
    project = f"/v2/project/{server.playground.project.api_key}"
    body = started(server, **more)
    headers = {**authentication(server), "Content-Type": "application/json"}
    content = str(body).replace("'", '"').replace("inf", "1e400").replace("None", "null").encode()
    answer = await client.post(project + path, content=content, headers=headers)

    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/captions/c/stop"),
        ("GET", "/captions/c"),
        ("POST", "/connect/c/stop"),
        ("GET", "/render"),
        ("GET", "/render?offset=5&"),
        ("GET", "/render/r"),
        ("POST", "/render/r"),
        ("DELETE", "/render/r"),
    ],
)
async def test_what_can_be_done_to_them_is_refused_too(
    server: Server, client: httpx.AsyncClient, method: str, path: str
) -> None:
    project = f"/v2/project/{server.playground.project.api_key}"
    answer = await client.request(method, project + path, headers=authentication(server))
    assert (answer.status_code, answer.json()["code"]) == (403, 403)
    assert (await client.request(method, project + path)).json()["code"] == -1
    assert (await client.get(project + "/render?count=1001", headers=authentication(server))).status_code == 400


async def test_layout_classes_are_replaced_and_seen_in_every_answer(
    server: Server, client: httpx.AsyncClient, publisher: tuple[str, str, FakeSocket]
) -> None:
    _, stream_id, _ = publisher
    headers, streams = authentication(server), session_path(server) + "/stream"
    item = {"id": stream_id, "layoutClassList": ["focus", "wide"]}
    set_all = await client.put(streams, json={"items": [item]}, headers=headers)

    assert set_all.status_code == 200
    assert set_all.json() == (await client.get(streams, headers=headers)).json()
    assert set_all.json()["items"][0]["layoutClassList"] == ["focus", "wide"]
    await client.put(f"{streams}/{stream_id}", json={"layoutClassList": ["full"]}, headers=headers)
    assert (await client.get(f"{streams}/{stream_id}", headers=headers)).json()["layoutClassList"] == ["full"]
    await client.put(streams, json={"items": [{"id": stream_id, "layoutClassList": []}]}, headers=headers)
    assert (await client.get(f"{streams}/{stream_id}", headers=headers)).json()["layoutClassList"] == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"items": None},
        {"items": {}},
        {"items": ["s"]},
        {"items": [{"id": "STREAM"}]},
        {"items": [{"id": "STREAM", "layoutClassList": "focus"}]},
        {"items": [{"id": "STREAM", "layoutClassList": [1]}]},
        {"items": [{"id": "STREAM", "layoutClassList": ["x" * 1001]}]},
        {"items": [{"id": "STREAM", "layoutClassList": ["a"]}, {"id": "nobody", "layoutClassList": ["a"]}]},
        {"items": [{"layoutClassList": ["a"]}]},
    ],
)
async def test_a_class_list_with_anything_wrong_in_it_changes_nothing(
    server: Server, client: httpx.AsyncClient, publisher: tuple[str, str, FakeSocket], body: dict[str, Any]
) -> None:
    _, stream_id, _ = publisher
    headers, streams = authentication(server), session_path(server) + "/stream"
    content = msgspec.json.encode(body).replace(b"STREAM", stream_id.encode())
    answer = await client.put(streams, content=content, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, 400)
    assert (await client.get(streams, headers=headers)).json()["items"][0]["layoutClassList"] == []

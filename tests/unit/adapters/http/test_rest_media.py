"""Archives and broadcasts over REST, on a server that makes none."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.unit.adapters.http.conftest import Server
from tests.unit.adapters.http.test_rest import STRANGER, arrive, authentication, session_path

UNKNOWN = "c3a9e0f2-6b7d-4f51-9a0e-2b6c1d4e8f70"


def project_path(server: Server, prefix: str = "project") -> str:
    return f"/v2/{prefix}/{server.playground.project.api_key}"


async def made(server: Server, *, relayed: bool = False, e2ee: bool = False) -> str:
    record = await server.sessions.records.create(
        server.playground.project.api_key,
        media_mode="relayed" if relayed else "routed",
        archive_mode="manual",
        location=None,
        e2ee=e2ee,
    )
    return record.session_id


# As the official Python SDK sends it: what is not said is null.
PYTHON = {
    "name": None,
    "hasAudio": True,
    "hasVideo": True,
    "outputMode": "composed",
    "resolution": None,
    "streamMode": "auto",
    "multiArchiveTag": None,
    "maxBitrate": None,
}
HLS: dict[str, Any] = {"outputs": {"hls": {}}}
RTMP = {"serverUrl": "rtmps://ingest.example.net/live", "streamName": "ab12-cd34"}

STARTS: list[tuple[str, dict[str, Any]]] = [
    ("archive", {}),
    ("archive", PYTHON),
    (
        "archive",
        {"outputMode": "individual", "hasTranscription": True, "transcriptionProperties": {"hasSummary": "true"}},
    ),
    ("archive", {"layout": {"type": "custom", "stylesheet": "stream{}"}, "quantizationParameter": 40}),
    ("archive", {"layout": {"type": "bestFit", "screenShareType": "pip"}, "maxBitrate": 6_000_000, "name": "x" * 255}),
    ("broadcast", HLS),
    (
        "broadcast",
        {"outputs": {"hls": {"low_latency": True}, "rtmp": []}, "maxBitRate": 2_000_000, "maxDuration": 36_000},
    ),
    ("broadcast", {"outputs": {"rtmp": [RTMP] * 5}, "layout": {"type": "pip"}, "resolution": "1280x720"}),
    ("broadcast", {"outputs": {"rtmp": [{"server_url": "rtmp://a.example.net/x", "stream_name": "s", "id": "yt"}]}}),
]


@pytest.mark.parametrize(("what", "body"), STARTS)
async def test_a_lawful_start_is_refused_by_the_first_thing_that_stands_against_it(
    server: Server, client: httpx.AsyncClient, what: str, body: dict[str, Any]
) -> None:
    async def start(session_id: str) -> httpx.Response:
        path = f"{project_path(server)}/{what}"
        return await client.post(path, json={"sessionId": session_id, **body}, headers=authentication(server))

    relayed = await start(await made(server, relayed=True))
    assert relayed.status_code == 409
    assert relayed.json()["code"] == (15008 if what == "archive" else 409)
    assert (await start(await made(server, e2ee=True))).status_code == 409
    assert (await start("nonsense")).json()["code"] == 10101
    unknown, empty = await start(STRANGER), await start(server.playground.session_id)
    assert (unknown.status_code, empty.status_code) == (404, 404)
    await arrive(server)
    lacking = await start(server.playground.session_id)
    assert (lacking.status_code, lacking.json()["code"]) == (403, 403)
    assert f"{what}s" in lacking.json()["message"]


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("archive", {"sessionId": None}),
        ("archive", {"hasAudio": False, "hasVideo": "false"}),
        ("archive", {"outputMode": "mixed"}),
        ("archive", {"outputMode": "individual", "resolution": "640x480"}),
        ("archive", {"outputMode": "individual", "layout": {"type": "pip"}}),
        ("archive", {"resolution": "800x600"}),
        ("archive", {"maxBitrate": 99_999}),
        ("archive", {"maxBitrate": 100_000, "quantizationParameter": 20}),
        ("archive", {"quantizationParameter": 41}),
        ("archive", {"hasTranscription": True}),
        ("archive", {"name": "x" * 256}),
        ("archive", {"layout": {"type": ""}}),
        ("archive", {"layout": {"type": "focus"}}),
        ("archive", {"layout": {"type": "custom"}}),
        ("archive", {"layout": {"type": "pip", "stylesheet": "x"}}),
        ("archive", {"layout": {"type": "pip", "screenshareType": "pip"}}),
        ("broadcast", {}),
        ("broadcast", {"outputs": {}}),
        ("broadcast", {"outputs": {"rtmp": []}}),
        ("broadcast", {"outputs": {"hls": {"dvr": True, "lowLatency": "True"}}}),
        ("broadcast", {"outputs": {"rtmp": [RTMP] * 6}}),
        ("broadcast", {"outputs": {"rtmp": [{**RTMP, "serverUrl": "https://example.net"}]}}),
        ("broadcast", {"outputs": {"rtmp": [{"serverUrl": "rtmp://[", "streamName": "s"}]}}),
        ("broadcast", {"outputs": {"rtmp": ["rtmp://a"]}}),
        ("broadcast", {**HLS, "maxDuration": 59}),
        ("broadcast", {**HLS, "maxBitrate": 6_000_001}),
        ("broadcast", {**HLS, "layout": "pip"}),
    ],
)
async def test_what_is_wrong_by_itself_is_refused_as_such(
    server: Server, client: httpx.AsyncClient, what: str, body: dict[str, Any]
) -> None:
    given = {"sessionId": server.playground.session_id, **body}
    answer = await client.post(f"{project_path(server)}/{what}", json=given, headers=authentication(server))
    assert (answer.status_code, answer.json()["code"]) == (400, 400)


@pytest.mark.parametrize("what", ["archive", "broadcast"])
async def test_there_is_nothing_in_the_lists(server: Server, client: httpx.AsyncClient, what: str) -> None:
    path, headers = f"{project_path(server)}/{what}", authentication(server)
    for query in ("", "?offset=5&", "?count=1000", f"?sessionId={server.playground.session_id}", "?count=&sessionId="):
        answer = await client.get(path + query, headers=headers)
        assert (answer.status_code, answer.json()) == (200, {"count": 0, "items": []})
    for query, status in (
        ("?count=1001", 400),
        ("?count=0", 400),
        ("?offset=-1", 400),
        ("?count=ten", 400),
        ("?sessionId=nonsense", 400),
        (f"?sessionId={STRANGER}", 404),
    ):
        assert (await client.get(path + query, headers=headers)).status_code == status


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/archive/{id}", None, 404),
        ("POST", "/archive/{id}/stop", {}, 404),
        ("DELETE", "/archive/{id}", None, 404),
        ("PUT", "/archive/{id}/layout", {"type": "pip"}, 404),
        ("PUT", "/archive/{id}/layout", {"type": "focus"}, 400),
        ("PATCH", "/archive/{id}/streams", {"addStream": "s", "hasAudio": "false"}, 404),
        ("PATCH", "/archive/{id}/streams", {"removeStream": "s"}, 404),
        ("PATCH", "/archive/{id}/streams", {}, 400),
        ("PATCH", "/archive/{id}/streams", {"addStream": "s", "removeStream": "s"}, 400),
        ("PATCH", "/archive/{id}/streams", {"addStream": "s", "hasAudio": False, "hasVideo": False}, 400),
        ("GET", "/broadcast/{id}", None, 404),
        ("POST", "/broadcast/{id}/stop", None, 404),
        ("PUT", "/broadcast/{id}/layout", {"type": "bestFit"}, 404),
        ("PATCH", "/broadcast/{id}/streams", {"addStream": "s"}, 404),
        ("PUT", "/archive/storage", {"type": "s3", "config": {"accessKey": "a", "secretKey": "b", "bucket": "c"}}, 403),
        (
            "PUT",
            "/archive/storage",
            {
                "type": "azure",
                "config": {"accountName": "a", "accountKey": "b", "container": "c"},
                "fallback": "opentok",
            },
            403,
        ),
        ("PUT", "/archive/storage", {"type": "s3", "config": {"accessKey": "a"}}, 400),
        ("PUT", "/archive/storage", {"type": "ftp", "config": {}}, 400),
        ("DELETE", "/archive/storage", None, 204),
    ],
)
async def test_no_id_names_anything_but_requests_are_read_all_the_same(
    server: Server, client: httpx.AsyncClient, method: str, path: str, body: Any, status: int
) -> None:
    for prefix in ("project", "partner"):
        address = project_path(server, prefix) + path.format(id=UNKNOWN)
        answer = await client.request(method, address, json=body, headers=authentication(server))
        assert answer.status_code == status
        if status != 204:
            assert isinstance(answer.json()["message"], str)
        assert (await client.request(method, address, json=body)).status_code == 403


async def test_the_old_word_for_project_leads_to_the_same_place_and_no_other_word_does(
    server: Server, client: httpx.AsyncClient
) -> None:
    headers = authentication(server)
    for prefix, status in (("project", 200), ("partner", 200), ("partners", 404), ("x", 404)):
        path = session_path(server).replace("/v2/project", f"/v2/{prefix}") + "/stream"
        assert (await client.get(path, headers=headers)).status_code == status


async def test_a_method_that_is_not_possible_is_a_405_with_a_body_that_says_so(
    server: Server, client: httpx.AsyncClient
) -> None:
    answer = await client.delete(session_path(server) + "/stream", headers=authentication(server))
    assert (answer.status_code, answer.json()["code"]) == (405, 405)

"""Calls about archives, broadcasts, layout classes and callbacks: what is sent, and what is made of answers."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tertulia.server import (
    Archive,
    Broadcast,
    Callback,
    InvalidParameterError,
    OutputModes,
    PermissionDeniedError,
    StreamModes,
)
from tests import openapi
from tests.unit.server.conftest import API_KEY, SESSION_ID, Caller

ID = "c3a9e0f2-6b7d-4f51-9a0e-2b6c1d4e8f70"
ARCHIVE = {
    "id": ID,
    "status": "started",
    "name": None,
    "reason": "",
    "sessionId": SESSION_ID,
    "partnerId": 40012345,
    "projectId": 40012345,
    "createdAt": 1767225700000,
    "size": 0,
    "duration": 0,
    "outputMode": "composed",
    "streamMode": "auto",
    "hasAudio": True,
    "hasVideo": True,
    "resolution": "640x480",
    "url": None,
    "event": "archive",
}
BROADCAST = {
    "id": ID,
    "sessionId": SESSION_ID,
    "projectId": 40012345,
    "createdAt": 1767225700000,
    "status": "started",
    "resolution": "1280x720",
    "maxDuration": 5400,
    "broadcastUrls": {
        "hls": "https://video.example.org/hls/playlist.m3u8",
        "hlsStatus": "live",
        "rtmp": [{"id": "yt", "serverUrl": "rtmps://a.example.net/x", "streamName": "s", "status": "live"}],
    },
}
CALLBACK = {
    "id": ID,
    "group": "stream",
    "event": "created",
    "url": "https://a.example.net",
    "createdAt": 1,
    "secret": "c" * 40,
}
LAYOUT = (ID, "custom", "stream {}")
OUTPUTS = {"outputs": {"hls": {}}, "resolution": "1280x720"}

CALLS: list[tuple[str, tuple[Any, ...], str, str, Any, Any]] = [
    ("start_archive", (SESSION_ID,), "POST", "archive", "startArchive", ARCHIVE),
    ("stop_archive", (ID,), "POST", f"archive/{ID}/stop", "stopArchive", {**ARCHIVE, "status": "stopped"}),
    ("get_archive", (ID,), "GET", f"archive/{ID}", "getArchive", ARCHIVE),
    ("list_archives", (), "GET", "archive", "listArchives", {"count": 1, "items": [ARCHIVE]}),
    ("delete_archive", (ID,), "DELETE", f"archive/{ID}", "deleteArchive", None),
    ("set_archive_layout", LAYOUT, "PUT", f"archive/{ID}/layout", "setArchiveLayout", None),
    ("add_archive_stream", (ID, "s"), "PATCH", f"archive/{ID}/streams", "changeArchiveStreams", None),
    ("remove_archive_stream", (ID, "s"), "PATCH", f"archive/{ID}/streams", "changeArchiveStreams", None),
    ("start_broadcast", (SESSION_ID, OUTPUTS), "POST", "broadcast", "startBroadcast", BROADCAST),
    ("stop_broadcast", (ID,), "POST", f"broadcast/{ID}/stop", "stopBroadcast", {**BROADCAST, "broadcastUrls": None}),
    ("get_broadcast", (ID,), "GET", f"broadcast/{ID}", "getBroadcast", BROADCAST),
    ("list_broadcasts", (), "GET", "broadcast", "listBroadcasts", {"count": 1, "items": [BROADCAST]}),
    ("set_broadcast_layout", LAYOUT, "PUT", f"broadcast/{ID}/layout", "setBroadcastLayout", None),
    ("add_broadcast_stream", (ID, "s"), "PATCH", f"broadcast/{ID}/streams", "changeBroadcastStreams", None),
    ("remove_broadcast_stream", (ID, "s"), "PATCH", f"broadcast/{ID}/streams", "changeBroadcastStreams", None),
    ("register_callback", ("stream", "created", CALLBACK["url"]), "POST", "callback", "registerCallback", CALLBACK),
    ("list_callbacks", (), "GET", "callback", "listCallbacks", [CALLBACK]),
    ("remove_callback", (ID,), "DELETE", f"callback/{ID}", "removeCallback", None),
    (
        "set_stream_class_lists",
        (SESSION_ID, [{"id": "s", "layoutClassList": ["focus"]}]),
        "PUT",
        f"session/{SESSION_ID}/stream",
        "setLayoutClasses",
        {"count": 0, "items": []},
    ),
]


@pytest.mark.parametrize(("name", "arguments", "method", "path", "operation", "answer"), CALLS, ids=lambda one: None)
async def test_each_call_is_the_operation_of_the_description(
    call: Caller, name: str, arguments: tuple[Any, ...], method: str, path: str, operation: str, answer: Any
) -> None:
    call.answers(httpx.Response(204) if answer is None else httpx.Response(200, json=answer))
    result = await call(name, *arguments)

    assert (call.sent.method, call.sent.url.path) == (method, f"/v2/project/{API_KEY}/{path}")
    described = openapi.find(method, call.sent.url.path)
    assert described is not None
    assert described.name == operation
    if described.body is not None:
        known = set(described.body["properties"])
        assert set(json.loads(call.sent.content)) <= known
    assert (result is None) is (answer is None)


async def test_answers_are_read_whole(call: Caller) -> None:
    call.answers(
        httpx.Response(200, json=ARCHIVE), httpx.Response(200, json=BROADCAST), httpx.Response(200, json=CALLBACK)
    )
    archive = await call("get_archive", ID)
    broadcast = await call("get_broadcast", ID)
    callback = await call("register_callback", "stream", "created", "https://a.example.net")

    assert archive == Archive(ID, "started", SESSION_ID, 1767225700000, resolution="640x480")
    assert isinstance(broadcast, Broadcast)
    assert broadcast.broadcast_urls is not None
    assert broadcast.broadcast_urls.hls_status == "live"
    assert broadcast.broadcast_urls.rtmp[0].server_url == "rtmps://a.example.net/x"
    assert callback == Callback(ID, "stream", "created", "https://a.example.net", 1, "c" * 40)
    assert callback.secret not in repr(callback)


async def test_what_is_not_said_is_not_sent(call: Caller) -> None:
    call.answers(httpx.Response(200, json=ARCHIVE), httpx.Response(200, json={"count": 0, "items": []}))
    await call("start_archive", SESSION_ID, True, False, "n", OutputModes.individual, StreamModes.manual)
    assert json.loads(call.sent.content) == {
        "sessionId": SESSION_ID,
        "hasAudio": True,
        "hasVideo": False,
        "name": "n",
        "outputMode": "individual",
        "streamMode": "manual",
    }
    await call("list_archives", 5, 10, SESSION_ID)
    assert dict(call.sent.url.params) == {"offset": "5", "count": "10", "sessionId": SESSION_ID}


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("start_archive", ("nonsense",)),
        ("start_archive", (SESSION_ID, True, True, None, "mixed")),
        ("start_broadcast", ("nonsense", OUTPUTS)),
        ("get_archive", ("",)),
        ("stop_broadcast", ("..",)),
        ("add_archive_stream", (ID, 5)),
        ("remove_callback", (None,)),
        ("register_callback", (5, "created", "https://a.example.net")),
    ],
)
async def test_what_cannot_be_right_is_not_even_sent(call: Caller, name: str, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(InvalidParameterError):
        await call(name, *arguments)
    assert call.script.requests == []


async def test_a_feature_that_the_server_lacks_is_said_in_its_words(call: Caller) -> None:
    words = "This server does not have archives."
    call.answers(httpx.Response(403, json={"code": 403, "message": words, "description": words}))
    with pytest.raises(PermissionDeniedError, match="archives"):
        await call("start_archive", SESSION_ID)

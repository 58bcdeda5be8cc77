"""The requests of the SDKs that are not run here, PHP, Ruby and .NET, byte for byte, and what their readers insist on.

Their headers, bodies and quirks were taken down from the SDKs themselves: PHP 4.21, Ruby 4.13, .NET 3.22; and from Java
4.17 what the release that is run here lacks.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
import urllib.parse
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from tertulia import Publisher, Session
from tests.integration.sdks.exchange import exchange
from tests.integration.sdks.speakers import ANY_2XX, FORM, JSON, SPEAKERS, Replay, jwt, t1
from tests.integration.sdks.test_sessions_and_tokens import joining
from tests.servers import TertuliaServer
from tests.signs import tone

DEADLINE_S = 30
INT_MAX = 2_147_483_647


@pytest.fixture(params=["php", "ruby", "dotnet"])
def replay(request: pytest.FixtureRequest, server: TertuliaServer) -> Replay:
    return Replay(server, SPEAKERS[request.param])


@dataclass(frozen=True, slots=True)
class Call:
    session_id: str
    connection_id: str
    stream_id: str


@pytest.fixture
async def call(server: TertuliaServer) -> AsyncIterator[Call]:
    """A session with one client that publishes."""
    session_id = server.create_session()
    async with asyncio.timeout(DEADLINE_S), Session(server.api_key, session_id, server=server.url) as session:
        await session.connect(server.token(session_id, data="Ida"))
        assert session.connection is not None
        async with Publisher(audio=tone(), name="Ida's sound") as publisher:
            await session.publish(publisher)
            assert publisher.stream is not None
            yield Call(session_id, session.connection.connection_id, publisher.stream.stream_id)


CREATE = {
    "php": ["archiveMode=manual&e2ee=false&p2p.preference=enabled&api_key={key}"],
    "ruby": ["p2p.preference=enabled", "p2p.preference=disabled&archiveMode=always&archiveName=n&location=12.34.56.78"],
    "dotnet": [
        "location=&p2p.preference=enabled&archiveMode=manual&e2ee=False",
        "location=&p2p.preference=disabled&archiveMode=always&archiveName=&archiveResolution=640x480&e2ee=False",
    ],
}


def test_a_session_is_made_and_read_as_xml(replay: Replay) -> None:
    key = replay.server.api_key
    for body in CREATE[replay.speaker.name]:
        answer = replay("POST", "/session/create", body.format(key=key), FORM)
        assert replay.speaker.succeeded("create", answer), answer
        (session,) = answer.xml.findall("Session")
        session_id = session.findtext("session_id") or ""
        assert session_id.startswith("1_" if "enabled" in body else "2_")
        assert 0 < int(session.findtext("partner_id") or "0") <= INT_MAX
        assert belongs(session_id, key, replay.speaker.name)


def belongs(session_id: str, key: str, reader: str) -> bool:
    """Whether the SDK finds its key in the session's id, each in its own way."""
    text = session_id[2:]

    def opened(piece: str) -> str:
        return base64.b64decode(piece + "=" * (-len(piece) % 4)).decode("ascii")

    if reader == "php":  # every piece between hyphens by itself
        return any(key in opened(piece).split("~") for piece in text.split("-"))
    if reader == "ruby":
        return key in opened(text.replace("-", "+").replace("_", "/"))
    first, _, rest = session_id.replace("-", "+").partition("_")
    assert "_" not in rest
    assert first.isdigit()
    return int(opened(rest).split("~")[1]) == int(key)


def test_addresses_that_were_glued_together_lead_to_the_same_place(server: TertuliaServer) -> None:
    """.NET joins with a slash whatever the address ends in."""
    replay = Replay(server, SPEAKERS["dotnet"])
    answer = replay("POST", "//session/create", CREATE["dotnet"][0], FORM)
    assert answer.xml.find("Session/session_id") is not None


def test_streams_are_listed_and_described(replay: Replay, call: Call) -> None:
    session = f"{replay.project}/session/{call.session_id}"
    slash = "/" if replay.speaker.name == "php" else ""
    listed = replay("GET", f"{session}/stream{slash}")
    assert replay.speaker.succeeded("list_streams", listed)
    assert listed.content_type == JSON
    assert listed.json.keys() == {"count", "items"}
    assert listed.json["count"] == 1
    content_type = JSON if replay.speaker.name != "php" else None
    one = replay("GET", f"{session}/stream/{call.stream_id}", None, content_type)
    assert replay.speaker.succeeded("get_stream", one)
    for stream in (one.json, *listed.json["items"]):
        assert stream.keys() == {"id", "videoType", "name", "layoutClassList"}
        assert stream["id"] == call.stream_id
        assert stream["videoType"] in ("camera", "screen", "custom")
        assert stream["name"] == "Ida's sound"
        assert all(isinstance(one, str) for one in stream["layoutClassList"])


def test_connections_are_listed_for_php_dotnet_and_newer_java(server: TertuliaServer, call: Call) -> None:
    for name, slash in (("php", "/"), ("dotnet", ""), ("java", "")):
        replay = Replay(server, SPEAKERS[name])
        answer = replay("GET", f"{replay.project}/session/{call.session_id}/connection{slash}")
        assert answer.status == 200
        assert answer.json.keys() == {"count", "projectId", "sessionId", "items"}
        (one,) = answer.json["items"]
        assert one.keys() == {"connectionId", "connectionState", "createdAt"}
        assert one["connectionId"] == call.connection_id
        assert one["connectionState"] in ("Connecting", "Connected")
        assert isinstance(one["createdAt"], int)


def test_layout_classes_are_set_for_many_streams_and_by_php_for_one(replay: Replay, call: Call) -> None:
    session = f"{replay.project}/session/{call.session_id}"
    body = json.dumps({"items": [{"id": call.stream_id, "layoutClassList": ["focus", "wide"]}]})
    assert replay.speaker.succeeded("set_classes", replay("PUT", f"{session}/stream", body, JSON))
    assert replay("GET", f"{session}/stream/{call.stream_id}").json["layoutClassList"] == ["focus", "wide"]
    if replay.speaker.name == "php":
        answer = replay("PUT", f"{session}/stream/{call.stream_id}", '{"layoutClassList":["full"]}', JSON)
        assert answer.status in ANY_2XX
        assert replay("GET", f"{session}/stream/{call.stream_id}").json["layoutClassList"] == ["full"]


SIGNALS = {
    "php": ['{"type":"","data":""}', '{"type":"chat","data":"hi"}'],
    "ruby": ["{}", '{"type":"chat","data":"gr\\u00f6\\u00dfer"}'],
    "dotnet": ['{"data":"hi","type":null}', '{"data":"hi","type":"chat"}'],
}


def test_signals_are_taken_with_every_way_of_saying_nothing(replay: Replay, call: Call) -> None:
    session = f"{replay.project}/session/{call.session_id}"
    for body in SIGNALS[replay.speaker.name]:
        for path in (f"{session}/signal", f"{session}/connection/{call.connection_id}/signal"):
            answer = replay("POST", path, body, JSON)
            assert replay.speaker.succeeded("signal", answer), (body, answer)
            assert answer.body == b""


MUTE_ALL = {
    "php": ('{"active":true,"excludedStreams":["%s"]}', '{"active":false}'),
    "ruby": ('{"excludedStreams":["%s"],"active":"true"}', '{"active":"false"}'),
    "dotnet": ('{"active":true,"excludedStreamIds":["%s"]}', '{"active":false,"excludedStreamIds":null}'),
}


def test_one_stream_and_all_but_some_are_muted(replay: Replay, call: Call) -> None:
    session = f"{replay.project}/session/{call.session_id}"
    excluding, ending = MUTE_ALL[replay.speaker.name]
    for path, body in (
        (f"{session}/mute", excluding % call.stream_id),
        (f"{session}/mute", ending),
        (f"{session}/stream/{call.stream_id}/mute", None),
    ):
        answer = replay("POST", path, body, JSON)
        assert replay.speaker.succeeded("mute", answer), (path, answer)
        assert answer.json["id"] == replay.server.api_key


def test_a_connection_is_ended_by_force_once(replay: Replay, call: Call) -> None:
    path = f"{replay.project}/session/{call.session_id}/connection/{call.connection_id}"
    content_type = None if replay.speaker.name == "dotnet" else JSON
    answer = replay("DELETE", path, None, content_type)
    assert answer.status == 204
    assert answer.body == b""
    assert answer.content_type is None
    again = replay("DELETE", path, None, content_type)
    assert again.status == 404
    assert isinstance(again.json["message"], str)


RTMP = [{"id": "yt", "serverUrl": "rtmps://ingest.example.net/live", "streamName": "ab12"}]
STARTS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "php": [
        (
            "archive",
            {"name": None, "hasVideo": True, "hasAudio": True, "outputMode": "composed", "resolution": "640x480"}
            | {"streamMode": "auto", "layout": {"type": "bestFit"}, "multiArchiveTag": None},
        ),
        (
            "broadcast",
            {"layout": {"type": "bestFit"}, "maxBitRate": 1_000_000, "outputs": {"hls": {"lowLatency": True}}},
        ),
    ],
    "ruby": [
        ("archive", {"hasVideo": True, "outputMode": "individual"}),
        (
            "broadcast",
            {
                "outputs": {
                    "hls": {"low_latency": True},
                    "rtmp": [{"server_url": "rtmp://a.example/b", "stream_name": "c"}],
                }
            }
            | {"layout": {"type": "pip"}, "maxDuration": 600},
        ),
    ],
    "dotnet": [
        (
            "archive",
            {"name": "", "hasVideo": True, "hasAudio": True, "outputMode": "composed", "streamMode": "auto"}
            | {"layout": {"type": "bestFit", "screenShareType": "pip"}, "resolution": "1280x720"},
        ),
        (
            "broadcast",
            {"maxDuration": 7200, "outputs": {"hls": {}, "rtmp": RTMP}, "streamMode": "auto", "resolution": "640x480"}
            | {"layout": {"type": "bestFit", "screensharetype": "pip"}, "maxBitrate": 2_000_000},
        ),
    ],
}
NOBODY = "c3a9e0f2-6b7d-4f51-9a0e-2b6c1d4e8f70"


def test_archives_and_broadcasts_are_refused_by_feature_when_nothing_else_is_wrong(replay: Replay, call: Call) -> None:
    for what, options in STARTS[replay.speaker.name]:
        body = json.dumps({"sessionId": call.session_id, **options})
        answer = replay("POST", f"{replay.project}/{what}", body, JSON)
        assert answer.status == 403, (what, answer)
        assert f"does not have {what}s" in answer.json["message"]


def test_lists_of_archives_and_broadcasts_are_empty_and_have_nothing_else(replay: Replay, call: Call) -> None:
    for query in ("", "?offset=5&count=100", f"?sessionId={call.session_id}", "?offset=5&"):
        for what in ("archive", "broadcast"):
            answer = replay("GET", f"{replay.project}/{what}{query}")
            assert answer.status == 200
            assert answer.content_type == JSON
            assert answer.json == {"count": 0, "items": []}


def test_an_archive_or_broadcast_that_is_not_there_is_a_404_with_a_message(replay: Replay) -> None:
    for what in ("archive", "broadcast"):
        one = f"{replay.project}/{what}/{NOBODY}"
        requests = [
            ("GET", one, None, None),
            ("POST", f"{one}/stop", "", FORM if replay.speaker.name == "ruby" else JSON),
            ("PUT", f"{one}/layout", '{"type":"pip"}', JSON),
            ("PATCH", f"{one}/streams", '{"addStream":"s","hasAudio":true,"hasVideo":true}', JSON),
            # For a broadcast, PHP sends this to the archive of that id.
            ("PATCH", f"{one}/streams", '{"removeStream":"s"}', JSON),
        ]
        if what == "archive":
            requests.append(("DELETE", one, None, None if replay.speaker.name == "dotnet" else JSON))
        for method, path, body, content_type in requests:
            answer = replay(method, path, body, content_type)
            assert answer.status == 404, (method, path, answer)
            assert isinstance(answer.json["message"], str)


def test_tones_find_no_telephone(replay: Replay, call: Call) -> None:
    session = f"{replay.project}/session/{call.session_id}"
    for path in (f"{session}/play-dtmf", f"{session}/connection/{call.connection_id}/play-dtmf"):
        answer = replay("POST", path, '{"digits":"1713p#"}', JSON)
        assert answer.status == 404
        assert isinstance(answer.json["message"], str)


def refused(project: str, session_id: str) -> list[tuple[str, str, dict[str, Any] | None]]:
    token = "t"  # the feature is missing before anybody looks at it
    opened = {"sessionId": session_id, "token": token}
    sip = {"uri": "sip:ida@example.net", "secure": True}
    return [
        ("POST", f"{project}/call", {**opened, "sip": sip}),
        ("POST", f"{project}/dial", {**opened, "sip": {**sip, "streams": [], "headers": {"X-Case": "7"}}}),
        ("POST", f"{project}/captions", {**opened, "languageCode": "en-US", "maxDuration": 14400.0}),
        ("POST", f"{project}/captions/0d7f6c1e-9a55-4f0e-b8a4-5f5f0a1c2d3e/stop", None),
        ("POST", f"{project}/connect", {**opened, "websocket": {"uri": "wss://asr.example.net/in", "streams": []}}),
        ("POST", f"{project}/connect/b7d0a3c2-9a55-4f0e-b8a4-5f5f0a1c2d3e/stop", None),
        ("POST", f"{project}/render", {**opened, "url": "https://app.example.org/stage", "maxDuration": 1800}),
        ("GET", f"{project}/render?offset=0&count=50", None),
        ("POST", f"{project}/render/0d7f6c1e-9a55-4f0e-b8a4-5f5f0a1c2d3e", None),
        ("DELETE", f"{project}/render/0d7f6c1e-9a55-4f0e-b8a4-5f5f0a1c2d3e", None),
    ]


def test_a_feature_that_comes_later_is_refused_with_a_message_for_every_reader(replay: Replay) -> None:
    for method, path, body in refused(replay.project, replay.server.create_session()):
        answer = replay(method, path, None if body is None else json.dumps(body), JSON if body is not None else None)
        assert answer.status == 403, (path, answer)
        assert answer.content_type == JSON
        assert answer.json["code"] == 403
        assert "does not have" in answer.json["message"]


def test_a_wrong_secret_is_a_403_with_a_message_for_those_who_asked_for_xml_too(replay: Replay) -> None:
    headers = replay.speaker.headers(replay.server.api_key, "0" * 40, int(time.time()))
    answer = exchange(replay.server.url, "POST", "/session/create", {**headers, "Content-Type": FORM}, b"")
    assert answer.status == 403
    assert isinstance(answer.json["message"], str)
    assert answer.json["code"] == -1


def tokens(key: str, secret: str, session_id: str, now: int) -> dict[str, str]:
    """Tokens as each SDK makes them, with its fields in its order and its omissions."""
    data, classes = "user=17&name=Ida Öhm", "focus wide"
    quoted = urllib.parse.quote_plus(data)
    claims = {"iss": key, "ist": "project", "iat": now, "session_id": session_id, "role": "moderator"}
    late = {"scope": "session.connect", "connection_data": data}
    form = f"session_id={session_id}&create_time={now}"
    return {
        "PHP, JWT": jwt(
            secret,
            {"typ": "JWT", "alg": "HS256"},
            {
                **claims,
                **late,
                "nonce": 17,
                "expireTime": None,
                "data": None,
                "initial_layout_class_list": "focus+wide",
            },
        ),
        "PHP, T1": t1(
            key,
            secret,
            f"{form}&role=moderator&nonce=1732630000.12345678901&connection_data={quoted}"
            "&initial_layout_class_list=focus+wide",
        ),
        "Ruby, JWT": jwt(
            secret, {"alg": "HS256"}, {**claims, **late, "nonce": 0.4820198, "initial_layout_class_list": classes}
        ),
        "Ruby, T1": t1(key, secret, f"role=moderator&{form}&nonce=0.48201&connection_data={quoted}"),
        ".NET, T1": t1(
            key,
            secret,
            f"{form}&nonce=482913&role=moderator&initial_layout_class_list={classes}&connection_data={quoted}",
        ),
        "Java, T1": t1(
            key,
            secret,
            f"create_time={now}&expire_time={now + 86_400}&session_id={session_id}&nonce=-482913&role=moderator"
            f"&scope=session.connect&initial_layout_class_list={classes}&connection_data={quoted}",
            url_safe=True,
        ),
        "Java, JWT": jwt(
            secret,
            {"alg": "HS256"},
            {**claims, **late, "exp": now + 86_400, "jti": "x", "initial_layout_class_list": classes},
        ),
    }


def test_tokens_of_every_sdk_open_a_session(server: TertuliaServer) -> None:
    session_id = server.create_session()
    for maker, token in tokens(server.api_key, server.api_secret, session_id, int(time.time())).items():
        with joining(server, token) as told:
            assert told["type"] == "joined", (maker, told)
            assert told["role"] == "moderator", maker
            assert told["connection"]["data"] == "user=17&name=Ida Öhm", maker

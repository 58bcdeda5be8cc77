"""Callbacks as bytes, compared with what OpenTok's documents show."""

import hashlib
import json

import pytest
from joserfc import jwt
from joserfc.errors import BadSignatureError
from joserfc.jwk import OctKey

from tertulia.domain.callbacks import CallbackGroup
from tertulia.domain.connection import Connection, SeatState
from tertulia.domain.reports import Report
from tertulia.domain.roles import Reason, Role
from tertulia.domain.stream import Dimensions, Stream, VideoType
from tertulia.ids import ApiKey, ConnectionId, SessionId, StreamId
from tertulia.wire.webhooks import outbox_entry, session_event_body, signature

SESSION = SessionId("2_MX40fg")
ida = Connection(ConnectionId("b7d0a3c2"), 1767225655123, Role.PUBLISHER, "user=17&name=Ida", 0, SeatState.CONNECTED, 1)
desk = Stream(
    *(StreamId("7c1f"), ida.connection_id, 1767225700990, "Desk", None, True, True, False),
    *(VideoType.CAMERA, Dimensions(640, 480), None, None),
)


def body(report: Report) -> object:
    return json.loads(session_event_body(report, "40012345"))


def test_the_end_of_a_connection() -> None:
    report = Report(
        *("event", SESSION, CallbackGroup.CONNECTION, "destroyed", 1767229300456, ida),
        reason=Reason.CLIENT_DISCONNECTED,
    )
    assert body(report) == {
        "sessionId": "2_MX40fg",
        "projectId": "40012345",
        "event": "connectionDestroyed",
        "reason": "clientDisconnected",
        "timestamp": 1767229300456,
        "connection": {"id": "b7d0a3c2", "createdAt": 1767225655123, "data": "user=17&name=Ida"},
    }


def test_a_new_stream() -> None:
    assert body(Report("event", SESSION, CallbackGroup.STREAM, "created", 1767225701002, ida, desk)) == {
        "sessionId": "2_MX40fg",
        "projectId": "40012345",
        "event": "streamCreated",
        "timestamp": 1767225701002,
        "stream": {
            "id": "7c1f",
            "connection": {"id": "b7d0a3c2", "createdAt": 1767225655123, "data": "user=17&name=Ida"},
            "createdAt": 1767225700990,
            "name": "Desk",
            "videoType": "camera",
        },
    }


def test_a_session_has_no_object_and_a_stream_without_video_no_type() -> None:
    assert body(Report("event", SESSION, CallbackGroup.SESSION, "created", 1)) == {
        "sessionId": "2_MX40fg",
        "projectId": "40012345",
        "event": "sessionCreated",
        "timestamp": 1,
    }
    silent = Stream(
        StreamId("7c1f"), ida.connection_id, 1, "", None, True, False, False, None, Dimensions(0, 0), None, None
    )
    made = outbox_entry(Report("event", SESSION, CallbackGroup.STREAM, "created", 1, ida, silent), ApiKey("40012345"))
    assert "videoType" not in made.body
    assert (made.event_id, made.group, made.event, made.name) == ("event", "stream", "created", "streamCreated")


def test_the_signature_covers_body_project_and_event() -> None:
    sent = '{"n":1,"ü":2}'.encode()
    token = signature(sent, secret="s" * 40, event_id="event", api_key="40012345", now_s=1767225600)
    assert jwt.decode(token, OctKey.import_key("s" * 40), algorithms=["HS256"]).claims == {
        "iss": "tertulia",
        "iat": 1767225600,
        "jti": "event",
        "api_key": "40012345",
        "payload_hash": hashlib.sha256(sent).hexdigest(),
    }
    with pytest.raises(BadSignatureError):
        jwt.decode(token, OctKey.import_key("t" * 40), algorithms=["HS256"])

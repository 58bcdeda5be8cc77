"""Callbacks as bytes: the bodies that receivers read, and the signature they check."""

import hashlib
from typing import Any

import msgspec
from joserfc import jwt
from joserfc.jwk import OctKey

from tertulia.domain.callbacks import OutboxEntry
from tertulia.domain.connection import Connection
from tertulia.domain.reports import Report
from tertulia.domain.stream import Stream
from tertulia.ids import ApiKey

__all__ = ["EVENT_ID_HEADER", "outbox_entry", "session_event_body", "signature"]

EVENT_ID_HEADER = "Tertulia-Event-Id"
"""Repeats the claim `jti` for those who do not check signatures."""


class _Connection(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    created_at: int
    data: str


class _Stream(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    id: str
    connection: _Connection
    created_at: int
    name: str
    # Left out for streams without video.
    video_type: str | None = None


class _SessionEvent(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    session_id: str
    project_id: str
    event: str
    timestamp: int
    reason: str | None = None
    connection: _Connection | None = None
    stream: _Stream | None = None


def outbox_entry(report: Report, api_key: ApiKey) -> OutboxEntry:
    """Return a report as it is put into the outbox."""
    body = session_event_body(report, api_key)
    return OutboxEntry(report.event_id, api_key, report.group, report.event, report.name, body)


def session_event_body(report: Report, api_key: str) -> str:
    """Return the body of a session monitoring callback (OpenTok's developer guide, "Session monitoring").

    The project's id is a text here, while archive callbacks have it as a number.
    """
    stream = report.stream
    event = _SessionEvent(
        session_id=report.session_id,
        project_id=api_key,
        event=report.name,
        timestamp=report.at_ms,
        reason=None if report.reason is None else report.reason.value,
        connection=None if report.connection is None or stream is not None else _connection(report.connection),
        stream=None if stream is None else _stream(stream, report.connection),
    )
    return msgspec.json.encode(event).decode()


def _connection(connection: Connection) -> _Connection:
    return _Connection(connection.connection_id, connection.created_at_ms, connection.data)


def _stream(stream: Stream, owner: Connection | None) -> _Stream:
    whose = _Connection(stream.connection_id, stream.created_at_ms, "") if owner is None else _connection(owner)
    video_type = None if stream.video_type is None else stream.video_type.value
    return _Stream(stream.stream_id, whose, stream.created_at_ms, stream.name, video_type)


def signature(body: bytes, *, secret: str, event_id: str, api_key: str, now_s: int) -> str:
    """Return the token that goes along as `Authorization: Bearer …`: HS256 with the receiver's signature secret.

    Its claims are `iat`, `jti` (the event's id: the same in every repetition), `iss`, `api_key` and `payload_hash`, the
    SHA-256 of the body's bytes in hexadecimal.
    """
    claims: dict[str, Any] = {
        "iss": "tertulia",
        "iat": now_s,
        "jti": event_id,
        "api_key": api_key,
        "payload_hash": hashlib.sha256(body).hexdigest(),
    }
    return jwt.encode({"alg": "HS256", "typ": "JWT"}, claims, OctKey.import_key(secret))

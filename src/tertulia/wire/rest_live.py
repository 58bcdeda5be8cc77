"""Bodies of the REST API's operations on live sessions: streams, connections, muting, tones."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from tertulia.domain.connection import Connection, SeatState
from tertulia.domain.project import Project
from tertulia.domain.stream import Stream
from tertulia.errors import InvalidParameterError
from tertulia.wire.rest_fields import fields_of, flag, needed, texts

__all__ = [
    "MuteAll",
    "connection_list",
    "parse_digits",
    "parse_layout_classes",
    "parse_layout_classes_of_one",
    "parse_mute_all",
    "project_details",
    "stream_details",
    "stream_list",
]

MAX_DIGITS = 1000
"""Tones of one request, pauses included. Our own choice."""


@dataclass(frozen=True, slots=True)
class MuteAll:
    """What `POST …/mute` asks for: the state of the session, and who is left out."""

    active: bool
    excluded: tuple[str, ...]


def parse_mute_all(content_type: str, body: bytes) -> MuteAll:
    """Read the body; an empty one mutes everybody. Raises InvalidParameterError."""
    fields = fields_of(content_type, body)
    if fields and fields.get("active") in (None, ""):
        raise InvalidParameterError("active is missing.")
    # The third is how the Node SDK's documents spell it.
    excluded = texts(fields, "excludedStreamIds", "excludedStreams", "excudedStreamIds")
    return MuteAll(flag(fields, "active") if fields else True, excluded or ())


def parse_layout_classes(content_type: str, body: bytes) -> dict[str, tuple[str, ...]]:
    """Read `PUT …/stream`: the whole class list of each stream that is named, the last where one is named twice."""
    items = fields_of(content_type, body).get("items")
    if not isinstance(items, list):
        raise InvalidParameterError("items is not a list." if items is not None else "items is missing.")
    classes: dict[str, tuple[str, ...]] = {}
    for item in items:
        if not isinstance(item, dict):
            raise InvalidParameterError("items holds something else than objects.")
        classes[needed(item, "id")] = _class_list(item)
    return classes


def parse_layout_classes_of_one(content_type: str, body: bytes) -> tuple[str, ...]:
    """Read `PUT …/stream/{id}`: the whole class list of that stream."""
    return _class_list(fields_of(content_type, body))


def _class_list(fields: Mapping[str, Any]) -> tuple[str, ...]:
    classes = texts(fields, "layoutClassList")
    if classes is None:
        raise InvalidParameterError("layoutClassList is missing.")
    return classes


def parse_digits(content_type: str, body: bytes) -> str:
    """Read the tones of `POST …/play-dtmf`. Raises InvalidParameterError."""
    digits = needed(fields_of(content_type, body), "digits", longest=MAX_DIGITS)
    if not re.fullmatch(r"[0-9*#p]+", digits, re.ASCII):
        raise InvalidParameterError("digits holds something else than 0 to 9, *, # and p.")
    return digits


def stream_details(stream: Stream) -> bytes:
    """One stream."""
    return msgspec.json.encode(_stream(stream))


def stream_list(streams: Sequence[Stream]) -> bytes:
    """All streams; nothing but `count` and `items`, for the Java SDK refuses what it does not know."""
    return msgspec.json.encode({"count": len(streams), "items": [_stream(stream) for stream in streams]})


def connection_list(api_key: str, session_id: str, connections: Sequence[Connection]) -> bytes:
    """Everybody in a session."""
    items = [
        {
            "connectionId": one.connection_id,
            "connectionState": "Connecting" if one.state is SeatState.INTERRUPTED else "Connected",
            "createdAt": one.created_at_ms,
        }
        for one in connections
    ]
    return msgspec.json.encode({"count": len(items), "projectId": api_key, "sessionId": session_id, "items": items})


def project_details(project: Project) -> bytes:
    """A project without its secret, which is what muting answers."""
    return msgspec.json.encode(
        {
            "id": project.api_key,
            "projectId": project.api_key,
            "status": project.status.value.upper(),
            "name": project.name,
            "environment": "standard",
            "createdAt": project.created_at_ms,
        }
    )


def _stream(stream: Stream) -> Mapping[str, Any]:
    return {
        "id": stream.stream_id,
        # Never absent: SDKs map it to an enumeration.
        "videoType": stream.video_type.value if stream.video_type else "camera",
        "name": stream.name,
        "layoutClassList": list(stream.layout_classes),
    }

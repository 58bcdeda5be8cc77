"""Bodies of requests about archives, broadcasts and their layouts: read and checked whatever is made of them.

Each function raises InvalidParameterError, naming the field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec

from tertulia.errors import InvalidParameterError
from tertulia.wire.rest import RESOLUTIONS
from tertulia.wire.rest_fields import choice, fields_of, flag, group, integer, needed, text

__all__ = [
    "Page",
    "StreamChange",
    "empty_list",
    "parse_archive",
    "parse_broadcast",
    "parse_layout",
    "parse_page",
    "parse_storage",
    "parse_stream_change",
]

LAYOUTS = ("bestFit", "pip", "verticalPresentation", "horizontalPresentation")
MAX_ARCHIVE_NAME_CHARACTERS = 255
MAX_STYLESHEET_CHARACTERS = 16_384
MAX_RTMP_TARGETS = 5
MAX_PAGE = 1000
DEFAULT_PAGE = 50
_MAX_TEXT = 1024


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is wanted."""

    offset: int
    count: int


@dataclass(frozen=True, slots=True)
class StreamChange:
    """A stream that is taken into an archive or broadcast, or out of it."""

    stream_id: str
    add: bool
    has_audio: bool = True
    has_video: bool = True


def parse_archive(content_type: str, body: bytes) -> str:
    """Read `POST …/archive`; returns the session id."""
    fields = fields_of(content_type, body)
    session_id = needed(fields, "sessionId")
    composed = choice(fields, "outputMode", ("composed", "individual")) == "composed"
    has_audio, _ = _media(fields)
    name = text(fields, "name")
    if name is not None and len(name) > MAX_ARCHIVE_NAME_CHARACTERS:
        raise InvalidParameterError(f"name has more than {MAX_ARCHIVE_NAME_CHARACTERS} characters.")
    choice(fields, "streamMode", ("auto", "manual"))
    _tag(fields, "multiArchiveTag")
    bitrate = integer(_either(fields, "maxBitrate", "maxBitRate"), "maxBitrate", 100_000, 6_000_000)
    quality = integer(fields, "quantizationParameter", 15, 40)
    if bitrate is not None and quality is not None:
        raise InvalidParameterError("maxBitrate and quantizationParameter exclude each other.")
    given = {
        "resolution": _resolution(fields),
        "layout": _layout(fields),
        "maxBitrate": bitrate,
        "quantizationParameter": quality,
    }
    if not composed and (wrong := next((name for name, value in given.items() if value is not None), None)):
        raise InvalidParameterError(f"{wrong} is for composed archives only.")
    if flag(fields, "hasTranscription") and (composed or not has_audio):
        raise InvalidParameterError("hasTranscription is for individual archives with audio only.")
    transcription = group(fields, "transcriptionProperties")
    text(transcription, "primaryLanguageCode")
    flag(transcription, "hasSummary")
    return session_id


def parse_broadcast(content_type: str, body: bytes) -> str:
    """Read `POST …/broadcast`; returns the session id."""
    fields = fields_of(content_type, body)
    session_id = needed(fields, "sessionId")
    outputs = group(fields, "outputs")
    hls = outputs.get("hls") is not None
    if hls:
        settings = group(outputs, "hls")
        if flag(settings, "dvr") and flag(_either(settings, "lowLatency", "low_latency"), "lowLatency"):
            raise InvalidParameterError("outputs.hls takes dvr or lowLatency, not both.")
    targets = outputs.get("rtmp") or []
    if not isinstance(targets, list) or not all(isinstance(target, dict) for target in targets):
        raise InvalidParameterError("outputs.rtmp is not a list of objects.")
    if len(targets) > MAX_RTMP_TARGETS:
        raise InvalidParameterError(f"outputs.rtmp has more than {MAX_RTMP_TARGETS} targets.")
    for target in targets:
        _check_rtmp(target)
    if not hls and not targets:
        raise InvalidParameterError("outputs has neither hls nor rtmp.")
    _layout(fields)
    _media(fields)
    integer(fields, "maxDuration", 60, 36_000)
    integer(_either(fields, "maxBitrate", "maxBitRate"), "maxBitrate", 100_000, 6_000_000)
    _resolution(fields)
    choice(fields, "streamMode", ("auto", "manual"))
    _tag(fields, "multiBroadcastTag")
    return session_id


def parse_layout(content_type: str, body: bytes) -> None:
    """Read `PUT …/layout`."""
    _check_layout(fields_of(content_type, body))


def parse_stream_change(content_type: str, body: bytes) -> StreamChange:
    """Read `PATCH …/streams`."""
    fields = fields_of(content_type, body)
    added, removed = text(fields, "addStream"), text(fields, "removeStream")
    if added is not None and removed is not None:
        raise InvalidParameterError("addStream and removeStream exclude each other.")
    if removed is not None:
        return StreamChange(removed, add=False)
    if added is None:
        raise InvalidParameterError("Neither addStream nor removeStream is there.")
    has_audio, has_video = _media(fields)
    return StreamChange(added, add=True, has_audio=has_audio, has_video=has_video)


def parse_storage(content_type: str, body: bytes) -> None:
    """Read `PUT …/archive/storage`."""
    fields = fields_of(content_type, body)
    kind = needed(fields, "type")
    config = group(fields, "config")
    keys = {"s3": ("accessKey", "secretKey", "bucket"), "azure": ("accountName", "accountKey", "container")}.get(kind)
    if keys is None:
        raise InvalidParameterError("type is neither s3 nor azure.")
    for key in keys:
        needed(config, key, longest=_MAX_TEXT)
    text(config, "endpoint" if kind == "s3" else "domain")
    choice(fields, "fallback", ("none", "opentok"))


def parse_page(query: Mapping[str, str], *, default: int = DEFAULT_PAGE) -> Page:
    """Read `offset` and `count` of a list."""
    offset = integer(query, "offset", 0, 2**31 - 1)
    count = integer(query, "count", 1, MAX_PAGE)
    return Page(offset or 0, default if count is None else count)


def empty_list() -> bytes:
    """A list in which nothing is; `count` is that of all pages together."""
    return msgspec.json.encode({"count": 0, "items": []})


def _either(fields: Mapping[str, Any], name: str, other: str) -> Mapping[str, Any]:
    """The fields with the value of `name`, which some SDKs spell otherwise."""
    return {name: fields[name] if fields.get(name) is not None else fields.get(other)}


def _media(fields: Mapping[str, Any]) -> tuple[bool, bool]:
    has_audio, has_video = (fields.get(name) in (None, "") or flag(fields, name) for name in ("hasAudio", "hasVideo"))
    if not has_audio and not has_video:
        raise InvalidParameterError("hasAudio and hasVideo are both false.")
    return has_audio, has_video


def _resolution(fields: Mapping[str, Any]) -> str | None:
    resolution = text(fields, "resolution")
    if resolution is not None and resolution not in RESOLUTIONS:
        raise InvalidParameterError(f"resolution is none of {', '.join(sorted(RESOLUTIONS))}.")
    return resolution


def _tag(fields: Mapping[str, Any], name: str) -> None:
    tag = text(fields, name)
    if tag is not None and len(tag) > _MAX_TEXT:
        raise InvalidParameterError(f"{name} has more than {_MAX_TEXT} characters.")


def _check_rtmp(target: Mapping[str, Any]) -> None:
    for name, other in (("serverUrl", "server_url"), ("streamName", "stream_name")):
        needed(_either(target, name, other), name, longest=_MAX_TEXT)
    address = needed(_either(target, "serverUrl", "server_url"), "serverUrl")
    try:
        parts = urlsplit(address)
    except ValueError as error:
        raise InvalidParameterError("serverUrl is not an address.") from error
    if parts.scheme not in ("rtmp", "rtmps") or not parts.netloc:
        raise InvalidParameterError("serverUrl does not begin with rtmp:// or rtmps:// and a host.")
    text(target, "id")


def _layout(fields: Mapping[str, Any]) -> Mapping[str, Any] | None:
    if fields.get("layout") is None:
        return None
    layout = group(fields, "layout")
    _check_layout(layout)
    return layout


def _check_layout(layout: Mapping[str, Any]) -> None:
    kind = needed(layout, "type")
    if kind not in (*LAYOUTS, "custom"):
        raise InvalidParameterError(f"type is none of {', '.join(LAYOUTS)} and custom.")
    stylesheet = text(layout, "stylesheet")
    if (stylesheet is not None) != (kind == "custom"):
        raise InvalidParameterError("stylesheet goes with type custom, and with no other.")
    if stylesheet is not None and len(stylesheet) > MAX_STYLESHEET_CHARACTERS:
        raise InvalidParameterError(f"stylesheet has more than {MAX_STYLESHEET_CHARACTERS} characters.")
    shared = next((text(layout, name) for name in _SCREENSHARE if layout.get(name)), None)
    if shared is not None and (kind != "bestFit" or shared not in LAYOUTS):
        raise InvalidParameterError(f"screenshareType is one of {', '.join(LAYOUTS)}, with type bestFit.")


_SCREENSHARE = ("screenshareType", "screenShareType", "screensharetype", "screenshare_type")

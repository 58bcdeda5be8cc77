"""Bodies of requests for features that a server may lack: read and checked as if it had them.

Each function raises InvalidParameterError, naming the field, and returns the session id that the request is about.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from tertulia.errors import InvalidParameterError
from tertulia.wire.rest import RESOLUTIONS
from tertulia.wire.rest_fields import choice, fields_of, flag, group, integer, needed, text, texts

__all__ = ["parse_captions", "parse_connect", "parse_dial", "parse_render"]

_MAX_ADDRESS = 2048
_MIN_ADDRESS = 15
_MAX_HEADER_BYTES = 512


def parse_dial(content_type: str, body: bytes) -> str:
    """Read `POST …/dial`: a call to a SIP address."""
    fields = fields_of(content_type, body)
    session_id = _opened(fields)
    sip = group(fields, "sip")
    needed(sip, "uri", longest=_MAX_ADDRESS)
    text(sip, "from")
    if not all(name[:2].lower() == "x-" for name in group(sip, "headers")):
        raise InvalidParameterError("sip.headers has a name that does not begin with X-.")
    group(sip, "auth")
    for name in ("secure", "video", "observeForceMute"):
        flag(sip, name)
    texts(sip, "streams")
    return session_id


def parse_captions(content_type: str, body: bytes) -> str:
    """Read `POST …/captions`."""
    fields = fields_of(content_type, body)
    session_id = _opened(fields)
    text(fields, "languageCode")
    integer(fields, "maxDuration", 300, 14_400)
    flag(fields, "partialCaptions")
    _address(fields, "statusCallbackUrl")
    return session_id


def parse_connect(content_type: str, body: bytes) -> str:
    """Read `POST …/connect`: audio to a WebSocket."""
    fields = fields_of(content_type, body)
    session_id = _opened(fields)
    websocket = group(fields, "websocket")
    uri = needed(websocket, "uri", longest=_MAX_ADDRESS)
    if not uri.startswith(("ws://", "wss://")):
        raise InvalidParameterError("websocket.uri does not begin with ws:// or wss://.")
    if len(msgspec.json.encode(group(websocket, "headers"))) > _MAX_HEADER_BYTES:
        raise InvalidParameterError(f"websocket.headers has more than {_MAX_HEADER_BYTES} bytes.")
    texts(websocket, "streams")
    if integer(websocket, "audioRate", 8000, 24_000) not in (None, 8000, 16_000, 24_000):
        raise InvalidParameterError("websocket.audioRate is none of 8000, 16000 and 24000.")
    flag(websocket, "bidirectional")
    choice(_transport(websocket), "transport", ("binary", "json"))
    return session_id


def parse_render(content_type: str, body: bytes) -> str:
    """Read `POST …/render`: a web page that publishes."""
    fields = fields_of(content_type, body)
    session_id = _opened(fields)
    needed(fields, "url", shortest=_MIN_ADDRESS, longest=_MAX_ADDRESS)
    integer(fields, "maxDuration", 60, 36_000)
    resolution = text(fields, "resolution")
    if resolution is not None and resolution not in RESOLUTIONS:
        raise InvalidParameterError(f"resolution is none of {', '.join(sorted(RESOLUTIONS))}.")
    name = text(group(fields, "properties"), "name")
    if name is not None and len(name) > 200:
        raise InvalidParameterError("properties.name has more than 200 characters.")
    _address(fields, "statusCallbackUrl")
    return session_id


def _opened(fields: Mapping[str, Any]) -> str:
    needed(fields, "token")
    return needed(fields, "sessionId")


def _address(fields: Mapping[str, Any], name: str) -> None:
    if text(fields, name) is not None:
        needed(fields, name, shortest=_MIN_ADDRESS, longest=_MAX_ADDRESS)


def _transport(websocket: Mapping[str, Any]) -> Mapping[str, Any]:
    """An object, or with the Python SDK the text of one."""
    given = websocket.get("audioTransport")
    if isinstance(given, str) and given:
        try:
            given = msgspec.json.decode(given)
        except (ValueError, RecursionError) as error:
            raise InvalidParameterError("websocket.audioTransport is not an object.") from error
    return group({"audioTransport": given}, "audioTransport")

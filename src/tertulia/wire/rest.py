"""Bodies of the REST API: what the official SDKs send, read leniently; what they insist on, written strictly."""

from __future__ import annotations

import ipaddress
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.sax.saxutils import escape

import msgspec

from tertulia.errors import InvalidParameterError, SignalInvalidError, TertuliaError
from tertulia.wire.rest_fields import choice, fields_of, flag, text

__all__ = [
    "CreateSession",
    "SignalBody",
    "create_session_json",
    "create_session_xml",
    "error_body",
    "parse_create_session",
    "parse_signal",
]

RESOLUTIONS = frozenset({"640x480", "480x640", "1280x720", "720x1280", "1920x1080", "1080x1920"})
MAX_ARCHIVE_NAME_CHARACTERS = 80
# What the service that we follow tells clients; ours hands out no credentials that expire.
ICE_CREDENTIAL_EXPIRATION_S = 86_100


@dataclass(frozen=True, slots=True)
class CreateSession:
    """What `POST /session/create` asks for; None and False mean that nothing was said.

    `api_key` is what the PHP SDK adds; the one that counts is in the request's token.
    """

    relayed: bool = False
    always_archived: bool = False
    archive_name: str | None = None
    archive_resolution: str | None = None
    location: str | None = None
    e2ee: bool = False
    api_key: str | None = None


@dataclass(frozen=True, slots=True)
class SignalBody:
    """A signal as the REST API takes it; None where the field is absent, null or empty."""

    type: str | None
    data: str | None


def parse_create_session(content_type: str, body: bytes) -> CreateSession:
    """Read the form, or the JSON object, of `POST /session/create`.

    Raises InvalidParameterError, naming the field, for a value that is not lawful by itself or beside the others.
    """
    fields = fields_of(content_type, body)
    preference = choice(fields, "p2p.preference", ("disabled", "enabled"))
    archive_mode = choice(fields, "archiveMode", ("manual", "always"))
    archive_name = text(fields, "archiveName")
    if archive_name is not None and len(archive_name) > MAX_ARCHIVE_NAME_CHARACTERS:
        raise InvalidParameterError(f"archiveName has more than {MAX_ARCHIVE_NAME_CHARACTERS} characters.")
    resolution = text(fields, "archiveResolution")
    if resolution is not None and resolution not in RESOLUTIONS:
        raise InvalidParameterError(f"archiveResolution is none of {', '.join(sorted(RESOLUTIONS))}.")
    location = text(fields, "location")
    if location is not None:
        try:
            ipaddress.IPv4Address(location)
        except ValueError as error:
            raise InvalidParameterError("location is not an IPv4 address.") from error
    relayed, always, e2ee = preference == "enabled", archive_mode == "always", flag(fields, "e2ee")
    if always and relayed:
        raise InvalidParameterError("archiveMode always needs a routed session: p2p.preference disabled.")
    if not always and (archive_name or resolution):
        raise InvalidParameterError("archiveName and archiveResolution need archiveMode always.")
    if e2ee and (relayed or always):
        raise InvalidParameterError("e2ee needs a routed session that is not archived by itself.")
    return CreateSession(
        relayed=relayed,
        always_archived=always,
        archive_name=archive_name,
        archive_resolution=resolution,
        location=location,
        e2ee=e2ee,
        api_key=text(fields, "api_key"),
    )


def create_session_json(session_id: str, api_key: str, created_at_ms: int) -> bytes:
    """The answer for SDKs that accept JSON: an array of exactly one object, with every key that has been seen there."""
    return msgspec.json.encode(
        [
            {
                "session_id": session_id,
                "project_id": api_key,
                "partner_id": api_key,
                "create_dt": _create_dt(created_at_ms),
                "session_status": None,
                "status_invalid": None,
                "media_server_hostname": None,
                "messaging_server_url": None,
                "messaging_url": None,
                "symphony_address": None,
                "properties": None,
                "ice_server": None,
                "session_segment_id": str(uuid.uuid5(uuid.NAMESPACE_OID, session_id)),
                "ice_servers": None,
                "ice_credential_expiration": ICE_CREDENTIAL_EXPIRATION_S,
                "media_server_url": "",
            }
        ]
    )


def create_session_xml(session_id: str, api_key: str, created_at_ms: int) -> bytes:
    """The answer for everybody else."""
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?><sessions><Session>'
        f"<session_id>{escape(session_id)}</session_id><partner_id>{escape(api_key)}</partner_id>"
        f"<create_dt>{_create_dt(created_at_ms)}</create_dt></Session></sessions>"
    ).encode()


def parse_signal(content_type: str, body: bytes) -> SignalBody:
    """Read the body of a signal. Raises SignalInvalidError unless both fields are texts where they are given."""
    try:
        fields = fields_of(content_type, body)
        return SignalBody(type=text(fields, "type"), data=text(fields, "data"))
    except InvalidParameterError as error:
        raise SignalInvalidError(error.message) from error


def error_body(error: TertuliaError, status: int | None = None) -> bytes:
    """The body of every refusal: `message` is what SDKs show, `code` the application's number, else the status."""
    code = error.kind.rest_code if error.kind.rest_code is not None else status or error.kind.http
    return msgspec.json.encode({"code": code, "message": error.message, "description": error.message})


def _create_dt(created_at_ms: int) -> str:
    """The time in the form of Java's `Date.toString`, in UTC; `ctime` is English whatever the locale."""
    at = datetime.fromtimestamp(created_at_ms // 1000, UTC)
    day, month, _, clock, year = at.ctime().split()
    return f"{day} {month} {at.day:02} {clock} UTC {year}"

"""Identifiers: their types, the shape of a session id, and the source of new ones."""

import base64
import re
import secrets
import uuid
from dataclasses import dataclass
from typing import NewType, Protocol

from tertulia.clock import WallTime

__all__ = [
    "ApiKey",
    "ConnectionId",
    "EmbeddedFacts",
    "Generation",
    "IdSource",
    "SessionId",
    "SlotIndex",
    "StreamId",
    "SubscriptionId",
    "SystemIds",
    "TransportId",
    "api_key_in",
    "is_session_id_shaped",
    "read_session_id",
    "session_id_of",
]

ApiKey = NewType("ApiKey", str)
"""A project's public key: 8 to 10 decimal digits."""
SessionId = NewType("SessionId", str)
ConnectionId = NewType("ConnectionId", str)
"""A lower-case UUID."""
StreamId = NewType("StreamId", str)
"""A lower-case UUID."""
SubscriptionId = NewType("SubscriptionId", int)
"""Counts the subscriptions of one connection from 1; never used twice."""
SlotIndex = NewType("SlotIndex", int)
"""Counts the slot pairs of one transport from 0, in the order of adding."""
Generation = NewType("Generation", int)
"""Counts the bindings of one slot pair from 1; 0 before the first."""
TransportId = NewType("TransportId", int)
"""The router's name for one ICE and DTLS association."""

_SESSION_ID = re.compile(r"[0-9]_[A-Za-z0-9_-]{16,253}", re.ASCII)
_RANDOM_TEXT = re.compile(r"[A-Za-z0-9]{24}", re.ASCII)
_RANDOM_CHARACTERS = 24
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_CHARACTERS = bytes(_ALPHABET[byte % len(_ALPHABET)] for byte in range(256))
_UNFAIR = bytes(range(256 - 256 % len(_ALPHABET), 256))


def session_id_of(
    api_key: ApiKey, *, relayed: bool, location: str | None, created_at: WallTime, random_text: str
) -> SessionId:
    """Build a session id that every official server SDK can take apart offline.

    The form is a digit (1 relayed, 2 routed), `_`, and URL-safe base64 without padding of
    `1~{key}~{location}~{created ms}~{random}~{P if relayed}~`. Its content is ASCII without `?`, `>` and DEL, so that
    neither `_` nor a misleading `-` arises in the base64 text (some SDKs split there).

    Args:
        api_key: The project that owns the session.
        relayed: True for relayed media, False for routed.
        location: IPv4 address as a hint where media should be, or None.
        created_at: Time of creation.
        random_text: 24 random ASCII letters and digits.

    Raises:
        ValueError: If `random_text` or `api_key` is not of the form above.
    """
    if _RANDOM_TEXT.fullmatch(random_text) is None:
        raise ValueError("random_text must be 24 ASCII letters and digits")
    if not (api_key.isascii() and api_key.isdigit()):
        raise ValueError("api_key must be decimal digits")
    flags = "P" if relayed else ""
    content = f"1~{api_key}~{location or ''}~{created_at}~{random_text}~{flags}~"
    encoded = base64.urlsafe_b64encode(content.encode("ascii")).decode("ascii").rstrip("=")
    return SessionId(f"{'1' if relayed else '2'}_{encoded}")


def api_key_in(session_id: str) -> ApiKey | None:
    """Return the key that a session id carries, as its maker wrote it; None if it is not of a known form.

    Nothing may be believed because of it: anybody can write such an id.
    """
    facts = read_session_id(session_id)
    return None if facts is None else facts.api_key


def is_session_id_shaped(text: str) -> bool:
    """Say whether a text could be a session id at all; whether the session exists only the store knows."""
    return _SESSION_ID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class EmbeddedFacts:
    """What a session id says about itself; nobody has signed it.

    Attributes:
        api_key: The project that owns the session.
        relayed: Whether its media is relayed.
        created_at_ms: Time of creation, milliseconds since the epoch; None in ids of before 2016.
    """

    api_key: ApiKey
    relayed: bool
    created_at_ms: int | None


def read_session_id(text: str) -> EmbeddedFacts | None:
    """Take a session id apart, made here or by OpenTok in any of its generations; None if it says nothing.

    For ids that are not known here. What is known stands in the store, and counts.
    """
    if not is_session_id_shaped(text):
        return None
    encoded = text[2:]
    try:
        content = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode("ascii")
    except ValueError:
        return None
    fields = content.split("~")
    if len(fields) < 5 or re.fullmatch(r"[1-9][0-9]{0,9}", fields[1], re.ASCII) is None:
        return None
    created = fields[3] if re.fullmatch(r"[0-9]{13}", fields[3], re.ASCII) else None
    return EmbeddedFacts(
        api_key=ApiKey(fields[1]), relayed="P" in fields[5:], created_at_ms=None if created is None else int(created)
    )


class IdSource(Protocol):
    """Where new identifiers and key material come from. Tests count."""

    def connection_id(self) -> ConnectionId:
        """Return a connection id never given before."""
        ...

    def stream_id(self) -> StreamId:
        """Return a stream id never given before."""
        ...

    def callback_id(self) -> str:
        """Return an id, of a callback or of a receiver, never given before."""
        ...

    def api_key(self) -> ApiKey:
        """Return an 8-digit key; the caller checks that it is free."""
        ...

    def api_secret(self) -> str:
        """Return 40 lower-case hexadecimal characters."""
        ...

    def random_text(self) -> str:
        """Return 24 letters and digits."""
        ...

    def secret_bytes(self) -> bytes:
        """Return 32 bytes of key material."""
        ...


class SystemIds:
    """Identifiers from the machine's cryptographic random source."""

    def connection_id(self) -> ConnectionId:
        """Return a random UUID."""
        return ConnectionId(str(uuid.uuid4()))

    def stream_id(self) -> StreamId:
        """Return a random UUID."""
        return StreamId(str(uuid.uuid4()))

    def callback_id(self) -> str:
        """Return a random UUID."""
        return str(uuid.uuid4())

    def api_key(self) -> ApiKey:
        """Return eight digits, the first of them not 0."""
        return ApiKey(str(10_000_000 + secrets.randbelow(90_000_000)))

    def api_secret(self) -> str:
        """Return 160 random bits as hexadecimal text, the shape that the server SDKs expect."""
        return secrets.token_hex(20)

    def random_text(self) -> str:
        """Return 24 letters and digits, about 142 random bits."""
        text = ""
        while len(text) < _RANDOM_CHARACTERS:
            # Bytes beyond the last multiple of 62 are dropped: each character is as likely as any other.
            text += secrets.token_bytes(32).translate(_CHARACTERS, _UNFAIR).decode("ascii")
        return text[:_RANDOM_CHARACTERS]

    def secret_bytes(self) -> bytes:
        """Return 256 random bits."""
        return secrets.token_bytes(32)

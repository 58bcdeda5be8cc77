"""Takes tokens, secrets and user data out of log records."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any

REDACTED = "[redacted]"

# Keys whose values are never logged, whatever they look like.
SECRET_KEYS = frozenset(
    {
        "api_secret",
        "authorization",
        "client_data",
        "connection_data",
        "data",
        "offer",
        "answer",
        "password",
        "password_hash",
        "private_key",
        "resume_key",
        "secret",
        "token",
        "x-opentok-auth",
    }
)
# Client tokens of both formats, texts of the shape of an API secret, hashes of passwords, passwords in addresses.
_SECRET_TEXT = re.compile(
    r"scrypt:[0-9:]+[A-Za-z0-9_-]+:[A-Za-z0-9_-]+|(?<=://)[^\s:/@]*:[^\s/@]+(?=@)|T1==[A-Za-z0-9+/=_-]+|\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*|\b[0-9a-f]{40}\b"
)


def redact(_logger: object, _method: str, record: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: replaces secret values, at any depth, and secrets within texts."""
    for key, value in record.items():
        record[key] = _clean(key, value)
    return record


def _clean(key: str, value: Any) -> Any:
    if key.lower() in SECRET_KEYS and value is not None:
        return REDACTED
    if isinstance(value, str):
        return _SECRET_TEXT.sub(REDACTED, value)
    if isinstance(value, dict):
        return {inner: _clean(str(inner), item) for inner, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(key, item) for item in value]
    return value

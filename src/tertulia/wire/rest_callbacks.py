"""Bodies of the registration of callbacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tertulia.domain.callbacks import Callback
from tertulia.wire.rest_fields import fields_of, needed

__all__ = ["callback_details", "callback_list", "parse_callback"]


def parse_callback(content_type: str, body: bytes) -> tuple[str, str, str]:
    """Read `POST …/callback`: group, event and address. Raises InvalidParameterError if one is missing."""
    fields = fields_of(content_type, body)
    return needed(fields, "group"), needed(fields, "event"), needed(fields, "url")


def callback_details(callback: Callback) -> bytes:
    """One callback, with the secret that signs what is sent there: whoever asks is the project."""
    return msgspec.json.encode(_callback(callback))


def callback_list(callbacks: Sequence[Callback]) -> bytes:
    """A project's callbacks: a bare array."""
    return msgspec.json.encode([_callback(callback) for callback in callbacks])


def _callback(callback: Callback) -> Mapping[str, Any]:
    return {
        "id": callback.callback_id,
        "group": callback.group.value,
        "event": callback.event,
        "url": callback.url,
        "createdAt": callback.created_at_ms,
        "secret": callback.secret,
    }

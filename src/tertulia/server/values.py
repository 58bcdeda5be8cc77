"""What goes into the calls and what comes out of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypedDict

__all__ = ["ArchiveModes", "MediaModes", "Roles", "Session", "SignalPayload"]


class Roles(StrEnum):
    """What a token lets its bearer do in the session."""

    subscriber = "subscriber"
    """Subscribe to streams and signal."""
    publisher = "publisher"
    """Publish as well."""
    publisher_only = "publisheronly"
    """Publish and nothing else."""
    moderator = "moderator"
    """Publish, and mute, unpublish and remove others."""


class MediaModes(StrEnum):
    """How the media of a session travels. The values are what the REST API calls `p2p.preference`."""

    routed = "disabled"
    """Through the media router; needed for archives and broadcasts."""
    relayed = "enabled"
    """Directly between two clients where that is possible."""


class ArchiveModes(StrEnum):
    """When a session is archived."""

    manual = "manual"
    """When a call starts an archive."""
    always = "always"
    """By itself, from the first client on; the session must be routed."""


@dataclass(frozen=True, slots=True)
class Session:
    """A session that was just made.

    Attributes:
        session_id: What tokens and pages name it by.
        media_mode: As asked for.
        archive_mode: As asked for.
        location: The IPv4 address that was given as a hint, or None.
        archive_name: Name of the automatic archive, or None.
        archive_resolution: Size of the automatic archive, for example `640x480`, or None.
        e2ee: Whether clients encrypt end to end.
    """

    session_id: str
    media_mode: MediaModes
    archive_mode: ArchiveModes
    location: str | None = None
    archive_name: str | None = None
    archive_resolution: str | None = None
    e2ee: bool = False


class SignalPayload(TypedDict, total=False):
    """A signal: `type` is at most 128 bytes, `data` at most 8192; both may be left out."""

    type: str
    data: str

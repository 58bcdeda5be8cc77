"""What goes into the calls and what comes out of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypedDict

import msgspec

__all__ = [
    "ArchiveModes",
    "Callback",
    "Captions",
    "Connection",
    "ConnectionList",
    "MediaModes",
    "OwnedProject",
    "Project",
    "Render",
    "RenderList",
    "Roles",
    "Session",
    "SignalPayload",
    "SipCall",
    "Stream",
    "StreamList",
    "WebSocketAudioConnection",
]


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


class _Result(msgspec.Struct, frozen=True, rename="camel"):
    """Read of an answer; members that are not known here are passed over."""


class Stream(_Result, frozen=True):
    """A stream of a live session.

    Attributes:
        id: Its id.
        video_type: `camera`, `screen` or `custom`.
        name: As its publisher gave it.
        layout_class_list: Its layout classes in archives and broadcasts.
    """

    id: str
    video_type: str = "camera"
    name: str = ""
    layout_class_list: tuple[str, ...] = ()


class StreamList(_Result, frozen=True):
    """The streams of a live session.

    Attributes:
        count: How many there are.
        items: All of them.
    """

    count: int
    items: tuple[Stream, ...]


class Connection(_Result, frozen=True):
    """A client in a session.

    Attributes:
        connection_id: Its id.
        connection_state: `Connected`, or `Connecting` while it has lost its network and is expected back.
        created_at: When it came, milliseconds since the epoch.
    """

    connection_id: str
    connection_state: str
    created_at: int


class ConnectionList(_Result, frozen=True):
    """The clients of a session.

    Attributes:
        count: How many there are.
        session_id: The session.
        items: All of them.
    """

    count: int
    session_id: str
    items: tuple[Connection, ...]


class Project(_Result, frozen=True):
    """The project of a call, without its secret.

    Attributes:
        id: Its API key.
        status: `ACTIVE` or `SUSPENDED`.
        name: For people.
    """

    id: str
    status: str = "ACTIVE"
    name: str = ""


class OwnedProject(_Result, frozen=True):
    """A project as its account sees it.

    Attributes:
        id: Its API key.
        secret: Its API secret.
        status: `ACTIVE` or `SUSPENDED`.
        name: For people.
        created_at: When it was made, milliseconds since the epoch.
    """

    id: str
    secret: str
    status: str = "ACTIVE"
    name: str = ""
    created_at: int = 0

    def __repr__(self) -> str:
        """Everything but the secret."""
        return f"OwnedProject(id={self.id!r}, status={self.status!r}, name={self.name!r})"


class SipCall(_Result, frozen=True):
    """A call to a SIP address.

    Attributes:
        id: Its id.
        connection_id: Its connection in the session; `force_disconnect` hangs up.
        stream_id: Its stream in the session.
    """

    id: str
    connection_id: str
    stream_id: str


class Captions(_Result, frozen=True):
    """Live captions of a session.

    Attributes:
        captions_id: What `stop_captions` takes.
    """

    captions_id: str


class WebSocketAudioConnection(_Result, frozen=True):
    """Audio of a session that is sent to a WebSocket.

    Attributes:
        id: Its id.
        connection_id: Its connection in the session; `force_disconnect` ends it.
    """

    id: str
    connection_id: str


class Render(_Result, frozen=True):
    """A web page that publishes into a session.

    Attributes:
        id: Its id.
        session_id: The session.
        url: The page.
        status: `starting`, `started`, `stopped` or `failed`.
        created_at: When it was asked for, milliseconds since the epoch.
        updated_at: When its status changed.
        resolution: For example `1280x720`.
        stream_id: Its stream, once it has one.
        reason: Why it stopped or failed, else empty.
    """

    id: str
    session_id: str
    url: str
    status: str
    created_at: int
    updated_at: int
    resolution: str
    stream_id: str | None = None
    reason: str | None = None


class RenderList(_Result, frozen=True):
    """A page of renders.

    Attributes:
        count: How many there are in all.
        items: Those of this page, newest first.
    """

    count: int
    items: tuple[Render, ...]


class Callback(_Result, frozen=True):
    """An address that is told of one kind of event.

    Attributes:
        id: What `remove_callback` takes.
        group: What it is about, for example `connection`.
        event: `created`, `destroyed` or `status`.
        url: The address.
        created_at: When it was registered, milliseconds since the epoch.
        secret: Signs what is sent there.
    """

    id: str
    group: str
    event: str
    url: str
    created_at: int
    secret: str = ""

    def __repr__(self) -> str:
        """Everything but the secret."""
        return f"Callback(id={self.id!r}, group={self.group!r}, event={self.event!r}, url={self.url!r})"

"""What goes into the calls about archives and broadcasts, and what comes out of them."""

from __future__ import annotations

from enum import StrEnum

import msgspec

__all__ = [
    "Archive",
    "ArchiveList",
    "Broadcast",
    "BroadcastList",
    "BroadcastUrls",
    "OutputModes",
    "RtmpStatus",
    "StreamModes",
]


class OutputModes(StrEnum):
    """What an archive is made of."""

    composed = "composed"
    """One picture with all streams in it."""
    individual = "individual"
    """A file for each stream."""


class StreamModes(StrEnum):
    """Which streams an archive or a broadcast has."""

    auto = "auto"
    """All of the session."""
    manual = "manual"
    """Those that calls take in."""


class _Result(msgspec.Struct, frozen=True, rename="camel"):
    """Read of an answer; members that are not known here are passed over."""


class Archive(_Result, frozen=True):
    """An archive.

    Attributes:
        id: Its id.
        status: `started`, `paused`, `stopped`, `uploaded`, `available`, `expired`, `failed` or `deleted`.
        session_id: The session that is recorded.
        created_at: When it began, milliseconds since the epoch.
        name: As given, or None.
        reason: Why it stopped or failed, else empty.
        duration: Of what is recorded, seconds; 0 while it is.
        size: In bytes; 0 until the file is there.
        output_mode: `composed` or `individual`.
        stream_mode: `auto` or `manual`.
        has_audio: Whether sound is recorded.
        has_video: Whether pictures are.
        resolution: Of a composed archive.
        url: Where the file is for some minutes, when it is available.
    """

    id: str
    status: str
    session_id: str
    created_at: int
    name: str | None = None
    reason: str = ""
    duration: int = 0
    size: int = 0
    output_mode: str = "composed"
    stream_mode: str = "auto"
    has_audio: bool = True
    has_video: bool = True
    resolution: str | None = None
    url: str | None = None


class ArchiveList(_Result, frozen=True):
    """A page of archives.

    Attributes:
        count: How many there are in all.
        items: Those of this page, newest first.
    """

    count: int
    items: tuple[Archive, ...]


class RtmpStatus(_Result, frozen=True):
    """One target of a broadcast.

    Attributes:
        server_url: Where to.
        stream_name: Under which name.
        status: `connecting`, `live`, `offline` or `error`.
        id: As given, or None.
    """

    server_url: str
    stream_name: str
    status: str = ""
    id: str | None = None


class BroadcastUrls(_Result, frozen=True):
    """Where a broadcast can be seen.

    Attributes:
        hls: Address of the playlist, or None without HLS.
        hls_status: `connecting`, `ready`, `live`, `ended` or `error`.
        rtmp: The targets.
    """

    hls: str | None = None
    hls_status: str | None = None
    rtmp: tuple[RtmpStatus, ...] = ()


class Broadcast(_Result, frozen=True):
    """A broadcast.

    Attributes:
        id: Its id.
        status: `started` or `stopped`.
        session_id: The session.
        created_at: When it began, milliseconds since the epoch.
        resolution: Of the picture.
        stream_mode: `auto` or `manual`.
        has_audio: Whether sound is sent.
        has_video: Whether pictures are.
        max_duration: Seconds after which it ends by itself.
        broadcast_urls: Where it can be seen; None when it has stopped.
    """

    id: str
    status: str
    session_id: str
    created_at: int
    resolution: str = "640x480"
    stream_mode: str = "auto"
    has_audio: bool = True
    has_video: bool = True
    max_duration: int | None = None
    broadcast_urls: BroadcastUrls | None = None


class BroadcastList(_Result, frozen=True):
    """A page of broadcasts.

    Attributes:
        count: How many there are in all.
        items: Those of this page, newest first.
    """

    count: int
    items: tuple[Broadcast, ...]

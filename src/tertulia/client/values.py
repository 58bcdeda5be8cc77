"""What sessions are made of, as a program sees it: connections, streams, capabilities, and why things end."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class DisconnectReason(StrEnum):
    """Why a connection ended. Each member equals its OpenTok text."""

    CLIENT_DISCONNECTED = "clientDisconnected"
    """The client left by itself: it called `disconnect()`, or its page was closed."""

    FORCE_DISCONNECTED = "forceDisconnected"
    """A moderator or the REST API removed the client."""

    NETWORK_DISCONNECTED = "networkDisconnected"
    """The network was lost and the client did not come back in time."""


class StreamReason(StrEnum):
    """Why a stream ended. Each member equals its OpenTok text."""

    CLIENT_DISCONNECTED = "clientDisconnected"
    """The publisher stopped publishing or left."""

    FORCE_DISCONNECTED = "forceDisconnected"
    """The publisher was removed from the session."""

    FORCE_UNPUBLISHED = "forceUnpublished"
    """A moderator ended the stream; its publisher stays connected."""

    MEDIA_STOPPED = "mediaStopped"
    """The source of the media ended, for example a shared window was closed."""

    NETWORK_DISCONNECTED = "networkDisconnected"
    """The publisher's network was lost and it did not come back in time."""


@dataclass(frozen=True, slots=True)
class Connection:
    """One client's attachment to a session.

    Attributes:
        connection_id: unique for every join.
        creation_time: when the client joined, in milliseconds since the epoch; 0 where only the id is known.
        data: what the maker of the token put into it; empty if nothing.
    """

    connection_id: str
    creation_time: int = 0
    data: str = ""

    @property
    def id(self) -> str:
        """The same as `connection_id`."""
        return self.connection_id


@dataclass(frozen=True, slots=True)
class VideoDimensions:
    """Size of the encoded picture, in pixels."""

    width: int
    height: int


@dataclass(eq=False, slots=True)
class Stream:
    """What one publisher sends. There is one object for each stream of a session, and the client keeps it up to date.

    Attributes:
        stream_id: unique for every publishing.
        connection: the publisher's connection.
        creation_time: when publishing began, in milliseconds since the epoch.
        name: the publisher's text for it; empty if none.
        initials: shown where there is no picture; None if the publisher gave none.
        has_audio: whether audio is being sent now.
        has_video: whether video is being sent now.
        has_captions: whether captions are being made.
        video_type: `camera`, `screen` or `custom`; None for a stream that never had video.
        video_dimensions: size of the encoded picture.
        frame_rate: frames in a second that the publisher asked for; None if it did not ask.
    """

    stream_id: str
    connection: Connection
    creation_time: int
    name: str
    initials: str | None
    has_audio: bool
    has_video: bool
    has_captions: bool
    video_type: str | None
    video_dimensions: VideoDimensions
    frame_rate: float | None

    @property
    def id(self) -> str:
        """The same as `stream_id`."""
        return self.stream_id


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the token's role lets this client do."""

    publish: bool
    subscribe: bool
    signal: bool
    force_disconnect: bool
    force_unpublish: bool
    force_mute: bool


class Wishes(NamedTuple):
    """What a program wants of a stream.

    Attributes:
        audio: whether its sound.
        video: whether its pictures.
        size: width and height of the pictures, in pixels; None for the largest.
        frame_rate: pictures per second; None for all.
    """

    audio: bool = True
    video: bool = True
    size: tuple[int, int] | None = None
    frame_rate: float | None = None

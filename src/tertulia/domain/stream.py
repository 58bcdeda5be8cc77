"""A stream: what one publisher sends, up to one audio and one video track."""

from dataclasses import dataclass, replace
from enum import StrEnum

from tertulia.ids import ConnectionId, StreamId, TransportId

__all__ = ["Dimensions", "Lines", "PropertyValue", "Stream", "StreamProperty", "StreamSource", "VideoType"]


class VideoType(StrEnum):
    """Where the video of a stream comes from."""

    CAMERA = "camera"
    SCREEN = "screen"
    CUSTOM = "custom"


@dataclass(frozen=True, slots=True)
class Dimensions:
    """Width and height in pixels; 0 and 0 without video."""

    width: int
    height: int


class StreamProperty(StrEnum):
    """A property whose change is announced."""

    HAS_AUDIO = "hasAudio"
    HAS_VIDEO = "hasVideo"
    HAS_CAPTIONS = "hasCaptions"
    VIDEO_DIMENSIONS = "videoDimensions"
    VIDEO_TYPE = "videoType"


PropertyValue = bool | Dimensions | VideoType | None


@dataclass(frozen=True, slots=True)
class Lines:
    """The media lines (`mid`) of a stream on its publisher's transport; at least one is present."""

    audio_mid: str | None
    video_mid: str | None


@dataclass(frozen=True, slots=True)
class StreamSource:
    """Where the router finds a stream's media."""

    transport_id: TransportId
    lines: Lines


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream of a session.

    Attributes:
        stream_id: Its name on the wire.
        connection_id: The connection that publishes it.
        created_at_ms: Time of creation, milliseconds since the epoch.
        name: Given by the publisher.
        initials: Two or three letters to show without video.
        has_audio: Whether audio is being sent.
        has_video: Whether video is being sent.
        has_captions: Whether captions are being made.
        video_type: Absent for a stream without video.
        video_dimensions: Size of the encoded video.
        frame_rate: Frames per second that the publisher aims at.
        layout_classes: Its classes in the layouts of archives and broadcasts, in order.
        audio_fallback: Whether its video may be left out for a subscriber whose network cannot carry it.
        source: None while its publisher's transport is lost and not yet replaced; such a stream cannot be bound.
    """

    stream_id: StreamId
    connection_id: ConnectionId
    created_at_ms: int
    name: str
    initials: str | None
    has_audio: bool
    has_video: bool
    has_captions: bool
    video_type: VideoType | None
    video_dimensions: Dimensions
    frame_rate: float | None
    source: StreamSource | None
    layout_classes: tuple[str, ...] = ()
    audio_fallback: bool = True

    @property
    def is_screen(self) -> bool:
        """Whether its video is a screen."""
        return self.video_type is VideoType.SCREEN

    def without_source(self) -> "Stream":
        """The stream after its publisher's transport was lost."""
        return replace(self, source=None)

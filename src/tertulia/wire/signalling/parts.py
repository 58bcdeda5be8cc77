"""What several messages are made of: values with their ranges, and the parts of which messages are put together."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=0, le=2**53 - 1)]
"""A number that JavaScript holds exactly."""
Uint32 = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Epoch = Annotated[int, Meta(ge=1, le=2**31 - 1)]
FrameRate = Annotated[float, Meta(ge=0, le=1000)]
Pixels = Annotated[int, Meta(ge=0, le=65_535)]
Text = Annotated[str, Meta(max_length=65_536)]
VideoType = Literal["camera", "screen", "custom"]
Reason = Literal[
    "clientDisconnected", "forceDisconnected", "networkDisconnected", "forceUnpublished", "mediaStopped", "mediaIdle"
]
Role = Literal["subscriber", "publisher", "publisheronly", "moderator"]
Right = Literal[0, 1]


class Part(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A part of messages."""


class Message(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, tag_field="type"):
    """A message; its `type` is its tag."""


class Dimensions(Part, frozen=True):
    """Width and height in pixels."""

    width: Pixels
    height: Pixels


class Connection(Part, frozen=True):
    """A connection; `creation_time` in milliseconds since the epoch. For `client_data` nobody vouches."""

    id: str
    creation_time: int
    data: str
    client_data: str | None = None


class Stream(Part, frozen=True):
    """A stream; `creation_time` in milliseconds since the epoch."""

    id: str
    connection_id: str
    creation_time: int
    name: str
    has_audio: bool
    has_video: bool
    has_captions: bool
    video_dimensions: Dimensions
    initials: str | None = None
    video_type: VideoType | None = None
    frame_rate: float | None = None


class Capabilities(Part, frozen=True):
    """The rights of a connection, 1 or 0 each."""

    publish: Right
    subscribe: Right
    signal: Right
    force_disconnect: Right
    force_unpublish: Right
    force_mute: Right


class Error(Part, frozen=True):
    """An error; names and codes in `contract/errors.yaml`."""

    name: str
    code: int
    message: str


class SlotPair(Part, frozen=True):
    """One receive-only audio and one video line that share an msid."""

    slot: Uint32
    audio_mid: str
    video_mid: str


class Binding(Part, frozen=True):
    """A stream in a slot pair, with the first RTP timestamps (48 and 90 kHz) that its media can carry.

    It means nothing but on the transport of its epoch.
    """

    subscription_id: int
    epoch: int
    slot: int
    generation: int
    audio_rtp_timestamp: Uint32 | None = None
    video_rtp_timestamp: Uint32 | None = None


class ClientInfo(Part, frozen=True):
    """The program that joins."""

    name: Annotated[str, Meta(max_length=128)]
    version: Annotated[str, Meta(max_length=128)]


class IceServer(Part, frozen=True):
    """A STUN or TURN server."""

    urls: list[str]
    username: str | None = None
    credential: str | None = None


class Archive(Part, frozen=True):
    """An archive of the session that runs, or has just stopped."""

    id: str
    name: str | None = None


class Snapshot(Part, frozen=True):
    """The whole session, for a client that has missed more than the log holds."""

    connections: list[Connection]
    streams: list[Stream]
    number: int
    muted: bool | None = None
    state: dict[str, str] | None = None
    archives: list[Archive] | None = None


class Ping(Message, frozen=True, tag="ping"):
    """From either side: to be answered with `pong` at once."""


class Pong(Message, frozen=True, tag="pong"):
    """From either side: the answer to a ping."""


def tag(message: type[Message]) -> str:
    """Return the type that a message names itself by."""
    name = message.__struct_config__.tag
    assert isinstance(name, str), "every message class names its tag"
    return name

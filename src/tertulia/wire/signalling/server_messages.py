"""What the server says: answers to joining, replies, facts of the session, and where media comes."""

from collections.abc import Mapping
from typing import Final, Literal, get_args

import msgspec

from tertulia.wire.signalling.parts import (
    Archive,
    Binding,
    Capabilities,
    Connection,
    Dimensions,
    Error,
    IceServer,
    Message,
    Ping,
    Pong,
    Reason,
    Role,
    Snapshot,
    Stream,
    tag,
)


class Joined(Message, frozen=True, tag="joined"):
    """The client has its seat."""

    connection: Connection
    connections: list[Connection]
    streams: list[Stream]
    number: int
    role: Role
    capabilities: Capabilities
    resume_key: str
    heartbeat_s: float
    reconnect_window_s: float
    ice_servers: list[IceServer]
    muted: bool | None = None
    state: dict[str, str] | None = None
    archives: list[Archive] | None = None


class Resumed(Message, frozen=True, tag="resumed"):
    """The client has its seat again."""

    resume_key: str
    epoch: int
    bindings: list[Binding]
    snapshot: Snapshot | None = None


class Refused(Message, frozen=True, tag="refused"):
    """The client gets no seat; the socket closes."""

    error: Error


class Reply(Message, frozen=True, tag="reply"):
    """The answer to a request: exactly one of `result` (see `decode_result`) and `error`."""

    id: int
    result: msgspec.Raw = msgspec.Raw()
    error: Error | None = None


class Bound(Message, frozen=True, tag="bound"):
    """Media of a subscription will come in this pair."""

    binding: Binding


class Unbound(Message, frozen=True, tag="unbound"):
    """A binding is over; to be answered with `releaseSlot`."""

    subscription_id: int
    slot: int
    generation: int


class SlotsNeeded(Message, frozen=True, tag="slotsNeeded"):
    """The client should have this many pairs in all."""

    pairs: int


class AudioSlot(Message, frozen=True, tag="audioSlot"):
    """The audio line of a pair carries the sound of a subscription; without one: nothing."""

    epoch: int
    slot: int
    subscription_id: int | None = None
    audio_rtp_timestamp: int | None = None


class LayersPaused(Message, frozen=True, tag="layersPaused"):
    """Nobody needs these layers of an own stream's video; all others are to be sent."""

    stream_id: str
    rids: list[str]


class SubscriptionVideo(Message, frozen=True, tag="subscriptionVideo"):
    """The video of a subscription stopped or started."""

    subscription_id: int
    enabled: bool
    reason: str


class Caption(Message, frozen=True, tag="caption"):
    """Words of a subscription's stream; a later caption replaces one that is not final."""

    subscription_id: int
    caption: str
    is_final: bool


class SubscriptionVideoWarning(Message, frozen=True, tag="subscriptionVideoWarning"):
    """The video of a subscription is about to be left out for bandwidth, or is not after all."""

    subscription_id: int
    active: bool


class SenderStats(Message, frozen=True, tag="senderStats"):
    """What the network of a subscription's publisher bears, in bit/s, as its client has said last."""

    subscription_id: int
    max_allocated_bitrate: int
    estimated_bandwidth: int


class MediaFailed(Message, frozen=True, tag="mediaFailed"):
    """The transport ended; the client makes a new one with the next epoch."""

    epoch: int
    message: str


class Disconnected(Message, frozen=True, tag="disconnected"):
    """This connection has ended."""

    reason: Reason


class ConnectionCreated(Message, frozen=True, tag="connectionCreated"):
    """A client joined."""

    connection: Connection


class ConnectionDestroyed(Message, frozen=True, tag="connectionDestroyed"):
    """A connection ended."""

    connection_id: str
    reason: Reason


class ConnectionInterrupted(Message, frozen=True, tag="connectionInterrupted"):
    """A connection lost its socket and keeps its seat."""

    connection_id: str


class ConnectionRestored(Message, frozen=True, tag="connectionRestored"):
    """An interrupted connection is back."""

    connection_id: str


class StreamCreated(Message, frozen=True, tag="streamCreated"):
    """A stream is there."""

    stream: Stream


class StreamDestroyed(Message, frozen=True, tag="streamDestroyed"):
    """A stream ended."""

    stream_id: str
    connection_id: str
    reason: Reason


class StreamPropertyChanged(Message, frozen=True, tag="streamPropertyChanged"):
    """A property of a stream has another value; None for a video type that was absent."""

    stream_id: str
    property: Literal["hasAudio", "hasVideo", "hasCaptions", "videoDimensions", "videoType"]
    old_value: bool | str | Dimensions | None
    new_value: bool | str | Dimensions | None
    for_quality: bool | None = None


class ArchiveStarted(Message, frozen=True, tag="archiveStarted"):
    """The session is being archived."""

    archive: Archive


class ArchiveStopped(Message, frozen=True, tag="archiveStopped"):
    """An archive of the session has ended."""

    archive: Archive


class MuteForced(Message, frozen=True, tag="muteForced"):
    """The mute state of the session was set."""

    active: bool


class StreamMuted(Message, frozen=True, tag="streamMuted"):
    """An own stream was muted by force."""

    stream_id: str


class StateChanged(Message, frozen=True, tag="stateChanged"):
    """Keys of the shared state have other values; None for a key that is gone."""

    values: dict[str, str | None]


class Signal(Message, frozen=True, tag="signal"):
    """A signal; `sender` is absent when the REST API sent it."""

    sender: str | None = msgspec.field(default=None, name="from")
    signal_type: str | None = None
    data: str | None = None


ServerMessage = (
    Joined
    | Resumed
    | Refused
    | Reply
    | Ping
    | Pong
    | Bound
    | Unbound
    | SlotsNeeded
    | AudioSlot
    | LayersPaused
    | SubscriptionVideo
    | Caption
    | SubscriptionVideoWarning
    | SenderStats
    | MediaFailed
    | Disconnected
    | ConnectionCreated
    | ConnectionDestroyed
    | ConnectionInterrupted
    | ConnectionRestored
    | StreamCreated
    | StreamDestroyed
    | StreamPropertyChanged
    | ArchiveStarted
    | ArchiveStopped
    | MuteForced
    | StreamMuted
    | StateChanged
    | Signal
)
SERVER_MESSAGES: Final[Mapping[str, type[ServerMessage]]] = {
    tag(message): message for message in get_args(ServerMessage)
}
"""Every message of the server by its type."""

"""What clients say: the messages that join, ask and tell."""

from collections.abc import Mapping
from typing import Annotated, Final, get_args

from msgspec import Meta

from tertulia.wire.signalling.parts import (
    ClientInfo,
    Count,
    Dimensions,
    Epoch,
    FrameRate,
    Message,
    Ping,
    Pong,
    Reason,
    SlotPair,
    Text,
    Uint32,
    VideoType,
    tag,
)


class Join(Message, frozen=True, tag="join"):
    """Take a seat; the first frame of a socket."""

    token: Text
    session_id: str | None = None
    api_key: str | None = None
    connection_events_suppressed: bool | None = None
    encrypts: bool | None = None
    client_data: Annotated[str, Meta(max_length=1000)] | None = None
    client: ClientInfo | None = None
    audio_slots: bool | None = None


class Resume(Message, frozen=True, tag="resume"):
    """Take the seat again; the first frame of a socket."""

    connection_id: str
    resume_key: Text
    after: Count
    audio_slots: bool | None = None


class Negotiate(Message, frozen=True, tag="negotiate"):
    """An offer that changes no stream."""

    epoch: Epoch
    offer: str
    slots: list[SlotPair]


class Publish(Message, frozen=True, tag="publish"):
    """An offer with the lines of a new stream."""

    epoch: Epoch
    offer: str
    slots: list[SlotPair]
    name: str
    has_audio: bool
    has_video: bool
    video_dimensions: Dimensions
    audio_mid: str | None = None
    video_mid: str | None = None
    initials: str | None = None
    has_captions: bool | None = None
    video_type: VideoType | None = None
    frame_rate: FrameRate | None = None
    audio_fallback: bool | None = None


class Republish(Message, frozen=True, tag="republish"):
    """An offer that names the lines of an own stream on a new transport."""

    epoch: Epoch
    offer: str
    slots: list[SlotPair]
    stream_id: str
    audio_mid: str | None = None
    video_mid: str | None = None


class Unpublish(Message, frozen=True, tag="unpublish"):
    """End an own stream."""

    stream_id: str
    reason: Reason | None = None


class UpdateStream(Message, frozen=True, tag="updateStream"):
    """What changed about an own stream."""

    stream_id: str
    has_audio: bool | None = None
    has_video: bool | None = None
    has_captions: bool | None = None
    video_dimensions: Dimensions | None = None
    video_type: VideoType | None = None
    for_quality: bool | None = None


class Subscribe(Message, frozen=True, tag="subscribe"):
    """Receive a stream."""

    stream_id: str
    audio: bool
    video: bool
    resolution: Dimensions | None = None
    frame_rate: FrameRate | None = None


class UpdateSubscription(Message, frozen=True, tag="updateSubscription"):
    """Turn audio or video of a subscription on or off."""

    subscription_id: Count
    audio: bool
    video: bool
    resolution: Dimensions | None = None
    frame_rate: FrameRate | None = None


class Unsubscribe(Message, frozen=True, tag="unsubscribe"):
    """Receive a stream no longer."""

    subscription_id: Count


class ReleaseSlot(Message, frozen=True, tag="releaseSlot"):
    """The client has let go of an unbound binding."""

    slot: Uint32
    generation: Uint32


class SendSignal(Message, frozen=True, tag="signal"):
    """Signal one connection or everybody."""

    to: str | None = None
    signal_type: str | None = None
    data: str | None = None


class SetState(Message, frozen=True, tag="setState"):
    """Set keys of the shared state; None removes one."""

    values: dict[str, str | None]


class ForceDisconnect(Message, frozen=True, tag="forceDisconnect"):
    """End a connection."""

    connection_id: str


class ForceUnpublish(Message, frozen=True, tag="forceUnpublish"):
    """End a stream."""

    stream_id: str


class ForceMuteStream(Message, frozen=True, tag="forceMuteStream"):
    """Mute a stream."""

    stream_id: str


class ForceMuteAll(Message, frozen=True, tag="forceMuteAll"):
    """Mute every stream but the excluded, and every later one."""

    excluded_stream_ids: list[str]


class DisableForceMute(Message, frozen=True, tag="disableForceMute"):
    """Let later streams begin with sound."""


class Leave(Message, frozen=True, tag="leave"):
    """Goodbye."""


class ReportSenderStats(Message, frozen=True, tag="senderStats"):
    """What the network of an own stream's publisher bears, in bit/s."""

    stream_id: str
    max_allocated_bitrate: Uint32
    estimated_bandwidth: Uint32


class ReportStalledVideo(Message, frozen=True, tag="videoStalled"):
    """Packets of a subscription's video come, and none of its frames is decoded."""

    subscription_id: Uint32


ClientMessage = (
    Join
    | Resume
    | Negotiate
    | Publish
    | Republish
    | Unpublish
    | UpdateStream
    | Subscribe
    | UpdateSubscription
    | Unsubscribe
    | ReleaseSlot
    | SendSignal
    | SetState
    | ForceDisconnect
    | ForceUnpublish
    | ForceMuteStream
    | ForceMuteAll
    | DisableForceMute
    | Leave
    | Ping
    | Pong
    | ReportSenderStats
    | ReportStalledVideo
)
CLIENT_MESSAGES: Final[Mapping[str, type[ClientMessage]]] = {
    tag(message): message for message in get_args(ClientMessage)
}
"""Every message of a client by its type."""
OFFER_MESSAGES: Final = frozenset({"negotiate", "publish", "republish"})
"""The messages that carry an offer and may therefore be larger."""

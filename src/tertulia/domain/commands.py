"""Everything that can be asked of a session or told to it.

A command with an `origin` is a client's request: it is answered by exactly one `Answered`, or the session raises. With
origin None (where that is allowed) the server's own API asks, which every role rule lets pass.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from tertulia.domain.connection import NewPair, Origin
from tertulia.domain.roles import Reason, Role
from tertulia.domain.stream import Dimensions, Lines, VideoType
from tertulia.domain.subscription import NO_WISHES, PictureWishes, VideoFallback
from tertulia.errors import TertuliaError
from tertulia.ids import ConnectionId, Generation, SlotIndex, StreamId, SubscriptionId, TransportId

__all__ = [
    "Carried",
    "ChangeAudioSlot",
    "ChangeCodecSupport",
    "ChangeVideoFallback",
    "Command",
    "DisableForceMute",
    "EndTransport",
    "FailOffer",
    "FindTransport",
    "ForceDisconnect",
    "ForceMuteAll",
    "ForceMuteStream",
    "ForceUnpublish",
    "FoundAudioSlot",
    "FoundSlot",
    "Join",
    "Leave",
    "LoseSocket",
    "Negotiate",
    "PauseLayers",
    "Publish",
    "ReleaseSlot",
    "ReportSenderStats",
    "ReportStalledVideo",
    "Republish",
    "Request",
    "Resume",
    "SendSignal",
    "SetLayoutClasses",
    "SetState",
    "SettleBind",
    "SettleOffer",
    "SettleUnbind",
    "Subscribe",
    "Unpublish",
    "Unsubscribe",
    "UpdateStream",
    "UpdateSubscription",
]


@dataclass(frozen=True, slots=True)
class Join:
    """A client with a good token takes a seat."""

    connection_id: ConnectionId
    created_at_ms: int
    role: Role
    data: str
    expires_at_s: int
    connection_events_suppressed: bool = False
    layout_classes: tuple[str, ...] = ()
    client_data: str = ""
    knows_audio_slots: bool = False


@dataclass(frozen=True, slots=True)
class Resume:
    """A client with a key of this generation, whose MAC was found good, takes its seat again."""

    connection_id: ConnectionId
    key_generation: int
    knows_audio_slots: bool = False


@dataclass(frozen=True, slots=True)
class LoseSocket:
    """The socket of a connection ended without goodbye, or fell silent."""

    connection_id: ConnectionId


@dataclass(frozen=True, slots=True)
class ReportSenderStats:
    """A client says what the network of an own stream bears, in bit/s, and waits for no answer."""

    connection_id: ConnectionId
    stream_id: StreamId
    max_allocated_bps: int
    estimated_bps: int


@dataclass(frozen=True, slots=True)
class ReportStalledVideo:
    """A client says that packets of a subscription's video come and none of its frames, and waits for no answer."""

    connection_id: ConnectionId
    subscription_id: SubscriptionId


@dataclass(frozen=True, slots=True)
class Leave:
    """A client says goodbye."""

    origin: Origin


@dataclass(frozen=True, slots=True)
class Negotiate:
    """A client's offer that changes no stream: its first one, more pairs, or an ICE restart."""

    origin: Origin
    epoch: int
    offer: str
    pairs: tuple[NewPair, ...]


@dataclass(frozen=True, slots=True)
class Publish:
    """A client's offer with the lines of a new stream."""

    origin: Origin
    epoch: int
    offer: str
    pairs: tuple[NewPair, ...]
    stream_id: StreamId
    created_at_ms: int
    lines: Lines
    name: str
    initials: str | None
    has_audio: bool
    has_video: bool
    has_captions: bool
    video_type: VideoType | None
    video_dimensions: Dimensions
    frame_rate: float | None
    audio_fallback: bool = True


@dataclass(frozen=True, slots=True)
class Republish:
    """A client's offer that names the lines of an own stream on a new transport."""

    origin: Origin
    epoch: int
    offer: str
    pairs: tuple[NewPair, ...]
    stream_id: StreamId
    lines: Lines


@dataclass(frozen=True, slots=True)
class Unpublish:
    """A client ends an own stream, because it wants to or because the capture ended."""

    origin: Origin
    stream_id: StreamId
    reason: Reason = Reason.CLIENT_DISCONNECTED


@dataclass(frozen=True, slots=True)
class UpdateStream:
    """A client says what changed about an own stream; None leaves a property as it is.

    `for_quality`: the video stops, or is back, because of the publisher's own network.
    """

    origin: Origin
    stream_id: StreamId
    has_audio: bool | None = None
    has_video: bool | None = None
    has_captions: bool | None = None
    video_dimensions: Dimensions | None = None
    video_type: VideoType | None = None
    for_quality: bool = False


@dataclass(frozen=True, slots=True)
class Subscribe:
    """A client wants a stream."""

    origin: Origin
    stream_id: StreamId
    audio: bool
    video: bool
    wishes: PictureWishes = NO_WISHES


@dataclass(frozen=True, slots=True)
class UpdateSubscription:
    """A client says anew what it wants of a subscription."""

    origin: Origin
    subscription_id: SubscriptionId
    audio: bool
    video: bool
    wishes: PictureWishes = NO_WISHES


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """A client wants a stream no longer."""

    origin: Origin
    subscription_id: SubscriptionId


@dataclass(frozen=True, slots=True)
class ReleaseSlot:
    """A client has let go of an unbound binding."""

    origin: Origin
    slot: SlotIndex
    generation: Generation


@dataclass(frozen=True, slots=True)
class SendSignal:
    """A client or the server's API signals one connection or, with `to` None, all."""

    origin: Origin | None
    to: ConnectionId | None
    signal_type: str | None
    data: str | None


@dataclass(frozen=True, slots=True)
class SetState:
    """A client sets keys of the session's shared state; None removes a key."""

    origin: Origin
    values: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class ForceDisconnect:
    """A moderator or the server's API ends a connection."""

    origin: Origin | None
    connection_id: ConnectionId


@dataclass(frozen=True, slots=True)
class SetLayoutClasses:
    """The server's API replaces the layout classes of some streams; no client can ask for that."""

    classes: Mapping[StreamId, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class ForceUnpublish:
    """A moderator or the server's API ends a stream."""

    origin: Origin | None
    stream_id: StreamId


@dataclass(frozen=True, slots=True)
class ForceMuteStream:
    """A moderator or the server's API mutes a stream."""

    origin: Origin | None
    stream_id: StreamId


@dataclass(frozen=True, slots=True)
class ForceMuteAll:
    """A moderator or the server's API mutes every stream but the excluded, and every later one."""

    origin: Origin | None
    excluded: frozenset[StreamId]


@dataclass(frozen=True, slots=True)
class DisableForceMute:
    """A moderator or the server's API lets later streams start with sound again."""

    origin: Origin | None


@dataclass(frozen=True, slots=True)
class SettleOffer:
    """The router accepted the offer with this ticket."""

    connection_id: ConnectionId
    ticket: int
    transport_id: TransportId
    answer: str


@dataclass(frozen=True, slots=True)
class FailOffer:
    """The router did not accept the offer with this ticket."""

    connection_id: ConnectionId
    ticket: int
    error: TertuliaError


@dataclass(frozen=True, slots=True)
class SettleBind:
    """The router answered a bind; the timestamps are None where the stream lacks the kind."""

    connection_id: ConnectionId
    transport_id: TransportId
    slot: SlotIndex
    generation: Generation
    accepted: bool
    audio_rtp_timestamp: int | None = None
    video_rtp_timestamp: int | None = None


@dataclass(frozen=True, slots=True)
class SettleUnbind:
    """The router sends nothing of this binding any more."""

    connection_id: ConnectionId
    transport_id: TransportId
    slot: SlotIndex
    generation: Generation


@dataclass(frozen=True, slots=True)
class EndTransport:
    """A transport failed, or the router does not know it (any more)."""

    connection_id: ConnectionId
    transport_id: TransportId
    message: str


@dataclass(frozen=True, slots=True)
class FoundSlot:
    """A slot pair as the router has it."""

    slot: SlotIndex
    generation: Generation
    bound: bool
    fallback: VideoFallback | None = None


@dataclass(frozen=True, slots=True)
class Carried:
    """The binding whose sound an audio slot carries."""

    slot: SlotIndex
    generation: Generation


@dataclass(frozen=True, slots=True)
class FoundAudioSlot:
    """An audio slot as the router has it."""

    slot: SlotIndex
    of: Carried | None
    audio_rtp_timestamp: int | None


@dataclass(frozen=True, slots=True)
class FindTransport:
    """The router holds this transport: said after each (re)connection of the link, for every transport listed."""

    connection_id: ConnectionId
    transport_id: TransportId
    slots: tuple[FoundSlot, ...]
    audio_slots: tuple[FoundAudioSlot, ...] = ()


@dataclass(frozen=True, slots=True)
class PauseLayers:
    """The router found that nobody needs these encodings (`rid`) of a connection's video line, but all others."""

    connection_id: ConnectionId
    transport_id: TransportId
    video_mid: str
    rids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChangeAudioSlot:
    """The router puts the sound of another binding on an audio slot, from this RTP timestamp on, or none."""

    connection_id: ConnectionId
    transport_id: TransportId
    slot: SlotIndex
    of: Carried | None
    audio_rtp_timestamp: int | None


@dataclass(frozen=True, slots=True)
class ChangeCodecSupport:
    """The router found that a binding's video cannot, or can again, be sent to this subscriber."""

    connection_id: ConnectionId
    transport_id: TransportId
    slot: SlotIndex
    generation: Generation
    supported: bool


@dataclass(frozen=True, slots=True)
class ChangeVideoFallback:
    """The router warns of leaving a binding's video out for bandwidth, leaves it out, or sends it (again)."""

    connection_id: ConnectionId
    transport_id: TransportId
    slot: SlotIndex
    generation: Generation
    fallback: VideoFallback


Request = (
    Leave
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
)
"""What a client can ask."""

Command = (
    Join
    | SetLayoutClasses
    | Resume
    | LoseSocket
    | ReportSenderStats
    | ReportStalledVideo
    | Request
    | SettleOffer
    | FailOffer
    | SettleBind
    | SettleUnbind
    | EndTransport
    | FindTransport
    | ChangeAudioSlot
    | ChangeCodecSupport
    | PauseLayers
    | ChangeVideoFallback
)

"""Everything that a session brings about, in the order in which it must take effect.

Five families: *facts* (`Happened`, numbered, logged, with their receivers), *notices* (to one connection, not logged),
*answers* to requests, *router intents* (what the media router must do), and *changes* (what the store must hold before
any of the others takes effect).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tertulia.domain.connection import Connection, NewPair, Origin
from tertulia.domain.roles import Reason
from tertulia.domain.stream import PropertyValue, Stream, StreamProperty, StreamSource
from tertulia.domain.subscription import NO_WISHES, PictureWishes, SlotPair, Subscription
from tertulia.errors import TertuliaError
from tertulia.ids import ConnectionId, Generation, SlotIndex, StreamId, SubscriptionId, TransportId

__all__ = [
    "All",
    "AllBut",
    "Answered",
    "AudioSlotChanged",
    "BindSlot",
    "Binding",
    "Change",
    "CloseTransport",
    "ConnectionCreated",
    "ConnectionDestroyed",
    "ConnectionInterrupted",
    "ConnectionRemoved",
    "ConnectionRestored",
    "ConnectionSaved",
    "Done",
    "Event",
    "Fact",
    "Failed",
    "Happened",
    "Joined",
    "LayersPaused",
    "MediaFailed",
    "MuteForced",
    "MuteStateSaved",
    "Negotiated",
    "Notice",
    "One",
    "OpenTransport",
    "PairRemoved",
    "PairSaved",
    "PauseSlot",
    "PreferSlot",
    "Published",
    "Recipients",
    "RenegotiateTransport",
    "RequestKeyFrame",
    "Result",
    "Resumed",
    "RouterIntent",
    "SeatEnded",
    "SenderStatsTold",
    "SetAudioSlots",
    "SignalSent",
    "SlotBound",
    "SlotUnbound",
    "SlotsNeeded",
    "StateChanged",
    "StateKeyRemoved",
    "StateKeySaved",
    "StreamCreated",
    "StreamDestroyed",
    "StreamMuted",
    "StreamPropertyChanged",
    "StreamRemoved",
    "StreamSaved",
    "Subscribed",
    "SubscriptionRemoved",
    "SubscriptionSaved",
    "SubscriptionVideoChanged",
    "SubscriptionVideoWarned",
    "UnbindSlot",
]

# Recipients of a fact.


@dataclass(frozen=True, slots=True)
class All:
    """Every connection of the session."""


@dataclass(frozen=True, slots=True)
class AllBut:
    """Every connection of the session except this one."""

    connection_id: ConnectionId


@dataclass(frozen=True, slots=True)
class One:
    """This connection only."""

    connection_id: ConnectionId


Recipients = All | AllBut | One

# Facts.


@dataclass(frozen=True, slots=True)
class ConnectionCreated:
    """A client joined."""

    connection: Connection


@dataclass(frozen=True, slots=True)
class ConnectionDestroyed:
    """A connection ended; its streams ended before it, for the same reason."""

    connection_id: ConnectionId
    reason: Reason


@dataclass(frozen=True, slots=True)
class ConnectionInterrupted:
    """A connection lost its socket and keeps its seat."""

    connection_id: ConnectionId


@dataclass(frozen=True, slots=True)
class ConnectionRestored:
    """An interrupted connection is back."""

    connection_id: ConnectionId


@dataclass(frozen=True, slots=True)
class StreamCreated:
    """A stream is there to be subscribed to."""

    stream: Stream


@dataclass(frozen=True, slots=True)
class StreamDestroyed:
    """A stream ended."""

    stream_id: StreamId
    connection_id: ConnectionId
    reason: Reason


@dataclass(frozen=True, slots=True)
class StreamPropertyChanged:
    """A property of a stream has another value; `for_quality` if that is for the publisher's network."""

    stream_id: StreamId
    property: StreamProperty
    old_value: PropertyValue
    new_value: PropertyValue
    for_quality: bool = False


@dataclass(frozen=True, slots=True)
class SignalSent:
    """A signal; `sender` is None when the server's API sent it."""

    sender: ConnectionId | None
    signal_type: str | None
    data: str | None


@dataclass(frozen=True, slots=True)
class MuteForced:
    """The mute state of the session was set: while it is on, streams begin without sound."""

    active: bool


@dataclass(frozen=True, slots=True)
class StreamMuted:
    """A stream was muted by force; its publisher stops the sound."""

    stream_id: StreamId


@dataclass(frozen=True, slots=True)
class StateChanged:
    """Keys of the shared state have other values; None for a key that is gone."""

    values: Mapping[str, str | None]


Fact = (
    ConnectionCreated
    | ConnectionDestroyed
    | ConnectionInterrupted
    | ConnectionRestored
    | StreamCreated
    | StreamDestroyed
    | StreamPropertyChanged
    | MuteForced
    | StreamMuted
    | StateChanged
    | SignalSent
)


@dataclass(frozen=True, slots=True)
class Happened:
    """A fact with its place in the session's log: numbers start at 1 and have no gaps within the session."""

    number: int
    recipients: Recipients
    fact: Fact


# Notices: each to `connection_id` alone, lost with its socket.


@dataclass(frozen=True, slots=True)
class Binding:
    """A stream in a slot pair of the transport of that epoch, as the client is told."""

    subscription_id: SubscriptionId
    epoch: int
    slot: SlotIndex
    generation: Generation
    audio_rtp_timestamp: int | None
    video_rtp_timestamp: int | None


@dataclass(frozen=True, slots=True)
class Joined:
    """The client has its seat: everybody present, itself included, all streams by creation, and the shared state."""

    connection_id: ConnectionId
    connection: Connection
    connections: tuple[Connection, ...]
    streams: tuple[Stream, ...]
    number: int
    muted: bool = False
    shared: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Resumed:
    """The client has its seat again. Facts up to `number` that it missed are sent before any later one."""

    connection_id: ConnectionId
    connection: Connection
    epoch: int
    bindings: tuple[Binding, ...]
    number: int


@dataclass(frozen=True, slots=True)
class SlotBound:
    """Media of a subscription will come in this pair."""

    connection_id: ConnectionId
    binding: Binding


@dataclass(frozen=True, slots=True)
class SlotUnbound:
    """The binding is over; the client answers by releasing the slot."""

    connection_id: ConnectionId
    subscription_id: SubscriptionId
    slot: SlotIndex
    generation: Generation


@dataclass(frozen=True, slots=True)
class SlotsNeeded:
    """The client should offer more pairs, `pairs` in all."""

    connection_id: ConnectionId
    pairs: int


@dataclass(frozen=True, slots=True)
class AudioSlotChanged:
    """The audio line of this pair carries the sound of a subscription, from an RTP timestamp on; None: nothing."""

    connection_id: ConnectionId
    epoch: int
    slot: SlotIndex
    subscription_id: SubscriptionId | None
    audio_rtp_timestamp: int | None


@dataclass(frozen=True, slots=True)
class LayersPaused:
    """The publisher need not send these layers of its video (each a `rid`, or S1, S2), and should send all others."""

    connection_id: ConnectionId
    stream_id: StreamId
    rids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SubscriptionVideoChanged:
    """The video of a subscription stopped or started for a reason that is not the subscriber's."""

    connection_id: ConnectionId
    subscription_id: SubscriptionId
    enabled: bool
    reason: str


@dataclass(frozen=True, slots=True)
class SubscriptionVideoWarned:
    """The video of a subscription is about to be left out for bandwidth (`active`), or is not after all."""

    connection_id: ConnectionId
    subscription_id: SubscriptionId
    active: bool


@dataclass(frozen=True, slots=True)
class SenderStatsTold:
    """What the network of a subscription's publisher bears, in bit/s."""

    connection_id: ConnectionId
    subscription_id: SubscriptionId
    max_allocated_bps: int
    estimated_bps: int


@dataclass(frozen=True, slots=True)
class MediaFailed:
    """The connection's transport ended; the client makes a new one with the next epoch."""

    connection_id: ConnectionId
    epoch: int
    message: str


@dataclass(frozen=True, slots=True)
class SeatEnded:
    """The connection has ended: its socket is closed and its resume keys are dead.

    `reason` is None when the client left by itself, for then the answer to `leave` says it.
    """

    connection_id: ConnectionId
    reason: Reason | None


Notice = (
    Joined
    | Resumed
    | SlotBound
    | SlotUnbound
    | SlotsNeeded
    | AudioSlotChanged
    | LayersPaused
    | SubscriptionVideoChanged
    | SubscriptionVideoWarned
    | SenderStatsTold
    | MediaFailed
    | SeatEnded
)

# Answers.


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing to say but that it happened."""


@dataclass(frozen=True, slots=True)
class Negotiated:
    """The router's answer to an offer."""

    answer: str


@dataclass(frozen=True, slots=True)
class Published:
    """The router's answer, and the stream that came of the offer."""

    answer: str
    stream: Stream


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The name of the new subscription."""

    subscription_id: SubscriptionId


Result = Done | Negotiated | Published | Subscribed


@dataclass(frozen=True, slots=True)
class Answered:
    """A request succeeded."""

    origin: Origin
    result: Result


@dataclass(frozen=True, slots=True)
class Failed:
    """A request that had to wait for the router failed."""

    origin: Origin
    error: TertuliaError


# Router intents. Those of one connection are carried out one after the other, in this order.


@dataclass(frozen=True, slots=True)
class OpenTransport:
    """Make a transport from a client's first offer of an epoch; answered by SettleOffer or FailOffer."""

    connection_id: ConnectionId
    ticket: int
    epoch: int
    offer: str
    pairs: tuple[NewPair, ...]


@dataclass(frozen=True, slots=True)
class RenegotiateTransport:
    """Give a further offer to a transport; answered by SettleOffer or FailOffer."""

    connection_id: ConnectionId
    ticket: int
    transport_id: TransportId
    offer: str
    pairs: tuple[NewPair, ...]


@dataclass(frozen=True, slots=True)
class CloseTransport:
    """End a transport, with everything bound on it; not answered."""

    connection_id: ConnectionId
    transport_id: TransportId


@dataclass(frozen=True, slots=True)
class BindSlot:
    """Forward `source` into a pair; answered by SettleBind.

    `audio_fallback`: the video may be left out if the subscriber's network cannot carry it. `is_screen`: it is a
    screen, which has room in the subscriber's network before cameras have.
    """

    connection_id: ConnectionId
    transport_id: TransportId
    slot: SlotIndex
    generation: Generation
    source: StreamSource
    audio_paused: bool
    video_paused: bool
    wishes: PictureWishes = NO_WISHES
    audio_fallback: bool = True
    is_screen: bool = False


@dataclass(frozen=True, slots=True)
class UnbindSlot:
    """Forward nothing into a pair any more; answered by SettleUnbind."""

    connection_id: ConnectionId
    transport_id: TransportId
    slot: SlotIndex
    generation: Generation


@dataclass(frozen=True, slots=True)
class PauseSlot:
    """Set what of a binding is held back; not answered."""

    connection_id: ConnectionId
    transport_id: TransportId
    slot: SlotIndex
    generation: Generation
    audio_paused: bool
    video_paused: bool


@dataclass(frozen=True, slots=True)
class PreferSlot:
    """Say which picture the subscriber of a binding would like, and what it shows; not answered."""

    connection_id: ConnectionId
    transport_id: TransportId
    slot: SlotIndex
    generation: Generation
    wishes: PictureWishes
    is_screen: bool = False


@dataclass(frozen=True, slots=True)
class SetAudioSlots:
    """Put the loudest of what is bound on the audio lines of these pairs; none: all, each in its own; not answered."""

    connection_id: ConnectionId
    transport_id: TransportId
    slots: tuple[SlotIndex, ...]


@dataclass(frozen=True, slots=True)
class RequestKeyFrame:
    """Ask who publishes on that video line of that transport for a key frame, for this connection; not answered."""

    connection_id: ConnectionId
    transport_id: TransportId
    mid: str


RouterIntent = (
    OpenTransport
    | RenegotiateTransport
    | CloseTransport
    | BindSlot
    | UnbindSlot
    | PauseSlot
    | PreferSlot
    | SetAudioSlots
    | RequestKeyFrame
)

# Changes.


@dataclass(frozen=True, slots=True)
class ConnectionSaved:
    """The seat is new or different."""

    connection: Connection


@dataclass(frozen=True, slots=True)
class ConnectionRemoved:
    """The seat is gone, and with it its subscriptions, pairs and kept replies."""

    connection_id: ConnectionId


@dataclass(frozen=True, slots=True)
class StreamSaved:
    """The stream is new or different."""

    stream: Stream


@dataclass(frozen=True, slots=True)
class StreamRemoved:
    """The stream is gone."""

    stream_id: StreamId


@dataclass(frozen=True, slots=True)
class SubscriptionSaved:
    """The subscription is new or different."""

    subscription: Subscription


@dataclass(frozen=True, slots=True)
class SubscriptionRemoved:
    """The subscription is gone."""

    connection_id: ConnectionId
    subscription_id: SubscriptionId


@dataclass(frozen=True, slots=True)
class PairSaved:
    """The slot pair is new or different."""

    connection_id: ConnectionId
    pair: SlotPair


@dataclass(frozen=True, slots=True)
class PairRemoved:
    """The slot pair is gone with its transport."""

    connection_id: ConnectionId
    slot: SlotIndex


@dataclass(frozen=True, slots=True)
class MuteStateSaved:
    """The mute state of the session is different."""

    muted: bool


@dataclass(frozen=True, slots=True)
class StateKeySaved:
    """A key of the shared state is new or has another value."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class StateKeyRemoved:
    """A key of the shared state is gone."""

    key: str


Change = (
    MuteStateSaved
    | StateKeySaved
    | StateKeyRemoved
    | ConnectionSaved
    | ConnectionRemoved
    | StreamSaved
    | StreamRemoved
    | SubscriptionSaved
    | SubscriptionRemoved
    | PairSaved
    | PairRemoved
)

Event = Happened | Notice | Answered | Failed | RouterIntent | Change

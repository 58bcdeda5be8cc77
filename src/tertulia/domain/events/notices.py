"""What is told to one connection, its `connection_id`, alone: not logged, and lost with its socket."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tertulia.domain.connection import Connection
from tertulia.domain.roles import Reason
from tertulia.domain.stream import Stream
from tertulia.ids import ConnectionId, Generation, SlotIndex, StreamId, SubscriptionId


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

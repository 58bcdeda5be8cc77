"""What the store must hold before anything else takes effect."""

from dataclasses import dataclass

from tertulia.domain.connection import Connection
from tertulia.domain.stream import Stream
from tertulia.domain.subscription import SlotPair, Subscription
from tertulia.ids import ConnectionId, SlotIndex, StreamId, SubscriptionId


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

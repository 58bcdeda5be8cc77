"""What a session holds, and the only functions that change it: each change records what the store must learn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from tertulia.clock import MonotonicTime
from tertulia.domain.commands import Negotiate, Publish, Republish
from tertulia.domain.connection import Connection, SeatState
from tertulia.domain.events import (
    AudioSlotChanged,
    ConnectionRemoved,
    ConnectionSaved,
    Event,
    Fact,
    Happened,
    Joined,
    MuteStateSaved,
    PairRemoved,
    PairSaved,
    Recipients,
    StateKeyRemoved,
    StateKeySaved,
    StreamRemoved,
    StreamSaved,
    SubscriptionRemoved,
    SubscriptionSaved,
)
from tertulia.domain.limits import SessionLimits
from tertulia.domain.stream import Stream
from tertulia.domain.subscription import SlotPair, Subscription
from tertulia.ids import ConnectionId, SlotIndex, StreamId, SubscriptionId

__all__ = ["PendingOffer", "SessionState", "Timer"]


class Timer(StrEnum):
    """What a seat without a socket waits for."""

    ADOPTION = "adoption"
    """A client of a restarted control has not come back at once: the others are told that it is interrupted."""
    SEAT = "seat"
    """An interrupted client has not come back at all: its seat ends."""


@dataclass(frozen=True, slots=True)
class PendingOffer:
    """The one offer of a connection that the router has not answered yet.

    Attributes:
        ticket: Tells the answer to this offer from a late one to an earlier offer.
        request: What the client asked with it.
    """

    ticket: int
    request: Negotiate | Publish | Republish


@dataclass(slots=True)
class SessionState:
    """The tables of one session.

    Invariants: every stream's publisher, every subscription's subscriber and stream, and every pair's connection are in
    the tables; a subscription's `slot` names a BINDING or BOUND pair that names the subscription.

    Attributes:
        limits: What it may hold and how long it waits.
        number: The number of the newest fact; 0 before the first.
        connections: In order of joining.
        streams: In order of creation.
        subscriptions: By subscriber, in order of creation.
        subscribers: Who subscribes to each stream.
        pairs: Each connection's slot pairs, by index.
        offers: The offers that wait for the router.
        pairs_asked: The pool size that a connection was last asked for on its present transport and socket.
        deadlines: When the seats without a socket move on.
        idle: When the connections that neither publish nor subscribe are to end, in the order of these times.
        stirred: Connections whose idleness may have begun or ended since it was last looked at.
        sender_stats_at: When the sender statistics of a stream were last passed on.
        paused_layers: The encodings of a stream's video that its publisher was last told nobody needs.
        events: What happened since the last `take_events`.
        muted: Whether streams begin without sound.
        sound_changed: Whether the number of live audio streams may be another than when it was last looked at.
        loudest: Whether only the loudest streams are forwarded.
        knows_audio_slots: Clients that understand what audio slots carry.
        audio_slots: The pairs of each connection's transport that are audio slots, or were.
        hears_loudest: Connections that the router was told to forward the loudest to.
        carried: What their audio slots carry, as the clients were told.
        unfound: Connections whose transport the router has not listed since this control began.
        shared: The shared state, in order of the first setting.
    """

    limits: SessionLimits
    number: int = 0
    connections: dict[ConnectionId, Connection] = field(default_factory=dict)
    streams: dict[StreamId, Stream] = field(default_factory=dict)
    subscriptions: dict[ConnectionId, dict[SubscriptionId, Subscription]] = field(default_factory=dict)
    subscribers: dict[StreamId, dict[tuple[ConnectionId, SubscriptionId], None]] = field(default_factory=dict)
    pairs: dict[ConnectionId, dict[SlotIndex, SlotPair]] = field(default_factory=dict)
    offers: dict[ConnectionId, PendingOffer] = field(default_factory=dict)
    pairs_asked: dict[ConnectionId, int] = field(default_factory=dict)
    deadlines: dict[ConnectionId, tuple[Timer, MonotonicTime]] = field(default_factory=dict)
    idle: dict[ConnectionId, MonotonicTime] = field(default_factory=dict)
    stirred: dict[ConnectionId, None] = field(default_factory=dict)
    sender_stats_at: dict[StreamId, MonotonicTime] = field(default_factory=dict)
    paused_layers: dict[StreamId, tuple[str, ...]] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    last_ticket: int = 0
    muted: bool = False
    sound_changed: bool = False
    loudest: bool = False
    knows_audio_slots: set[ConnectionId] = field(default_factory=set)
    audio_slots: dict[ConnectionId, tuple[SlotIndex, ...]] = field(default_factory=dict)
    hears_loudest: set[ConnectionId] = field(default_factory=set)
    carried: dict[ConnectionId, dict[SlotIndex, AudioSlotChanged]] = field(default_factory=dict)
    unfound: set[ConnectionId] = field(default_factory=set)
    shared: dict[str, str] = field(default_factory=dict)

    def take_events(self) -> list[Event]:
        """Return and forget what happened since the last call, in order."""
        events, self.events = self.events, []
        return events

    def emit(self, event: Event) -> None:
        """Record a notice, an answer or a router intent."""
        self.events.append(event)

    def happen(self, fact: Fact, recipients: Recipients) -> None:
        """Record a fact under the next number."""
        self.number += 1
        self.events.append(Happened(self.number, recipients, fact))

    def new_ticket(self) -> int:
        """Return a ticket never given before."""
        self.last_ticket += 1
        return self.last_ticket

    # ---- reading

    def streams_of(self, connection_id: ConnectionId) -> list[Stream]:
        """Return the streams that a connection publishes."""
        return [stream for stream in self.streams.values() if stream.connection_id == connection_id]

    def subscriptions_of(self, connection_id: ConnectionId) -> list[Subscription]:
        """Return the subscriptions that a connection has."""
        return list(self.subscriptions.get(connection_id, {}).values())

    def subscriptions_to(self, stream_id: StreamId) -> list[Subscription]:
        """Return the subscriptions that name a stream."""
        return [
            self.subscriptions[connection_id][subscription_id]
            for connection_id, subscription_id in self.subscribers.get(stream_id, {})
        ]

    def pairs_of(self, connection_id: ConnectionId) -> Sequence[SlotPair]:
        """Return a connection's slot pairs by index."""
        return list(self.pairs.get(connection_id, {}).values())

    def seen_by(self, connection: Connection) -> Joined:
        """Return the session as a connection is told of it: everybody, every stream, and the state of the whole."""
        return Joined(
            connection_id=connection.connection_id,
            connection=connection,
            connections=tuple(self.connections.values()),
            streams=tuple(self.streams.values()),
            number=self.number,
            muted=self.muted,
            shared=dict(self.shared),
        )

    # ---- changing

    def save_mute_state(self, muted: bool) -> None:
        """Set whether streams begin without sound."""
        if muted != self.muted:
            self.muted = muted
            self.events.append(MuteStateSaved(muted))

    def save_shared(self, key: str, value: str | None) -> None:
        """Set a key of the shared state, or remove it."""
        if value is None:
            del self.shared[key]
            self.events.append(StateKeyRemoved(key))
        else:
            self.shared[key] = value
            self.events.append(StateKeySaved(key, value))

    def save_connection(self, connection: Connection) -> None:
        """Add or replace a connection."""
        if connection.connection_id not in self.connections:
            self.stirred[connection.connection_id] = None
        self.connections[connection.connection_id] = connection
        self.events.append(ConnectionSaved(connection))

    def remove_connection(self, connection_id: ConnectionId) -> None:
        """Remove a connection whose streams and subscriptions are gone already, and what else belongs to it."""
        del self.connections[connection_id]
        self.subscriptions.pop(connection_id, None)
        self.pairs.pop(connection_id, None)
        self.offers.pop(connection_id, None)
        self.pairs_asked.pop(connection_id, None)
        self.forget_audio_slots(connection_id)
        self.knows_audio_slots.discard(connection_id)
        self.deadlines.pop(connection_id, None)
        self.idle.pop(connection_id, None)
        self.events.append(ConnectionRemoved(connection_id))

    def save_stream(self, stream: Stream) -> None:
        """Add or replace a stream."""
        if stream.stream_id not in self.streams:
            self.stirred[stream.connection_id] = None
        self.streams[stream.stream_id] = stream
        self.sound_changed = True
        self.events.append(StreamSaved(stream))

    def remove_stream(self, stream_id: StreamId) -> None:
        """Remove a stream that nobody subscribes to any more."""
        self.stirred[self.streams.pop(stream_id).connection_id] = None
        self.subscribers.pop(stream_id, None)
        self.sender_stats_at.pop(stream_id, None)
        self.paused_layers.pop(stream_id, None)
        self.sound_changed = True
        self.events.append(StreamRemoved(stream_id))

    def save_subscription(self, subscription: Subscription) -> None:
        """Add or replace a subscription."""
        self._index_subscription(subscription)
        if subscription.connection_id in self.idle:
            self.stirred[subscription.connection_id] = None
        self.events.append(SubscriptionSaved(subscription))

    def _index_subscription(self, subscription: Subscription) -> None:
        connection_id, subscription_id = subscription.connection_id, subscription.subscription_id
        self.subscriptions.setdefault(connection_id, {})[subscription_id] = subscription
        self.subscribers.setdefault(subscription.stream_id, {})[connection_id, subscription_id] = None

    def remove_subscription(self, subscription: Subscription) -> None:
        """Remove a subscription."""
        connection_id, subscription_id = subscription.connection_id, subscription.subscription_id
        del self.subscriptions[connection_id][subscription_id]
        self.stirred[connection_id] = None
        del self.subscribers[subscription.stream_id][connection_id, subscription_id]
        self.events.append(SubscriptionRemoved(connection_id, subscription_id))

    def save_pair(self, connection_id: ConnectionId, pair: SlotPair) -> None:
        """Add or replace a slot pair."""
        self.pairs.setdefault(connection_id, {})[pair.slot] = pair
        self.events.append(PairSaved(connection_id, pair))

    def remove_pairs(self, connection_id: ConnectionId) -> None:
        """Remove all slot pairs of a connection, audio slots included."""
        self.forget_audio_slots(connection_id)
        for slot in self.pairs.pop(connection_id, {}):
            self.events.append(PairRemoved(connection_id, slot))

    def forget_audio_slots(self, connection_id: ConnectionId) -> None:
        """The transport that had them is gone."""
        self.audio_slots.pop(connection_id, None)
        self.carried.pop(connection_id, None)
        self.hears_loudest.discard(connection_id)
        self.unfound.discard(connection_id)

    def note_idle(self, now: MonotonicTime) -> None:
        """Begin or end to count for the connections that began or ceased to publish and to subscribe."""
        stirred, self.stirred = self.stirred, {}
        if not self.limits.media_idle_s:
            return
        for connection_id in stirred:
            if self.subscriptions.get(connection_id) or self.streams_of(connection_id):
                self.idle.pop(connection_id, None)
            elif connection_id in self.connections and connection_id not in self.idle:
                self.idle[connection_id] = MonotonicTime(now + self.limits.media_idle_s)

    # ---- loading

    def load(
        self,
        connections: Sequence[Connection],
        streams: Sequence[Stream],
        subscriptions: Sequence[Subscription],
        pairs: Sequence[tuple[ConnectionId, SlotPair]],
        *,
        muted: bool,
        shared: Mapping[str, str],
    ) -> None:
        """Fill empty tables from the store; nothing counts as changed."""
        self.muted = muted
        self.shared = dict(shared)
        self.connections = {connection.connection_id: connection for connection in connections}
        self.streams = {stream.stream_id: stream for stream in streams}
        for subscription in subscriptions:
            self._index_subscription(subscription)
        for connection_id, pair in pairs:
            self.pairs.setdefault(connection_id, {})[pair.slot] = pair
        self.stirred = dict.fromkeys(self.connections)
        self.unfound = set(self.connections)
        self.sound_changed = True

    def standing(self, connection_id: ConnectionId) -> SeatState | None:
        """Return where a connection's seat stands, or None if it has none."""
        connection = self.connections.get(connection_id)
        return connection.state if connection else None

"""Who and what is in the session, as the server tells it, and the events that each change means to a program.

Pure: messages in, events out. A stream names a connection that was here when it began; what a lost message left behind
is tidied up in the order that programs rely on, streams before their connection.
"""

from __future__ import annotations

from collections.abc import Mapping

from tertulia.client.events import (
    ConnectionEvent,
    Event,
    MuteForcedEvent,
    SessionConnectEvent,
    SignalEvent,
    StateChangedEvent,
    StreamEvent,
    StreamPropertyChangedEvent,
)
from tertulia.client.values import Capabilities, Connection, DisconnectReason, Stream, StreamReason, VideoDimensions
from tertulia.wire import signalling as wire

Fact = (
    wire.ConnectionCreated
    | wire.ConnectionDestroyed
    | wire.ConnectionInterrupted
    | wire.ConnectionRestored
    | wire.StreamCreated
    | wire.StreamDestroyed
    | wire.StreamPropertyChanged
    | wire.ArchiveStarted
    | wire.ArchiveStopped
    | wire.MuteForced
    | wire.StreamMuted
    | wire.StateChanged
    | wire.Signal
)
"""The server's numbered events: what happened in the session."""


class Presence:
    """The connections and streams of one session, while the client is in it.

    Invariant: with `suppressed` it knows no connection but its own, because nobody would tell it of their ends.
    """

    def __init__(self, *, suppressed: bool = False) -> None:
        """Takes whether the program wanted to hear nothing of other clients' connections."""
        self._suppressed = suppressed
        self.own: Connection | None = None
        self.capabilities: Capabilities | None = None
        self.connections: dict[str, Connection] = {}
        self.streams: dict[str, Stream] = {}
        self.muted = False
        self.state: dict[str, str] = {}

    def is_own(self, connection_id: str) -> bool:
        """Whether that is the client's own connection."""
        return self.own is not None and self.own.id == connection_id

    def clear(self) -> None:
        """Forgets everything: the client is not in the session any more."""
        self.own = self.capabilities = None
        self.connections.clear()
        self.streams.clear()
        self.muted = False
        self.state.clear()

    def enter(self, joined: wire.Joined) -> list[Event]:
        """Takes in what is there on joining. Own connection first, then everybody else, then their streams."""
        self.state.update(joined.state or {})
        self.own = _connection(joined.connection)
        self.capabilities = _capabilities(joined.capabilities)
        self.connections[self.own.id] = self.own
        events: list[Event] = [SessionConnectEvent(), ConnectionEvent("connectionCreated", self.own)]
        for connection in joined.connections:
            events += self.connection_created(connection)
        publishers = {message.id: message for message in joined.connections}
        for stream in joined.streams:
            events += self.stream_created(stream, publishers.get(stream.connection_id))
        return events + self._mute_state(joined.muted or False)

    def reconcile(self, snapshot: wire.Snapshot) -> list[Event]:
        """Takes in the state after an absence that the log does not reach back over, as if each change had been told.

        Why something ended meanwhile is not known any more; it is told as `networkDisconnected`.
        """
        events: list[Event] = []
        here, playing = {c.id for c in snapshot.connections}, {s.id: s for s in snapshot.streams}
        for stream_id in [known for known in self.streams if known not in playing]:
            events += self.stream_destroyed(stream_id, StreamReason.NETWORK_DISCONNECTED)
        for connection_id in [known for known in self.connections if known not in here]:
            events += self.connection_destroyed(connection_id, DisconnectReason.NETWORK_DISCONNECTED)
        for connection in snapshot.connections:
            events += self.connection_created(connection)
        publishers = {message.id: message for message in snapshot.connections}
        for stream in snapshot.streams:
            if stream.id in self.streams:
                events += self._stream_changed(stream)
            else:
                events += self.stream_created(stream, publishers.get(stream.connection_id))
        return events + self._mute_state(snapshot.muted or False) + self._other_state(snapshot.state or {})

    def _other_state(self, state: dict[str, str]) -> list[Event]:
        """The shared state as it was found; an event of what is different."""
        gone: dict[str, str | None] = {key: None for key in self.state if key not in state}
        values = gone | {key: value for key, value in state.items() if self.state.get(key) != value}
        return self._state_changed(values) if values else []

    def _state_changed(self, values: Mapping[str, str | None]) -> list[Event]:
        for key, value in values.items():
            if value is None:
                self.state.pop(key, None)
            else:
                self.state[key] = value
        return [StateChangedEvent(values)]

    def _mute_state(self, muted: bool) -> list[Event]:
        """The mute state as it was found; an event if it is news."""
        if muted == self.muted:
            return []
        self.muted = muted
        return [MuteForcedEvent(muted)]

    def apply(self, fact: Fact) -> list[Event]:
        """Takes in one numbered event of the server."""
        match fact:
            case wire.ConnectionCreated():
                return self.connection_created(fact.connection)
            case wire.ConnectionDestroyed():
                return self.connection_destroyed(fact.connection_id, disconnect_reason(fact.reason))
            case wire.StreamCreated():
                return self.stream_created(fact.stream)
            case wire.StreamDestroyed():
                return self.stream_destroyed(fact.stream_id, stream_reason(fact.reason))
            case wire.StreamPropertyChanged():
                return self._property_changed(fact.stream_id, fact.property, fact.new_value)
            case wire.MuteForced():
                self.muted = fact.active
                return [MuteForcedEvent(fact.active)]
            case wire.StreamMuted():
                return []  # it concerns Publishers alone
            case wire.StateChanged():
                return self._state_changed(fact.values)
            case wire.Signal():
                sender = None if fact.sender is None else self._connection_of(fact.sender)
                return [SignalEvent(fact.signal_type or "", fact.data or "", sender)]
            case wire.ArchiveStarted() | wire.ArchiveStopped():
                return []  # told in browsers alone
            case wire.ConnectionInterrupted() | wire.ConnectionRestored():
                return []  # they concern Subscribers alone

    def connection_created(self, message: wire.Connection) -> list[Event]:
        """A client is there. One that is known already makes no event."""
        if self._suppressed or message.id in self.connections:
            return []
        connection = self.connections[message.id] = _connection(message)
        return [ConnectionEvent("connectionCreated", connection)]

    def connection_destroyed(self, connection_id: str, reason: DisconnectReason) -> list[Event]:
        """A client left. The end of the own connection is told by `disconnected` and not here."""
        connection = self.connections.get(connection_id)
        if connection is None or connection is self.own:
            return []
        events: list[Event] = []
        for stream in [s for s in self.streams.values() if s.connection.id == connection_id]:
            events += self.stream_destroyed(stream.id, StreamReason(reason.value))
        del self.connections[connection_id]
        return [*events, ConnectionEvent("connectionDestroyed", connection, reason)]

    def stream_created(self, message: wire.Stream, publisher: wire.Connection | None = None) -> list[Event]:
        """A stream is there. The Session does not announce the client's own streams."""
        if message.id in self.streams:
            return []
        known = self._connection_of(message.connection_id)
        connection = _connection(publisher) if publisher is not None and self._suppressed else known
        stream = self.streams[message.id] = _stream(message, connection)
        return [] if self._is_own(stream) else [StreamEvent("streamCreated", stream)]

    def stream_destroyed(self, stream_id: str, reason: StreamReason) -> list[Event]:
        """A stream ended."""
        stream = self.streams.pop(stream_id, None)
        if stream is None or self._is_own(stream):
            return []
        return [StreamEvent("streamDestroyed", stream, reason)]

    def _stream_changed(self, message: wire.Stream) -> list[Event]:
        """Compares a known stream with its newest description, property by property."""
        events: list[Event] = []
        for name, value in (
            ("hasAudio", message.has_audio),
            ("hasVideo", message.has_video),
            ("hasCaptions", message.has_captions),
            ("videoDimensions", message.video_dimensions),
            ("videoType", message.video_type),
        ):
            events += self._property_changed(message.id, name, value)
        return events

    def _property_changed(self, stream_id: str, name: str, value: object) -> list[Event]:
        stream, attribute = self.streams.get(stream_id), _ATTRIBUTES.get(name)
        if stream is None or attribute is None:
            return []
        new_value = _dimensions(value) if attribute == "video_dimensions" else value
        old_value: object = getattr(stream, attribute)
        if old_value == new_value:
            return []
        setattr(stream, attribute, new_value)
        return [StreamPropertyChangedEvent(stream, name, old_value, new_value)]

    def _is_own(self, stream: Stream) -> bool:
        return self.is_own(stream.connection.id)

    def _connection_of(self, connection_id: str) -> Connection:
        """A connection of which perhaps only the id is known: it left, or its events are suppressed."""
        return self.connections.get(connection_id) or Connection(connection_id)


_ATTRIBUTES = {
    "hasAudio": "has_audio",
    "hasVideo": "has_video",
    "hasCaptions": "has_captions",
    "videoDimensions": "video_dimensions",
    "videoType": "video_type",
}


def disconnect_reason(text: str) -> DisconnectReason:
    """The reason that `text` names. One that this version does not know was the server's doing."""
    try:
        return DisconnectReason(text)
    except ValueError:
        return DisconnectReason.FORCE_DISCONNECTED


def stream_reason(text: str) -> StreamReason:
    """The reason of the wire as a program sees it."""
    try:
        return StreamReason(text)
    except ValueError:
        return StreamReason.FORCE_UNPUBLISHED


def _connection(message: wire.Connection) -> Connection:
    return Connection(message.id, message.creation_time, message.data)


def _stream(message: wire.Stream, connection: Connection) -> Stream:
    return Stream(
        stream_id=message.id,
        connection=connection,
        creation_time=message.creation_time,
        name=message.name,
        initials=message.initials,
        has_audio=message.has_audio,
        has_video=message.has_video,
        has_captions=message.has_captions,
        video_type=message.video_type,
        video_dimensions=_dimensions(message.video_dimensions),
        frame_rate=message.frame_rate,
    )


def _capabilities(message: wire.Capabilities) -> Capabilities:
    return Capabilities(
        publish=bool(message.publish),
        subscribe=bool(message.subscribe),
        signal=bool(message.signal),
        force_disconnect=bool(message.force_disconnect),
        force_unpublish=bool(message.force_unpublish),
        force_mute=bool(message.force_mute),
    )


def _dimensions(value: object) -> VideoDimensions:
    return VideoDimensions(value.width, value.height) if isinstance(value, wire.Dimensions) else VideoDimensions(0, 0)

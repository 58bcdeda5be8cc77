"""What happened in a session and whom it is told: numbered, logged, for clients that come back as well."""

from collections.abc import Mapping
from dataclasses import dataclass

from tertulia.domain.connection import Connection
from tertulia.domain.roles import Reason
from tertulia.domain.stream import PropertyValue, Stream, StreamProperty
from tertulia.ids import ConnectionId, StreamId


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

# The facts themselves.


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

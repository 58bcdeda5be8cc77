"""What a session's facts mean to callbacks: what ended is reported with what it was, and a session begins and ends."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from tertulia.clock import WallTime
from tertulia.domain.callbacks import CallbackGroup
from tertulia.domain.connection import Connection
from tertulia.domain.events import (
    ConnectionCreated,
    ConnectionDestroyed,
    Fact,
    Happened,
    StreamCreated,
    StreamDestroyed,
)
from tertulia.domain.roles import Reason
from tertulia.domain.stream import Stream
from tertulia.ids import ConnectionId, SessionId, StreamId

__all__ = ["Report", "Reporter"]

_NAMESPACE = uuid.UUID("6f1d9c9e-0d6c-4b0e-8f53-3a1f6f0a6f2b")


@dataclass(frozen=True, slots=True)
class Report:
    """Something that a session's owner may want to be told.

    Attributes:
        event_id: A UUID that follows from session, number and kind: the same event has it whenever it is made.
        session_id: Where it happened.
        group: `session`, `connection` or `stream`.
        event: `created` or `destroyed`.
        at_ms: When, milliseconds since the epoch.
        connection: The connection that it is about, or the stream's.
        stream: The stream that it is about.
        reason: Why it ended, as the clients were told.
    """

    event_id: str
    session_id: SessionId
    group: CallbackGroup
    event: str
    at_ms: int
    connection: Connection | None = None
    stream: Stream | None = None
    reason: Reason | None = None

    @property
    def name(self) -> str:
        """The event's name in the body."""
        return f"{self.group.value}{self.event.capitalize()}"


class Reporter:
    """Turns one session's facts, in their order, into reports. It knows who and what is there.

    Args:
        session_id: The session.
        connections: Those that have a seat when it begins to listen.
        streams: What they publish.
    """

    def __init__(
        self, session_id: SessionId, connections: Iterable[Connection] = (), streams: Iterable[Stream] = ()
    ) -> None:
        self._session_id = session_id
        self._connections: dict[ConnectionId, Connection] = {each.connection_id: each for each in connections}
        self._streams: dict[StreamId, Stream] = {each.stream_id: each for each in streams}

    def reports(self, happened: Happened, now: WallTime) -> list[Report]:
        """Return what a fact gives to report: a session begins with its first connection and ends with its last."""
        number = happened.number
        match happened.fact:
            case ConnectionCreated(connection):
                first = not self._connections
                self._connections[connection.connection_id] = connection
                made = [self._report(number, now, CallbackGroup.CONNECTION, "created", connection)]
                return [self._report(number, now, CallbackGroup.SESSION, "created"), *made] if first else made
            case ConnectionDestroyed(connection_id, reason):
                gone = self._connections.pop(connection_id, None)
                if gone is None:
                    return []
                ended = [self._report(number, now, CallbackGroup.CONNECTION, "destroyed", gone, reason=reason)]
                if not self._connections:
                    ended.append(self._report(number, now, CallbackGroup.SESSION, "destroyed"))
                return ended
            case StreamCreated(stream):
                self._streams[stream.stream_id] = stream
                owner = self._connections.get(stream.connection_id)
                return [self._report(number, now, CallbackGroup.STREAM, "created", owner, stream)]
            case StreamDestroyed(stream_id, connection_id, reason):
                ending = self._streams.pop(stream_id, None)
                owner = self._connections.get(connection_id)
                if ending is None:
                    return []
                return [self._report(number, now, CallbackGroup.STREAM, "destroyed", owner, ending, reason)]
            case _:
                return []

    @staticmethod
    def listens_to(fact: Fact) -> bool:
        """Say whether a fact can give anything to report; signals, of which there are thousands, cannot."""
        return isinstance(fact, ConnectionCreated | ConnectionDestroyed | StreamCreated | StreamDestroyed)

    def _report(
        self,
        number: int,
        now: WallTime,
        group: CallbackGroup,
        event: str,
        connection: Connection | None = None,
        stream: Stream | None = None,
        reason: Reason | None = None,
    ) -> Report:
        event_id = str(uuid.uuid5(_NAMESPACE, f"{self._session_id} {number} {group.value} {event}"))
        return Report(event_id, self._session_id, group, event, now, connection, stream, reason)

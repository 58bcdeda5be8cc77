"""The sockets of one session's clients, and what is sent to whom and when."""

from collections.abc import Iterable
from dataclasses import dataclass

from tertulia.clock import Clock, MonotonicTime, TimerHandle
from tertulia.domain.events import All, AllBut, One, Recipients
from tertulia.ids import ConnectionId
from tertulia.services.ports import ClientSocket, LogRow, SocketEnd

__all__ = ["HELD_FACTS", "PACED_FROM", "PAUSE_PER_SOCKET_S", "Audience", "is_for"]

PACED_FROM = 50
"""Sockets from which on telling everybody is paced; with fewer it costs less than a millisecond. Our own choice."""

PAUSE_PER_SOCKET_S = 20e-6
"""The pause after telling everybody, for each socket: three times what it takes to write to one, as measured, so that
telling takes a quarter of the time at most, however many facts there are."""

HELD_FACTS = 256
"""Facts that wait for the end of a pause; with more it ends at once. A socket's own queue takes four times as many."""


@dataclass(slots=True)
class _Listener:
    """A client with a socket.

    Attributes:
        socket: Where to.
        spared: Whether it gets no connectionCreated and connectionDestroyed.
        told: How many of the facts that are held it has been sent already.
        leaving: Whether it has said goodbye, and wants nothing but its answer.
    """

    socket: ClientSocket
    spared: bool
    told: int
    leaving: bool = False


def is_for(recipients: Recipients, connection_id: ConnectionId) -> bool:
    """Say whether a connection is among the recipients of a fact."""
    match recipients:
        case All():
            return True
        case AllBut(other):
            return connection_id != other
        case One(only):
            return connection_id == only


class Audience:
    """Who has a socket at present.

    Facts for everybody are held until `tell` and then sent to each socket as one write. When hundreds come or go within
    a second, each of them is a fact for hundreds: a write for each pair would keep control busy for seconds. So in a
    large session `tell` waits after it has told everybody; what happens meanwhile is told with the next write. A fact
    that follows a quiet moment is told at once. Whatever is sent to one socket keeps its order.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._listeners: dict[ConnectionId, _Listener] = {}
        self._held: list[tuple[LogRow, str]] = []
        # Whom one of the held facts leaves out, and what all others are sent from each position on.
        self._left_out: set[ConnectionId] = set()
        self._tails: dict[tuple[int, bool], tuple[str, ...]] = {}
        self._not_before = MonotonicTime(0.0)
        self._timer: TimerHandle | None = None

    def attach(self, connection_id: ConnectionId, socket: ClientSocket, *, spared: bool) -> None:
        """Send to this socket from now on; `spared` ones get no connectionCreated and connectionDestroyed."""
        self._listeners[connection_id] = _Listener(socket, spared, told=len(self._held))

    def detach(self, connection_id: ConnectionId) -> None:
        """Send nothing to a connection any more."""
        self._listeners.pop(connection_id, None)

    def part(self, connection_ids: Iterable[ConnectionId]) -> None:
        """Tell these no fact any more: they have said goodbye and wait for their answer only."""
        for connection_id in connection_ids:
            if (listener := self._listeners.get(connection_id)) is not None:
                listener.leaving = True

    def send(self, connection_id: ConnectionId, frame: str) -> None:
        """Send a frame to one connection at once, after what is held for it; without a socket it is lost."""
        listener = self._listeners.get(connection_id)
        if listener is not None:
            self._catch_up(connection_id, listener)
            listener.socket.send(frame)

    def deliver(self, row: LogRow, frame: str) -> None:
        """Hold the frame of a log row for its recipients until `tell`; the only recipient is sent it at once."""
        if isinstance(row.recipients, One):
            self.send(row.recipients.connection_id, frame)
            return
        if isinstance(row.recipients, AllBut):
            self._left_out.add(row.recipients.connection_id)
        self._held.append((row, frame))
        self._tails.clear()
        if len(self._held) >= HELD_FACTS:
            self._tell_all()

    def tell(self) -> None:
        """Send what is held, or see to it that it is sent at the end of the pause."""
        if not self._held or self._timer is not None:
            return
        if self._clock.monotonic() < self._not_before:
            self._timer = self._clock.call_at(self._not_before, self._tell_all)
        else:
            self._tell_all()

    def close(self, connection_id: ConnectionId, end: SocketEnd) -> None:
        """Close a connection's socket, if it has one, after what is held for it."""
        listener = self._listeners.pop(connection_id, None)
        if listener is not None:
            self._catch_up(connection_id, listener)
            listener.socket.close(end)

    def close_all(self, end: SocketEnd) -> None:
        """Close every socket; nothing is held any more."""
        for connection_id in list(self._listeners):
            self.close(connection_id, end)
        self._forget()

    def _tell_all(self) -> None:
        for connection_id, listener in self._listeners.items():
            self._catch_up(connection_id, listener)
            listener.told = 0
        self._forget()
        count = len(self._listeners)
        if count >= PACED_FROM:
            self._not_before = MonotonicTime(self._clock.monotonic() + count * PAUSE_PER_SOCKET_S)

    def _forget(self) -> None:
        self._held.clear()
        self._left_out.clear()
        self._tails.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _catch_up(self, connection_id: ConnectionId, listener: _Listener) -> None:
        """Send what is held for a listener and it has not been sent yet."""
        if listener.told == len(self._held) or listener.leaving:
            return
        frames = self._untold(connection_id, listener)
        listener.told = len(self._held)
        if frames:
            listener.socket.send(*frames)

    def _untold(self, connection_id: ConnectionId, listener: _Listener) -> tuple[str, ...]:
        key = (listener.told, listener.spared)
        is_usual = connection_id not in self._left_out
        if is_usual and (shared := self._tails.get(key)) is not None:
            return shared
        frames = tuple(
            frame
            for row, frame in self._held[listener.told :]
            if is_for(row.recipients, connection_id) and not (row.about_connections and listener.spared)
        )
        if is_usual:
            self._tails[key] = frames
        return frames

"""The sockets of one session's clients, and what is sent to whom."""

from dataclasses import dataclass

from tertulia.domain.events import All, AllBut, One, Recipients
from tertulia.ids import ConnectionId
from tertulia.services.ports import ClientSocket, LogRow, SocketEnd

__all__ = ["Audience", "is_for"]


@dataclass(frozen=True, slots=True)
class _Listener:
    socket: ClientSocket
    spared: bool


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
    """Who has a socket at present."""

    def __init__(self) -> None:
        self._listeners: dict[ConnectionId, _Listener] = {}

    def attach(self, connection_id: ConnectionId, socket: ClientSocket, *, spared: bool) -> None:
        """Send to this socket from now on; `spared` ones get no connectionCreated and connectionDestroyed."""
        self._listeners[connection_id] = _Listener(socket, spared)

    def detach(self, connection_id: ConnectionId) -> None:
        """Send nothing to a connection any more."""
        self._listeners.pop(connection_id, None)

    def send(self, connection_id: ConnectionId, frame: str) -> None:
        """Send a frame to one connection; without a socket it is lost."""
        listener = self._listeners.get(connection_id)
        if listener is not None:
            listener.socket.send(frame)

    def deliver(self, row: LogRow, frame: str) -> None:
        """Send the frame of a log row to its recipients."""
        match row.recipients:
            case One(only):
                self.send(only, frame)
            case AllBut(other):
                for connection_id, listener in list(self._listeners.items()):
                    if connection_id != other and not (row.about_connections and listener.spared):
                        listener.socket.send(frame)
            case All():
                for listener in list(self._listeners.values()):
                    listener.socket.send(frame)

    def close(self, connection_id: ConnectionId, end: SocketEnd) -> None:
        """Close a connection's socket, if it has one."""
        listener = self._listeners.pop(connection_id, None)
        if listener is not None:
            listener.socket.close(end)

    def close_all(self, end: SocketEnd) -> None:
        """Close every socket."""
        for connection_id in list(self._listeners):
            self.close(connection_id, end)

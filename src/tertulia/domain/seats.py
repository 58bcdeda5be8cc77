"""Rules of seats: how a connection comes, is lost, comes back and ends; and signals between those who are there."""

import re
from dataclasses import replace

from tertulia.clock import MonotonicTime
from tertulia.domain.commands import ForceDisconnect, Join, Leave, LoseSocket, Resume, SendSignal
from tertulia.domain.connection import Connection, SeatState
from tertulia.domain.events import (
    All,
    AllBut,
    Answered,
    CloseTransport,
    ConnectionCreated,
    ConnectionDestroyed,
    ConnectionInterrupted,
    ConnectionRestored,
    Done,
    MediaFailed,
    One,
    Resumed,
    SeatEnded,
    SignalSent,
)
from tertulia.domain.limits import SIGNAL_DATA_BYTES, SIGNAL_TYPE_BYTES
from tertulia.domain.roles import Capability, Reason, require
from tertulia.domain.slots import bindings_of, remind
from tertulia.domain.state import SessionState, Timer
from tertulia.domain.streams import end_stream
from tertulia.errors import (
    AuthenticationError,
    ConnectionLimitError,
    NotFoundError,
    SignalInvalidError,
    SignalTooLongError,
)
from tertulia.ids import ConnectionId

__all__ = [
    "force_disconnect",
    "interrupt",
    "join",
    "leave",
    "lose_socket",
    "pass_deadline",
    "pass_idle_time",
    "resume",
    "send_signal",
]

_SIGNAL_TYPE = re.compile(r"[A-Za-z0-9_~-]*", re.ASCII)


def join(state: SessionState, command: Join, now: MonotonicTime) -> None:
    """Give a seat to a new connection, tell the others, and tell it who is there."""
    if len(state.connections) >= state.limits.connections:
        raise ConnectionLimitError()
    connection = Connection(
        connection_id=command.connection_id,
        created_at_ms=command.created_at_ms,
        role=command.role,
        data=command.data,
        expires_at_s=command.expires_at_s,
        state=SeatState.CONNECTED,
        joined_number=state.number + 1,
        connection_events_suppressed=command.connection_events_suppressed,
        layout_classes=command.layout_classes,
        client_data=command.client_data,
    )
    state.save_connection(connection)
    if command.knows_audio_slots:
        state.knows_audio_slots.add(connection.connection_id)
    state.happen(ConnectionCreated(connection), AllBut(connection.connection_id))
    state.emit(state.seen_by(connection))


def resume(state: SessionState, command: Resume, now: MonotonicTime) -> None:
    """Give a held seat back to a client with a key of a good generation, or move it to the client's new socket.

    A generation is good from the last one that the client has used up to the newest: the answer with a newer key may
    have been lost on the way.
    """
    connection = state.connections[command.connection_id]
    if not connection.key_confirmed <= command.key_generation <= connection.key_issued:
        raise AuthenticationError("The resume key has been replaced by a newer one.")
    if connection.state is SeatState.INTERRUPTED:
        state.happen(ConnectionRestored(connection.connection_id), AllBut(connection.connection_id))
    connection = replace(
        connection,
        state=SeatState.CONNECTED,
        key_confirmed=command.key_generation,
        key_issued=connection.key_issued + 1,
    )
    state.deadlines.pop(connection.connection_id, None)
    state.save_connection(connection)
    state.emit(
        Resumed(
            connection_id=connection.connection_id,
            connection=connection,
            epoch=connection.epoch if connection.transport_id is not None else 0,
            bindings=bindings_of(state, connection.connection_id),
            number=state.number,
        )
    )
    if connection.transport_id is None and connection.epoch > 0:
        # Said when it ended, but perhaps to nobody; and the client may still be given the answer that made it.
        state.emit(MediaFailed(connection.connection_id, connection.epoch, "The media transport ended."))
    if command.knows_audio_slots:
        state.knows_audio_slots.add(connection.connection_id)
    remind(state, connection.connection_id)


def lose_socket(state: SessionState, command: LoseSocket, now: MonotonicTime) -> None:
    """Hold the seat and tell the others."""
    interrupt(state, state.connections[command.connection_id], now)


def leave(state: SessionState, command: Leave, now: MonotonicTime) -> None:
    """End a connection because its client said goodbye."""
    connection = state.connections[command.origin.connection_id]
    state.emit(Answered(command.origin, Done()))
    _end(state, connection, Reason.CLIENT_DISCONNECTED)
    state.emit(SeatEnded(connection.connection_id, None))


def force_disconnect(state: SessionState, command: ForceDisconnect, now: MonotonicTime) -> None:
    """End a connection on behalf of a moderator or of the server's API."""
    if command.origin is not None:
        require(state.connections[command.origin.connection_id].role, Capability.FORCE_DISCONNECT)
    target = state.connections.get(command.connection_id)
    if target is None:
        raise NotFoundError("No such connection in this session.")
    if command.origin is not None:
        state.emit(Answered(command.origin, Done()))
    _end(state, target, Reason.FORCE_DISCONNECTED)
    state.emit(SeatEnded(target.connection_id, Reason.FORCE_DISCONNECTED))


def send_signal(state: SessionState, command: SendSignal, now: MonotonicTime) -> None:
    """Deliver a signal to one connection, or to all with the sender among them."""
    sender: ConnectionId | None = None
    if command.origin is not None:
        sender = command.origin.connection_id
        require(state.connections[sender].role, Capability.SIGNAL)
    signal_type = command.signal_type or ""
    if len(signal_type.encode()) > SIGNAL_TYPE_BYTES:
        raise SignalTooLongError(f"The type of a signal has at most {SIGNAL_TYPE_BYTES} bytes.")
    if len((command.data or "").encode()) > SIGNAL_DATA_BYTES:
        raise SignalTooLongError(f"The data of a signal has at most {SIGNAL_DATA_BYTES} bytes.")
    if _SIGNAL_TYPE.fullmatch(signal_type) is None:
        raise SignalInvalidError("The type of a signal consists of letters, digits, '-', '_' and '~'.")
    if command.to is not None and command.to not in state.connections:
        raise NotFoundError("The receiver of the signal is not connected to this session.")
    if not state.connections:
        raise NotFoundError("Nobody is connected to this session.")
    fact = SignalSent(sender, command.signal_type or None, command.data)
    state.happen(fact, All() if command.to is None else One(command.to))
    if command.origin is not None:
        state.emit(Answered(command.origin, Done()))


def interrupt(state: SessionState, connection: Connection, now: MonotonicTime) -> None:
    """Tell the others that a connection has no socket, and start to count."""
    state.save_connection(replace(connection, state=SeatState.INTERRUPTED))
    state.deadlines[connection.connection_id] = (Timer.SEAT, MonotonicTime(now + state.limits.seat_held_s))
    state.happen(ConnectionInterrupted(connection.connection_id), AllBut(connection.connection_id))


def pass_deadline(state: SessionState, connection: Connection, timer: Timer, now: MonotonicTime) -> None:
    """Move a seat on whose client has not come back in time."""
    match timer:
        case Timer.ADOPTION:
            interrupt(state, connection, now)
        case Timer.SEAT:
            _end_by_itself(state, connection, Reason.NETWORK_DISCONNECTED)


def pass_idle_time(state: SessionState, connection: Connection) -> None:
    """End a connection that has neither published nor subscribed for too long."""
    _end_by_itself(state, connection, Reason.MEDIA_IDLE)


def _end_by_itself(state: SessionState, connection: Connection, reason: Reason) -> None:
    _end(state, connection, reason)
    state.emit(SeatEnded(connection.connection_id, reason))


def _end(state: SessionState, connection: Connection, reason: Reason) -> None:
    """Remove a connection: first each of its streams ends, then it, both for everyone else and for the same reason."""
    others = AllBut(connection.connection_id)
    for stream in state.streams_of(connection.connection_id):
        end_stream(state, stream, reason, others)
    for subscription in state.subscriptions_of(connection.connection_id):
        state.remove_subscription(subscription)
    if connection.transport_id is not None:
        state.emit(CloseTransport(connection.connection_id, connection.transport_id))
    state.happen(ConnectionDestroyed(connection.connection_id, reason), others)
    state.remove_connection(connection.connection_id)

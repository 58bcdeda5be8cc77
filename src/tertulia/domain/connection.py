"""A connection: one client's attachment to a session, and the seat that is held for it."""

from dataclasses import dataclass
from enum import StrEnum

from tertulia.domain.roles import Role
from tertulia.ids import ConnectionId, SubscriptionId, TransportId

__all__ = ["Connection", "NewPair", "Origin", "SeatState"]

_FIRST_SUBSCRIPTION = SubscriptionId(1)


class SeatState(StrEnum):
    """Where a seat stands; a connection that is not in the session has none."""

    CONNECTED = "connected"
    """A socket is attached."""
    INTERRUPTED = "interrupted"
    """The socket was lost, the others were told, the seat is held."""
    ADOPTED = "adopted"
    """Loaded from the store by a new control; its client is expected back before anybody need be told."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The request that a command comes from: who sent it and its number, for the answer."""

    connection_id: ConnectionId
    request_id: int


@dataclass(frozen=True, slots=True)
class NewPair:
    """A slot pair that a client's offer adds."""

    slot: int
    audio_mid: str
    video_mid: str


@dataclass(frozen=True, slots=True)
class Connection:
    """One connection of a session.

    Attributes:
        connection_id: Its name on the wire.
        created_at_ms: Time of joining, milliseconds since the epoch.
        role: From its token.
        data: From its token.
        expires_at_s: When its token expires, seconds since the epoch; a seat outlives it.
        state: Where its seat stands.
        joined_number: The session's event number when it had joined; it is sent no event at or before it.
        connection_events_suppressed: Whether it is spared the others' connectionCreated and connectionDestroyed.
        key_confirmed: Oldest generation of its resume key that still opens the seat.
        key_issued: Newest generation of its resume key.
        epoch: Counts the client's peer connections; 0 before the first.
        transport_id: The router's transport of that epoch, or None if there is none (any more).
        client_data: What the client said of itself; nobody vouches for it, and it never stands in for `data`.
        layout_classes: From its token; every stream that it publishes begins with them.
        next_subscription_id: The id that its next subscription gets.
    """

    connection_id: ConnectionId
    created_at_ms: int
    role: Role
    data: str
    expires_at_s: int
    state: SeatState
    joined_number: int
    connection_events_suppressed: bool = False
    key_confirmed: int = 1
    key_issued: int = 1
    epoch: int = 0
    transport_id: TransportId | None = None
    layout_classes: tuple[str, ...] = ()
    client_data: str = ""
    next_subscription_id: SubscriptionId = _FIRST_SUBSCRIPTION

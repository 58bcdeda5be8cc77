"""What goes into the core of a client, and what comes out of it: inputs, and effects for the caller to carry out."""

from __future__ import annotations

from dataclasses import dataclass

from tertulia.client.errors import SessionError
from tertulia.client.events import Event
from tertulia.client.values import DisconnectReason
from tertulia.wire import signalling as wire

Request = (
    wire.SendSignal
    | wire.SetState
    | wire.ForceDisconnect
    | wire.ForceUnpublish
    | wire.ForceMuteStream
    | wire.ForceMuteAll
    | wire.DisableForceMute
    | wire.Negotiate
    | wire.Publish
    | wire.Republish
    | wire.Unpublish
    | wire.UpdateStream
    | wire.Subscribe
    | wire.UpdateSubscription
    | wire.Unsubscribe
    | wire.ReleaseSlot
)
"""What a program, or the media of the client, can ask for."""

MediaNotice = (
    wire.Bound
    | wire.Unbound
    | wire.AudioSlot
    | wire.SlotsNeeded
    | wire.SubscriptionVideo
    | wire.SubscriptionVideoWarning
    | wire.LayersPaused
    | wire.MediaFailed
)
"""What the server says about the media of this client alone."""

MediaNews = (
    MediaNotice
    | wire.Joined
    | wire.Resumed
    | wire.StreamDestroyed
    | wire.ConnectionInterrupted
    | wire.ConnectionRestored
    | wire.StreamMuted
)
"""What the media of the client must know; of streams that end, only the client's own."""


@dataclass(frozen=True, slots=True)
class Connect:
    """Input: the program wants to be connected with this token."""

    token: str


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Input: the program wants to leave."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Input: the program has a request. `ticket` is the caller's name for it, used once."""

    ticket: int
    request: Request


@dataclass(frozen=True, slots=True)
class SocketOpened:
    """Input: the socket that OpenSocket wanted is open."""

    socket: int


@dataclass(frozen=True, slots=True)
class SocketLost:
    """Input: a socket could not be opened, or has ended.

    Attributes:
        socket: its number.
        code: the server's close code; None if it gave none.
        jitter: a random number from 0 up to 1, for the delay before the next try.
        why: what happened, for people.
    """

    socket: int
    code: int | None
    jitter: float
    why: str


@dataclass(frozen=True, slots=True)
class Received:
    """Input: a frame came from the server. `number` is its place in the session's log, 0 if it has none."""

    socket: int
    number: int
    body: wire.ServerMessage


@dataclass(frozen=True, slots=True)
class Reading:
    """Input: the program has stopped reading the socket because handlers are slow, or reads on."""

    on: bool


Input = Connect | Disconnect | Ask | SocketOpened | SocketLost | Received | Reading


@dataclass(frozen=True, slots=True)
class OpenSocket:
    """Effect: open a socket under this number."""

    socket: int


@dataclass(frozen=True, slots=True)
class CloseSocket:
    """Effect: close the socket with this number, or give up opening it."""

    socket: int


@dataclass(frozen=True, slots=True)
class Send:
    """Effect: send this frame on the newest socket."""

    id: int
    ack: int
    body: wire.ClientMessage


@dataclass(frozen=True, slots=True)
class ConnectDone:
    """Effect: everybody who waits for `connect` has the answer."""

    error: SessionError | None = None


@dataclass(frozen=True, slots=True)
class DisconnectDone:
    """Effect: everybody who waits for `disconnect` has the answer."""


@dataclass(frozen=True, slots=True)
class Answered:
    """Effect: the request with this ticket has its answer: an error, or the reply with its result."""

    ticket: int
    error: SessionError | None = None
    reply: wire.Reply | None = None


@dataclass(frozen=True, slots=True)
class Dispatched:
    """Effect: an event for the program's handlers."""

    event: Event


@dataclass(frozen=True, slots=True)
class ForMedia:
    """Effect: the media of the client must know this, at once."""

    news: MediaNews


@dataclass(frozen=True, slots=True)
class MediaOver:
    """Effect: the connection has ended, and all media with it. `sessionDisconnected` follows."""

    reason: DisconnectReason


Effect = OpenSocket | CloseSocket | Send | ConnectDone | DisconnectDone | Answered | Dispatched | ForMedia | MediaOver

"""Clients: their tokens, their sockets, and the bytes of what they are told."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from tertulia.clock import WallTime
from tertulia.domain.events import Fact, Joined, Notice, Result
from tertulia.domain.project import Project
from tertulia.domain.roles import Role
from tertulia.errors import TertuliaError
from tertulia.ids import ApiKey, SessionId


class ClientClaims(Protocol):
    """What a verified client token says."""

    @property
    def api_key(self) -> ApiKey:
        """The project whose secret signed it."""
        ...

    @property
    def session_id(self) -> SessionId:
        """The session that it opens; whether that exists and is the project's is for us to check."""
        ...

    @property
    def role(self) -> Role:
        """What its bearer may do."""
        ...

    @property
    def connection_data(self) -> str:
        """For the other clients to read."""
        ...

    @property
    def digest(self) -> str:
        """What tells the token from all others, whatever of it can be spelt otherwise."""
        ...

    @property
    def layout_classes(self) -> tuple[str, ...]:
        """What its streams begin with."""
        ...

    @property
    def expires_at_s(self) -> int:
        """When it expires, seconds since the epoch."""
        ...


TokenVerifier = Callable[[str, Callable[[str], Project | None], WallTime], ClientClaims]
"""Verifies a client token, given the projects and the time; raises AuthenticationError that says what is wrong."""


Backlog = AsyncIterator[Sequence[str]]
"""Frames by the page."""


class SocketEnd(StrEnum):
    """Why the services close a client's socket."""

    ENDED = "ended"
    """The connection has ended."""
    REPLACED = "replaced"
    """The connection resumed on another socket."""
    UNLAWFUL = "unlawful"
    """The client breaks the rules of the wire."""
    RESTART = "restart"
    """The server restarts; the client should resume at once."""


class ClientSocket(Protocol):
    """A client's end of the signalling wire. Neither method waits."""

    def send(self, *frames: str) -> None:
        """Queue frames, as one write if that can be. A client that reads too slowly is closed: a lost socket."""

    def send_backlog(self, frames: Sequence[str], more: "Backlog | None" = None) -> None:
        """Queue what a resuming client missed: `frames`, then what `more` gives, before everything that is sent later.

        `more` is read only as fast as the client takes it. Should it raise an UnavailableError, the socket closes so
        that the client resumes.
        """

    def close(self, end: SocketEnd) -> None:
        """Close after what is queued; the socket reports no loss any more."""


@dataclass(frozen=True, slots=True)
class IceServer:
    """A STUN or TURN server that clients may use."""

    urls: tuple[str, ...]
    username: str | None = None
    credential: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Welcome:
    """What a client is told beside the session's state when it has its seat."""

    resume_key: str = field(repr=False)
    heartbeat_s: float = 10.0
    reconnect_window_s: float = 60.0
    ice_servers: tuple[IceServer, ...] = ()


class Codec(Protocol):
    """Turns domain events into messages; bodies are encoded once for all receivers."""

    def fact(self, fact: Fact) -> str:
        """Encode a fact's body."""
        ...

    def notice(self, notice: Notice, welcome: Welcome | None, snapshot: Joined | None) -> str:
        """Encode a notice's body; Joined and Resumed take a welcome, Resumed perhaps a Joined as its snapshot."""
        ...

    def result(self, request_id: int, result: Result) -> str:
        """Encode a reply that says yes."""
        ...

    def error(self, request_id: int, error: TertuliaError) -> str:
        """Encode a reply that says no."""
        ...

    def frame(self, number: int, body: str) -> str:
        """Put a body into its envelope; number 0 for everything that is not in the log."""
        ...

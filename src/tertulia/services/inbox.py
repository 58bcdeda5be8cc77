"""The queue of what one session has yet to do."""

import asyncio
from collections import deque
from dataclasses import dataclass

from tertulia.domain.commands import Command, Join, Request, Resume, SetLayoutClasses
from tertulia.errors import TertuliaError
from tertulia.ids import ConnectionId, TransportId
from tertulia.services.ports import ClientSocket, TransportListing

__all__ = ["Ask", "Entry", "Inbox", "LostSocket", "Order", "Seat", "Stop", "Synchronise", "Tell", "Wake"]


@dataclass(frozen=True, slots=True)
class Seat:
    """A client joins or resumes; `seated` is done when it has been told so, or carries why not.

    `after` is the number of the last event that a resuming client has handled.
    """

    command: Join | Resume
    socket: ClientSocket
    seated: "asyncio.Future[None]"
    after: int = 0


@dataclass(frozen=True, slots=True)
class Ask:
    """A client's request; the answer goes to its socket. It is `refusal` if the application would not have it."""

    command: Request
    refusal: TertuliaError | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """A request of the server's API; `done` is set when it has taken effect, or carries why not."""

    command: Request | SetLayoutClasses
    done: "asyncio.Future[None]"


@dataclass(frozen=True, slots=True)
class Tell:
    """What the router, or a client that waits for no answer, reports; no rule refuses it."""

    command: Command


@dataclass(frozen=True, slots=True)
class LostSocket:
    """This socket of the connection is gone; another may have taken its place."""

    connection_id: ConnectionId
    socket: ClientSocket


@dataclass(frozen=True, slots=True)
class Synchronise:
    """What the router holds, complete, at a moment when no request to it was open."""

    listing: dict[TransportId, TransportListing]


@dataclass(frozen=True, slots=True)
class Wake:
    """Look at the deadlines, and whether anything is left to live for."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Close every socket so that its client resumes elsewhere, and end."""


Entry = Seat | Ask | Order | Tell | LostSocket | Synchronise | Wake | Stop


class Inbox:
    """A queue that makes clients wait when it is full, and never loses what the program tells itself.

    The latter is bounded by what causes it: one lost socket per socket, one open router request per connection.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: deque[Entry] = deque()
        self._filled = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    def __len__(self) -> int:
        """Return the number of entries."""
        return len(self._entries)

    def post(self, entry: Entry) -> None:
        """Add an entry at once."""
        self._entries.append(entry)
        self._filled.set()
        if len(self._entries) >= self._limit:
            self._room.clear()

    async def put(self, entry: Entry) -> None:
        """Add an entry as soon as there is room."""
        while len(self._entries) >= self._limit:
            await self._room.wait()
        self.post(entry)

    async def take(self) -> list[Entry]:
        """Return everything there is, in order, as soon as there is anything."""
        await self._filled.wait()
        return self.drain()

    def drain(self) -> list[Entry]:
        """Return everything there is, in order, perhaps nothing."""
        entries = list(self._entries)
        self._entries.clear()
        self._filled.clear()
        self._room.set()
        return entries

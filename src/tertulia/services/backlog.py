"""What a client that comes back has missed: the frames of the session's log, read page by page."""

from tertulia.domain.connection import Connection
from tertulia.errors import ConnectFailedError
from tertulia.ids import SessionId
from tertulia.services.audience import is_for
from tertulia.services.ports import Backlog, Codec, Store

__all__ = ["BACKLOG_ROWS", "BacklogGoneError", "read_backlog"]

BACKLOG_ROWS = 200
"""Rows of the log that are read at once for a client that resumes; at most 1.7 MB, usually 50 KB. Our own choice."""


class BacklogGoneError(ConnectFailedError):
    """The log no longer reaches back to what a client has handled last: it needs the state as a whole."""

    def __init__(self) -> None:
        super().__init__("What the client missed is no longer in the log.")


async def read_backlog(
    store: Store, codec: Codec, session_id: SessionId, connection: Connection, after: int, up_to: int
) -> tuple[list[str], Backlog | None]:
    """Return the first page of what a connection missed with `after` < number <= `up_to`, and the others if there are.

    The others come as the client takes them: nobody makes us hold a whole log in memory.

    Raises:
        BacklogGoneError: If the log no longer has them; reading the others raises it as well.
    """
    start = max(after, connection.joined_number)
    pages = _Pages(store, codec, session_id, connection, start, up_to)
    nothing: list[str] = []
    first = await anext(pages, nothing)
    return first, pages if up_to - start > BACKLOG_ROWS else None


class _Pages:
    """The frames of the log with `after` < number <= `up_to` that are for this connection, by the page."""

    def __init__(
        self, store: Store, codec: Codec, session_id: SessionId, connection: Connection, after: int, up_to: int
    ) -> None:
        self._store = store
        self._codec = codec
        self._session_id = session_id
        self._connection = connection
        self._after = after
        self._up_to = up_to

    def __aiter__(self) -> "_Pages":
        return self

    async def __anext__(self) -> list[str]:
        if self._after >= self._up_to:
            raise StopAsyncIteration
        end = min(self._after + BACKLOG_ROWS, self._up_to)
        rows = await self._store.read_log(self._session_id, self._after, end)
        if len(rows) != end - self._after:
            raise BacklogGoneError()
        self._after = end
        own, spared = self._connection.connection_id, self._connection.connection_events_suppressed
        return [
            self._codec.frame(row.number, row.body)
            for row in rows
            if is_for(row.recipients, own) and not (row.about_connections and spared)
        ]

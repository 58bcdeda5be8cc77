"""The requests of one connection: which are open, and what the latest were answered."""

from collections import OrderedDict
from enum import Enum

__all__ = ["KEPT_REPLIES", "UNANSWERED_REQUESTS", "Arrival", "KeptReplies"]

KEPT_REPLIES = 256
UNANSWERED_REQUESTS = 256


class Arrival(Enum):
    """What to do with a request, judged by its number."""

    NEW = 1
    """Handle it."""
    OPEN = 2
    """It is being handled already; its answer will come."""
    STALE = 3
    """It is older than every kept reply, so its client cannot be waiting for it."""
    TOO_MANY = 4
    """The client has more unanswered requests than it may."""


class KeptReplies:
    """Makes a repeated request harmless: it is answered as it was, and handled once."""

    def __init__(self) -> None:
        self._replies: OrderedDict[int, str] = OrderedDict()
        self._open: set[int] = set()

    def find(self, request_id: int) -> str | None:
        """Return the body of the reply that this request got."""
        return self._replies.get(request_id)

    def arrive(self, request_id: int) -> Arrival:
        """Judge a request without a kept reply, and open it if it is new.

        A number below others that were answered may well be new: its request was open when control was killed.
        """
        if request_id in self._open:
            return Arrival.OPEN
        if len(self._replies) >= KEPT_REPLIES and request_id < min(self._replies):
            return Arrival.STALE
        if len(self._open) >= UNANSWERED_REQUESTS:
            return Arrival.TOO_MANY
        self._open.add(request_id)
        return Arrival.NEW

    def keep(self, request_id: int, body: str) -> None:
        """Remember the reply to a request."""
        self._open.discard(request_id)
        self._replies[request_id] = body
        while len(self._replies) > KEPT_REPLIES:
            self._replies.popitem(last=False)

"""What the services need of the outside world, as protocols that the adapters fulfil, and the records they exchange."""

from tertulia.services.ports.callbacks import CallbackSender, CallbackStore, Lane
from tertulia.services.ports.clients import (
    Backlog,
    ClientClaims,
    ClientSocket,
    Codec,
    IceServer,
    SocketEnd,
    TokenVerifier,
    Welcome,
)
from tertulia.services.ports.router import RouterListener, RouterPort, TransportListing
from tertulia.services.ports.store import (
    KEPT_ISSUES,
    Issue,
    IssueBook,
    KeptReply,
    LogRow,
    SessionRecord,
    Store,
    StoredSession,
    WriteBatch,
)

__all__ = [
    "KEPT_ISSUES",
    "Backlog",
    "CallbackSender",
    "CallbackStore",
    "ClientClaims",
    "ClientSocket",
    "Codec",
    "IceServer",
    "Issue",
    "IssueBook",
    "KeptReply",
    "Lane",
    "LogRow",
    "RouterListener",
    "RouterPort",
    "SessionRecord",
    "SocketEnd",
    "Store",
    "StoredSession",
    "TokenVerifier",
    "TransportListing",
    "Welcome",
    "WriteBatch",
]

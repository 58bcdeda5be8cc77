"""The store of sessions, and the records that it keeps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tertulia.clock import WallTime
from tertulia.domain.callbacks import OutboxEntry
from tertulia.domain.connection import Connection
from tertulia.domain.events import Change, Recipients
from tertulia.domain.project import Project
from tertulia.domain.stream import Stream
from tertulia.domain.subscription import SlotPair, Subscription
from tertulia.ids import ApiKey, ConnectionId, SessionId


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A session as the REST API made it; it never changes.

    Attributes:
        session_id: Its id.
        api_key: The project that owns it.
        media_mode: `relayed` or `routed`.
        archive_mode: `manual` or `always`.
        created_at_ms: Time of creation, milliseconds since the epoch.
        e2ee: Whether clients encrypt end to end.
        location: IPv4 address as a hint where media should be.
        archive_name: Name of an automatic archive.
        archive_resolution: Size of an automatic archive, for example `640x480`.
    """

    session_id: SessionId
    api_key: ApiKey
    media_mode: str
    archive_mode: str
    created_at_ms: int
    e2ee: bool
    location: str | None = None
    archive_name: str | None = None
    archive_resolution: str | None = None


@dataclass(frozen=True, slots=True)
class LogRow:
    """One fact in a session's log.

    Attributes:
        number: Its place; a session's numbers have no gaps.
        recipients: Who gets it.
        about_connections: Whether it is a connectionCreated or connectionDestroyed, which some clients are spared.
        body: The encoded message.
    """

    number: int
    recipients: Recipients
    about_connections: bool
    body: str


@dataclass(frozen=True, slots=True)
class KeptReply:
    """The reply that a request got, kept for the case that the client asks again."""

    connection_id: ConnectionId
    request_id: int
    body: str


@dataclass(frozen=True, slots=True)
class WriteBatch:
    """What one round of a session changes: all of it is stored, or nothing.

    Attributes:
        session_id: The session that changes.
        at: When.
        changes: In order; a later change of the same thing wins.
        log: New rows, by growing number.
        replies: New kept replies.
        reports: What callbacks are to be told of, in order.
    """

    session_id: SessionId
    at: WallTime
    changes: Sequence[Change] = ()
    log: Sequence[LogRow] = ()
    replies: Sequence[KeptReply] = ()
    reports: Sequence[OutboxEntry] = ()

    def __bool__(self) -> bool:
        """Whether there is anything to store."""
        return bool(self.changes or self.log or self.replies or self.reports)


@dataclass(frozen=True, slots=True)
class StoredSession:
    """The seats of one session and all that belongs to them, by creation, its mute state and its shared state.

    Its project is None for a session of which there is no record.
    """

    api_key: ApiKey | None = None
    last_number: int = 0
    connections: Sequence[Connection] = ()
    streams: Sequence[Stream] = ()
    subscriptions: Sequence[Subscription] = ()
    pairs: Mapping[ConnectionId, Sequence[SlotPair]] = field(default_factory=dict)
    replies: Sequence[KeptReply] = ()
    muted: bool = False
    shared: Mapping[str, str] = field(default_factory=dict)


KEPT_ISSUES = 500
"""Reports of pages that are kept: at most 17 MB. Our own choice."""


@dataclass(frozen=True, slots=True)
class Issue:
    """What a page reported.

    Attributes:
        issue_id: What the user was told.
        at_ms: When, in milliseconds since the epoch.
        session_id: The session that the page was in, as it says; None in none.
        connection_id: Its connection.
        client: Which library and browser it is, in its own words.
        description: What the user or the application wrote; untrusted text.
        statistics: What the page knew of its streams, as JSON.
    """

    issue_id: str
    at_ms: int
    session_id: str | None
    connection_id: str | None
    client: str
    description: str
    statistics: str


class IssueBook(Protocol):
    """Where reports of pages are kept: the newest `KEPT_ISSUES`. Every method may raise UnavailableError."""

    async def add_issue(self, issue: Issue) -> None:
        """Keep a report; the oldest goes when there are too many."""
        ...

    async def issues(self, count: int) -> list[Issue]:
        """Return the newest reports, the newest first."""
        ...

    async def find_issue(self, issue_id: str) -> Issue | None:
        """Return the report with this id."""
        ...


class Store(Protocol):
    """Where projects, sessions and seats live. Every method may raise UnavailableError."""

    async def add_project(self, project: Project) -> bool:
        """Store a project; False, and nothing stored, if its key is taken."""
        ...

    async def find_project(self, api_key: ApiKey) -> Project | None:
        """Return the project with this key."""
        ...

    async def list_projects(self) -> list[Project]:
        """Return all projects by key."""
        ...

    async def change_project(self, project: Project) -> bool:
        """Store what a project is now; False, and nothing stored, if there is none with its key."""
        ...

    async def remove_project(self, api_key: ApiKey) -> bool:
        """Remove a project and the records of its sessions; False if there is none with this key."""
        ...

    async def secret(self, name: str, fresh: bytes) -> bytes:
        """Return the secret kept under `name`; the first call ever stores `fresh` and returns it."""
        ...

    async def add_session(self, record: SessionRecord) -> bool:
        """Store a new session; False, and nothing stored, if its id is taken."""
        ...

    async def find_session(self, session_id: SessionId) -> SessionRecord | None:
        """Return the session with this id."""
        ...

    async def sessions_of(self, api_key: ApiKey, count: int, before_ms: int | None = None) -> list[SessionRecord]:
        """Return up to `count` sessions of a project, the newest first, made before `before_ms` if given."""
        ...

    async def sessions_with_seats(self, api_key: ApiKey | None = None) -> list[SessionId]:
        """Return every session, or every one of a project, that has a connection."""
        ...

    async def find_seat(self, connection_id: ConnectionId) -> SessionId | None:
        """Return the session in which this connection has a seat."""
        ...

    async def load_seats(self, session_id: SessionId) -> StoredSession:
        """Return what is stored of a session's seats."""
        ...

    async def commit(self, batch: WriteBatch) -> bool:
        """Store a batch; on return it survives the end of this process. Batches are stored in the order of calls.

        Returns:
            Whether some callback may want one of its reports.
        """
        ...

    async def read_log(self, session_id: SessionId, after: int, up_to: int) -> list[LogRow]:
        """Return the rows with `after` < number <= `up_to` that are still kept, by number."""
        ...

    async def spend_token(self, digest: str, expires_at_s: int) -> bool:
        """Note that the token with this digest was used; False if it was before. Kept until it expires."""
        ...

    async def trim_log(self, now: WallTime) -> None:
        """Drop rows older than a day, but keep each session's newest so that its numbers go on; and expired tokens."""
        ...

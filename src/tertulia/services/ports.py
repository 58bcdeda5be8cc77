"""What the services need of the outside world, as protocols that the adapters fulfil, and the records they exchange."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from tertulia.clock import WallTime
from tertulia.domain.callbacks import Callback, Delivery, DeliveryStatus, OutboxEntry, Outcome
from tertulia.domain.commands import Carried, FoundAudioSlot, FoundSlot
from tertulia.domain.connection import Connection, NewPair
from tertulia.domain.events import Change, Fact, Joined, Notice, Recipients, Result
from tertulia.domain.project import Project
from tertulia.domain.roles import Role
from tertulia.domain.stream import Stream, StreamSource
from tertulia.domain.subscription import PictureWishes, SlotPair, Subscription, VideoFallback
from tertulia.errors import TertuliaError
from tertulia.ids import ApiKey, ConnectionId, Generation, SessionId, SlotIndex, TransportId

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


# ---- the store


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


# ---- callbacks


@dataclass(frozen=True, slots=True)
class Lane:
    """The deliveries of one session to one receiver: they go out one after the other.

    Attributes:
        session_id: The session.
        receiver_id: The receiver, see `Callback`.
        api_key: Its project.
    """

    session_id: SessionId
    receiver_id: str
    api_key: ApiKey


class CallbackStore(Protocol):
    """Where callbacks and their deliveries live. Every method may raise UnavailableError."""

    async def add_callback(self, callback: Callback, limit: int) -> bool:
        """Store a callback; False, and nothing stored, if its project has `limit` of them.

        Its receiver and secret are replaced by those of the project's other callbacks to the same address.
        """
        ...

    async def list_callbacks(self, api_key: ApiKey) -> list[Callback]:
        """Return the callbacks of a project, the oldest first."""
        ...

    async def remove_callback(self, api_key: ApiKey, callback_id: str) -> bool:
        """Remove a callback and what is pending for it; False if the project has no such."""
        ...

    async def find_delivery(self, api_key: ApiKey, delivery_id: int) -> Delivery | None:
        """Return a delivery of a project."""
        ...

    async def list_deliveries(
        self,
        api_key: ApiKey,
        *,
        statuses: Collection[DeliveryStatus] = (),
        session_id: SessionId | None = None,
        before: int | None = None,
        limit: int,
    ) -> list[Delivery]:
        """Return a project's deliveries with ids below `before`, the newest first; all statuses if none is named."""
        ...

    async def replay(self, delivery: Delivery, now: WallTime) -> None:
        """Store a delivery that is to go out again, in its old place, at once."""
        ...

    async def claim(
        self,
        worker: str,
        now: WallTime,
        lease_until: WallTime,
        *,
        limit: int,
        busy_receivers: Collection[str] = (),
        busy_projects: Collection[ApiKey] = (),
    ) -> list[Lane]:
        """Lease to a worker up to `limit` lanes in which something is due, the longest due first; none of the busy."""
        ...

    async def next_due(self, after: WallTime) -> WallTime | None:
        """Return when after that the next lane becomes due, or its lease ends, if there is such a lane."""
        ...

    async def advance(
        self, lane: Lane, worker: str, lease_until: WallTime, settled: Delivery | None = None
    ) -> tuple[Delivery, str] | None:
        """Store what became of a delivery, extend the lease, and return the lane's next one with its receiver's secret.

        None when nothing is pending, or the lease is another's by now (then nothing is stored).
        """
        ...

    async def put_back(self, lane: Lane, worker: str, due: WallTime, settled: Delivery | None = None) -> None:
        """Store what became of a delivery, and end the lease of its lane, in which something is due at `due`."""
        ...

    async def release(self, worker: str) -> None:
        """End every lease of a worker."""
        ...

    async def trim(self, now: WallTime) -> None:
        """Drop deliveries that are over for longer than they are kept."""
        ...


class CallbackSender(Protocol):
    """Sends callbacks."""

    async def send(self, delivery: Delivery, secret: str, now: WallTime) -> Outcome:
        """Make one attempt, within its deadline. Raises nothing: whatever goes wrong is an outcome."""
        ...


# ---- the media router


@dataclass(frozen=True, slots=True)
class TransportListing:
    """A transport as the router has it.

    Attributes:
        transport_id: Its id.
        seat: The seat key that we gave it: a connection id.
        epoch: Which of its client's transports it is.
        slots: Its slot pairs by index.
        alive: False when it has failed and only waits to be closed.
        audio_slots: Its audio slots and what they carry.
        paused_layers: The layers of its video lines that nobody needs, by mid; of lines that have layers.
    """

    transport_id: TransportId
    seat: str
    epoch: int
    slots: Sequence[FoundSlot]
    alive: bool = True
    audio_slots: Sequence[FoundAudioSlot] = ()
    paused_layers: Sequence[tuple[str, Sequence[str]]] = ()


class RouterListener(Protocol):
    """Who hears what the router reports. The methods return at once."""

    def router_connected(self) -> None:
        """The link is up, for the first time or again: ask for the list, much may have changed."""

    def transport_ended(self, seat: str, transport_id: TransportId, message: str) -> None:
        """A transport failed or was closed by the router itself."""

    def layers_paused(self, transport_id: TransportId, video_mid: str, rids: Sequence[str]) -> None:
        """Nobody needs these encodings (`rid`) of a publisher's line, but all others."""
        ...

    def audio_slot_changed(
        self, transport_id: TransportId, slot: SlotIndex, of: Carried | None, audio_rtp_timestamp: int | None
    ) -> None:
        """An audio slot carries the sound of another binding, or of none."""

    def codec_support_changed(
        self, transport_id: TransportId, slot: SlotIndex, generation: Generation, *, supported: bool
    ) -> None:
        """The video of a binding cannot, or can again, be sent to its subscriber."""

    def video_fallback_changed(
        self, transport_id: TransportId, slot: SlotIndex, generation: Generation, fallback: VideoFallback
    ) -> None:
        """The video of a binding soon may be left out for bandwidth, is left out, or is sent."""


class RouterPort(Protocol):
    """The media router. Methods raise UnavailableError (away, or late) and RouterRefusedError."""

    async def open_transport(
        self, seat: str, epoch: int, offer: str, pairs: Sequence[NewPair], group: str
    ) -> tuple[TransportId, str]:
        """Make a transport for a seat; return its id and the answer to the offer.

        Transports of one group, which means nothing else to the router, are kept together while there is room.
        """
        ...

    async def renegotiate(self, transport_id: TransportId, offer: str, pairs: Sequence[NewPair]) -> str:
        """Return the answer to a further offer."""
        ...

    async def close_transport(self, transport_id: TransportId) -> None:
        """End a transport."""
        ...

    async def bind(
        self,
        transport_id: TransportId,
        slot: SlotIndex,
        generation: Generation,
        source: StreamSource,
        *,
        audio_paused: bool,
        video_paused: bool,
        wishes: PictureWishes,
        audio_fallback: bool,
        is_screen: bool,
    ) -> tuple[int | None, int | None]:
        """Forward a source into a pair; return the first RTP timestamps of audio and video of the binding.

        With `audio_fallback` the video may be left out while the subscriber's network cannot carry it. A screen
        (`is_screen`) has room in it before cameras have.
        """
        ...

    async def unbind(self, transport_id: TransportId, slot: SlotIndex, generation: Generation) -> None:
        """Forward nothing of this binding any more."""
        ...

    async def pause(
        self,
        transport_id: TransportId,
        slot: SlotIndex,
        generation: Generation,
        *,
        audio_paused: bool,
        video_paused: bool,
    ) -> None:
        """Set what of a binding is held back."""
        ...

    async def prefer(
        self,
        transport_id: TransportId,
        slot: SlotIndex,
        generation: Generation,
        wishes: PictureWishes,
        *,
        is_screen: bool,
    ) -> None:
        """Say which picture the subscriber of a binding would like, and whether it is of a screen."""
        ...

    async def set_audio_slots(self, transport_id: TransportId, slots: Sequence[SlotIndex]) -> None:
        """Forward the loudest of a transport's bindings on these pairs; none: all, each in its own pair."""
        ...

    async def request_key_frame(self, transport_id: TransportId, mid: str) -> None:
        """Ask who publishes on that video line for a key frame; the router asks no publisher too often."""
        ...

    async def list_transports(self) -> list[TransportListing]:
        """Return every transport that the router holds."""
        ...


# ---- clients


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

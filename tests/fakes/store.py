"""A store in memory that can be told to fail."""

import copy
from collections.abc import Sequence

from tertulia.clock import WallTime
from tertulia.domain.connection import Connection
from tertulia.domain.events import (
    ConnectionRemoved,
    ConnectionSaved,
    MuteStateSaved,
    PairRemoved,
    PairSaved,
    StateKeyRemoved,
    StateKeySaved,
    StreamRemoved,
    StreamSaved,
    SubscriptionRemoved,
    SubscriptionSaved,
)
from tertulia.domain.project import Project
from tertulia.domain.stream import Stream
from tertulia.domain.subscription import SlotPair, Subscription
from tertulia.errors import ConnectFailedError
from tertulia.ids import ApiKey, ConnectionId, SessionId, SlotIndex, StreamId, SubscriptionId
from tertulia.services.ports import KEPT_ISSUES, Issue, KeptReply, LogRow, SessionRecord, StoredSession, WriteBatch


class _Seats:
    def __init__(self) -> None:
        self.connections: dict[ConnectionId, Connection] = {}
        self.streams: dict[StreamId, Stream] = {}
        self.subscriptions: dict[tuple[ConnectionId, SubscriptionId], Subscription] = {}
        self.pairs: dict[ConnectionId, dict[SlotIndex, SlotPair]] = {}
        self.replies: dict[tuple[ConnectionId, int], KeptReply] = {}
        self.log: list[LogRow] = []
        self.muted = False
        self.shared: dict[str, str] = {}


class MemoryStore:
    """Fulfils the port `Store`; `failing` makes every commit fail and store nothing."""

    def __init__(self) -> None:
        self.failing = False
        self.reported: list[Issue] = []
        self.batches: list[WriteBatch] = []
        self._projects: dict[ApiKey, Project] = {}
        self._secrets: dict[str, bytes] = {}
        self._spent: set[str] = set()
        self._sessions: dict[SessionId, SessionRecord] = {}
        self._seats: dict[SessionId, _Seats] = {}

    async def add_project(self, project: Project) -> bool:
        return self._projects.setdefault(project.api_key, project) is project

    async def find_project(self, api_key: ApiKey) -> Project | None:
        return self._projects.get(api_key)

    async def list_projects(self) -> list[Project]:
        return sorted(self._projects.values(), key=lambda project: project.api_key)

    async def change_project(self, project: Project) -> bool:
        if project.api_key not in self._projects:
            return False
        self._projects[project.api_key] = project
        return True

    async def remove_project(self, api_key: ApiKey) -> bool:
        self._sessions = {key: kept for key, kept in self._sessions.items() if kept.api_key != api_key}
        return self._projects.pop(api_key, None) is not None

    async def secret(self, name: str, fresh: bytes) -> bytes:
        return self._secrets.setdefault(name, fresh)

    async def add_session(self, record: SessionRecord) -> bool:
        return self._sessions.setdefault(record.session_id, record) is record

    async def find_session(self, session_id: SessionId) -> SessionRecord | None:
        return self._sessions.get(session_id)

    async def sessions_of(self, api_key: ApiKey, count: int, before_ms: int | None = None) -> list[SessionRecord]:
        own = [record for record in self._sessions.values() if record.api_key == api_key]
        known = [record for record in own if before_ms is None or record.created_at_ms < before_ms]
        return sorted(known, key=lambda record: (-record.created_at_ms, record.session_id))[:count]

    async def sessions_with_seats(self, api_key: ApiKey | None = None) -> list[SessionId]:
        seated = [session_id for session_id, seats in self._seats.items() if seats.connections]
        return [one for one in seated if api_key is None or self._sessions[one].api_key == api_key]

    async def find_seat(self, connection_id: ConnectionId) -> SessionId | None:
        return next((key for key, seats in self._seats.items() if connection_id in seats.connections), None)

    async def load_seats(self, session_id: SessionId) -> StoredSession:
        seats = copy.deepcopy(self._seats.get(session_id, _Seats()))
        record = self._sessions.get(session_id)
        return StoredSession(
            api_key=None if record is None else record.api_key,
            last_number=seats.log[-1].number if seats.log else 0,
            connections=list(seats.connections.values()),
            streams=list(seats.streams.values()),
            subscriptions=list(seats.subscriptions.values()),
            pairs={connection_id: list(pairs.values()) for connection_id, pairs in seats.pairs.items()},
            replies=list(seats.replies.values()),
            muted=seats.muted,
            shared=dict(seats.shared),
        )

    async def commit(self, batch: WriteBatch) -> bool:
        if self.failing:
            raise ConnectFailedError("The store could not be written.")
        self.batches.append(batch)
        seats = self._seats.setdefault(batch.session_id, _Seats())
        for change in batch.changes:
            match change:
                case MuteStateSaved(muted):
                    seats.muted = muted
                case StateKeySaved(key, value):
                    seats.shared[key] = value
                case StateKeyRemoved(key):
                    del seats.shared[key]
                case ConnectionSaved(connection):
                    seats.connections[connection.connection_id] = connection
                case ConnectionRemoved(connection_id):
                    self._remove(seats, connection_id)
                case StreamSaved(stream):
                    seats.streams[stream.stream_id] = stream
                case StreamRemoved(stream_id):
                    del seats.streams[stream_id]
                case SubscriptionSaved(subscription):
                    seats.subscriptions[subscription.connection_id, subscription.subscription_id] = subscription
                case SubscriptionRemoved(connection_id, subscription_id):
                    del seats.subscriptions[connection_id, subscription_id]
                case PairSaved(connection_id, pair):
                    seats.pairs.setdefault(connection_id, {})[pair.slot] = pair
                case PairRemoved(connection_id, slot):
                    del seats.pairs[connection_id][slot]
        for reply in batch.replies:
            seats.replies[reply.connection_id, reply.request_id] = reply
        seats.log.extend(batch.log)
        return bool(batch.reports)

    async def add_issue(self, issue: Issue) -> None:
        self.reported = [issue, *self.reported][:KEPT_ISSUES]

    async def issues(self, count: int) -> list[Issue]:
        return self.reported[:count]

    async def find_issue(self, issue_id: str) -> Issue | None:
        return next((issue for issue in self.reported if issue.issue_id == issue_id), None)

    async def read_log(self, session_id: SessionId, after: int, up_to: int) -> list[LogRow]:
        return [row for row in self.log(session_id) if after < row.number <= up_to]

    async def spend_token(self, digest: str, expires_at_s: int) -> bool:
        if digest in self._spent:
            return False
        self._spent.add(digest)
        return True

    async def trim_log(self, now: WallTime) -> None:
        pass

    def log(self, session_id: SessionId) -> Sequence[LogRow]:
        """The rows that are kept."""
        return self._seats[session_id].log if session_id in self._seats else []

    def forget_log(self, session_id: SessionId, up_to: int) -> None:
        """Trim a session's log."""
        seats = self._seats[session_id]
        seats.log = [row for row in seats.log if row.number > up_to]

    @staticmethod
    def _remove(seats: _Seats, connection_id: ConnectionId) -> None:
        del seats.connections[connection_id]
        seats.pairs.pop(connection_id, None)
        seats.subscriptions = {key: kept for key, kept in seats.subscriptions.items() if key[0] != connection_id}
        seats.replies = {key: kept for key, kept in seats.replies.items() if key[0] != connection_id}

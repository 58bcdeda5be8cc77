"""Which sessions there are, as the store knows them: making them, finding them, and who is in them."""

from collections.abc import Sequence
from typing import Literal

import structlog

from tertulia.clock import Clock, MonotonicTime
from tertulia.domain.connection import Connection
from tertulia.domain.stream import Stream
from tertulia.errors import InvalidSessionIdError
from tertulia.ids import ApiKey, IdSource, SessionId, api_key_in, session_id_of
from tertulia.services.ports import SessionRecord, Store
from tertulia.services.projects import REMEMBERED_S, Projects

__all__ = ["SessionRecords"]

_MAX_REMEMBERED = 1_024

_log = structlog.get_logger(__name__)


class SessionRecords:
    """The sessions of all projects, whether or not somebody is in them."""

    def __init__(self, store: Store, projects: Projects, clock: Clock, ids: IdSource) -> None:
        self._store = store
        self._projects = projects
        self._clock = clock
        self._ids = ids
        self._remembered: dict[SessionId, tuple[SessionRecord, MonotonicTime]] = {}

    async def create(
        self,
        api_key: str,
        *,
        media_mode: Literal["relayed", "routed"],
        archive_mode: Literal["manual", "always"],
        location: str | None,
        e2ee: bool,
        archive_name: str | None = None,
        archive_resolution: str | None = None,
    ) -> SessionRecord:
        """Make and store a session; which combinations are lawful is for the caller to have checked."""
        now = self._clock.wall()
        session_id = session_id_of(
            ApiKey(api_key),
            relayed=media_mode == "relayed",
            location=location,
            created_at=now,
            random_text=self._ids.random_text(),
        )
        record = SessionRecord(
            session_id=session_id,
            api_key=ApiKey(api_key),
            media_mode=media_mode,
            archive_mode=archive_mode,
            created_at_ms=now,
            e2ee=e2ee,
            location=location,
            archive_name=archive_name,
            archive_resolution=archive_resolution,
        )
        await self._store.add_session(record)
        _log.info("session created", session_id=session_id, media_mode=media_mode)
        return record

    async def find(self, session_id: str) -> SessionRecord | None:
        """Return a session by its id, or None if there is none."""
        return await self._store.find_session(SessionId(session_id))

    async def of_project(self, api_key: str, session_id: str) -> SessionRecord:
        """Return a session of this project.

        A project that accepts known keys has every session whose id names its key: one that was not made here is taken
        in, routed, on its first use.

        Raises:
            InvalidSessionIdError: If there is no such session, or it is another project's.
            UnavailableError: If the store is away.
        """
        record = await self.find(session_id) or await self._take_in(ApiKey(api_key), SessionId(session_id))
        if record is None or record.api_key != api_key:
            raise InvalidSessionIdError()
        return record

    async def of_token(self, api_key: str, session_id: str) -> SessionRecord:
        """Return the session of a token that was verified.

        As `of_project`, but remembered for a second: who is let into a session rarely comes alone. A record never
        changes, and that its project was removed meanwhile is found when the token is verified.

        Raises:
            InvalidSessionIdError: If there is no such session, or it is another project's.
            UnavailableError: If the store is away.
        """
        now = self._clock.monotonic()
        record, found_at = self._remembered.get(SessionId(session_id), (None, MonotonicTime(0)))
        if record is not None and record.api_key == api_key and now < found_at + REMEMBERED_S:
            return record
        record = await self.of_project(api_key, session_id)
        self._remember(record, now)
        return record

    def _remember(self, record: SessionRecord, now: MonotonicTime) -> None:
        if len(self._remembered) >= _MAX_REMEMBERED:
            self._remembered.clear()
        self._remembered[record.session_id] = record, now

    async def _take_in(self, api_key: ApiKey, session_id: SessionId) -> SessionRecord | None:
        if api_key_in(session_id) != api_key:
            return None
        project = await self._projects.find(api_key)
        if project is None or not project.accept_known_keys:
            return None
        record = SessionRecord(
            session_id=session_id,
            api_key=api_key,
            media_mode="routed",
            archive_mode="manual",
            created_at_ms=self._clock.wall(),
            e2ee=False,
        )
        if not await self._store.add_session(record):
            # Somebody else was first.
            return await self.find(session_id)
        _log.info("session taken in", session_id=session_id)
        return record

    async def newest(self, api_key: str, count: int) -> list[SessionRecord]:
        """Return up to `count` sessions of a project, the newest first.

        Raises:
            UnavailableError: If the store is away.
        """
        return await self._store.sessions_of(ApiKey(api_key), count)

    async def inhabited(self, api_key: str, count: int) -> list[SessionRecord]:
        """Return up to `count` sessions of a project in which somebody is, the newest first.

        Raises:
            UnavailableError: If the store is away.
        """
        seated = await self._store.sessions_with_seats(ApiKey(api_key))
        records = [await self._store.find_session(session_id) for session_id in seated[:count]]
        return sorted((one for one in records if one is not None), key=lambda one: -one.created_at_ms)

    async def inhabitants(self, session_id: str) -> tuple[Sequence[Connection], Sequence[Stream]]:
        """Return who and what is in a session, as it is stored, each in order of creation.

        Raises:
            UnavailableError: If the store is away.
        """
        stored = await self._store.load_seats(SessionId(session_id))
        return stored.connections, stored.streams

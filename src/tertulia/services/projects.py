"""Projects: finding, making and listing them, and verifying tokens with their secrets."""

from collections.abc import Callable
from typing import TypeVar

from tertulia.clock import WallTime
from tertulia.domain.project import Project
from tertulia.errors import AuthenticationError, InternalError
from tertulia.ids import ApiKey, IdSource
from tertulia.services.ports import Store

__all__ = ["Projects"]

_KEY_ATTEMPTS = 20

Token = TypeVar("Token", str, str | None)
Claims = TypeVar("Claims")


class Projects:
    """The projects of this server, always read from the store: another process may add one."""

    def __init__(self, store: Store, ids: IdSource) -> None:
        self._store = store
        self._ids = ids

    async def find(self, api_key: str) -> Project | None:
        """Return the project with this key, whatever its status."""
        return await self._store.find_project(ApiKey(api_key))

    async def create(self, name: str) -> Project:
        """Make a project with a fresh key and secret.

        Raises:
            InternalError: If no free key was found, which takes tens of millions of projects.
        """
        for _ in range(_KEY_ATTEMPTS):
            project = Project(api_key=self._ids.api_key(), api_secret=self._ids.api_secret(), name=name)
            if await self._store.add_project(project):
                return project
        raise InternalError("No free API key was found.")

    async def list(self) -> list[Project]:
        """Return all projects by key."""
        return await self._store.list_projects()

    async def verify(
        self,
        token: Token,
        verifier: Callable[[Token, Callable[[str], Project | None], WallTime], Claims],
        now: WallTime,
    ) -> Claims:
        """Verify a token, of a client or of a REST request, with the verifier for its kind.

        The verifier looks projects up without waiting, so it runs twice: first to learn which key the token names, then
        with that project.

        Raises:
            AuthenticationError: As the verifier says.
        """
        named: list[str] = []

        def note(api_key: str) -> Project | None:
            named.append(api_key)
            return None

        try:
            return verifier(token, note, now)
        except AuthenticationError:
            if not named:
                raise
        project = await self.find(named[0])
        return verifier(token, lambda api_key: project if api_key == named[0] else None, now)

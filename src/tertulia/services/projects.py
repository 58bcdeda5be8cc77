"""Projects: making, finding, changing and deleting them, and verifying tokens with their secrets."""

import re
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import TypeVar

from tertulia.clock import Clock, MonotonicTime, WallTime
from tertulia.domain.project import Project, ProjectStatus
from tertulia.errors import AuthenticationError, InternalError, InvalidParameterError, NotFoundError
from tertulia.ids import ApiKey, IdSource
from tertulia.services.ports import Store

__all__ = ["MAX_NAME_CHARACTERS", "Projects"]

REMEMBERED_S = 1.0
"""So long a token is verified with what was last read of its project: how late another process's change is noticed."""
_MAX_REMEMBERED = 1_024
_KEY_ATTEMPTS = 20
MAX_NAME_CHARACTERS = 200
"""Our own choice: a name is a line for people."""
# Java's and .NET's SDKs hold the key in 32 bits; PHP's knows a project's secret by its shape.
_KEY = re.compile(r"[1-9][0-9]{7,9}", re.ASCII)
_MAX_KEY = 2**31 - 1
_SECRET = re.compile(r"[0-9a-f]{40}", re.ASCII)

Token = TypeVar("Token", str, str | None)
Claims = TypeVar("Claims")


class Projects:
    """The projects of this server, read from the store: another process may add or change one.

    To verify tokens they are remembered for a second. What this process changes counts at once, and so does a new
    secret whoever gave it.
    """

    def __init__(self, store: Store, ids: IdSource, clock: Clock, configured: Collection[str] = ()) -> None:
        """Takes the keys of the `configured` projects: their secrets stand in a file, and are changed there."""
        self._store = store
        self._ids = ids
        self._clock = clock
        self._configured = frozenset(configured)
        self._remembered: dict[ApiKey, tuple[Project, MonotonicTime]] = {}

    async def find(self, api_key: str) -> Project | None:
        """Return the project with this key, whatever its status."""
        return await self._store.find_project(ApiKey(api_key))

    async def create(
        self,
        name: str = "",
        *,
        api_key: str | None = None,
        api_secret: str | None = None,
        accept_known_keys: bool = False,
    ) -> Project:
        """Make a project, with a fresh key and secret unless existing ones are brought along.

        Args:
            name: For people, at most 200 characters.
            api_key: 8 to 10 digits, at most 2147483647.
            api_secret: 40 lower-case hexadecimal digits.
            accept_known_keys: Whether session ids made elsewhere with this key are taken in on their first use.

        Raises:
            InvalidParameterError: If one of them is not of this form, or the key is taken.
            InternalError: If no free key was found, which takes tens of millions of projects.
        """
        made = Project(
            api_key=ApiKey(api_key or ""),
            api_secret=_checked_secret(api_secret) if api_secret is not None else self._ids.api_secret(),
            name=_checked_name(name),
            created_at_ms=self._clock.wall(),
            accept_known_keys=accept_known_keys,
        )
        if api_key is not None:
            if _KEY.fullmatch(api_key) is None or int(api_key) > _MAX_KEY:
                raise InvalidParameterError("An API key has 8 to 10 digits and is at most 2147483647.")
            if not await self._store.add_project(made):
                raise InvalidParameterError(f"There is a project with the key {api_key} already.")
            return made
        for _ in range(_KEY_ATTEMPTS):
            made = replace(made, api_key=self._ids.api_key())
            if await self._store.add_project(made):
                return made
        raise InternalError("No free API key was found.")

    async def list(self) -> list[Project]:
        """Return all projects by key."""
        return await self._store.list_projects()

    def is_configured(self, api_key: str) -> bool:
        """Say whether the project stands in the configuration file, so that its secret and its end are set there."""
        return api_key in self._configured

    async def provide(self, project: Project) -> None:
        """Make a configured project, or give the one with its key the name, secret and rule of the configuration."""
        known = await self.find(project.api_key)
        if known is None:
            await self._store.add_project(replace(project, created_at_ms=self._clock.wall()))
        else:
            await self._store_changed(replace(project, status=known.status, created_at_ms=known.created_at_ms))

    async def change(self, api_key: str, *, name: str | None = None, accept_known_keys: bool | None = None) -> Project:
        """Change what is given.

        Raises:
            NotFoundError: If there is no such project.
            InvalidParameterError: If the name is too long.
        """
        known = await self._known(api_key)
        return await self._store_changed(
            replace(
                known,
                name=known.name if name is None else _checked_name(name),
                accept_known_keys=known.accept_known_keys if accept_known_keys is None else accept_known_keys,
            )
        )

    async def set_status(self, api_key: str, status: ProjectStatus) -> Project:
        """Suspend a project or make it active again; clients that are in a session stay there.

        Raises:
            NotFoundError: If there is no such project.
        """
        return await self._store_changed(replace(await self._known(api_key), status=status))

    async def rotate_secret(self, api_key: str) -> Project:
        """Give a project a fresh secret; tokens that the old one signed are refused from now on.

        Raises:
            NotFoundError: If there is no such project.
            InvalidParameterError: If its secret stands in the configuration file.
        """
        known = await self._known(api_key)
        self._refuse_configured(api_key)
        return await self._store_changed(replace(known, api_secret=self._ids.api_secret()))

    async def delete(self, api_key: str) -> None:
        """Remove a project and its sessions; who is connected is for `Sessions.evict`.

        Raises:
            NotFoundError: If there is no such project.
            InvalidParameterError: If it stands in the configuration file.
        """
        self._refuse_configured(api_key)
        if not await self._store.remove_project(ApiKey(api_key)):
            raise _unknown(api_key)
        self._remembered.pop(ApiKey(api_key), None)

    async def verify(
        self,
        token: Token,
        verifier: Callable[[Token, Callable[[str], Project | None], WallTime], Claims],
        now: WallTime,
    ) -> Claims:
        """Verify a token, of a client or of a REST request, with the verifier for its kind.

        The verifier looks projects up without waiting: it is tried with what is remembered, and again with what is
        stored if the token is refused, for a project may be new, active again, or have a new secret.

        Raises:
            AuthenticationError: As the verifier says.
        """
        named: list[str] = []

        def look_up(api_key: str) -> Project | None:
            named.append(api_key)
            project, read_at = self._remembered.get(ApiKey(api_key), (None, MonotonicTime(0)))
            return project if self._clock.monotonic() < read_at + REMEMBERED_S else None

        try:
            return verifier(token, look_up, now)
        except AuthenticationError:
            if not named:
                raise
        project = await self.find(named[0])
        claims = verifier(token, _alone(project), now)
        if project is not None:
            self._remember(project)
        return claims

    def _remember(self, project: Project) -> None:
        if len(self._remembered) >= _MAX_REMEMBERED:
            self._remembered.clear()
        self._remembered[project.api_key] = (project, self._clock.monotonic())

    async def _known(self, api_key: str) -> Project:
        known = await self.find(api_key)
        if known is None:
            raise _unknown(api_key)
        return known

    async def _store_changed(self, project: Project) -> Project:
        if not await self._store.change_project(project):
            raise _unknown(project.api_key)
        self._remembered.pop(project.api_key, None)
        return project

    def _refuse_configured(self, api_key: str) -> None:
        if self.is_configured(api_key):
            raise InvalidParameterError(
                f"The project {api_key} stands in the server's configuration file; change it there."
            )


def _alone(project: Project | None) -> Callable[[str], Project | None]:
    """Find this project and no other."""
    return lambda api_key: project if project is not None and api_key == project.api_key else None


def _checked_name(name: str) -> str:
    if len(name) > MAX_NAME_CHARACTERS:
        raise InvalidParameterError(f"A project's name has at most {MAX_NAME_CHARACTERS} characters.")
    return name


def _checked_secret(api_secret: str) -> str:
    if _SECRET.fullmatch(api_secret) is None:
        raise InvalidParameterError("An API secret has 40 lower-case hexadecimal digits.")
    return api_secret


def _unknown(api_key: str) -> NotFoundError:
    return NotFoundError(f"There is no project with the key {api_key}.")

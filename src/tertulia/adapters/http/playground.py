"""The project, session and tokens with which the playground of `tertulia dev` joins by itself."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tertulia.adapters.http.answers import json_answer
from tertulia.clock import Clock
from tertulia.domain.project import Project
from tertulia.domain.roles import Role
from tertulia.ids import SessionId
from tertulia.services.projects import Projects
from tertulia.services.sessions import Sessions
from tertulia.wire.tokens import MAX_LIFETIME_S, encode_jwt

__all__ = ["CONFIG_PATH", "Playground", "open_playground", "playground_routes"]

CONFIG_PATH = "/playground/config.json"


class Playground:
    """One project and one session for trying things out; `impair` says how bad the network is made for it, if it is."""

    def __init__(self, project: Project, session_id: SessionId, clock: Clock, impair: str | None = None) -> None:
        self.project = project
        self.session_id = session_id
        self.impair = impair
        self._clock = clock

    def token(self, role: Role) -> str:
        """A token of the longest lifetime for the session."""
        now_s = self._clock.wall() // 1000
        return encode_jwt(
            api_key=self.project.api_key,
            api_secret=self.project.api_secret,
            session_id=self.session_id,
            role=role,
            created_at_s=now_s,
            expires_at_s=now_s + MAX_LIFETIME_S,
        )

    def tokens(self) -> dict[str, str]:
        """A token of each role, by the role's name."""
        return {role.value: self.token(role) for role in Role}


async def open_playground(
    projects: Projects, sessions: Sessions, clock: Clock, file: Path, impair: str | None = None
) -> Playground:
    """The playground that `file` names, made anew if there is none (any more): it lasts as long as the data folder."""
    known = _read(file)
    project = await projects.find(known.get("api_key", ""))
    if project is None:
        project = await projects.create("Playground")
    session = await sessions.records.find(known.get("session_id", ""))
    if session is None or session.api_key != project.api_key:
        session = await sessions.records.create(
            project.api_key, media_mode="routed", archive_mode="manual", location=None, e2ee=False
        )
    _write(file, {"api_key": project.api_key, "session_id": session.session_id})
    return Playground(project, session.session_id, clock, impair)


def _read(file: Path) -> dict[str, str]:
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def _write(file: Path, values: dict[str, str]) -> None:
    file.write_text(json.dumps(values), encoding="utf-8")


def playground_routes(playground: Playground) -> list[Route]:
    """The route from which the page learns its session.

    It hands out a moderator's token, so it answers only under the host names of a development server: a foreign name
    that was made to point here would be the origin of a foreign page.
    """

    async def config(request: Request) -> Response:
        if not _is_own_name(request.url.hostname or ""):
            raise HTTPException(404)
        try:
            role = Role(request.query_params.get("role", Role.MODERATOR))
        except ValueError as error:
            raise HTTPException(404) from error
        values: dict[str, Any] = {
            "apiKey": playground.project.api_key,
            "sessionId": playground.session_id,
            "role": role.value,
            "token": playground.token(role),
            "tokens": playground.tokens(),
            **({} if playground.impair is None else {"impair": playground.impair}),
        }
        answer = json_answer(json.dumps(values).encode())
        answer.headers["Cache-Control"] = "no-store"
        return answer

    return [Route(CONFIG_PATH, config)]


def _is_own_name(host: str) -> bool:
    """Whether `host` is `localhost` or an address: nobody can make an address point elsewhere."""
    if host == "localhost":
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True

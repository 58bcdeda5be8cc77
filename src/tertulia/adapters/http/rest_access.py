"""Who asks the REST API, and about what: the checks that come before every route."""

from __future__ import annotations

from starlette.requests import Request

from tertulia.adapters.http.answers import MAX_BODY_BYTES, read_body
from tertulia.clock import Clock
from tertulia.errors import (
    AuthenticationError,
    InvalidParameterError,
    InvalidSessionIdError,
    SessionIdFormatError,
)
from tertulia.ids import ApiKey, is_session_id_shaped
from tertulia.services.ports import SessionRecord
from tertulia.services.projects import Projects
from tertulia.services.sessions import Sessions
from tertulia.wire.tokens import RestClaims, verify_rest_token

__all__ = ["PROJECT", "SESSION", "Access", "body_of", "content_type"]

AUTHENTICATION_HEADER = "X-OPENTOK-AUTH"
PROJECT = "/v2/project/{api_key}"
SESSION = PROJECT + "/session/{session_id}"


class Access:
    """Checks token, project and session of requests."""

    def __init__(self, sessions: Sessions, projects: Projects, clock: Clock) -> None:
        self._sessions = sessions
        self._projects = projects
        self._clock = clock

    async def authenticate(self, request: Request) -> RestClaims:
        """Who asks. Raises AuthenticationError; an account's token is for other endpoints."""
        token = request.headers.get(AUTHENTICATION_HEADER)
        claims = await self._projects.verify(token, verify_rest_token, self._clock.wall())
        if claims.is_account:
            raise AuthenticationError("The token is an account's; this endpoint takes a project's.")
        return claims

    async def project(self, request: Request) -> ApiKey:
        """The project in the path, which is the caller's. Raises AuthenticationError."""
        claims = await self.authenticate(request)
        if request.path_params["api_key"] != claims.api_key:
            raise AuthenticationError("The path names another project than the token.")
        return claims.api_key

    async def session(self, request: Request) -> SessionRecord:
        """The session in the path. Raises an error unless it exists and belongs to the caller."""
        return await self.session_of(await self.project(request), request.path_params["session_id"])

    async def session_of(self, api_key: ApiKey, session_id: str) -> SessionRecord:
        """A session of this project. Raises an error unless it exists and belongs to it."""
        if not is_session_id_shaped(session_id):
            raise SessionIdFormatError("Invalid session id format")
        session = await self._sessions.find_session(session_id)
        if session is None or session.api_key != api_key:
            raise InvalidSessionIdError()
        return session


async def body_of(request: Request) -> bytes:
    """The request's body. Raises InvalidParameterError if it is too long."""
    return await read_body(request, InvalidParameterError(f"The body has more than {MAX_BODY_BYTES} bytes."))


def content_type(request: Request) -> str:
    """What the request says that its body is."""
    return request.headers.get("content-type", "")

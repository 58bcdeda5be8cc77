"""The REST API, as far as it concerns sessions: creating them, signalling into them, ending connections."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tertulia.adapters.http.answers import MAX_BODY_BYTES, json_answer, read_body
from tertulia.clock import Clock
from tertulia.errors import (
    AuthenticationError,
    InvalidParameterError,
    InvalidSessionIdError,
    SessionIdFormatError,
    SignalTooLongError,
)
from tertulia.ids import SessionId, is_session_id_shaped
from tertulia.services.projects import Projects
from tertulia.services.sessions import Sessions
from tertulia.wire.rest import create_session_json, create_session_xml, parse_create_session, parse_signal
from tertulia.wire.tokens import RestClaims, verify_rest_token

__all__ = ["rest_routes"]

AUTHENTICATION_HEADER = "X-OPENTOK-AUTH"
SESSION = "/v2/project/{api_key}/session/{session_id}"


def rest_routes(sessions: Sessions, projects: Projects, clock: Clock) -> list[Route]:
    """Routes under the addresses that the official server SDKs use."""
    api = _RestApi(sessions, projects, clock)
    return [
        Route("/session/create", api.create_session, methods=["POST"]),
        Route("/hl/session/create", api.create_session, methods=["POST"]),
        Route(SESSION + "/connection/{connection_id}", api.force_disconnect, methods=["DELETE"]),
        Route(SESSION + "/signal", api.signal, methods=["POST"]),
        Route(SESSION + "/connection/{connection_id}/signal", api.signal, methods=["POST"]),
    ]


class _RestApi:
    def __init__(self, sessions: Sessions, projects: Projects, clock: Clock) -> None:
        self._sessions = sessions
        self._projects = projects
        self._clock = clock

    async def create_session(self, request: Request) -> Response:
        claims = await self._authenticate(request)
        too_large = InvalidParameterError(f"The body has more than {MAX_BODY_BYTES} bytes.")
        wanted = parse_create_session(_content_type(request), await read_body(request, too_large))
        if wanted.api_key not in (None, claims.api_key):
            raise AuthenticationError("The request is for another project than its token.")
        session = await self._sessions.create_session(
            claims.api_key,
            media_mode="relayed" if wanted.relayed else "routed",
            archive_mode="always" if wanted.always_archived else "manual",
            archive_name=wanted.archive_name,
            archive_resolution=wanted.archive_resolution,
            location=wanted.location,
            e2ee=wanted.e2ee,
        )
        made = (session.session_id, session.api_key, session.created_at_ms)
        if "application/json" in request.headers.get("accept", "").lower():
            return json_answer(create_session_json(*made))
        # Set by hand: a charset would be added to the media type.
        return Response(create_session_xml(*made), headers={"Content-Type": "text/xml"})

    async def force_disconnect(self, request: Request) -> Response:
        session_id = await self._session(request)
        await self._sessions.force_disconnect(session_id, request.path_params["connection_id"])
        return Response(status_code=204)

    async def signal(self, request: Request) -> Response:
        session_id = await self._session(request)
        body = parse_signal(_content_type(request), await read_body(request, SignalTooLongError()))
        to = request.path_params.get("connection_id")
        await self._sessions.signal(session_id, to=to, signal_type=body.type, data=body.data)
        return Response(status_code=204)

    async def _authenticate(self, request: Request) -> RestClaims:
        """Who asks. Raises AuthenticationError; an account's token is for other endpoints."""
        token = request.headers.get(AUTHENTICATION_HEADER)
        claims = await self._projects.verify(token, verify_rest_token, self._clock.wall())
        if claims.is_account:
            raise AuthenticationError("The token is an account's; this endpoint takes a project's.")
        return claims

    async def _session(self, request: Request) -> SessionId:
        """The session in the path. Raises an error unless it exists and belongs to the caller."""
        claims = await self._authenticate(request)
        if request.path_params["api_key"] != claims.api_key:
            raise AuthenticationError("The path names another project than the token.")
        session_id: str = request.path_params["session_id"]
        if not is_session_id_shaped(session_id):
            raise SessionIdFormatError("Invalid session id format")
        session = await self._sessions.find_session(session_id)
        if session is None or session.api_key != claims.api_key:
            raise InvalidSessionIdError()
        return session.session_id


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "")

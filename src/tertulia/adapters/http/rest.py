"""The REST API: creating sessions, signalling into them, ending connections, and its other routes joined."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tertulia.adapters.http.answers import json_answer, read_body
from tertulia.adapters.http.rest_access import SESSION, Access, AccessRules, body_of, content_type
from tertulia.adapters.http.rest_callbacks import callback_routes
from tertulia.adapters.http.rest_features import feature_routes
from tertulia.adapters.http.rest_live import live_routes
from tertulia.adapters.http.rest_media import media_routes
from tertulia.adapters.http.rest_projects import project_routes
from tertulia.clock import Clock
from tertulia.errors import AuthenticationError, SignalTooLongError
from tertulia.services.callbacks import Callbacks
from tertulia.services.projects import Projects
from tertulia.services.sessions import Sessions
from tertulia.wire.rest import create_session_json, create_session_xml, parse_create_session, parse_signal

__all__ = ["rest_routes"]


def rest_routes(
    sessions: Sessions, projects: Projects, callbacks: Callbacks, clock: Clock, rules: AccessRules
) -> list[Route]:
    """Routes under the addresses that the official server SDKs use."""
    access = Access(sessions, projects, clock, rules)
    api = _RestApi(sessions, access)
    return [
        Route("/session/create", api.create_session, methods=["POST"]),
        Route("/hl/session/create", api.create_session, methods=["POST"]),
        Route(SESSION + "/connection/{connection_id}", api.force_disconnect, methods=["DELETE"]),
        Route(SESSION + "/signal", api.signal, methods=["POST"]),
        Route(SESSION + "/connection/{connection_id}/signal", api.signal, methods=["POST"]),
        *live_routes(sessions, projects, access),
        *media_routes(sessions, access),
        *project_routes(sessions, projects, access),
        *callback_routes(callbacks, access),
        *feature_routes(access),
    ]


class _RestApi:
    def __init__(self, sessions: Sessions, access: Access) -> None:
        self._sessions = sessions
        self._access = access

    async def create_session(self, request: Request) -> Response:
        claims = await self._access.authenticate(request)
        wanted = parse_create_session(content_type(request), await body_of(request))
        if wanted.api_key not in (None, claims.api_key):
            raise AuthenticationError("The request is for another project than its token.")
        session = await self._sessions.records.create(
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
        session_id = (await self._access.session(request)).session_id
        await self._sessions.force_disconnect(session_id, request.path_params["connection_id"])
        return Response(status_code=204)

    async def signal(self, request: Request) -> Response:
        session_id = (await self._access.session(request)).session_id
        body = parse_signal(content_type(request), await read_body(request, SignalTooLongError))
        to = request.path_params.get("connection_id")
        await self._sessions.signal(session_id, to=to, signal_type=body.type, data=body.data)
        return Response(status_code=204)

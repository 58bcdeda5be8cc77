"""The REST API's view of live sessions: streams, connections, muting, tones."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tertulia.adapters.http.answers import json_answer
from tertulia.adapters.http.rest_access import SESSION, Access, body_of, content_type
from tertulia.errors import InvalidSessionIdError, NotFoundError, UnknownStreamError
from tertulia.services.projects import Projects
from tertulia.services.sessions import Sessions
from tertulia.wire.rest_live import (
    connection_list,
    parse_digits,
    parse_layout_classes,
    parse_layout_classes_of_one,
    parse_mute_all,
    project_details,
    stream_details,
    stream_list,
)

__all__ = ["live_routes"]


def live_routes(sessions: Sessions, projects: Projects, access: Access) -> list[Route]:
    """Routes under a session's address."""
    api = _LiveApi(sessions, projects, access)
    return [
        Route(SESSION + "/stream", api.list_streams, methods=["GET"]),
        Route(SESSION + "/stream", api.set_classes, methods=["PUT"]),
        Route(SESSION + "/stream/{stream_id}", api.get_stream, methods=["GET"]),
        # Only the PHP SDK sets the classes of one stream by itself.
        Route(SESSION + "/stream/{stream_id}", api.set_classes, methods=["PUT"]),
        Route(SESSION + "/stream/{stream_id}/mute", api.mute_stream, methods=["POST"]),
        Route(SESSION + "/mute", api.mute_all, methods=["POST"]),
        Route(SESSION + "/connection", api.list_connections, methods=["GET"]),
        Route(SESSION + "/play-dtmf", api.play_dtmf, methods=["POST"]),
        Route(SESSION + "/connection/{connection_id}/play-dtmf", api.play_dtmf, methods=["POST"]),
    ]


class _LiveApi:
    def __init__(self, sessions: Sessions, projects: Projects, access: Access) -> None:
        self._sessions = sessions
        self._projects = projects
        self._access = access

    async def list_streams(self, request: Request) -> Response:
        session = await self._access.session(request)
        _, streams = await self._sessions.records.inhabitants(session.session_id)
        return json_answer(stream_list(streams))

    async def get_stream(self, request: Request) -> Response:
        session = await self._access.session(request)
        _, streams = await self._sessions.records.inhabitants(session.session_id)
        wanted = request.path_params["stream_id"]
        stream = next((stream for stream in streams if stream.stream_id == wanted), None)
        if stream is None:
            raise UnknownStreamError()
        answer = json_answer(stream_details(stream))
        if "OpenTok-Node-SDK/" in request.headers.get("user-agent", ""):
            # It parses an answer of exactly `application/json` twice, and fails; not so the same type spelt otherwise.
            answer.headers["Content-Type"] = "Application/JSON"
        return answer

    async def set_classes(self, request: Request) -> Response:
        session = await self._access.session(request)
        kind, body = content_type(request), await body_of(request)
        stream_id = request.path_params.get("stream_id")
        if stream_id is None:
            classes = parse_layout_classes(kind, body)
        else:
            classes = {stream_id: parse_layout_classes_of_one(kind, body)}
        await self._sessions.set_layout_classes(session.session_id, classes)
        return await self.list_streams(request)

    async def list_connections(self, request: Request) -> Response:
        session = await self._access.session(request)
        connections, _ = await self._sessions.records.inhabitants(session.session_id)
        return json_answer(connection_list(session.api_key, session.session_id, connections))

    async def mute_stream(self, request: Request) -> Response:
        session = await self._access.session(request)
        await self._sessions.force_mute_stream(session.session_id, request.path_params["stream_id"])
        return await self._project(session.api_key)

    async def mute_all(self, request: Request) -> Response:
        session = await self._access.session(request)
        wanted = parse_mute_all(content_type(request), await body_of(request))
        if wanted.active:
            await self._sessions.force_mute_all(session.session_id, wanted.excluded)
        else:
            await self._sessions.disable_force_mute(session.session_id)
        return await self._project(session.api_key)

    async def play_dtmf(self, request: Request) -> Response:
        await self._access.session(request)
        parse_digits(content_type(request), await body_of(request))
        raise NotFoundError("There is no such SIP connection in the session.")

    async def _project(self, api_key: str) -> Response:
        project = await self._projects.find(api_key)
        if project is None:
            raise InvalidSessionIdError()
        return json_answer(project_details(project))

"""Routes of archives and broadcasts. This server makes none: what is not wrong by itself is refused by feature."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tertulia.adapters.http.answers import json_answer
from tertulia.adapters.http.rest_access import PROJECT, Access, body_of, content_type
from tertulia.adapters.http.rest_features import missing
from tertulia.errors import ConflictError, NotFoundError, RelayedSessionError
from tertulia.services.sessions import Sessions
from tertulia.wire.rest_media import (
    DEFAULT_PAGE,
    MAX_PAGE,
    empty_list,
    parse_archive,
    parse_broadcast,
    parse_layout,
    parse_page,
    parse_storage,
    parse_stream_change,
)

__all__ = ["media_routes"]

ARCHIVES = "archives"
BROADCASTS = "broadcasts"


def media_routes(sessions: Sessions, access: Access) -> list[Route]:
    """Routes below a project's address."""
    api = _MediaApi(sessions, access)
    archive, broadcast = PROJECT + "/archive", PROJECT + "/broadcast"
    return [
        Route(archive, api.start_archive, methods=["POST"]),
        Route(archive, api.list_none, methods=["GET"]),
        Route(archive + "/storage", api.set_storage, methods=["PUT"]),
        Route(archive + "/storage", api.drop_storage, methods=["DELETE"]),
        *_routes_of_one(api, archive, "archive"),
        Route(archive + "/{id}", api.unknown("archive"), methods=["DELETE"]),
        Route(broadcast, api.start_broadcast, methods=["POST"]),
        Route(broadcast, api.list_none, methods=["GET"]),
        *_routes_of_one(api, broadcast, "broadcast"),
    ]


def _routes_of_one(api: _MediaApi, path: str, what: str) -> list[Route]:
    return [
        Route(path + "/{id}", api.unknown(what), methods=["GET"]),
        Route(path + "/{id}/stop", api.unknown(what), methods=["POST"]),
        Route(path + "/{id}/layout", api.unknown(what, parse_layout), methods=["PUT"]),
        Route(path + "/{id}/streams", api.unknown(what, parse_stream_change), methods=["PATCH"]),
    ]


class _MediaApi:
    def __init__(self, sessions: Sessions, access: Access) -> None:
        self._sessions = sessions
        self._access = access

    async def start_archive(self, request: Request) -> Response:
        relayed = RelayedSessionError("Only routed sessions are allowed to initiate archives.")
        return await self._start(request, parse_archive, relayed, ARCHIVES)

    async def start_broadcast(self, request: Request) -> Response:
        relayed = ConflictError("Only routed sessions can be broadcast.")
        return await self._start(request, parse_broadcast, relayed, BROADCASTS)

    async def list_none(self, request: Request) -> Response:
        """A list of nothing, of the project or of one of its sessions."""
        api_key = await self._access.project(request)
        # Java leaves `count` out when its caller wants a thousand.
        is_java = "Opentok-Java-SDK/" in request.headers.get("user-agent", "")
        parse_page(request.query_params, default=MAX_PAGE if is_java else DEFAULT_PAGE)
        session_id = request.query_params.get("sessionId")
        if session_id:
            await self._access.session_of(api_key, session_id)
        return json_answer(empty_list())

    async def set_storage(self, request: Request) -> Response:
        await self._access.project(request)
        parse_storage(content_type(request), await body_of(request))
        raise missing(ARCHIVES)

    async def drop_storage(self, request: Request) -> Response:
        await self._access.project(request)
        return Response(status_code=204)

    def unknown(self, what: str, check: Callable[[str, bytes], object] | None = None) -> Callable[[Request], Response]:
        """A route about one archive or broadcast: none has this id."""

        async def answer(request: Request) -> Response:
            await self._access.project(request)
            if check is not None:
                check(content_type(request), await body_of(request))
            raise NotFoundError(f"Not found. You passed in an invalid {what} ID.")

        return answer  # type: ignore[return-value]  # Starlette awaits what a route returns

    async def _start(
        self, request: Request, parse: Callable[[str, bytes], str], relayed: ConflictError, feature: str
    ) -> Response:
        api_key = await self._access.project(request)
        session = await self._access.session_of(api_key, parse(content_type(request), await body_of(request)))
        if session.media_mode == "relayed":
            raise relayed
        if session.e2ee:
            raise ConflictError("The session is encrypted end to end; the server has no picture of it.")
        connections, _ = await self._sessions.records.inhabitants(session.session_id)
        if not connections:
            raise NotFoundError("Nobody is connected to this session.")
        raise missing(feature)

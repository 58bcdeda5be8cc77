"""What the projects page asks for: an interface of its own, for the signed-in operator and no program besides."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
import structlog
from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tertulia.adapters.http.answers import json_answer
from tertulia.adapters.http.operator_access import NotSignedInError, OperatorAccess, SignedIn
from tertulia.adapters.http.operator_bodies import Handler, body_of, json_of
from tertulia.adapters.http.operator_callbacks import callback_handlers
from tertulia.clock import Clock
from tertulia.domain.connection import Connection
from tertulia.domain.project import Project, ProjectStatus
from tertulia.domain.stream import Stream
from tertulia.errors import InvalidParameterError, NotFoundError
from tertulia.services.callbacks import Callbacks
from tertulia.services.ports import SessionRecord
from tertulia.services.projects import Projects
from tertulia.services.sessions import Sessions
from tertulia.wire.rest import error_body, parse_create_session
from tertulia.wire.tokens import MAX_DATA_CHARACTERS, MAX_LIFETIME_S, encode_jwt, encode_t1

__all__ = ["OPERATOR_API", "operator_routes"]

OPERATOR_API = "/projects/api"
SESSIONS_SHOWN = 50
"""Sessions of a project on the page, and as many in which somebody is; the shell lists more. Our own choice."""

_log = structlog.get_logger(__name__)


class _SignIn(Struct, forbid_unknown_fields=True):
    password: Annotated[str, Meta(max_length=1024)]


class _NewProject(Struct, forbid_unknown_fields=True, rename="camel"):
    name: str = ""
    api_key: str | None = None
    api_secret: str | None = None
    accept_known_keys: bool = False


class _ProjectChange(Struct, forbid_unknown_fields=True, rename="camel"):
    name: str | None = None
    status: ProjectStatus | None = None
    accept_known_keys: bool | None = None


class _NewSession(Struct, forbid_unknown_fields=True, rename="camel"):
    media_mode: Literal["routed", "relayed"] = "routed"
    archive_mode: Literal["manual", "always"] = "manual"
    archive_name: str = ""
    archive_resolution: str = ""
    e2ee: bool = False


class _NewToken(Struct, forbid_unknown_fields=True, rename="camel"):
    role: Literal["subscriber", "publisher", "publisheronly", "moderator"] = "publisher"
    data: Annotated[str, Meta(max_length=MAX_DATA_CHARACTERS)] = ""
    lifetime_s: Annotated[int, Meta(ge=1, le=MAX_LIFETIME_S)] = 86_400
    format: Literal["jwt", "t1"] = "jwt"


def operator_routes(
    access: OperatorAccess, projects: Projects, sessions: Sessions, callbacks: Callbacks, clock: Clock
) -> list[Route]:
    """Routes below `/projects/api`. Whoever is not signed in gets 401, whoever may be forged 403."""
    entry, api = _Entry(access), _Api(projects, sessions, clock)
    project = "/projects/{api_key}"
    session = project + "/sessions/{session_id}"
    signed_in: list[tuple[str, str, Handler]] = [
        ("GET", "/projects", api.list_projects),
        ("POST", "/projects", api.create_project),
        ("PATCH", project, api.change_project),
        ("POST", project + "/rotate", api.rotate_secret),
        ("DELETE", project, api.delete_project),
        ("GET", project + "/sessions", api.list_sessions),
        ("POST", project + "/sessions", api.create_session),
        ("GET", session, api.show_session),
        ("POST", session + "/tokens", api.create_token),
        ("DELETE", session + "/connections/{connection_id}", api.disconnect),
        ("POST", "/sign-out", entry.sign_out),
        *((method, project + path, api.owned(handler)) for method, path, handler in callback_handlers(callbacks)),
    ]
    return [
        Route(OPERATOR_API + "/state", _private(entry.state), methods=["GET"]),
        Route(OPERATOR_API + "/sign-in", _private(entry.sign_in), methods=["POST"]),
        *(
            Route(OPERATOR_API + path, _private(_guarded(access, handler)), methods=[method])
            for method, path, handler in signed_in
        ),
    ]


def _private(handler: Handler) -> Handler:
    """The same, kept out of every cache; who is not signed in learns it by the status."""

    async def private(request: Request) -> Response:
        try:
            answer = await handler(request)
        except NotSignedInError as error:
            answer = json_answer(error_body(error), 401)
        answer.headers["Cache-Control"] = "no-store"
        return answer

    return private


def _guarded(access: OperatorAccess, handler: Handler) -> Handler:
    async def guarded(request: Request) -> Response:
        access.require(request)
        answer = await handler(request)
        if request.method != "GET":
            # Who did what with which project; what was typed stays out.
            _log.info("operator", method=request.method, path=request.url.path)
        return answer

    return guarded


class _Entry:
    """Signing in and out."""

    def __init__(self, access: OperatorAccess) -> None:
        self._access = access

    async def state(self, request: Request) -> Response:
        """Whether somebody is signed in, and who could; at home everybody is."""
        signed_in = self._access.find(request)
        if signed_in is None and self._access.is_at_home(request):
            answer = Response(media_type="application/json")
            return _fill(answer, self._told(self._access.let_in(request, answer)))
        return json_of(self._told(signed_in))

    async def sign_in(self, request: Request) -> Response:
        self._access.require_own_origin(request)
        await self._access.check_password(request, (await body_of(request, _SignIn)).password)
        answer = Response(media_type="application/json")
        return _fill(answer, self._told(self._access.let_in(request, answer)))

    async def sign_out(self, request: Request) -> Response:
        answer = Response(status_code=204)
        self._access.let_out(request, self._access.require(request), answer)
        return answer

    def _told(self, signed_in: SignedIn | None) -> dict[str, Any]:
        return {
            "signedIn": signed_in is not None,
            "csrf": None if signed_in is None else signed_in.csrf,
            "hasPassword": self._access.has_password,
        }


class _Api:
    """What the operator sees and does."""

    def __init__(self, projects: Projects, sessions: Sessions, clock: Clock) -> None:
        self._projects = projects
        self._sessions = sessions
        self._clock = clock

    def owned(self, handler: Handler) -> Handler:
        """The same, for projects that there are."""

        async def owned(request: Request) -> Response:
            await self._known(request)
            return await handler(request)

        return owned

    async def list_projects(self, _request: Request) -> Response:
        return json_of([self._project(one) for one in await self._projects.list()])

    async def create_project(self, request: Request) -> Response:
        wanted = await body_of(request, _NewProject)
        made = await self._projects.create(
            wanted.name.strip(),
            api_key=wanted.api_key or None,
            api_secret=wanted.api_secret or None,
            accept_known_keys=wanted.accept_known_keys,
        )
        return json_of(self._project(made), 201)

    async def change_project(self, request: Request) -> Response:
        wanted, api_key = await body_of(request, _ProjectChange), request.path_params["api_key"]
        name = None if wanted.name is None else wanted.name.strip()
        changed = await self._projects.change(api_key, name=name, accept_known_keys=wanted.accept_known_keys)
        if wanted.status is not None:
            changed = await self._projects.set_status(api_key, wanted.status)
        return json_of(self._project(changed))

    async def rotate_secret(self, request: Request) -> Response:
        return json_of(self._project(await self._projects.rotate_secret(request.path_params["api_key"])))

    async def delete_project(self, request: Request) -> Response:
        project = await self._known(request)
        if self._projects.is_configured(project.api_key):
            await self._projects.delete(project.api_key)  # which says why it cannot be
        # Nobody comes back in while the others are sent out.
        await self._projects.set_status(project.api_key, ProjectStatus.SUSPENDED)
        await self._sessions.evict(project.api_key)
        await self._projects.delete(project.api_key)
        return Response(status_code=204)

    async def list_sessions(self, request: Request) -> Response:
        project = await self._known(request)
        inhabited = await self._sessions.records.inhabited(project.api_key, SESSIONS_SHOWN)
        newest = await self._sessions.records.newest(project.api_key, SESSIONS_SHOWN)
        live = []
        for record in inhabited:
            connections, streams = await self._sessions.records.inhabitants(record.session_id)
            live.append({**_session(record), "connections": len(connections), "streams": len(streams)})
        shown = {record.session_id for record in inhabited}
        others = [
            {**_session(record), "connections": 0, "streams": 0} for record in newest if record.session_id not in shown
        ]
        return json_of({"live": live, "others": others})

    async def create_session(self, request: Request) -> Response:
        project, asked = await self._known(request), await body_of(request, _NewSession)
        fields = {
            "p2p.preference": "enabled" if asked.media_mode == "relayed" else "disabled",
            "archiveMode": asked.archive_mode,
            "archiveName": asked.archive_name.strip(),
            "archiveResolution": asked.archive_resolution,
            "e2ee": asked.e2ee,
        }
        # The rules of the REST API, which has the same fields.
        wanted = parse_create_session("application/json", msgspec.json.encode(fields))
        record = await self._sessions.records.create(
            project.api_key,
            media_mode="relayed" if wanted.relayed else "routed",
            archive_mode="always" if wanted.always_archived else "manual",
            archive_name=wanted.archive_name,
            archive_resolution=wanted.archive_resolution,
            location=None,
            e2ee=wanted.e2ee,
        )
        return json_of({**_session(record), "connections": 0, "streams": 0}, 201)

    async def show_session(self, request: Request) -> Response:
        record = await self._session(request)
        connections, streams = await self._sessions.records.inhabitants(record.session_id)
        return json_of({**_session(record), "inside": [_connection(one, streams) for one in connections]})

    async def create_token(self, request: Request) -> Response:
        record, wanted = await self._session(request), await body_of(request, _NewToken)
        project = await self._known(request)
        if project.status is not ProjectStatus.ACTIVE:
            raise InvalidParameterError("The project is suspended: its tokens would be refused.")
        now_s = self._clock.wall() // 1000
        made = (encode_t1 if wanted.format == "t1" else encode_jwt)(
            api_key=project.api_key,
            api_secret=project.api_secret,
            session_id=record.session_id,
            role=wanted.role,
            connection_data=wanted.data,
            created_at_s=now_s,
            expires_at_s=now_s + wanted.lifetime_s,
            nonce=secrets.randbits(32),
        )
        return json_of({"token": made, "expiresAtMs": (now_s + wanted.lifetime_s) * 1000}, 201)

    async def disconnect(self, request: Request) -> Response:
        record = await self._session(request)
        await self._sessions.force_disconnect(record.session_id, request.path_params["connection_id"])
        return Response(status_code=204)

    async def _known(self, request: Request) -> Project:
        found = await self._projects.find(request.path_params["api_key"])
        if found is None:
            raise NotFoundError("There is no such project.")
        return found

    async def _session(self, request: Request) -> SessionRecord:
        return await self._sessions.records.of_project(
            request.path_params["api_key"], request.path_params["session_id"]
        )

    def _project(self, project: Project) -> dict[str, Any]:
        return {
            "apiKey": project.api_key,
            "apiSecret": project.api_secret,
            "name": project.name,
            "status": project.status.value,
            "createdAtMs": project.created_at_ms,
            "acceptKnownKeys": project.accept_known_keys,
            "isConfigured": self._projects.is_configured(project.api_key),
        }


def _session(record: SessionRecord) -> dict[str, Any]:
    return {
        "sessionId": record.session_id,
        "mediaMode": record.media_mode,
        "archiveMode": record.archive_mode,
        "e2ee": record.e2ee,
        "createdAtMs": record.created_at_ms,
    }


def _connection(connection: Connection, streams: Sequence[Stream]) -> dict[str, Any]:
    own = [stream for stream in streams if stream.connection_id == connection.connection_id]
    return {
        "connectionId": connection.connection_id,
        "role": connection.role.value,
        "data": connection.data,
        "state": connection.state.value,
        "createdAtMs": connection.created_at_ms,
        "streams": [
            {
                "streamId": stream.stream_id,
                "name": stream.name,
                "hasAudio": stream.has_audio,
                "hasVideo": stream.has_video,
                "videoType": None if stream.video_type is None else stream.video_type.value,
                "width": stream.video_dimensions.width,
                "height": stream.video_dimensions.height,
            }
            for stream in own
        ],
    }


def _fill(answer: Response, value: object) -> Response:
    """Give an answer that carries a cookie already its body."""
    filled = json_of(value)
    for name, header in answer.raw_headers:
        if name == b"set-cookie":
            filled.raw_headers.append((name, header))
    return filled

"""The account's part of the REST API: projects made, suspended, given another secret, and deleted."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tertulia.adapters.http.answers import json_answer
from tertulia.adapters.http.rest_access import Access, body_of, content_type
from tertulia.domain.project import Project, ProjectStatus
from tertulia.errors import NotFoundError
from tertulia.services.projects import Projects
from tertulia.services.sessions import Sessions
from tertulia.wire.rest_projects import owned_project, owned_project_list, parse_new_project, parse_status

__all__ = ["project_routes"]

ALL = "/v2/project"
ONE = ALL + "/{api_key}"


def project_routes(sessions: Sessions, projects: Projects, access: Access) -> list[Route]:
    """Routes that take an account's token."""
    api = _ProjectApi(sessions, projects, access)
    return [
        Route(ALL, api.create, methods=["POST"]),
        Route(ALL, api.list, methods=["GET"]),
        Route(ONE, api.get, methods=["GET"]),
        Route(ONE, api.set_status, methods=["PUT"]),
        Route(ONE, api.delete, methods=["DELETE"]),
        Route(ONE + "/refreshSecret", api.refresh_secret, methods=["POST"]),
    ]


class _ProjectApi:
    def __init__(self, sessions: Sessions, projects: Projects, access: Access) -> None:
        self._sessions = sessions
        self._projects = projects
        self._access = access

    async def create(self, request: Request) -> Response:
        await self._access.account(request)
        name = parse_new_project(content_type(request), await body_of(request))
        return json_answer(owned_project(await self._projects.create(name)))

    async def list(self, request: Request) -> Response:
        await self._access.account(request)
        return json_answer(owned_project_list(await self._projects.list()))

    async def get(self, request: Request) -> Response:
        return json_answer(owned_project(await self._wanted(request)))

    async def set_status(self, request: Request) -> Response:
        project = await self._wanted(request)
        status = parse_status(content_type(request), await body_of(request))
        return json_answer(owned_project(await self._projects.set_status(project.api_key, status)))

    async def refresh_secret(self, request: Request) -> Response:
        project = await self._wanted(request)
        return json_answer(owned_project(await self._projects.rotate_secret(project.api_key)))

    async def delete(self, request: Request) -> Response:
        project = await self._wanted(request)
        if not self._projects.is_configured(project.api_key):
            # First of all nobody may come in any more; then everybody leaves, while their sessions are still known.
            await self._projects.set_status(project.api_key, ProjectStatus.SUSPENDED)
            await self._sessions.evict(project.api_key)
        await self._projects.delete(project.api_key)
        return Response(status_code=204)

    async def _wanted(self, request: Request) -> Project:
        await self._access.account(request)
        project = await self._projects.find(request.path_params["api_key"])
        if project is None:
            raise NotFoundError("There is no project with this key.")
        return project

"""The REST API's registration of callbacks."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tertulia.adapters.http.answers import json_answer
from tertulia.adapters.http.rest_access import PROJECT, Access, body_of, content_type
from tertulia.services.callbacks import Callbacks
from tertulia.wire.rest_callbacks import callback_details, callback_list, parse_callback

__all__ = ["callback_routes"]


def callback_routes(callbacks: Callbacks, access: Access) -> list[Route]:
    """Routes below a project's address."""

    async def register(request: Request) -> Response:
        api_key = await access.project(request)
        group, event, url = parse_callback(content_type(request), await body_of(request))
        return json_answer(callback_details(await callbacks.register(api_key, group, event, url)))

    async def list_all(request: Request) -> Response:
        return json_answer(callback_list(await callbacks.list(await access.project(request))))

    async def remove(request: Request) -> Response:
        await callbacks.remove(await access.project(request), request.path_params["id"])
        return Response(status_code=204)

    return [
        Route(PROJECT + "/callback", register, methods=["POST"]),
        Route(PROJECT + "/callback", list_all, methods=["GET"]),
        Route(PROJECT + "/callback/{id}", remove, methods=["DELETE"]),
    ]

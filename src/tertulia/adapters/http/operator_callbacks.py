"""The projects page's view of callbacks: where a project's events go, what became of each, and sending one again."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from tertulia.adapters.http.operator_bodies import Handler, body_of, json_of
from tertulia.domain.callbacks import EVENTS, URL_CHARACTERS, Callback, Delivery, DeliveryStatus
from tertulia.errors import InvalidParameterError, NotFoundError
from tertulia.services.callbacks import Callbacks

__all__ = ["DELIVERIES_SHOWN", "callback_handlers"]

DELIVERIES_SHOWN = 50
"""Deliveries on the page at a time. Our own choice."""
_MAX_ID = 2**63 - 1


class _NewCallback(Struct, forbid_unknown_fields=True):
    group: str
    event: str
    url: Annotated[str, Meta(max_length=URL_CHARACTERS)]


def callback_handlers(callbacks: Callbacks) -> list[tuple[str, str, Handler]]:
    """Method, path below a project's, and what answers there."""
    api = _Api(callbacks)
    return [
        ("GET", "/callbacks", api.list_callbacks),
        ("POST", "/callbacks", api.register),
        ("DELETE", "/callbacks/{callback_id}", api.remove),
        ("GET", "/deliveries", api.list_deliveries),
        ("POST", "/deliveries/replay", api.replay_all),
        ("POST", "/deliveries/{delivery_id}/replay", api.replay),
    ]


class _Api:
    def __init__(self, callbacks: Callbacks) -> None:
        self._callbacks = callbacks

    async def list_callbacks(self, request: Request) -> Response:
        registered = await self._callbacks.list(request.path_params["api_key"])
        events = {group.value: list(names) for group, names in EVENTS.items()}
        return json_of({"callbacks": [_callback(one) for one in registered], "events": events})

    async def register(self, request: Request) -> Response:
        wanted = await body_of(request, _NewCallback)
        made = await self._callbacks.register(
            request.path_params["api_key"], wanted.group, wanted.event, wanted.url.strip()
        )
        return json_of(_callback(made), 201)

    async def remove(self, request: Request) -> Response:
        await self._callbacks.remove(request.path_params["api_key"], request.path_params["callback_id"])
        return Response(status_code=204)

    async def list_deliveries(self, request: Request) -> Response:
        asked = request.query_params
        status, before = asked.get("status"), asked.get("before")
        try:
            found = await self._callbacks.deliveries(
                request.path_params["api_key"],
                status=DeliveryStatus(status) if status else None,
                before=_number(before) if before else None,
                limit=DELIVERIES_SHOWN,
            )
        except ValueError as error:
            raise InvalidParameterError("There is no such kind of delivery.") from error
        return json_of([_delivery(one) for one in found])

    async def replay(self, request: Request) -> Response:
        try:
            delivery_id = _number(request.path_params["delivery_id"])
        except ValueError as error:
            raise NotFoundError("There is no such delivery.") from error
        return json_of(_delivery(await self._callbacks.replay(request.path_params["api_key"], delivery_id)))

    async def replay_all(self, request: Request) -> Response:
        return json_of({"replayed": await self._callbacks.replay_all(request.path_params["api_key"])})


def _number(text: str) -> int:
    """A delivery's id. Raises ValueError, also for what no store can hold."""
    if not (text.isascii() and text.isdigit()) or len(text) > 19 or int(text) > _MAX_ID:
        raise ValueError("no number of a delivery")
    return int(text)


def _callback(one: Callback) -> dict[str, Any]:
    return {
        "id": one.callback_id,
        "group": one.group.value,
        "event": one.event,
        "url": one.url,
        "secret": one.secret,
        "createdAtMs": one.created_at_ms,
    }


def _delivery(one: Delivery) -> dict[str, Any]:
    return {
        "id": one.delivery_id,
        "name": one.name,
        "url": one.url,
        "sessionId": one.session_id,
        "status": one.status.value,
        "createdAtMs": one.created_at_ms,
        "attempts": one.attempts,
        "lastStatus": one.last_status,
        "lastError": one.last_error,
    }

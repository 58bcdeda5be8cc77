"""`tertulia callback`: where a project's events are sent, what became of each, and sending one again."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

from cyclopts import App, Parameter

from tertulia.cli.store import Config, Data, Json, Yes, open_server
from tertulia.cli.tables import Row, print_one, print_rows, time_of
from tertulia.clock import SystemClock
from tertulia.config import load
from tertulia.domain.addresses import AddressRules
from tertulia.domain.callbacks import Callback, Delivery, DeliveryStatus
from tertulia.errors import InvalidParameterError
from tertulia.ids import SystemIds
from tertulia.services.callbacks import DELIVERIES_PER_PAGE, Callbacks

callback = App(name="callback", help="Callbacks: where a project's events are sent, and what became of each.")

Key = Annotated[str, Parameter(help="The project's key.")]
_T = TypeVar("_T")


@callback.command
def create(
    api_key: Key,
    group: Annotated[str, Parameter(help="session, connection, stream, archive, broadcast, render, captions or sip.")],
    event: Annotated[str, Parameter(help="created or destroyed for the first three, status for the others.")],
    url: Annotated[str, Parameter(help="Where to, http or https.")],
    *,
    config: Config = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Have one kind of event of a project sent to an address."""
    made = _run(api_key, config, data, lambda callbacks: callbacks.register(api_key, group, event, url))
    print_one(_row(made), json=json)


@callback.command(name="list")
def list_all(api_key: Key, *, config: Config = None, data: Data = None, json: Json = False) -> None:
    """List a project's callbacks with the secrets that sign them."""
    found = _run(api_key, config, data, lambda callbacks: callbacks.list(api_key))
    print_rows([_row(one) for one in found], json=json, none="No event is sent anywhere.")


@callback.command
def delete(
    api_key: Key,
    callback_id: Annotated[str, Parameter(help="The callback's id.")],
    *,
    config: Config = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Send such events there no more; what is on its way is dropped."""
    _run(api_key, config, data, lambda callbacks: callbacks.remove(api_key, callback_id))
    print_one({"id": callback_id, "state": "deleted"}, json=json)


@callback.command
def deliveries(
    api_key: Key,
    *,
    status: Annotated[DeliveryStatus | None, Parameter(help="Only those that stand so.")] = None,
    session_id: Annotated[str | None, Parameter(help="Only those of this session.")] = None,
    before: Annotated[int | None, Parameter(help="Only those with a smaller id.")] = None,
    count: Annotated[int, Parameter(help="How many at most.")] = 50,
    config: Config = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """List what was sent for a project, and what is on its way, the newest first."""
    if not 1 <= count <= DELIVERIES_PER_PAGE:
        raise InvalidParameterError(f"The count is between 1 and {DELIVERIES_PER_PAGE}.")
    found = _run(
        api_key,
        config,
        data,
        lambda callbacks: callbacks.deliveries(
            api_key, status=status, session_id=session_id, before=before, limit=count
        ),
    )
    print_rows([_delivery(one) for one in found], json=json, none="There are none.")


@callback.command
def replay(
    api_key: Key,
    delivery_id: Annotated[int | None, Parameter(help="The delivery's id; without it all that failed.")] = None,
    *,
    yes: Yes = False,
    config: Config = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Send a delivery again, or all that were set aside or given up. A running server does it within seconds."""
    if delivery_id is not None:
        again = _run(api_key, config, data, lambda callbacks: callbacks.replay(api_key, delivery_id))
        print_one(_delivery(again), json=json)
        return
    if not yes:
        raise InvalidParameterError("Everything that failed will be sent again; say --yes, or which one.")
    count = _run(api_key, config, data, lambda callbacks: callbacks.replay_all(api_key))
    print_one({"replayed": count}, json=json)


def _run(api_key: str, config: Path | None, data: Path | None, work: Callable[[Callbacks], Awaitable[_T]]) -> _T:
    async def run() -> _T:
        networks = load(config, flags={"data_folder": data}).callback_networks
        rules = AddressRules(tuple(ipaddress.ip_network(text) for text in networks))
        async with open_server(config, data) as server:
            await server.project(api_key)
            return await work(Callbacks(server.store.callbacks, SystemIds(), SystemClock(), rules))

    return asyncio.run(run())


def _row(one: Callback) -> Row:
    return {
        "id": one.callback_id,
        "group": one.group.value,
        "event": one.event,
        "url": one.url,
        "secret": one.secret,
        "created_at": time_of(one.created_at_ms),
    }


def _delivery(one: Delivery) -> Row:
    return {
        "id": one.delivery_id,
        "event": one.name,
        "status": one.status.value,
        "attempts": one.attempts,
        "last_status": one.last_status,
        "last_error": one.last_error,
        "url": one.url,
        "session_id": one.session_id,
        "created_at": time_of(one.created_at_ms),
    }

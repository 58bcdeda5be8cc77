"""The composition root of control: makes the parts, joins them, runs them. No rule is decided here.

The supervisor starts it as `python -m tertulia.app SETTINGS --ready FILE --http-socket NUMBER …`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import sys
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import uvloop
from starlette.routing import WebSocketRoute

from tertulia.adapters.gate import Gate
from tertulia.adapters.http.announcement import facts_of, text_of
from tertulia.adapters.http.application import make_application
from tertulia.adapters.http.operations import Operations
from tertulia.adapters.http.playground import open_playground
from tertulia.adapters.http.server import serve
from tertulia.adapters.readings import readings_of, transports_of
from tertulia.adapters.router import RouterLink
from tertulia.adapters.storage import SqlStore
from tertulia.adapters.websocket import SignallingCodec, SignallingEndpoint, SignallingLimits
from tertulia.clock import SystemClock
from tertulia.config import LOOPBACK, Settings, restore
from tertulia.domain.limits import SessionLimits
from tertulia.domain.project import Project
from tertulia.errors import TertuliaError
from tertulia.ids import ApiKey, SystemIds
from tertulia.observability.logging import configure
from tertulia.observability.metrics import Metrics
from tertulia.services.projects import Projects
from tertulia.services.sessions import Sessions, SessionSettings
from tertulia.supervisor.handover import offer
from tertulia.supervisor.leftovers import LOCK
from tertulia.supervisor.orphan import GRACE_S, end_when_orphaned, is_held
from tertulia.supervisor.programs import find_docs, find_web
from tertulia.wire.codes import SIGNALLING_PATH
from tertulia.wire.tokens import verify_client_token

READY_POLL_S = 0.01


async def run(settings: Settings, listeners: list[socket.socket], ready_file: Path) -> None:
    """Serve on `listeners` until a stop signal; `ready_file` appears when clients can be served."""
    async with AsyncExitStack() as open_parts:
        open_parts.enter_context(offer(asyncio.get_running_loop(), settings.run_folder, listeners))
        clock, ids = SystemClock(), SystemIds()
        metrics = Metrics()
        store = await SqlStore.open(settings.database_url, metrics)
        open_parts.push_async_callback(store.close)
        router = RouterLink(settings.router_link, clock, metrics)
        projects = Projects(store, ids)
        for given in settings.projects:
            await store.add_project(Project(ApiKey(given.api_key), given.api_secret, given.name))
        times = settings.sessions
        sessions = Sessions(
            store=store,
            router=router,
            codec=SignallingCodec(metrics),
            clock=clock,
            ids=ids,
            projects=projects,
            verify_token=verify_client_token,
            settings=SessionSettings(
                limits=SessionLimits(
                    reconnect_window_s=times.reconnect_window_s, reconnect_grace_s=times.reconnect_grace_s
                ),
                heartbeat_s=times.heartbeat_s,
            ),
        )
        await sessions.start()
        await router.start(sessions)
        open_parts.push_async_callback(router.close)
        playground = None
        announcement: dict[str, Any] = {"facts": {}, "text": ""}
        if settings.development:
            playground = await open_playground(projects, sessions, clock, settings.playground_file)
            facts = facts_of(playground, _address(settings, listeners))
            text = text_of(facts, with_picture=settings.http.certificate is not None)
            announcement = {"facts": facts, "text": text}
        limits = SignallingLimits(authentication_s=times.authentication_s, heartbeat_s=times.heartbeat_s)
        gate = Gate(settings.http.pending, settings.http.pending_per_address)
        metrics.read_from(readings_of(sessions, router, gate, settings.run_folder))
        endpoint = SignallingEndpoint(sessions, clock, ids, limits, gate=gate, metrics=metrics)

        async def router_is_up() -> bool:
            return router.hello is not None

        async def takes_clients() -> bool:
            return not sessions.is_closing

        application = make_application(
            sessions=sessions,
            projects=projects,
            clock=clock,
            web=find_web(),
            docs=find_docs(),
            checks={"router": router_is_up, "store": store.is_available, "open": takes_clients},
            operations=Operations(metrics, partial(transports_of, sessions, router), settings.metrics.token),
            playground=playground,
            more=[WebSocketRoute(SIGNALLING_PATH, endpoint)],
        )

        async def say_ready() -> None:
            while router.hello is None:  # noqa: ASYNC110 - once, at the start; the link has no event for it
                await asyncio.sleep(READY_POLL_S)
            draft = ready_file.with_suffix(".new")
            draft.write_text(json.dumps(announcement), encoding="utf-8")
            draft.replace(ready_file)

        await serve(application, settings.http, listeners, gate=gate, started=say_ready, stopping=sessions.close)


def _address(settings: Settings, listeners: list[socket.socket]) -> str:
    """What a user of this machine types to reach the server."""
    if settings.http.public_url is not None:
        return settings.http.public_url.rstrip("/")
    scheme = "http" if settings.http.certificate is None else "https"
    elsewhere = [address for address in settings.http.addresses if address not in LOOPBACK]
    return f"{scheme}://{elsewhere[0] if elsewhere else 'localhost'}:{listeners[0].getsockname()[1]}"


def main() -> int:
    """Run control; what keeps it from starting is one sentence on standard error, for the supervisor to repeat."""
    parser = argparse.ArgumentParser(prog="tertulia.app")
    parser.add_argument("settings", type=Path)
    parser.add_argument("--ready", type=Path, required=True)
    parser.add_argument("--http-socket", type=int, action="append", required=True)
    parser.add_argument("--orphan-grace", type=float, default=GRACE_S)
    given = parser.parse_args()
    settings = restore(given.settings)
    configure(settings.log_level)
    end_when_orphaned(supervised=lambda: is_held(settings.run_folder / LOCK), grace_s=given.orphan_grace)
    listeners = [socket.socket(fileno=number) for number in given.http_socket]
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run(settings, listeners, given.ready))
    except TertuliaError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""The web server that runs the application: uvicorn, told when it serves and asked to let the sessions leave first."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable

import uvicorn
from starlette.types import ASGIApp

from tertulia.adapters.gate import Gate
from tertulia.adapters.http.protocols import guarded
from tertulia.config import HttpSettings
from tertulia.wire.codes import OFFER_MESSAGE_BYTES

__all__ = ["serve"]

# How long a stopping server waits for answers that are under way; the supervisor waits a little longer.
GRACE_S = 3


async def serve(
    application: ASGIApp,
    settings: HttpSettings,
    listeners: list[socket.socket],
    *,
    gate: Gate,
    started: Callable[[], Awaitable[None]],
    stopping: Callable[[], Awaitable[None]],
) -> None:
    """Serve on `listeners` until SIGTERM or SIGINT.

    `started` is awaited once clients are served, `stopping` before their sockets are cut; connections wait at `gate`
    until their first request is whole.
    """
    http, websocket = guarded(gate, settings.request_s)
    # uvicorn stops at these, and repeats them when it has stopped: by then there is nothing left to end.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    config = uvicorn.Config(
        application,
        loop="none",
        http=http,
        ws=websocket,
        ws_max_size=OFFER_MESSAGE_BYTES,
        # The signalling protocol has its own heartbeat, and compressing small messages costs more than it saves.
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        ssl_certfile=settings.certificate,
        ssl_keyfile=settings.private_key,
        timeout_graceful_shutdown=GRACE_S,
    )
    await _Server(config, started, stopping).serve(sockets=listeners)


class _Server(uvicorn.Server):
    def __init__(
        self, config: uvicorn.Config, started: Callable[[], Awaitable[None]], stopping: Callable[[], Awaitable[None]]
    ) -> None:
        super().__init__(config)
        self._when_started = started
        self._when_stopping = stopping
        self._starting: asyncio.Future[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._starting = asyncio.ensure_future(self._when_started())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._starting is not None:
            self._starting.cancel()
        await self._when_stopping()
        await super().shutdown(sockets)

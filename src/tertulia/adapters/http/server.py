"""The web server that runs the application: uvicorn, told when it serves and asked to let the sessions leave first."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog
import uvicorn
from starlette.types import ASGIApp

from tertulia.adapters.gate import Gate
from tertulia.adapters.http.certificates import Certificate
from tertulia.adapters.http.protocols import guarded
from tertulia.clock import Clock
from tertulia.config import HttpSettings
from tertulia.wire.codes import OFFER_MESSAGE_BYTES

__all__ = ["serve"]

_log = structlog.get_logger(__name__)


async def serve(
    application: ASGIApp,
    settings: HttpSettings,
    listeners: list[socket.socket],
    *,
    gate: Gate,
    clock: Clock,
    started: Callable[[], Awaitable[None]],
    stopping: Callable[[], Awaitable[None]],
) -> None:
    """Serve on `listeners` until SIGTERM or SIGINT; SIGHUP reads the certificate again.

    `started` is awaited once clients are served, `stopping` before their sockets are cut: both have until
    `settings.drain_s` after the signal, then what is left is cut. Connections wait at `gate` until their first request
    is whole.
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
        # Whoever may say for whom he speaks is named; without a name nobody is, not even this machine.
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        ssl_certfile=settings.certificate,
        ssl_keyfile=settings.private_key,
        timeout_graceful_shutdown=max(1, round(settings.drain_s / 2)),
    )
    config.load()
    certificate = _certificate(config, settings, clock)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, certificate.reload if certificate else _nothing)
    try:
        await _Server(config, started, _within(stopping, settings.drain_s / 2)).serve(sockets=listeners)
    finally:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)
        if certificate is not None:
            certificate.close()


def _certificate(config: uvicorn.Config, settings: HttpSettings, clock: Clock) -> Certificate | None:
    if config.ssl is None or settings.certificate is None or settings.private_key is None:
        return None
    certificate = Certificate(config.ssl, Path(settings.certificate), Path(settings.private_key), clock)
    certificate.watch()
    return certificate


def _within(stopping: Callable[[], Awaitable[None]], deadline_s: float) -> Callable[[], Awaitable[None]]:
    """The same, cut short: a store that does not answer must not keep the server from ending."""

    async def bounded() -> None:
        try:
            async with asyncio.timeout(deadline_s):
                await stopping()
        except TimeoutError:
            _log.warning("some clients were not told in time that the server stops", deadline_s=deadline_s)

    return bounded


def _nothing() -> None:
    """A server without a certificate of its own has nothing to read again."""


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

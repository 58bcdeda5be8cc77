"""Tertulia inside another application: control as an ASGI program that Starlette or FastAPI mounts.

```python run=mounted
from starlette.applications import Starlette
from starlette.routing import Mount

import tertulia.asgi
from tertulia.config import load

video = tertulia.asgi.app(load())
application = Starlette(routes=[Mount("/video", video)], lifespan=video.lifespan)
```

A mounted program is not started by its host: the host's lifespan must be `video.lifespan`, or its own must contain
`async with video.running():`. Run one worker process: a data folder belongs to one control.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, Literal

from starlette.types import ASGIApp, Receive, Scope, Send

from tertulia.adapters.http.answers import json_answer
from tertulia.adapters.router.process import keep_router
from tertulia.clock import SystemClock
from tertulia.config import Settings
from tertulia.errors import ConnectFailedError
from tertulia.observability.logging import join_host
from tertulia.preparation import prepare, router_command
from tertulia.services.hooks import (
    ConnectionAttempt,
    Hooks,
    Refused,
    SessionEvent,
    SignalAttempt,
    StreamAttempt,
)
from tertulia.supervisor.leftovers import find_leftovers, forget, remember, take_lock
from tertulia.supervisor.programs import find_router
from tertulia.wire.rest import error_body
from tertulia.wiring import open_control

__all__ = [
    "App",
    "ConnectionAttempt",
    "Hooks",
    "Refused",
    "SessionEvent",
    "SignalAttempt",
    "StreamAttempt",
    "app",
]

RouterMode = Literal["supervised", "external"]


class App:
    """Control as an ASGI program. Make it with `app`; start it with `lifespan` or `running`.

    It may also be served by itself: then it starts with the server's lifespan.
    """

    def __init__(self, settings: Settings, hooks: Hooks | None, router: RouterMode) -> None:
        self._settings = settings
        self._hooks = hooks
        self._router = router
        self._inner: ASGIApp | None = None
        self._is_open = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket, or the lifespan of a server that runs nothing else."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif self._inner is not None:
            await self._inner(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1012})
        else:
            error = ConnectFailedError("Tertulia does not run: its lifespan is not part of the application's.")
            await json_answer(error_body(error), 503)(scope, receive, send)

    @asynccontextmanager
    async def lifespan(self, _host: Any) -> AsyncIterator[None]:
        """The `lifespan` argument of Starlette and FastAPI.

        Args:
            _host: The application that it is the lifespan of.

        Raises:
            CannotStartError: If another server uses the data folder, or a program is missing.
            TertuliaError: If the store cannot be opened.
        """
        async with self.running():
            yield

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run meanwhile, for an application with a lifespan of its own.

        At the end every client is told to come back, and every seat stays in the store.

        Raises:
            RuntimeError: If it runs already.
            CannotStartError: If another server uses the data folder, or a program is missing.
            TertuliaError: If the store cannot be opened.
        """
        if self._is_open:
            raise RuntimeError("This Tertulia runs already.")
        self._is_open = True
        join_host()
        try:
            async with AsyncExitStack() as parts:
                await asyncio.to_thread(prepare, self._settings, log_to_files=False)
                # Waits a moment for a predecessor that is about to let go.
                parts.enter_context(await asyncio.to_thread(take_lock, self._settings.run_folder))
                if self._router == "supervised":
                    await self._start_router(parts)
                control = await parts.enter_async_context(open_control(self._settings, self._hooks))
                self._inner = control.application
                parts.callback(self._close)
                yield
        finally:
            self._is_open = False

    async def _start_router(self, parts: AsyncExitStack) -> None:
        folder = self._settings.run_folder
        router = find_router(self._settings.programs_folder)
        command = (*router_command(router, self._settings), "--supervisor-pid", str(os.getpid()))
        for leftover in find_leftovers(folder).values():
            await asyncio.to_thread(leftover.end)
        parts.callback(forget, folder)
        note = partial(remember, folder, "router", fingerprint="")
        await parts.enter_async_context(keep_router(command, SystemClock(), note))

    def _close(self) -> None:
        self._inner = None

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()  # lifespan.startup
        try:
            async with self.running():
                await send({"type": "lifespan.startup.complete"})
                await receive()  # lifespan.shutdown
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            raise
        await send({"type": "lifespan.shutdown.complete"})


def app(settings: Settings, hooks: Hooks | None = None, *, router: RouterMode = "supervised") -> App:
    """Make control as an ASGI program.

    Args:
        settings: Of `tertulia.config.load`. `http` is not looked at: the host serves.
        hooks: What the application wants to watch and to refuse.
        router: `supervised` starts the media router and keeps it running; `external` leaves that to somebody else,
            who runs `tertulia-router` with `--link` set to `settings.router_link`.

    Returns:
        The program, to be mounted at any path.
    """
    return App(settings, hooks, router)

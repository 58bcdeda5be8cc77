"""What is done to every request before it is routed."""

from __future__ import annotations

import re

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

_SLASHES = re.compile(r"/{2,}")


class TidyPaths:
    """Collapses repeated slashes and drops a trailing one: SDKs glue addresses together without looking."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or socket."""
        if scope["type"] in ("http", "websocket"):
            path, root = _SLASHES.sub("/", scope["path"]), scope.get("root_path", "")
            tidy = path.rstrip("/")
            # Where we are mounted ourselves, the slash is what is left of the path.
            scope["path"] = f"{root}/" if tidy == root else tidy
        await self._app(scope, receive, send)


class OpenToOrigins:
    """Lets pages of any origin use scripts and API: the token is the credential, no cookie is ever looked at.

    Except for paths that begin with one of `closed`: they hand out tokens, or are for the operator.
    """

    def __init__(self, app: ASGIApp, *, closed: tuple[str, ...]) -> None:
        self._app = app
        self._closed = closed
        self._open = CORSMiddleware(app, allow_origins=["*"], allow_methods=["*"], allow_headers=["*"], max_age=3600)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or socket."""
        closed = scope["type"] == "http" and _own_path(scope).startswith(self._closed)
        await (self._app if closed else self._open)(scope, receive, send)


def _own_path(scope: Scope) -> str:
    """The path below the one that an application has mounted us at."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))

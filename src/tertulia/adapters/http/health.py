"""Whether this server is alive and whether it can take calls, for those who watch it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tertulia.adapters.http.answers import json_answer

__all__ = ["health_routes"]


def health_routes(checks: dict[str, Callable[[], bool]]) -> list[Route]:
    """`/health/live` answers while the process does; `/health/ready` answers 503 while any of `checks` says no."""

    async def live(_request: Request) -> Response:
        return json_answer(b'{"status":"live"}')

    async def ready(_request: Request) -> Response:
        results = {name: check() for name, check in checks.items()}
        is_ready = all(results.values())
        body = {"status": "ready" if is_ready else "unavailable", "checks": results}
        return json_answer(msgspec.json.encode(body), 200 if is_ready else 503)

    return [Route("/health/live", live), Route("/health/ready", ready)]

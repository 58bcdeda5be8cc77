"""What pages measure their way to the server with: bytes to fetch, and a place that takes bytes."""

from __future__ import annotations

import secrets

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tertulia.adapters.http.answers import read_body
from tertulia.adapters.websocket.flood import TokenBucket
from tertulia.clock import Clock
from tertulia.errors import InvalidParameterError, RateLimitError

__all__ = ["PROBE_PATH", "probe_routes"]

PROBE_PATH = "/client/probe"
PROBE_BYTES = 65_536
"""Enough to tell a slow line from a fast one in a second or two; no proxy can make random bytes fewer."""
PROBES_PER_SECOND = 40.0
PROBES_AT_ONCE = 200.0
"""What all pages together may ask for, four requests each, for anybody can. Our own choice: about 20 Mbit/s at most."""


def probe_routes(clock: Clock) -> list[Route]:
    """`GET /client/probe` gives 64 KiB of noise; `POST` takes as much, throws it away and answers 204."""
    noise = secrets.token_bytes(PROBE_BYTES)
    bucket = TokenBucket(PROBES_PER_SECOND, PROBES_AT_ONCE, clock.monotonic())

    async def probe(request: Request) -> Response:
        if not bucket.take(clock.monotonic()):
            raise RateLimitError("Too many pages measure their way to the server; try again.")
        if request.method == "POST":
            await read_body(request, _too_large)
            return Response(status_code=204)
        body = b"" if request.method == "HEAD" else noise
        return Response(body, media_type="application/octet-stream", headers={"Cache-Control": "no-store"})

    return [Route(PROBE_PATH, probe, methods=["GET", "POST"])]


def _too_large() -> InvalidParameterError:
    return InvalidParameterError(f"A probe has at most {PROBE_BYTES} bytes.")

"""Whether this server is alive and whether it can take calls, for those who watch it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tertulia.adapters.http.answers import json_answer
from tertulia.clock import Clock, MonotonicTime

__all__ = ["Check", "health_routes"]

Check = Callable[[], Awaitable[bool]]
CHECK_S = 2.0
"""What has not answered by then is as good as away: whoever asks is about to send clients here."""


def health_routes(checks: dict[str, Check], clock: Clock) -> list[Route]:
    """`/health/live` answers while the process does; `/health/ready` answers 503 while any of `checks` says no."""

    async def live(_request: Request) -> Response:
        return json_answer(b'{"status":"live"}')

    async def ready(_request: Request) -> Response:
        answers = await asyncio.gather(*(_in_time(check(), clock) for check in checks.values()))
        results = dict(zip(checks, answers, strict=True))
        is_ready = all(results.values())
        body = {"status": "ready" if is_ready else "unavailable", "checks": results}
        return json_answer(msgspec.json.encode(body), 200 if is_ready else 503)

    return [Route("/health/live", live), Route("/health/ready", ready)]


def _give_up(asked: asyncio.Future[bool]) -> None:
    asked.cancel()


async def _in_time(check: Awaitable[bool], clock: Clock) -> bool:
    asked = asyncio.ensure_future(check)
    timer = clock.call_at(MonotonicTime(clock.monotonic() + CHECK_S), lambda: _give_up(asked))
    try:
        return await asked
    except asyncio.CancelledError:
        current = asyncio.current_task()
        if current is not None and current.cancelling():
            raise
        return False
    finally:
        timer.cancel()

"""Answers that several routes give: bodies with exact content types, and errors."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tertulia.errors import InternalError, InvalidParameterError, NotFoundError, TertuliaError
from tertulia.wire.rest import error_body

__all__ = ["MAX_BODY_BYTES", "json_answer", "on_error", "on_http_exception", "on_tertulia_error", "read_body"]

MAX_BODY_BYTES = 65_536

_log = structlog.get_logger(__name__)


def json_answer(body: bytes, status: int = 200) -> Response:
    """An answer whose content type is exactly `application/json`: some SDKs compare it as a text."""
    return Response(body, status, media_type="application/json")


def on_tertulia_error(_request: Request, error: Exception) -> Response:
    """The answer to a request that was refused."""
    assert isinstance(error, TertuliaError), "registered for this type alone"
    return json_answer(error_body(error), error.kind.http or 500)


def on_http_exception(request: Request, error: Exception) -> Response:
    """Unknown routes and methods, in the words of the REST API."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    refusal = NotFoundError(f"There is nothing at {request.url.path}.") if status == 404 else InvalidParameterError()
    if status == 405:
        refusal = InvalidParameterError(f"{request.method} is not possible here.")
    return json_answer(error_body(refusal, status), status)


def on_error(request: Request, error: Exception) -> Response:
    """A defect of ours: logged whole, answered without details."""
    _log.error("request_failed", path=request.url.path, exc_info=error)
    return json_answer(error_body(InternalError()), 500)


async def read_body(request: Request, too_large: Callable[[], TertuliaError]) -> bytes:
    """The request's body; raises what `too_large` makes as soon as it exceeds `MAX_BODY_BYTES`."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise too_large()
    return bytes(body)

"""What operators read: `/metrics` for Prometheus, and `/statistics` with every transport of the media router."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tertulia.adapters.http.answers import json_answer
from tertulia.errors import AuthenticationError
from tertulia.observability.metrics import CONTENT_TYPE, Metrics

__all__ = ["OPERATION_PATHS", "Operations", "operation_routes"]

OPERATION_PATHS = ("/metrics", "/statistics")
_PROXY_HEADERS = ("forwarded", "via", "x-forwarded-for", "x-real-ip")


@dataclass(frozen=True, slots=True)
class Operations:
    """What is shown, and to whom.

    Attributes:
        metrics: The numbers.
        transports: What the router has counted for each transport, with the seat that it belongs to.
        token: Who knows it may read from anywhere; None lets programs of this machine read, and nobody else.
    """

    metrics: Metrics
    transports: Callable[[], Sequence[Mapping[str, object]]] = tuple
    token: str | None = None


def operation_routes(operations: Operations) -> list[Route]:
    """`/metrics` and `/statistics`; 403 for whoever may not read them."""

    async def metrics(request: Request) -> Response:
        _authenticate(request, operations.token)
        return Response(operations.metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    async def statistics(request: Request) -> Response:
        _authenticate(request, operations.token)
        return json_answer(msgspec.json.encode({"transports": operations.transports()}))

    return [Route("/metrics", metrics), Route("/statistics", statistics)]


def _authenticate(request: Request, token: str | None) -> None:
    """Let the operator in. Raises AuthenticationError."""
    if token is not None:
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
            raise AuthenticationError("The token for metrics is missing or wrong.")
        return
    # Behind a proxy on this machine everybody seems to be here, and a page of somebody else's may give its own name an
    # address of this machine.
    is_proxied = any(name in request.headers for name in _PROXY_HEADERS)
    peer, name = request.client.host if request.client else "", request.url.hostname or ""
    if is_proxied or not _is_loopback(peer) or not (name == "localhost" or _is_loopback(name)):
        raise AuthenticationError("Metrics are for programs of this machine; set metrics.token to read from elsewhere.")


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False

"""Where pages report that something went wrong: a line in the log, whose id the user can tell the operator."""

from __future__ import annotations

import uuid
from typing import Annotated

import msgspec
import structlog
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tertulia.adapters.http.answers import json_answer, read_body
from tertulia.adapters.websocket.flood import TokenBucket
from tertulia.clock import Clock
from tertulia.errors import InvalidParameterError, RateLimitError

__all__ = ["ISSUES_PATH", "issue_routes"]

ISSUES_PATH = "/client/issues"
REPORTS_PER_SECOND = 10.0
REPORTS_AT_ONCE = 50.0
"""What all pages together may report, for anybody can write here. Our own choice."""

_Id = Annotated[str, Meta(max_length=255, pattern="^[A-Za-z0-9_~-]*$")]

_log = structlog.get_logger(__name__)


class IssueReport(msgspec.Struct, frozen=True, rename="camel"):
    """What a page says of itself; nothing of it is free text."""

    session_id: _Id | None = None
    connection_id: _Id | None = None


def issue_routes(clock: Clock) -> list[Route]:
    """`POST /client/issues` takes an `IssueReport` and answers `{"id": …}`."""
    bucket = TokenBucket(REPORTS_PER_SECOND, REPORTS_AT_ONCE, clock.monotonic())

    async def report(request: Request) -> Response:
        if not bucket.take(clock.monotonic()):
            raise RateLimitError("Too many issues are being reported; try again.")
        malformed = InvalidParameterError("The report is malformed.")
        body = await read_body(request, malformed)
        try:
            issue = msgspec.json.decode(body, type=IssueReport)
        except (msgspec.MsgspecError, UnicodeError) as error:
            raise malformed from error
        issue_id = str(uuid.uuid4())
        _log.info("issue reported", issue_id=issue_id, session_id=issue.session_id, connection_id=issue.connection_id)
        return json_answer(msgspec.json.encode({"id": issue_id}))

    return [Route(ISSUES_PATH, report, methods=["POST"])]

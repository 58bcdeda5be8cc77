"""Where pages report that something went wrong: kept for the operator under an id that the user can tell."""

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
from tertulia.services.ports import Issue, IssueBook

__all__ = ["ISSUES_PATH", "issue_routes"]

ISSUES_PATH = "/client/issues"
REPORTS_PER_SECOND = 10.0
REPORTS_AT_ONCE = 50.0
"""What all pages together may report, for anybody can write here. Our own choice."""
DESCRIPTION_CHARACTERS = 1000
STATISTICS_BYTES = 32_768
"""As JSON: about forty streams. Our own choice, as is the length of a description."""

_Id = Annotated[str, Meta(max_length=255, pattern="^[A-Za-z0-9_~-]*$")]

_log = structlog.get_logger(__name__)


class IssueReport(msgspec.Struct, frozen=True, rename="camel"):
    """What a page says of itself: who it is, what the user writes, and the numbers that it has of its streams."""

    session_id: _Id | None = None
    connection_id: _Id | None = None
    description: Annotated[str, Meta(max_length=DESCRIPTION_CHARACTERS)] = ""
    client: Annotated[str, Meta(max_length=255)] = ""
    statistics: msgspec.Raw = msgspec.Raw(b"null")


def issue_routes(clock: Clock, book: IssueBook) -> list[Route]:
    """`POST /client/issues` takes an `IssueReport`, keeps it and answers `{"id": …}`."""
    bucket = TokenBucket(REPORTS_PER_SECOND, REPORTS_AT_ONCE, clock.monotonic())

    async def report(request: Request) -> Response:
        if not bucket.take(clock.monotonic()):
            raise RateLimitError("Too many issues are being reported; try again.")
        issue = _issue(await read_body(request, _malformed), str(uuid.uuid4()), clock)
        await book.add_issue(issue)
        # What the user wrote is for the operator's eyes, not for a log.
        _log.info(
            "issue reported", issue_id=issue.issue_id, session_id=issue.session_id, connection_id=issue.connection_id
        )
        return json_answer(msgspec.json.encode({"id": issue.issue_id}))

    return [Route(ISSUES_PATH, report, methods=["POST"])]


def _issue(body: bytes, issue_id: str, clock: Clock) -> Issue:
    try:
        report = msgspec.json.decode(body, type=IssueReport)
        statistics = bytes(report.statistics)
        if len(statistics) > STATISTICS_BYTES:
            raise _malformed()
        return Issue(
            issue_id=issue_id,
            at_ms=clock.wall(),
            session_id=report.session_id,
            connection_id=report.connection_id,
            client=report.client,
            description=report.description,
            statistics=statistics.decode(),
        )
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise _malformed() from error


def _malformed() -> InvalidParameterError:
    return InvalidParameterError("The report is malformed.")

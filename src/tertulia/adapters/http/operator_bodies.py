"""Bodies of the projects page's requests and answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tertulia.adapters.http.answers import json_answer, read_body
from tertulia.errors import InvalidParameterError

__all__ = ["Handler", "body_of", "json_of"]

Handler = Callable[[Request], Awaitable[Response]]
Body = TypeVar("Body", bound=msgspec.Struct)


async def body_of(request: Request, type_: type[Body]) -> Body:
    """The request's body. Raises InvalidParameterError unless it says that it is JSON, and is such an object."""
    # A form of a foreign page cannot say so without asking the server first (Fetch, 2.2.2: CORS-safelisted types).
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise InvalidParameterError("The body is not JSON.")
    content = await read_body(request, lambda: InvalidParameterError("The request is too long."))
    try:
        return msgspec.json.decode(content, type=type_)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise InvalidParameterError(f"The request is malformed: {error}.") from error


def json_of(value: object, status: int = 200) -> Response:
    """An answer in JSON."""
    return json_answer(msgspec.json.encode(value), status)

"""Where the answer to one request of the client goes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tertulia.client.errors import SessionError, unexpected_answer
from tertulia.errors import MalformedFrameError
from tertulia.wire import signalling as wire


class Answer:
    """One request that waits: `future` gets its result or its error, `now` the result in the very moment it comes."""

    __slots__ = ("_name", "_now", "future")

    def __init__(self, name: str, now: Callable[[wire.Result], None] | None) -> None:
        self._name = name
        self._now = now
        self.future: asyncio.Future[wire.Result] = asyncio.get_running_loop().create_future()

    def settle(self, error: SessionError | None, reply: wire.Reply | None) -> None:
        """Takes the answer. A result that is not what the request is answered with is the server's mistake."""
        result: wire.Result = wire.Empty()
        failure: Exception | None = error
        try:
            if error is None and reply is not None:
                result = wire.decode_result(self._name, reply)
                if self._now is not None:
                    self._now(result)
        except MalformedFrameError as malformed:
            failure = unexpected_answer(f"{malformed} Ask the operator of the server which version it is.")
            failure.__cause__ = malformed
        except Exception as raised:  # noqa: BLE001 - whoever asked gets it, and the socket goes on
            failure = raised
        if self.future.done():
            return
        if failure is None:
            self.future.set_result(result)
        else:
            self.future.set_exception(failure)

"""What becomes of one call: how often it is sent, how long it waits, what it raises. Decides; sends nothing itself."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Generic, TypeVar

import httpx
import msgspec

from tertulia.clock import MonotonicTime
from tertulia.server.calls import Call
from tertulia.server.errors import (
    ApiError,
    ConnectFailedError,
    InvalidParameterError,
    RequestTimeoutError,
    UnavailableError,
    UnexpectedAnswerError,
    error_of,
)

__all__ = ["MAX_ANSWER_BYTES", "Answer", "Collected", "Course", "Policy", "Wait", "check_url"]

T = TypeVar("T")
MAX_ANSWER_BYTES = 16 * 1024 * 1024
"""The largest answer that is read: a page of a thousand archives has less than one. Our own choice."""
# Nothing had been sent when these came up.
_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
# Every number from 0 up to 1 in this many steps.
_STEPS = 1 << 16


@dataclass(frozen=True, slots=True)
class Policy:
    """How patient a client is.

    Attributes:
        timeout_s: How long a call may take in all, with everything that is tried again.
        retries: How often a call that failed is sent again at most.
        first_delay_s: The wait before the first of them; later ones double, and up to a half is cut off by chance.
    """

    timeout_s: float = 10.0
    retries: int = 2
    first_delay_s: float = 0.2


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: bytes


class Collected:
    """An answer's body while it is read."""

    def __init__(self) -> None:
        self.body = bytearray()

    def add(self, chunk: bytes) -> None:
        """Take a further piece. Raises UnexpectedAnswerError if it is one too many."""
        self.body += chunk
        if len(self.body) > MAX_ANSWER_BYTES:
            raise UnexpectedAnswerError(f"The server's answer has more than {MAX_ANSWER_BYTES} bytes.")


@dataclass(frozen=True, slots=True)
class Wait:
    """Send the call again after so many seconds."""

    seconds: float


class Course(Generic[T]):
    """One call under way. Tell it how each sending went; it says to wait and send again, or gives the result."""

    def __init__(self, call: Call[T], policy: Policy, now: MonotonicTime) -> None:
        self._call = call
        self._policy = policy
        self._deadline = MonotonicTime(now + policy.timeout_s)
        self._tries = 0

    def left_s(self, now: MonotonicTime) -> float:
        """How long the present sending may still take; at least a moment, so that it can fail by itself."""
        return max(0.001, self._deadline - now)

    def is_late(self, now: MonotonicTime) -> bool:
        """Whether the call's time is over."""
        return now >= self._deadline

    def answered(self, answer: Answer, now: MonotonicTime) -> T | Wait:
        """An answer came. Raises the ApiError that it stands for, unless the call is to be sent again."""
        if 200 <= answer.status < 300:
            try:
                return self._call.read(answer.body)
            except (msgspec.DecodeError, UnicodeDecodeError) as unreadable:
                raise UnexpectedAnswerError("The server's answer cannot be read.", status=answer.status) from unreadable
        error = error_of(answer.status, answer.body)
        return self._after(error, now, again=self._call.repeatable and isinstance(error, UnavailableError))

    def failed(self, failure: Exception, now: MonotonicTime) -> Wait:
        """No answer came. Raises the ApiError for it, unless the call is to be sent again."""
        unsent = isinstance(failure, _UNSENT)
        error: ApiError
        if isinstance(failure, httpx.UnsupportedProtocol | httpx.InvalidURL):
            error = InvalidParameterError("api_url is not an address.", cure="Begin it with http:// or https://.")
        elif unsent:
            error = ConnectFailedError("The server cannot be reached.")
        elif isinstance(failure, httpx.TimeoutException | TimeoutError):
            error = RequestTimeoutError(f"The server did not answer within {self._policy.timeout_s:g} seconds.")
        elif _is_garbage(failure):
            error = UnexpectedAnswerError("The server's answer cannot be read.")
        else:
            error = RequestTimeoutError("The connection to the server ended before the answer came.")
        again = isinstance(error, UnavailableError) and (unsent or self._call.repeatable)
        return self._after(error, now, again=again, cause=failure)

    def _after(self, error: ApiError, now: MonotonicTime, *, again: bool, cause: Exception | None = None) -> Wait:
        self._tries += 1
        chance = secrets.randbelow(_STEPS) / _STEPS
        delay = self._policy.first_delay_s * 2 ** (self._tries - 1) * (1 - chance / 2)
        if not again or self._tries > self._policy.retries or now + delay >= self._deadline:
            raise error from cause
        return Wait(delay)


def _is_garbage(failure: Exception) -> bool:
    """Whether something answered that speaks no HTTP; an end in the midst of an answer is none."""
    if isinstance(failure, httpx.RemoteProtocolError):
        return not any(word in str(failure) for word in ("disconnected", "closed"))
    return isinstance(failure, httpx.DecodingError | httpx.LocalProtocolError)


def check_url(api_url: str) -> str:
    """The address without a slash at its end. Raises InvalidParameterError unless it is one of HTTP."""
    try:
        url = httpx.URL(api_url)
    except (httpx.InvalidURL, TypeError) as error:
        raise InvalidParameterError("api_url is not an address.") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise InvalidParameterError("api_url is not an address.", cure="Begin it with http:// or https://.")
    return api_url.rstrip("/")

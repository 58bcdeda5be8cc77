"""What `Client` and `AsyncClient` share: who they are and how a request is made."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Concatenate, ParamSpec, TypeVar

from tertulia.clock import SystemClock
from tertulia.server.calls import Call, Credentials
from tertulia.server.course import Course, Policy, check_url
from tertulia.server.errors import InvalidParameterError
from tertulia.server.operations import Operations

__all__ = ["Face"]

P = ParamSpec("P")
T = TypeVar("T")


def _offline(operation: Callable[Concatenate[Operations, P], T]) -> Callable[Concatenate[Face, P], T]:
    """The method for an operation that sends nothing."""

    def perform(self: Face, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return operation(self._operations, *args, **kwargs)

    functools.update_wrapper(perform, operation)
    return perform


class Face:
    """Credentials, address and patience of a client."""

    def __init__(
        self, api_key: str | int, api_secret: str, api_url: str, policy: Policy, app_version: str | None
    ) -> None:
        if not str(api_key).isdecimal() or not api_secret:
            raise InvalidParameterError("API key or API secret is empty or malformed.")
        self._clock = SystemClock()
        self._credentials = Credentials(str(api_key), api_secret, self._clock)
        self._operations = Operations(self._credentials)
        self._policy = policy
        self._agent = app_version or ""
        self._url = check_url(api_url)

    @property
    def api_key(self) -> str:
        """The project's key."""
        return self._credentials.api_key

    generate_token = _offline(Operations.generate_token)

    def append_to_user_agent(self, value: str) -> None:
        """Add a text to the name under which the client is seen by the server.

        Args:
            value: For example the name and version of the application.
        """
        self._agent = f"{self._agent} {value}".strip()

    def _sign_as_account(self) -> None:
        self._credentials = replace(self._credentials, kind="account")

    def _course(self, call: Call[T]) -> Course[T]:
        return Course(call, self._policy, self._clock.monotonic())

    def _request(self, call: Call[T], left_s: float) -> dict[str, Any]:
        """Keyword arguments for httpx; the token is a fresh one each time."""
        body, about = call.body()
        headers = self._credentials.headers(self._agent) | about
        url = self._url + call.target
        return {"method": call.method, "url": url, "content": body, "headers": headers, "timeout": left_s}

"""One call of the REST API as a value, and the headers that sign it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import urlencode

import msgspec

from tertulia import __version__
from tertulia.clock import Clock
from tertulia.server.errors import InvalidParameterError
from tertulia.wire.tokens import encode_rest_token

__all__ = ["Call", "Credentials", "nothing", "reading"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """What is to be sent, and how the answer is read.

    Attributes:
        method: Of HTTP.
        path: Below the API's address, beginning with a slash.
        read: Makes the result of a 2xx answer's body; raises msgspec.DecodeError for a body that cannot be right.
        repeatable: Whether it may be sent again when nobody knows what became of it: sending it twice is as once.
        json: The body as an object, or None for none.
        form: The body as a form, or None for none.
        query: What follows the path; None where nothing was said.
    """

    method: str
    path: str
    read: Callable[[bytes], T]
    repeatable: bool = False
    json: Mapping[str, Any] | None = None
    form: Mapping[str, str] | None = None
    query: Mapping[str, str | int | None] = field(default_factory=dict)

    @property
    def target(self) -> str:
        """Path and query."""
        given = {name: value for name, value in self.query.items() if value is not None}
        return f"{self.path}?{urlencode(given)}" if given else self.path

    def body(self) -> tuple[bytes, dict[str, str]]:
        """The bytes of the body and the headers that describe it."""
        if self.form is not None:
            return urlencode(self.form).encode(), {"Content-Type": "application/x-www-form-urlencoded"}
        if self.json is not None:
            try:
                return msgspec.json.encode(self.json), {"Content-Type": "application/json"}
            except (TypeError, ValueError) as error:
                raise InvalidParameterError("An argument has something in it that JSON does not know.") from error
        return b"", {}


@dataclass(frozen=True, slots=True)
class Credentials:
    """A project's or an account's key and secret, and the time, to sign with."""

    api_key: str
    api_secret: str = field(repr=False)
    clock: Clock = field(repr=False)
    kind: Literal["project", "account"] = "project"

    def headers(self, extra_agent: str) -> dict[str, str]:
        """Fresh headers for one request; `extra_agent` is added to the name of the sender."""
        token = encode_rest_token(
            api_key=self.api_key,
            api_secret=self.api_secret,
            now_s=self.clock.wall() // 1000,
            kind=self.kind,
        )
        agent = f"tertulia/{__version__} {extra_agent}".rstrip()
        return {"X-OPENTOK-AUTH": token, "Accept": "application/json", "User-Agent": agent}


def nothing(_body: bytes) -> None:
    """Reads an answer that has nothing to say."""


def reading(kind: type[T]) -> Callable[[bytes], T]:
    """A reader of answers that are one object."""
    return msgspec.json.Decoder(kind).decode

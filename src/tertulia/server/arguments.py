"""Arguments of calls, checked for callers who check no types: each function raises InvalidParameterError, naming it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import TypeVar
from urllib.parse import quote

from tertulia.ids import is_session_id_shaped
from tertulia.server.errors import InvalidParameterError, InvalidSessionIdError

__all__ = ["member", "part", "session", "text", "texts"]

E = TypeVar("E", bound=StrEnum)


def session(session_id: str) -> str:
    """A session id, of the right shape."""
    if not is_session_id_shaped(text(session_id, "session_id")):
        raise InvalidSessionIdError("The text is not shaped like a session id.")
    return session_id


def text(value: object, name: str) -> str:
    """The argument, for callers who check no types."""
    if not isinstance(value, str):
        raise InvalidParameterError(f"{name} is not a text.")
    return value


def part(given: str, name: str) -> str:
    """One part of a path, whatever is in it."""
    if not re.fullmatch(r"(?!\.+$).+", text(given, name), re.DOTALL):
        raise InvalidParameterError(f"{name} is empty or not an id.")
    return quote(given, safe="")


def member(kind: type[E], value: E | str, name: str) -> E:
    """One of the members of an enumeration, or its value."""
    try:
        return kind(value)
    except ValueError as error:
        names = ", ".join(f"{kind.__name__}.{member.name}" for member in kind)
        raise InvalidParameterError(f"{name} is none of {names}.") from error


def texts(given: Sequence[str], what: str) -> list[str]:
    """A list of texts, which a text by itself is not."""
    if isinstance(given, str):
        raise InvalidParameterError(f"{what} is a text and not a list of texts.")
    return [text(name, f"a part of {what}") for name in given]

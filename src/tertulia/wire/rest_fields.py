"""Fields of the bodies of the REST API, read leniently: the SDKs differ in how they say that something is absent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from tertulia.errors import InvalidParameterError

__all__ = ["choice", "fields_of", "flag", "group", "integer", "needed", "text", "texts"]

_MAX_FIELDS = 64


def fields_of(content_type: str, body: bytes) -> Mapping[str, Any]:
    """The fields of a JSON object or a form; an empty body has none, whatever its content type says."""
    if not body.strip():
        return {}
    is_json = content_type.partition(";")[0].strip().lower() == "application/json" or body.lstrip().startswith(b"{")
    try:
        if not is_json:
            return dict(parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS))
        value = msgspec.json.decode(body)
    except (ValueError, RecursionError) as error:
        raise InvalidParameterError("The body is neither a JSON object nor a form.") from error
    if not isinstance(value, dict):
        raise InvalidParameterError("The body is not a JSON object.")
    return value


def text(fields: Mapping[str, Any], name: str) -> str | None:
    """A text; None where it is absent, null or empty."""
    value = fields.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise InvalidParameterError(f"{name} is not a text.")
    return value


def choice(fields: Mapping[str, Any], name: str, choices: tuple[str, ...]) -> str:
    """One of some words, the first of them where nothing is said."""
    value = text(fields, name) or choices[0]
    if value not in choices:
        raise InvalidParameterError(f"{name} is neither {' nor '.join(choices)}.")
    return value


def flag(fields: Mapping[str, Any], name: str) -> bool:
    """A boolean, or the word for one in any letter case."""
    value = fields.get(name)
    text = str(value).lower()
    if value is None or text in ("", "false"):
        return False
    if text == "true":
        return True
    raise InvalidParameterError(f"{name} is neither true nor false.")


def needed(fields: Mapping[str, Any], name: str, *, longest: int = 65_536, shortest: int = 1) -> str:
    """A text that must be there."""
    value = text(fields, name)
    if value is None:
        raise InvalidParameterError(f"{name} is missing.")
    if not shortest <= len(value) <= longest:
        raise InvalidParameterError(f"{name} has not {shortest} to {longest} characters.")
    return value


def integer(fields: Mapping[str, Any], name: str, lowest: int, highest: int) -> int | None:
    """A whole number within bounds, also written as a text or with a fraction of nothing; None where it is absent."""
    value = fields.get(name)
    if value is None or value == "":
        return None
    try:
        number = float(value) if not isinstance(value, bool) else None
    except (TypeError, ValueError, OverflowError):
        number = None
    if number is None or not lowest <= number <= highest or number != int(number):
        raise InvalidParameterError(f"{name} is not a whole number from {lowest} to {highest}.")
    return int(number)


def texts(fields: Mapping[str, Any], *names: str) -> tuple[str, ...] | None:
    """A list of texts under the first of several names that has one; None where it is absent."""
    value = next((fields[name] for name in names if fields.get(name) is not None), None)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise InvalidParameterError(f"{names[0]} is not a list of texts.")
    return tuple(value)


def group(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object inside the body; empty where it is absent."""
    value = fields.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidParameterError(f"{name} is not an object.")
    return value

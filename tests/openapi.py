"""The description of the REST API in `contract/`, and what an answer must be to be one of those that it promises."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import yaml

FILE = Path(__file__).parents[1] / "contract" / "openapi.yaml"
METHODS = ("get", "put", "post", "delete", "patch")
Json = Mapping[str, Any]


@dataclass(frozen=True)
class Operation:
    """One method of one address.

    Attributes:
        method: In capitals.
        path: With its parameters in braces.
        parameters: Those of the address and of the query, resolved.
        about: The rest of the description.
    """

    method: str
    path: str
    parameters: tuple[Json, ...]
    about: Json

    @property
    def name(self) -> str:
        return str(self.about["operationId"])

    @property
    def body(self) -> Json | None:
        """The schema of the body, resolved; None where none is taken."""
        given = self.about.get("requestBody")
        return None if given is None else resolved(given["content"]["application/json"]["schema"])


@cache
def description() -> Json:
    """The whole description."""
    loaded: Json = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return loaded


def resolved(part: Any) -> Any:
    """A part with every reference in it replaced by what it names."""
    if isinstance(part, list):
        return [resolved(one) for one in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        target: Any = description()
        for name in str(part["$ref"]).removeprefix("#/").split("/"):
            target = target[name]
        return resolved(target)
    return {name: resolved(value) for name, value in part.items()}


@cache
def operations() -> tuple[Operation, ...]:
    """Every operation, in the order of the description."""
    found = []
    for path, item in description()["paths"].items():
        for method in METHODS:
            if method in item:
                about = item[method]
                parameters = resolved([*item.get("parameters", ()), *about.get("parameters", ())])
                found.append(Operation(method.upper(), path, tuple(parameters), about))
    return tuple(found)


@cache
def _addresses() -> tuple[tuple[re.Pattern[str], str, Operation], ...]:
    """Each address of each operation as a pattern; fixed words before parameters, as the server looks at them."""
    known = []
    for operation in operations():
        for path in (operation.path, *operation.about.get("x-also", {})):
            pattern = re.sub(r"\{[a-z]+\}", "[^/]+", path).replace("/v2/project/[", "/v2/(?:project|partner)/[")
            known.append((re.compile(pattern), operation.method, operation))
    return tuple(sorted(known, key=lambda one: one[0].pattern.count("[^/]+")))


def find(method: str, path: str) -> Operation | None:
    """The operation that a request is for; None if it is none of the REST API's."""
    tidy = re.sub("/{2,}", "/", path).rstrip("/")
    return next((one for pattern, verb, one in _addresses() if verb == method and pattern.fullmatch(tidy)), None)


@cache
def _validator(operation: str, status: int, media_type: str) -> Any:
    about = next(one.about for one in operations() if one.name == operation)
    schema = resolved(about["responses"][str(status)])["content"][media_type]["schema"]
    return jsonschema.Draft202012Validator(schema)


def faults(method: str, path: str, status: int, content_type: str | None, body: bytes) -> list[str]:
    """What about an answer is not as promised; nothing for a request that the description does not have."""
    operation = find(method, path)
    if operation is None:
        return []
    where = f"{operation.name} answers {status}"
    promised = operation.about["responses"].get(str(status))
    if promised is None:
        return [f"{where}, which is not promised: {body[:200]!r}"]
    contents = resolved(promised).get("content")
    if contents is None:
        return [f"{where} with a body: {body[:200]!r}"] if body else []
    media_type = content_type if content_type == "text/xml" else (content_type or "").lower()
    if media_type not in contents:
        return [f"{where} with the media type {content_type!r}"]
    value = body.decode() if media_type == "text/xml" else msgspec.json.decode(body)
    errors = _validator(operation.name, status, media_type).iter_errors(value)
    return [f"{where}: {error.json_path}: {error.message}" for error in errors]

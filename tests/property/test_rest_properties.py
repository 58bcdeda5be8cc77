"""Requests of every kind at every address of the REST API, made from its description: none breaks the server.

A failure prints its seed; `TERTULIA_SEED` in the environment plays that one again.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest

from tests import openapi
from tests.openapi import Operation
from tests.unit.adapters.http.conftest import Server
from tests.unit.adapters.http.test_rest import STRANGER, arrive, authentication
from tests.unit.adapters.http.test_rest_projects import ACCOUNT, as_account

REQUESTS = 200
"""Of each operation."""
SEED = int(os.environ.get("TERTULIA_SEED") or secrets.randbits(32))

WORDS = (
    "",
    " ",
    "focus",
    "true",
    "0",
    "-1",
    "x" * 2000,
    "\0",
    "ü",
    "💬",
    "a/b",
    "...",  # two of them would be a step up, which the client takes before it asks
    "%2e",
    "{}",
    "null",
    "wss://a.b/in",
)
NUMBERS = (0, 1, -1, 59, 60, 1000, 1001, 14_400, 100_000, 6_000_000, 2**31, 2**64, 10**400, 0.5, -0.0, 1e308)
CONTENT_TYPES = ("application/json", "Application/Json; charset=utf-8", "application/x-www-form-urlencoded", "text/xml")


class Dice(random.Random):
    """What a request may hold."""

    def once_in(self, times: int) -> bool:
        return self.randrange(times) == 0

    def word(self) -> str:
        if self.once_in(3):
            return "".join(chr(self.choice((self.randrange(32, 127), self.randrange(1, 0xD7FF)))) for _ in range(9))
        return self.choice(WORDS)

    def anything(self, depth: int = 3) -> Any:
        kind = self.randrange(7 if depth else 5)
        if kind == 5:
            return [self.anything(depth - 1) for _ in range(self.randrange(4))]
        if kind == 6:
            return {self.word(): self.anything(depth - 1) for _ in range(self.randrange(4))}
        return (None, self.once_in(2), self.choice(NUMBERS), self.randrange(-(10**6), 10**6), self.word())[kind]

    def fitting(self, schema: Any) -> Any:
        """A value that a schema takes, or nearly: what two fields may say together is not looked at."""
        if "enum" in schema:
            return self.choice(schema["enum"])
        kinds = schema.get("type", "object")
        match kinds if isinstance(kinds, str) else self.choice(kinds):
            case "null":
                return None
            case "boolean":
                return self.once_in(2)
            case "integer":
                low, high = schema.get("minimum", -10), schema.get("maximum", 10**6)
                return self.choice((low, high, self.randint(low, high), low - 1, high + 1))
            case "array":
                items = schema.get("items")
                return [self.fitting(items) if items else self.anything() for _ in range(self.randrange(4))]
            case "object":
                needed = schema.get("required", ())
                return {
                    name: self.spoilt(one)
                    for name, one in schema.get("properties", {}).items()
                    if not self.once_in(20 if name in needed else 2)
                }
            case _:
                return self.text(schema)

    def text(self, schema: Any) -> str:
        known = (
            "rtmp://a.example.net/x",
            "wss://a.example.net/in",
            "https://app.example.org/stage",
            "1p#",
            "true",
            "chat",
        )
        fits = [word for word in known if schema.get("pattern") and re.search(schema["pattern"], word)]
        longest = schema.get("maxLength", 60)
        ways: list[str] = [*fits, *fits, self.word(), "y" * longest, "y" * (longest + 1)]
        return self.choice(ways)

    def spoilt(self, schema: Any) -> Any:
        """What a schema takes, and one time in ten something else."""
        return self.anything() if self.once_in(10) else self.fitting(schema)


class Target:
    """A server in this process with somebody in its session, and the texts that mean something to it."""

    def __init__(self, folder: Path) -> None:
        self.loop = asyncio.Runner()
        self.server = Server(folder)
        self.client: httpx.AsyncClient
        self.texts: dict[str, list[str]] = {}
        self.headers: list[dict[str, str]] = []
        self.victims: list[str] = []

    def open(self, folder: Path) -> None:
        self.loop.run(self._open(folder))

    async def _open(self, folder: Path) -> None:
        server = self.server
        (folder / "web" / "pages").mkdir(parents=True)
        server.rules = type(server.rules)(account=ACCOUNT, partner_auth=True)
        self.client = await server.start(folder / "playground.json")
        own = server.playground.project
        other, victim = await server.projects.create("other"), await server.projects.create("victim")
        theirs = await server.sessions.records.create(
            other.api_key, media_mode="routed", archive_mode="manual", location=None, e2ee=False
        )
        present, _ = await arrive(server)
        self.texts = {
            "key": [own.api_key],
            "victim": [victim.api_key],
            "session": [server.playground.session_id, server.playground.session_id, theirs.session_id, STRANGER],
            "connection": [present],
        }
        self.headers = [
            authentication(server),
            authentication(server),
            as_account(server),
            authentication(server, other),
            {"X-TB-PARTNER-AUTH": f"{own.api_key}:{own.api_secret}"},
            {},
        ]

    def close(self) -> None:
        self.loop.run(self._close())
        self.loop.close()

    async def _close(self) -> None:
        await self.client.aclose()
        await self.server.sessions.close()

    def ask(self, method: str, address: str, content: bytes, headers: dict[str, str]) -> httpx.Response:
        return self.loop.run(self.client.request(method, address, content=content, headers=headers))

    def word(self, dice: Dice, name: str, operation: Operation) -> str:
        """For a parameter of the path: something known, or anything."""
        if name == "key" and operation.about.get("security") and operation.method != "GET":
            name = "victim"  # the others go on with their projects
        known = self.texts.get(name, ["c3a9e0f2-6b7d-4f51-9a0e-2b6c1d4e8f70"])
        return dice.word() if dice.once_in(10) else dice.choice(known)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    folder = tmp_path_factory.mktemp("rest")
    target = Target(folder)
    target.open(folder)
    yield target
    target.close()


@pytest.mark.parametrize("operation", openapi.operations(), ids=lambda operation: operation.name)
def test_whatever_is_asked_is_answered_as_the_description_says(target: Target, operation: Operation) -> None:
    dice = Dice(f"{SEED} {operation.name}")
    statuses: set[int] = set()
    for number in range(REQUESTS):
        method, address, content, headers = request(dice, target, operation)
        told = f"seed {SEED}, request {number}: {method} {address} {headers.get('Content-Type')} {content!r}"
        try:
            answer = target.ask(method, address, content, headers)
        except AssertionError as fault:
            pytest.fail(f"{told}\n{fault}")
        assert answer.status_code < 500, f"{told}\n{answer.text}"
        statuses.add(answer.status_code)
    # Some operations of features that are missing have nothing else to say.
    if operation.body is not None or operation.about["responses"].keys() - {"400", "403", "503"}:
        assert statuses - {403}, f"seed {SEED}: nobody got past the token"


def request(dice: Dice, target: Target, operation: Operation) -> tuple[str, str, bytes, dict[str, str]]:
    path, query = {}, {}
    for one in operation.parameters:
        if one["in"] == "path":
            path[one["name"]] = quote(target.word(dice, one["name"], operation), safe="") or "-"
        elif dice.once_in(2):
            query[one["name"]] = str(dice.spoilt(one["schema"]))
    # At every address where it is, and as SDKs of all times spell it.
    template = dice.choice([operation.path, *operation.about.get("x-also", {})])
    if dice.once_in(5):
        template = template.replace("/v2/project/", "/v2/partner/")
    address = template.format_map(path) + ("?" + urlencode(query) if query else "")
    headers = dict(dice.choice(target.headers))
    if operation.about.get("security") and not dice.once_in(4):
        headers = dict(target.headers[2])
    headers |= {"Content-Type": dice.choice(CONTENT_TYPES), "Accept": dice.choice(["application/json", "*/*"])}
    return operation.method, address, body_for(dice, target, operation), headers


def body_for(dice: Dice, target: Target, operation: Operation) -> bytes:
    schema = operation.body
    if dice.once_in(20):
        return dice.randbytes(dice.randrange(60))
    if schema is None or dice.once_in(10):
        return dice.choice([b"", b"{}", json.dumps(dice.anything()).encode()])
    body = dice.fitting(schema)
    if "sessionId" in body and not dice.once_in(5):
        # About a session that there is, so that more than the first check is met.
        body["sessionId"] = dice.choice(target.texts["session"])
    return urlencode(body).encode() if dice.once_in(5) else json.dumps(body).encode()

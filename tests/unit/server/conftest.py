"""Both clients of the REST API, on a network that the test scripts."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from tertulia.server import AsyncClient, Client

API_KEY, API_SECRET = "40012345", "9f2c4e6a8b0d1f3a5c7e9b1d3f5a7c9e0b2d4f68"
SESSION_ID = "2_MX40MDAxMjM0NX5-MTc2NzIyNTYwMDAwMH5rM0p0OVF3Wng3TG1OMnBSdjhzWWI0VWF-fg"

Reaction = httpx.Response | Exception


class Script:
    """Stands for the network: keeps what was sent, and reacts in the order that the test has set."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.reactions: list[Reaction] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        reaction = self.reactions.pop(0) if self.reactions else httpx.Response(204)
        if isinstance(reaction, Exception):
            raise reaction
        return reaction


class Caller:
    """Calls methods of either client by name."""

    def __init__(self, client: Client | AsyncClient, script: Script) -> None:
        self.client = client
        self.script = script
        # As fast as it goes: how long the waits are, the course says and its test checks.
        client._policy = dataclasses.replace(client._policy, first_delay_s=0)

    async def __call__(self, method: str, *args: Any, **kwargs: Any) -> Any:
        result = getattr(self.client, method)(*args, **kwargs)
        return await result if inspect.isawaitable(result) else result

    def answers(self, *reactions: Reaction) -> None:
        self.script.reactions += reactions

    @property
    def sent(self) -> httpx.Request:
        return self.script.requests[-1]


def waiting(script: Script) -> Client:
    transport = httpx.MockTransport(script)
    return Client(API_KEY, API_SECRET, "http://api.test/", transport=transport, app_version="app/1")


def awaited(script: Script) -> AsyncClient:
    transport = httpx.MockTransport(script)
    return AsyncClient(API_KEY, API_SECRET, "http://api.test/", transport=transport, app_version="app/1")


@pytest.fixture(params=[waiting, awaited], ids=["Client", "AsyncClient"])
async def call(request: pytest.FixtureRequest) -> AsyncIterator[Caller]:
    make: Callable[[Script], Client | AsyncClient] = request.param
    script = Script()
    caller = Caller(make(script), script)
    yield caller
    await caller("close")

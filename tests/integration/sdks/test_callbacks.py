"""Callbacks, which of the official SDKs Node alone registers; what is registered is called."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from queue import Queue
from typing import Any

import pytest

from tertulia import Session
from tests.http_server import HttpServer
from tests.integration.sdks.conftest import Connect
from tests.integration.sdks.sdk import Sdk, SdkError
from tests.servers import TertuliaServer

DEADLINE_S = 30


@pytest.fixture
def node(connect: Connect, server: TertuliaServer) -> Iterator[Sdk]:
    with connect("node", server.api_secret) as running:
        yield running


@pytest.fixture
def receiver() -> Iterator[tuple[str, Queue[dict[str, Any]]]]:
    """An application's endpoint: its address, and the bodies that were posted there."""
    posted: Queue[dict[str, Any]] = Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    with HttpServer(Handler) as application:
        yield f"{application.url}/events", posted


async def test_a_callback_is_registered_called_listed_and_removed(
    node: Sdk, server: TertuliaServer, receiver: tuple[str, Queue[dict[str, Any]]]
) -> None:
    url, posted = receiver
    made = await node("register_callback", group="connection", event="created", url=url)
    assert {"id", "group", "event", "url", "createdAt"} <= made.keys()
    assert (made["group"], made["event"], made["url"]) == ("connection", "created", url)
    assert made["id"] in [one["id"] for one in await node("list_callbacks")]

    session_id = await node("create_session", media="routed")
    async with Session(server.api_key, session_id, server=server.url) as session:
        await session.connect(await node("generate_token", session_id=session_id, data="name=Ida"))
        assert session.connection is not None
        told = await asyncio.to_thread(posted.get, timeout=DEADLINE_S)
        while told["sessionId"] != session_id:  # other tests' sessions are the same project's
            told = await asyncio.to_thread(posted.get, timeout=DEADLINE_S)
        assert told["event"] == "connectionCreated"
        assert told["projectId"] == server.api_key
        assert told["connection"]["id"] == session.connection.connection_id
        assert told["connection"]["data"] == "name=Ida"

    await node("unregister_callback", id=made["id"])
    assert made["id"] not in [one["id"] for one in await node("list_callbacks")]
    with pytest.raises(SdkError, match="NotFoundError"):
        await node("unregister_callback", id=made["id"])


async def test_a_callback_that_says_too_little_is_refused(node: Sdk) -> None:
    with pytest.raises(SdkError, match="RequestError: Unexpected response from OpenTok"):
        await node("register_callback", group="connection", url="https://app.example.org/events")

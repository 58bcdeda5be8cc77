"""Sessions and tokens that the official SDKs make: the sessions exist, and the tokens open them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.sync.client import connect as open_socket

from tests.integration.sdks.conftest import SDKS, Connect
from tests.integration.sdks.sdk import DEADLINE_S, Sdk, SdkError
from tests.servers import TertuliaServer

DAY_S = 86_400


@contextmanager
def joining(server: TertuliaServer, token: str) -> Iterator[dict[str, Any]]:
    """What a client with this token is told first."""
    with open_socket(server.url.replace("http", "ws", 1) + "/signalling", compression=None) as socket:
        socket.send(json.dumps([0, 0, {"type": "join", "token": token}]))
        yield json.loads(socket.recv(DEADLINE_S))[1]


async def test_a_session_is_relayed_unless_it_is_asked_to_be_routed(sdk: Sdk) -> None:
    assert (await sdk("create_session")).startswith("1_")
    assert (await sdk("create_session", media="relayed")).startswith("1_")
    assert (await sdk("create_session", media="routed", location="12.34.56.78")).startswith("2_")


async def test_a_session_can_be_asked_for_with_every_option(sdk: Sdk) -> None:
    archived = {"media": "routed", "archive": "always"}
    # This release of the Java SDK knows no more.
    if sdk.language != "java":
        archived |= {"archive_name": "nightly ~ 1", "archive_resolution": "1280x720"}
        assert (await sdk("create_session", media="routed", e2ee=True)).startswith("2_")
        assert (await sdk("create_session", media="routed", e2ee=False)).startswith("2_")
    assert (await sdk("create_session", **archived)).startswith("2_")


async def test_a_session_that_is_always_archived_is_routed(sdk: Sdk) -> None:
    """Python and Node refuse it themselves; Java asks."""
    with pytest.raises(SdkError, match="response code: 400" if sdk.language == "java" else "must also have the routed"):
        await sdk("create_session", media="relayed", archive="always")


async def test_its_tokens_of_every_role_and_format_open_the_session(server: TertuliaServer, sdk: Sdk) -> None:
    session_id = await sdk("create_session")
    data = "name=Ida & co; 100 % größer"
    roles, formats = ["subscriber", "publisher", "moderator"], [dict[str, bool]()]
    if sdk.language != "java":  # this release of it knows three roles, and makes T1 tokens
        roles, formats = [*roles, "publisheronly"], [{}, {"t1": True}]
    for role in roles:
        for asked_for in formats:
            token = await sdk(
                "generate_token",
                session_id=session_id,
                role=role,
                data=data,
                classes=["focus", "wide"],
                expires_at_s=int(time.time()) + 30 * DAY_S - 60,
                **asked_for,
            )
            assert token.startswith("T1==") is (sdk.language == "java" or "t1" in asked_for)
            with joining(server, token) as told:
                assert told["type"] == "joined", told
                assert told["role"] == role
                assert told["connection"]["data"] == data


async def test_a_token_with_nothing_but_a_session_makes_a_publisher(server: TertuliaServer, sdk: Sdk) -> None:
    token = await sdk("generate_token", session_id=await sdk("create_session", media="routed"))

    with joining(server, token) as told:
        assert told["role"] == "publisher"
        assert told["connection"]["data"] == ""


async def test_a_wrong_secret_opens_nothing(connect: Connect, server: TertuliaServer) -> None:
    said = {}
    for language in SDKS:
        with connect(language, "0" * 40) as stranger:
            with pytest.raises(SdkError) as caught:
                await stranger("create_session")
            said[language] = str(caught.value)
            with joining(server, await stranger("generate_token", session_id=server.create_session())) as told:
                assert told["type"] == "refused"
    # What they make of a 403 here; only Node's documents promise a kind of its own, which it wraps.
    assert said == {
        "python": "RequestError: Failed to create session: Failed to create session, invalid credentials",
        "node": "Error: Failed to createSession. Error: Invalid API key or secret",
        "java": "RequestException: Could not create an OpenTok Session. The server response was invalid. "
        "response code: 403",
    }

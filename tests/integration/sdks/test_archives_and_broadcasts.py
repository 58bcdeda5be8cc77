"""Archives and broadcasts as the official SDKs see them while the server makes none: empty lists, and refusals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tertulia import Session
from tests.integration.sdks.sdk import Sdk, SdkError
from tests.servers import TertuliaServer

NOBODY = "c3a9e0f2-6b7d-4f51-9a0e-2b6c1d4e8f70"
OUTPUTS = {
    "hls": {},
    "rtmp": [{"id": "yt", "serverUrl": "rtmps://ingest.example.net/live", "streamName": "ab12-cd34"}],
}
Words = Mapping[str, str]
"""What each SDK raises: the beginning of its error, class and message."""

NO_ARCHIVE: dict[str, Words] = {
    "stop_archive": {"python": "NotFoundError", "node": "ArchiveError: Archive not found", "java": "RequestException"},
    "get_archive": {"python": "NotFoundError", "node": "NotFoundError: Archive not found", "java": "RequestException"},
    "delete_archive": {
        "python": "NotFoundError",
        "node": "ArchiveError: Archive not found",
        "java": "RequestException",
    },
}
NO_BROADCAST: dict[str, Words] = {
    # Python words a 404 as a defect of the server.
    "stop_broadcast": {"python": "RequestError", "node": "Error: Failed to stop broadcast", "java": "RequestException"},
    "get_broadcast": {"python": "RequestError", "node": "Error: Failed to get broadcast", "java": "RequestException"},
}
# Python has no kind of its own for what is not found here.
NO_LAYOUT: Words = {"python": "RequestError", "node": "NotFoundError: ", "java": "RequestException: "}
NO_STREAMS: dict[str, Words] = {
    "archive": {**NO_LAYOUT, "node": "ArchiveError: Archive or stream not found"},
    "broadcast": NO_LAYOUT,
}
STARTS: dict[str, Words] = {
    "relayed": {
        "python": "ArchiveError: Only routed sessions",
        "node": 'RequestError: Unexpected response from OpenTok: "{"message":"Only routed sessions',
        "java": "RequestException: Could not start an OpenTok Archive. The session is either peer-to-peer",
    },
    "empty": {
        "python": "NotFoundError: Session not found",
        "node": "ArchiveError: Session not found",
        "java": "RequestException: Could not start an OpenTok Archive. The sessionId does not exist",
    },
    "joined": {
        "python": "AuthError",
        "node": "AuthError",
        "java": "RequestException: Could not start an OpenTok Archive. The request was not authorized",
    },
}
BROADCAST_STARTS: dict[str, Words] = {
    # Of a conflict, Python and Java know one reason.
    "relayed": {
        "python": "BroadcastError: The broadcast has already started",
        "node": 'Error: Failed to start broadcast. Error: Unexpected response from OpenTok: "{"message":"Only routed',
        "java": "RequestException: The broadcast has already been started",
    },
    "empty": {
        "python": "RequestError: ('OpenTok server error.', 404)",
        "node": "Error: Failed to start broadcast. Error: Not Found",
        "java": "RequestException: Could not start an OpenTok Broadcast. The server response was invalid",
    },
    "joined": {
        "python": "AuthError",
        "node": "Error: Failed to start broadcast. Error: Invalid API key or secret",
        "java": "RequestException: Could not start an OpenTok Broadcast. The request was not authorized",
    },
}


async def refusal(sdk: Sdk, call: str, /, **arguments: Any) -> str:
    with pytest.raises(SdkError) as caught:
        await sdk(call, **arguments)
    return str(caught.value)


async def test_lists_are_empty(sdk: Sdk) -> None:
    session_id = await sdk("create_session", media="routed")
    for page in ({}, {"session_id": session_id}, {"offset": 5, "count": 1000}, {"offset": 0, "count": 7}):
        assert await sdk("list_archives", **page) == []
    if "list_broadcasts" in sdk.offers:
        assert await sdk("list_broadcasts", session_id=session_id) == []


async def test_one_that_is_not_there_is_not_found(sdk: Sdk) -> None:
    for name, words in {**NO_ARCHIVE, **NO_BROADCAST}.items():
        said = await refusal(sdk, name, id=NOBODY)
        assert said.startswith(words[sdk.language]), f"{name}: {said}"
    for what in ("archive", "broadcast"):
        said = await refusal(sdk, f"set_{what}_layout", id=NOBODY, type="pip")
        assert said.startswith(NO_LAYOUT[sdk.language]), f"{what}: {said}"
        for verb in ("add", "remove"):
            said = await refusal(sdk, f"{verb}_{what}_stream", id=NOBODY, stream_id="s")
            assert said.startswith(NO_STREAMS[what][sdk.language]), f"{verb} {what}: {said}"


async def test_a_start_is_refused_for_its_own_reason_first(sdk: Sdk, server: TertuliaServer) -> None:
    """A relayed session, then one without clients, then one that lacks nothing but the feature."""
    relayed = await sdk("create_session", media="relayed")
    routed = await sdk("create_session", media="routed")
    archive = {"relayed": await refusal(sdk, "start_archive", session_id=relayed, name="n")}
    broadcast = {"relayed": await refusal(sdk, "start_broadcast", session_id=relayed, outputs=OUTPUTS)}
    archive["empty"] = await refusal(sdk, "start_archive", session_id=routed, output_mode="individual")
    broadcast["empty"] = await refusal(sdk, "start_broadcast", session_id=routed, outputs=OUTPUTS)
    async with Session(server.api_key, routed, server=server.url) as session:
        await session.connect(server.token(routed))
        archive["joined"] = await refusal(sdk, "start_archive", session_id=routed, resolution="1280x720")
        broadcast["joined"] = await refusal(sdk, "start_broadcast", session_id=routed, outputs=OUTPUTS)

    for reason, words in STARTS.items():
        assert archive[reason].startswith(words[sdk.language]), archive[reason]
        assert broadcast[reason].startswith(BROADCAST_STARTS[reason][sdk.language]), broadcast[reason]

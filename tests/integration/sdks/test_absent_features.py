"""What the server does not have reaches the official SDKs as a refusal that they raise, never as a surprise.

The refusal is a 403 whose message names the feature. These readers let only the status through: each has words of its
own for a 403.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.integration.sdks.sdk import Sdk, SdkError

SOCKET = "wss://asr.example.net/in"
PAGE = "https://app.example.org/stage"
REFUSED = {
    "python": r"AuthError: ",
    "node": r"\w*Error: (.*: )?Invalid API key or secret",
    "java": r"RequestException: .*([Aa]uthoriz|[Aa]uthenticat|API key|403)",
}
"""How each SDK reports a 403."""


def calls(session_id: str, token: str) -> list[tuple[str, dict[str, Any]]]:
    opened = {"session_id": session_id, "token": token}
    return [
        ("dial", {**opened, "uri": "sip:ida@example.net"}),
        ("start_captions", opened),
        ("stop_captions", {"id": "c3a9e0f2-6b7d-4f51-9a0e-2b6c1d4e8f70"}),
        ("connect_websocket", {**opened, "uri": SOCKET}),
        ("start_render", {**opened, "url": PAGE}),
        ("get_render", {"id": "c3a9e0f2-6b7d-4f51-9a0e-2b6c1d4e8f70"}),
        ("stop_render", {"id": "c3a9e0f2-6b7d-4f51-9a0e-2b6c1d4e8f70"}),
        ("list_renders", {}),
    ]


async def test_features_that_come_later_are_refused(sdk: Sdk) -> None:
    session_id = await sdk("create_session", media="routed")
    token = await sdk("generate_token", session_id=session_id, role="moderator")
    for name, arguments in calls(session_id, token):
        if name in sdk.offers:
            with pytest.raises(SdkError) as caught:
                await sdk(name, **arguments)
            assert re.match(REFUSED[sdk.language], str(caught.value)), f"{name}: {caught.value}"


async def test_tones_find_no_telephone(sdk: Sdk) -> None:
    session_id = await sdk("create_session", media="routed")
    # Python wraps what it has a kind for.
    kinds = {"python": "OpenTokException", "node": "NotFoundError", "java": "RequestException"}
    for to in ({}, {"connection_id": "nobody"}):
        with pytest.raises(SdkError) as caught:
            await sdk("play_dtmf", session_id=session_id, digits="1713p#", **to)
        assert caught.value.kind == kinds[sdk.language], caught.value

"""What the official SDKs do to sessions that have clients in them, and what they are told about these."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from tertulia import Publisher, Session, SessionDisconnectEvent, SignalEvent
from tests.integration.sdks.sdk import DEADLINE_S, Sdk, SdkError
from tests.servers import TertuliaServer
from tests.signs import tone


@dataclass
class Client:
    """Somebody in the session, with what was heard and how it ended."""

    session: Session
    heard: asyncio.Queue[SignalEvent] = field(default_factory=asyncio.Queue)
    ended: asyncio.Queue[SessionDisconnectEvent] = field(default_factory=asyncio.Queue)

    @property
    def id(self) -> str:
        assert self.session.connection is not None
        return self.session.connection.connection_id


@dataclass
class Call:
    """A session of two."""

    session_id: str
    ann: Client
    bob: Client


@pytest.fixture
async def call(server: TertuliaServer, sdk: Sdk) -> AsyncIterator[Call]:
    session_id = await sdk("create_session", media="routed")
    clients = []
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
        for name in ("Ann", "Bob"):
            client = Client(Session(server.api_key, session_id, server=server.url))
            client.session.on("signal", client.heard.put_nowait)
            client.session.on(SessionDisconnectEvent, client.ended.put_nowait)
            token = await sdk("generate_token", session_id=session_id, data=name, classes=["focus"])
            group.create_task(client.session.connect(token))
            clients.append(client)
    ann, bob = clients
    async with ann.session, bob.session:
        yield Call(session_id, ann, bob)


async def test_a_signal_reaches_one_or_everybody(sdk: Sdk, call: Call) -> None:
    await sdk("signal", session_id=call.session_id, connection_id=call.ann.id, type="chat", data="to Ann: größer")
    await sdk("signal", session_id=call.session_id, type="chat", data="to all")

    async with asyncio.timeout(DEADLINE_S):
        heard = [await client.heard.get() for client in (call.ann, call.ann, call.bob)]
    assert [event.data for event in heard] == ["to Ann: größer", "to all", "to all"]
    assert {event.type for event in heard} == {"signal:chat"}
    assert [event.from_ for event in heard] == [None] * 3


async def test_a_signal_without_type_and_data_is_one(sdk: Sdk, call: Call) -> None:
    """Java sends null, the others nothing or what they were given."""
    await sdk("signal", session_id=call.session_id, type="", data="")

    async with asyncio.timeout(DEADLINE_S):
        assert (await call.bob.heard.get()).type == "signal"


async def test_a_signal_that_is_too_long_or_for_nobody_is_refused(sdk: Sdk, call: Call) -> None:
    too_long = {"python": "413", "node": "128 bytes", "java": "maximum"}
    with pytest.raises(SdkError, match=too_long[sdk.language]):
        await sdk("signal", session_id=call.session_id, type="t" * 129, data="hi")
    nobody = {"python": "404", "node": "SignalError: Session or Connection not found", "java": "not connected"}
    with pytest.raises(SdkError, match=nobody[sdk.language]):
        await sdk("signal", session_id=call.session_id, connection_id="nobody", type="chat", data="hi")


async def test_a_connection_is_ended_by_force(sdk: Sdk, call: Call) -> None:
    await sdk("force_disconnect", session_id=call.session_id, connection_id=call.ann.id)

    async with asyncio.timeout(DEADLINE_S):
        assert (await call.ann.ended.get()).reason == "forceDisconnected"
    kinds = {"python": "ForceDisconnectError", "node": "ForceDisconnectError", "java": "RequestException"}
    with pytest.raises(SdkError, match=kinds[sdk.language]):
        await sdk("force_disconnect", session_id=call.session_id, connection_id="nobody")
    assert call.bob.ended.empty()


async def test_streams_are_listed_classed_and_muted(sdk: Sdk, call: Call) -> None:
    session_id = call.session_id
    assert await sdk("list_streams", session_id=session_id) == []
    async with asyncio.timeout(DEADLINE_S), Publisher(audio=tone(), name="Ann's sound") as publisher:
        await call.ann.session.publish(publisher)
        assert publisher.stream is not None
        stream_id = publisher.stream.stream_id

        (listed,) = await sdk("list_streams", session_id=session_id)
        got = await sdk("get_stream", session_id=session_id, stream_id=stream_id)
        for stream in (listed, got):
            assert stream["id"] == stream_id
            assert stream["name"] == "Ann's sound"
            assert stream["videoType"] == "camera"
            assert stream["layoutClassList"] == ["focus"]

        await sdk("set_classes", session_id=session_id, stream_id=stream_id, classes=["wide", "left"])
        (listed,) = await sdk("list_streams", session_id=session_id)
        assert listed["layoutClassList"] == ["wide", "left"]
        await sdk("set_classes", session_id=session_id, stream_id=stream_id, classes=[])
        (listed,) = await sdk("list_streams", session_id=session_id)
        assert listed["layoutClassList"] == []

        muted: asyncio.Queue[object] = asyncio.Queue()
        publisher.on("muteForced", muted.put_nowait)
        await sdk("mute_all", session_id=session_id, excluded=[stream_id])
        await sdk("disable_mute", session_id=session_id)
        assert muted.empty()
        await sdk("mute_stream", session_id=session_id, stream_id=stream_id)
        await muted.get()
        await sdk("mute_all", session_id=session_id, excluded=[])
        await sdk("disable_mute", session_id=session_id)


async def test_a_stream_that_is_not_there_is_refused_by_name(sdk: Sdk, call: Call) -> None:
    kinds = {"python": "GetStreamError", "node": "RequestError", "java": "RequestException"}
    with pytest.raises(SdkError, match=kinds[sdk.language]):
        await sdk("get_stream", session_id=call.session_id, stream_id="nobody")
    words = {
        "python": "OpenTokException: .* valid",
        "node": "NotFoundError: Not Found",
        "java": "not found|404|invalid",
    }
    with pytest.raises(SdkError, match=words[sdk.language]):
        await sdk("mute_stream", session_id=call.session_id, stream_id="nobody")

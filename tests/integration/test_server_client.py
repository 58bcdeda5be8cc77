"""`tertulia.server` against a running server, with both of its clients."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tertulia import Session, SessionDisconnectEvent
from tertulia.server import (
    AsyncClient,
    AuthenticationError,
    Client,
    ConflictError,
    ConnectFailedError,
    InvalidParameterError,
    MediaModes,
    NotFoundError,
    PermissionDeniedError,
    Roles,
)
from tests.promises import Promises
from tests.servers import TertuliaServer

DEADLINE_S = 20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, store_settings: dict[str, str]) -> Iterator[TertuliaServer]:
    with TertuliaServer(tmp_path_factory.mktemp("server-client"), settings=store_settings) as running:
        yield running


@pytest.fixture(scope="module")
def promises(server: TertuliaServer) -> Iterator[Promises]:
    with Promises(server.url) as running:
        yield running


class Caller:
    """Calls methods of either client by name, without holding up the event loop."""

    def __init__(self, client: Client | AsyncClient) -> None:
        self.client = client

    async def __call__(self, method: str, *args: Any, **kwargs: Any) -> Any:
        function = getattr(self.client, method)
        async with asyncio.timeout(DEADLINE_S):
            if inspect.iscoroutinefunction(function):
                return await function(*args, **kwargs)
            return await asyncio.to_thread(function, *args, **kwargs)


@pytest.fixture(params=[Client, AsyncClient])
async def call(request: pytest.FixtureRequest, server: TertuliaServer, promises: Promises) -> AsyncIterator[Caller]:
    caller = Caller(request.param(server.api_key, server.api_secret, promises.url))
    yield caller
    await caller("close")


async def test_a_session_is_made_entered_signalled_into_and_ended(server: TertuliaServer, call: Caller) -> None:
    made = await call("create_session", media_mode=MediaModes.routed)
    token = await call("generate_token", made.session_id, role=Roles.subscriber, data="name=Ida")
    heard: asyncio.Queue[str] = asyncio.Queue()
    ended: asyncio.Queue[SessionDisconnectEvent] = asyncio.Queue()

    async with asyncio.timeout(DEADLINE_S), Session(server.api_key, made.session_id, server=server.url) as session:
        session.on("signal:chat", lambda event: heard.put_nowait(event.data))
        session.on(SessionDisconnectEvent, ended.put_nowait)
        await session.connect(token)
        assert session.connection is not None
        assert session.connection.data == "name=Ida"
        own_id = session.connection.connection_id

        await call("signal", made.session_id, {"type": "chat", "data": "to all"})
        await call("signal", made.session_id, {"type": "chat", "data": "to one"}, own_id)
        assert [await heard.get(), await heard.get()] == ["to all", "to one"]

        await call("force_disconnect", made.session_id, own_id)
        assert (await ended.get()).reason == "forceDisconnected"
    with pytest.raises(NotFoundError):
        await call("force_disconnect", made.session_id, own_id)


async def test_a_wrong_secret_is_named_as_the_cause(server: TertuliaServer) -> None:
    async with AsyncClient(server.api_key, "0" * 40, server.url) as stranger:
        with pytest.raises(AuthenticationError, match="secret"):
            await stranger.create_session()


async def test_a_server_that_is_not_there_is_named_as_the_cause(server: TertuliaServer) -> None:
    async with AsyncClient(server.api_key, server.api_secret, "http://127.0.0.1:9") as client:
        with pytest.raises(ConnectFailedError, match="api_url"):
            await client.create_session()


async def test_what_lives_in_a_session_is_found_and_muted(server: TertuliaServer, call: Caller) -> None:
    made = await call("create_session")
    assert (await call("list_streams", made.session_id)).items == ()
    async with asyncio.timeout(DEADLINE_S), Session(server.api_key, made.session_id, server=server.url) as session:
        await session.connect(await call("generate_token", made.session_id))
        assert session.connection is not None
        (found,) = (await call("list_connections", made.session_id)).items
        assert found.connection_id == session.connection.connection_id
        assert found.connection_state == "Connected"
    assert (await call("mute_all", made.session_id, [])).id == server.api_key
    assert (await call("disable_force_mute", made.session_id)).status == "ACTIVE"
    for method, *arguments in (("get_stream", "s"), ("mute_stream", "s"), ("play_dtmf", None, "12#")):
        with pytest.raises(NotFoundError):
            await call(method, made.session_id, *arguments)


async def test_a_feature_that_the_server_does_not_have_is_named(server: TertuliaServer, call: Caller) -> None:
    session_id = (await call("create_session", media_mode=MediaModes.routed)).session_id
    token = await call("generate_token", session_id)
    for method, *arguments in (
        ("dial", session_id, token, "sip:ida@example.net"),
        ("start_captions", session_id, token),
        ("stop_captions", "c"),
        ("connect_audio_to_websocket", session_id, token, {"uri": "wss://asr.example.net/in"}),
        ("start_render", session_id, token, "https://app.example.org/stage"),
        ("get_render", "r"),
        ("stop_render", "r"),
        ("list_renders",),
    ):
        with pytest.raises(PermissionDeniedError, match="does not have"):
            await call(method, *arguments)


async def test_archives_and_broadcasts_are_none_and_are_refused_by_name(server: TertuliaServer, call: Caller) -> None:
    routed = (await call("create_session", media_mode=MediaModes.routed)).session_id
    relayed = (await call("create_session")).session_id
    for kind, options in (("archive", ()), ("broadcast", ({"outputs": {"hls": {}}},))):
        assert (await call(f"list_{kind}s")).items == ()
        assert (await call(f"list_{kind}s", 0, 10, routed)).count == 0
        for method, *arguments in (
            (f"get_{kind}", "c3a9e0f2-6b7d-4f51-9a0e-2b6c1d4e8f70"),
            (f"stop_{kind}", "nobody's"),
            (f"set_{kind}_layout", "nobody's", "pip"),
            (f"add_{kind}_stream", "nobody's", "s"),
            (f"remove_{kind}_stream", "nobody's", "s"),
            (f"start_{kind}", routed, *options),
        ):
            with pytest.raises(NotFoundError):
                await call(method, *arguments)
        with pytest.raises(ConflictError):
            await call(f"start_{kind}", relayed, *options)
        async with asyncio.timeout(DEADLINE_S), Session(server.api_key, routed, server=server.url) as session:
            await session.connect(await call("generate_token", routed))
            with pytest.raises(PermissionDeniedError, match="does not have"):
                await call(f"start_{kind}", routed, *options)


async def test_callbacks_are_registered_listed_and_removed(call: Caller) -> None:
    made = await call("register_callback", "connection", "created", "https://app.example.org/hook")
    assert made in await call("list_callbacks")
    await call("remove_callback", made.id)
    assert made not in await call("list_callbacks")
    with pytest.raises(NotFoundError):
        await call("remove_callback", made.id)


async def test_layout_classes_of_a_stream_that_is_not_there_change_nothing(call: Caller) -> None:
    session_id = (await call("create_session")).session_id
    assert (await call("set_stream_class_lists", session_id, [])).count == 0
    with pytest.raises(InvalidParameterError, match="not in the session"):
        await call("set_stream_class_lists", session_id, [{"id": "nobody's", "layoutClassList": ["focus"]}])

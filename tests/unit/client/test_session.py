"""Session against a scripted server, in virtual time."""

from __future__ import annotations

import asyncio
import logging

import pytest

from tertulia.client import (
    AuthenticationError,
    ConnectFailedError,
    DisconnectedError,
    DisconnectReason,
    InvalidParameterError,
    InvalidSessionIdError,
    LimitExceededError,
    NotConnectedError,
    PermissionDeniedError,
    RequestTimeoutError,
    Session,
    SessionDisconnectEvent,
    SessionError,
    SignalEvent,
)
from tests.fakes.signalling_server import FakeSignallingServer
from tests.unit.client.conftest import DESK, IDA, Diary, settle
from tests.unit.client.virtual_time import VirtualTimeLoop


async def test_connecting_joins_with_the_token_in_the_first_message(
    session: Session, server: FakeSignallingServer
) -> None:
    await session.connect("a token")
    [[request_id, ack, join]] = server.frames
    assert (request_id, ack) == (0, 0)
    assert join["token"] == "a token"
    assert (join["sessionId"], join["apiKey"]) == ("1_session", "12345678")
    assert "connectionEventsSuppressed" not in join
    assert session.connected
    assert session.connection is not None
    assert session.connection.data == "own"
    assert session.capabilities is not None
    assert session.capabilities.force_disconnect is True
    await session.disconnect()


async def test_who_and_what_is_there_follows_the_connection_as_events(
    session: Session, server: FakeSignallingServer, diary: Diary
) -> None:
    server.others, server.streams = [IDA], [DESK]
    await session.connect("token")
    event = await diary.sees("streamCreated")
    assert diary.types == ["sessionConnected", "connectionCreated", "connectionCreated", "streamCreated"]
    assert diary.events[1].connection is session.connection  # type: ignore[attr-defined]  # a ConnectionEvent
    assert event.stream.name == "Desk"
    assert event.stream.connection.data == "Ida"
    assert (event.target, event.streams) == (session, [event.stream])
    assert [c.data for c in session.connections] == ["own", "Ida"]
    assert session.streams == [event.stream]
    await session.disconnect()


@pytest.mark.parametrize(
    ("api_key", "session_id", "error", "word"),
    [("", "1_session", AuthenticationError, "key"), ("12345678", "", InvalidSessionIdError, "session id")],
)
async def test_an_empty_key_or_session_id_is_named(
    api_key: str, session_id: str, error: type[SessionError], word: str
) -> None:
    with pytest.raises(error, match=word):
        Session(api_key, session_id)


async def test_an_empty_token_is_named(session: Session) -> None:
    with pytest.raises(InvalidParameterError, match="token"):
        await session.connect("")


async def test_a_refused_token_gives_the_servers_error_and_no_event(
    session: Session, server: FakeSignallingServer, diary: Diary
) -> None:
    server.refusal = {"name": "OT_AUTHENTICATION_ERROR", "code": 1004, "message": "The token has expired."}
    with pytest.raises(AuthenticationError) as caught:
        await session.connect("old")
    assert (caught.value.name, caught.value.code) == ("OT_AUTHENTICATION_ERROR", 1004)
    assert caught.value.message == "The token has expired."
    await settle()
    assert diary.events == []
    assert not session.connected


async def test_an_unreachable_server_fails_the_connecting(session: Session, server: FakeSignallingServer) -> None:
    server.reachable = False
    with pytest.raises(ConnectFailedError, match="nobody listens"):
        await session.connect("token")


async def test_a_server_that_says_nothing_is_given_up_after_ten_seconds(
    session: Session, server: FakeSignallingServer, loop: VirtualTimeLoop
) -> None:
    server.accepts = False
    started = loop.time()
    with pytest.raises(ConnectFailedError, match="10 s") as failed:
        await session.connect("token")
    assert failed.value.code == 1008
    assert loop.time() - started == pytest.approx(10)
    assert not server.socket.open


async def test_two_callers_share_one_attempt(session: Session, server: FakeSignallingServer) -> None:
    await asyncio.gather(session.connect("token"), session.connect("token"))
    await session.connect("token")
    assert len(server.of_type("join")) == 1
    await session.disconnect()


async def test_a_cancelled_connecting_gives_up_its_attempt(session: Session, server: FakeSignallingServer) -> None:
    server.accepts = False
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await session.connect("token")
    await settle()
    assert not server.socket.open
    assert [frame[2]["type"] for frame in server.frames] == ["join", "leave"]
    server.accepts = True
    await session.connect("token")
    await session.disconnect()


async def test_disconnecting_while_connecting_fails_the_connecting(
    session: Session, server: FakeSignallingServer, diary: Diary
) -> None:
    server.accepts = False
    connecting = asyncio.create_task(session.connect("token"))
    await server.has("join")
    await session.disconnect()
    with pytest.raises(DisconnectedError):
        await connecting
    await settle()
    assert diary.events == []


async def test_leaving_says_goodbye_and_tells_the_program_afterwards(
    session: Session, server: FakeSignallingServer
) -> None:
    order: list[str] = []
    session.on(SessionDisconnectEvent, lambda event: order.append(event.reason))
    await session.connect("token")
    await session.disconnect()
    order.append("returned")
    assert len(server.of_type("leave")) == 1
    assert session.connection is None
    assert not session.connected
    await settle()
    assert order == ["returned", "clientDisconnected"]


async def test_the_event_tells_everything(session: Session, diary: Diary) -> None:
    await session.connect("token")
    await session.disconnect()
    event = await diary.sees("sessionDisconnected")
    assert isinstance(event, SessionDisconnectEvent)
    assert event.type == "sessionDisconnected"
    assert event.target is session
    assert event.cancelable is True
    assert event.reason is DisconnectReason.CLIENT_DISCONNECTED
    assert f"{event.reason}" == "clientDisconnected"


async def test_disconnecting_when_not_connected_is_harmless(session: Session, diary: Diary) -> None:
    await session.disconnect()
    await settle()
    assert diary.events == []


async def test_a_goodbye_without_an_answer_ends_after_three_seconds(
    session: Session, server: FakeSignallingServer, loop: VirtualTimeLoop, diary: Diary
) -> None:
    await session.connect("token")
    server.replies = False
    started = loop.time()
    await session.disconnect()
    assert loop.time() - started == pytest.approx(3)
    assert (await diary.sees("sessionDisconnected")).reason == "clientDisconnected"


async def test_being_removed_ends_the_connection_with_the_servers_reason(
    session: Session, server: FakeSignallingServer, diary: Diary
) -> None:
    await session.connect("token")
    server.notify("disconnected", reason="forceDisconnected")
    server.cut(4005)
    event = await diary.sees("sessionDisconnected")
    assert event.reason is DisconnectReason.FORCE_DISCONNECTED
    await settle()
    assert diary.types.count("sessionDisconnected") == 1


async def test_leaving_twice_while_being_removed_ends_once(
    session: Session, server: FakeSignallingServer, diary: Diary
) -> None:
    await session.connect("token")
    server.notify("disconnected", reason="forceDisconnected")
    await asyncio.gather(session.disconnect(), session.disconnect(), session.disconnect())
    await settle()
    assert diary.types.count("sessionDisconnected") == 1
    assert diary.events[-1].reason == "forceDisconnected"  # type: ignore[attr-defined]  # a SessionDisconnectEvent


async def test_a_removed_client_connects_again_from_its_own_handler(
    session: Session, server: FakeSignallingServer, diary: Diary
) -> None:
    @session.once("sessionDisconnected")
    async def come_back(event: SessionDisconnectEvent) -> None:
        await session.connect("token")

    await session.connect("token")
    first = session.connection
    server.notify("disconnected", reason="forceDisconnected")
    await diary.sees("sessionConnected", times=2)
    assert session.connection != first
    await session.signal("back")
    [[request_id, _, _]] = server.of_type("signal")
    assert request_id == 1
    await session.disconnect()


async def test_the_block_disconnects_and_waits_for_the_handlers(server: FakeSignallingServer) -> None:
    seen: list[str] = []

    async def slow(event: SessionDisconnectEvent) -> None:
        await asyncio.sleep(5)
        seen.append(event.reason)

    async with Session("12345678", "1_session", dial=server.dial) as session:
        session.on(SessionDisconnectEvent, slow)
        await session.connect("token")
    assert seen == ["clientDisconnected"]


def test_the_end_is_told_even_if_the_program_ends_with_the_disconnecting() -> None:
    seen: list[str] = []

    async def main() -> None:
        session = Session("12345678", "1_session", dial=FakeSignallingServer().dial)
        session.on("sessionDisconnected", lambda event: seen.append(event.reason))
        await session.connect("token")
        await session.disconnect()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(main())
    assert seen == ["clientDisconnected"]


def test_handlers_cannot_keep_a_program_from_ending() -> None:
    seen: list[str] = []

    async def sleep(event: SessionDisconnectEvent) -> None:
        seen.append("asleep")
        await asyncio.sleep(3600)

    async def main() -> None:
        session = Session("12345678", "1_session", dial=FakeSignallingServer().dial)
        session.on(SessionDisconnectEvent, sleep).on(SessionDisconnectEvent, sleep)
        await session.connect("token")
        await session.disconnect()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(main())
        loop = runner.get_loop()
        assert isinstance(loop, VirtualTimeLoop)
    assert seen == ["asleep", "asleep"]
    assert loop.now < 1_010
    assert loop.problems == []


async def test_a_signal_returns_when_the_server_has_it(
    session: Session, server: FakeSignallingServer, diary: Diary
) -> None:
    await session.connect("token")
    assert session.connection is not None
    await session.signal("hello", type="chat", to=session.connection)
    [[request_id, ack, body]] = server.of_type("signal")
    assert (request_id, ack) == (1, server.number)
    assert body == {"type": "signal", "to": session.connection.id, "signalType": "chat", "data": "hello"}
    number = server.tell("signal", **{"from": session.connection.id, "signalType": "chat", "data": "hello"})
    event = await diary.sees("signal:chat")
    assert (event.data, event.from_) == ("hello", session.connection)
    await session.signal()
    assert server.of_type("signal")[-1] == [2, number, {"type": "signal"}]
    await session.disconnect()


async def test_a_refused_request_raises_its_error(session: Session, server: FakeSignallingServer) -> None:
    server.errors["forceDisconnect"] = {
        "name": "OT_PERMISSION_DENIED",
        "code": 1520,
        "message": "Only a moderator may.",
    }
    await session.connect("token")
    with pytest.raises(PermissionDeniedError) as caught:
        await session.force_disconnect("22222222")
    assert caught.value.code == 1520
    await session.disconnect()


async def test_the_shared_state_is_set_and_read(session: Session, server: FakeSignallingServer, diary: Diary) -> None:
    await session.connect("token")
    await session.set_state({"slide": "7", "speaker": None})
    assert server.of_type("setState")[0][2] == {"type": "setState", "values": {"slide": "7", "speaker": None}}
    assert session.state == {}, "it changes when the server says so"
    server.tell("stateChanged", values={"slide": "7"})
    event = await diary.sees("stateChanged")
    assert (event.values, session.state) == ({"slide": "7"}, {"slide": "7"})
    await session.disconnect()
    assert session.state == {}


async def test_moderation_takes_objects_and_ids(session: Session, server: FakeSignallingServer, diary: Diary) -> None:
    server.others, server.streams = [IDA], [DESK]
    await session.connect("token")
    await session.force_unpublish(session.streams[0])
    await session.force_disconnect(session.connections[1])
    assert server.of_type("forceUnpublish")[0][2]["streamId"] == DESK["id"]
    assert server.of_type("forceDisconnect")[0][2]["connectionId"] == IDA["id"]
    await session.force_mute_stream(session.streams[0])
    await session.force_mute_all(["33333333"])
    await session.disable_force_mute()
    assert server.of_type("forceMuteStream")[0][2]["streamId"] == DESK["id"]
    assert server.of_type("forceMuteAll")[0][2]["excludedStreamIds"] == ["33333333"]
    assert len(server.of_type("disableForceMute")) == 1
    with pytest.raises(InvalidParameterError):
        await session.force_disconnect("")
    await session.disconnect()


async def test_requests_need_a_connection(session: Session) -> None:
    with pytest.raises(NotConnectedError):
        await session.signal("hello")


@pytest.mark.parametrize(("data", "type"), [("x" * 8193, ""), ("é" * 4097, ""), ("", "t" * 129)])
async def test_a_signal_that_is_too_long_is_not_sent(
    session: Session, server: FakeSignallingServer, data: str, type: str
) -> None:
    await session.connect("token")
    with pytest.raises(InvalidParameterError) as caught:
        await session.signal(data, type=type)
    assert caught.value.code == 413
    assert server.of_type("signal") == []
    await session.disconnect()


async def test_a_request_without_an_answer_times_out(
    session: Session, server: FakeSignallingServer, loop: VirtualTimeLoop
) -> None:
    server.heartbeat_s = 60.0
    await session.connect("token")
    server.replies = False
    started = loop.time()
    with pytest.raises(RequestTimeoutError):
        await session.signal("hello")
    assert loop.time() - started == pytest.approx(30)
    server.replies = True
    await session.disconnect()


async def test_the_257th_unanswered_request_is_refused_here(session: Session, server: FakeSignallingServer) -> None:
    await session.connect("token")
    server.replies = False
    asking = [asyncio.create_task(session.signal(str(n))) for n in range(256)]
    await settle()
    with pytest.raises(LimitExceededError):
        await session.signal("one too many")
    server.replies = True
    await session.disconnect()
    assert all(isinstance(e, DisconnectedError) for e in await asyncio.gather(*asking, return_exceptions=True))


async def test_a_ping_is_answered_at_once_whatever_the_handlers_do(
    session: Session, server: FakeSignallingServer
) -> None:
    async def never(event: object) -> None:
        await asyncio.get_running_loop().create_future()

    session.on("signal", never)
    await session.connect("token")
    server.tell("signal")
    await settle()
    server.notify("ping")
    await settle()
    assert server.of_type("pong") == [[0, server.number, {"type": "pong"}]]
    session._dispatcher._waiting.clear()  # the handler above would hold up the end of the test
    assert session._dispatcher._task is not None
    session._dispatcher._task.cancel()
    await session.disconnect()


async def test_unlawful_and_unknown_messages_are_ignored(
    session: Session, server: FakeSignallingServer, diary: Diary, caplog: pytest.LogCaptureFixture
) -> None:
    await session.connect("token")
    with caplog.at_level(logging.CRITICAL, "tertulia.client"):
        for text in ("", "null", "[", "[1]", '[99,{"type":"fromTheFuture"}]', '[0,{"type":"signal","data":7}]'):
            server.socket.tell_text(text)
        server.notify("bound", binding={"subscriptionId": 1, "epoch": 1, "slot": 0, "generation": 1})
        server.notify("reply", id=77, result={})
        server.notify("joined")
        server.tell("signal", data="still here")
        assert (await diary.sees("signal")).data == "still here"
    await session.disconnect()


async def test_slow_handlers_stop_the_reading_and_nothing_is_lost(
    session: Session, server: FakeSignallingServer, monkeypatch: pytest.MonkeyPatch, loop: VirtualTimeLoop
) -> None:
    monkeypatch.setattr("tertulia.client.dispatch.WAITING_EVENTS", 10)
    seen: list[str] = []
    done = asyncio.Event()

    async def slow(event: SignalEvent) -> None:
        await asyncio.sleep(3)
        seen.append(event.data)
        if len(seen) == 20:
            done.set()

    session.on(SignalEvent, slow)
    await session.connect("token")
    await settle()
    for n in range(20):
        server.tell("signal", data=str(n))
    await settle()
    paused = server.socket.paused
    await done.wait()
    await settle()
    assert paused
    assert seen == [str(n) for n in range(20)]
    assert server.of_type("resume") == []
    assert not server.socket.paused
    await session.disconnect()

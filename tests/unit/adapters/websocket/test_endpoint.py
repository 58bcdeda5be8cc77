"""The signalling endpoint, spoken to in ASGI, with the services on fakes."""

import asyncio
import json
from collections.abc import AsyncIterator, MutableMapping
from typing import Any

import pytest

from tertulia.adapters.websocket import SignallingEndpoint, SignallingLimits
from tertulia.domain.roles import Role
from tests.fakes.house import House, make_token, settle
from tests.fakes.store import MemoryStore


class Wire:
    """A browser's end of one socket."""

    def __init__(self, endpoint: SignallingEndpoint) -> None:
        self.received: list[Any] = []
        self.close_code: int | None = None
        self.stuck = False
        self._incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._flow = asyncio.Event()
        self._flow.set()
        self._incoming.put_nowait({"type": "websocket.connect"})
        self.served = asyncio.create_task(endpoint({"type": "websocket"}, self._incoming.get, self._send))

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        await self._flow.wait()
        if message["type"] == "websocket.send":
            self.received.append(json.loads(message["text"]))
        elif message["type"] == "websocket.close":
            self.close_code = message["code"]

    def stick(self) -> None:
        """Read nothing any more."""
        self._flow.clear()

    async def say(self, frame: Any) -> None:
        text = frame if isinstance(frame, str) else json.dumps(frame)
        self._incoming.put_nowait({"type": "websocket.receive", "text": text})
        await settle()

    async def ask(self, request_id: int, **body: Any) -> Any:
        """Send a request and return the body of its reply."""
        await self.say([request_id, 0, body])
        (reply,) = [body for body in self.bodies("reply") if body["id"] == request_id]
        return reply

    async def vanish(self) -> None:
        self._incoming.put_nowait({"type": "websocket.disconnect", "code": 1006})
        await settle()

    def bodies(self, kind: str) -> list[Any]:
        return [frame[-1] for frame in self.received if frame[-1]["type"] == kind]

    @property
    def connection_id(self) -> str:
        (joined,) = self.bodies("joined")
        connection_id = joined["connection"]["id"]
        assert isinstance(connection_id, str)
        return connection_id


class Door:
    """The endpoint in a house."""

    def __init__(self, house: House, limits: SignallingLimits) -> None:
        self.house = house
        self.endpoint = SignallingEndpoint(house.sessions, house.clock, house.ids, limits)
        self.wires: list[Wire] = []

    def knock(self) -> Wire:
        self.wires.append(Wire(self.endpoint))
        return self.wires[-1]

    async def enter(self, role: Role = Role.PUBLISHER) -> Wire:
        wire = self.knock()
        await wire.say([0, 0, {"type": "join", "token": make_token(self.house.record, role)}])
        assert wire.bodies("joined"), wire.received
        return wire

    async def leave(self) -> None:
        for wire in self.wires:
            await wire.vanish()
        await asyncio.gather(*(wire.served for wire in self.wires))


@pytest.fixture
async def house() -> AsyncIterator[House]:
    opened = await House.open(MemoryStore())
    yield opened
    await opened.sessions.close()


@pytest.fixture
async def door(house: House) -> AsyncIterator[Door]:
    door = Door(house, SignallingLimits(signals_per_second=5, refusals=10))
    yield door
    await door.leave()


# ---- opening


async def test_a_join_is_answered_with_the_session(door: Door) -> None:
    ana = await door.enter(Role.MODERATOR)
    ((number, joined),) = ana.received
    assert number == 0
    assert joined["role"] == "moderator"
    assert joined["capabilities"]["forceDisconnect"] == 1
    assert joined["resumeKey"]


async def test_a_resume_takes_the_seat_again(door: Door) -> None:
    ana, ben = await door.enter(), await door.enter()
    key = ana.bodies("joined")[0]["resumeKey"]
    await ana.vanish()
    await ben.ask(1, type="signal", data="missed")
    again = door.knock()
    await again.say([0, 0, {"type": "resume", "connectionId": ana.connection_id, "resumeKey": key, "after": 2}])
    assert [body["type"] for _, body in again.received] == ["resumed", "signal"]
    assert [body["type"] for body in ben.bodies("connectionInterrupted") + ben.bodies("connectionRestored")] == [
        "connectionInterrupted",
        "connectionRestored",
    ]


async def test_a_replaced_socket_closes_with_4002(door: Door) -> None:
    ana = await door.enter()
    key = ana.bodies("joined")[0]["resumeKey"]
    again = door.knock()
    await again.say([0, 0, {"type": "resume", "connectionId": ana.connection_id, "resumeKey": key, "after": 1}])
    assert ana.close_code == 4002
    assert again.bodies("resumed")


@pytest.mark.parametrize(
    ("body", "name", "words"),
    [
        ({"type": "join", "token": "nonsense"}, "OT_AUTHENTICATION_ERROR", "malformed"),
        ({"type": "join", "token": "1/2_x/publisher/"}, "OT_AUTHENTICATION_ERROR", "no project"),
        ({"type": "join"}, "OT_INVALID_PARAMETER", "token"),
        ({"type": "resume", "connectionId": "x", "resumeKey": "y", "after": 0}, "OT_AUTHENTICATION_ERROR", "key"),
        ({"type": "leave"}, "OT_INVALID_PARAMETER", "first frame"),
        ({"type": "dance"}, "OT_INVALID_PARAMETER", "dance"),
    ],
)
async def test_who_may_not_enter_is_told_why_and_closed(door: Door, body: Any, name: str, words: str) -> None:
    wire = door.knock()
    await wire.say([0, 0, body])
    ((number, refused),) = wire.received
    assert number == 0
    assert refused["type"] == "refused"
    assert refused["error"]["name"] == name
    assert words in refused["error"]["message"]
    assert wire.close_code == 4001


async def test_a_first_frame_with_a_number_is_refused(door: Door) -> None:
    wire = door.knock()
    await wire.say([1, 0, {"type": "join", "token": make_token(door.house.record)}])
    assert wire.close_code == 4001
    assert not wire.bodies("joined")


async def test_who_never_authenticates_is_closed_after_5_s(door: Door) -> None:
    wire = door.knock()
    await settle()
    codes = []
    for seconds in (4.9, 0.2):
        await door.house.pass_time(seconds)
        codes.append(wire.close_code)
    assert codes == [None, 4003]
    assert wire.served.done()


async def test_a_store_that_is_away_refuses_a_join_and_makes_a_resume_try_again(door: Door, house: House) -> None:
    ana = await door.enter()
    key = ana.bodies("joined")[0]["resumeKey"]
    assert isinstance(house.store, MemoryStore)
    store = house.store
    store.failing = True
    wire = door.knock()
    await wire.say([0, 0, {"type": "join", "token": make_token(house.record)}])
    assert wire.bodies("refused")[0]["error"]["name"] == "OT_CONNECT_FAILED"
    assert wire.close_code == 4001
    again = door.knock()
    await again.say([0, 0, {"type": "resume", "connectionId": ana.connection_id, "resumeKey": key, "after": 1}])
    assert again.close_code == 1012
    store.failing = False


# ---- bad frames


DEEP = '[1,0,{"type":"signal","x":' + "[" * 10_000 + "]" * 10_000 + "}]"
WIDE = '[1,0,{"type":"signal","x":[' + "{}," * 1_000 + "{}]}]"


async def test_brackets_in_a_text_are_only_text(door: Door) -> None:
    ana = await door.enter()
    assert (await ana.ask(1, type="signal", data='[{"' * 1_000))["result"] == {}


@pytest.mark.parametrize("text", ["hello", "[]", '[1,0,"x"]', "[1,0,{}]", "[" * 1000, DEEP, WIDE])
async def test_a_frame_that_is_no_envelope_closes_with_4000(door: Door, text: str) -> None:
    ana, ben = await door.enter(), await door.enter()
    await ana.say(text)
    assert ana.close_code == 4000
    assert [body["connectionId"] for body in ben.bodies("connectionInterrupted")] == [ana.connection_id]


async def test_a_binary_frame_closes_with_4000(door: Door) -> None:
    ana = await door.enter()
    ana._incoming.put_nowait({"type": "websocket.receive", "bytes": b"x"})
    await settle()
    assert ana.close_code == 4000


async def test_bad_requests_are_answered_and_harm_nobody(door: Door) -> None:
    ana, ben = await door.enter(Role.SUBSCRIBER), await door.enter()
    before = len(ben.received)
    answers = [
        await ana.ask(1, type="dance"),
        await ana.ask(2, type="subscribe", streamId=7),
        await ana.ask(3, type="join", token="x"),
        await ana.ask(4, type="forceDisconnect", connectionId=ben.connection_id),
        await ana.ask(5, type="subscribe", streamId="of another session", audio=True, video=True),
        await ana.ask(6, type="signal", data="x" * 70_000),
        await ana.ask(7, type="signal", data="x" * 9_000),
        await ana.ask(8, type="signal", signalType="no spaces"),
        await ana.ask(9, type="signal", to="nobody"),
    ]
    assert [answer["error"]["code"] for answer in answers] == [1011, 1011, 1011, 1520, 1600, 1011, 413, 400, 404]
    assert len(ben.received) == before
    assert ana.close_code is None


async def test_a_request_without_a_number_closes_with_4000(door: Door) -> None:
    ana = await door.enter()
    await ana.say([0, 0, {"type": "leave"}])
    assert ana.close_code == 4000


async def test_an_unknown_message_without_a_number_has_no_effect(door: Door) -> None:
    ana = await door.enter()
    await ana.say([0, 0, {"type": "mood", "good": True}])
    assert ana.close_code is None
    assert len(ana.received) == 1


# ---- living


async def test_signals_go_to_everybody_with_one_number(door: Door) -> None:
    ana, ben = await door.enter(), await door.enter()
    reply = await ana.ask(1, type="signal", signalType="chat", data="hi")
    assert reply == {"type": "reply", "id": 1, "result": {}}
    expected = {"type": "signal", "from": ana.connection_id, "signalType": "chat", "data": "hi"}
    assert [frame for frame in ana.received if frame[1]["type"] == "signal"] == [[3, expected]]
    assert [frame for frame in ben.received if frame[1]["type"] == "signal"] == [[3, expected]]


async def test_who_leaves_is_answered_and_closed_with_4005(door: Door) -> None:
    ana, ben = await door.enter(), await door.enter()
    assert (await ana.ask(1, type="leave"))["result"] == {}
    assert ana.close_code == 4005
    assert [body["reason"] for body in ben.bodies("connectionDestroyed")] == ["clientDisconnected"]


async def test_who_is_disconnected_is_told_and_closed_with_4005(door: Door) -> None:
    mona, ana = await door.enter(Role.MODERATOR), await door.enter()
    await mona.ask(1, type="forceDisconnect", connectionId=ana.connection_id)
    assert ana.bodies("disconnected") == [{"type": "disconnected", "reason": "forceDisconnected"}]
    assert ana.close_code == 4005
    assert ana.served.done()


async def test_a_client_is_pinged_and_lives_by_answering(door: Door) -> None:
    ana = await door.enter()
    for _ in range(5):
        await door.house.pass_time(10)
        await ana.say([0, 0, {"type": "pong"}])
    assert len(ana.bodies("ping")) == 5
    assert ana.close_code is None


async def test_sender_statistics_reach_the_subscriber_unnumbered_and_are_neither_answered_nor_stored(
    door: Door, house: House
) -> None:
    ana, ben = await door.enter(), await door.enter()
    publish = {
        "type": "publish",
        "epoch": 1,
        "offer": "v=0",
        "slots": [],
        "audioMid": "0",
        "name": "",
        "hasAudio": True,
        "hasVideo": False,
        "videoDimensions": {"width": 0, "height": 0},
    }
    stream_id = (await ana.ask(1, **publish))["result"]["stream"]["id"]
    subscribed = (await ben.ask(1, type="subscribe", streamId=stream_id, audio=True, video=True))["result"]
    report = {"type": "senderStats", "streamId": stream_id, "maxAllocatedBitrate": 7, "estimatedBandwidth": 5}
    ana.received.clear()
    assert isinstance(house.store, MemoryStore)
    stored = len(house.store.batches)
    await ben.say([0, 0, {**report, "estimatedBandwidth": 6}])
    await ana.say([0, 0, {**report, "estimatedBandwidth": -1}])
    await ana.say([0, 0, report])
    assert ben.received[-1] == [
        0,
        {"type": "senderStats", **subscribed, "maxAllocatedBitrate": 7, "estimatedBandwidth": 5},
    ]
    assert len(ben.bodies("senderStats")) == 1
    assert ana.received == []
    assert len(house.store.batches) == stored


async def test_video_that_stands_still_is_not_answered(door: Door) -> None:
    ana = await door.enter()
    await ana.say([0, 0, {"type": "videoStalled", "subscriptionId": 7}])
    await ana.say([0, 0, {"type": "videoStalled", "subscriptionId": -1}])
    assert ana.bodies("reply") == []
    assert ana.close_code is None
    await door.leave()


async def test_a_client_that_doubts_its_socket_is_answered_at_once(door: Door) -> None:
    ana, ben = await door.enter(), await door.enter()
    await ana.say([0, 0, {"type": "ping"}])
    assert ana.received[-1] == [0, {"type": "pong"}]
    assert ben.bodies("pong") == []


async def test_a_silent_client_is_lost_after_two_heartbeats(door: Door) -> None:
    ana = await door.enter()
    ben = await door.enter()
    await door.house.pass_time(10)
    await ben.say([0, 0, {"type": "pong"}])
    await door.house.pass_time(11)
    assert ana.close_code == 4004
    assert [body["connectionId"] for body in ben.bodies("connectionInterrupted")] == [ana.connection_id]


async def test_too_many_signals_are_refused_and_then_close_the_socket(door: Door) -> None:
    ana, ben = await door.enter(), await door.enter()
    for number in range(1, 8):
        await ana.say([number, 0, {"type": "signal"}])
    assert len(ben.bodies("signal")) == 5
    errors = [body["error"]["code"] for body in ana.bodies("reply") if "error" in body]
    assert errors == [429, 429]
    await door.house.pass_time(1)
    assert (await ana.ask(8, type="signal"))["result"] == {}
    for number in range(9, 30):
        await ana.say([number, 0, {"type": "signal"}])
    assert ana.close_code == 4029
    assert len(ben.bodies("signal")) < 15


async def test_other_requests_are_bounded_as_well_and_a_goodbye_comes_through(house: House) -> None:
    door = Door(house, SignallingLimits(requests_per_second=1, request_burst=5, refusals=10))
    ana, ben = await door.enter(), await door.enter()
    for number in range(1, 8):
        await ana.say([number, 0, {"type": "subscribe", "streamId": "none", "audio": True, "video": True}])
    assert [body["error"]["code"] for body in ana.bodies("reply")] == [1600] * 5 + [429] * 2
    for _ in range(3):
        await ana.say([0, 0, {"type": "pong"}])
    assert (await ana.ask(8, type="leave"))["result"] == {}
    assert ana.close_code == 4005
    for number in range(1, 30):
        await ben.say([number, 0, {"type": "nothing known"}])
    assert ben.close_code == 4029
    await door.leave()


async def test_a_flood_of_sender_statistics_closes_the_socket(house: House) -> None:
    door = Door(house, SignallingLimits(requests_per_second=1, request_burst=5, refusals=10))
    ana = await door.enter()
    report = {"type": "senderStats", "streamId": "none", "maxAllocatedBitrate": 7, "estimatedBandwidth": 5}
    closed_with = []
    for _ in range(16):
        await ana.say([0, 0, report])
        closed_with.append(ana.close_code)
    assert closed_with == [None] * 15 + [4029]
    assert ana.bodies("reply") == []
    await door.leave()


async def test_a_new_socket_is_no_fresh_start(door: Door) -> None:
    ana = await door.enter()
    for number in range(1, 6):
        await ana.ask(number, type="signal")
    await ana.vanish()
    again = door.knock()
    key = ana.bodies("joined")[0]["resumeKey"]
    resume = {"type": "resume", "connectionId": ana.connection_id, "resumeKey": key, "after": 0}
    await again.say([0, 0, resume])
    assert (await again.ask(6, type="signal"))["error"]["code"] == 429


async def test_a_client_that_does_not_read_is_dropped_and_its_seat_held(door: Door) -> None:
    ana, ben = await door.enter(), await door.enter()
    ana.stick()
    for _ in range(25):
        for _ in range(50):
            await door.house.sessions.signal(
                door.house.record.session_id, to=ana.connection_id, signal_type=None, data="x" * 1000
            )
    await door.house.pass_time(6)
    assert ana.served.done()
    assert [body["connectionId"] for body in ben.bodies("connectionInterrupted")] == [ana.connection_id]


async def test_closing_the_server_closes_with_1012(door: Door) -> None:
    ana = await door.enter()
    await door.house.sessions.close()
    await settle()
    assert ana.close_code == 1012


async def test_a_client_that_vanishes_while_it_joins_leaves_nothing_running(door: Door) -> None:
    wire = door.knock()
    await wire.say([0, 0, {"type": "join", "token": make_token(door.house.record)}])
    await wire.vanish()
    assert wire.served.done()

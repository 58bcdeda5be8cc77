"""The client's core: each row of its table, each missing row, and what holds whatever comes in whatever order."""

from __future__ import annotations

import itertools
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from tertulia.client import SessionDisconnectEvent
from tertulia.client import core as module
from tertulia.client.core import Core, State
from tertulia.client.exchange import (
    Answered,
    Ask,
    CloseSocket,
    Connect,
    ConnectDone,
    Disconnect,
    DisconnectDone,
    Dispatched,
    Effect,
    ForMedia,
    Input,
    MediaNotice,
    MediaOver,
    OpenSocket,
    Reading,
    Received,
    Send,
    SocketLost,
    SocketOpened,
)
from tertulia.client.presence import Fact
from tertulia.wire import signalling as wire

OWN = wire.Connection("own", 1, "me")
ERROR = wire.Error("OT_AUTHENTICATION_ERROR", 1004, "The token has expired.")
JOINED = wire.Joined(
    connection=OWN,
    connections=[OWN],
    streams=[],
    number=7,
    role="publisher",
    capabilities=wire.Capabilities(1, 1, 1, 0, 0, 0),
    resume_key="key",
    heartbeat_s=10,
    reconnect_window_s=60,
    ice_servers=[],
)
RESUMED = wire.Resumed(resume_key="next key", epoch=0, bindings=[])
MESSAGES: list[wire.ServerMessage] = [
    JOINED,
    RESUMED,
    wire.Refused(ERROR),
    wire.Reply(id=1),
    wire.Ping(),
    wire.Disconnected("forceDisconnected"),
    wire.Bound(wire.Binding(1, 1, 0, 1)),
    wire.SlotsNeeded(2),
    wire.Signal("own", "chat", "hello"),
    wire.ConnectionCreated(wire.Connection("ida", 2, "")),
    wire.ConnectionDestroyed("ida", "clientDisconnected"),
]


def new_core() -> Core:
    return Core(lambda token: wire.Join(token))


class Driver:
    """Feeds a core and keeps what it says; sockets open at once unless the test holds them back."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.now = 0.0
        self.socket = 0
        self.effects: list[Effect] = []

    def feed(self, input: Input) -> list[Effect]:
        return self._take(self.core.handle(input, self.now))

    def message(self, body: wire.ServerMessage, number: int = 0) -> list[Effect]:
        return self.feed(Received(self.socket, number, body))

    def lose(self, code: int | None = None) -> list[Effect]:
        return self.feed(SocketLost(self.socket, code, 0.5, "cut"))

    def open(self) -> list[Effect]:
        return self.feed(SocketOpened(self.socket))

    def wait(self, seconds: float) -> list[Effect]:
        self.now += seconds
        return self._take(self.core.handle_timeout(self.now))

    def _take(self, effects: list[Effect]) -> list[Effect]:
        self.effects += effects
        for effect in effects:
            if isinstance(effect, OpenSocket):
                self.socket = effect.socket
        return effects


def driver_in(state: State) -> Driver:
    """A core that has come to `state` the ordinary way."""
    driver = Driver(new_core())
    if state is State.DISCONNECTED:
        return driver
    driver.feed(Connect("token"))
    driver.open()
    if state is not State.CONNECTING:
        driver.message(JOINED)
    if state is State.RECONNECTING:
        driver.lose()
        driver.open()
    if state is State.DISCONNECTING:
        driver.feed(Disconnect())
    assert driver.core.state is state
    return driver


def input_of(kind: type, driver: Driver) -> Input:
    """An input of that kind for the driver's socket."""
    simple: dict[type, Input] = {
        Connect: Connect("token"),
        Disconnect: Disconnect(),
        Ask: Ask(1, wire.SendSignal()),
        SocketOpened: SocketOpened(driver.socket),
        SocketLost: SocketLost(driver.socket, None, 0.5, "cut"),
        Reading: Reading(on=False),
    }
    return simple.get(kind) or Received(driver.socket, 0, next(m for m in MESSAGES if type(m) is kind))


ENDED = [CloseSocket, MediaOver, DisconnectDone, Dispatched]

TABLE: dict[tuple[State, type], tuple[list[type], State]] = {
    (State.DISCONNECTED, Connect): ([OpenSocket], State.CONNECTING),
    (State.DISCONNECTED, Disconnect): ([DisconnectDone], State.DISCONNECTED),
    (State.DISCONNECTED, Ask): ([Answered], State.DISCONNECTED),
    (State.CONNECTING, Disconnect): ([Send, CloseSocket, ConnectDone, DisconnectDone], State.DISCONNECTED),
    (State.CONNECTING, Ask): ([Answered], State.CONNECTING),
    (State.CONNECTING, SocketOpened): ([Send], State.CONNECTING),
    (State.CONNECTING, SocketLost): ([CloseSocket, ConnectDone], State.DISCONNECTED),
    (State.CONNECTING, wire.Joined): ([ForMedia, ConnectDone, Dispatched, Dispatched], State.CONNECTED),
    (State.CONNECTING, wire.Refused): ([CloseSocket, ConnectDone], State.DISCONNECTED),
    (State.CONNECTING, wire.Disconnected): ([CloseSocket, ConnectDone], State.DISCONNECTED),
    (State.CONNECTED, Connect): ([ConnectDone], State.CONNECTED),
    (State.CONNECTED, Disconnect): ([Send], State.DISCONNECTING),
    (State.CONNECTED, Ask): ([Send], State.CONNECTED),
    (State.CONNECTED, SocketLost): ([Dispatched, CloseSocket, OpenSocket], State.RECONNECTING),
    (State.CONNECTED, Reading): ([], State.CONNECTED),
    (State.CONNECTED, wire.Reply): ([], State.CONNECTED),
    (State.CONNECTED, wire.Ping): ([Send], State.CONNECTED),
    (State.CONNECTED, wire.Disconnected): (ENDED, State.DISCONNECTED),
    (State.RECONNECTING, Connect): ([ConnectDone], State.RECONNECTING),
    (State.RECONNECTING, Disconnect): ([], State.DISCONNECTING),
    (State.RECONNECTING, Ask): ([], State.RECONNECTING),
    (State.RECONNECTING, SocketOpened): ([Send], State.RECONNECTING),
    (State.RECONNECTING, SocketLost): ([CloseSocket], State.RECONNECTING),
    (State.RECONNECTING, wire.Resumed): ([Dispatched, ForMedia], State.CONNECTED),
    (State.RECONNECTING, wire.Refused): (ENDED, State.DISCONNECTED),
    (State.RECONNECTING, wire.Disconnected): (ENDED, State.DISCONNECTED),
    (State.DISCONNECTING, Connect): ([ConnectDone], State.DISCONNECTING),
    (State.DISCONNECTING, Ask): ([Answered], State.DISCONNECTING),
    (State.DISCONNECTING, SocketOpened): ([Send], State.DISCONNECTING),
    (State.DISCONNECTING, wire.Resumed): ([Send], State.DISCONNECTING),
    (State.DISCONNECTING, wire.Refused): (ENDED, State.DISCONNECTED),
    (State.DISCONNECTING, SocketLost): (ENDED, State.DISCONNECTED),
    (State.DISCONNECTING, wire.Reply): (ENDED, State.DISCONNECTED),
    (State.DISCONNECTING, wire.Ping): ([Send], State.DISCONNECTING),
    (State.DISCONNECTING, wire.Disconnected): (ENDED, State.DISCONNECTED),
}
"""What each input leads to, beside the session's facts: those go to the presence while the client is connected."""

INPUTS = [kind for kind in get_args(Input) if kind is not Received]
FACTS = get_args(Fact)


def name(value: State | type) -> str:
    """How a test's parameter is printed."""
    return value.name if isinstance(value, State) else value.__name__


def test_the_table_here_is_the_whole_table() -> None:
    facts = set(itertools.product((State.CONNECTED, State.DISCONNECTING), FACTS))
    notices = {(State.CONNECTED, notice) for notice in get_args(MediaNotice)}
    assert set(module._ROWS) == set(TABLE) | facts | notices
    assert set(FACTS) < set(get_args(wire.ServerMessage))


@pytest.mark.parametrize(("state", "kind"), list(TABLE), ids=name)
def test_every_row_does_what_it_says(state: State, kind: type) -> None:
    driver = driver_in(state)
    expected, next_state = TABLE[state, kind]
    effects = driver.feed(input_of(kind, driver))
    assert [type(effect) for effect in effects] == expected
    assert driver.core.state is next_state


@pytest.mark.parametrize("state", [State.CONNECTED, State.DISCONNECTING], ids=name)
def test_facts_of_the_session_are_told_while_the_client_is_in_it(state: State) -> None:
    driver = driver_in(state)
    [effect] = driver.message(wire.Signal("own", "chat", "hello"), 12)
    assert isinstance(effect, Dispatched)
    assert effect.event.type == "signal:chat"


def test_what_concerns_the_media_of_the_client_goes_there() -> None:
    driver = driver_in(State.CONNECTED)
    bound = wire.Bound(wire.Binding(1, 1, 0, 1))
    assert driver.message(bound) == [ForMedia(bound)]
    own, others = (wire.StreamDestroyed("stream", of, "forceUnpublished") for of in ("own", "ida"))
    assert driver.message(own, 12) == [ForMedia(own)]
    assert driver.message(others, 13) == []
    interrupted = wire.ConnectionInterrupted("ida")
    assert driver.message(interrupted, 14) == [ForMedia(interrupted)]


KNOWN = [kind for kind in (*INPUTS, *(type(message) for message in MESSAGES))]


@pytest.mark.parametrize(
    ("state", "kind"), [row for row in itertools.product(State, KNOWN) if row not in module._ROWS], ids=name
)
def test_every_missing_row_has_no_effect(state: State, kind: type) -> None:
    driver = driver_in(state)
    deadline_before = driver.core.next_deadline()
    assert driver.feed(input_of(kind, driver)) == []
    assert driver.core.state is state
    assert driver.core.next_deadline() == deadline_before


@pytest.mark.parametrize("stale", [SocketOpened(1), SocketLost(1, None, 0.5, "late"), Received(1, 9, wire.Ping())])
def test_what_comes_from_an_older_socket_is_stale(stale: Input) -> None:
    driver = driver_in(State.RECONNECTING)
    assert driver.socket == 2
    assert driver.feed(stale) == []


def test_numbers_only_grow() -> None:
    driver = driver_in(State.CONNECTED)
    signal = wire.Signal("own")
    assert driver.message(signal, JOINED.number) == []
    assert len(driver.message(signal, 12)) == 1
    assert driver.message(signal, 9) == []
    assert driver.message(signal, 12) == []
    driver.message(wire.Ping())
    assert driver.effects[-1] == Send(0, 12, wire.Pong())


def test_a_client_that_leaves_without_a_socket_gets_another_for_its_goodbye() -> None:
    driver = driver_in(State.RECONNECTING)
    driver.lose()
    assert driver.core.next_deadline() != driver.now, "the next attempt is not at once"
    assert [type(effect) for effect in driver.feed(Disconnect())] == [OpenSocket]
    (resume,) = driver.open()
    assert isinstance(resume, Send)
    assert isinstance(resume.body, wire.Resume)
    (leave,) = driver.message(RESUMED)
    assert isinstance(leave, Send)
    assert leave.body == wire.Leave()
    assert [type(effect) for effect in driver.message(wire.Reply(leave.id))] == ENDED


def test_a_goodbye_that_cannot_be_said_is_given_up_soon() -> None:
    driver = driver_in(State.RECONNECTING)
    driver.lose()
    driver.feed(Disconnect())
    assert [type(effect) for effect in driver.wait(3)] == ENDED
    assert driver.core.next_deadline() is None


def test_deadlines_are_acted_on_once_and_not_early() -> None:
    driver = driver_in(State.CONNECTED)
    assert driver.core.next_deadline() == 20
    assert driver.wait(19.9) == []
    assert [type(effect) for effect in driver.wait(0.1)] == [Dispatched, CloseSocket, OpenSocket]
    assert driver.core.state is State.RECONNECTING
    assert driver.wait(0) == []


def test_a_request_without_any_answer_puts_the_socket_in_doubt_and_then_ends_it() -> None:
    driver = driver_in(State.CONNECTED)
    driver.feed(Ask(1, wire.SendSignal()))
    assert driver.wait(module.DOUBT_S) == [Send(0, JOINED.number, wire.Ping())]
    assert [type(effect) for effect in driver.wait(module.PROBE_S)] == [Dispatched, CloseSocket, OpenSocket]


@pytest.mark.parametrize("when", [0.0, module.DOUBT_S])
def test_any_word_of_the_server_ends_the_doubt(when: float) -> None:
    driver = driver_in(State.CONNECTED)
    driver.feed(Ask(1, wire.SendSignal()))
    driver.wait(when)
    driver.message(wire.Pong())
    assert not any(isinstance(effect, OpenSocket | Send) for effect in driver.wait(15))


def test_a_client_that_does_not_read_doubts_nothing() -> None:
    driver = driver_in(State.CONNECTED)
    driver.feed(Ask(1, wire.SendSignal()))
    driver.feed(Reading(on=False))
    driver.feed(Ask(2, wire.SendSignal()))
    assert driver.wait(20) == []


def test_requests_that_piled_up_keep_their_order_and_the_pace_of_the_server() -> None:
    driver = driver_in(State.RECONNECTING)
    for ticket in range(200):
        driver.feed(Ask(ticket, wire.SendSignal(data=str(ticket))))
    sent = signals_in(driver.message(RESUMED))
    assert sent == []
    driver.feed(Ask(200, wire.SendSignal(data="200")))
    for _ in range(40):
        turn = signals_in(driver.wait(module.PACE_S))
        assert len(turn) <= module.PACE_NEXT
        sent += turn
        for text in turn:
            driver.message(wire.Reply(id=int(text or "") + 1))
    assert sent == [str(number) for number in range(201)]
    assert signals_in(driver.feed(Ask(201, wire.SendSignal(data="201")))) == ["201"]


def test_a_request_that_was_answered_before_its_turn_is_not_sent_again() -> None:
    driver = driver_in(State.CONNECTED)
    for ticket in range(10):
        driver.feed(Ask(ticket, wire.SendSignal(data=str(ticket))))
    driver.lose()
    driver.open()
    driver.message(RESUMED)
    driver.message(wire.Reply(id=10))
    assert signals_in(driver.wait(module.PACE_S)) == [str(number) for number in range(8)]
    assert signals_in(driver.wait(module.PACE_S)) == ["8"]


def test_no_more_wait_for_their_answers_on_a_socket_than_the_server_takes_at_once() -> None:
    driver = driver_in(State.CONNECTED)
    effects = [effect for ticket in range(100) for effect in driver.feed(Ask(ticket, wire.SendSignal()))]
    assert len(signals_in(effects)) == module.ON_SOCKET
    assert len(signals_in(driver.message(wire.Reply(id=1)))) == 1


def signals_in(effects: list[Effect]) -> list[str | None]:
    return [e.body.data for e in effects if isinstance(e, Send) and isinstance(e.body, wire.SendSignal)]


def test_a_socket_that_is_lost_soon_after_resuming_counts_as_a_failed_try() -> None:
    driver = driver_in(State.RECONNECTING)
    driver.message(RESUMED)
    effects = driver.lose()
    assert not any(isinstance(effect, OpenSocket) for effect in effects)
    driver.wait(0.25)
    driver.open()
    driver.message(RESUMED)
    driver.now += module.STEADY_S
    assert any(isinstance(effect, OpenSocket) for effect in driver.lose())


def test_no_token_or_key_is_kept_after_its_use() -> None:
    driver = driver_in(State.CONNECTED)
    assert driver.core._token == ""
    driver.message(wire.Disconnected("forceDisconnected"))
    assert driver.core._resume_key == ""


inputs = some.one_of(
    some.just("connect"),
    some.just("disconnect"),
    some.just("ask"),
    some.just("open"),
    some.sampled_from([None, 1012, 4002, 4004, 4005]).map(lambda code: ("lose", code)),
    some.sampled_from([0.0, 0.3, 3.0, 10.0, 20.0, 60.0]).map(lambda seconds: ("wait", seconds)),
    some.sampled_from(MESSAGES).flatmap(lambda m: some.integers(0, 12).map(lambda number: ("message", m, number))),
)


@settings(max_examples=300)
@given(some.lists(inputs, max_size=60))
def test_whatever_comes_every_joining_ends_once_and_every_request_is_answered_once(story: list[object]) -> None:
    driver = Driver(new_core())
    tickets = itertools.count(1)
    asked = 0
    for step in [*story, "disconnect", ("wait", 100.0), ("wait", 100.0)]:
        match step:
            case "connect":
                driver.feed(Connect("token"))
            case "disconnect":
                driver.feed(Disconnect())
            case "ask":
                asked += 1
                driver.feed(Ask(next(tickets), wire.SendSignal(data="x")))
            case "open":
                if not driver.core._opened:
                    driver.open()
            case ("lose", int() | None as code):
                driver.lose(code)
            case ("wait", float(seconds)):
                driver.wait(seconds)
            case ("message", body, int(number)):
                if driver.core._opened:
                    driver.message(body, number)  # type: ignore[arg-type]  # one of MESSAGES
    effects = driver.effects
    assert driver.core.state is State.DISCONNECTED
    assert driver.core.next_deadline() is None
    joins = sum(isinstance(e, ConnectDone) and e.error is None for e in effects)
    told = [e.event.type for e in effects if isinstance(e, Dispatched)]
    assert told.count("sessionConnected") == told.count("sessionDisconnected") <= joins
    for connected, ended in zip(_places(told, "sessionConnected"), _places(told, "sessionDisconnected"), strict=True):
        assert connected < ended
    answers = [e.ticket for e in effects if isinstance(e, Answered)]
    assert sorted(answers) == list(range(1, asked + 1))
    _check_sockets(effects)


def _places(types: list[str], wanted: str) -> list[int]:
    return [place for place, type in enumerate(types) if type == wanted]


def _check_sockets(effects: list[Effect]) -> None:
    """At most one socket at a time, each closed once, and nothing is sent without one."""
    in_use = 0
    for effect in effects:
        match effect:
            case OpenSocket(number):
                assert in_use == 0
                in_use = number
            case CloseSocket(number):
                assert in_use == number
                in_use = 0
            case Send():
                assert in_use
    assert in_use == 0


def test_the_end_is_told_after_everything_else_is_settled() -> None:
    driver = driver_in(State.CONNECTED)
    driver.feed(Ask(5, wire.SendSignal()))
    effects = driver.message(wire.Disconnected("forceDisconnected"))
    kinds = [type(effect) for effect in effects]
    assert kinds == [CloseSocket, Answered, MediaOver, DisconnectDone, Dispatched]
    last = effects[-1]
    assert isinstance(last, Dispatched)
    assert isinstance(last.event, SessionDisconnectEvent)
    assert driver.core.presence.own is None

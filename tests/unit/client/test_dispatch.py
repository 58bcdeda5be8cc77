"""Delivery of events to handlers and iterators."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tertulia.client import (
    DisconnectReason,
    Event,
    InvalidParameterError,
    LimitExceededError,
    Session,
    SessionDisconnectEvent,
    SignalEvent,
)
from tertulia.client.dispatch import EventDispatcher
from tertulia.client.events import SESSION_EVENTS
from tests.unit.client.virtual_time import VirtualTimeLoop


@pytest.fixture
async def dispatcher(loop: VirtualTimeLoop) -> EventDispatcher:
    return EventDispatcher(SESSION_EVENTS)


def signal(data: str = "", type: str = "") -> SignalEvent:
    return SignalEvent(type, data, None)


def end() -> SessionDisconnectEvent:
    return SessionDisconnectEvent(DisconnectReason.CLIENT_DISCONNECTED)


async def test_handlers_never_run_inside_the_call_that_dispatches(dispatcher: EventDispatcher) -> None:
    seen: list[str] = []

    def again(event: SignalEvent) -> None:
        seen.append(f"begin {event.data}")
        if event.data == "one":
            dispatcher.dispatch(signal("two"))
        seen.append(f"end {event.data}")

    dispatcher.add(SignalEvent, again, once=False)
    dispatcher.dispatch(signal("one"))
    assert seen == []
    await dispatcher.drained()
    assert seen == ["begin one", "end one", "begin two", "end two"]


async def test_handlers_run_in_the_order_of_registration_however_they_were_registered(
    dispatcher: EventDispatcher,
) -> None:
    seen: list[str] = []

    async def slowly(event: Event) -> None:
        await asyncio.sleep(1)
        seen.append("asynchronous")

    dispatcher.add("signal", lambda event: seen.append("by name"), once=False)
    dispatcher.add(SignalEvent, slowly, once=False)
    dispatcher.add(Event, lambda event: seen.append("by base class"), once=False)
    dispatcher.add("signal:chat", lambda event: seen.append("by type"), once=False)
    dispatcher.add("signal:other", lambda event: seen.append("not this one"), once=False)
    dispatcher.dispatch(signal(type="chat"))
    await dispatcher.drained()
    assert seen == ["by name", "asynchronous", "by base class", "by type"]


async def test_a_throwing_handler_is_reported_and_stops_nothing(
    dispatcher: EventDispatcher, loop: VirtualTimeLoop, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[str] = []

    async def broken_later(event: Event) -> None:
        await asyncio.sleep(1)
        raise LookupError("later")

    def broken(event: Event) -> None:
        raise ValueError("at once")

    dispatcher.add("signal", broken, once=False)
    dispatcher.add("signal", broken_later, once=False)
    dispatcher.add("signal", lambda event: seen.append(event.data), once=False)
    dispatcher.dispatch(signal("one"))
    dispatcher.dispatch(signal("two"))
    await dispatcher.drained()
    assert seen == ["one", "two"]
    assert [str(problem["exception"]) for problem in loop.problems] == ["at once", "later"] * 2
    assert "a handler of signal raised" in caplog.text


async def test_the_default_can_be_prevented_until_the_last_handler_has_finished(dispatcher: EventDispatcher) -> None:
    late: list[asyncio.Task[None]] = []

    async def prevent_later(event: Event) -> None:
        await asyncio.sleep(0)
        event.prevent_default()

    def prevent_when_it_is_too_late(event: Event) -> None:
        late.append(asyncio.create_task(prevent_later(event)))

    dispatcher.add("sessionDisconnected", prevent_later, once=True)
    dispatcher.dispatch(prevented := end())
    await dispatcher.drained()
    dispatcher.add("sessionDisconnected", prevent_when_it_is_too_late, once=True)
    dispatcher.dispatch(not_prevented := end())
    await dispatcher.drained()
    await late[0]
    assert prevented.is_default_prevented() is True
    assert not_prevented.is_default_prevented() is False


async def test_once_is_once_and_the_same_handler_twice_is_twice(dispatcher: EventDispatcher) -> None:
    seen: list[str] = []

    def note(event: SignalEvent) -> None:
        seen.append(event.data)

    dispatcher.add("signal", note, once=True)
    dispatcher.add("signal", note, once=False)
    dispatcher.add("signal", note, once=False)
    dispatcher.dispatch(signal("one"))
    dispatcher.dispatch(signal("two"))
    await dispatcher.drained()
    assert seen == ["one", "one", "one", "two", "two"]


async def test_a_handler_that_was_removed_before_its_turn_is_not_called(dispatcher: EventDispatcher) -> None:
    seen: list[str] = []

    def second(event: Event) -> None:
        seen.append("second")

    dispatcher.add("signal", lambda event: dispatcher.remove("signal", second), once=False)
    dispatcher.add("signal", second, once=False)
    dispatcher.dispatch(signal())
    await dispatcher.drained()
    assert seen == []


@pytest.mark.parametrize(
    ("wanted", "handler_too", "left"),
    [
        (None, False, []),
        ("signal", False, ["other"]),
        ("signal", True, ["second", "other"]),
        (SignalEvent, False, None),
    ],
)
async def test_removing_is_as_narrow_as_it_is_told(
    dispatcher: EventDispatcher, wanted: str | type[Event] | None, handler_too: bool, left: list[str] | None
) -> None:
    seen: list[str] = []

    def first(event: Event) -> None:
        seen.append("first")

    dispatcher.add("signal", first, once=False)
    dispatcher.add("signal", lambda event: seen.append("second"), once=False)
    dispatcher.add("sessionDisconnected", lambda event: seen.append("other"), once=False)
    dispatcher.remove(wanted, first if handler_too else None)
    dispatcher.dispatch(signal())
    dispatcher.dispatch(end())
    await dispatcher.drained()
    assert seen == (["first", "second", "other"] if left is None else left)


@pytest.mark.parametrize("wanted", ["sesionConnected", "", "archiveStarted", int, None])
async def test_an_event_that_does_not_exist_is_refused(dispatcher: EventDispatcher, wanted: Any) -> None:
    with pytest.raises(InvalidParameterError, match="There is no event"):
        dispatcher.add(wanted, print, once=False)


async def test_a_handler_that_cannot_be_called_is_refused(dispatcher: EventDispatcher) -> None:
    with pytest.raises(InvalidParameterError, match="not callable"):
        dispatcher.add("signal", "print", once=False)  # type: ignore[arg-type]  # that is what is tested


async def test_draining_from_a_handler_returns_at_once(dispatcher: EventDispatcher) -> None:
    async def drain(event: Event) -> None:
        await dispatcher.drained()

    dispatcher.add("signal", drain, once=False)
    dispatcher.dispatch(signal())
    await dispatcher.drained()


async def test_an_iterator_gets_everything_up_to_the_end(dispatcher: EventDispatcher) -> None:
    iterator = dispatcher.iterate()
    for event in (signal("one"), signal("two"), end(), signal("of the next connection")):
        dispatcher.dispatch(event)
    assert [event.type async for event in iterator] == ["signal", "signal", "sessionDisconnected"]


async def test_an_iterator_waits_for_what_is_to_come(dispatcher: EventDispatcher) -> None:
    iterator = dispatcher.iterate()
    coming = asyncio.create_task(anext(iterator))
    await asyncio.sleep(1)
    assert not coming.done()
    dispatcher.dispatch(signal("now"))
    event = await coming
    assert isinstance(event, SignalEvent)
    assert event.data == "now"


async def test_an_iterator_that_falls_behind_says_so_and_holds_up_nobody(
    dispatcher: EventDispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tertulia.client.dispatch.WAITING_EVENTS", 3)
    behind, ahead = dispatcher.iterate(), dispatcher.iterate()
    for n in range(4):
        dispatcher.dispatch(signal(str(n)))
        assert isinstance(await anext(ahead), SignalEvent)
    with pytest.raises(LimitExceededError, match="behind"):
        await anext(behind)


async def test_an_iterator_that_nobody_holds_is_forgotten(dispatcher: EventDispatcher) -> None:
    dispatcher.iterate()
    kept = dispatcher.iterate()
    dispatcher.dispatch(signal())
    await anext(kept)
    assert len(dispatcher._iterators) == 1


async def test_a_session_registers_in_every_form(session: Session) -> None:
    def handler(event: Event) -> None: ...

    assert session.on("sessionConnected", handler) is session
    assert session.once(SessionDisconnectEvent, handler) is session
    assert session.on("signal")(handler) is handler
    assert session.once(SignalEvent)(handler) is handler
    assert session.off("signal", handler).off("sessionConnected").off() is session


async def test_a_handler_that_hangs_stops_the_others_for_ten_seconds_only(
    dispatcher: EventDispatcher, loop: VirtualTimeLoop, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[float] = []
    ended: list[str] = []

    async def hang(event: Event) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(event.type)

    dispatcher.add("signal", hang, once=True)
    dispatcher.add("signal", lambda _: seen.append(loop.time()), once=False)
    began = loop.time()
    dispatcher.dispatch(signal())
    dispatcher.dispatch(signal())
    await dispatcher.drained()
    assert seen == [began + 10, began + 10]
    assert "has taken more than 10 s" in caplog.text
    assert ended == []
    await dispatcher.cancel_hanging()
    assert ended == ["signal"]

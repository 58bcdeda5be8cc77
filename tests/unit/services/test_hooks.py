"""Hooks of the application: what they see, what they may refuse, and that none of them can hurt the server."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from tertulia.domain import events
from tertulia.errors import RefusedByApplicationError
from tertulia.services.hooks import (
    EVENTS_WAITING,
    ConnectionAttempt,
    Hooks,
    Refused,
    SessionEvent,
    SignalAttempt,
    StreamAttempt,
)
from tertulia.wire import signalling
from tests.fakes.house import House, settle
from tests.fakes.store import MemoryStore

REFUSED = ("OT_REFUSED_BY_APPLICATION", 403)


class Doorkeeper(Hooks):
    """Does to everything what the test has set: `allow`, `refuse`, `raise` or `hang`."""

    def __init__(self) -> None:
        self.mood = "allow"
        self.released = False
        self.asked: list[ConnectionAttempt | StreamAttempt | SignalAttempt] = []
        self.seen: list[SessionEvent] = []

    async def allow_connection(self, attempt: ConnectionAttempt) -> None:
        await self._decide(attempt)

    async def allow_stream(self, attempt: StreamAttempt) -> None:
        await self._decide(attempt)

    async def allow_signal(self, attempt: SignalAttempt) -> None:
        await self._decide(attempt)

    async def on_event(self, event: SessionEvent) -> None:
        self.seen.append(event)
        await self._decide(None)

    async def _decide(self, attempt: ConnectionAttempt | StreamAttempt | SignalAttempt | None) -> None:
        if attempt is not None:
            self.asked.append(attempt)
        match self.mood:
            case "refuse":
                raise Refused("Members only.")
            case "raise":
                raise RuntimeError("defect of the application")
            case "hang":
                await asyncio.Event().wait()
            case "hang on":
                while not self.released:
                    with contextlib.suppress(asyncio.CancelledError):
                        await asyncio.Event().wait()


@pytest.fixture
def hooks() -> Doorkeeper:
    return Doorkeeper()


@pytest.fixture
async def house(hooks: Doorkeeper) -> AsyncIterator[House]:
    opened = await House.open(MemoryStore(), hooks)
    yield opened
    hooks.released = True
    await opened.sessions.close()
    closing = asyncio.create_task(opened.close_hooks())
    await opened.pass_time(3)
    await closing


async def test_hooks_see_what_happens_in_the_order_in_which_it_happens(house: House, hooks: Doorkeeper) -> None:
    ann = await house.join()
    await ann.negotiate()
    stream = await ann.publish()
    await ann.ask(signalling.SendSignal(None, "chat", "hello"))
    await ann.ask(signalling.Unpublish(stream.id))
    await house.sessions.force_disconnect(house.record.session_id, ann.id)
    await settle()

    kinds = [type(event.fact) for event in hooks.seen]
    assert kinds == [
        events.ConnectionCreated,
        events.StreamCreated,
        events.SignalSent,
        events.StreamDestroyed,
        events.ConnectionDestroyed,
    ]
    assert {event.session_id for event in hooks.seen} == {house.record.session_id}
    numbers = [event.number for event in hooks.seen]
    assert numbers == sorted(set(numbers))


async def test_hooks_are_asked_before_anything_happens(house: House, hooks: Doorkeeper) -> None:
    ann = await house.join()
    await ann.negotiate()
    stream = await ann.publish()
    await ann.ask(signalling.SendSignal(None, "chat", "hello"))
    await house.sessions.signal(house.record.session_id, to=ann.id, signal_type="chat", data="psst")

    connection, publishing, signal, from_rest = hooks.asked
    assert isinstance(connection, ConnectionAttempt)
    assert (connection.connection_id, connection.role) == (ann.id, ann.role)
    assert isinstance(publishing, StreamAttempt)
    assert (publishing.connection_id, publishing.stream_id) == (ann.id, stream.id)
    assert signal == SignalAttempt(house.record.session_id, ann.id, None, "chat", "hello")
    assert from_rest == SignalAttempt(house.record.session_id, None, ann.id, "chat", "psst")


@pytest.mark.parametrize("mood", ["refuse", "raise", "hang", "hang on"])
async def test_a_connection_is_refused_by_a_hook_that_says_no_breaks_or_hangs(
    house: House, hooks: Doorkeeper, mood: str
) -> None:
    witness = await house.join()
    before = len(witness.socket.frames)
    hooks.mood = mood
    joining = asyncio.create_task(house.join())
    await settle()
    await house.pass_time(0.9)
    assert joining.done() is (mood in ("refuse", "raise"))
    await house.pass_time(0.2)

    with pytest.raises(RefusedByApplicationError) as refusal:
        await joining
    assert (refusal.value.message == "Members only.") is (mood == "refuse")
    assert len(witness.socket.frames) == before


@pytest.mark.parametrize("mood", ["refuse", "raise", "hang", "hang on"])
async def test_a_stream_is_refused_with_the_typed_error_and_nobody_hears_of_it(
    house: House, hooks: Doorkeeper, mood: str
) -> None:
    ann, bob = await house.join(), await house.join()
    await ann.negotiate()
    hooks.mood = mood
    offer = signalling.Publish(
        epoch=1,
        offer="v=0\r\n",
        slots=[],
        name="",
        has_audio=True,
        has_video=False,
        video_dimensions=signalling.Dimensions(0, 0),
        audio_mid="pa",
    )
    sending = asyncio.create_task(ann.send(offer))
    await settle()
    await house.pass_time(1.1)
    error = ann.reply_to(await sending).error

    assert error is not None
    assert (error.name, error.code) == REFUSED
    assert bob.of(signalling.StreamCreated) == []
    hooks.mood = "allow"
    assert (await ann.publish()).id


@pytest.mark.parametrize("mood", ["refuse", "raise", "hang"])
async def test_a_signal_is_refused_and_reaches_nobody(house: House, hooks: Doorkeeper, mood: str) -> None:
    ann, bob = await house.join(), await house.join()
    hooks.mood = mood
    sending = asyncio.create_task(ann.send(signalling.SendSignal(None, "chat", "hello")))
    rest = asyncio.create_task(house.sessions.signal(house.record.session_id, to=None, signal_type=None, data="x"))
    await settle()
    await house.pass_time(1.1)
    error = ann.reply_to(await sending).error

    assert error is not None
    assert (error.name, error.code) == REFUSED
    with pytest.raises(RefusedByApplicationError):
        await rest
    assert bob.of(signalling.Signal) == []


async def test_a_refused_request_that_is_repeated_gets_the_same_answer(house: House, hooks: Doorkeeper) -> None:
    ann = await house.join()
    hooks.mood = "refuse"
    number = await ann.send(signalling.SendSignal(None, "chat", "hello"))
    hooks.mood = "allow"
    await ann.send(signalling.SendSignal(None, "chat", "hello"), request_id=number)

    first, second = [reply for reply in ann.of(signalling.Reply) if reply.id == number]
    assert first == second
    assert ann.of(signalling.Signal) == []


async def test_a_hook_that_breaks_or_hangs_over_an_event_does_not_keep_the_next_from_it(
    house: House, hooks: Doorkeeper
) -> None:
    hooks.mood = "allow"
    ann = await house.join()
    hooks.mood = "hang"
    house.hook_runner.happened(house.record.session_id, 98, events.ConnectionInterrupted(ann.id))
    await settle()
    hooks.mood = "allow"
    house.hook_runner.happened(house.record.session_id, 99, events.ConnectionRestored(ann.id))
    await house.pass_time(10.1)

    assert [event.number for event in hooks.seen][-2:] == [98, 99]


async def test_events_that_nobody_takes_are_bounded(house: House, hooks: Doorkeeper) -> None:
    ann = await house.join()
    fact = events.ConnectionInterrupted(ann.id)
    for number in range(EVENTS_WAITING + 50):
        house.hook_runner.happened(house.record.session_id, number, fact)
    await house.hook_runner.close()

    assert hooks.seen[-1].number == EVENTS_WAITING - 1


async def test_who_overrides_nothing_is_asked_nothing() -> None:
    house = await House.open(MemoryStore(), Hooks())
    ann = await house.join()
    assert (await ann.ask(signalling.SendSignal(None, "chat", "hello"))).error is None
    assert not house.hook_runner.watches
    await house.sessions.close()

"""Delivering callbacks, in virtual time: order, repetition, setting aside, giving up, leases, a store that is away."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tertulia.clock import WallTime
from tertulia.domain.callbacks import Callback, CallbackGroup, Delivery, DeliveryStatus, OutboxEntry, Outcome
from tertulia.errors import InvalidParameterError, NotFoundError
from tertulia.ids import ApiKey, SessionId
from tertulia.services import dispatcher as dispatcher_module
from tertulia.services.callbacks import Callbacks
from tertulia.services.dispatcher import PER_RECEIVER, Dispatcher
from tests.fakes.callbacks import FakeReceiver, MemoryCallbacks
from tests.fakes.clock import FakeClock
from tests.fakes.house import settle
from tests.fakes.ids import CountingIds

KEY = ApiKey("10000000")
URL = "https://receiver.example.org/events"
HOUR_S = 3600.0
STRIDE_S = 60.0


class Post:
    """A dispatcher with its store, a receiver, and callbacks for all that sessions report."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = MemoryCallbacks()
        self.receiver = FakeReceiver(self.clock)
        self.dispatcher = self.make_dispatcher("first")
        self.callbacks = Callbacks(self.store, CountingIds(), self.clock, wake=lambda: self.dispatcher.wake())
        self.events = 0

    def make_dispatcher(self, worker: str) -> Dispatcher:
        return Dispatcher(self.store, self.receiver, self.clock, worker)

    async def register(self, url: str = URL, key: ApiKey = KEY) -> None:
        for group in ("connection", "stream"):
            for event in ("created", "destroyed"):
                await self.callbacks.register(key, group, event, url)

    async def happen(self, *names: str, session: str = "2_a", key: ApiKey = KEY) -> None:
        for name in names:
            self.events += 1
            group = CallbackGroup("stream" if name.startswith("stream") else "connection")
            event = "created" if name.endswith("Created") else "destroyed"
            entry = OutboxEntry(f"event-{self.events}", key, group, event, name, f'{{"n":{self.events}}}')
            self.store.put(SessionId(session), self.clock.wall(), entry)
        self.dispatcher.wake()
        await settle()

    async def pass_time(self, seconds: float, stride_s: float = 0.0) -> None:
        """Let time pass from timer to timer, or of a long time in strides: the dispatcher looks every few seconds."""
        end = self.clock.monotonic() + seconds
        while (when := self.clock.next_timer()) is not None and when <= end:
            step = max(stride_s, when - self.clock.monotonic())
            self.clock.advance(min(step, end - self.clock.monotonic()))
            await settle()
        self.clock.advance(max(0.0, end - self.clock.monotonic()))
        await settle()

    def statuses(self) -> list[DeliveryStatus]:
        return [each.status for each in self.store.deliveries.values()]


@pytest.fixture
async def post() -> AsyncIterator[Post]:
    opened = Post()
    await opened.register()
    opened.dispatcher.start()
    await settle()
    yield opened
    closing = asyncio.create_task(opened.dispatcher.close())
    await settle()
    await opened.pass_time(10)
    await closing


async def test_what_happens_is_delivered_at_once_and_in_order(post: Post) -> None:
    await post.happen("connectionCreated", "streamCreated", "streamDestroyed", "connectionDestroyed")
    assert post.receiver.names == ["connectionCreated", "streamCreated", "streamDestroyed", "connectionDestroyed"]
    assert post.statuses() == [DeliveryStatus.DELIVERED] * 4
    assert post.store.lanes == {}


async def test_a_receiver_that_is_down_is_tried_again_after_5_s_doubling_to_15_minutes(post: Post) -> None:
    post.receiver.down = True
    await post.happen("connectionCreated")
    await post.pass_time(HOUR_S)
    steps = [after - before for before, after in zip(post.receiver.times, post.receiver.times[1:], strict=False)]
    assert steps == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]


async def test_those_behind_wait_for_their_turn_and_keep_their_order(post: Post) -> None:
    post.receiver.down = True
    await post.happen("connectionCreated", "streamCreated")
    await post.pass_time(60)
    await post.happen("streamDestroyed")
    assert set(post.receiver.names) == {"connectionCreated"}
    post.receiver.down = False
    attempts = len(post.receiver.got)
    await post.pass_time(HOUR_S)
    assert post.receiver.names[attempts:] == ["connectionCreated", "streamCreated", "streamDestroyed"]


async def test_one_session_does_not_wait_for_another(post: Post) -> None:
    post.receiver.answers.append(Outcome(503))
    await post.happen("connectionCreated", session="2_stuck")
    await post.happen("connectionCreated", session="2_free")
    assert [each.session_id for _, each in post.receiver.got] == ["2_stuck", "2_free"]
    assert post.statuses() == [DeliveryStatus.PENDING, DeliveryStatus.DELIVERED]


async def test_an_event_that_the_receiver_refuses_five_times_is_set_aside_and_the_next_goes_out(post: Post) -> None:
    post.receiver.answers.extend([Outcome(400), Outcome(404), Outcome(410), Outcome(403), Outcome(422)])
    await post.happen("connectionCreated", "streamCreated")
    await post.pass_time(5 + 10 + 20 + 40)
    assert post.receiver.times == [0, 5, 15, 35, 75, 75]
    assert post.statuses() == [DeliveryStatus.SET_ASIDE, DeliveryStatus.DELIVERED]
    assert post.store.deliveries[1].last_status == 422


@pytest.mark.parametrize("status", [408, 429, 500, 503, 302])
async def test_too_slow_too_many_and_failures_are_no_refusals(post: Post, status: int) -> None:
    post.receiver.answers.extend([Outcome(status)] * 8)
    await post.happen("connectionCreated")
    await post.pass_time(HOUR_S)
    assert len(post.receiver.got) == 9
    assert post.statuses() == [DeliveryStatus.DELIVERED]


async def test_after_a_day_an_event_is_given_up_and_those_behind_have_had_a_try(post: Post) -> None:
    post.receiver.down = True
    await post.happen("connectionCreated")
    await post.pass_time(HOUR_S)
    await post.happen("connectionDestroyed")
    await post.pass_time(24 * HOUR_S, STRIDE_S)
    assert post.statuses() == [DeliveryStatus.DEAD] * 2
    assert {each.name for _, each in post.receiver.got} == {"connectionCreated", "connectionDestroyed"}
    last = max(time for time, each in post.receiver.got if each.name == "connectionCreated")
    assert 24 * HOUR_S - 900 <= last <= 24 * HOUR_S, "tried to the end, and not beyond"
    assert post.store.lanes == {}


async def test_what_was_given_up_or_set_aside_can_be_sent_again(post: Post) -> None:
    post.receiver.answers.extend([Outcome(400)] * 5)
    await post.happen("connectionCreated", "streamCreated")
    await post.pass_time(100)
    post.receiver.down = True
    await post.happen("streamDestroyed")
    await post.pass_time(25 * HOUR_S, STRIDE_S)
    assert post.statuses() == [DeliveryStatus.SET_ASIDE, DeliveryStatus.DELIVERED, DeliveryStatus.DEAD]
    post.receiver.down = False
    attempts = len(post.receiver.got)
    assert await post.callbacks.replay_all(KEY) == 2
    await settle()
    assert sorted(post.receiver.names[attempts:]) == ["connectionCreated", "streamDestroyed"]
    assert post.statuses() == [DeliveryStatus.DELIVERED] * 3
    again = await post.callbacks.replay(KEY, 2)
    await settle()
    assert again.event_id == "event-2", "the same event, so that its receiver can tell"
    assert post.receiver.names[-1] == "streamCreated"
    with pytest.raises(NotFoundError):
        await post.callbacks.replay(ApiKey("20000000"), 2)


async def test_what_is_pending_cannot_be_replayed(post: Post) -> None:
    post.receiver.down = True
    await post.happen("connectionCreated")
    with pytest.raises(InvalidParameterError, match="pending"):
        await post.callbacks.replay(KEY, 1)


async def test_a_store_that_is_away_for_a_minute_loses_and_repeats_nothing(post: Post) -> None:
    release = asyncio.Event()

    async def slow(delivery: Delivery, secret: str, now: WallTime) -> Outcome:
        post.receiver.got.append((0.0, delivery))
        if len(post.receiver.got) == 1:
            await release.wait()
        return Outcome(200)

    post.receiver.send = slow  # type: ignore[method-assign]
    await post.happen("connectionCreated", "streamCreated")
    post.store.away = True
    release.set()
    await post.pass_time(60)
    assert post.receiver.names == ["connectionCreated"]
    post.store.away = False
    await post.pass_time(10)
    assert post.receiver.names == ["connectionCreated", "streamCreated"]
    assert post.statuses() == [DeliveryStatus.DELIVERED] * 2


async def test_what_a_killed_process_had_leased_goes_out_when_the_lease_has_run_out(post: Post) -> None:
    hanging = asyncio.Event()

    async def hang(delivery: Delivery, secret: str, now: WallTime) -> Outcome:
        await hanging.wait()
        return Outcome(200)

    answering, post.receiver.send = post.receiver.send, hang  # type: ignore[method-assign]
    await post.happen("connectionCreated")
    await post.dispatcher._tasks.close()  # killed
    post.receiver.send = answering  # type: ignore[method-assign]
    post.dispatcher = post.make_dispatcher("second")
    post.dispatcher.start()
    await settle()
    await post.pass_time(14)
    assert post.receiver.got == []
    await post.pass_time(2)
    assert post.receiver.names == ["connectionCreated"]


async def test_the_end_of_the_server_leaves_the_lane_to_whoever_comes_next_at_once(post: Post) -> None:
    async def hang(delivery: Delivery, secret: str, now: WallTime) -> Outcome:
        await asyncio.Event().wait()
        return Outcome(200)

    answering, post.receiver.send = post.receiver.send, hang  # type: ignore[method-assign]
    await post.happen("connectionCreated")
    closing = asyncio.create_task(post.dispatcher.close())
    await settle()
    await post.pass_time(5)
    await closing
    post.receiver.send = answering  # type: ignore[method-assign]
    post.dispatcher = post.make_dispatcher("second")
    post.dispatcher.start()
    await settle()
    assert post.receiver.names == ["connectionCreated"]


async def test_what_another_process_put_in_is_found_without_a_word(post: Post) -> None:
    entry = OutboxEntry("event", KEY, CallbackGroup.STREAM, "created", "streamCreated", "{}")
    post.store.put(SessionId("2_a"), post.clock.wall(), entry)
    await settle()
    assert post.receiver.got == []
    await post.pass_time(5)
    assert post.receiver.names == ["streamCreated"]


async def test_a_slow_receiver_takes_few_workers_and_holds_up_nobody_else(post: Post) -> None:
    under_way: list[Delivery] = []
    release = asyncio.Event()
    other = "https://quick.example.org/"
    await post.register(other)

    async def slow(delivery: Delivery, secret: str, now: WallTime) -> Outcome:
        if delivery.url == URL:
            under_way.append(delivery)
            await release.wait()
        else:
            post.receiver.got.append((0.0, delivery))
        return Outcome(200)

    post.receiver.send = slow  # type: ignore[method-assign]
    for number in range(100):
        await post.happen("connectionCreated", session=f"2_{number}")
    assert len(under_way) == PER_RECEIVER
    assert len(post.receiver.got) == 100
    release.set()
    for _ in range(50):  # each round of workers wakes the dispatcher for the next
        await settle()
    assert len(under_way) == 100


async def test_a_long_lane_gives_others_a_turn(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher_module, "TURN", 3)
    await post.happen(*["streamCreated"] * 10)
    await post.pass_time(1)
    assert [each.delivery_id for _, each in post.receiver.got] == list(range(1, 11))


# ---- registering


async def test_callbacks_of_one_project_to_one_address_share_receiver_and_secret(post: Post) -> None:
    one, two, *_ = await post.callbacks.list(KEY)
    elsewhere = await post.callbacks.register(KEY, "session", "created", "https://other.example.org/")
    foreign = await post.callbacks.register("20000000", "session", "created", URL)
    assert (one.receiver_id, one.secret) == (two.receiver_id, two.secret)
    assert len({one.secret, elsewhere.secret, foreign.secret}) == 3
    assert one.secret not in repr(one)


async def test_a_callback_can_be_removed_by_its_project_only(post: Post) -> None:
    first: Callback = (await post.callbacks.list(KEY))[0]
    with pytest.raises(NotFoundError):
        await post.callbacks.remove("20000000", first.callback_id)
    await post.callbacks.remove(KEY, first.callback_id)
    with pytest.raises(NotFoundError):
        await post.callbacks.remove(KEY, first.callback_id)
    assert first not in await post.callbacks.list(KEY)


async def test_a_project_has_at_most_100_callbacks(post: Post) -> None:
    for _ in range(96):
        await post.callbacks.register(KEY, "session", "created", URL)
    with pytest.raises(InvalidParameterError, match="at most 100"):
        await post.callbacks.register(KEY, "session", "created", URL)


@pytest.mark.parametrize(
    ("group", "event", "url"),
    [
        ("room", "created", URL),
        ("stream", "status", URL),
        ("archive", "created", URL),
        ("stream", "created", "ftp://receiver.example.org/"),
        ("stream", "created", "https:///nowhere"),
        ("stream", "created", "https://user:pw@receiver.example.org/"),
        ("stream", "created", "https://receiver.example.org/#part"),
        ("stream", "created", "https://receiver.example.org/a b"),
        ("stream", "created", "https://receiver.example.org\\@10.0.0.1/"),
        ("stream", "created", "https://receiver.example.org:99999/"),
        ("stream", "created", "https://receiver.example.org/" + "a" * 2048),
        ("stream", "created", "http://127.0.0.1/"),
        ("stream", "created", "http://[::ffff:10.0.0.1]/"),
        ("stream", "created", "http://169.254.169.254/latest/meta-data/"),
    ],
)
async def test_what_cannot_be_registered(post: Post, group: str, event: str, url: str) -> None:
    with pytest.raises(InvalidParameterError):
        await post.callbacks.register(KEY, group, event, url)

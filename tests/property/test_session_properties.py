"""Two sessions, any commands in any order: what must hold whatever happens."""

from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tertulia.clock import MonotonicTime
from tertulia.domain.commands import (
    ChangeCodecSupport,
    ChangeVideoFallback,
    EndTransport,
    ForceDisconnect,
    ForceMuteAll,
    ForceMuteStream,
    ForceUnpublish,
    Join,
    Leave,
    LoseSocket,
    Negotiate,
    Publish,
    ReleaseSlot,
    ReportSenderStats,
    ReportStalledVideo,
    Republish,
    Resume,
    SendSignal,
    SetState,
    Subscribe,
    Unpublish,
    Unsubscribe,
    UpdateStream,
    UpdateSubscription,
)
from tertulia.domain.connection import NewPair
from tertulia.domain.roles import Role
from tertulia.domain.stream import Dimensions, Lines
from tertulia.domain.subscription import PairState, VideoFallback
from tertulia.ids import ConnectionId, StreamId, SubscriptionId
from tests.property.session_world import Client, Router, World


class Call:
    """Both sessions. Each action takes two numbers, which choose among what there is, and a flag."""

    def __init__(self) -> None:
        router = Router()
        self.worlds = (World("left", router), World("right", router))
        self.last = 0

    def begin(self, pairs: int) -> None:
        """Three people in one session and one in the other publish and subscribe, so that there is what to break."""
        for role in (Role.MODERATOR, Role.PUBLISHER, Role.SUBSCRIBER):
            self.join(list(Role).index(role), 0, False)
        self.join(list(Role).index(Role.MODERATOR), 0, True)
        for number in range(4):
            self.negotiate(number, pairs, True)
        self.settle_all(0, 0, True)
        for number in range(4):
            self.publish(number, 0, False)
        self.settle_all(0, 0, True)
        for number in range(4):
            for stream in range(4):
                self.subscribe(number, stream, True)

    def anybody(self, number: int) -> tuple[World, Client] | None:
        """Someone with a socket, from either session."""
        people = [(world, client) for world in self.worlds for client in world.connected()]
        return people[number % len(people)] if people else None

    def any_stream(self, number: int, *, live: bool = False) -> StreamId:
        """A stream that is or, unless `live`, was; of either session; or of none."""
        known = (
            [stream.stream_id for world in self.worlds for stream in world.session.streams]
            if live
            else sorted(stream for world in self.worlds for stream in world.streams)
        )
        return known[number % len(known)] if known else StreamId("none")

    def any_connection(self, number: int) -> ConnectionId:
        names = sorted(name for world in self.worlds for name in world.clients)
        return names[number % len(names)] if names else ConnectionId("none")

    # ---- seats

    def join(self, a: int, b: int, flag: bool) -> None:
        world = self.worlds[flag]
        self.last += 1
        name = ConnectionId(f"c{self.last}")
        world.clients[name] = Client(name, ended=True)
        world.do(Join(name, 1, list(Role)[a % 4], "", 2))
        if name in world.session.connections:
            world.clients[name].ended = False
        else:
            del world.clients[name]

    def leave(self, a: int, b: int, flag: bool) -> None:
        if someone := self.anybody(a):
            world, client = someone
            origin = client.next_origin()
            world.ask(client, Leave(origin), origin)

    def lose(self, a: int, b: int, flag: bool) -> None:
        if someone := self.anybody(a):
            world, client = someone
            world.do(LoseSocket(client.connection_id))

    def resume(self, a: int, b: int, flag: bool) -> None:
        world = self.worlds[flag]
        if seated := world.seated():
            client = seated[a % len(seated)]
            world.do(Resume(client.connection_id, client.generation))

    def pass_time(self, a: int, b: int, flag: bool) -> None:
        world = self.worlds[flag]
        world.now = MonotonicTime(world.now + (1.0, 10.0, 80.0)[a % 3])
        world.take(world.session.handle_timeout(world.now))

    def force_disconnect(self, a: int, b: int, flag: bool) -> None:
        if someone := self.anybody(a):
            world, client = someone
            if flag:
                world.do(ForceDisconnect(None, self.any_connection(b)))
            else:
                origin = client.next_origin()
                world.ask(client, ForceDisconnect(origin, self.any_connection(b)), origin)

    def signal(self, a: int, b: int, flag: bool) -> None:
        if someone := self.anybody(a):
            world, client = someone
            origin = client.next_origin()
            receiver = self.any_connection(b) if flag else None
            world.ask(client, SendSignal(origin, receiver, "t", "d"), origin)

    def set_state(self, a: int, b: int, flag: bool) -> None:
        if someone := self.anybody(a):
            world, client = someone
            origin = client.next_origin()
            key = ("slide", "publisher_slide", "moderator_slide")[b % 3]
            world.ask(client, SetState(origin, {key: str(b % 2) if flag else None}), origin)

    # ---- streams

    def publish(self, a: int, b: int, flag: bool) -> None:
        if someone := self.anybody(a):
            world, client = someone
            origin = client.next_origin()
            self.last += 1
            stream_id = StreamId(f"s{self.last}")
            world.streams.add(stream_id)
            seat = world.session.connections[client.connection_id]
            command = Publish(
                origin=origin,
                epoch=max(1, seat.epoch + flag),
                offer="v=0",
                pairs=(),
                stream_id=stream_id,
                created_at_ms=1,
                lines=Lines(f"a{self.last}", f"v{self.last}"),
                name="",
                initials=None,
                has_audio=True,
                has_video=True,
                has_captions=False,
                video_type=None,
                video_dimensions=Dimensions(1, 1),
                frame_rate=None,
            )
            world.ask(client, command, origin)

    def republish(self, a: int, b: int, flag: bool) -> None:
        if someone := self.anybody(a):
            world, client = someone
            origin = client.next_origin()
            seat = world.session.connections[client.connection_id]
            self.last += 1
            lines = Lines(f"a{self.last}", f"v{self.last}")
            mine = [stream.stream_id for stream in world.session.streams if stream.connection_id == seat.connection_id]
            stream_id = mine[b % len(mine)] if mine else self.any_stream(b)
            command = Republish(origin, max(1, seat.epoch + flag), "v=0", (), stream_id, lines)
            world.ask(client, command, origin)

    def unpublish(self, a: int, b: int, flag: bool) -> None:
        if someone := self.anybody(a):
            world, client = someone
            origin = client.next_origin()
            world.ask(client, Unpublish(origin, self.any_stream(b, live=flag)), origin)

    def force_unpublish(self, a: int, b: int, flag: bool) -> None:
        if someone := self.anybody(a):
            world, client = someone
            origin = client.next_origin()
            world.ask(client, ForceUnpublish(origin, self.any_stream(b, live=flag)), origin)

    def force_mute(self, a: int, b: int, flag: bool) -> None:
        if someone := self.anybody(a):
            world, client = someone
            origin = client.next_origin()
            command = (
                ForceMuteAll(origin, frozenset()) if flag else ForceMuteStream(origin, self.any_stream(b, live=True))
            )
            world.ask(client, command, origin)

    def update_stream(self, a: int, b: int, flag: bool) -> None:
        if someone := self.anybody(a):
            world, client = someone
            origin = client.next_origin()
            world.ask(client, UpdateStream(origin, self.any_stream(b, live=True), has_video=flag), origin)

    def report_sender_stats(self, a: int, b: int, flag: bool) -> None:
        if someone := self.anybody(a):
            world, client = someone
            world.do(ReportSenderStats(client.connection_id, self.any_stream(b, live=flag), b, a))

    def report_stalled_video(self, a: int, b: int, flag: bool) -> None:
        if someone := self.anybody(a):
            world, client = someone
            world.do(ReportStalledVideo(client.connection_id, SubscriptionId(b)))

    # ---- slots

    def negotiate(self, a: int, b: int, flag: bool) -> None:
        if someone := self.anybody(a):
            world, client = someone
            origin = client.next_origin()
            seat = world.session.connections[client.connection_id]
            epoch = max(1, seat.epoch + flag)
            first = 0 if epoch > seat.epoch else len(world.session._state.pairs_of(client.connection_id))
            new = tuple(NewPair(slot, f"A{slot}", f"V{slot}") for slot in range(first, first + b % 4))
            world.ask(client, Negotiate(origin, epoch, "v=0", new), origin)

    def subscribe(self, a: int, b: int, flag: bool) -> None:
        if someone := self.anybody(a):
            world, client = someone
            origin = client.next_origin()
            world.ask(client, Subscribe(origin, self.any_stream(b, live=flag), True, True), origin)

    def change_subscription(self, a: int, b: int, flag: bool) -> None:
        if someone := self.anybody(a):
            world, client = someone
            origin = client.next_origin()
            mine = world.session._state.subscriptions_of(client.connection_id)
            known = mine[b % len(mine)].subscription_id if mine else SubscriptionId(b)
            command = Unsubscribe(origin, known) if flag else UpdateSubscription(origin, known, True, b % 2 == 0)
            world.ask(client, command, origin)

    def let_go(self, a: int, b: int, flag: bool) -> None:
        waiting = [(world, each) for world in self.worlds for each in world.connected() if each.to_release]
        if waiting:
            world, client = waiting[a % len(waiting)]
            slot, generation = client.to_release.popitem()
            if client.slots.get(slot) == generation:
                del client.slots[slot]
            origin = client.next_origin()
            world.ask(client, ReleaseSlot(origin, slot, generation), origin)

    # ---- the router

    def settle(self, a: int, b: int, flag: bool) -> None:
        world = self.worlds[flag]
        if world.intents:
            world.settle(a, accept=b % 4 > 0)

    def settle_all(self, a: int, b: int, flag: bool) -> None:
        for world in self.worlds:
            while world.intents:
                world.settle(a, accept=True)

    def fail_transport(self, a: int, b: int, flag: bool) -> None:
        transports = self.worlds[0].router.transports
        if transports:
            transport_id = sorted(transports)[a % len(transports)]
            connection_id, _ = transports.pop(transport_id)
            for world in self.worlds:
                if connection_id in world.clients:
                    world.do(EndTransport(connection_id, transport_id, "failed"))

    def change_codec(self, a: int, b: int, flag: bool) -> None:
        if someone := self.anybody(a):
            world, client = someone
            transport_id = world.session.connections[client.connection_id].transport_id
            for slot, generation in client.slots.items():
                if transport_id is not None:
                    world.do(ChangeCodecSupport(client.connection_id, transport_id, slot, generation, flag))

    def change_fallback(self, a: int, b: int, flag: bool) -> None:
        if someone := self.anybody(a):
            world, client = someone
            transport_id = world.session.connections[client.connection_id].transport_id
            fallback = list(VideoFallback)[b % len(VideoFallback)]
            for slot, generation in client.slots.items():
                if transport_id is not None:
                    world.do(ChangeVideoFallback(client.connection_id, transport_id, slot, generation, fallback))

    def restart_control(self, a: int, b: int, flag: bool) -> None:
        self.worlds[flag].restart(a % 4)
        for number in range(b % 4):
            self.resume(number, 0, flag)

    # ---- what must hold

    def check(self) -> None:
        self.every_connection_ends_once()
        self.who_is_there_sees_exactly_the_streams_of_its_session()
        self.subscriptions_and_pairs_name_each_other()
        self.nobody_waits_beside_a_free_pair()
        self.everybody_has_the_same_shared_state()

    def everybody_has_the_same_shared_state(self) -> None:
        for world in self.worlds:
            for client in world.seated():
                assert client.shared == world.session.shared_state

    def every_connection_ends_once(self) -> None:
        for world in self.worlds:
            for client in world.clients.values():
                assert client.ends == (client.connection_id not in world.session.connections)

    def who_is_there_sees_exactly_the_streams_of_its_session(self) -> None:
        for world in self.worlds:
            live = {stream.stream_id for stream in world.session.streams}
            for client in world.seated():
                assert {stream_id for stream_id, lives in client.streams.items() if lives} == live

    def subscriptions_and_pairs_name_each_other(self) -> None:
        for world in self.worlds:
            state = world.session._state
            for connection_id in state.connections:
                for pair in state.pairs_of(connection_id):
                    if pair.state in (PairState.BINDING, PairState.BOUND):
                        assert pair.subscription_id is not None
                        assert state.subscriptions[connection_id][pair.subscription_id].slot == pair.slot
                for subscription in state.subscriptions_of(connection_id):
                    assert subscription.stream_id in state.streams
                    if subscription.slot is not None:
                        pair = state.pairs[connection_id][subscription.slot]
                        assert pair.subscription_id == subscription.subscription_id
                        assert pair.state in (PairState.BINDING, PairState.BOUND)

    def nobody_waits_beside_a_free_pair(self) -> None:
        for world in self.worlds:
            state = world.session._state
            for connection_id in state.connections:
                free = [pair for pair in state.pairs_of(connection_id) if pair.state is PairState.FREE]
                waiting = [
                    subscription
                    for subscription in state.subscriptions_of(connection_id)
                    if subscription.slot is None
                    and state.streams[subscription.stream_id].source is not None
                    and subscription.failed_binds < 3
                ]
                assert not (free and waiting), "every subscriber gets every live stream or has a reason"

    def end(self) -> None:
        """Let everybody's time pass: all that began must have ended."""
        for world in self.worlds:
            for client in world.connected():
                world.do(LoseSocket(client.connection_id))
            for _ in range(2):
                world.now = MonotonicTime(world.now + 1000)
                world.take(world.session.handle_timeout(world.now))
            while world.intents:
                world.settle(0, accept=True)
            assert not world.session.connections
            assert not world.session.streams
            mine = [seat for seat, _ in world.router.transports.values() if seat in world.clients]
            assert not mine, "no transport outlives its seat"
        self.every_connection_ends_once()


OFTEN = [Call.subscribe, Call.change_subscription, Call.let_go, Call.settle, Call.settle_all, Call.publish]
SELDOM = [
    Call.join,
    Call.leave,
    Call.lose,
    Call.resume,
    Call.pass_time,
    Call.force_disconnect,
    Call.signal,
    Call.set_state,
    Call.republish,
    Call.unpublish,
    Call.force_unpublish,
    Call.force_mute,
    Call.update_stream,
    Call.report_sender_stats,
    Call.report_stalled_video,
    Call.negotiate,
    Call.fail_transport,
    Call.change_codec,
    Call.change_fallback,
    Call.restart_control,
]
NUMBERS = st.integers(0, 30)
STEPS = st.tuples(st.sampled_from(OFTEN * 3 + SELDOM), NUMBERS, NUMBERS, st.booleans())


@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(pairs=st.integers(0, 3), steps=st.lists(STEPS, min_size=30, max_size=60))
def test_what_must_hold_whatever_happens(
    pairs: int, steps: list[tuple[Callable[[Call, int, int, bool], None], int, int, bool]]
) -> None:
    call = Call()
    call.begin(pairs)
    for action, a, b, flag in steps:
        action(call, a, b, flag)
        call.check()
    call.end()

"""Two sessions, any commands in any order: what must hold whatever happens."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tertulia.clock import MonotonicTime
from tertulia.domain.commands import (
    ChangeCodecSupport,
    Command,
    EndTransport,
    FailOffer,
    FindTransport,
    ForceDisconnect,
    ForceUnpublish,
    FoundSlot,
    Join,
    Leave,
    LoseSocket,
    Negotiate,
    Publish,
    ReleaseSlot,
    Republish,
    Resume,
    SendSignal,
    SettleBind,
    SettleOffer,
    SettleUnbind,
    Subscribe,
    Unpublish,
    Unsubscribe,
    UpdateStream,
    UpdateSubscription,
)
from tertulia.domain.connection import NewPair, Origin, SeatState
from tertulia.domain.events import (
    All,
    AllBut,
    Answered,
    BindSlot,
    Change,
    CloseTransport,
    ConnectionDestroyed,
    Event,
    Fact,
    Failed,
    Happened,
    Joined,
    MediaFailed,
    Notice,
    One,
    OpenTransport,
    PauseSlot,
    Recipients,
    RenegotiateTransport,
    Resumed,
    RouterIntent,
    SeatEnded,
    SignalSent,
    SlotBound,
    SlotUnbound,
    StreamCreated,
    StreamDestroyed,
    UnbindSlot,
)
from tertulia.domain.limits import SessionLimits
from tertulia.domain.roles import Role
from tertulia.domain.session import Session
from tertulia.domain.stream import Dimensions, Lines
from tertulia.domain.subscription import PairState
from tertulia.errors import CallerError, ConnectFailedError, OfferRefusedError
from tertulia.ids import ConnectionId, Generation, SlotIndex, StreamId, SubscriptionId, TransportId

LIMITS = SessionLimits(connections=6, streams=8, streams_per_connection=3)


@dataclass
class Client:
    """What one client knows, and the checks on what it is told."""

    connection_id: ConnectionId
    generation: int = 1
    requests: int = 0
    open_requests: set[int] = field(default_factory=set)
    streams: dict[StreamId, bool] = field(default_factory=dict)
    """Streams it was told of: True while they live."""
    slots: dict[SlotIndex, Generation] = field(default_factory=dict)
    """What it shows, or has shown and not yet let go."""
    to_release: dict[SlotIndex, Generation] = field(default_factory=dict)
    ends: int = 0
    ended: bool = False

    def next_origin(self) -> Origin:
        self.requests += 1
        return Origin(self.connection_id, self.requests)

    def drop_media(self) -> None:
        self.slots.clear()
        self.to_release.clear()


class Router:
    """Which slots carry what; a bound slot must not be bound again."""

    def __init__(self) -> None:
        self.transports: dict[TransportId, tuple[ConnectionId, dict[SlotIndex, Generation]]] = {}
        self._last = 0

    def open(self, connection_id: ConnectionId) -> TransportId:
        self._last += 1
        self.transports[TransportId(self._last)] = (connection_id, {})
        return TransportId(self._last)

    def bind(self, intent: BindSlot) -> bool:
        if intent.transport_id not in self.transports or intent.source.transport_id not in self.transports:
            return False
        _, slots = self.transports[intent.transport_id]
        assert intent.slot not in slots, "a pair is bound again only after it was unbound"
        slots[intent.slot] = intent.generation
        return True

    def unbind(self, intent: UnbindSlot) -> None:
        _, slots = self.transports.get(intent.transport_id, (None, {}))
        if slots.get(intent.slot) == intent.generation:
            del slots[intent.slot]


class World:
    """One session with its clients and its part of the router."""

    def __init__(self, name: str, router: Router) -> None:
        self.name = name
        self.router = router
        self.session = Session(LIMITS)
        self.clients: dict[ConnectionId, Client] = {}
        self.streams: set[StreamId] = set()
        self.intents: list[RouterIntent] = []
        self.number = 0
        self.now = MonotonicTime(0.0)

    def do(self, command: Command) -> None:
        try:
            events = self.session.handle(command, self.now)
        except CallerError:
            origin = getattr(command, "origin", None)
            if origin is not None:
                self.client(origin).open_requests.discard(origin.request_id)
            return
        self.take(events)

    def ask(self, client: Client, command: Command, origin: Origin) -> None:
        client.open_requests.add(origin.request_id)
        self.do(command)

    def client(self, origin: Origin) -> Client:
        return self.clients[origin.connection_id]

    def seated(self) -> list[Client]:
        return [self.clients[each] for each in self.session.connections if each in self.clients]

    def connected(self) -> list[Client]:
        seats = self.session.connections
        return [client for client in self.seated() if seats[client.connection_id].state is SeatState.CONNECTED]

    # ---- what everybody is told

    def take(self, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, Happened):
                assert event.number == self.number + 1, "numbers have no gaps"
                self.number = event.number
                for client in self.reached(event.recipients):
                    self.tell_fact(client, event.fact)
            elif isinstance(event, Answered | Failed):
                client = self.client(event.origin)
                assert event.origin.request_id in client.open_requests, "a request is answered once"
                client.open_requests.remove(event.origin.request_id)
            elif isinstance(event, RouterIntent):
                self.intents.append(event)
            elif not isinstance(event, Change):
                self.tell(self.clients[event.connection_id], event)

    def reached(self, recipients: Recipients) -> list[Client]:
        living = [client for client in self.clients.values() if not client.ended]
        match recipients:
            case All():
                return living
            case AllBut(other):
                return [client for client in living if client.connection_id != other]
            case One(only):
                return [client for client in living if client.connection_id == only]

    def tell_fact(self, client: Client, fact: Fact) -> None:
        match fact:
            case StreamCreated(stream):
                assert stream.stream_id in self.streams, "no stream of another session is seen"
                assert stream.stream_id not in client.streams, "a stream begins once"
                client.streams[stream.stream_id] = True
            case StreamDestroyed(stream_id):
                assert client.streams.get(stream_id), "a stream ends once, after it began"
                client.streams[stream_id] = False
            case ConnectionDestroyed(connection_id):
                gone = self.clients[connection_id]
                left = [each for each in self.session.streams if each.connection_id == connection_id]
                assert not left, "streams end before their connection"
                gone.ended = True
            case SignalSent(sender):
                assert sender is None or sender in self.clients, "no signal comes from another session"
            case _:
                pass

    def tell(self, client: Client, notice: Notice) -> None:
        state = self.session.connections.get(client.connection_id)
        hears = state is not None and state.state is SeatState.CONNECTED
        match notice:
            case Joined(streams=streams):
                assert {stream.stream_id for stream in streams} <= self.streams
                client.streams = {stream.stream_id: True for stream in streams}
            case SeatEnded():
                client.ends += 1
                client.ended = True
            case Resumed(connection=connection, epoch=epoch, bindings=bindings):
                client.generation = connection.key_issued
                if epoch == 0:
                    client.drop_media()
                for binding in bindings:
                    client.slots[binding.slot] = binding.generation
            case SlotBound(_, binding) if hears:
                assert client.slots.get(binding.slot) is None, "never two bindings in one pair"
                client.slots[binding.slot] = binding.generation
            case SlotUnbound(_, _, slot, generation) if hears:
                assert client.slots.get(slot, generation) == generation
                client.slots[slot] = generation
                client.to_release[slot] = generation
            case MediaFailed() if hears:
                client.drop_media()
            case _:
                pass

    # ---- the router

    def settle(self, index: int, *, accept: bool) -> None:
        """Carry out the first intent of some connection."""
        lanes = list(dict.fromkeys(intent.connection_id for intent in self.intents))
        lane = lanes[index % len(lanes)]
        intent = next(intent for intent in self.intents if intent.connection_id == lane)
        self.intents.remove(intent)
        outcome = self.carry_out(intent, accept=accept)
        if outcome is not None:
            if isinstance(outcome, SettleOffer) and isinstance(intent, OpenTransport) and lane in self.clients:
                self.clients[lane].drop_media()
            self.do(outcome)

    def carry_out(self, intent: RouterIntent, *, accept: bool) -> Command | None:
        connection_id = intent.connection_id
        match intent:
            case OpenTransport(_, ticket):
                if not accept:
                    return FailOffer(connection_id, ticket, OfferRefusedError())
                return SettleOffer(connection_id, ticket, self.router.open(connection_id), "v=0")
            case RenegotiateTransport(_, ticket, transport_id):
                if not accept or transport_id not in self.router.transports:
                    return FailOffer(connection_id, ticket, ConnectFailedError())
                return SettleOffer(connection_id, ticket, transport_id, "v=0")
            case BindSlot(_, transport_id, slot, generation):
                bound = accept and self.router.bind(intent)
                return SettleBind(connection_id, transport_id, slot, generation, bound, 1, 2)
            case UnbindSlot(_, transport_id, slot, generation):
                self.router.unbind(intent)
                return SettleUnbind(connection_id, transport_id, slot, generation)
            case CloseTransport(_, transport_id):
                self.router.transports.pop(transport_id, None)
            case PauseSlot():
                pass
        return None

    def restart(self, carried_out: int) -> None:
        """Control is killed: some requests to the router were carried out, and no answer will be heard."""
        for intent in self.intents[:carried_out]:
            self.carry_out(intent, accept=True)
        self.intents.clear()
        state = self.session._state
        self.session, events = Session.restore(
            LIMITS,
            self.now,
            number=self.session.number,
            connections=list(state.connections.values()),
            streams=list(state.streams.values()),
            subscriptions=[each for of_one in state.subscriptions.values() for each in of_one.values()],
            pairs=[(key, pair) for key, pairs in state.pairs.items() for pair in pairs.values()],
        )
        for client in self.clients.values():
            client.open_requests.clear()
        self.take(events)
        self.synchronise()

    def synchronise(self) -> None:
        listing = {
            transport_id: (connection_id, dict(slots))
            for transport_id, (connection_id, slots) in self.router.transports.items()
            if connection_id in self.clients
        }
        for connection in list(self.session.connections.values()):
            transport_id = connection.transport_id
            if transport_id is not None and transport_id not in listing:
                self.do(EndTransport(connection.connection_id, transport_id, "gone"))
        for transport_id, (connection_id, bound) in listing.items():
            pairs = self.session._state.pairs_of(connection_id)
            slots = tuple(
                FoundSlot(pair.slot, bound.get(pair.slot, pair.generation), pair.slot in bound) for pair in pairs
            )
            self.do(FindTransport(connection_id, transport_id, slots))


class Sessions(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        router = Router()
        self.worlds = (World("left", router), World("right", router))
        self.last = 0

    def world(self, right: bool) -> World:
        return self.worlds[right]

    def anybody(self, number: int) -> tuple[World, Client] | None:
        """Someone with a socket, from either session."""
        people = [(world, client) for world in self.worlds for client in world.connected()]
        return people[number % len(people)] if people else None

    def any_stream(self, number: int) -> StreamId:
        """A stream that is or was, of either session, or of none."""
        streams = sorted(stream for world in self.worlds for stream in world.streams)
        return streams[number % len(streams)] if streams else StreamId("none")

    def any_connection(self, number: int) -> ConnectionId:
        names = sorted(name for world in self.worlds for name in world.clients)
        return names[number % len(names)] if names else ConnectionId("none")

    numbers = st.integers(0, 30)

    # ---- seats

    @rule(right=st.booleans(), role=st.sampled_from(Role))
    def join(self, right: bool, role: Role) -> None:
        world = self.world(right)
        self.last += 1
        name = ConnectionId(f"c{self.last}")
        world.clients[name] = Client(name, ended=True)
        if len(world.session.connections) >= LIMITS.connections:
            world.do(Join(name, 1, role, "", 2))
            assert name not in world.session.connections
            del world.clients[name]
            return
        world.do(Join(name, 1, role, "", 2))
        world.clients[name].ended = False

    @rule(number=numbers)
    def leave(self, number: int) -> None:
        if someone := self.anybody(number):
            world, client = someone
            origin = client.next_origin()
            world.ask(client, Leave(origin), origin)

    @rule(number=numbers)
    def lose(self, number: int) -> None:
        if someone := self.anybody(number):
            world, client = someone
            world.do(LoseSocket(client.connection_id))

    @rule(right=st.booleans(), number=numbers)
    def resume(self, right: bool, number: int) -> None:
        world = self.world(right)
        if seated := world.seated():
            client = seated[number % len(seated)]
            world.do(Resume(client.connection_id, client.generation))

    @rule(right=st.booleans(), seconds=st.sampled_from([1.0, 10.0, 80.0]))
    def pass_time(self, right: bool, seconds: float) -> None:
        world = self.world(right)
        world.now = MonotonicTime(world.now + seconds)
        world.take(world.session.handle_timeout(world.now))

    @rule(number=numbers, whom=numbers, by_api=st.booleans())
    def force_disconnect(self, number: int, whom: int, by_api: bool) -> None:
        if someone := self.anybody(number):
            world, client = someone
            if by_api:
                world.do(ForceDisconnect(None, self.any_connection(whom)))
            else:
                origin = client.next_origin()
                world.ask(client, ForceDisconnect(origin, self.any_connection(whom)), origin)

    @rule(number=numbers, to=st.none() | numbers)
    def signal(self, number: int, to: int | None) -> None:
        if someone := self.anybody(number):
            world, client = someone
            origin = client.next_origin()
            receiver = None if to is None else self.any_connection(to)
            world.ask(client, SendSignal(origin, receiver, "t", "d"), origin)

    # ---- streams

    @rule(number=numbers, new_epoch=st.booleans())
    def publish(self, number: int, new_epoch: bool) -> None:
        if someone := self.anybody(number):
            world, client = someone
            origin = client.next_origin()
            self.last += 1
            stream_id = StreamId(f"s{self.last}")
            world.streams.add(stream_id)
            seat = world.session.connections[client.connection_id]
            command = Publish(
                origin=origin,
                epoch=max(1, seat.epoch + new_epoch),
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

    @rule(number=numbers, stream=numbers)
    def republish(self, number: int, stream: int) -> None:
        if someone := self.anybody(number):
            world, client = someone
            origin = client.next_origin()
            seat = world.session.connections[client.connection_id]
            self.last += 1
            lines = Lines(f"a{self.last}", f"v{self.last}")
            command = Republish(origin, max(1, seat.epoch), "v=0", (), self.any_stream(stream), lines)
            world.ask(client, command, origin)

    @rule(number=numbers, stream=numbers)
    def unpublish(self, number: int, stream: int) -> None:
        if someone := self.anybody(number):
            world, client = someone
            origin = client.next_origin()
            world.ask(client, Unpublish(origin, self.any_stream(stream)), origin)

    @rule(number=numbers, stream=numbers)
    def force_unpublish(self, number: int, stream: int) -> None:
        if someone := self.anybody(number):
            world, client = someone
            origin = client.next_origin()
            world.ask(client, ForceUnpublish(origin, self.any_stream(stream)), origin)

    @rule(number=numbers, stream=numbers, has_video=st.booleans())
    def update_stream(self, number: int, stream: int, has_video: bool) -> None:
        if someone := self.anybody(number):
            world, client = someone
            origin = client.next_origin()
            world.ask(client, UpdateStream(origin, self.any_stream(stream), has_video=has_video), origin)

    # ---- slots

    @rule(number=numbers, pairs=st.integers(0, 3), new_epoch=st.booleans())
    def negotiate(self, number: int, pairs: int, new_epoch: bool) -> None:
        if someone := self.anybody(number):
            world, client = someone
            origin = client.next_origin()
            seat = world.session.connections[client.connection_id]
            epoch = max(1, seat.epoch + new_epoch)
            first = 0 if epoch > seat.epoch else len(world.session._state.pairs_of(client.connection_id))
            new = tuple(NewPair(slot, f"A{slot}", f"V{slot}") for slot in range(first, first + pairs))
            world.ask(client, Negotiate(origin, epoch, "v=0", new), origin)

    @rule(number=numbers, stream=numbers)
    def subscribe(self, number: int, stream: int) -> None:
        if someone := self.anybody(number):
            world, client = someone
            origin = client.next_origin()
            world.ask(client, Subscribe(origin, self.any_stream(stream), True, True), origin)

    @rule(number=numbers, subscription=st.integers(1, 4), end=st.booleans())
    def change_subscription(self, number: int, subscription: int, end: bool) -> None:
        if someone := self.anybody(number):
            world, client = someone
            origin = client.next_origin()
            known = SubscriptionId(subscription)
            command = Unsubscribe(origin, known) if end else UpdateSubscription(origin, known, True, False)
            world.ask(client, command, origin)

    @rule(number=numbers)
    def let_go(self, number: int) -> None:
        if someone := self.anybody(number):
            world, client = someone
            if client.to_release:
                slot, generation = client.to_release.popitem()
                if client.slots.get(slot) == generation:
                    del client.slots[slot]
                origin = client.next_origin()
                world.ask(client, ReleaseSlot(origin, slot, generation), origin)

    # ---- the router

    @precondition(lambda self: any(world.intents for world in self.worlds))
    @rule(right=st.booleans(), index=numbers, accept=st.sampled_from([True, True, True, False]))
    def settle(self, right: bool, index: int, accept: bool) -> None:
        world = self.world(right)
        if world.intents:
            world.settle(index, accept=accept)

    @precondition(lambda self: any(world.intents for world in self.worlds))
    @rule()
    def settle_all(self) -> None:
        for world in self.worlds:
            while world.intents:
                world.settle(0, accept=True)

    @rule(number=numbers)
    def fail_transport(self, number: int) -> None:
        transports = self.worlds[0].router.transports
        if transports:
            transport_id = sorted(transports)[number % len(transports)]
            connection_id, _ = transports.pop(transport_id)
            for world in self.worlds:
                if connection_id in world.clients:
                    world.do(EndTransport(connection_id, transport_id, "failed"))

    @rule(number=numbers, slot=st.integers(0, 2), generation=st.integers(1, 2), supported=st.booleans())
    def change_codec(self, number: int, slot: int, generation: int, supported: bool) -> None:
        if someone := self.anybody(number):
            world, client = someone
            transport_id = world.session.connections[client.connection_id].transport_id
            if transport_id is not None:
                world.do(
                    ChangeCodecSupport(
                        client.connection_id, transport_id, SlotIndex(slot), Generation(generation), supported
                    )
                )

    @rule(right=st.booleans(), carried_out=st.integers(0, 3))
    def restart_control(self, right: bool, carried_out: int) -> None:
        self.world(right).restart(carried_out)

    # ---- what must hold

    @invariant()
    def every_connection_ends_once(self) -> None:
        for world in self.worlds:
            for client in world.clients.values():
                assert client.ends == (client.connection_id not in world.session.connections)

    @invariant()
    def who_is_there_sees_exactly_the_streams_of_its_session(self) -> None:
        for world in self.worlds:
            live = {stream.stream_id for stream in world.session.streams}
            for client in world.seated():
                assert {stream_id for stream_id, lives in client.streams.items() if lives} == live

    @invariant()
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

    @invariant()
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

    def teardown(self) -> None:
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
            self.every_connection_ends_once()
            mine = [seat for seat, _ in world.router.transports.values() if seat in world.clients]
            assert not mine, "no transport outlives its seat"


Sessions.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
TestSessions = Sessions.TestCase

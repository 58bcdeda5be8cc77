"""One session with its clients and its part of the router, and the checks on what they are told."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tertulia.clock import MonotonicTime
from tertulia.domain.commands import (
    Command,
    EndTransport,
    FailOffer,
    FindTransport,
    FoundSlot,
    SettleBind,
    SettleOffer,
    SettleUnbind,
)
from tertulia.domain.connection import Origin, SeatState
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
    PreferSlot,
    Recipients,
    RenegotiateTransport,
    RequestKeyFrame,
    Resumed,
    RouterIntent,
    SeatEnded,
    SenderStatsTold,
    SignalSent,
    SlotBound,
    SlotUnbound,
    StateChanged,
    StreamCreated,
    StreamDestroyed,
    UnbindSlot,
)
from tertulia.domain.limits import SessionLimits
from tertulia.domain.session import Session
from tertulia.errors import CallerError, ConnectFailedError, OfferRefusedError
from tertulia.ids import ConnectionId, Generation, SlotIndex, StreamId, TransportId

LIMITS = SessionLimits(connections=6, streams=8, streams_per_connection=3)


@dataclass
class Client:
    """What one client knows, and the checks on what it is told."""

    connection_id: ConnectionId
    generation: int = 1
    requests: int = 0
    open_requests: set[int] = field(default_factory=set)
    shared: dict[str, str] = field(default_factory=dict)
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
            case StateChanged(values):
                kept = {key: value for key, value in {**client.shared, **values}.items() if value is not None}
                assert kept != client.shared, "nobody is told what is no news"
                client.shared = kept
            case SignalSent(sender):
                assert sender is None or sender in self.clients, "no signal comes from another session"
            case _:
                pass

    def tell(self, client: Client, notice: Notice) -> None:
        state = self.session.connections.get(client.connection_id)
        hears = state is not None and state.state is SeatState.CONNECTED
        match notice:
            case Joined(streams=streams, shared=shared):
                client.shared = dict(shared)
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
            case SenderStatsTold(_, subscription_id):
                subscription = self.session._state.subscriptions[client.connection_id][subscription_id]
                assert subscription.stream_id in self.streams, "no statistics come from another session"
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
            case RequestKeyFrame(_, transport_id):
                assert transport_id in self.router.transports, "no transport that is gone is asked for anything"
            case PauseSlot() | PreferSlot():
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
            shared=state.shared,
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

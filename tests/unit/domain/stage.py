"""A session with people in it: they ask, the router answers or is held back, and each keeps what it was told."""

import itertools
from collections.abc import Callable, Iterable
from typing import Any

from tertulia.clock import MonotonicTime
from tertulia.domain.commands import (
    Command,
    FailOffer,
    Join,
    LoseSocket,
    Negotiate,
    Publish,
    ReleaseSlot,
    Resume,
    SettleBind,
    SettleOffer,
    SettleUnbind,
    Subscribe,
)
from tertulia.domain.connection import NewPair, Origin
from tertulia.domain.events import (
    All,
    AllBut,
    Answered,
    BindSlot,
    Change,
    CloseTransport,
    Event,
    Fact,
    Failed,
    Happened,
    Notice,
    One,
    OpenTransport,
    PauseSlot,
    PreferSlot,
    Published,
    RenegotiateTransport,
    RequestKeyFrame,
    Result,
    RouterIntent,
    SetAudioSlots,
    SlotBound,
    SlotUnbound,
    Subscribed,
    UnbindSlot,
)
from tertulia.domain.limits import SessionLimits
from tertulia.domain.roles import Role
from tertulia.domain.session import Session
from tertulia.domain.stream import Dimensions, Lines, Stream, VideoType
from tertulia.domain.subscription import NO_WISHES, PictureWishes
from tertulia.errors import TertuliaError
from tertulia.ids import ConnectionId, Generation, SlotIndex, StreamId, SubscriptionId, TransportId

OFFER = "v=0"
ANSWER = "v=0 answer"


class Stage:
    """Plays a session. The router answers at once unless `manual`; then `intents` wait for `settle`."""

    def __init__(self, limits: SessionLimits | None = None, session: Session | None = None) -> None:
        self.limits = limits or SessionLimits(connections=50, streams=50)
        self.session = session or Session(self.limits)
        self.now = MonotonicTime(0.0)
        self.manual = False
        self.intents: list[RouterIntent] = []
        self.done_intents: list[RouterIntent] = []
        self.facts: dict[ConnectionId, list[Fact]] = {}
        self.numbers: list[int] = []
        self.notices: dict[ConnectionId, list[Notice]] = {}
        self.answers: dict[Origin, Result | TertuliaError] = {}
        self.changes: list[Change] = []
        self._requests: dict[ConnectionId, int] = {}
        self._transports = itertools.count(1)
        self._streams = itertools.count(1)

    # ---- people

    def join(
        self, name: str, role: Role = Role.PUBLISHER, *, data: str = "", knows_audio_slots: bool = False
    ) -> ConnectionId:
        connection_id = ConnectionId(name)
        self.facts[connection_id] = []
        self.notices[connection_id] = []
        self.do(Join(connection_id, 1_000, role, data, 2_000_000_000, knows_audio_slots=knows_audio_slots))
        return connection_id

    def lose(self, connection_id: ConnectionId) -> None:
        self.do(LoseSocket(connection_id))

    def resume(self, connection_id: ConnectionId, *, knows_audio_slots: bool = False) -> None:
        generation = self.session.connections[connection_id].key_issued
        self.do(Resume(connection_id, generation, knows_audio_slots))

    def origin(self, connection_id: ConnectionId) -> Origin:
        self._requests[connection_id] = self._requests.get(connection_id, 0) + 1
        return Origin(connection_id, self._requests[connection_id])

    def negotiate(self, connection_id: ConnectionId, *, epoch: int = 1, pairs: int = 0, first: int = 0) -> Origin:
        """Offer with `pairs` new slot pairs."""
        origin = self.origin(connection_id)
        self.do(Negotiate(origin, epoch, OFFER, new_pairs(pairs, first, epoch)))
        return origin

    def publish(self, connection_id: ConnectionId, *, epoch: int = 1, **properties: Any) -> Stream:
        """Publish audio and video; the router must not be manual."""
        origin = self.origin(connection_id)
        self.do(self.publish_command(origin, epoch=epoch, **properties))
        answer = self.answers[origin]
        assert isinstance(answer, Published), answer
        return answer.stream

    def publish_command(
        self,
        origin: Origin,
        *,
        epoch: int = 1,
        has_audio: bool = True,
        has_video: bool = True,
        audio_fallback: bool = True,
        video_type: VideoType = VideoType.CAMERA,
    ) -> Publish:
        number = next(self._streams)
        return Publish(
            origin=origin,
            epoch=epoch,
            offer=OFFER,
            pairs=(),
            stream_id=StreamId(f"stream-{number}"),
            created_at_ms=1_000 + number,
            lines=Lines(f"a{number}" if has_audio else None, f"v{number}" if has_video else None),
            name=f"of {origin.connection_id}",
            initials=None,
            has_audio=has_audio,
            has_video=has_video,
            has_captions=False,
            video_type=video_type if has_video else None,
            video_dimensions=Dimensions(640, 480) if has_video else Dimensions(0, 0),
            frame_rate=30.0 if has_video else None,
            audio_fallback=audio_fallback,
        )

    def subscribe(
        self,
        connection_id: ConnectionId,
        stream: Stream,
        *,
        audio: bool = True,
        video: bool = True,
        wishes: PictureWishes = NO_WISHES,
    ) -> SubscriptionId:
        origin = self.origin(connection_id)
        self.do(Subscribe(origin, stream.stream_id, audio, video, wishes))
        answer = self.answers[origin]
        assert isinstance(answer, Subscribed), answer
        return answer.subscription_id

    def release(self, connection_id: ConnectionId, slot: int, generation: int) -> None:
        """Let go of a binding, as a client does after `unbound`."""
        self.do(ReleaseSlot(self.origin(connection_id), SlotIndex(slot), Generation(generation)))

    # ---- the machine

    def do(self, command: Command) -> list[Event]:
        """Hand a command in and let everybody concerned have what follows."""
        events = self.session.handle(command, self.now)
        self.take(events)
        return events

    def pass_time(self, seconds: float) -> None:
        self.now = MonotonicTime(self.now + seconds)
        self.take(self.session.handle_timeout(self.now))

    def take(self, events: Iterable[Event]) -> None:
        arrived: list[RouterIntent] = []
        for event in events:
            match event:
                case Happened(number, recipients, fact):
                    self.numbers.append(number)
                    for connection_id in self._reached(recipients):
                        self.facts[connection_id].append(fact)
                case Answered(origin, result):
                    assert origin not in self.answers, "a request is answered once"
                    self.answers[origin] = result
                case Failed(origin, error):
                    assert origin not in self.answers, "a request is answered once"
                    self.answers[origin] = error
                case _:
                    if isinstance(event, RouterIntent):
                        arrived.append(event)
                    elif isinstance(event, Change):
                        self.changes.append(event)
                    else:
                        self.notices[event.connection_id].append(event)
        self.intents += arrived
        if not self.manual:
            self.settle()

    def _reached(self, recipients: All | AllBut | One) -> list[ConnectionId]:
        match recipients:
            case One(only):
                return [only]
            case AllBut(other):
                return [name for name in self.facts if name != other and self._present(name)]
            case All():
                return [name for name in self.facts if self._present(name)]

    def _present(self, name: ConnectionId) -> bool:
        return name in self.session.connections

    # ---- the router

    def settle(self, wanted: Callable[[RouterIntent], bool] = lambda _: True, *, accepted: bool = True) -> None:
        """Carry out the waiting intents that are wanted, and what follows from them."""
        while (intent := next((intent for intent in self.intents if wanted(intent)), None)) is not None:
            self.intents.remove(intent)
            self.done_intents.append(intent)
            outcome = self._outcome(intent, accepted)
            if outcome is not None:
                self.take(self.session.handle(outcome, self.now))

    def _outcome(self, intent: RouterIntent, accepted: bool) -> Command | None:
        connection_id = intent.connection_id
        match intent:
            case OpenTransport() | RenegotiateTransport() if not accepted:
                return FailOffer(connection_id, intent.ticket, TertuliaError("refused"))
            case OpenTransport(_, ticket):
                return SettleOffer(connection_id, ticket, TransportId(next(self._transports)), ANSWER)
            case RenegotiateTransport(_, ticket, transport_id):
                return SettleOffer(connection_id, ticket, transport_id, ANSWER)
            case BindSlot(_, transport_id, slot, generation, source):
                return SettleBind(
                    connection_id=connection_id,
                    transport_id=transport_id,
                    slot=slot,
                    generation=generation,
                    accepted=accepted,
                    audio_rtp_timestamp=100 if accepted and source.lines.audio_mid else None,
                    video_rtp_timestamp=200 if accepted and source.lines.video_mid else None,
                )
            case UnbindSlot(_, transport_id, slot, generation):
                return SettleUnbind(connection_id, transport_id, slot, generation)
            case CloseTransport() | PauseSlot() | PreferSlot() | SetAudioSlots() | RequestKeyFrame():
                return None

    # ---- what was seen

    def bound(self, connection_id: ConnectionId) -> list[SlotBound]:
        return [notice for notice in self.notices[connection_id] if isinstance(notice, SlotBound)]

    def unbound(self, connection_id: ConnectionId) -> list[SlotUnbound]:
        return [notice for notice in self.notices[connection_id] if isinstance(notice, SlotUnbound)]

    def intents_of(self, kind: type[RouterIntent]) -> list[RouterIntent]:
        """Every intent of a kind so far, carried out or waiting."""
        return [intent for intent in self.done_intents + self.intents if isinstance(intent, kind)]


def new_pairs(count: int, first: int = 0, epoch: int = 1) -> tuple[NewPair, ...]:
    return tuple(NewPair(slot, f"{epoch}A{slot}", f"{epoch}V{slot}") for slot in range(first, first + count))

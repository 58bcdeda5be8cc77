"""Carrying a session's router intents out: one after the other for each connection, side by side for many."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog

from tertulia.domain.commands import Command, EndTransport, FailOffer, SettleBind, SettleOffer, SettleUnbind
from tertulia.domain.events import (
    BindSlot,
    CloseTransport,
    OpenTransport,
    PauseSlot,
    PreferSlot,
    RenegotiateTransport,
    RequestKeyFrame,
    RouterIntent,
    SetAudioSlots,
    UnbindSlot,
)
from tertulia.errors import (
    ConnectFailedError,
    OfferRefusedError,
    PeerConnectionError,
    RouterRefusedError,
    TertuliaError,
    UnavailableError,
    UnexpectedAnswerError,
)
from tertulia.ids import ConnectionId
from tertulia.services.ports import RouterPort
from tertulia.services.tasks import TaskSet

__all__ = ["RouterGate", "RouterLanes"]

_log = structlog.get_logger(__name__)


class RouterGate:
    """Holds router intents back while the router's state is compared with ours, and knows which are on their way."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._passing = 0

    async def close(self) -> None:
        """Let nothing through, and return when everything that went through before has its answer."""
        self._open.clear()
        await self._idle.wait()

    def open(self) -> None:
        """Let everything through."""
        self._open.set()

    @asynccontextmanager
    async def passage(self) -> AsyncIterator[None]:
        """Wait until it is open, and count as on the way meanwhile."""
        await self._open.wait()
        self._passing += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._passing -= 1
            if self._passing == 0:
                self._idle.set()


class RouterLanes:
    """The lanes of one session: a connection's intents keep their order, and a lane without work costs nothing.

    Args:
        group: What keeps the session's transports together in the router.
        router: Who carries them out.
        gate: Closed while the router's state is being compared with ours.
        tell: Takes the outcome, as a command to the session.
        idle: Called when the last lane has run empty.
        tasks: Where lanes run.
    """

    def __init__(
        self,
        group: str,
        router: RouterPort,
        gate: RouterGate,
        tell: Callable[[Command], None],
        idle: Callable[[], None],
        tasks: TaskSet,
    ) -> None:
        self._group = group
        self._router = router
        self._gate = gate
        self._tell = tell
        self._idle = idle
        self._tasks = tasks
        self._lanes: dict[ConnectionId, deque[RouterIntent]] = {}

    @property
    def busy(self) -> bool:
        """Whether anything is still to be carried out."""
        return bool(self._lanes)

    def send(self, intent: RouterIntent) -> None:
        """Queue an intent behind the earlier ones of its connection."""
        lane = self._lanes.get(intent.connection_id)
        if lane is not None:
            lane.append(intent)
            return
        lane = self._lanes[intent.connection_id] = deque([intent])
        self._tasks.spawn(self._drain(intent.connection_id, lane), "router lane")

    async def _drain(self, connection_id: ConnectionId, lane: deque[RouterIntent]) -> None:
        try:
            while lane:
                async with self._gate.passage():
                    await self._carry_out(lane[0])
                lane.popleft()
        finally:
            del self._lanes[connection_id]
            if not self._lanes:
                self._idle()

    async def _carry_out(self, intent: RouterIntent) -> None:
        try:
            match intent:
                case OpenTransport():
                    transport_id, answer = await self._router.open_transport(
                        intent.connection_id, intent.epoch, intent.offer, intent.pairs, self._group
                    )
                    self._tell(SettleOffer(intent.connection_id, intent.ticket, transport_id, answer))
                case RenegotiateTransport():
                    answer = await self._router.renegotiate(intent.transport_id, intent.offer, intent.pairs)
                    self._tell(SettleOffer(intent.connection_id, intent.ticket, intent.transport_id, answer))
                case CloseTransport():
                    await self._router.close_transport(intent.transport_id)
                case BindSlot():
                    audio, video = await self._router.bind(
                        intent.transport_id,
                        intent.slot,
                        intent.generation,
                        intent.source,
                        audio_paused=intent.audio_paused,
                        video_paused=intent.video_paused,
                        wishes=intent.wishes,
                        audio_fallback=intent.audio_fallback,
                        is_screen=intent.is_screen,
                    )
                    self._tell(_bind_settled(intent, accepted=True, audio=audio, video=video))
                case UnbindSlot():
                    await self._router.unbind(intent.transport_id, intent.slot, intent.generation)
                    self._tell(_unbind_settled(intent))
                case PauseSlot():
                    await self._router.pause(
                        intent.transport_id,
                        intent.slot,
                        intent.generation,
                        audio_paused=intent.audio_paused,
                        video_paused=intent.video_paused,
                    )
                case SetAudioSlots():
                    await self._router.set_audio_slots(intent.transport_id, intent.slots)
                case RequestKeyFrame():
                    await self._router.request_key_frame(intent.transport_id, intent.mid)
                case PreferSlot():
                    await self._router.prefer(
                        intent.transport_id,
                        intent.slot,
                        intent.generation,
                        intent.wishes,
                        is_screen=intent.is_screen,
                    )
        except (RouterRefusedError, UnavailableError, UnexpectedAnswerError) as error:
            self._fail(intent, error)

    def _fail(self, intent: RouterIntent, error: TertuliaError) -> None:
        code = error.code if isinstance(error, RouterRefusedError) else error.kind.name
        _log.debug("router intent failed", intent=type(intent).__name__, code=code, connection_id=intent.connection_id)
        match intent:
            case OpenTransport() | RenegotiateTransport():
                self._tell(FailOffer(intent.connection_id, intent.ticket, _offer_error(error)))
                if isinstance(intent, RenegotiateTransport) and code in ("transport_not_found", "transport_failed"):
                    message = "The media transport ended."
                    self._tell(EndTransport(intent.connection_id, intent.transport_id, message))
            case BindSlot():
                self._tell(_bind_settled(intent, accepted=False))
            case UnbindSlot() if isinstance(error, RouterRefusedError):
                # The router knows nothing of the binding (any more), so it sends nothing of it either.
                self._tell(_unbind_settled(intent))
            case UnbindSlot() | CloseTransport() | PauseSlot() | PreferSlot() | SetAudioSlots() | RequestKeyFrame():
                # Refused: there is nothing left to act on. Away: all is compared when the router is back.
                pass


def _offer_error(error: TertuliaError) -> TertuliaError:
    """Say what became of an offer in terms that the client knows."""
    if isinstance(error, RouterRefusedError):
        if error.code in ("transport_not_found", "transport_failed"):
            return PeerConnectionError("The media transport ended; make a new one.")
        if error.code == "limit_reached":
            return ConnectFailedError(error.message)
        return OfferRefusedError(error.message)
    return error


def _bind_settled(
    intent: BindSlot, *, accepted: bool, audio: int | None = None, video: int | None = None
) -> SettleBind:
    return SettleBind(
        connection_id=intent.connection_id,
        transport_id=intent.transport_id,
        slot=intent.slot,
        generation=intent.generation,
        accepted=accepted,
        audio_rtp_timestamp=audio,
        video_rtp_timestamp=video,
    )


def _unbind_settled(intent: UnbindSlot) -> SettleUnbind:
    return SettleUnbind(intent.connection_id, intent.transport_id, intent.slot, intent.generation)

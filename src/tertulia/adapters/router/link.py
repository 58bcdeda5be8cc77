"""`RouterLink`: the router port over a Unix socket."""

import asyncio
import itertools
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import structlog

from tertulia.adapters.router.readings import RouterReadings
from tertulia.clock import Clock, MonotonicTime
from tertulia.domain.commands import Carried, FoundAudioSlot, FoundSlot
from tertulia.domain.connection import NewPair
from tertulia.domain.stream import StreamSource
from tertulia.domain.subscription import NO_WISHES, PictureWishes, VideoFallback
from tertulia.errors import (
    ConnectFailedError,
    RouterRefusedError,
    TertuliaError,
    TimedOutError,
    UnexpectedAnswerError,
)
from tertulia.ids import Generation, SlotIndex, TransportId
from tertulia.observability.metrics import Metrics
from tertulia.services.ports import RouterListener, TransportListing
from tertulia.wire import router as wire

__all__ = ["RouterLink"]

_log = structlog.get_logger(__name__)

_REQUEST_S = 5.0
"""An offer takes the router milliseconds; after this it hangs."""
_IN_FLIGHT = 1024
_FIRST_DELAY_S = 0.05
_LONGEST_DELAY_S = 2.0

B = TypeVar("B", bound=wire.ReplyBody)
MakeRequest = Callable[[int], wire.Request]


class RouterLink:
    """Requests to the media router, each answered once or failed within 5 s.

    A link on which a request was not answered in time is torn down: nobody knows what became of the request, and the
    listing that follows the next connection tells.

    Args:
        path: The socket that the router listens on.
        clock: The time.
        metrics: Where the link's own state is noted.
    """

    def __init__(self, path: Path, clock: Clock, metrics: Metrics | None = None) -> None:
        self._path = path
        self._metrics = metrics or Metrics()
        self.statistics = RouterReadings()
        self._clock = clock
        self._listener: RouterListener | None = None
        self._connection: _Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self._hello: wire.HelloReply | None = None

    async def start(self, listener: RouterListener) -> None:
        """Connect in the background, and again whenever the link is lost."""
        self._listener = listener
        self._task = asyncio.create_task(self._run(listener), name="router link")

    async def close(self) -> None:
        """End the link; open requests fail."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    @property
    def hello(self) -> wire.HelloReply | None:
        """What the router said of itself when the link came up, or None while it is down."""
        return self._hello if self._connection is not None else None

    # ---- the port

    async def open_transport(
        self, seat: str, epoch: int, offer: str, pairs: Sequence[NewPair], group: str
    ) -> tuple[TransportId, str]:
        """Make a transport for a seat, near the others of its group; return its id and the answer to the offer."""
        reply = await self._ask(
            lambda request_id: wire.OpenTransport(request_id, seat, epoch, offer, _pairs(pairs), group),
            wire.OpenTransportReply,
        )
        return TransportId(reply.transport), reply.answer

    async def renegotiate(self, transport_id: TransportId, offer: str, pairs: Sequence[NewPair]) -> str:
        """Return the answer to a further offer."""
        reply = await self._ask(
            lambda request_id: wire.Renegotiate(request_id, transport_id, offer, _pairs(pairs)),
            wire.RenegotiateReply,
        )
        return reply.answer

    async def close_transport(self, transport_id: TransportId) -> None:
        """End a transport."""
        await self._ask(lambda request_id: wire.CloseTransport(request_id, transport_id), wire.Empty)

    async def bind(
        self,
        transport_id: TransportId,
        slot: SlotIndex,
        generation: Generation,
        source: StreamSource,
        *,
        audio_paused: bool,
        video_paused: bool,
        wishes: PictureWishes,
        audio_fallback: bool,
        is_screen: bool,
    ) -> tuple[int | None, int | None]:
        """Forward a source into a pair; return the first RTP timestamps of audio and video of the binding."""
        origin = wire.Source(source.transport_id, source.lines.audio_mid, source.lines.video_mid)
        reply = await self._ask(
            lambda request_id: wire.Bind(
                request_id,
                transport_id,
                slot,
                generation,
                origin,
                audio_paused,
                video_paused,
                _wishes(wishes),
                audio_fallback,
                is_screen,
            ),
            wire.BindReply,
        )
        return reply.audio_rtp_timestamp, reply.video_rtp_timestamp

    async def unbind(self, transport_id: TransportId, slot: SlotIndex, generation: Generation) -> None:
        """Forward nothing of this binding any more."""
        await self._ask(lambda request_id: wire.Unbind(request_id, transport_id, slot, generation), wire.Empty)

    async def pause(
        self,
        transport_id: TransportId,
        slot: SlotIndex,
        generation: Generation,
        *,
        audio_paused: bool,
        video_paused: bool,
    ) -> None:
        """Set what of a binding is held back."""
        await self._ask(
            lambda request_id: wire.Pause(request_id, transport_id, slot, generation, audio_paused, video_paused),
            wire.Empty,
        )

    async def prefer(
        self,
        transport_id: TransportId,
        slot: SlotIndex,
        generation: Generation,
        wishes: PictureWishes,
        *,
        is_screen: bool,
    ) -> None:
        """Say which picture the subscriber of a binding would like, and whether it is of a screen."""
        await self._ask(
            lambda request_id: wire.Prefer(request_id, transport_id, slot, generation, _wishes(wishes), is_screen),
            wire.Empty,
        )

    async def set_audio_slots(self, transport_id: TransportId, slots: Sequence[SlotIndex]) -> None:
        """Forward the loudest of a transport's bindings on these pairs; none: all, each in its own pair."""
        await self._ask(lambda request_id: wire.SetAudioSlots(request_id, transport_id, list(slots)), wire.Empty)

    async def request_key_frame(self, transport_id: TransportId, mid: str) -> None:
        """Ask who publishes on that video line for a key frame; the router asks no publisher too often."""
        await self._ask(lambda request_id: wire.RequestKeyFrame(request_id, transport_id, mid), wire.Empty)

    async def list_transports(self) -> list[TransportListing]:
        """Return every transport that the router holds."""
        reply = await self._ask(wire.ListTransports, wire.ListReply)
        return [
            TransportListing(
                transport_id=TransportId(transport.transport),
                seat=transport.seat,
                epoch=transport.epoch,
                slots=[
                    FoundSlot(
                        SlotIndex(slot.slot),
                        Generation(slot.generation),
                        slot.source is not None,
                        VideoFallback(slot.video_fallback) if slot.video_fallback else None,
                    )
                    for slot in transport.slots
                ],
                alive=transport.state not in ("failed", "closed"),
                audio_slots=[
                    FoundAudioSlot(SlotIndex(found.slot), _carried(found.of), found.audio_rtp_timestamp)
                    for found in transport.audio_slots
                ],
                paused_layers=[
                    (track.mid, track.paused_rids) for track in transport.tracks if track.paused_rids is not None
                ],
            )
            for transport in reply.transports
        ]

    # ---- the link

    async def _ask(self, make: MakeRequest, expected: type[B]) -> B:
        if self._connection is None:
            raise ConnectFailedError("The media router is not connected; try again in a moment.")
        try:
            return await self._connection.ask(make, expected)
        except TertuliaError:
            self._metrics.router_requests_failed.inc()
            raise

    async def _run(self, listener: RouterListener) -> None:
        delay_s = _FIRST_DELAY_S
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(str(self._path))
            except OSError:
                delay_s = await self._wait(delay_s)
                continue
            connection = _Connection(reader, writer, self._clock, listener, self.statistics)
            reading = asyncio.create_task(connection.read(), name="router link reader")
            try:
                self._hello = await connection.ask(
                    lambda request_id: wire.Hello(request_id, wire.VERSION, wire.OLDEST_VERSION), wire.HelloReply
                )
                self._connection = connection
                delay_s = _FIRST_DELAY_S
                self._metrics.router_connects.inc()
                listener.router_connected()
                await asyncio.wait({reading})
                _log.warning("media router lost")
            except TertuliaError as error:
                _log.warning("media router does not answer as it should", error=error.message)
            finally:
                self._connection = None
                reading.cancel()
                await asyncio.wait({reading})
                connection.fail()
                self.statistics.forget()
            delay_s = await self._wait(delay_s)

    async def _wait(self, delay_s: float) -> float:
        """Wait about `delay_s`, with jitter; return the next delay."""
        due = asyncio.Event()
        jitter = 0.5 + secrets.randbelow(1000) / 1000
        self._clock.call_at(MonotonicTime(self._clock.monotonic() + delay_s * jitter), due.set)
        await due.wait()
        return min(delay_s * 2, _LONGEST_DELAY_S)


class _Connection:
    """One connection of the link: replies find their requests by id, events go to the listener."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        clock: Clock,
        listener: RouterListener,
        statistics: RouterReadings,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._clock = clock
        self._listener = listener
        self._statistics = statistics
        self._ids = itertools.count(1)
        self._open: dict[int, asyncio.Future[wire.Reply]] = {}
        self._room = asyncio.Semaphore(_IN_FLIGHT)
        self._broken = False

    async def ask(self, make: MakeRequest, expected: type[B]) -> B:
        async with self._room:
            if self._broken:
                raise ConnectFailedError("The link to the media router was lost.")
            request = make(next(self._ids))
            answered: asyncio.Future[wire.Reply] = asyncio.get_running_loop().create_future()
            self._open[request.id] = answered
            deadline = MonotonicTime(self._clock.monotonic() + _REQUEST_S)
            timer = self._clock.call_at(deadline, lambda: self._expire(answered))
            try:
                self._writer.write(wire.encode_frame(request))
                reply = await answered
            finally:
                timer.cancel()
                del self._open[request.id]
        if reply.error is not None:
            raise RouterRefusedError(reply.error.code, reply.error.message)
        body = wire.decode_reply(request, reply)
        if not isinstance(body, expected):
            raise UnexpectedAnswerError("The media router answered another request than it was asked.")
        return body

    async def read(self) -> None:
        """Take frames until the link ends or breaks."""
        try:
            while True:
                length = wire.frame_length(await self._reader.readexactly(wire.LENGTH_BYTES))
                self._take(wire.decode_from_router(await self._reader.readexactly(length)))
        except (asyncio.IncompleteReadError, OSError):
            pass  # the router has gone; `fail` tells whoever waits
        except UnexpectedAnswerError as error:
            _log.error("the media router broke the protocol of the link", error=error.message)
        finally:
            self.fail()

    def fail(self) -> None:
        """Fail every open request and end the connection."""
        self._broken = True
        self._writer.close()
        for answered in self._open.values():
            if not answered.done():
                answered.set_exception(ConnectFailedError("The link to the media router was lost."))

    def _expire(self, answered: "asyncio.Future[wire.Reply]") -> None:
        if not answered.done():
            answered.set_exception(TimedOutError("The media router did not answer in time."))
        self.fail()

    def _take(self, message: wire.FromRouter) -> None:
        if isinstance(message, wire.Batch):
            if message.dropped:
                # States are never dropped before statistics are; only a fresh listing tells what else was.
                _log.warning("control read the link too slowly", dropped=message.dropped)
                self._listener.router_connected()
            for event in message.events:
                self._take_event(event)
            return
        answered = self._open.get(message.id)
        if answered is not None and not answered.done():
            answered.set_result(message)

    def _take_event(self, event: wire.Event) -> None:
        match event:
            case wire.Statistics() | wire.RouterStatistics():
                self._statistics.take(event)
            case wire.TransportState(transport, seat, "failed" | "closed", reason):
                self._statistics.close(transport)
                message = f"The media transport ended: {reason}." if reason else "The media transport ended."
                self._listener.transport_ended(seat, TransportId(transport), message)
            case wire.LayersPaused(transport, mid, rids):
                self._listener.layers_paused(TransportId(transport), mid, rids)
            case wire.AudioSlotChanged(transport, slot, _, of, audio_rtp_timestamp):
                self._listener.audio_slot_changed(
                    TransportId(transport), SlotIndex(slot), _carried(of), audio_rtp_timestamp
                )
            case wire.CodecNotSupported(transport, slot, generation, "video"):
                self._listener.codec_support_changed(
                    TransportId(transport), SlotIndex(slot), Generation(generation), supported=False
                )
            case wire.CodecSupported(transport, slot, generation, "video"):
                self._listener.codec_support_changed(
                    TransportId(transport), SlotIndex(slot), Generation(generation), supported=True
                )
            case wire.VideoFallback(transport, slot, generation, state):
                self._listener.video_fallback_changed(
                    TransportId(transport), SlotIndex(slot), Generation(generation), VideoFallback(state)
                )
            case _:
                pass


def _carried(of: wire.Carried | None) -> Carried | None:
    return None if of is None else Carried(SlotIndex(of.slot), Generation(of.generation))


def _wishes(wishes: PictureWishes) -> wire.Wishes | None:
    if wishes == NO_WISHES:
        return None
    width, height = (None, None) if wishes.size is None else (wishes.size.width, wishes.size.height)
    return wire.Wishes(width, height, wishes.frame_rate)


def _pairs(pairs: Sequence[NewPair]) -> list[wire.SlotPair]:
    return [wire.SlotPair(pair.slot, pair.audio_mid, pair.video_mid) for pair in pairs]

"""A media router without media: the real one's decisions in memory, and a server of its link for adapters."""

import asyncio
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from tertulia.domain.commands import FoundAudioSlot, FoundSlot
from tertulia.domain.connection import NewPair
from tertulia.domain.stream import StreamSource
from tertulia.domain.subscription import NO_WISHES, PictureWishes
from tertulia.errors import ConnectFailedError, RouterRefusedError
from tertulia.ids import Generation, SlotIndex, TransportId
from tertulia.services.ports import RouterListener, TransportListing
from tertulia.wire import router as wire


@dataclass
class FakeSlot:
    audio_mid: str
    video_mid: str
    generation: int = 0
    source: wire.Source | None = None
    audio_paused: bool = False
    video_paused: bool = False
    wishes: wire.Wishes | None = None


@dataclass
class FakeTransport:
    transport: int
    seat: str
    epoch: int
    group: str | None = None
    slots: dict[int, FakeSlot] = field(default_factory=dict)
    tracks: list[wire.Track] = field(default_factory=list)
    audio_slots: list[int] = field(default_factory=list)
    offers: list[str] = field(default_factory=list)


class RouterState:
    """What a router holds and how it decides, by the words of `contract/router-link.yaml`."""

    def __init__(self) -> None:
        self.transports: dict[int, FakeTransport] = {}
        self.requests: list[wire.Request] = []
        self.refuse_offers = False
        self._ids = itertools.count(1)
        self._timestamps = itertools.count(1000, 960)

    def answer(self, request: wire.Request) -> wire.ReplyBody:
        """Answer a request or raise RouterRefusedError."""
        self.requests.append(request)
        match request:
            case wire.Hello():
                return wire.HelloReply(wire.VERSION, "0.0.0-fake", 1, 40000, ["127.0.0.1"])
            case wire.OpenTransport(_, seat, epoch, offer, slots, group):
                self._check(offer)
                transport = FakeTransport(next(self._ids), seat, epoch, group)
                self.transports[transport.transport] = transport
                return wire.OpenTransportReply(transport.transport, self._negotiate(transport, offer, slots), [])
            case wire.Renegotiate(_, transport_id, offer, slots):
                self._check(offer)
                return wire.RenegotiateReply(self._negotiate(self._transport(transport_id), offer, slots), [])
            case wire.CloseTransport(_, transport_id):
                self.close(self._transport(transport_id).transport)
            case wire.Bind():
                return self._bind(request)
            case wire.Unbind(_, transport_id, slot, generation):
                found = self._slot(transport_id, slot)
                if found.generation == generation:
                    found.source = None
            case wire.Pause(_, transport_id, slot, generation, audio_paused, video_paused):
                found = self._slot(transport_id, slot)
                if found.generation != generation or found.source is None:
                    raise RouterRefusedError("stale_generation", "This binding is over.")
                found.audio_paused, found.video_paused = audio_paused, video_paused
            case wire.Prefer(_, transport_id, slot, generation, wishes):
                found = self._slot(transport_id, slot)
                if found.generation == generation and found.source is not None:
                    found.wishes = wishes
            case wire.SetAudioSlots(_, transport_id, slots):
                for slot in slots:
                    if self._slot(transport_id, slot).source is not None:
                        raise RouterRefusedError("slot_bound", "The slot is bound; unbind it first.")
                self._transport(transport_id).audio_slots = slots
            case wire.RequestKeyFrame(_, transport_id, _):
                self._transport(transport_id)
            case wire.ListTransports():
                return wire.ListReply([self._listing(transport) for transport in self.transports.values()])
        return wire.Empty()

    def close(self, transport_id: int) -> None:
        """End a transport, and with it whatever is bound from it."""
        del self.transports[transport_id]
        for transport in self.transports.values():
            for slot in transport.slots.values():
                if slot.source is not None and slot.source.transport == transport_id:
                    slot.source = None

    def bindings(self) -> dict[tuple[str, int], wire.Source]:
        """What is bound, by seat and slot."""
        return {
            (transport.seat, index): slot.source
            for transport in self.transports.values()
            for index, slot in transport.slots.items()
            if slot.source is not None
        }

    def _check(self, offer: str) -> None:
        if self.refuse_offers or not offer.startswith("v=0"):
            raise RouterRefusedError("offer_refused", "The offer is malformed.")

    def _negotiate(self, transport: FakeTransport, offer: str, slots: Sequence[wire.SlotPair]) -> str:
        transport.offers.append(offer)
        for pair in slots:
            transport.slots[pair.slot] = FakeSlot(pair.audio_mid, pair.video_mid)
        return f"v=0\r\na=answer:{transport.transport}.{len(transport.offers)}\r\na=setup:passive\r\n"

    def _bind(self, request: wire.Bind) -> wire.BindReply:
        slot = self._slot(request.transport, request.slot)
        self._transport(request.source.transport)
        if slot.source is not None:
            raise RouterRefusedError("slot_bound", "The slot is bound; unbind it first.")
        if request.generation <= slot.generation:
            raise RouterRefusedError("stale_generation", "The generation is not newer.")
        slot.generation, slot.source = request.generation, request.source
        slot.audio_paused, slot.video_paused = request.audio_paused, request.video_paused
        slot.wishes = request.wishes
        return wire.BindReply(
            next(self._timestamps) if request.source.audio_mid is not None else None,
            next(self._timestamps) if request.source.video_mid is not None else None,
        )

    def _transport(self, transport_id: int) -> FakeTransport:
        if transport_id not in self.transports:
            raise RouterRefusedError("transport_not_found", "No such transport.")
        return self.transports[transport_id]

    def _slot(self, transport_id: int, slot: int) -> FakeSlot:
        slots = self._transport(transport_id).slots
        if slot not in slots:
            raise RouterRefusedError("slot_not_found", "No such slot pair.")
        return slots[slot]

    def _listing(self, transport: FakeTransport) -> wire.Transport:
        slots = [
            wire.Binding(
                slot=index,
                audio_mid=slot.audio_mid,
                video_mid=slot.video_mid,
                generation=slot.generation,
                audio_paused=slot.audio_paused,
                video_paused=slot.video_paused,
                source=slot.source,
                wishes=slot.wishes,
            )
            for index, slot in transport.slots.items()
        ]
        return wire.Transport(
            transport.transport,
            transport.seat,
            transport.epoch,
            "connected",
            transport.tracks,
            slots,
            [wire.AudioSlot(slot, 0) for slot in transport.audio_slots],
        )


class FakeRouter:
    """The router port in memory.

    `away` makes every request fail, `failed` makes every transport look failed; `hold` keeps requests until `release`.
    `listed` is called when a listing is answered, before anybody has read it.
    """

    def __init__(self, state: RouterState | None = None) -> None:
        self.state = state or RouterState()
        self.listener: RouterListener | None = None
        self.away = False
        self.failed = False
        self.listed: Callable[[], None] = lambda: None
        self._passing = asyncio.Event()
        self._passing.set()
        self._ids = itertools.count(1)

    def connect(self, listener: RouterListener) -> None:
        self.listener = listener
        self.away = False
        listener.router_connected()

    def restart(self) -> None:
        """Forget everything, as a router that was killed does, and connect again."""
        assert self.listener is not None
        self.state = RouterState()
        self.connect(self.listener)

    def hold(self) -> None:
        self._passing.clear()

    def release(self) -> None:
        self._passing.set()

    async def _ask(self, request: wire.Request) -> wire.ReplyBody:
        if self.away:
            raise ConnectFailedError("The media router is not connected.")
        await self._passing.wait()
        await asyncio.sleep(0)
        if self.away:
            raise ConnectFailedError("The link to the media router was lost.")
        return self.state.answer(request)

    async def open_transport(
        self, seat: str, epoch: int, offer: str, pairs: Sequence[NewPair], group: str
    ) -> tuple[TransportId, str]:
        reply = await self._ask(wire.OpenTransport(next(self._ids), seat, epoch, offer, _pairs(pairs), group))
        assert isinstance(reply, wire.OpenTransportReply)
        return TransportId(reply.transport), reply.answer

    async def renegotiate(self, transport_id: TransportId, offer: str, pairs: Sequence[NewPair]) -> str:
        reply = await self._ask(wire.Renegotiate(next(self._ids), transport_id, offer, _pairs(pairs)))
        assert isinstance(reply, wire.RenegotiateReply)
        return reply.answer

    async def close_transport(self, transport_id: TransportId) -> None:
        await self._ask(wire.CloseTransport(next(self._ids), transport_id))

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
        origin = wire.Source(source.transport_id, source.lines.audio_mid, source.lines.video_mid)
        reply = await self._ask(
            wire.Bind(
                next(self._ids),
                transport_id,
                slot,
                generation,
                origin,
                audio_paused,
                video_paused,
                _wishes(wishes),
                audio_fallback,
                is_screen,
            )
        )
        assert isinstance(reply, wire.BindReply)
        return reply.audio_rtp_timestamp, reply.video_rtp_timestamp

    async def unbind(self, transport_id: TransportId, slot: SlotIndex, generation: Generation) -> None:
        await self._ask(wire.Unbind(next(self._ids), transport_id, slot, generation))

    async def pause(
        self,
        transport_id: TransportId,
        slot: SlotIndex,
        generation: Generation,
        *,
        audio_paused: bool,
        video_paused: bool,
    ) -> None:
        await self._ask(wire.Pause(next(self._ids), transport_id, slot, generation, audio_paused, video_paused))

    async def prefer(
        self,
        transport_id: TransportId,
        slot: SlotIndex,
        generation: Generation,
        wishes: PictureWishes,
        *,
        is_screen: bool,
    ) -> None:
        await self._ask(wire.Prefer(next(self._ids), transport_id, slot, generation, _wishes(wishes), is_screen))

    async def set_audio_slots(self, transport_id: TransportId, slots: Sequence[SlotIndex]) -> None:
        await self._ask(wire.SetAudioSlots(next(self._ids), transport_id, list(slots)))

    async def request_key_frame(self, transport_id: TransportId, mid: str) -> None:
        await self._ask(wire.RequestKeyFrame(next(self._ids), transport_id, mid))

    async def list_transports(self) -> list[TransportListing]:
        reply = await self._ask(wire.ListTransports(next(self._ids)))
        assert isinstance(reply, wire.ListReply)
        listed = [
            TransportListing(
                TransportId(transport.transport),
                transport.seat,
                transport.epoch,
                [
                    FoundSlot(SlotIndex(slot.slot), Generation(slot.generation), slot.source is not None)
                    for slot in transport.slots
                ],
                alive=not self.failed,
                audio_slots=[FoundAudioSlot(SlotIndex(found.slot), None, None) for found in transport.audio_slots],
                paused_layers=[
                    (track.mid, track.paused_rids) for track in transport.tracks if track.paused_rids is not None
                ],
            )
            for transport in reply.transports
        ]
        self.listed()
        return listed


class FakeRouterServer:
    """The router's end of the link on a Unix socket. `silent` makes it read and answer nothing."""

    def __init__(self, path: Path, state: RouterState | None = None) -> None:
        self.path = path
        self.state = state or RouterState()
        self.silent = False
        self.connections = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_unix_server(self._serve, str(self.path))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.drop()
        await self._server.wait_closed()

    def drop(self) -> None:
        """Cut every connection."""
        for writer in self._writers:
            writer.close()

    def report(self, *events: wire.Event, dropped: int = 0) -> None:
        """Send a batch of events."""
        self.send(wire.encode_frame(wire.Batch(list(events), dropped)))

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        for writer in self._writers:
            writer.write(data)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self.connections += 1
        try:
            while True:
                length = wire.frame_length(await reader.readexactly(wire.LENGTH_BYTES))
                request = wire.decode_request(await reader.readexactly(length))
                if not self.silent:
                    writer.write(wire.encode_frame(self._reply(request)))
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    def _reply(self, request: wire.Request) -> wire.Reply:
        try:
            body = self.state.answer(request)
        except RouterRefusedError as error:
            return wire.Reply(request.id, error=wire.LinkError(error.code, error.message))
        return wire.Reply(request.id, result=msgspec.Raw(msgspec.msgpack.encode(body)))


def _pairs(pairs: Sequence[NewPair]) -> list[wire.SlotPair]:
    return [wire.SlotPair(pair.slot, pair.audio_mid, pair.video_mid) for pair in pairs]


def _wishes(wishes: PictureWishes) -> wire.Wishes | None:
    if wishes == NO_WISHES:
        return None
    width, height = (None, None) if wishes.size is None else (wishes.size.width, wishes.size.height)
    return wire.Wishes(width, height, wishes.frame_rate)

"""What the media router says: compared with the seats when it connects, then passed on to the session concerned."""

import asyncio
from collections.abc import Callable, Iterable, Sequence

import structlog

from tertulia.domain.commands import (
    Carried,
    ChangeAudioSlot,
    ChangeCodecSupport,
    ChangeVideoFallback,
    Command,
    EndTransport,
    PauseLayers,
)
from tertulia.domain.subscription import VideoFallback
from tertulia.errors import PeerProtocolError, UnavailableError
from tertulia.ids import ConnectionId, Generation, SlotIndex, TransportId
from tertulia.services.inbox import Synchronise, Tell
from tertulia.services.live_session import Directory, LiveSession
from tertulia.services.ports import RouterPort, TransportListing
from tertulia.services.router_lanes import RouterGate
from tertulia.services.tasks import TaskSet

__all__ = ["RouterReports"]

_log = structlog.get_logger(__name__)


class RouterReports:
    """The listener of the media router.

    Args:
        router: To be asked what it holds.
        gate: Held shut while that is compared.
        directory: Whose transports there are.
        running: Every session that runs, or is about to.
        tasks: For the comparison.
    """

    def __init__(
        self,
        router: RouterPort,
        gate: RouterGate,
        directory: Directory,
        running: Callable[[], Iterable["asyncio.Future[LiveSession]"]],
        tasks: TaskSet,
    ) -> None:
        self._router = router
        self._gate = gate
        self._directory = directory
        self._running = running
        self._tasks = tasks
        self._comparisons = 0
        # What was told of parts of transports during these, the newest each.
        self._heard: dict[tuple[TransportId, object], Callable[[ConnectionId], Command]] = {}
        self.has_connected = False

    def router_connected(self) -> None:
        """Compare what the router holds with the seats, before any other request goes to it."""
        self.has_connected = True
        self._comparisons += 1
        self._tasks.spawn(self._synchronise(), "router synchronisation")

    async def _synchronise(self) -> None:
        try:
            await self._gate.close()
            listing = {listed.transport_id: listed for listed in await self._router.list_transports()}
            seats: set[str] = set()
            for future in list(self._running()):
                live = await asyncio.shield(future)
                live.post(Synchronise(listing))
                seats.update(live.state.connections)
            self._tell_what_is_newer(listing.values())
            orphans = [listed.transport_id for listed in listing.values() if listed.seat not in seats]
            for transport_id in orphans:
                await self._router.close_transport(transport_id)
            _log.info("media router compared", transports=len(listing), orphans=len(orphans))
        except (UnavailableError, PeerProtocolError) as error:
            _log.warning("the media router could not be listed", error=error.message)
        finally:
            self._comparisons -= 1
            if self._comparisons == 0:
                self._heard.clear()
                self._gate.open()

    def _tell_what_is_newer(self, listing: Iterable[TransportListing]) -> None:
        """Say what was heard since the router was asked for the listing: sessions take that up only now."""
        for listed in listing:
            for mid, rids in listed.paused_layers:
                if (listed.transport_id, mid) not in self._heard:
                    self._tell_transport(listed.transport_id, _paused(listed.transport_id, mid, rids))
        for (transport_id, _), make in self._heard.items():
            self._tell_transport(transport_id, make)

    def _hear(self, transport_id: TransportId, of: object, make: Callable[[ConnectionId], Command]) -> None:
        """Tell a transport's session news `of` a part of it, and again after a listing that may be older."""
        if self._comparisons > 0:
            self._heard[transport_id, of] = make
        self._tell_transport(transport_id, make)

    def _tell_transport(self, transport_id: TransportId, make: Callable[[ConnectionId], Command]) -> None:
        known = self._directory.transports.get(transport_id)
        if known is not None:
            live, connection_id = known
            live.post(Tell(make(connection_id)))

    def transport_ended(self, seat: str, transport_id: TransportId, message: str) -> None:
        """Tell the connection that its transport is gone."""
        connection_id = ConnectionId(seat)
        self._tell(connection_id, EndTransport(connection_id, transport_id, message))

    def codec_support_changed(
        self, transport_id: TransportId, slot: SlotIndex, generation: Generation, *, supported: bool
    ) -> None:
        """Tell the subscriber whether it gets the video."""
        self._hear(
            transport_id,
            (slot, "codec"),
            lambda connection_id: ChangeCodecSupport(connection_id, transport_id, slot, generation, supported),
        )

    def audio_slot_changed(
        self, transport_id: TransportId, slot: SlotIndex, of: Carried | None, audio_rtp_timestamp: int | None
    ) -> None:
        """Tell the subscriber whose sound an audio slot carries."""
        self._hear(
            transport_id,
            (slot, "sound"),
            lambda connection_id: ChangeAudioSlot(connection_id, transport_id, slot, of, audio_rtp_timestamp),
        )

    def layers_paused(self, transport_id: TransportId, video_mid: str, rids: Sequence[str]) -> None:
        """Tell the publisher which encodings nobody needs."""
        self._hear(transport_id, video_mid, _paused(transport_id, video_mid, rids))

    def video_fallback_changed(
        self, transport_id: TransportId, slot: SlotIndex, generation: Generation, fallback: VideoFallback
    ) -> None:
        """Tell the subscriber what becomes of the video."""
        self._hear(
            transport_id,
            (slot, "fallback"),
            lambda connection_id: ChangeVideoFallback(connection_id, transport_id, slot, generation, fallback),
        )

    def _tell(self, connection_id: ConnectionId, command: Command) -> None:
        live = self._directory.sessions.get(connection_id)
        if live is not None:
            live.post(Tell(command))


def _paused(transport_id: TransportId, video_mid: str, rids: Sequence[str]) -> Callable[[ConnectionId], Command]:
    return lambda connection_id: PauseLayers(connection_id, transport_id, video_mid, tuple(rids))

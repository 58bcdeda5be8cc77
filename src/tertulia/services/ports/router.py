"""The media router, and what it reports."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tertulia.domain.commands import Carried, FoundAudioSlot, FoundSlot
from tertulia.domain.connection import NewPair
from tertulia.domain.stream import StreamSource
from tertulia.domain.subscription import PictureWishes, VideoFallback
from tertulia.ids import Generation, SlotIndex, TransportId


@dataclass(frozen=True, slots=True)
class TransportListing:
    """A transport as the router has it.

    Attributes:
        transport_id: Its id.
        seat: The seat key that we gave it: a connection id.
        epoch: Which of its client's transports it is.
        slots: Its slot pairs by index.
        alive: False when it has failed and only waits to be closed.
        audio_slots: Its audio slots and what they carry.
        paused_layers: The layers of its video lines that nobody needs, by mid; of lines that have layers.
    """

    transport_id: TransportId
    seat: str
    epoch: int
    slots: Sequence[FoundSlot]
    alive: bool = True
    audio_slots: Sequence[FoundAudioSlot] = ()
    paused_layers: Sequence[tuple[str, Sequence[str]]] = ()


class RouterListener(Protocol):
    """Who hears what the router reports. The methods return at once."""

    def router_connected(self) -> None:
        """The link is up, for the first time or again: ask for the list, much may have changed."""

    def transport_ended(self, seat: str, transport_id: TransportId, message: str) -> None:
        """A transport failed or was closed by the router itself."""

    def layers_paused(self, transport_id: TransportId, video_mid: str, rids: Sequence[str]) -> None:
        """Nobody needs these encodings (`rid`) of a publisher's line, but all others."""
        ...

    def audio_slot_changed(
        self, transport_id: TransportId, slot: SlotIndex, of: Carried | None, audio_rtp_timestamp: int | None
    ) -> None:
        """An audio slot carries the sound of another binding, or of none."""

    def codec_support_changed(
        self, transport_id: TransportId, slot: SlotIndex, generation: Generation, *, supported: bool
    ) -> None:
        """The video of a binding cannot, or can again, be sent to its subscriber."""

    def video_fallback_changed(
        self, transport_id: TransportId, slot: SlotIndex, generation: Generation, fallback: VideoFallback
    ) -> None:
        """The video of a binding soon may be left out for bandwidth, is left out, or is sent."""


class RouterPort(Protocol):
    """The media router. Methods raise UnavailableError (away, or late) and RouterRefusedError."""

    async def open_transport(
        self, seat: str, epoch: int, offer: str, pairs: Sequence[NewPair], group: str
    ) -> tuple[TransportId, str]:
        """Make a transport for a seat; return its id and the answer to the offer.

        Transports of one group, which means nothing else to the router, are kept together while there is room.
        """
        ...

    async def renegotiate(self, transport_id: TransportId, offer: str, pairs: Sequence[NewPair]) -> str:
        """Return the answer to a further offer."""
        ...

    async def close_transport(self, transport_id: TransportId) -> None:
        """End a transport."""
        ...

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
        """Forward a source into a pair; return the first RTP timestamps of audio and video of the binding.

        With `audio_fallback` the video may be left out while the subscriber's network cannot carry it. A screen
        (`is_screen`) has room in it before cameras have.
        """
        ...

    async def unbind(self, transport_id: TransportId, slot: SlotIndex, generation: Generation) -> None:
        """Forward nothing of this binding any more."""
        ...

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
        ...

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
        ...

    async def set_audio_slots(self, transport_id: TransportId, slots: Sequence[SlotIndex]) -> None:
        """Forward the loudest of a transport's bindings on these pairs; none: all, each in its own pair."""
        ...

    async def request_key_frame(self, transport_id: TransportId, mid: str) -> None:
        """Ask who publishes on that video line for a key frame; the router asks no publisher too often."""
        ...

    async def list_transports(self) -> list[TransportListing]:
        """Return every transport that the router holds."""
        ...

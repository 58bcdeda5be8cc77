"""What the media router must do. Intents of one connection are carried out one after the other, in this order."""

from dataclasses import dataclass

from tertulia.domain.connection import NewPair
from tertulia.domain.stream import StreamSource
from tertulia.domain.subscription import NO_WISHES, PictureWishes
from tertulia.ids import ConnectionId, Generation, SlotIndex, TransportId


@dataclass(frozen=True, slots=True)
class OpenTransport:
    """Make a transport from a client's first offer of an epoch; answered by SettleOffer or FailOffer."""

    connection_id: ConnectionId
    ticket: int
    epoch: int
    offer: str
    pairs: tuple[NewPair, ...]


@dataclass(frozen=True, slots=True)
class RenegotiateTransport:
    """Give a further offer to a transport; answered by SettleOffer or FailOffer."""

    connection_id: ConnectionId
    ticket: int
    transport_id: TransportId
    offer: str
    pairs: tuple[NewPair, ...]


@dataclass(frozen=True, slots=True)
class CloseTransport:
    """End a transport, with everything bound on it; not answered."""

    connection_id: ConnectionId
    transport_id: TransportId


@dataclass(frozen=True, slots=True)
class BindSlot:
    """Forward `source` into a pair; answered by SettleBind.

    `audio_fallback`: the video may be left out if the subscriber's network cannot carry it. `is_screen`: it is a
    screen, which has room in the subscriber's network before cameras have.
    """

    connection_id: ConnectionId
    transport_id: TransportId
    slot: SlotIndex
    generation: Generation
    source: StreamSource
    audio_paused: bool
    video_paused: bool
    wishes: PictureWishes = NO_WISHES
    audio_fallback: bool = True
    is_screen: bool = False


@dataclass(frozen=True, slots=True)
class UnbindSlot:
    """Forward nothing into a pair any more; answered by SettleUnbind."""

    connection_id: ConnectionId
    transport_id: TransportId
    slot: SlotIndex
    generation: Generation


@dataclass(frozen=True, slots=True)
class PauseSlot:
    """Set what of a binding is held back; not answered."""

    connection_id: ConnectionId
    transport_id: TransportId
    slot: SlotIndex
    generation: Generation
    audio_paused: bool
    video_paused: bool


@dataclass(frozen=True, slots=True)
class PreferSlot:
    """Say which picture the subscriber of a binding would like, and what it shows; not answered."""

    connection_id: ConnectionId
    transport_id: TransportId
    slot: SlotIndex
    generation: Generation
    wishes: PictureWishes
    is_screen: bool = False


@dataclass(frozen=True, slots=True)
class SetAudioSlots:
    """Put the loudest of what is bound on the audio lines of these pairs; none: all, each in its own; not answered."""

    connection_id: ConnectionId
    transport_id: TransportId
    slots: tuple[SlotIndex, ...]


@dataclass(frozen=True, slots=True)
class RequestKeyFrame:
    """Ask who publishes on that video line of that transport for a key frame, for this connection; not answered."""

    connection_id: ConnectionId
    transport_id: TransportId
    mid: str


RouterIntent = (
    OpenTransport
    | RenegotiateTransport
    | CloseTransport
    | BindSlot
    | UnbindSlot
    | PauseSlot
    | PreferSlot
    | SetAudioSlots
    | RequestKeyFrame
)

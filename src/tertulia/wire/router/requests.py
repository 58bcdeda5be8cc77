"""What control asks of the router."""

from typing import Final

from tertulia.wire.router.parts import Message, SlotPair, Source, Wishes

VERSION: Final = 1
OLDEST_VERSION: Final = 1


class Hello(Message, frozen=True, tag="hello"):
    """The first message: which versions control speaks."""

    id: int
    version: int
    oldest_version: int


class OpenTransport(Message, frozen=True, tag="open_transport"):
    """A client's first offer of an epoch; transports of one `group` are kept together while there is room."""

    id: int
    seat: str
    epoch: int
    offer: str
    slots: list[SlotPair]
    group: str | None = None


class Renegotiate(Message, frozen=True, tag="renegotiate"):
    """A further offer of the same client; `slots` are the new pairs only."""

    id: int
    transport: int
    offer: str
    slots: list[SlotPair]


class CloseTransport(Message, frozen=True, tag="close_transport"):
    """End a transport."""

    id: int
    transport: int


class Bind(Message, frozen=True, tag="bind"):
    """Forward a source into a pair."""

    id: int
    transport: int
    slot: int
    generation: int
    source: Source
    audio_paused: bool
    video_paused: bool
    wishes: Wishes | None = None
    audio_fallback: bool = False
    is_screen: bool = False


class Unbind(Message, frozen=True, tag="unbind"):
    """Forward nothing of this generation any more."""

    id: int
    transport: int
    slot: int
    generation: int


class Pause(Message, frozen=True, tag="pause"):
    """Set both flags."""

    id: int
    transport: int
    slot: int
    generation: int
    audio_paused: bool
    video_paused: bool


class Prefer(Message, frozen=True, tag="prefer"):
    """Say anew which picture the subscriber of a binding would like, and whether it is of a screen."""

    id: int
    transport: int
    slot: int
    generation: int
    wishes: Wishes | None = None
    is_screen: bool = False


class SetAudioSlots(Message, frozen=True, tag="set_audio_slots"):
    """Forward only the loudest of a transport's bound streams, on these pairs; none: all, each in its own pair."""

    id: int
    transport: int
    slots: list[int]


class RequestKeyFrame(Message, frozen=True, tag="request_key_frame"):
    """Ask a publisher for a key frame."""

    id: int
    transport: int
    mid: str


class ListTransports(Message, frozen=True, tag="list"):
    """Name everything."""

    id: int


Request = (
    Hello
    | OpenTransport
    | Renegotiate
    | CloseTransport
    | Bind
    | Unbind
    | Pause
    | Prefer
    | SetAudioSlots
    | RequestKeyFrame
    | ListTransports
)

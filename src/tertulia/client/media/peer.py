"""The one interface that every WebRTC stack of the client stands behind. Media crosses it as encoded frames.

A peer is one transport to the server: it always offers, its lines are used again and never stopped, and its slot pairs
grow and never shrink. It decodes and encodes nothing, so that what only passes through costs no codec.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from tertulia.wire import signalling as wire

Kind = Literal["audio", "video"]
Codec = Literal["opus", "vp8", "vp9", "h264"]

CLOCK_RATES: dict[Kind, int] = {"audio": 48_000, "video": 90_000}
"""Ticks of an RTP timestamp in a second (RFC 7587 section 4.1, RFC 7741 section 4.1)."""


class PeerState(enum.Enum):
    """Whether media passes."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    INTERRUPTED = "interrupted"
    """No media passes, but it may come back."""
    FAILED = "failed"
    """It will not come back: another peer must be made."""


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """One encoded picture, or one packet of sound.

    Attributes:
        kind: `audio` or `video`.
        codec: what it is encoded with.
        data: the bytes that a decoder takes; H.264 in Annex B.
        rtp_timestamp: when it was captured, in ticks of 48 kHz (audio) or 90 kHz (video), modulo 2^32.
        key_frame: whether a decoder can begin with it; True for all audio.
        audio_level: loudness from 0 (loudest) to 127 (silence), in -dBov (RFC 6464); None if it is not known.
        arrived_s: when its last packet came, on the event loop's clock; 0 for a frame that is to be sent.
    """

    kind: Kind
    codec: Codec
    data: bytes
    rtp_timestamp: int
    key_frame: bool = True
    audio_level: int | None = None
    arrived_s: float = 0.0


class Receiver(Protocol):
    """One receive-only line."""

    def listen(self, listener: Callable[[EncodedFrame], None] | None, start: int | None) -> None:
        """Hands over frames from RTP timestamp `start` on (None: from any), until another listener is set."""

    def request_key_frame(self) -> None:
        """Asks the sender for a picture that a decoder can begin with. Requests close to each other count as one."""


@dataclass(frozen=True, slots=True)
class SlotReceivers:
    """The two lines of a slot pair."""

    audio: Receiver
    video: Receiver


@dataclass(frozen=True, slots=True)
class SendWishes:
    """The lines that a stream needs.

    Attributes:
        audio: whether it has sound.
        video: the codec of its pictures; None if it has none.
        rids: names of its encodings, smallest first; empty for a single one without a name.
    """

    audio: bool
    video: Codec | None
    rids: tuple[str, ...] = ()


class SentLine(Protocol):
    """One line that carries a track of ours."""

    @property
    def mid(self) -> str:
        """Its name in the offer."""

    def send(self, frame: EncodedFrame, encoding: int = 0) -> None:
        """Sends a frame of the encoding with this index. While media does not pass it is dropped."""

    def take_key_frame_request(self, encoding: int = 0) -> bool:
        """Whether a key frame was asked for since the last call; the first call is always answered with True."""

    @property
    def loss(self) -> float:
        """Share of packets that were lost on the way to the server, 0 to 1, as its last report says."""


class SentLines(Protocol):
    """The lines of one stream."""

    @property
    def audio(self) -> SentLine | None:
        """The line of its sound."""

    @property
    def video(self) -> SentLine | None:
        """The line of its pictures."""

    def stop(self) -> None:
        """Sends nothing more; the lines stay and are used again by a later stream."""


class PeerError(Exception):
    """What the server answered cannot be used."""


class Peer(Protocol):
    """One transport to the server."""

    @property
    def state(self) -> PeerState:
        """Whether media passes."""

    @property
    def slot_count(self) -> int:
        """How many slot pairs there are."""

    def add_slot_pairs(self, count: int) -> None:
        """Adds slot pairs, which the next offer announces."""

    def receivers(self, slot: int) -> SlotReceivers | None:
        """The lines of a slot pair; None where there is no such slot."""

    def send(self, wishes: SendWishes) -> SentLines:
        """Takes lines for a stream; the next offer has them."""

    def offer(self) -> str:
        """Makes an offer. Every offer is followed by `accept` or `withdraw`."""

    def new_slots(self) -> Sequence[wire.SlotPair]:
        """The slot pairs that no accepted offer has announced yet."""

    def accept(self, answer: str) -> None:
        """Applies the answer to the last offer.

        Raises:
            PeerError: it is not one.
        """

    def withdraw(self) -> None:
        """Takes the last offer back."""

    def restart_ice(self) -> None:
        """The next offer looks for a new path to the server."""

    def close(self) -> None:
        """Ends everything at once: sockets and timers."""


class PeerFactory(Protocol):
    """Makes a peer that reports every change of its state."""

    def __call__(self, on_state: Callable[[PeerState], None]) -> Peer:
        """Makes one. `on_state` is called in the event loop."""

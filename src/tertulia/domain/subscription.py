"""Subscriptions and the slot pairs that carry them.

A pair is one audio and one video line of the subscriber's transport. Its life, and who moves it on:

    FREE -- bind sent --> BINDING -- router bound it --> BOUND
    BINDING, BOUND -- subscription over --> RELEASING -- router unbound it and the client let go --> FREE

A pair is bound again only from FREE, so a client is never shown media of the stream that was in the pair before.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from tertulia.domain.limits import PAIR_STEPS
from tertulia.domain.stream import Dimensions
from tertulia.ids import ConnectionId, Generation, SlotIndex, StreamId, SubscriptionId

__all__ = [
    "MAX_PAIRS",
    "MAX_SUBSCRIPTIONS",
    "NO_WISHES",
    "PairState",
    "PictureWishes",
    "SlotPair",
    "Subscription",
    "VideoFallback",
    "best_free_pair",
    "next_pool_size",
]

MAX_PAIRS = PAIR_STEPS[-1]
"""Of one connection's transport."""
MAX_SUBSCRIPTIONS = 48
"""Of one connection: each needs a pair; the others are room for audio slots."""


_UNBOUND = Generation(0)


class PairState(StrEnum):
    """Where a slot pair stands; see the module's diagram."""

    FREE = "free"
    BINDING = "binding"
    BOUND = "bound"
    RELEASING = "releasing"


class VideoFallback(StrEnum):
    """What the router does with the video of a binding for its subscriber's bandwidth."""

    SENT = "sent"
    WARNED = "warned"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class SlotPair:
    """One slot pair of a connection's transport.

    Attributes:
        slot: Its index.
        audio_mid: The `mid` of its audio line.
        video_mid: The `mid` of its video line.
        state: See the module's diagram.
        generation: Of the present or last binding; 0 before the first.
        subscription_id: The subscription in it while BINDING or BOUND, and the one that was while RELEASING.
        audio_rtp_timestamp: First timestamp that audio of this binding can carry; known once BOUND.
        video_rtp_timestamp: The same for video.
        router_released: While RELEASING: the router answered the unbind.
        client_released: While RELEASING: the client shows and plays nothing of the binding any more.
        video_supported: False after the router found no common codec for this binding.
        fallback: Whether the video is left out for the subscriber's bandwidth, or soon may be; None while it never was.
    """

    slot: SlotIndex
    audio_mid: str
    video_mid: str
    state: PairState = PairState.FREE
    generation: Generation = _UNBOUND
    subscription_id: SubscriptionId | None = None
    audio_rtp_timestamp: int | None = None
    video_rtp_timestamp: int | None = None
    router_released: bool = False
    client_released: bool = False
    video_supported: bool = True
    fallback: VideoFallback | None = None

    def bind(self, subscription_id: SubscriptionId) -> "SlotPair":
        """The free pair with its next binding on the way."""
        assert self.state is PairState.FREE, "only a free pair is bound"
        return SlotPair(
            slot=self.slot,
            audio_mid=self.audio_mid,
            video_mid=self.video_mid,
            state=PairState.BINDING,
            generation=Generation(self.generation + 1),
            subscription_id=subscription_id,
        )

    def release(self) -> "SlotPair":
        """The pair with its binding on the way out; a client that was never told has nothing to let go."""
        assert self.state in (PairState.BINDING, PairState.BOUND), "only a bound pair is released"
        return replace(
            self,
            state=PairState.RELEASING,
            router_released=False,
            client_released=self.state is PairState.BINDING,
        )

    def settle(self) -> "SlotPair":
        """The pair, free again if both sides have let go."""
        if self.state is not PairState.RELEASING or not (self.router_released and self.client_released):
            return self
        return SlotPair(self.slot, self.audio_mid, self.video_mid, generation=self.generation)


@dataclass(frozen=True, slots=True)
class PictureWishes:
    """The picture that a subscriber would like; the router sends the nearest that the publisher makes.

    Attributes:
        size: Width and height in pixels; None for the largest.
        frame_rate: Frames per second; None for all.
    """

    size: Dimensions | None = None
    frame_rate: float | None = None


NO_WISHES: Final = PictureWishes()


@dataclass(frozen=True, slots=True)
class Subscription:
    """One connection's wish to receive one stream. Invariant: it names a live stream of the same session.

    Attributes:
        subscription_id: Counts within the connection.
        connection_id: The subscriber.
        stream_id: What it wants.
        audio: Whether the audio is wanted at present.
        video: Whether the video is wanted at present.
        wishes: Which picture is wanted.
        slot: The pair that carries it, or None while it waits for one.
        failed_binds: Binds that the router refused since the stream's source was last named.
    """

    subscription_id: SubscriptionId
    connection_id: ConnectionId
    stream_id: StreamId
    audio: bool
    video: bool
    wishes: PictureWishes = NO_WISHES
    slot: SlotIndex | None = None
    failed_binds: int = 0


def best_free_pair(pairs: Iterable[SlotPair]) -> SlotPair | None:
    """Return the free pair that was bound least often, the lowest slot first; None if none is free."""
    free = (pair for pair in pairs if pair.state is PairState.FREE)
    return min(free, key=lambda pair: (pair.generation, pair.slot), default=None)


def next_pool_size(wanted: int, steps: Sequence[int] = PAIR_STEPS) -> int:
    """Return the smallest step that holds `wanted` pairs; the largest step if none does."""
    return next((step for step in steps if step >= wanted), steps[-1])

"""What the router says of its own accord."""

from collections.abc import Mapping
from typing import Final, get_args

import msgspec

from tertulia.wire.router.parts import AudioLevel, Carried, Drop, Fallback, Kind, Message, Shard, State, Track


class TransportState(Message, frozen=True, tag="transport_state"):
    """A transport has another state."""

    transport: int
    seat: str
    state: State
    reason: str | None = None


class TrackChanged(Message, frozen=True, tag="track"):
    """The first packet of a track, or another codec than before."""

    transport: int
    track: Track


class LayersPaused(Message, frozen=True, tag="layers_paused"):
    """Nobody needs these encodings of a line; all others are to be sent."""

    transport: int
    mid: str
    rids: list[str]


class BindingStarted(Message, frozen=True, tag="binding_started"):
    """The first packet of a binding left."""

    transport: int
    slot: int
    generation: int
    kind: Kind
    codec: str


class CodecNotSupported(Message, frozen=True, tag="codec_not_supported"):
    """The subscriber cannot receive what the source sends."""

    transport: int
    slot: int
    generation: int
    kind: Kind
    codec: str


class CodecSupported(Message, frozen=True, tag="codec_supported"):
    """After the former: now it can."""

    transport: int
    slot: int
    generation: int
    kind: Kind
    codec: str


class VideoFallback(Message, frozen=True, tag="video_fallback"):
    """The video of a binding soon may be left out for bandwidth, is left out, or is sent."""

    transport: int
    slot: int
    generation: int
    state: Fallback


class AudioSlotChanged(Message, frozen=True, tag="audio_slot"):
    """An audio slot carries another stream than before, or none."""

    transport: int
    slot: int
    turn: int
    of: Carried | None = None
    audio_rtp_timestamp: int | None = None


class AudioLevels(Message, frozen=True, tag="audio_levels"):
    """How loud a transport's tracks were in the last interval."""

    transport: int
    levels: list[AudioLevel]


class Statistics(Message, frozen=True, tag="statistics"):
    """Counters of a transport since it was opened."""

    transport: int
    packets_received: int
    bytes_received: int
    packets_sent: int
    bytes_sent: int
    packets_lost: int
    packets_dropped: int
    nacks_received: int
    key_frame_requests: int
    round_trip_ms: float | None = None
    retransmissions: int = 0
    drops: list[Drop] = msgspec.field(default_factory=list)
    estimate_bps: int | None = None


class RouterStatistics(Message, frozen=True, tag="router_statistics"):
    """Counters of the router, by shard."""

    shards: list[Shard]


Event = (
    TransportState
    | TrackChanged
    | LayersPaused
    | BindingStarted
    | CodecNotSupported
    | CodecSupported
    | VideoFallback
    | AudioSlotChanged
    | AudioLevels
    | Statistics
    | RouterStatistics
)
EVENTS: Final[Mapping[str, type[Event]]] = {str(event.__struct_config__.tag): event for event in get_args(Event)}
"""Every event by its type."""

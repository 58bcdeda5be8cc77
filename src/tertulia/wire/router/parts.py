"""What several messages are made of, and the words that the router uses for refusals and drops."""

from typing import Final, Literal

import msgspec

ERROR_CODES: Final = frozenset(
    {
        "unknown_request",
        "invalid_request",
        "version_not_supported",
        "transport_not_found",
        "slot_not_found",
        "track_not_found",
        "stale_generation",
        "slot_bound",
        "offer_refused",
        "transport_failed",
        "limit_reached",
    }
)
"""Why the router refuses; a newer router may know more."""
DROP_CAUSES: Final = frozenset(
    {
        "unknown_source",
        "foreign_machine",
        "refused",
        "malformed",
        "out_of_place",
        "too_many_sources",
        "too_much",
        "not_negotiated",
        "codec_not_supported",
        "before_binding",
        "no_sink",
        "ring_full",
        "send_buffer_full",
        "send_failed",
        "tcp_queue_full",
        "tcp_not_connected",
        "tcp_refused",
    }
)
"""Why the router drops something; a newer router may know more."""

Kind = Literal["audio", "video"]
Fallback = Literal["sent", "warned", "stopped"]
State = Literal["new", "connecting", "connected", "disconnected", "failed", "closed"]


class Part(msgspec.Struct, frozen=True, omit_defaults=True):
    """A part of messages."""


class Message(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type"):
    """A message; its `type` is its tag."""


class SlotPair(Part, frozen=True):
    """One audio and one video line that share an msid."""

    slot: int
    audio_mid: str
    video_mid: str


class Source(Part, frozen=True):
    """The publisher's transport and the media lines on it; at least one mid is present."""

    transport: int
    audio_mid: str | None = None
    video_mid: str | None = None


class Wishes(Part, frozen=True):
    """The picture that a subscriber would like; what is absent is not wished for."""

    width: int | None = None
    height: int | None = None
    frame_rate: float | None = None


class Track(Part, frozen=True):
    """A media line on which a client sends; `codec` once a packet came, `paused_rids` if it has several encodings."""

    mid: str
    kind: Kind
    receiving: bool
    codec: str | None = None
    paused_rids: list[str] | None = None


class Binding(Part, frozen=True):
    """A slot pair and what is bound in it."""

    slot: int
    audio_mid: str
    video_mid: str
    generation: int
    audio_paused: bool
    video_paused: bool
    source: Source | None = None
    wishes: Wishes | None = None
    video_fallback: Fallback | None = None


class Carried(Part, frozen=True):
    """The binding whose sound an audio slot carries."""

    slot: int
    generation: int


class AudioSlot(Part, frozen=True):
    """What an audio slot carries, and the first RTP timestamp of that; neither: nothing. `turn` counts its streams."""

    slot: int
    turn: int
    of: Carried | None = None
    audio_rtp_timestamp: int | None = None


class Transport(Part, frozen=True):
    """A transport with everything on it."""

    transport: int
    seat: str
    epoch: int
    state: State
    tracks: list[Track]
    slots: list[Binding]
    audio_slots: list[AudioSlot] = []


class LinkError(Part, frozen=True):
    """Why a request was refused, with cause and remedy in words."""

    code: str
    message: str


class AudioLevel(Part, frozen=True):
    """The loudest of the interval: 0 loudest to -127 silence (RFC 6464)."""

    mid: str
    level_dbov: int


class Drop(Part, frozen=True):
    """How often something was dropped for one cause, of `DROP_CAUSES`."""

    cause: str
    count: int


class Sojourns(Part, frozen=True):
    """How long forwarded packets were in the router: of one in 100, each copy that left over UDP.

    Attributes:
        bounds_us: Upper bounds in microseconds, inclusive, the smallest first.
        counts: How many were within each and above the one before; one more than bounds, for what was longer.
        sum_us: All of them together.
    """

    bounds_us: list[int]
    counts: list[int]
    sum_us: int


class Rates(Part, frozen=True):
    """How many rates were how high; see `Networks.bounds_kbps`."""

    counts: list[int]
    sum_kbps: int


class Networks(Part, frozen=True):
    """The networks of a shard's subscribers; each of which something is known counts once in 2 s.

    Attributes:
        bounds_kbps: Upper bounds in kbit/s, inclusive, the smallest first; counts have one more, for what is higher.
        estimates: What may be sent to each.
        targets: What was chosen for that, sound and videos.
        probes: How often a network was asked whether it bears more.
        probes_found: How often it did.
        times_left_out: How often a video was left out.
        videos: Those that are wanted now.
        videos_left_out: Those of them that the network does not bear.
    """

    bounds_kbps: list[int]
    estimates: Rates
    targets: Rates
    probes: int
    probes_found: int
    times_left_out: int
    videos: int
    videos_left_out: int


class Shard(Part, frozen=True):
    """Counters of one shard since the router started; `transports` and `tcp_connections` are the numbers of now."""

    shard: int
    transports: int
    tcp_connections: int
    packets_received: int
    bytes_received: int
    packets_sent: int
    bytes_sent: int
    retransmissions: int
    handed_over: int
    drops: list[Drop]
    system_calls: int
    largest_batch: int
    sojourns: Sojourns | None = None
    networks: Networks | None = None

"""The link between control and the media router: typed messages, exactly as `contract/router-link.yaml`.

A frame is a 4-byte big-endian length and that many bytes of MessagePack. Control sends requests, the router answers
each with one reply of the same id, and sends batches of events of its own accord.
"""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from tertulia.errors import UnexpectedAnswerError

__all__ = [
    "DROP_CAUSES",
    "ERROR_CODES",
    "LENGTH_BYTES",
    "MAX_FRAME_BYTES",
    "OLDEST_VERSION",
    "REPLIES",
    "REQUESTS",
    "VERSION",
    "AudioLevel",
    "AudioLevels",
    "Batch",
    "Bind",
    "BindReply",
    "Binding",
    "BindingStarted",
    "CloseTransport",
    "CodecNotSupported",
    "CodecSupported",
    "Drop",
    "Empty",
    "Event",
    "FromRouter",
    "Hello",
    "HelloReply",
    "LayersPaused",
    "LinkError",
    "ListReply",
    "ListTransports",
    "OpenTransport",
    "OpenTransportReply",
    "Pause",
    "Prefer",
    "Renegotiate",
    "RenegotiateReply",
    "Reply",
    "ReplyBody",
    "Request",
    "RequestKeyFrame",
    "RouterStatistics",
    "Shard",
    "SlotPair",
    "Source",
    "Statistics",
    "Track",
    "TrackChanged",
    "Transport",
    "TransportState",
    "Unbind",
    "VideoFallback",
    "Wishes",
    "decode_from_router",
    "decode_reply",
    "decode_request",
    "encode_frame",
    "frame_length",
]

VERSION: Final = 1
OLDEST_VERSION: Final = 1
MAX_FRAME_BYTES: Final = 4_194_304
LENGTH_BYTES: Final = 4
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


class _Part(msgspec.Struct, frozen=True, omit_defaults=True):
    """A part of messages."""


class _Message(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type"):
    """A message; its `type` is its tag."""


# ---- parts


class SlotPair(_Part, frozen=True):
    """One audio and one video line that share an msid."""

    slot: int
    audio_mid: str
    video_mid: str


class Source(_Part, frozen=True):
    """The publisher's transport and the media lines on it; at least one mid is present."""

    transport: int
    audio_mid: str | None = None
    video_mid: str | None = None


class Wishes(_Part, frozen=True):
    """The picture that a subscriber would like; what is absent is not wished for."""

    width: int | None = None
    height: int | None = None
    frame_rate: float | None = None


class Track(_Part, frozen=True):
    """A media line on which a client sends; `codec` once a packet came, `paused_rids` if it has several encodings."""

    mid: str
    kind: Kind
    receiving: bool
    codec: str | None = None
    paused_rids: list[str] | None = None


class Binding(_Part, frozen=True):
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


class Carried(_Part, frozen=True):
    """The binding whose sound an audio slot carries."""

    slot: int
    generation: int


class AudioSlot(_Part, frozen=True):
    """What an audio slot carries, and the first RTP timestamp of that; neither: nothing. `turn` counts its streams."""

    slot: int
    turn: int
    of: Carried | None = None
    audio_rtp_timestamp: int | None = None


class Transport(_Part, frozen=True):
    """A transport with everything on it."""

    transport: int
    seat: str
    epoch: int
    state: State
    tracks: list[Track]
    slots: list[Binding]
    audio_slots: list[AudioSlot] = []


class LinkError(_Part, frozen=True):
    """Why a request was refused, with cause and remedy in words."""

    code: str
    message: str


class AudioLevel(_Part, frozen=True):
    """The loudest of the interval: 0 loudest to -127 silence (RFC 6464)."""

    mid: str
    level_dbov: int


class Drop(_Part, frozen=True):
    """How often something was dropped for one cause, of `DROP_CAUSES`."""

    cause: str
    count: int


class Sojourns(_Part, frozen=True):
    """How long forwarded packets were in the router: of one in 100, each copy that left over UDP.

    Attributes:
        bounds_us: Upper bounds in microseconds, inclusive, the smallest first.
        counts: How many were within each and above the one before; one more than bounds, for what was longer.
        sum_us: All of them together.
    """

    bounds_us: list[int]
    counts: list[int]
    sum_us: int


class Shard(_Part, frozen=True):
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


# ---- requests


class Hello(_Message, frozen=True, tag="hello"):
    """The first message: which versions control speaks."""

    id: int
    version: int
    oldest_version: int


class OpenTransport(_Message, frozen=True, tag="open_transport"):
    """A client's first offer of an epoch; transports of one `group` are kept together while there is room."""

    id: int
    seat: str
    epoch: int
    offer: str
    slots: list[SlotPair]
    group: str | None = None


class Renegotiate(_Message, frozen=True, tag="renegotiate"):
    """A further offer of the same client; `slots` are the new pairs only."""

    id: int
    transport: int
    offer: str
    slots: list[SlotPair]


class CloseTransport(_Message, frozen=True, tag="close_transport"):
    """End a transport."""

    id: int
    transport: int


class Bind(_Message, frozen=True, tag="bind"):
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


class Unbind(_Message, frozen=True, tag="unbind"):
    """Forward nothing of this generation any more."""

    id: int
    transport: int
    slot: int
    generation: int


class Pause(_Message, frozen=True, tag="pause"):
    """Set both flags."""

    id: int
    transport: int
    slot: int
    generation: int
    audio_paused: bool
    video_paused: bool


class Prefer(_Message, frozen=True, tag="prefer"):
    """Say anew which picture the subscriber of a binding would like."""

    id: int
    transport: int
    slot: int
    generation: int
    wishes: Wishes | None = None


class SetAudioSlots(_Message, frozen=True, tag="set_audio_slots"):
    """Forward only the loudest of a transport's bound streams, on these pairs; none: all, each in its own pair."""

    id: int
    transport: int
    slots: list[int]


class RequestKeyFrame(_Message, frozen=True, tag="request_key_frame"):
    """Ask a publisher for a key frame."""

    id: int
    transport: int
    mid: str


class ListTransports(_Message, frozen=True, tag="list"):
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

# ---- replies


class Empty(_Part, frozen=True):
    """Nothing to say but that it happened."""


class HelloReply(_Part, frozen=True):
    """The version that both then speak, and the router's addresses."""

    version: int
    router_version: str
    pid: int
    udp_port: int
    public_addresses: list[str]


class OpenTransportReply(_Part, frozen=True):
    """The new transport and the answer to the offer."""

    transport: int
    answer: str
    tracks: list[Track]


class RenegotiateReply(_Part, frozen=True):
    """The answer to the offer."""

    answer: str
    tracks: list[Track]


class BindReply(_Part, frozen=True):
    """First RTP timestamps of the binding; absent where the source lacks the kind."""

    audio_rtp_timestamp: int | None = None
    video_rtp_timestamp: int | None = None


class ListReply(_Part, frozen=True):
    """Every transport."""

    transports: list[Transport]


ReplyBody = Empty | HelloReply | OpenTransportReply | RenegotiateReply | BindReply | ListReply

REPLIES: Final[Mapping[type[Request], type[ReplyBody]]] = {
    Hello: HelloReply,
    OpenTransport: OpenTransportReply,
    Renegotiate: RenegotiateReply,
    CloseTransport: Empty,
    Bind: BindReply,
    Unbind: Empty,
    Pause: Empty,
    Prefer: Empty,
    SetAudioSlots: Empty,
    RequestKeyFrame: Empty,
    ListTransports: ListReply,
}
"""What each request is answered with."""
REQUESTS: Final[Mapping[str, type[Request]]] = {str(request.__struct_config__.tag): request for request in REPLIES}
"""Every request by its type."""


class Reply(_Message, frozen=True, tag="reply"):
    """The answer to a request: exactly one of `result` (see `decode_reply`) and `error`."""

    id: int
    result: msgspec.Raw = msgspec.Raw()
    error: LinkError | None = None


# ---- events


class TransportState(_Message, frozen=True, tag="transport_state"):
    """A transport has another state."""

    transport: int
    seat: str
    state: State
    reason: str | None = None


class TrackChanged(_Message, frozen=True, tag="track"):
    """The first packet of a track, or another codec than before."""

    transport: int
    track: Track


class LayersPaused(_Message, frozen=True, tag="layers_paused"):
    """Nobody needs these encodings of a line; all others are to be sent."""

    transport: int
    mid: str
    rids: list[str]


class BindingStarted(_Message, frozen=True, tag="binding_started"):
    """The first packet of a binding left."""

    transport: int
    slot: int
    generation: int
    kind: Kind
    codec: str


class CodecNotSupported(_Message, frozen=True, tag="codec_not_supported"):
    """The subscriber cannot receive what the source sends."""

    transport: int
    slot: int
    generation: int
    kind: Kind
    codec: str


class CodecSupported(_Message, frozen=True, tag="codec_supported"):
    """After the former: now it can."""

    transport: int
    slot: int
    generation: int
    kind: Kind
    codec: str


class VideoFallback(_Message, frozen=True, tag="video_fallback"):
    """The video of a binding soon may be left out for bandwidth, is left out, or is sent."""

    transport: int
    slot: int
    generation: int
    state: Fallback


class AudioSlotChanged(_Message, frozen=True, tag="audio_slot"):
    """An audio slot carries another stream than before, or none."""

    transport: int
    slot: int
    turn: int
    of: Carried | None = None
    audio_rtp_timestamp: int | None = None


class AudioLevels(_Message, frozen=True, tag="audio_levels"):
    """How loud a transport's tracks were in the last interval."""

    transport: int
    levels: list[AudioLevel]


class Statistics(_Message, frozen=True, tag="statistics"):
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
    drops: list[Drop] = []
    estimate_bps: int | None = None


class RouterStatistics(_Message, frozen=True, tag="router_statistics"):
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
EVENTS: Final[Mapping[str, type[Event]]] = {
    str(event.__struct_config__.tag): event
    for event in (
        TransportState,
        TrackChanged,
        LayersPaused,
        BindingStarted,
        CodecNotSupported,
        CodecSupported,
        VideoFallback,
        AudioSlotChanged,
        AudioLevels,
        Statistics,
        RouterStatistics,
    )
}
"""Every event by its type."""


class Batch(msgspec.Struct, frozen=True):
    """Events in order, those of unknown types left out; `dropped` were lost because control read too slowly."""

    events: list[Event]
    dropped: int


FromRouter = Reply | Batch

# ---- frames


class _RawBatch(_Message, frozen=True, tag="events"):
    events: list[msgspec.Raw]
    dropped: int


class _Head(msgspec.Struct):
    type: str


_ENCODER = msgspec.msgpack.Encoder()
_FROM_ROUTER: "msgspec.msgpack.Decoder[Reply | _RawBatch]" = msgspec.msgpack.Decoder(Reply | _RawBatch)
_HEAD = msgspec.msgpack.Decoder(_Head)
_EVENT: "msgspec.msgpack.Decoder[Event]" = msgspec.msgpack.Decoder(Event)
_REQUEST: "msgspec.msgpack.Decoder[Request]" = msgspec.msgpack.Decoder(Request)


def encode_frame(message: Request | Reply | Batch) -> bytes:
    """Return the frame of a message.

    Raises:
        ValueError: If it is larger than a frame may be.
    """
    if isinstance(message, Batch):
        events = [msgspec.Raw(_ENCODER.encode(event)) for event in message.events]
        payload = _ENCODER.encode(_RawBatch(events, message.dropped))
    else:
        payload = _ENCODER.encode(message)
    if len(payload) > MAX_FRAME_BYTES:
        raise ValueError(f"a message of {len(payload)} bytes does not fit into a frame")
    return len(payload).to_bytes(LENGTH_BYTES, "big") + payload


def frame_length(header: bytes) -> int:
    """Return the length that a frame's first four bytes announce.

    Raises:
        UnexpectedAnswerError: If no frame has that length.
    """
    length = int.from_bytes(header, "big")
    if not 0 < length <= MAX_FRAME_BYTES:
        raise UnexpectedAnswerError(f"A frame of {length} bytes was announced.")
    return length


def decode_from_router(payload: bytes) -> FromRouter:
    """Parse what the router sent.

    Raises:
        UnexpectedAnswerError: If it is neither a reply nor a batch of events.
    """
    try:
        message = _FROM_ROUTER.decode(payload)
        if isinstance(message, Reply):
            return message
        events = [_EVENT.decode(raw) for raw in message.events if _HEAD.decode(raw).type in EVENTS]
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise UnexpectedAnswerError("The media router sent something that is neither reply nor events.") from error
    return Batch(events, message.dropped)


def decode_reply(request: Request, reply: Reply) -> ReplyBody:
    """Parse the result of a reply, given the request that it answers.

    Raises:
        UnexpectedAnswerError: If the result is not what that request is answered with.
    """
    try:
        return msgspec.msgpack.decode(reply.result, type=REPLIES[type(request)])
    except (msgspec.MsgspecError, UnicodeError) as error:
        name = request.__struct_config__.tag
        raise UnexpectedAnswerError(f"The media router's reply to {name} is not what it should be.") from error


def decode_request(payload: bytes) -> Request:
    """Parse a request, as a router does.

    Raises:
        UnexpectedAnswerError: If it is no known request.
    """
    try:
        return _REQUEST.decode(payload)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise UnexpectedAnswerError("This is no request that a router knows.") from error

"""What the router answers."""

from collections.abc import Mapping
from typing import Final

import msgspec

from tertulia.wire.router.parts import LinkError, Message, Part, Track, Transport
from tertulia.wire.router.requests import (
    Bind,
    CloseTransport,
    Hello,
    ListTransports,
    OpenTransport,
    Pause,
    Prefer,
    Renegotiate,
    Request,
    RequestKeyFrame,
    SetAudioSlots,
    Unbind,
)


class Empty(Part, frozen=True):
    """Nothing to say but that it happened."""


class HelloReply(Part, frozen=True):
    """The version that both then speak, and the router's addresses."""

    version: int
    router_version: str
    pid: int
    udp_port: int
    public_addresses: list[str]


class OpenTransportReply(Part, frozen=True):
    """The new transport and the answer to the offer."""

    transport: int
    answer: str
    tracks: list[Track]


class RenegotiateReply(Part, frozen=True):
    """The answer to the offer."""

    answer: str
    tracks: list[Track]


class BindReply(Part, frozen=True):
    """First RTP timestamps of the binding; absent where the source lacks the kind."""

    audio_rtp_timestamp: int | None = None
    video_rtp_timestamp: int | None = None


class ListReply(Part, frozen=True):
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


class Reply(Message, frozen=True, tag="reply"):
    """The answer to a request: exactly one of `result` (see `decode_reply`) and `error`."""

    id: int
    result: msgspec.Raw = msgspec.Raw()
    error: LinkError | None = None

"""The signalling wire: envelopes and messages between a client and control, exactly as `contract/signalling.yaml`.

A frame is JSON text. Client to server `[id, ack, body]`, server to client `[number, body]`; a body is an object whose
`type` names the message. This module knows shapes and sizes, no rule; the Python client uses the same types.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from tertulia.errors import InvalidParameterError, MalformedFrameError, UnknownMessageError
from tertulia.wire.codes import JSON_VALUES, MEDIA_LINES, MESSAGE_BYTES

__all__ = [
    "CLIENT_MESSAGES",
    "OFFER_MESSAGES",
    "RESULTS",
    "SERVER_MESSAGES",
    "Archive",
    "ArchiveStarted",
    "ArchiveStopped",
    "AudioSlot",
    "Binding",
    "Bound",
    "Capabilities",
    "Caption",
    "ClientFrame",
    "ClientInfo",
    "ClientMessage",
    "Connection",
    "ConnectionCreated",
    "ConnectionDestroyed",
    "ConnectionInterrupted",
    "ConnectionRestored",
    "Dimensions",
    "DisableForceMute",
    "Disconnected",
    "Empty",
    "Error",
    "ForceDisconnect",
    "ForceMuteAll",
    "ForceMuteStream",
    "ForceUnpublish",
    "IceServer",
    "Join",
    "Joined",
    "LayersPaused",
    "Leave",
    "MediaFailed",
    "MuteForced",
    "Negotiate",
    "Negotiated",
    "Ping",
    "Pong",
    "Publish",
    "Published",
    "Refused",
    "ReleaseSlot",
    "Reply",
    "ReportSenderStats",
    "Republish",
    "Resume",
    "Resumed",
    "SendSignal",
    "SenderStats",
    "ServerFrame",
    "ServerMessage",
    "SetState",
    "Signal",
    "SlotPair",
    "SlotsNeeded",
    "Snapshot",
    "StateChanged",
    "Stream",
    "StreamCreated",
    "StreamDestroyed",
    "StreamMuted",
    "StreamPropertyChanged",
    "Subscribe",
    "Subscribed",
    "SubscriptionVideo",
    "SubscriptionVideoWarning",
    "Unbound",
    "Unpublish",
    "Unsubscribe",
    "UpdateStream",
    "UpdateSubscription",
    "client_frame",
    "decode_client_frame",
    "decode_result",
    "decode_server_frame",
    "encode_body",
    "reply_body",
    "server_frame",
]

Count = Annotated[int, Meta(ge=0, le=2**53 - 1)]
"""A number that JavaScript holds exactly."""
Uint32 = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Epoch = Annotated[int, Meta(ge=1, le=2**31 - 1)]
FrameRate = Annotated[float, Meta(ge=0, le=1000)]
Pixels = Annotated[int, Meta(ge=0, le=65_535)]
Text = Annotated[str, Meta(max_length=65_536)]
VideoType = Literal["camera", "screen", "custom"]
Reason = Literal[
    "clientDisconnected", "forceDisconnected", "networkDisconnected", "forceUnpublished", "mediaStopped", "mediaIdle"
]
Role = Literal["subscriber", "publisher", "publisheronly", "moderator"]
Right = Literal[0, 1]


class _Part(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A part of messages."""


class _Message(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, tag_field="type"):
    """A message; its `type` is its tag."""


# ---- parts


class Dimensions(_Part, frozen=True):
    """Width and height in pixels."""

    width: Pixels
    height: Pixels


class Connection(_Part, frozen=True):
    """A connection; `creation_time` in milliseconds since the epoch. For `client_data` nobody vouches."""

    id: str
    creation_time: int
    data: str
    client_data: str | None = None


class Stream(_Part, frozen=True):
    """A stream; `creation_time` in milliseconds since the epoch."""

    id: str
    connection_id: str
    creation_time: int
    name: str
    has_audio: bool
    has_video: bool
    has_captions: bool
    video_dimensions: Dimensions
    initials: str | None = None
    video_type: VideoType | None = None
    frame_rate: float | None = None


class Capabilities(_Part, frozen=True):
    """The rights of a connection, 1 or 0 each."""

    publish: Right
    subscribe: Right
    signal: Right
    force_disconnect: Right
    force_unpublish: Right
    force_mute: Right


class Error(_Part, frozen=True):
    """An error; names and codes in `contract/errors.yaml`."""

    name: str
    code: int
    message: str


class SlotPair(_Part, frozen=True):
    """One receive-only audio and one video line that share an msid."""

    slot: Uint32
    audio_mid: str
    video_mid: str


class Binding(_Part, frozen=True):
    """A stream in a slot pair, with the first RTP timestamps (48 and 90 kHz) that its media can carry.

    It means nothing but on the transport of its epoch.
    """

    subscription_id: int
    epoch: int
    slot: int
    generation: int
    audio_rtp_timestamp: Uint32 | None = None
    video_rtp_timestamp: Uint32 | None = None


class ClientInfo(_Part, frozen=True):
    """The program that joins."""

    name: Annotated[str, Meta(max_length=128)]
    version: Annotated[str, Meta(max_length=128)]


class IceServer(_Part, frozen=True):
    """A STUN or TURN server."""

    urls: list[str]
    username: str | None = None
    credential: str | None = None


class Archive(_Part, frozen=True):
    """An archive of the session that runs, or has just stopped."""

    id: str
    name: str | None = None


class Snapshot(_Part, frozen=True):
    """The whole session, for a client that has missed more than the log holds."""

    connections: list[Connection]
    streams: list[Stream]
    number: int
    muted: bool | None = None
    state: dict[str, str] | None = None
    archives: list[Archive] | None = None


# ---- client to server


class Join(_Message, frozen=True, tag="join"):
    """Take a seat; the first frame of a socket."""

    token: Text
    session_id: str | None = None
    api_key: str | None = None
    connection_events_suppressed: bool | None = None
    encrypts: bool | None = None
    client_data: Annotated[str, Meta(max_length=1000)] | None = None
    client: ClientInfo | None = None
    audio_slots: bool | None = None


class Resume(_Message, frozen=True, tag="resume"):
    """Take the seat again; the first frame of a socket."""

    connection_id: str
    resume_key: Text
    after: Count
    audio_slots: bool | None = None


class Negotiate(_Message, frozen=True, tag="negotiate"):
    """An offer that changes no stream."""

    epoch: Epoch
    offer: str
    slots: list[SlotPair]


class Publish(_Message, frozen=True, tag="publish"):
    """An offer with the lines of a new stream."""

    epoch: Epoch
    offer: str
    slots: list[SlotPair]
    name: str
    has_audio: bool
    has_video: bool
    video_dimensions: Dimensions
    audio_mid: str | None = None
    video_mid: str | None = None
    initials: str | None = None
    has_captions: bool | None = None
    video_type: VideoType | None = None
    frame_rate: FrameRate | None = None
    audio_fallback: bool | None = None


class Republish(_Message, frozen=True, tag="republish"):
    """An offer that names the lines of an own stream on a new transport."""

    epoch: Epoch
    offer: str
    slots: list[SlotPair]
    stream_id: str
    audio_mid: str | None = None
    video_mid: str | None = None


class Unpublish(_Message, frozen=True, tag="unpublish"):
    """End an own stream."""

    stream_id: str
    reason: Reason | None = None


class UpdateStream(_Message, frozen=True, tag="updateStream"):
    """What changed about an own stream."""

    stream_id: str
    has_audio: bool | None = None
    has_video: bool | None = None
    has_captions: bool | None = None
    video_dimensions: Dimensions | None = None
    video_type: VideoType | None = None
    for_quality: bool | None = None


class Subscribe(_Message, frozen=True, tag="subscribe"):
    """Receive a stream."""

    stream_id: str
    audio: bool
    video: bool
    resolution: Dimensions | None = None
    frame_rate: FrameRate | None = None


class UpdateSubscription(_Message, frozen=True, tag="updateSubscription"):
    """Turn audio or video of a subscription on or off."""

    subscription_id: Count
    audio: bool
    video: bool
    resolution: Dimensions | None = None
    frame_rate: FrameRate | None = None


class Unsubscribe(_Message, frozen=True, tag="unsubscribe"):
    """Receive a stream no longer."""

    subscription_id: Count


class ReleaseSlot(_Message, frozen=True, tag="releaseSlot"):
    """The client has let go of an unbound binding."""

    slot: Uint32
    generation: Uint32


class SendSignal(_Message, frozen=True, tag="signal"):
    """Signal one connection or everybody."""

    to: str | None = None
    signal_type: str | None = None
    data: str | None = None


class SetState(_Message, frozen=True, tag="setState"):
    """Set keys of the shared state; None removes one."""

    values: dict[str, str | None]


class ForceDisconnect(_Message, frozen=True, tag="forceDisconnect"):
    """End a connection."""

    connection_id: str


class ForceUnpublish(_Message, frozen=True, tag="forceUnpublish"):
    """End a stream."""

    stream_id: str


class ForceMuteStream(_Message, frozen=True, tag="forceMuteStream"):
    """Mute a stream."""

    stream_id: str


class ForceMuteAll(_Message, frozen=True, tag="forceMuteAll"):
    """Mute every stream but the excluded, and every later one."""

    excluded_stream_ids: list[str]


class DisableForceMute(_Message, frozen=True, tag="disableForceMute"):
    """Let later streams begin with sound."""


class Leave(_Message, frozen=True, tag="leave"):
    """Goodbye."""


class Ping(_Message, frozen=True, tag="ping"):
    """From either side: to be answered with `pong` at once."""


class Pong(_Message, frozen=True, tag="pong"):
    """From either side: the answer to a ping."""


class ReportSenderStats(_Message, frozen=True, tag="senderStats"):
    """What the network of an own stream's publisher bears, in bit/s."""

    stream_id: str
    max_allocated_bitrate: Uint32
    estimated_bandwidth: Uint32


ClientMessage = (
    Join
    | Resume
    | Negotiate
    | Publish
    | Republish
    | Unpublish
    | UpdateStream
    | Subscribe
    | UpdateSubscription
    | Unsubscribe
    | ReleaseSlot
    | SendSignal
    | SetState
    | ForceDisconnect
    | ForceUnpublish
    | ForceMuteStream
    | ForceMuteAll
    | DisableForceMute
    | Leave
    | Ping
    | Pong
    | ReportSenderStats
)

# ---- server to client


class Joined(_Message, frozen=True, tag="joined"):
    """The client has its seat."""

    connection: Connection
    connections: list[Connection]
    streams: list[Stream]
    number: int
    role: Role
    capabilities: Capabilities
    resume_key: str
    heartbeat_s: float
    reconnect_window_s: float
    ice_servers: list[IceServer]
    muted: bool | None = None
    state: dict[str, str] | None = None
    archives: list[Archive] | None = None


class Resumed(_Message, frozen=True, tag="resumed"):
    """The client has its seat again."""

    resume_key: str
    epoch: int
    bindings: list[Binding]
    snapshot: Snapshot | None = None


class Refused(_Message, frozen=True, tag="refused"):
    """The client gets no seat; the socket closes."""

    error: Error


class Reply(_Message, frozen=True, tag="reply"):
    """The answer to a request: exactly one of `result` (see `decode_result`) and `error`."""

    id: int
    result: msgspec.Raw = msgspec.Raw()
    error: Error | None = None


class Bound(_Message, frozen=True, tag="bound"):
    """Media of a subscription will come in this pair."""

    binding: Binding


class Unbound(_Message, frozen=True, tag="unbound"):
    """A binding is over; to be answered with `releaseSlot`."""

    subscription_id: int
    slot: int
    generation: int


class SlotsNeeded(_Message, frozen=True, tag="slotsNeeded"):
    """The client should have this many pairs in all."""

    pairs: int


class AudioSlot(_Message, frozen=True, tag="audioSlot"):
    """The audio line of a pair carries the sound of a subscription; without one: nothing."""

    epoch: int
    slot: int
    subscription_id: int | None = None
    audio_rtp_timestamp: int | None = None


class LayersPaused(_Message, frozen=True, tag="layersPaused"):
    """Nobody needs these layers of an own stream's video; all others are to be sent."""

    stream_id: str
    rids: list[str]


class SubscriptionVideo(_Message, frozen=True, tag="subscriptionVideo"):
    """The video of a subscription stopped or started."""

    subscription_id: int
    enabled: bool
    reason: str


class Caption(_Message, frozen=True, tag="caption"):
    """Words of a subscription's stream; a later caption replaces one that is not final."""

    subscription_id: int
    caption: str
    is_final: bool


class SubscriptionVideoWarning(_Message, frozen=True, tag="subscriptionVideoWarning"):
    """The video of a subscription is about to be left out for bandwidth, or is not after all."""

    subscription_id: int
    active: bool


class SenderStats(_Message, frozen=True, tag="senderStats"):
    """What the network of a subscription's publisher bears, in bit/s, as its client has said last."""

    subscription_id: int
    max_allocated_bitrate: int
    estimated_bandwidth: int


class MediaFailed(_Message, frozen=True, tag="mediaFailed"):
    """The transport ended; the client makes a new one with the next epoch."""

    epoch: int
    message: str


class Disconnected(_Message, frozen=True, tag="disconnected"):
    """This connection has ended."""

    reason: Reason


class ConnectionCreated(_Message, frozen=True, tag="connectionCreated"):
    """A client joined."""

    connection: Connection


class ConnectionDestroyed(_Message, frozen=True, tag="connectionDestroyed"):
    """A connection ended."""

    connection_id: str
    reason: Reason


class ConnectionInterrupted(_Message, frozen=True, tag="connectionInterrupted"):
    """A connection lost its socket and keeps its seat."""

    connection_id: str


class ConnectionRestored(_Message, frozen=True, tag="connectionRestored"):
    """An interrupted connection is back."""

    connection_id: str


class StreamCreated(_Message, frozen=True, tag="streamCreated"):
    """A stream is there."""

    stream: Stream


class StreamDestroyed(_Message, frozen=True, tag="streamDestroyed"):
    """A stream ended."""

    stream_id: str
    connection_id: str
    reason: Reason


class StreamPropertyChanged(_Message, frozen=True, tag="streamPropertyChanged"):
    """A property of a stream has another value; None for a video type that was absent."""

    stream_id: str
    property: Literal["hasAudio", "hasVideo", "hasCaptions", "videoDimensions", "videoType"]
    old_value: bool | str | Dimensions | None
    new_value: bool | str | Dimensions | None
    for_quality: bool | None = None


class ArchiveStarted(_Message, frozen=True, tag="archiveStarted"):
    """The session is being archived."""

    archive: Archive


class ArchiveStopped(_Message, frozen=True, tag="archiveStopped"):
    """An archive of the session has ended."""

    archive: Archive


class MuteForced(_Message, frozen=True, tag="muteForced"):
    """The mute state of the session was set."""

    active: bool


class StreamMuted(_Message, frozen=True, tag="streamMuted"):
    """An own stream was muted by force."""

    stream_id: str


class StateChanged(_Message, frozen=True, tag="stateChanged"):
    """Keys of the shared state have other values; None for a key that is gone."""

    values: dict[str, str | None]


class Signal(_Message, frozen=True, tag="signal"):
    """A signal; `sender` is absent when the REST API sent it."""

    sender: str | None = msgspec.field(default=None, name="from")
    signal_type: str | None = None
    data: str | None = None


ServerMessage = (
    Joined
    | Resumed
    | Refused
    | Reply
    | Ping
    | Pong
    | Bound
    | Unbound
    | SlotsNeeded
    | AudioSlot
    | LayersPaused
    | SubscriptionVideo
    | Caption
    | SubscriptionVideoWarning
    | SenderStats
    | MediaFailed
    | Disconnected
    | ConnectionCreated
    | ConnectionDestroyed
    | ConnectionInterrupted
    | ConnectionRestored
    | StreamCreated
    | StreamDestroyed
    | StreamPropertyChanged
    | ArchiveStarted
    | ArchiveStopped
    | MuteForced
    | StreamMuted
    | StateChanged
    | Signal
)

# ---- results


class Empty(_Part, frozen=True):
    """Nothing to say but that it happened."""


class Negotiated(_Part, frozen=True):
    """The answer to an offer."""

    answer: str


class Published(_Part, frozen=True):
    """The answer to an offer, and the stream that came of it."""

    answer: str
    stream: Stream


class Subscribed(_Part, frozen=True):
    """The name of the new subscription."""

    subscription_id: int


Result = Empty | Negotiated | Published | Subscribed
RESULTS: Final[Mapping[str, type[Result]]] = {
    "negotiate": Negotiated,
    "publish": Published,
    "republish": Negotiated,
    "unpublish": Empty,
    "updateStream": Empty,
    "subscribe": Subscribed,
    "updateSubscription": Empty,
    "unsubscribe": Empty,
    "releaseSlot": Empty,
    "signal": Empty,
    "setState": Empty,
    "forceDisconnect": Empty,
    "forceUnpublish": Empty,
    "forceMuteStream": Empty,
    "forceMuteAll": Empty,
    "disableForceMute": Empty,
    "leave": Empty,
}
"""What the reply to each request carries."""


# ---- frames


@dataclass(frozen=True, slots=True)
class ClientFrame:
    """A frame of a client.

    Attributes:
        id: Number of the request; 0 for join, resume, ping, pong and senderStats.
        ack: The highest event number that the client has handled.
        body: The message, or the error that its request deserves: its envelope was sound, its body was not.
    """

    id: int
    ack: int
    body: ClientMessage | UnknownMessageError | InvalidParameterError


@dataclass(frozen=True, slots=True)
class ServerFrame:
    """A frame of the server; `number` is 0 for everything that is not in the session's log."""

    number: int
    body: ServerMessage


class _Head(msgspec.Struct):
    type: str


def _tag(message: type[_Message]) -> str:
    tag = message.__struct_config__.tag
    assert isinstance(tag, str), "every message class names its tag"
    return tag


def _decoder(message: type[ClientMessage]) -> "msgspec.json.Decoder[ClientMessage]":
    return msgspec.json.Decoder(message)


CLIENT_MESSAGES: Final[Mapping[str, type[ClientMessage]]] = {
    _tag(message): message
    for message in (
        Join,
        Resume,
        Negotiate,
        Publish,
        Republish,
        Unpublish,
        UpdateStream,
        Subscribe,
        UpdateSubscription,
        Unsubscribe,
        ReleaseSlot,
        SendSignal,
        SetState,
        ForceDisconnect,
        ForceUnpublish,
        ForceMuteStream,
        ForceMuteAll,
        DisableForceMute,
        Leave,
        Ping,
        Pong,
        ReportSenderStats,
    )
}
"""Every message of a client by its type."""
SERVER_MESSAGES: Final[Mapping[str, type[ServerMessage]]] = {
    _tag(message): message
    for message in (
        Joined,
        Resumed,
        Refused,
        Reply,
        Ping,
        Pong,
        Bound,
        Unbound,
        SlotsNeeded,
        AudioSlot,
        LayersPaused,
        SubscriptionVideo,
        Caption,
        SubscriptionVideoWarning,
        SenderStats,
        MediaFailed,
        Disconnected,
        ConnectionCreated,
        ConnectionDestroyed,
        ConnectionInterrupted,
        ConnectionRestored,
        StreamCreated,
        StreamDestroyed,
        StreamPropertyChanged,
        ArchiveStarted,
        ArchiveStopped,
        MuteForced,
        StreamMuted,
        StateChanged,
        Signal,
    )
}
"""Every message of the server by its type."""
OFFER_MESSAGES: Final = frozenset({"negotiate", "publish", "republish"})
"""The messages that carry an offer and may therefore be larger."""

_JSON_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_ENCODER = msgspec.json.Encoder()
_CLIENT_ENVELOPE = msgspec.json.Decoder(tuple[Count, Count, msgspec.Raw])
_SERVER_ENVELOPE = msgspec.json.Decoder(tuple[Count, msgspec.Raw])
_HEAD = msgspec.json.Decoder(_Head)
_CLIENT_DECODERS = {name: _decoder(message) for name, message in CLIENT_MESSAGES.items()}
_SERVER_DECODER: "msgspec.json.Decoder[ServerMessage]" = msgspec.json.Decoder(ServerMessage)


def decode_client_frame(text: str) -> ClientFrame:
    """Parse a client's frame.

    A frame with a sound envelope whose body is unknown, malformed or too large is returned with the error as its body,
    so that the request can be answered.

    Raises:
        MalformedFrameError: If the text is not JSON, not an envelope, or of too many parts.
    """
    if _has_too_many_values(text):
        raise MalformedFrameError(f"A frame has at most {JSON_VALUES} arrays and objects.")
    try:
        request_id, ack, raw = _CLIENT_ENVELOPE.decode(text)
        name = _HEAD.decode(raw).type
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise MalformedFrameError("The frame is not [id, ack, body] with a body that has a type.") from error
    return ClientFrame(request_id, ack, _decode_client_body(name, raw, len(text)))


def _has_too_many_values(text: str) -> bool:
    """Count arrays and objects, which are at least as many as levels of nesting; texts may hold any brackets."""
    if text.count("[") + text.count("{") <= JSON_VALUES:
        return False
    bare = _JSON_STRING.sub("", text)
    return bare.count("[") + bare.count("{") > JSON_VALUES


def _decode_client_body(
    name: str, raw: msgspec.Raw, size: int
) -> ClientMessage | UnknownMessageError | InvalidParameterError:
    decoder = _CLIENT_DECODERS.get(name)
    if decoder is None:
        return UnknownMessageError(f'The message type "{name[:64]}" is not known to this version.')
    if name not in OFFER_MESSAGES and (size > MESSAGE_BYTES or memoryview(raw).nbytes > MESSAGE_BYTES):
        return InvalidParameterError(f'A message of type "{name}" has at most {MESSAGE_BYTES} bytes.')
    try:
        message = decoder.decode(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        return InvalidParameterError(f'The message "{name}" is malformed: {error}.')
    if isinstance(message, Negotiate | Publish | Republish) and message.offer.count("\nm=") > MEDIA_LINES:
        return InvalidParameterError(f"An offer has at most {MEDIA_LINES} media lines.")
    if isinstance(message, Publish) and message.frame_rate is not None and not math.isfinite(message.frame_rate):
        return InvalidParameterError("The frame rate is not a finite number.")
    return message


def decode_server_frame(text: str | bytes) -> ServerFrame:
    """Parse a frame of the server.

    Raises:
        MalformedFrameError: If it is no frame, or of no type that this version knows.
    """
    try:
        number, raw = _SERVER_ENVELOPE.decode(text)
        return ServerFrame(number, _SERVER_DECODER.decode(raw))
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise MalformedFrameError("The frame is not [number, body] with a known body.") from error


def decode_result(request: str, reply: Reply) -> Result:
    """Parse the result of a reply, given the type of the request that it answers.

    Raises:
        MalformedFrameError: If the result is not what that request is answered with.
    """
    try:
        return msgspec.json.decode(reply.result, type=RESULTS[request])
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise MalformedFrameError(f'The reply to "{request}" has another result than it should.') from error


def encode_body(message: ServerMessage | ClientMessage) -> str:
    """Return the JSON text of a message, to be put into any number of frames."""
    return _ENCODER.encode(message).decode()


def reply_body(request_id: int, outcome: Result | Error) -> str:
    """Return the JSON text of a reply."""
    if isinstance(outcome, Error):
        return encode_body(Reply(id=request_id, error=outcome))
    return encode_body(Reply(id=request_id, result=msgspec.Raw(_ENCODER.encode(outcome))))


def server_frame(number: int, body: str) -> str:
    """Put a body into the server's envelope."""
    return f"[{number},{body}]"


def client_frame(request_id: int, ack: int, message: ClientMessage) -> str:
    """Return the text of a client's frame."""
    return f"[{request_id},{ack},{encode_body(message)}]"

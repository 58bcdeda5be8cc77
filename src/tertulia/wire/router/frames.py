"""Frames: how messages are put into bytes and read back."""

from typing import Final

import msgspec

from tertulia.errors import UnexpectedAnswerError
from tertulia.wire.router.events import EVENTS, Event
from tertulia.wire.router.parts import Message
from tertulia.wire.router.replies import REPLIES, Reply, ReplyBody
from tertulia.wire.router.requests import Request

MAX_FRAME_BYTES: Final = 134_217_728
"""The listing of a full router fits, all of whose clients watch as many streams as they may."""

LENGTH_BYTES: Final = 4


class Batch(msgspec.Struct, frozen=True):
    """Events in order, those of unknown types left out; `dropped` were lost because control read too slowly."""

    events: list[Event]
    dropped: int


FromRouter = Reply | Batch


class _RawBatch(Message, frozen=True, tag="events"):
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

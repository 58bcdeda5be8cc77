"""Frames: envelopes around messages, how they are read without trusting them, and how they are written."""

import math
import re
from dataclasses import dataclass

import msgspec

from tertulia.errors import InvalidParameterError, MalformedFrameError, UnknownMessageError
from tertulia.wire.codes import JSON_VALUES, MEDIA_LINES, MESSAGE_BYTES
from tertulia.wire.signalling.client_messages import (
    CLIENT_MESSAGES,
    OFFER_MESSAGES,
    ClientMessage,
    Negotiate,
    Publish,
    Republish,
)
from tertulia.wire.signalling.parts import Count, Error
from tertulia.wire.signalling.results import RESULTS, Result
from tertulia.wire.signalling.server_messages import Reply, ServerMessage


@dataclass(frozen=True, slots=True)
class ClientFrame:
    """A frame of a client.

    Attributes:
        id: Number of the request; 0 for join, resume, ping, pong, senderStats and videoStalled.
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


_JSON_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_ENCODER = msgspec.json.Encoder()
_CLIENT_ENVELOPE = msgspec.json.Decoder(tuple[Count, Count, msgspec.Raw])
_SERVER_ENVELOPE = msgspec.json.Decoder(tuple[Count, msgspec.Raw])
_HEAD = msgspec.json.Decoder(_Head)
_CLIENT_DECODERS: "dict[str, msgspec.json.Decoder[ClientMessage]]" = {
    name: msgspec.json.Decoder(message) for name, message in CLIENT_MESSAGES.items()
}
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

"""Encoded frames to RTP payloads and back: Opus (RFC 7587), VP8 (RFC 7741), VP9 (RFC 9628), H.264 (RFC 6184)."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping, Sequence

from tertulia.client.media.peer import Codec
from tertulia.client.media.webrtc.rtp import MalformedPacketError

PAYLOAD_BYTES = 1100
"""Largest payload that we make: with all headers it stays below 1200 bytes, which every path takes."""

_START_CODE = b"\x00\x00\x00\x01"
_START_CODES = re.compile(b"\x00\x00\x01")
_STAP_A, _FU_A, _IDR, _SPS = 24, 28, 5, 7


def split(codec: Codec, data: bytes, picture_id: int) -> list[bytes]:
    """The payloads of one frame, in order. `picture_id` counts the pictures of VP8, modulo 2^15.

    Raises:
        ValueError: the codec is VP9, which can be received only.
    """
    match codec:
        case "opus":
            return [data]
        case "vp8":
            return _split_vp8(data, picture_id)
        case "h264":
            return _split_h264(data)
        case "vp9":
            raise ValueError("VP9 can be received and not sent")


def _split_vp8(data: bytes, picture_id: int) -> list[bytes]:
    tail = struct.pack("!BH", 0x80, 0x8000 | picture_id)
    return [
        bytes([0x90 if at == 0 else 0x80]) + tail + data[at : at + PAYLOAD_BYTES]
        for at in range(0, len(data), PAYLOAD_BYTES)
    ]


def _split_h264(data: bytes) -> list[bytes]:
    payloads = []
    for unit in _units(data):
        if len(unit) <= PAYLOAD_BYTES:
            payloads.append(unit)
            continue
        indicator, kind, rest = unit[0] & 0xE0 | _FU_A, unit[0] & 0x1F, unit[1:]
        pieces = [rest[at : at + PAYLOAD_BYTES] for at in range(0, len(rest), PAYLOAD_BYTES)]
        for number, piece in enumerate(pieces):
            marks = (0x80 if number == 0 else 0) | (0x40 if number == len(pieces) - 1 else 0)
            payloads.append(bytes([indicator, marks | kind]) + piece)
    return payloads


def _units(data: bytes) -> list[bytes]:
    starts = [match.end() for match in _START_CODES.finditer(data)]
    ends = [start - 3 for start in starts[1:]] + [len(data)]
    return [data[start:end].rstrip(b"\x00") for start, end in zip(starts, ends, strict=True) if end > start]


def is_key_frame(codec: Codec, data: bytes) -> bool:
    """Whether a decoder can begin with this whole frame (RFC 7741 section 4.3, RFC 6184 section 5.2).

    VP9 says it in its payload descriptor; of its data alone True is said where the uncompressed header does.
    """
    match codec:
        case "opus":
            return True
        case "vp8":
            return bool(data) and data[0] & 1 == 0
        case "vp9":
            return bool(data) and data[0] & 0x04 == 0 and data[0] & 0x08 == 0
        case "h264":
            return any(unit[0] & 0x1F in (_IDR, _SPS) for unit in _units(data) if unit)


def begins_frame(codec: Codec, payload: bytes) -> bool:
    """Whether this payload is the first of a frame, as far as it says so: H.264 does not, so it is always True."""
    match codec:
        case "vp8":
            return len(payload) > 0 and payload[0] & 0x10 != 0 and payload[0] & 0x07 == 0
        case "vp9":
            return len(payload) > 0 and payload[0] & 0x08 != 0
        case _:
            return True


def join(codec: Codec, payloads: Sequence[bytes]) -> bytes:
    """The frame of these payloads, which are all of it, in order.

    Raises:
        MalformedPacketError: a payload is not what its codec says.
    """
    try:
        return _JOINERS[codec](payloads)
    except (IndexError, struct.error) as error:
        raise MalformedPacketError(f"a payload of {codec} is cut off") from error


def _join_vp8(payloads: Sequence[bytes]) -> bytes:
    return b"".join(payload[_vp8_descriptor_bytes(payload) :] for payload in payloads)


def _vp8_descriptor_bytes(payload: bytes) -> int:
    if not payload[0] & 0x80:
        return 1
    extension, at = payload[1], 2
    if extension & 0x80:
        at += 2 if payload[at] & 0x80 else 1
    at += 1 if extension & 0x40 else 0
    return at + (1 if extension & 0x30 else 0)


def _join_vp9(payloads: Sequence[bytes]) -> bytes:
    return b"".join(payload[_vp9_descriptor_bytes(payload) :] for payload in payloads)


def _vp9_descriptor_bytes(payload: bytes) -> int:
    first, at = payload[0], 1
    if first & 0x80:  # I: picture id
        at += 2 if payload[at] & 0x80 else 1
    if first & 0x20:  # L: layers, and TL0PICIDX in non-flexible mode
        at += 1 if first & 0x10 else 2
    if first & 0x50 == 0x50:  # P and F: up to three references
        for _ in range(3):
            at += 1
            if not payload[at - 1] & 1:
                break
    if first & 0x02:  # V: scalability structure
        at = _vp9_structure_end(payload, at)
    return at


def _vp9_structure_end(payload: bytes, at: int) -> int:
    head = payload[at]
    at += 1
    if head & 0x10:
        at += 4 * ((head >> 5) + 1)
    if head & 0x08:
        pictures = payload[at]
        at += 1
        for _ in range(pictures):
            at += 1 + (payload[at] >> 2 & 3)
    return at


def _join_h264(payloads: Sequence[bytes]) -> bytes:
    frame = bytearray()
    for payload in payloads:
        kind = payload[0] & 0x1F
        if kind == _FU_A:
            if payload[1] & 0x80:
                frame += _START_CODE + bytes([payload[0] & 0xE0 | payload[1] & 0x1F])
            frame += payload[2:]
        elif kind == _STAP_A:
            at = 1
            while at + 2 <= len(payload):
                size = int.from_bytes(payload[at : at + 2], "big")
                frame += _START_CODE + payload[at + 2 : at + 2 + size]
                at += 2 + size
        else:
            frame += _START_CODE + payload
    return bytes(frame)


_JOINERS: Mapping[Codec, Callable[[Sequence[bytes]], bytes]] = {
    "opus": b"".join,
    "vp8": _join_vp8,
    "vp9": _join_vp9,
    "h264": _join_h264,
}

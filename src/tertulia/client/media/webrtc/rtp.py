"""RTP and RTCP packets to bytes and back (RFC 3550, RFC 4585, RFC 4588, RFC 8285). All integers are big-endian."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

SENDER_REPORT, RECEIVER_REPORT, SOURCE_DESCRIPTION, BYE = 200, 201, 202, 203
TRANSPORT_FEEDBACK, PAYLOAD_FEEDBACK = 205, 206
GENERIC_NACK, PICTURE_LOSS, FULL_INTRA_REQUEST = 1, 1, 4

_HEADER = struct.Struct("!BBHII")
_HALVES = struct.Struct("!HH")
_ONE_BYTE_PROFILE = 0xBEDE
_TWO_BYTE_PROFILE, _TWO_BYTE_MASK = 0x1000, 0xFFF0


class MalformedPacketError(ValueError):
    """A packet from the network that is none."""


@dataclass(slots=True)
class RtpPacket:
    """One RTP packet.

    Attributes:
        payload_type: 0 to 127.
        sequence_number: modulo 2^16.
        timestamp: modulo 2^32.
        ssrc: the source.
        payload: without padding.
        marker: the last packet of a picture.
        extensions: values of the header extensions by their id.
    """

    payload_type: int
    sequence_number: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False
    extensions: Mapping[int, bytes] = field(default_factory=dict)


def is_rtcp(datagram: bytes) -> bool:
    """Whether a packet that is RTP or RTCP is the latter (RFC 5761 section 4)."""
    return len(datagram) > 1 and 192 <= datagram[1] <= 223


def parse_rtp(data: bytes) -> RtpPacket:
    """Parses an RTP packet.

    Raises:
        MalformedPacketError: it is none.
    """
    if len(data) < 12 or data[0] >> 6 != 2:
        raise MalformedPacketError("no RTP header")
    first, second, sequence_number, timestamp, ssrc = _HEADER.unpack_from(data)
    start, end = 12 + 4 * (first & 0x0F), len(data)
    extensions: Mapping[int, bytes] = {}
    if first & 0x10:
        if start + 4 > end:
            raise MalformedPacketError("the header extension is cut off")
        profile, words = _HALVES.unpack_from(data, start)
        start += 4
        extensions = _parse_extensions(profile, data[start : start + 4 * words])
        start += 4 * words
    if first & 0x20:
        end -= data[-1]
    if start > end:
        raise MalformedPacketError("header and padding are longer than the packet")
    return RtpPacket(second & 0x7F, sequence_number, timestamp, ssrc, data[start:end], second >= 0x80, extensions)


def pack_rtp(packet: RtpPacket) -> bytes:
    """The bytes of an RTP packet. Extensions have 1 to 16 bytes and ids from 1 to 14."""
    first, head = 0x80, b""
    if packet.extensions:
        body = b"".join(bytes([id << 4 | len(value) - 1]) + value for id, value in packet.extensions.items())
        body += bytes(-len(body) % 4)
        first, head = 0x90, _HALVES.pack(_ONE_BYTE_PROFILE, len(body) // 4) + body
    second = packet.payload_type | (0x80 if packet.marker else 0)
    return _HEADER.pack(first, second, packet.sequence_number, packet.timestamp, packet.ssrc) + head + packet.payload


def _parse_extensions(profile: int, data: bytes) -> dict[int, bytes]:
    values: dict[int, bytes] = {}
    at, two_bytes = 0, profile & _TWO_BYTE_MASK == _TWO_BYTE_PROFILE
    if not two_bytes and profile != _ONE_BYTE_PROFILE:
        return values
    while at < len(data):
        if data[at] == 0:
            at += 1
            continue
        if two_bytes:
            if at + 1 >= len(data):
                break
            id, length, at = data[at], data[at + 1], at + 2
        else:
            id, length, at = data[at] >> 4, (data[at] & 0x0F) + 1, at + 1
        values[id] = data[at : at + length]
        at += length
    return values


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What a receiver says about one source.

    Attributes:
        ssrc: the source.
        fraction_lost: since the last report, in 1/256.
        lost: packets lost in all.
        highest: extended highest sequence number.
        jitter: in ticks.
        last_report: middle 32 bits of the NTP time of the last sender report, 0 if none.
        delay: since that report, in 1/65536 s.
    """

    ssrc: int
    fraction_lost: int
    lost: int
    highest: int
    jitter: int
    last_report: int = 0
    delay: int = 0


@dataclass(frozen=True, slots=True)
class SenderReport:
    """What a sender says about itself: which RTP timestamp belongs to which NTP time (64 bits)."""

    ssrc: int
    ntp: int
    timestamp: int
    packets: int = 0
    octets: int = 0
    blocks: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    """What a receiver says about its sources."""

    ssrc: int
    blocks: tuple[ReportBlock, ...]


@dataclass(frozen=True, slots=True)
class Nack:
    """Sequence numbers of `media_ssrc` that are wanted again."""

    ssrc: int
    media_ssrc: int
    lost: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class KeyFrameRequest:
    """A picture of `media_ssrc` is wanted that a decoder can begin with (PLI, or FIR on the way in)."""

    ssrc: int
    media_ssrc: int


Rtcp = SenderReport | ReceiverReport | Nack | KeyFrameRequest


def parse_rtcp(data: bytes) -> list[Rtcp]:
    """The parts of a compound packet that are known, in their order.

    Raises:
        MalformedPacketError: it is no RTCP.
    """
    found: list[Rtcp] = []
    at = 0
    while at < len(data):
        if at + 4 > len(data) or data[at] >> 6 != 2:
            raise MalformedPacketError("no RTCP header")
        count, kind = data[at] & 0x1F, data[at + 1]
        end = at + 4 + 4 * int.from_bytes(data[at + 2 : at + 4], "big")
        if end > len(data):
            raise MalformedPacketError("the RTCP packet is cut off")
        try:
            found += _parse_part(kind, count, data[at + 4 : end])
        except struct.error as error:
            raise MalformedPacketError("an RTCP packet is too short for its kind") from error
        at = end
    return found


def _parse_part(kind: int, count: int, body: bytes) -> Iterator[Rtcp]:
    match kind:
        case 200:
            ssrc, ntp, timestamp, packets, octets = struct.unpack_from("!IQIII", body)
            yield SenderReport(ssrc, ntp, timestamp, packets, octets, _parse_blocks(body[24:], count))
        case 201:
            (ssrc,) = struct.unpack_from("!I", body)
            yield ReceiverReport(ssrc, _parse_blocks(body[4:], count))
        case 205 if count == GENERIC_NACK:
            ssrc, media_ssrc = struct.unpack_from("!II", body)
            yield Nack(ssrc, media_ssrc, tuple(_parse_nack(body[8:])))
        case 206 if count == PICTURE_LOSS:
            yield KeyFrameRequest(*struct.unpack_from("!II", body))
        case 206 if count == FULL_INTRA_REQUEST:
            (ssrc,) = struct.unpack_from("!I", body)
            for at in range(8, len(body) - 7, 8):
                yield KeyFrameRequest(ssrc, *struct.unpack_from("!I", body, at))


def _parse_blocks(body: bytes, count: int) -> tuple[ReportBlock, ...]:
    blocks = []
    for at in range(0, 24 * count, 24):
        ssrc, loss, highest, jitter, last_report, delay = struct.unpack_from("!IIIIII", body, at)
        blocks.append(ReportBlock(ssrc, loss >> 24, loss & 0xFFFFFF, highest, jitter, last_report, delay))
    return tuple(blocks)


def _parse_nack(body: bytes) -> Iterator[int]:
    for at in range(0, len(body) - 3, 4):
        first, mask = _HALVES.unpack_from(body, at)
        yield first
        yield from ((first + 1 + bit) & 0xFFFF for bit in range(16) if mask >> bit & 1)


def pack_rtcp(*parts: Rtcp, name: str = "") -> bytes:
    """A compound packet. With `name` a source description follows the first part (RFC 3550 section 6.1)."""
    packed = [_pack_part(part) for part in parts]
    if name:
        item = struct.pack("!IBB", parts[0].ssrc, 1, len(name)) + name.encode()
        packed.insert(1, _pack(SOURCE_DESCRIPTION, 1, item + bytes(4 - len(item) % 4)))
    return b"".join(packed)


def _pack_part(part: Rtcp) -> bytes:
    match part:
        case SenderReport(ssrc, ntp, timestamp, packets, octets, blocks):
            head = struct.pack("!IQIII", ssrc, ntp, timestamp, packets & 0xFFFFFFFF, octets & 0xFFFFFFFF)
            return _pack(SENDER_REPORT, len(blocks), head + _pack_blocks(blocks))
        case ReceiverReport(ssrc, blocks):
            return _pack(RECEIVER_REPORT, len(blocks), struct.pack("!I", ssrc) + _pack_blocks(blocks))
        case Nack(ssrc, media_ssrc, lost):
            return _pack(TRANSPORT_FEEDBACK, GENERIC_NACK, struct.pack("!II", ssrc, media_ssrc) + _pack_nack(lost))
        case KeyFrameRequest(ssrc, media_ssrc):
            return _pack(PAYLOAD_FEEDBACK, PICTURE_LOSS, struct.pack("!II", ssrc, media_ssrc))


def _pack(kind: int, count: int, body: bytes) -> bytes:
    return struct.pack("!BBH", 0x80 | count, kind, len(body) // 4) + body


def _pack_blocks(blocks: Iterable[ReportBlock]) -> bytes:
    return b"".join(
        struct.pack(
            "!IIIIII",
            block.ssrc,
            block.fraction_lost << 24 | block.lost & 0xFFFFFF,
            block.highest & 0xFFFFFFFF,
            block.jitter & 0xFFFFFFFF,
            block.last_report,
            block.delay,
        )
        for block in blocks
    )


def _pack_nack(lost: Iterable[int]) -> bytes:
    packed, first, mask = b"", -1, 0
    for number in lost:
        distance = (number - first - 1) & 0xFFFF
        if first >= 0 and distance < 16:
            mask |= 1 << distance
            continue
        if first >= 0:
            packed += _HALVES.pack(first, mask)
        first, mask = number, 0
    return packed + _HALVES.pack(first, mask) if first >= 0 else packed

"""Offers to a Tertulia server, and its answers (RFC 8866, RFC 8829, RFC 9143, RFC 8853).

The codecs and header extensions of every offer are the same, and so one payload type and one id mean the same on every
line of a client.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tertulia.client.media.peer import Codec, Kind, PeerError

MID, AUDIO_LEVEL, SEND_TIME, RID, REPAIRED_RID = 1, 2, 3, 4, 5
"""Ids of the header extensions that we offer."""

_EXTENSIONS: Final[Mapping[int, tuple[str, tuple[Kind, ...]]]] = {
    MID: ("urn:ietf:params:rtp-hdrext:sdes:mid", ("audio", "video")),
    AUDIO_LEVEL: ("urn:ietf:params:rtp-hdrext:ssrc-audio-level", ("audio",)),
    SEND_TIME: ("http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time", ("audio", "video")),
    RID: ("urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id", ("video",)),
    REPAIRED_RID: ("urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id", ("video",)),
}


@dataclass(frozen=True, slots=True)
class Format:
    """One payload type: its codec, and the payload type of its retransmissions (RFC 4588), None for audio."""

    payload_type: int
    codec: Codec
    rtpmap: str
    parameters: str = ""
    repair: int | None = None


FORMATS: Final[Mapping[Kind, Sequence[Format]]] = {
    "audio": (Format(111, "opus", "opus/48000/2", "minptime=10;useinbandfec=1"),),
    "video": (
        Format(96, "vp8", "VP8/90000", repair=97),
        Format(
            102,
            "h264",
            "H264/90000",
            "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
            repair=103,
        ),
        Format(
            104,
            "h264",
            "H264/90000",
            "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f",
            repair=105,
        ),
        Format(
            106,
            "h264",
            "H264/90000",
            "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=640c1f",
            repair=107,
        ),
        Format(98, "vp9", "VP9/90000", "profile-id=0", repair=99),
    ),
}
"""What a Tertulia server forwards."""

CODECS: Final[Mapping[int, Format]] = {one.payload_type: one for formats in FORMATS.values() for one in formats}
REPAIRS: Final[Mapping[int, int]] = {
    one.repair: one.payload_type for formats in FORMATS.values() for one in formats if one.repair is not None
}
"""Payload types of retransmissions, and of what they repair."""


@dataclass(frozen=True, slots=True)
class OfferedEncoding:
    """One source that we send: its SSRC, that of its retransmissions, and its name if it is one of several."""

    ssrc: int
    repair_ssrc: int
    rid: str = ""


@dataclass(frozen=True, slots=True)
class OfferedLine:
    """One line of an offer. `codec` limits a sending line to one; `encodings` is empty where nothing is sent."""

    mid: str
    kind: Kind
    direction: str
    codec: Codec | None = None
    encodings: Sequence[OfferedEncoding] = ()


def write_offer(
    lines: Iterable[OfferedLine], *, version: int, ufrag: str, password: str, fingerprint: str, cname: str
) -> str:
    """An offer with these lines, bundled. `version` counts the offers of one peer from 1."""
    offered = list(lines)
    text = [
        "v=0",
        f"o=- 1 {version} IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        f"a=group:BUNDLE {' '.join(line.mid for line in offered)}",
        "a=extmap-allow-mixed",
        "a=msid-semantic: WMS *",
    ]
    for line in offered:
        formats = [one for one in FORMATS[line.kind] if line.codec is None or one.codec == line.codec]
        types = [str(type) for one in formats for type in (one.payload_type, one.repair) if type is not None]
        text += [
            f"m={line.kind} 9 UDP/TLS/RTP/SAVPF {' '.join(types)}",
            "c=IN IP4 0.0.0.0",
            "a=rtcp:9 IN IP4 0.0.0.0",
            f"a=ice-ufrag:{ufrag}",
            f"a=ice-pwd:{password}",
            "a=ice-options:trickle",
            f"a=fingerprint:sha-256 {fingerprint}",
            "a=setup:actpass",
            f"a=mid:{line.mid}",
            *(f"a=extmap:{id} {uri}" for id, (uri, kinds) in _EXTENSIONS.items() if line.kind in kinds),
            f"a={line.direction}",
            "a=rtcp-mux",
            "a=rtcp-rsize",
            *(text for one in formats for text in _format_lines(one)),
            *_encoding_lines(line, cname),
        ]
    return "\r\n".join(text) + "\r\n"


def _format_lines(one: Format) -> list[str]:
    lines = [f"a=rtpmap:{one.payload_type} {one.rtpmap}"]
    if one.repair is not None:
        lines += [f"a=rtcp-fb:{one.payload_type} {feedback}" for feedback in ("ccm fir", "nack", "nack pli")]
    if one.parameters:
        lines.append(f"a=fmtp:{one.payload_type} {one.parameters}")
    if one.repair is not None:
        lines += [f"a=rtpmap:{one.repair} rtx/90000", f"a=fmtp:{one.repair} apt={one.payload_type}"]
    return lines


def _encoding_lines(line: OfferedLine, cname: str) -> list[str]:
    if not line.encodings:
        return []
    text = [f"a=msid:stream-{line.mid} track-{line.mid}"]
    if line.encodings[0].rid:
        names = [encoding.rid for encoding in line.encodings]
        return [*text, *(f"a=rid:{name} send" for name in names), f"a=simulcast:send {';'.join(names)}"]
    for encoding in line.encodings:
        ssrcs = [encoding.ssrc]
        if line.kind == "video":
            ssrcs.append(encoding.repair_ssrc)
            text.append(f"a=ssrc-group:FID {encoding.ssrc} {encoding.repair_ssrc}")
        text += [f"a=ssrc:{ssrc} cname:{cname}" for ssrc in ssrcs]
    return text


@dataclass(slots=True)
class AnsweredLine:
    """One line of an answer.

    Attributes:
        mid: its name.
        rejected: whether nothing can ever pass on it.
        payload_types: in the order of the server's preference.
        ssrcs: what the server sends on it.
        repairs: SSRCs of retransmissions, and of what they repair.
        extensions: the ids of header extensions that may be used on it.
        rids: the encodings that the server takes.
    """

    mid: str = ""
    rejected: bool = False
    payload_types: list[int] = field(default_factory=list)
    ssrcs: list[int] = field(default_factory=list)
    repairs: dict[int, int] = field(default_factory=dict)
    extensions: set[int] = field(default_factory=set)
    rids: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Answer:
    """What the server said: its lines, its ICE credentials and addresses, and the certificate it will show."""

    ufrag: str = ""
    password: str = ""
    fingerprint: str = ""
    candidates: list[tuple[str, int]] = field(default_factory=list)
    lines: list[AnsweredLine] = field(default_factory=list)


def parse_answer(text: str) -> Answer:
    """Parses an answer.

    Raises:
        PeerError: it is not an answer of an ICE-lite server with a certificate and an address.
    """
    answer = Answer()
    for line in text.splitlines():
        name, _, value = line.partition("=")
        try:
            if name == "m":
                words = value.split()
                answer.lines.append(AnsweredLine(rejected=words[1] == "0", payload_types=[int(w) for w in words[3:]]))
            elif name == "a":
                _take_attribute(answer, value)
        except (ValueError, IndexError) as error:
            raise PeerError(f"The answer's line {line[:40]!r} is malformed.") from error
    if not (answer.ufrag and answer.password and answer.fingerprint):
        raise PeerError("The answer has no ICE credentials or no SHA-256 fingerprint.")
    if not answer.candidates:
        raise PeerError("The answer has no address over UDP.")
    return answer


def _take_attribute(answer: Answer, attribute: str) -> None:
    name, _, value = attribute.partition(":")
    line = answer.lines[-1] if answer.lines else AnsweredLine()
    match name:
        case "ice-ufrag":
            answer.ufrag = value
        case "ice-pwd":
            answer.password = value
        case "fingerprint" if value.lower().startswith("sha-256 "):
            answer.fingerprint = value[8:].strip().upper()
        case "candidate":
            words = value.split()
            address = (words[4], int(words[5]))
            if words[2].lower() == "udp" and words[1] == "1" and address not in answer.candidates:
                answer.candidates.append(address)
        case "mid":
            line.mid = value
        case "extmap":
            line.extensions.add(int(value.split()[0].partition("/")[0]))
        case "ssrc-group" if value.startswith("FID "):
            main, repair = value.split()[1:3]
            line.repairs[int(repair)] = int(main)
        case "ssrc":
            ssrc = int(value.split()[0])
            if ssrc not in line.ssrcs:
                line.ssrcs.append(ssrc)
        case "rid":
            line.rids.append(value.split()[0])

"""The bytes of the client's WebRTC stack: packets, payloads, checks and descriptions."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tertulia.client.media.peer import Codec, EncodedFrame, PeerError
from tertulia.client.media.webrtc import payloads, rtp, sdp, stun
from tertulia.client.media.webrtc.receiving import LineReceiver
from tertulia.client.media.webrtc.rtp import KeyFrameRequest, MalformedPacketError, Nack, Rtcp, RtpPacket
from tests.unit.client.virtual_time import VirtualTimeLoop

ANSWER = """v=0
a=ice-lite
m=audio 9 UDP/TLS/RTP/SAVPF 111
a=ice-ufrag:remote
a=ice-pwd:password
a=fingerprint:sha-256 AB:CD
a=candidate:1 1 udp 1 127.0.0.1 5000 typ host
a=candidate:2 1 tcp 1 127.0.0.1 5000 typ host tcptype passive
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid
a=ssrc:77 cname:c
m=video 9 UDP/TLS/RTP/SAVPF 96 97
a=mid:1
a=ssrc-group:FID 88 89
a=ssrc:88 cname:c
a=ssrc:89 cname:c
"""


@given(
    some.integers(0, 127), some.integers(0, 0xFFFF), some.integers(0, 0xFFFFFFFF), some.binary(max_size=50),
    some.booleans(), some.dictionaries(some.integers(1, 14), some.binary(min_size=1, max_size=16), max_size=5),
)  # fmt: skip
def test_an_rtp_packet_survives(
    kind: int, number: int, timestamp: int, payload: bytes, marker: bool, extensions: dict[int, bytes]
) -> None:
    packet = RtpPacket(kind, number, timestamp, 5, payload, marker, extensions)
    assert rtp.parse_rtp(rtp.pack_rtp(packet)) == packet


@given(some.lists(some.integers(0, 0xFFFF), max_size=40, unique=True))
def test_lost_numbers_survive(lost: list[int]) -> None:
    [nack] = rtp.parse_rtcp(rtp.pack_rtcp(Nack(1, 2, tuple(sorted(lost)))))
    assert isinstance(nack, Nack)
    assert set(nack.lost) == set(lost)


def test_reports_survive_in_a_compound_packet() -> None:
    report = rtp.SenderReport(1, 2**40, 3, 4, 5, (rtp.ReportBlock(6, 7, 8, 9, 10, 11, 12),))
    wish = KeyFrameRequest(1, 6)
    assert rtp.parse_rtcp(rtp.pack_rtcp(report, wish, name="somebody")) == [report, wish]


@given(some.binary(max_size=80))
def test_noise_is_malformed_and_nothing_worse(noise: bytes) -> None:
    for parse in (rtp.parse_rtp, rtp.parse_rtcp):
        for head in (b"", b"\x80\xc8\x00\x01", b"\x90\x60\x00\x01", b"\x8f\xcd\x00\x02"):
            with contextlib.suppress(MalformedPacketError):
                parse(head + noise)
    stun.successful_transaction(noise, "password")
    for codec in ("vp8", "vp9", "h264", "opus"):
        with contextlib.suppress(MalformedPacketError):
            payloads.join(codec, [noise])


@pytest.mark.parametrize(
    ("codec", "data"),
    [
        ("opus", bytes(range(100))),
        ("vp8", bytes(5000)),
        ("h264", b"\x00\x00\x00\x01\x67\x01\x02\x00\x00\x00\x01\x65" + bytes([1, 2, 3]) * 1500),
    ],
)
def test_a_frame_survives_its_packets(codec: Codec, data: bytes) -> None:
    parts = payloads.split(codec, data, 40_000 & 0x7FFF)
    assert max(map(len, parts)) <= payloads.PAYLOAD_BYTES + 4
    assert payloads.begins_frame(codec, parts[0])
    assert payloads.join(codec, parts) == data
    assert payloads.is_key_frame(codec, data)


def test_a_check_is_signed_and_only_a_signed_answer_counts() -> None:
    transaction = bytes(range(12))
    request = stun.binding_request(transaction, username="a:b", password="secret", priority=1, tie_breaker=2)
    assert request[:2] == b"\x00\x01"
    assert int.from_bytes(request[2:4], "big") == len(request) - 20
    head = b"\x01\x01\x00\x18\x21\x12\xa4\x42" + transaction
    signature = hmac.new(b"secret", head, hashlib.sha1).digest()
    answer = head + b"\x00\x08\x00\x14" + signature
    assert stun.successful_transaction(answer, "secret") == transaction
    assert stun.successful_transaction(answer, "another") is None
    assert stun.successful_transaction(head[:2] + b"\x00\x00" + head[4:], "secret") is None


def test_an_answer_is_read() -> None:
    answer = sdp.parse_answer(ANSWER)
    assert (answer.ufrag, answer.fingerprint) == ("remote", "AB:CD")
    assert answer.candidates == [("127.0.0.1", 5000)]
    audio, video = answer.lines
    assert (audio.mid, audio.ssrcs, audio.extensions) == ("0", [77], {1})
    assert (video.payload_types, video.repairs) == ([96, 97], {89: 88})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage",
        ANSWER.replace("a=candidate:1 1 udp", "a=candidate:1 1 tcp"),
        ANSWER.replace("SAVPF 111", "SAVPF opus"),
        ANSWER.replace("sha-256", "sha-1"),
        ANSWER.replace("a=ssrc:77", "a=ssrc:many"),
    ],
)
def test_what_is_no_answer_is_refused(text: str) -> None:
    with pytest.raises(PeerError):
        sdp.parse_answer(text)


class Line:
    """A receiving line, what it asked for, and what it handed over."""

    def __init__(self) -> None:
        self.asked: list[Rtcp] = []
        self.frames: list[EncodedFrame] = []
        self.receiver = LineReceiver("video", self.asked.append, 1)
        self.receiver.listen(self.frames.append, None)

    def take(self, number: int, *, key: bool = False, timestamp: int | None = None, repaired: bool = False) -> None:
        """One packet that is a whole picture."""
        payload = b"\x90\x80\x80\x01" + (b"\x00" if key else b"\x01")
        packet = RtpPacket(96, number & 0xFFFF, number * 3000 if timestamp is None else timestamp, 9, payload, True)
        self.receiver.received(packet, asyncio.get_running_loop().time(), repaired=repaired)

    @property
    def numbers(self) -> list[int]:
        return [frame.rtp_timestamp // 3000 for frame in self.frames]


async def test_pictures_come_in_order_and_a_lost_one_is_asked_for(loop: VirtualTimeLoop) -> None:
    line = Line()
    for number in (65534, 65535, 65537, 65538):
        line.take(number, key=number == 65534)
    assert line.numbers == [65534, 65535]
    assert line.asked == [Nack(1, 9, (0,))]
    line.take(65536, repaired=True)
    assert line.numbers == [65534, 65535, 65536, 65537, 65538]
    line.receiver.close()


async def test_a_picture_that_never_comes_is_given_up_for_a_key_frame(loop: VirtualTimeLoop) -> None:
    line = Line()
    line.take(0, key=True)
    line.take(2)
    began = loop.time()
    while not any(isinstance(asked, KeyFrameRequest) for asked in line.asked):
        timer = line.receiver._timer
        assert timer is not None
        await asyncio.sleep(timer.when() - loop.time())
    assert 0.3 < loop.time() - began < 0.6
    line.take(3)
    line.take(4, key=True)
    line.take(5)
    assert line.numbers == [0, 4, 5]
    line.receiver.close()


async def test_nothing_is_handed_over_before_the_beginning(loop: VirtualTimeLoop) -> None:
    line = Line()
    line.receiver.listen(line.frames.append, 6000)
    for number in (0, 1, 2, 3):
        line.take(number, key=True)
    assert line.numbers == [2, 3]
    line.receiver.close()


async def test_reports_count_what_was_lost(loop: VirtualTimeLoop) -> None:
    line = Line()
    for number in (1, 2, 4):
        line.take(number, key=True)
    block = line.receiver.statistics.block(1.0)
    assert block is not None
    assert (block.ssrc, block.lost, block.fraction_lost, block.highest) == (9, 1, 64, 4)
    line.receiver.close()


def test_an_offer_says_that_opus_packets_may_repeat_the_one_before_in_band() -> None:
    lines = [sdp.OfferedLine("0", "audio", "sendonly"), sdp.OfferedLine("1", "audio", "recvonly")]
    offer = sdp.write_offer(lines, version=1, ufrag="u", password="p", fingerprint="AB:CD", cname="c")
    for section in offer.split("m=audio ")[1:]:
        # RFC 7587 section 6.1: without it a sender leaves them out.
        assert "a=fmtp:111 minptime=10;useinbandfec=1\r\n" in section

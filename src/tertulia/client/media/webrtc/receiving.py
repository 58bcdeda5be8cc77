"""One line on which the server sends: order, repair of losses, whole frames, reports.

A gap is asked for at once and again every 40 ms. Sound waits 120 ms for a lost packet and then goes on without it;
video waits 400 ms, then drops everything up to the next key frame, and asks for one. (Our own choices: what comes later
than that is of no use to somebody who listens, and costs more than a key frame to somebody who watches.)
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from tertulia.client.media.peer import CLOCK_RATES, EncodedFrame, Kind
from tertulia.client.media.webrtc import payloads, sdp
from tertulia.client.media.webrtc.rtp import (
    KeyFrameRequest,
    MalformedPacketError,
    Nack,
    ReportBlock,
    Rtcp,
    RtpPacket,
    SenderReport,
)

WAIT_S: dict[Kind, float] = {"audio": 0.12, "video": 0.4}
ASK_AGAIN_S = 0.04
WAITING_PACKETS = 1024
"""Packets that may wait for a lost one, and the largest jump of numbers that is taken for a loss."""

KEY_FRAME_PAUSE_S = 0.5
"""Requests for a key frame within this time count as one: the answer to the first is on its way. Our own choice."""

NACKS_AT_ONCE = 200


class LineReceiver:
    """The receiving end of one line. Fulfils `Receiver`."""

    def __init__(self, kind: Kind, send: Callable[[Rtcp], None], own_ssrc: int) -> None:
        """Takes how to send feedback, and the SSRC that we use in it."""
        self.kind = kind
        self._send = send
        self._own_ssrc = own_ssrc
        self._listener: Callable[[EncodedFrame], None] | None = None
        self._start: int | None = None
        self._needs_key_frame = kind == "video"
        self._asked_s = -math.inf
        self._packets: dict[int, RtpPacket] = {}  # by extended number, from _next on
        self._next: int | None = None
        self._highest = -1
        self._stuck_since_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.statistics = Statistics(CLOCK_RATES[kind])

    def listen(self, listener: Callable[[EncodedFrame], None] | None, start: int | None) -> None:
        """Hands over frames from RTP timestamp `start` on, until another listener is set."""
        self._listener, self._start = listener, start
        self._needs_key_frame = self.kind == "video"

    def request_key_frame(self) -> None:
        """Sends a PLI, unless one has just been sent."""
        now = asyncio.get_running_loop().time()
        if self.kind == "video" and self.statistics.ssrc and now - self._asked_s >= KEY_FRAME_PAUSE_S:
            self._asked_s = now
            self._send(KeyFrameRequest(self._own_ssrc, self.statistics.ssrc))

    def received(self, packet: RtpPacket, now: float, *, repaired: bool) -> None:
        """Takes a packet of this line; one that was sent again has its first number and payload type here."""
        number = self.statistics.take(packet, now, repaired=repaired)
        if self._next is None:
            self._next = number
        if number < self._next:
            return
        if number - self._next > WAITING_PACKETS:
            self._packets.clear()
            self._next = number
            self._lose()
        gap = number > self._highest + 1 and self._highest >= 0
        self._highest = max(self._highest, number)
        self._packets[number] = packet
        self._advance(now)
        if gap:
            self._ask_again()

    def close(self) -> None:
        """Stops the timer and forgets the listener."""
        self._listener = None
        self._packets.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _advance(self, now: float) -> None:
        """Hands over every frame that is whole now."""
        before = self._next
        while (frame := self._take_frame()) is not None:
            self._deliver(frame, now)
        if self._next != before:
            self._stuck_since_s = now
        if self._missing():
            if self._timer is None:
                self._stuck_since_s = now
                self._timer = asyncio.get_running_loop().call_later(ASK_AGAIN_S, self._tick)
        elif self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _take_frame(self) -> list[RtpPacket] | None:
        """The packets of the next frame, if all of them are there."""
        assert self._next is not None
        first = self._packets.get(self._next)
        if first is None:
            return None
        number = self._next
        while (packet := self._packets.get(number)) is not None and packet.timestamp == first.timestamp:
            number += 1
            if packet.marker or self.kind == "audio" or not packet.payload:
                break
        else:
            if packet is None:  # the frame goes on in a packet that has not come
                return None
        frame = [self._packets.pop(n) for n in range(self._next, number)]
        self._next = number
        return frame

    def _deliver(self, packets: list[RtpPacket], now: float) -> None:
        first = packets[0]
        format = sdp.CODECS.get(first.payload_type)
        if self._listener is None or format is None or not first.payload:
            return
        if self._start is not None and (first.timestamp - self._start) & 0xFFFFFFFF >= 1 << 31:
            return  # it belongs to an earlier binding
        try:
            if not payloads.begins_frame(format.codec, first.payload):
                self._lose()
                return
            data = payloads.join(format.codec, [packet.payload for packet in packets])
        except MalformedPacketError:
            self._lose()
            return
        key_frame = payloads.is_key_frame(format.codec, data)
        if self._needs_key_frame and not key_frame:
            self.request_key_frame()
            return
        self._needs_key_frame = False
        level = first.extensions.get(sdp.AUDIO_LEVEL)
        self._listener(
            EncodedFrame(
                self.kind, format.codec, data, first.timestamp, key_frame, level[0] & 0x7F if level else None, now
            )
        )

    def _lose(self) -> None:
        """Something is lost for good."""
        if self.kind == "video":
            self._needs_key_frame = True
            self.request_key_frame()

    def _missing(self) -> list[int]:
        if self._next is None or self._highest < self._next:
            return []
        return [number for number in range(self._next, self._highest) if number not in self._packets]

    def _ask_again(self) -> None:
        missing = self._missing()[:NACKS_AT_ONCE]
        if missing and self.kind == "video":
            self._send(Nack(self._own_ssrc, self.statistics.ssrc, tuple(n & 0xFFFF for n in missing)))

    def _tick(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        missing = self._missing()
        if not missing:
            return
        if now - self._stuck_since_s < WAIT_S[self.kind]:
            self._ask_again()
            self._timer = asyncio.get_running_loop().call_later(ASK_AGAIN_S, self._tick)
            return
        # Given up: go on behind the first gap; a picture that has begun before it is lost with it.
        following = next(number for number in range(missing[0], self._highest + 1) if number in self._packets)
        for number in [n for n in self._packets if n < following]:
            del self._packets[number]
        self._next = following
        self._stuck_since_s = now
        self._lose()
        self._advance(now)


class Statistics:
    """What a receiver report says of one source (RFC 3550 section 6.4.1 and appendix A)."""

    def __init__(self, clock_rate: int) -> None:
        """Takes the ticks of the source's timestamps in a second."""
        self.ssrc = 0
        self.packets = 0
        self.repaired = 0
        self._clock_rate = clock_rate
        self._first = self._highest = 0
        self._jitter = 0.0
        self._transit: float | None = None
        self._reported = (0, 0)
        self._sender_report: tuple[int, float] | None = None

    def take(self, packet: RtpPacket, now: float, *, repaired: bool) -> int:
        """Counts a packet and returns its number, extended beyond 16 bits."""
        if packet.ssrc != self.ssrc:
            self.__init__(self._clock_rate)  # type: ignore[misc]  # another source: everything begins anew
            self.ssrc, self._first, self._highest = packet.ssrc, packet.sequence_number, packet.sequence_number
        distance = (packet.sequence_number - self._highest) & 0xFFFF
        number = self._highest + (distance - 0x10000 if distance >= 0x8000 else distance)
        self._highest = max(self._highest, number)
        self.packets += 1
        self.repaired += repaired
        if not repaired:
            transit = now * self._clock_rate - packet.timestamp
            if self._transit is not None:
                change = abs(transit - self._transit)
                if change < self._clock_rate:  # not across a jump of the source's clock
                    self._jitter += (change - self._jitter) / 16
            self._transit = transit
        return number

    def take_sender_report(self, report: SenderReport, now: float) -> None:
        """Keeps when the source last told its time."""
        self._sender_report = (report.ntp >> 16 & 0xFFFFFFFF, now)

    def block(self, now: float) -> ReportBlock | None:
        """The report since the one before; None while nothing has come."""
        if not self.packets:
            return None
        expected, received = self._highest - self._first + 1, self.packets
        new_expected, new_received = expected - self._reported[0], received - self._reported[1]
        self._reported = (expected, received)
        lost = max(0, new_expected - new_received)
        fraction = 256 * lost // new_expected if new_expected > 0 else 0
        when, since = self._sender_report or (0, now)
        return ReportBlock(
            self.ssrc,
            min(255, fraction),
            max(0, expected - received),
            self._highest & 0xFFFFFFFF,
            int(self._jitter),
            when,
            int((now - since) * 65536) & 0xFFFFFFFF,
        )

"""One line on which we send: packets, repair of losses, sender reports."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable

from tertulia.client.media.peer import EncodedFrame, Kind
from tertulia.client.media.webrtc import payloads, sdp
from tertulia.client.media.webrtc.rtp import ReportBlock, RtpPacket, SenderReport

HISTORY_PACKETS = 1024
"""Packets of one encoding that can be sent again: about a second of good video. Our own choice."""

_NTP_EPOCH_S = 2_208_988_800


class Encoding:
    """One source of ours."""

    def __init__(self, rid: str = "") -> None:
        """Makes a source with random numbers (RFC 3550 section 5.1)."""
        self.rid = rid
        self.ssrc, self.repair_ssrc = _random_ssrc(), _random_ssrc()
        # In the lower half: libsrtp loses track if the first few packets wrap (RFC 3711 section 3.3.1).
        self.sequence_number = secrets.randbelow(1 << 15)
        self.repair_sequence_number = secrets.randbelow(1 << 15)
        self.timestamp_offset = secrets.randbits(32)
        self.picture_id = secrets.randbelow(1 << 15)
        self.key_frame_wanted = True
        self.packets = self.octets = 0
        self.last: tuple[int, float] | None = None
        """RTP timestamp of the newest frame and when it was sent, on the loop's clock."""
        self.history: OrderedDict[int, RtpPacket] = OrderedDict()


class LineSender:
    """The sending end of one line. Fulfils `SentLine`."""

    def __init__(self, mid: str, kind: Kind, rids: tuple[str, ...]) -> None:
        """Takes the names of its encodings; a single one needs none."""
        self._mid = mid
        self.kind = kind
        self.encodings = [Encoding(rid) for rid in rids or ("",)]
        self.transmit: Callable[[RtpPacket], None] | None = None
        self.now: Callable[[], float] = lambda: 0.0
        self.answered: sdp.AnsweredLine | None = None
        self._loss = 0.0

    @property
    def mid(self) -> str:
        """Its name in the offer."""
        return self._mid

    @property
    def loss(self) -> float:
        """Share of packets that were lost on the way to the server, 0 to 1."""
        return self._loss

    def send(self, frame: EncodedFrame, encoding: int = 0) -> None:
        """Sends a frame; before the line is answered and connected it is dropped."""
        if self.transmit is None or self.answered is None:
            return
        format = next((one for one in sdp.FORMATS[self.kind] if one.codec == frame.codec), None)
        if format is None or format.payload_type not in self.answered.payload_types:
            return
        source = self.encodings[encoding]
        source.picture_id = (source.picture_id + 1) & 0x7FFF
        timestamp = (frame.rtp_timestamp + source.timestamp_offset) & 0xFFFFFFFF
        source.last = (timestamp, self.now())
        parts = payloads.split(frame.codec, frame.data, source.picture_id)
        extensions = self._extensions(source, frame)
        for number, payload in enumerate(parts):
            source.sequence_number = (source.sequence_number + 1) & 0xFFFF
            packet = RtpPacket(
                format.payload_type,
                source.sequence_number,
                timestamp,
                source.ssrc,
                payload,
                marker=self.kind == "video" and number == len(parts) - 1,
                extensions=extensions,
            )
            source.packets += 1
            source.octets += len(payload)
            if format.repair is not None:
                source.history[packet.sequence_number] = packet
                if len(source.history) > HISTORY_PACKETS:
                    source.history.popitem(last=False)
            self.transmit(packet)

    def take_key_frame_request(self, encoding: int = 0) -> bool:
        """Whether a key frame was asked for since the last call; the first call is always answered with True."""
        source = self.encodings[encoding]
        wanted, source.key_frame_wanted = source.key_frame_wanted, False
        return wanted

    def find(self, ssrc: int) -> Encoding | None:
        """The encoding with this SSRC."""
        return next((source for source in self.encodings if source.ssrc == ssrc), None)

    def repair(self, source: Encoding, lost: tuple[int, ...]) -> None:
        """Sends packets again, as far as they are still known (RFC 4588)."""
        if self.transmit is None:
            return
        for number in lost:
            packet = source.history.get(number)
            format = sdp.CODECS.get(packet.payload_type) if packet is not None else None
            if packet is None or format is None or format.repair is None:
                continue
            source.repair_sequence_number = (source.repair_sequence_number + 1) & 0xFFFF
            extensions = dict(packet.extensions)
            if (rid := extensions.pop(sdp.RID, None)) is not None:
                extensions[sdp.REPAIRED_RID] = rid
            self.transmit(
                RtpPacket(
                    format.repair,
                    source.repair_sequence_number,
                    packet.timestamp,
                    source.repair_ssrc,
                    number.to_bytes(2, "big") + packet.payload,
                    packet.marker,
                    extensions,
                )
            )

    def take_report(self, block: ReportBlock) -> None:
        """What the server says about one of the encodings."""
        self._loss = block.fraction_lost / 256

    def reports(self, now: float, wall_s: float) -> list[SenderReport]:
        """A report for each encoding that has sent. `wall_s` is the time of day at `now`, in seconds since 1970."""
        reports = []
        for source in self.encodings:
            if source.last is not None and self.transmit is not None:
                timestamp, sent_s = source.last
                ticks = int((now - sent_s) * (48_000 if self.kind == "audio" else 90_000))
                ntp = int((wall_s + _NTP_EPOCH_S) * (1 << 32)) & 0xFFFFFFFFFFFFFFFF
                reports.append(
                    SenderReport(source.ssrc, ntp, (timestamp + ticks) & 0xFFFFFFFF, source.packets, source.octets)
                )
        return reports

    def _extensions(self, source: Encoding, frame: EncodedFrame) -> dict[int, bytes]:
        allowed = self.answered.extensions if self.answered is not None else set()
        extensions: dict[int, bytes] = {}
        if sdp.MID in allowed:
            extensions[sdp.MID] = self._mid.encode()
        if source.rid and sdp.RID in allowed:
            extensions[sdp.RID] = source.rid.encode()
        if frame.audio_level is not None and sdp.AUDIO_LEVEL in allowed:
            speaks = 0x80 if frame.audio_level < SPEECH_LEVEL else 0
            extensions[sdp.AUDIO_LEVEL] = bytes([speaks | frame.audio_level])
        return extensions


SPEECH_LEVEL = 60
"""Sound louder than -60 dBov is marked as speech. Our own choice: rooms are about -70."""


def _random_ssrc() -> int:
    return secrets.randbelow((1 << 32) - 1) + 1

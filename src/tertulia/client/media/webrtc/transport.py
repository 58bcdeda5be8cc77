"""The client's own WebRTC stack as a `Peer`: ICE, DTLS and RTP joined to one transport, bundled."""

from __future__ import annotations

import asyncio
import datetime
import logging
import secrets
from collections.abc import Callable, Sequence

from tertulia.client.media.peer import Codec, PeerError, PeerState, SendWishes, SlotReceivers
from tertulia.client.media.webrtc import sdp
from tertulia.client.media.webrtc.dtls import Certificate, DtlsTransport
from tertulia.client.media.webrtc.ice import IceAgent
from tertulia.client.media.webrtc.receiving import LineReceiver
from tertulia.client.media.webrtc.rtp import (
    KeyFrameRequest,
    MalformedPacketError,
    Nack,
    ReceiverReport,
    ReportBlock,
    Rtcp,
    RtpPacket,
    SenderReport,
    is_rtcp,
    pack_rtcp,
    pack_rtp,
    parse_rtcp,
    parse_rtp,
)
from tertulia.client.media.webrtc.sending import LineSender
from tertulia.wire import signalling as wire

REPORT_S = 1.0
"""Between reports to the server (RFC 3550 section 6.2 allows less for video of this rate)."""

_log = logging.getLogger("tertulia.client")


class WebRtcPeer:
    """One transport to the server. Fulfils `Peer`. It has no thread; sockets and timers end with `close()`."""

    def __init__(self, on_state: Callable[[PeerState], None], wall_clock: Callable[[], float]) -> None:
        """Takes who hears of changes of the state, and the time of day in seconds since 1970."""
        self._on_state = on_state
        self._wall_clock = wall_clock
        self._state = PeerState.CONNECTING
        self._lines: list[LineReceiver | LineSender] = []
        self._directions: list[str] = []
        self._codecs: list[Codec | None] = []
        self._pairs: list[_Pair] = []
        self._announced = 0
        self._offered_pairs = 0
        self._idle: list[LineSender] = []
        self._version = 0
        self._ssrc = secrets.randbelow((1 << 32) - 1) + 1
        self._cname = secrets.token_hex(8)
        self._by_ssrc: dict[int, LineReceiver] = {}
        self._by_mid: dict[str, LineReceiver] = {}
        self._repairs: dict[int, int] = {}
        self._sources: dict[int, LineSender] = {}
        self._reporting: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._certificate = Certificate(datetime.datetime.fromtimestamp(wall_clock(), datetime.UTC))
        self._ice = IceAgent(self._take_datagram, self._path_changed)
        self._dtls = DtlsTransport(self._certificate, self._ice.send, self._handshake_over)
        self._secure = False
        self._fingerprint = ""

    # Peer

    @property
    def state(self) -> PeerState:
        """Whether media passes."""
        return self._state

    @property
    def slot_count(self) -> int:
        """How many slot pairs there are."""
        return len(self._pairs)

    def add_slot_pairs(self, count: int) -> None:
        """Adds slot pairs, which the next offer announces."""
        for _ in range(count):
            audio, video = (LineReceiver(kind, self._send_rtcp, self._ssrc) for kind in ("audio", "video"))
            first = len(self._lines)
            self._pairs.append(_Pair(SlotReceivers(audio, video), str(first), str(first + 1)))
            for line in (audio, video):
                self._by_mid[str(len(self._lines))] = line
                self._add(line, "recvonly", None)

    def receivers(self, slot: int) -> SlotReceivers | None:
        """The lines of a slot pair; None where there is no such slot."""
        return self._pairs[slot].receivers if 0 <= slot < len(self._pairs) else None

    def send(self, wishes: SendWishes) -> _Lines:
        """Takes lines for a stream; the next offer has them."""
        audio = self._send_line("audio", "opus", ()) if wishes.audio else None
        video = self._send_line("video", wishes.video, wishes.rids) if wishes.video is not None else None
        return _Lines(audio, video, self._stop)

    def offer(self) -> str:
        """Makes an offer."""
        self._version += 1
        self._offered_pairs = len(self._pairs)
        return sdp.write_offer(
            map(self._offered_line, range(len(self._lines))),
            version=self._version,
            ufrag=self._ice.ufrag,
            password=self._ice.password,
            fingerprint=self._certificate.fingerprint,
            cname=self._cname,
        )

    def new_slots(self) -> Sequence[wire.SlotPair]:
        """The slot pairs that no accepted offer has announced yet."""
        return [
            wire.SlotPair(slot=slot, audio_mid=pair.audio_mid, video_mid=pair.video_mid)
            for slot, pair in enumerate(self._pairs)
            if slot >= self._announced
        ]

    def accept(self, answer: str) -> None:
        """Applies the answer to the last offer.

        Raises:
            PeerError: it is not one.
        """
        answered = sdp.parse_answer(answer)
        self._announced = self._offered_pairs
        for line in answered.lines:
            self._accept_line(line)
        if self._fingerprint and self._fingerprint != answered.fingerprint:
            raise PeerError("The server changed its certificate in the middle of a connection.")
        self._fingerprint = answered.fingerprint
        self._ice.start(answered.ufrag, answered.password, answered.candidates)

    def withdraw(self) -> None:
        """Takes the last offer back: nothing was changed by it."""

    def restart_ice(self) -> None:
        """The next offer looks for a new path to the server."""
        self._ice.renew()

    def close(self) -> None:
        """Ends everything at once."""
        self._state = PeerState.FAILED
        self._dtls.close()
        self._ice.close()
        if self._reporting is not None:
            self._reporting.cancel()
            self._reporting = None
        for line in self._lines:
            if isinstance(line, LineReceiver):
                line.close()
            else:
                line.transmit = None

    # Lines

    def _add(self, line: LineReceiver | LineSender, direction: str, codec: Codec | None) -> None:
        self._lines.append(line)
        self._directions.append(direction)
        self._codecs.append(codec)

    def _send_line(self, kind: str, codec: Codec | None, rids: tuple[str, ...]) -> LineSender:
        rid_names = rids or ("",)
        for idle in self._idle:
            index = int(idle.mid)
            names = tuple(source.rid for source in idle.encodings)
            if idle.kind == kind and self._codecs[index] == codec and names == rid_names:
                self._idle.remove(idle)
                self._directions[index] = "sendonly"
                for source in idle.encodings:
                    source.key_frame_wanted = True
                return idle
        line = LineSender(str(len(self._lines)), "audio" if kind == "audio" else "video", rids)
        line.now = self._loop.time
        self._add(line, "sendonly", codec)
        for source in line.encodings:
            self._sources[source.ssrc] = line
        return line

    def _stop(self, line: LineSender) -> None:
        if line not in self._idle:
            self._directions[int(line.mid)] = "inactive"
            self._idle.append(line)

    def _offered_line(self, index: int) -> sdp.OfferedLine:
        line, codec, direction = self._lines[index], self._codecs[index], self._directions[index]
        if isinstance(line, LineReceiver):
            return sdp.OfferedLine(str(index), line.kind, direction)
        encodings = [sdp.OfferedEncoding(source.ssrc, source.repair_ssrc, source.rid) for source in line.encodings]
        return sdp.OfferedLine(line.mid, line.kind, direction, codec, encodings if direction == "sendonly" else ())

    def _accept_line(self, answered: sdp.AnsweredLine) -> None:
        line = next((line for index, line in enumerate(self._lines) if str(index) == answered.mid), None)
        if isinstance(line, LineSender):
            line.answered = answered
            line.transmit = self._send_rtp if self._secure else None
        elif isinstance(line, LineReceiver):
            for ssrc in answered.ssrcs:
                if ssrc not in answered.repairs:
                    self._by_ssrc[ssrc] = line
            self._repairs.update(answered.repairs)

    # The transport

    def _path_changed(self, flows: bool | None) -> None:
        if flows is None:
            self._become(PeerState.FAILED)
        elif not flows:
            if self._secure:
                self._become(PeerState.INTERRUPTED)
        elif self._secure:
            self._become(PeerState.CONNECTED)
        elif not self._dtls.started:
            self._dtls.start(self._fingerprint)

    def _handshake_over(self, failure: str | None) -> None:
        if failure is not None:
            _log.warning("the media connection failed: %s", failure)
            self._become(PeerState.FAILED)
            return
        self._secure = True
        for line in self._lines:
            if isinstance(line, LineSender) and line.answered is not None:
                line.transmit = self._send_rtp
        self._reporting = self._loop.call_later(REPORT_S, self._report)
        self._become(PeerState.CONNECTED)

    def _become(self, state: PeerState) -> None:
        if state is not self._state and self._state is not PeerState.FAILED:
            self._state = state
            self._on_state(state)

    def _take_datagram(self, datagram: bytes) -> None:
        if 20 <= datagram[0] <= 63:
            self._dtls.received(datagram)
        elif 128 <= datagram[0] <= 191:
            rtcp = is_rtcp(datagram)
            packet = self._dtls.unprotect(datagram, rtcp=rtcp)
            if packet is None:
                return
            try:
                if rtcp:
                    for part in parse_rtcp(packet):
                        self._take_rtcp(part)
                else:
                    self._take_rtp(parse_rtp(packet))
            except MalformedPacketError as error:
                _log.debug("a packet of the server was ignored: %s", error)

    def _take_rtp(self, packet: RtpPacket) -> None:
        repaired = (main := sdp.REPAIRS.get(packet.payload_type)) is not None
        if repaired:
            ssrc = self._repairs.get(packet.ssrc)
            if ssrc is None or main is None or len(packet.payload) < 2:
                return
            packet.ssrc, packet.payload_type = ssrc, main
            packet.sequence_number = int.from_bytes(packet.payload[:2], "big")
            packet.payload = packet.payload[2:]
        line = self._by_ssrc.get(packet.ssrc)
        if line is None and (mid := packet.extensions.get(sdp.MID)) is not None:
            line = self._by_mid.get(mid.decode("ascii", "replace"))
            if line is not None:
                self._by_ssrc[packet.ssrc] = line
        if line is not None:
            line.received(packet, self._loop.time(), repaired=repaired)

    def _take_rtcp(self, part: Rtcp) -> None:
        match part:
            case Nack(_, media_ssrc, lost):
                line = self._sources.get(media_ssrc)
                source = line.find(media_ssrc) if line is not None else None
                if line is not None and source is not None:
                    line.repair(source, lost)
            case KeyFrameRequest(_, media_ssrc):
                line = self._sources.get(media_ssrc)
                source = line.find(media_ssrc) if line is not None else None
                if source is not None:
                    source.key_frame_wanted = True
            case SenderReport(ssrc, blocks=blocks):
                receiver = self._by_ssrc.get(ssrc)
                if receiver is not None:
                    receiver.statistics.take_sender_report(part, self._loop.time())
                self._take_blocks(blocks)
            case ReceiverReport(_, blocks):
                self._take_blocks(blocks)

    def _take_blocks(self, blocks: Sequence[ReportBlock]) -> None:
        for block in blocks:
            if (line := self._sources.get(block.ssrc)) is not None:
                line.take_report(block)

    def _send_rtp(self, packet: RtpPacket) -> None:
        sealed = self._dtls.protect(pack_rtp(packet), rtcp=False)
        if sealed is not None:
            self._ice.send(sealed)

    def _send_rtcp(self, *parts: Rtcp) -> None:
        sealed = self._dtls.protect(pack_rtcp(*parts), rtcp=True)
        if sealed is not None:
            self._ice.send(sealed)

    def _report(self) -> None:
        self._reporting = self._loop.call_later(REPORT_S, self._report)
        now = self._loop.time()
        wall_s = self._wall_clock()
        for line in self._lines:
            if isinstance(line, LineSender):
                for report in line.reports(now, wall_s):
                    self._send_rtcp(report)
        blocks = [
            block
            for line in self._lines
            if isinstance(line, LineReceiver) and (block := line.statistics.block(now)) is not None
        ]
        for at in range(0, len(blocks), 30):
            self._send_rtcp(ReceiverReport(self._ssrc, tuple(blocks[at : at + 30])))


class _Pair:
    """A slot pair and the names of its lines."""

    __slots__ = ("audio_mid", "receivers", "video_mid")

    def __init__(self, receivers: SlotReceivers, audio_mid: str, video_mid: str) -> None:
        self.receivers = receivers
        self.audio_mid = audio_mid
        self.video_mid = video_mid


class _Lines:
    """The lines of one stream. Fulfils `SentLines`."""

    def __init__(self, audio: LineSender | None, video: LineSender | None, stop: Callable[[LineSender], None]) -> None:
        self.audio = audio
        self.video = video
        self._stop = stop

    def stop(self) -> None:
        """Sends nothing more."""
        for line in (self.audio, self.video):
            if line is not None:
                self._stop(line)

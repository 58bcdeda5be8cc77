"""A peer without a network: it keeps what was done with it, and becomes what the test says."""

from __future__ import annotations

from collections.abc import Callable

from tertulia.client.media.peer import EncodedFrame, PeerError, PeerState, SendWishes, SlotReceivers
from tertulia.wire import signalling as wire


class FakeReceiver:
    """A line on which the test delivers frames."""

    def __init__(self) -> None:
        self.listener: Callable[[EncodedFrame], None] | None = None
        self.start: int | None = None
        self.key_frame_requests = 0

    def listen(self, listener: Callable[[EncodedFrame], None] | None, start: int | None) -> None:
        self.listener, self.start = listener, start

    def request_key_frame(self) -> None:
        self.key_frame_requests += 1


class FakeLine:
    """A line that keeps what was sent."""

    loss = 0.0

    def __init__(self, mid: str) -> None:
        self.mid = mid
        self.frames: list[EncodedFrame] = []
        self.encodings: list[int] = []

    def send(self, frame: EncodedFrame, encoding: int = 0) -> None:
        self.frames.append(frame)
        self.encodings.append(encoding)

    def take_key_frame_request(self, encoding: int = 0) -> bool:
        return not self.frames


class FakeLines:
    def __init__(self, audio: FakeLine | None, video: FakeLine | None) -> None:
        self.audio, self.video = audio, video
        self.stopped = False

    def stop(self) -> None:
        self.stopped = True


class FakePeer:
    """Fulfils `Peer`. It is connected as soon as an answer was accepted."""

    def __init__(self, on_state: Callable[[PeerState], None]) -> None:
        self._on_state = on_state
        self.state = PeerState.CONNECTING
        self.slots: list[SlotReceivers] = []
        self.announced = 0
        self.sent: list[FakeLines] = []
        self.log: list[str] = []
        self.closed = False

    @property
    def slot_count(self) -> int:
        return len(self.slots)

    def become(self, state: PeerState) -> None:
        if state is not self.state:
            self.state = state
            self._on_state(state)

    def add_slot_pairs(self, count: int) -> None:
        self.slots += [SlotReceivers(FakeReceiver(), FakeReceiver()) for _ in range(count)]

    def receivers(self, slot: int) -> SlotReceivers | None:
        return self.slots[slot] if slot < len(self.slots) else None

    def send(self, wishes: SendWishes) -> FakeLines:
        first = 100 + 2 * len(self.sent)
        lines = FakeLines(
            FakeLine(str(first)) if wishes.audio else None, FakeLine(str(first + 1)) if wishes.video else None
        )
        self.sent.append(lines)
        return lines

    def offer(self) -> str:
        assert self.log[-1:] != ["offer"], "one offer at a time"
        self.log.append("offer")
        return "an offer"

    def new_slots(self) -> list[wire.SlotPair]:
        return [
            wire.SlotPair(slot=n, audio_mid=str(2 * n), video_mid=str(2 * n + 1))
            for n in range(self.announced, len(self.slots))
        ]

    def accept(self, answer: str) -> None:
        self.log.append("accept")
        if answer == "garbage":
            raise PeerError("The answer has no address over UDP.")
        self.announced = len(self.slots)
        self.become(PeerState.CONNECTED)

    def withdraw(self) -> None:
        self.log.append("withdraw")

    def restart_ice(self) -> None:
        self.log.append("restart")

    def close(self) -> None:
        self.closed = True

"""A client's socket that keeps what it is sent."""

from collections.abc import Sequence

from tertulia.services.ports import SocketEnd
from tertulia.wire import signalling


class FakeSocket:
    """Fulfils the port `ClientSocket`."""

    def __init__(self) -> None:
        self.frames: list[signalling.ServerFrame] = []
        self.end: SocketEnd | None = None

    def send(self, frame: str) -> None:
        assert self.end is None, "nothing is sent on a closed socket"
        self.frames.append(signalling.decode_server_frame(frame))

    def send_backlog(self, frames: Sequence[str]) -> None:
        for frame in frames:
            self.send(frame)

    def close(self, end: SocketEnd) -> None:
        self.end = end

    @property
    def messages(self) -> list[signalling.ServerMessage]:
        """Everything it was sent, without envelopes."""
        return [frame.body for frame in self.frames]

    @property
    def numbers(self) -> list[int]:
        """The numbers of the logged events among it."""
        return [frame.number for frame in self.frames if frame.number]

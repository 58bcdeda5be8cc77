"""A client's socket that keeps what it is sent."""

from collections.abc import Sequence

from tertulia.services.ports import Backlog, SocketEnd
from tertulia.wire import signalling


class FakeSocket:
    """Fulfils the port `ClientSocket`."""

    def __init__(self) -> None:
        self.frames: list[signalling.ServerFrame] = []
        self.end: SocketEnd | None = None
        self._more: Backlog | None = None
        self._held: list[str] = []

    def send(self, frame: str) -> None:
        assert self.end is None, "nothing is sent on a closed socket"
        if self._more is not None:
            self._held.append(frame)
            return
        self.frames.append(signalling.decode_server_frame(frame))

    def send_backlog(self, frames: Sequence[str], more: Backlog | None = None) -> None:
        for frame in frames:
            self.send(frame)
        self._more = more

    async def read_on(self) -> None:
        """Take the further pages of a backlog, and what waited behind them."""
        if self._more is None:
            return
        more, self._more = self._more, None
        async for page in more:
            for frame in page:
                self.send(frame)
        held, self._held = self._held, []
        for frame in held:
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

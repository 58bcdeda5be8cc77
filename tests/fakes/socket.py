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
        self.writes = 0

    def send(self, *frames: str) -> None:
        assert self.end is None, "nothing is sent on a closed socket"
        self.writes += 1
        if self._more is not None:
            self._held.extend(frames)
            return
        self.frames.extend(map(signalling.decode_server_frame, frames))

    def send_backlog(self, frames: Sequence[str], more: Backlog | None = None) -> None:
        self.send(*frames)
        self._more = more

    async def read_on(self) -> None:
        """Take the further pages of a backlog, and what waited behind them."""
        if self._more is None:
            return
        more, self._more = self._more, None
        async for page in more:
            self.send(*page)
        held, self._held = self._held, []
        self.send(*held)

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

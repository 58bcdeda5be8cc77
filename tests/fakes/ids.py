"""Identifiers that count."""

import itertools

from tertulia.ids import ApiKey, ConnectionId, StreamId


class CountingIds:
    """Every id is new and the same in every run."""

    def __init__(self, start: int = 1) -> None:
        self._numbers = itertools.count(start)

    def connection_id(self) -> ConnectionId:
        return ConnectionId(f"00000000-0000-4000-8000-{next(self._numbers):012d}")

    def stream_id(self) -> StreamId:
        return StreamId(f"00000000-0000-4000-9000-{next(self._numbers):012d}")

    def callback_id(self) -> str:
        return f"00000000-0000-4000-a000-{next(self._numbers):012d}"

    def api_key(self) -> ApiKey:
        return ApiKey(str(10_000_000 + next(self._numbers)))

    def api_secret(self) -> str:
        return f"{next(self._numbers):040x}"

    def random_text(self) -> str:
        return f"{next(self._numbers):024d}"

    def secret_bytes(self) -> bytes:
        return next(self._numbers).to_bytes(32, "big")

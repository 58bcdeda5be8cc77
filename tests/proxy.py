"""A TCP proxy that belongs to a test: it can hang up, vanish on one side, or hold everything back."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

CHUNK = 65_536
DEADLINE_S = 10


class Proxy:
    """Forwards connections to 127.0.0.1:`port` from a port of its own, in a thread of its own.

    Args:
        port: Where the server listens.
        breaks: With this generator of chance every connection breaks by itself, after up to `most` bytes.
        most: Bytes, both ways together.
    """

    def __init__(self, port: int, *, breaks: random.Random | None = None, most: int = 0) -> None:
        self._target = port
        self._breaks = breaks
        self._most = most
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy")
        self._pairs: dict[_Pair, None] = {}  # oldest first
        self._gate = asyncio.Event()
        self._gate.set()
        self._waiting: set[asyncio.StreamWriter] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop
        ).result(DEADLINE_S)
        self.port: int = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(DEADLINE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def hang_up(self) -> None:
        """Ends every connection towards both sides, without the goodbye of TCP: both read a reset."""
        self._do(lambda: _each(self._pairs, _Pair.abort))

    def hang_up_oldest(self) -> None:
        """Does the same to the oldest connection alone."""
        self._do(lambda: next(iter(self._pairs)).abort())

    def vanish(self) -> None:
        """Ends every connection towards the server alone: the client's side stays open and hears nothing more."""
        self._do(lambda: _each(self._pairs, _Pair.vanish))

    def freeze(self) -> None:
        """Forwards nothing any more, also of connections that are made from now on; nobody is told."""
        self._do(self._gate.clear)

    def thaw(self) -> None:
        """Forwards what was held back, and everything after it."""
        self._do(self._gate.set)

    def stop_breaking(self) -> None:
        """Connections break no more by themselves."""
        self._breaks = None

    def _do(self, work: Callable[[], None]) -> None:
        async def run() -> None:
            work()

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(DEADLINE_S)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._waiting.add(writer)
        await self._gate.wait()
        self._waiting.discard(writer)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        pair = _Pair(writer, far_writer, self)
        self._pairs[pair] = None
        ways = [asyncio.create_task(way) for way in (pair.carry(reader, far_writer), pair.carry(far_reader, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            if pair.has_vanished:
                await asyncio.wait(ways)
        finally:
            self._pairs.pop(pair, None)
            pair.abort()

    async def _stop(self) -> None:
        self._server.close()
        for writer in self._waiting:
            writer.transport.abort()
        _each(self._pairs, _Pair.abort)
        me = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not me]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def budget(self) -> int | None:
        """How many bytes a new connection may carry before it breaks; None if it does not."""
        return None if self._breaks is None else self._breaks.randrange(1, self._most)

    async def pass_gate(self) -> None:
        """Waits while everything is held back."""
        await self._gate.wait()


class _Pair:
    """The two connections of one client."""

    def __init__(self, near: asyncio.StreamWriter, far: asyncio.StreamWriter, proxy: Proxy) -> None:
        self._near = near
        self._far = far
        self._proxy = proxy
        self._left = proxy.budget()
        self.has_vanished = False

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(CHUNK):
                await self._proxy.pass_gate()
                if self.has_vanished:
                    continue
                if self._left is not None:
                    chunk, self._left = chunk[: self._left], max(0, self._left - len(chunk))
                writer.write(chunk)
                await writer.drain()
                if self._left == 0:
                    return

    def abort(self) -> None:
        for writer in (self._near, self._far):
            writer.transport.abort()

    def vanish(self) -> None:
        self.has_vanished = True
        self._far.transport.abort()


def _each(pairs: dict[_Pair, None], work: Callable[[_Pair], None]) -> None:
    for pair in tuple(pairs):
        work(pair)

"""An event loop whose clock only moves when nothing is left to do: tests of deadlines take no time and never guess."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Mapping
from typing import Any


class _NoWaiting(selectors.SelectSelector):
    """Looks for ready sockets, and moves the loop's clock instead of waiting for them."""

    loop: VirtualTimeLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("everything waits, and nothing will ever happen")
        if not ready and timeout:
            self.loop.now += timeout
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Its time starts at 1,000 s and jumps from one deadline to the next."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.problems: list[Mapping[str, Any]] = []
        selector = _NoWaiting()
        selector.loop = self
        super().__init__(selector)
        self.set_exception_handler(lambda _, context: self.problems.append(context))

    def time(self) -> float:
        return self.now

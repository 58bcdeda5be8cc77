"""The gate: connections whose client has proven nothing yet, how many there may be, and which of them give way."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["PENDING", "PENDING_PER_ADDRESS", "Gate", "Pass", "source_of"]

PENDING = 4_096
"""Connections without a complete request or without a seat, in all. Each costs some 50 KiB at most. Our own choice."""
PENDING_PER_ADDRESS = 1_024
"""The same from one source address. Many clients may be behind one address, and all come back at once after a restart;
each needs milliseconds, so this many at the same moment are no crowd of honest ones. Our own choice."""


@dataclass(frozen=True, slots=True, eq=False)
class Pass:
    """One connection at the gate: where it comes from, and how it is sent away."""

    source: str
    expel: Callable[[], None]


class Gate:
    """Lets everybody in, and sends the longest waiting away when there are too many.

    The newest is let in because an honest client waits for milliseconds only: whoever has waited longest has the least
    to say.
    """

    def __init__(self, pending: int = PENDING, per_address: int = PENDING_PER_ADDRESS) -> None:
        self._pending = pending
        self._per_address = per_address
        # Both in order of coming.
        self._all: dict[Pass, None] = {}
        self._by_source: dict[str, dict[Pass, None]] = {}
        self.expelled = 0

    def __len__(self) -> int:
        """How many wait."""
        return len(self._all)

    def enter(self, address: str, expel: Callable[[], None]) -> Pass:
        """Let a connection from this IP address in; `expel` is called if it has to give way before it leaves."""
        source = source_of(address)
        mine = self._by_source.get(source, {})
        if len(mine) >= self._per_address:
            self._send_away(next(iter(mine)))
        elif len(self._all) >= self._pending:
            self._send_away(next(iter(self._all)))
        entered = Pass(source, expel)
        self._all[entered] = None
        self._by_source.setdefault(source, {})[entered] = None
        return entered

    def leave(self, entered: Pass) -> None:
        """The connection has proven itself, or is gone; harmless if it has left already."""
        if entered not in self._all:
            return
        del self._all[entered]
        mine = self._by_source[entered.source]
        del mine[entered]
        if not mine:
            del self._by_source[entered.source]

    def _send_away(self, oldest: Pass) -> None:
        self.leave(oldest)
        self.expelled += 1
        oldest.expel()


def source_of(address: str) -> str:
    """What counts as one source: an IPv4 address, or the /64 of an IPv6 address, which one customer has whole."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((parsed, 64), strict=False))

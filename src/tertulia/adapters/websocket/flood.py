"""Limits on how fast a client may ask."""

from collections import OrderedDict
from dataclasses import dataclass

from tertulia.clock import MonotonicTime
from tertulia.ids import ConnectionId

__all__ = ["KNOWN_CONNECTIONS", "RateBook", "Rates", "TokenBucket"]

KNOWN_CONNECTIONS = 20_000
"""Connections whose rates are remembered, so that a new socket is no fresh start; some 500 bytes each."""


class TokenBucket:
    """Allows `per_second` on average and as many at once after a quiet second.

    Args:
        per_second: How many tokens come back in a second.
        capacity: How many there are at most, and at the beginning.
        now: The present.
    """

    def __init__(self, per_second: float, capacity: float, now: MonotonicTime) -> None:
        self._per_second = per_second
        self._capacity = capacity
        self._tokens = capacity
        self._at = now

    def take(self, now: MonotonicTime) -> bool:
        """Take a token; False if there is none."""
        self._tokens = min(self._capacity, self._tokens + (now - self._at) * self._per_second)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


@dataclass(slots=True)
class Rates:
    """What one connection may still ask for.

    Attributes:
        signals: Signals.
        requests: Everything else.
        refusals: Refusals of either; when there are none left its socket closes.
    """

    signals: TokenBucket
    requests: TokenBucket
    refusals: TokenBucket


class RateBook:
    """The rates of connections, over all their sockets; those that were used longest ago are forgotten."""

    def __init__(self, *, signals_per_second: int, requests_per_second: int, burst: int, refusals: int) -> None:
        self._signals_per_second = signals_per_second
        self._requests_per_second = requests_per_second
        self._burst = burst
        self._refusals = refusals
        self._known: OrderedDict[ConnectionId, Rates] = OrderedDict()

    def of(self, connection_id: ConnectionId, now: MonotonicTime) -> Rates:
        """Return the rates of a connection."""
        rates = self._known.get(connection_id)
        if rates is None:
            rates = self._known[connection_id] = Rates(
                TokenBucket(self._signals_per_second, self._signals_per_second, now),
                TokenBucket(self._requests_per_second, self._burst, now),
                TokenBucket(self._refusals / 10, self._refusals, now),
            )
            if len(self._known) > KNOWN_CONNECTIONS:
                self._known.popitem(last=False)
        self._known.move_to_end(connection_id)
        return rates

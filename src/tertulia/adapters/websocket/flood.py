"""Limits on how fast a client may ask."""

from tertulia.clock import MonotonicTime

__all__ = ["TokenBucket"]


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

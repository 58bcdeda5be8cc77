"""The token bucket."""

from tertulia.adapters.websocket.flood import TokenBucket
from tertulia.clock import MonotonicTime


def at(seconds: float) -> MonotonicTime:
    return MonotonicTime(seconds)


def test_a_burst_is_allowed_up_to_the_capacity() -> None:
    bucket = TokenBucket(10, 5, at(0))
    assert [bucket.take(at(0)) for _ in range(6)] == [True] * 5 + [False]


def test_tokens_come_back_with_time_and_not_above_the_capacity() -> None:
    bucket = TokenBucket(10, 5, at(0))
    for _ in range(5):
        bucket.take(at(0))
    assert not bucket.take(at(0.05))
    assert bucket.take(at(0.1))
    assert [bucket.take(at(100)) for _ in range(6)] == [True] * 5 + [False]

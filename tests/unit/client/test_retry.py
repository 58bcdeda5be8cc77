"""The wait between tries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tertulia.client.retry import FIRST_DELAY_S, LONGEST_DELAY_S, retry_delay_s


def test_the_first_try_comes_at_once() -> None:
    assert retry_delay_s(0, jitter=0.7) == 0


def test_delays_double_up_to_the_longest() -> None:
    assert [retry_delay_s(tries, jitter=0) for tries in range(1, 8)] == [0.25, 0.5, 1, 2, 4, 5, 5]


@given(some.integers(1, 10_000), some.floats(0, 1, exclude_max=True))
def test_chance_cuts_off_at_most_a_half(tries: int, jitter: float) -> None:
    full = retry_delay_s(tries, jitter=0)
    assert FIRST_DELAY_S <= full <= LONGEST_DELAY_S
    assert full / 2 <= retry_delay_s(tries, jitter) <= full
    assert retry_delay_s(tries, jitter) == pytest.approx(full * (1 - jitter / 2))

"""Every target for a few seconds; `make fuzz` runs them longer."""

from __future__ import annotations

import time

import pytest

from tests.fuzz.fuzzing import BrokenTargetError, Target, fuzz
from tests.fuzz.targets import TARGETS

BUDGET_S = 5


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_whatever_comes_is_read_or_refused(target: Target) -> None:
    day = int(time.time() // 86_400)  # searches elsewhere each day, and a failure can be repeated
    assert fuzz(target, day, BUDGET_S) > 100


def test_a_failure_is_shortened_and_named_with_its_seed() -> None:
    def check(data: bytes) -> None:
        if b"\xff" in data:
            raise IndexError("broken")

    with pytest.raises(
        BrokenTargetError, match=r"fragile failed with seed 3 at input \d+: IndexError.*\n.*it is b'\\xff'"
    ):
        fuzz(Target("fragile", lambda: [b"a long and harmless input"], check), 3, 60)

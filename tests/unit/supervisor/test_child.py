"""When a child is started again, and what is kept of its last words."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tertulia.supervisor import child as child_module
from tertulia.supervisor.child import FIRST_DELAY_S, LONGEST_DELAY_S, STEADY_S, Child


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(child_module, "time", clock)
    return clock


def run(child: Child) -> None:
    """Lets the child's program run to its end."""
    child.start()
    assert child.pid is not None
    _, status = os.waitpid(child.pid, 0)
    child.ended(os.waitstatus_to_exitcode(status))


def delays(child: Child, clock: Clock, ends: int) -> list[float]:
    found = []
    for _ in range(ends):
        run(child)
        assert child.restart_at is not None
        found.append(round(child.restart_at - clock.now, 3))
    return found


def test_a_child_that_keeps_ending_is_started_later_and_later(tmp_path: Path, clock: Clock) -> None:
    child = Child("control", (sys.executable, "-c", ""), log_folder=tmp_path)

    assert delays(child, clock, 8) == [FIRST_DELAY_S, 0.2, 0.4, 0.8, 1.6, 3.2, LONGEST_DELAY_S, LONGEST_DELAY_S]


def test_a_child_that_lived_is_started_again_at_once(tmp_path: Path, clock: Clock) -> None:
    child = Child("control", (sys.executable, "-c", ""), log_folder=tmp_path)
    delays(child, clock, 5)

    child.start()
    assert child.pid is not None
    os.waitpid(child.pid, 0)
    clock.now += STEADY_S + 1
    child.ended(1)

    assert child.restart_at == clock.now + FIRST_DELAY_S


def test_the_last_words_are_those_of_this_run_and_no_log_record(tmp_path: Path, clock: Clock) -> None:
    child = Child("control", (sys.executable, "-c", "print('first'); print('{}')"), log_folder=tmp_path)
    run(child)
    assert child.last_words() == "first"

    again = Child("control", (sys.executable, "-c", "print('{}')"), log_folder=tmp_path)
    run(again)
    assert again.last_words() == ""


def test_a_large_log_is_turned_over(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_module, "LARGEST_LOG_BYTES", 10)
    (tmp_path / "control.log").write_text("older than that")
    run(Child("control", (sys.executable, "-c", "print('new')"), log_folder=tmp_path))

    assert (tmp_path / "control.log").read_text() == "new\n"
    assert (tmp_path / "control.log.1").read_text() == "older than that"


def test_signals_to_a_child_that_has_ended_go_nowhere(tmp_path: Path, clock: Clock) -> None:
    child = Child("control", (sys.executable, "-c", ""), log_folder=tmp_path)
    run(child)

    child.signal(9)

    assert child.pid is None

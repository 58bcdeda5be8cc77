"""What control does when its supervisor is killed."""

from __future__ import annotations

import fcntl
from pathlib import Path

from tertulia.supervisor.orphan import end_when_orphaned, is_held

DEADLINE_S = 5
GRACE_S = 60


class Life:
    """A process that waits; `watched` says for each wait whether a supervisor is there after it, the last for ever."""

    def __init__(self, watched: list[bool], stop_at_wait: int | None = None) -> None:
        self._watched = iter(watched)
        self._last = watched[-1]
        self._stop_at_wait = stop_at_wait
        self.waits: list[float] = []
        self.ended = False

    def supervised(self) -> bool:
        return next(self._watched, self._last)

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        return len(self.waits) == self._stop_at_wait

    def end(self) -> None:
        self.ended = True


def lived(life: Life) -> Life:
    thread = end_when_orphaned(supervised=life.supervised, wait=life.wait, end=life.end, grace_s=GRACE_S)
    thread.join(DEADLINE_S)
    assert not thread.is_alive()
    return life


def test_an_orphan_ends_after_its_grace() -> None:
    life = lived(Life([True, True, False]))

    assert life.ended
    assert sum(life.waits) == GRACE_S + 2


def test_a_child_goes_on_while_its_supervisor_lives() -> None:
    life = lived(Life([True], stop_at_wait=1000))

    assert not life.ended


def test_a_supervisor_that_takes_over_within_the_grace_starts_it_anew() -> None:
    life = lived(Life([*[False] * 59, True, False]))

    assert life.ended
    assert sum(life.waits) == 60 + GRACE_S


def test_a_process_that_stops_during_its_grace_is_not_ended_again() -> None:
    assert not lived(Life([False], stop_at_wait=30)).ended


def test_the_watch_is_a_daemon_so_that_it_holds_up_nobody() -> None:
    thread = end_when_orphaned(supervised=lambda: True, wait=lambda _: True, end=lambda: None)

    assert thread.daemon


def test_a_supervisor_is_known_by_its_lock(tmp_path: Path) -> None:
    lock = tmp_path / "supervisor.lock"
    assert not is_held(lock)

    with lock.open("w") as file:
        assert not is_held(lock)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert is_held(lock)

    assert not is_held(lock)

"""What control does when its supervisor is killed."""

from __future__ import annotations

from collections.abc import Callable

from tertulia.supervisor.orphan import end_when_orphaned

DEADLINE_S = 5


class Life:
    """A process whose parent changes after some looks, and which is told to stop during some wait."""

    def __init__(self, parents: list[int], stop_at_wait: int | None = None) -> None:
        self._parents = iter(parents)
        self._last = parents[-1]
        self._stop_at_wait = stop_at_wait
        self.waits: list[float] = []
        self.ended = False

    def parent(self) -> int:
        return next(self._parents, self._last)

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        return len(self.waits) == self._stop_at_wait

    def end(self) -> None:
        self.ended = True


def lived(life: Life) -> Life:
    thread = end_when_orphaned(parent=life.parent, wait=life.wait, end=life.end, grace_s=60)
    thread.join(DEADLINE_S)
    assert not thread.is_alive()
    return life


def test_an_orphan_ends_after_its_grace() -> None:
    life = lived(Life([7, 7, 7, 1]))

    assert life.ended
    assert life.waits[-1] == 60


def test_a_child_goes_on_while_its_parent_lives() -> None:
    life = lived(Life([7], stop_at_wait=100))

    assert not life.ended
    assert 60 not in life.waits


def test_a_process_that_stops_during_its_grace_is_not_ended_again() -> None:
    assert not lived(Life([7, 1], stop_at_wait=1)).ended


def test_the_watch_is_a_daemon_so_that_it_holds_up_nobody() -> None:
    check: Callable[[], int] = lambda: 7  # noqa: E731 - a name for the type
    thread = end_when_orphaned(parent=check, wait=lambda _: True, end=lambda: None)

    assert thread.daemon

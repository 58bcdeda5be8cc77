"""What a child does when its supervisor is killed: it goes on for a while, so that calls last, and then ends."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

GRACE_S = 60.0
_POLL_S = 1.0


def end_when_orphaned(
    *,
    parent: Callable[[], int] = os.getppid,
    wait: Callable[[float], bool] | None = None,
    end: Callable[[], None] = lambda: os.kill(os.getpid(), signal.SIGTERM),
    grace_s: float = GRACE_S,
) -> threading.Thread:
    """Watch the parent process in a thread, and end this process `grace_s` after the parent has gone.

    `wait(seconds)` waits and returns True when the watch is to stop; tests give their own of `parent`, `wait`, `end`.
    """
    pause = wait or threading.Event().wait

    def watch() -> None:
        first = parent()
        while parent() == first:
            if pause(_POLL_S):
                return
        if not pause(grace_s):
            end()

    thread = threading.Thread(target=watch, name="orphan-watch", daemon=True)
    thread.start()
    return thread

"""What a child does when its supervisor is killed: it goes on for a while, so that calls last, and then ends."""

from __future__ import annotations

import fcntl
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

GRACE_S = 60.0
_POLL_S = 1.0


def end_when_orphaned(
    *,
    supervised: Callable[[], bool],
    wait: Callable[[float], bool] | None = None,
    end: Callable[[], None] = lambda: os.kill(os.getpid(), signal.SIGTERM),
    grace_s: float = GRACE_S,
) -> threading.Thread:
    """Watch in a thread, and end this process when no supervisor has been there for `grace_s`.

    `supervised` says whether there is one, the first or another that took over. `wait(seconds)` waits and returns
    True when the watch is to stop; tests give their own of `supervised`, `wait`, `end`.
    """
    pause = wait or threading.Event().wait

    def watch() -> None:
        alone_s = 0.0
        while alone_s < grace_s:
            step_s = min(_POLL_S, grace_s - alone_s)
            if pause(step_s):
                return
            alone_s = 0.0 if supervised() else alone_s + step_s
        end()

    thread = threading.Thread(target=watch, name="orphan-watch", daemon=True)
    thread.start()
    return thread


def is_held(lock: Path) -> bool:
    """Whether another process has the exclusive lock on this file, as a supervisor has as long as it lives."""
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False

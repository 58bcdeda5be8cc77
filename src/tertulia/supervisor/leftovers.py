"""Children of a supervisor that was killed: remembered on disk, so that the next one can end them before it starts."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from tertulia.supervisor.errors import CannotStartError

STOP_DEADLINE_S = 5.0
_POLL_S = 0.02


def take_lock(folder: Path) -> IO[str]:
    """Hold the data folder for this process; the lock ends with it. Raises CannotStartError if another holds it."""
    lock = (folder / "supervisor.lock").open("a+", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise CannotStartError(
            f"A Tertulia server already runs on the data folder {folder.parent}; "
            "stop it, or choose another folder with --data."
        ) from error
    return lock


def remember(folder: Path, pids: Mapping[str, int]) -> None:
    """Write down which processes are ours."""
    known = {name: {"pid": pid, "started": _start_time(pid)} for name, pid in pids.items()}
    file = folder / "processes.json"
    draft = file.with_suffix(".new")
    draft.write_text(json.dumps(known), encoding="utf-8")
    draft.replace(file)


def forget(folder: Path) -> None:
    """Nothing of ours runs any more."""
    (folder / "processes.json").unlink(missing_ok=True)


def end_leftovers(folder: Path) -> None:
    """Stop the processes that a killed supervisor left behind, by force after a deadline."""
    file = folder / "processes.json"
    if not file.exists():
        return
    known = json.loads(file.read_text(encoding="utf-8"))
    left = [one["pid"] for one in known.values() if one["started"] and _start_time(one["pid"]) == one["started"]]
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in left:
            _kill(pid, number)
        deadline = time.monotonic() + STOP_DEADLINE_S
        while left and time.monotonic() < deadline:
            time.sleep(_POLL_S)
            left = [pid for pid in left if _start_time(pid)]
    forget(folder)


def _kill(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _start_time(pid: int) -> str:
    """When a living process started, in the kernel's ticks: tells it from a later one with its number; else empty."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return ""
    # Fields after the command name, which may hold spaces and brackets (proc(5)): 3 is the state, 22 the start time.
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] == "Z" else fields[19]

"""Processes on disk: which are ours, so that the next supervisor finds what a killed one left running."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tertulia.supervisor.errors import CannotStartError

STOP_DEADLINE_S = 5.0
# What does not answer will hardly heed a signal; clients wait for its successor.
HUNG_DEADLINE_S = 0.5
# Children look for a moment whether the lock is held; a supervisor that holds it does so for longer.
LOCK_PATIENCE_S = 0.5
_POLL_S = 0.02
_FILE = "processes.json"
LOCK = "supervisor.lock"


@dataclass(frozen=True, slots=True)
class Leftover:
    """A living process that a killed supervisor had started.

    Attributes:
        pid: Its number.
        handle: Its pidfd, which cannot come to mean another process (pidfd_open(2)).
        fingerprint: Of the plan that it was started by.
    """

    pid: int
    handle: int
    fingerprint: str

    def end(self, deadline_s: float = STOP_DEADLINE_S) -> None:
        """Stop it, by force after the deadline, and close the handle."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.handle, number)
            if select.select([self.handle], [], [], deadline_s)[0]:
                break
        os.close(self.handle)


def take_lock(folder: Path) -> IO[str]:
    """Hold the data folder for this process; the lock ends with it. Raises CannotStartError if another holds it."""
    lock = (folder / LOCK).open("a+", encoding="utf-8")
    deadline = time.monotonic() + LOCK_PATIENCE_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if time.monotonic() < deadline:
                time.sleep(_POLL_S)
                continue
            lock.close()
            raise CannotStartError(
                f"A Tertulia server already runs on the data folder {folder.parent}; "
                "stop it, or choose another folder with --data."
            ) from error
        return lock


def inherit_lock(number: int) -> IO[str]:
    """Hold the lock that this process took, as descriptor `number`, before it became another program."""
    os.set_inheritable(number, False)
    return open(number, "a+", encoding="utf-8")


def remember(folder: Path, name: str, pid: int, fingerprint: str) -> None:
    """Write down that this process is ours. A child does so itself before it becomes the program: none is missed."""
    known = _read(folder)
    starts = known.get(name, {}).get("starts", 0) + 1
    known[name] = {"pid": pid, "started": start_time(pid), "fingerprint": fingerprint, "starts": starts}
    file = folder / _FILE
    draft = file.with_suffix(".new")
    draft.write_text(json.dumps(known), encoding="utf-8")
    draft.replace(file)


def count_starts(folder: Path) -> dict[str, int]:
    """How often each process was started since the server was, over all supervisors."""
    return {name: one["starts"] for name, one in _read(folder).items()}


def forget(folder: Path) -> None:
    """Nothing of ours runs any more."""
    (folder / _FILE).unlink(missing_ok=True)


def find_leftovers(folder: Path) -> dict[str, Leftover]:
    """What still runs of what was remembered, by name. A later process with the number of an earlier one is not it."""
    found = {}
    for name, one in _read(folder).items():
        pid, started = one["pid"], one["started"]
        if not started or start_time(pid) != started:
            continue
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        # It may have ended, and its number have been given away, before there was a handle.
        if start_time(pid) == started:
            found[name] = Leftover(pid, handle, one.get("fingerprint", ""))
        else:
            os.close(handle)
    return found


def start_time(pid: int) -> str:
    """When a living process started, in the kernel's ticks: tells it from a later one with its number; else empty."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return ""
    # Fields after the command name, which may hold spaces and brackets (proc(5)): 3 is the state, 22 the start time.
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] == "Z" else fields[19]


def _read(folder: Path) -> dict[str, dict[str, Any]]:
    try:
        known = json.loads((folder / _FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}

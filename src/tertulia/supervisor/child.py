"""One child process of the supervisor: how it is started, when it is started again, what it said last."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tertulia.supervisor.leftovers import Leftover

FIRST_DELAY_S = 0.1
LONGEST_DELAY_S = 5.0
# A child that lived this long was healthy: its next end is a new story.
STEADY_S = 30.0
LARGEST_LOG_BYTES = 16 * 1024 * 1024


class Child:
    """A program that is kept running, in a session of its own so that it gets no signals meant for the supervisor.

    Its output goes to a file, or to where the supervisor's errors go: never into a pipe that another process holds.
    """

    def __init__(
        self,
        name: str,
        command: tuple[str, ...],
        *,
        log_folder: Path | None,
        pass_fds: tuple[int, ...] = (),
        remember: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Takes what to run; `remember` is called with the process's number, in it, before it becomes the program."""
        self.name = name
        self.pid: int | None = None
        self.handle: int | None = None
        self.exit_code: int | None = None
        self.restart_at: float | None = None
        self._command = command
        self._pass_fds = pass_fds
        self._remember = remember
        self._log = log_folder / f"{name}.log" if log_folder else None
        self._log_start = 0
        self._started_at = 0.0
        self._delay_s = FIRST_DELAY_S

    def start(self) -> None:
        """Start the program."""
        self.restart_at = None
        self.exit_code = None
        self._started_at = time.monotonic()
        if self._log is None:
            self.pid = self._spawn(2)
            return
        self._turn_over(self._log)
        with self._log.open("ab") as output:
            self._log_start = output.tell()
            self.pid = self._spawn(output.fileno())

    def adopt(self, leftover: Leftover) -> None:
        """Take over a process that a killed supervisor had started. Its end is told by its handle, not to a parent."""
        self.pid, self.handle = leftover.pid, leftover.handle
        self._started_at = time.monotonic()

    def look(self) -> None:
        """Take note of the end of an adopted process; with what status is not known."""
        if self.handle is not None and select.select([self.handle], [], [], 0)[0]:
            self.ended(None)

    def ended(self, exit_code: int | None) -> None:
        """Take note of the program's end and plan its next start, later each time it ends soon."""
        self.pid = None
        if self.handle is not None:
            os.close(self.handle)
            self.handle = None
        self.exit_code = exit_code
        now = time.monotonic()
        if now - self._started_at > STEADY_S:
            self._delay_s = FIRST_DELAY_S
        self.restart_at = now + self._delay_s
        self._delay_s = min(self._delay_s * 2, LONGEST_DELAY_S)

    def signal(self, number: int) -> None:
        """Send a signal to the program if it runs."""
        if self.handle is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.handle, number)
        elif self.pid is not None:
            os.kill(self.pid, number)

    def last_words(self) -> str:
        """The last line of plain text (not a log record) that this run of the program wrote."""
        if self._log is None:
            return ""
        with self._log.open("rb") as output:
            output.seek(self._log_start)
            lines = output.read(65_536).decode("utf-8", "replace").splitlines()
        plain = [line.strip() for line in lines if line.strip() and not line.startswith("{")]
        return plain[-1] if plain else ""

    def _spawn(self, output: int) -> int:
        process = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=self._pass_fds,
            # Safe, because the supervisor has no threads.
            preexec_fn=lambda: self._remember(os.getpid()),
        )
        # The supervisor reaps every process itself, as it must when it is process 1.
        process.returncode = 0
        return process.pid

    @staticmethod
    def _turn_over(log: Path) -> None:
        if log.exists() and log.stat().st_size > LARGEST_LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))

"""The supervisor itself: one loop that takes over or starts, reaps, restarts and drains router and control."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from tertulia.supervisor.child import Child
from tertulia.supervisor.errors import CannotStartError
from tertulia.supervisor.handover import router_answers, take_sockets
from tertulia.supervisor.leftovers import HUNG_DEADLINE_S, Leftover, find_leftovers, forget, remember, take_lock
from tertulia.supervisor.plan import Plan
from tertulia.supervisor.sockets import listen

READY_DEADLINE_S = 30.0
# Control keeps to its own deadline; this much later it is ended by force. The router has nothing to store.
_DRAIN_MARGIN_S = 2.0
_ROUTER_DRAIN_S = 6.0
_READY_POLL_S = 0.01
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# What the router means by its exit codes, for the case that it left no words of its own.
_ROUTER_EXITS = {
    2: "The router did not understand its command line; install router and package from one build.",
    3: "The router's UDP port is in use or not allowed; choose another with media.port.",
    4: "The router cannot make its socket in the data folder; make the folder writable or choose a shorter path.",
}


class Supervisor:
    """Keeps router and control running as siblings until it is told to stop.

    Before control was ready for the first time any end of a child is an error that ends everything; afterwards a child
    that ends is started again, the first time after 0.1 s and at most 5 s later. What a killed supervisor left running
    is taken over, so that calls go on; what does not answer, or runs by another plan, is ended and started anew.
    """

    def __init__(self, plan: Plan, lock: IO[str] | None = None) -> None:
        """Takes what to run, and the data folder's lock if this process holds it already."""
        self._plan = plan
        self._lock = lock
        self._listeners: list[socket.socket] = []
        self._children: list[Child] = []
        self._stopping = False
        self._was_announced = False
        # Whether an end of a child is one of many, or the reason why the server cannot start at all.
        self._runs = False

    def run(self) -> int:
        """Run until a stop signal; returns the exit status. Raises CannotStartError."""
        with contextlib.ExitStack() as held:
            held.enter_context(self._lock or take_lock(self._folder))
            wakeups = held.enter_context(_wake_up())
            adopted = self._find_adoptable()
            if not self._listeners:
                self._listeners = listen(self._plan.http_addresses, self._plan.http_port)
            for listener in self._listeners:
                held.enter_context(listener)
            self._make_children()
            try:
                self._begin(adopted)
                self._serve(wakeups)
            finally:
                self._drain(wakeups)
        return 0

    @property
    def _folder(self) -> Path:
        return Path(self._plan.run_folder)

    def _find_adoptable(self) -> dict[str, Leftover]:
        """What a killed supervisor left and we go on with; control's sockets come with it. The rest is ended."""
        adopted = {}
        for name, leftover in find_leftovers(self._folder).items():
            if leftover.fingerprint != self._plan.fingerprint:
                leftover.end()
            elif self._answers(name, leftover.pid):
                adopted[name] = leftover
            else:
                leftover.end(HUNG_DEADLINE_S)
        return adopted

    def _answers(self, name: str, pid: int) -> bool:
        if name == "router":
            return router_answers(Path(self._plan.router_link), pid)
        self._listeners = take_sockets(self._folder, pid)
        return bool(self._listeners)

    def _make_children(self) -> None:
        log_folder = Path(self._plan.log_folder) if self._plan.log_folder else None
        sockets = tuple(listener.fileno() for listener in self._listeners)
        numbers = tuple(option for number in sockets for option in ("--http-socket", str(number)))
        router = (*self._plan.router, "--supervisor-pid", str(os.getpid()))

        def child(name: str, command: tuple[str, ...], pass_fds: tuple[int, ...] = ()) -> Child:
            note = functools.partial(remember, self._folder, name, fingerprint=self._plan.fingerprint)
            return Child(name, command, log_folder=log_folder, pass_fds=pass_fds, remember=note)

        self._router = child("router", router)
        self._control = child("control", (*self._plan.control_command, *numbers), sockets)
        self._children = [self._router, self._control]

    def _begin(self, adopted: dict[str, Leftover]) -> None:
        self._runs = bool(adopted)
        if "control" not in adopted:
            self._plan.ready_file.unlink(missing_ok=True)
        for child in self._children:
            if child.name in adopted:
                child.adopt(adopted[child.name])
            else:
                child.start()

    def _serve(self, wakeups: socket.socket) -> None:
        deadline = time.monotonic() + READY_DEADLINE_S
        while not self._stopping:
            self._wait(wakeups, self._next_wait_s())
            now = time.monotonic()
            if not self._was_announced:
                self._look_for_readiness(too_late=now > deadline)
            for child in self._children:
                if child.restart_at is not None and child.restart_at <= now and not self._stopping:
                    child.start()

    def _next_wait_s(self) -> float | None:
        if not self._was_announced:
            return _READY_POLL_S
        due = [child.restart_at for child in self._children if child.restart_at is not None]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _look_for_readiness(self, *, too_late: bool) -> None:
        for child in self._children:
            if child.exit_code is not None and not self._stopping and not self._runs:
                raise CannotStartError(self._why(child, child.exit_code))
        if self._plan.ready_file.exists():
            self._was_announced = self._runs = True
            self._announce(json.loads(self._plan.ready_file.read_text(encoding="utf-8")))
        elif too_late and not self._runs:
            log = f"; its log is {self._plan.log_folder}/control.log" if self._plan.log_folder else ""
            raise CannotStartError(f"Control was not ready within {READY_DEADLINE_S:.0f} seconds{log}.")

    def _why(self, child: Child, exit_code: int) -> str:
        words = child.last_words()
        if child is self._router:
            words = words or _ROUTER_EXITS.get(exit_code, "")
        where = f"; its log is {self._plan.log_folder}/{child.name}.log" if self._plan.log_folder else ""
        return words or f"{child.name.capitalize()} ended at once with status {exit_code}{where}."

    def _announce(self, ready: dict[str, Any]) -> None:
        pids = {"supervisor": os.getpid(), **{child.name: child.pid for child in self._children}}
        lines = {
            "json": json.dumps({**ready["facts"], "pids": pids}),
            "text": ready["text"],
        }
        line = lines.get(self._plan.announce)
        if line is not None:
            # Whoever read the announcement may be gone; the server serves all the same.
            with contextlib.suppress(BrokenPipeError):
                sys.stdout.write(line + "\n")
                sys.stdout.flush()

    def _wait(self, wakeups: socket.socket, timeout_s: float | None) -> None:
        """Wait for a signal or the timeout, then take note of stop signals and of children that ended."""
        handles = [child.handle for child in self._children if child.handle is not None]
        readable, _, _ = select.select([wakeups.fileno(), *handles], [], [], timeout_s)
        if wakeups.fileno() in readable:
            self._heed(wakeups.recv(4096))
        for child in self._children:
            child.look()
        self._reap()

    def _heed(self, numbers: bytes) -> None:
        stops = [number for number in numbers if number in _STOP_SIGNALS]
        if self._plan.reloads and signal.SIGHUP in stops:
            # Before it is ready it has no handler yet, and reads the files anyway.
            if self._was_announced:
                self._control.signal(signal.SIGHUP)
            stops = [number for number in stops if number != signal.SIGHUP]
        self._stopping = self._stopping or bool(stops)

    def _reap(self) -> None:
        """Collect every child that ended: ours, and orphans that process 1 of a container inherits."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for child in self._children:
                if child.pid == pid:
                    child.ended(os.waitstatus_to_exitcode(status))

    def _drain(self, wakeups: socket.socket) -> None:
        """Stop control, which says goodbye to clients while media still runs, then the router; by force if need be."""
        self._stopping = True
        for child, drain_s in ((self._control, self._plan.drain_s + _DRAIN_MARGIN_S), (self._router, _ROUTER_DRAIN_S)):
            for number in (signal.SIGTERM, signal.SIGKILL):
                child.signal(number)
                deadline = time.monotonic() + drain_s
                while child.pid is not None and time.monotonic() < deadline:
                    self._wait(wakeups, deadline - time.monotonic())
        forget(self._folder)


@contextlib.contextmanager
def _wake_up() -> Iterator[socket.socket]:
    """A socket on which the number of every signal arrives as a byte, so that one `select` waits for everything."""
    receiving, sending = socket.socketpair()
    with receiving, sending:
        receiving.setblocking(False)
        sending.setblocking(False)
        before = {number: signal.signal(number, _ignore) for number in (*_STOP_SIGNALS, signal.SIGCHLD)}
        previous = signal.set_wakeup_fd(sending.fileno(), warn_on_full_buffer=False)
        try:
            yield receiving
        finally:
            signal.set_wakeup_fd(previous)
            for number, handler in before.items():
                signal.signal(number, handler)


def _ignore(_number: int, _frame: object) -> None:
    """The byte in the wake-up socket is all that is wanted."""

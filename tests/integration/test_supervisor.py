"""The supervisor with two small programs in place of router and control."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tertulia.supervisor.handover import router_answers
from tertulia.supervisor.leftovers import find_leftovers, remember
from tertulia.supervisor.plan import Plan

DEADLINE_S = 10

# Answers on its link as the router does, with a refusal.
ROUTER = """
import os, signal, socket, sys
signal.signal(signal.SIGTERM, lambda *_: (open(sys.argv[1], "a").write("router\\n"), os._exit(0)))
link = socket.socket(socket.AF_UNIX)
if os.path.exists(sys.argv[2]): os.unlink(sys.argv[2])
link.bind(sys.argv[2])
link.listen()
while True:
    peer, _ = link.accept()
    if peer.recv(100) == b"\\0\\0\\0\\x0f\\x82\\xa4type\\xa4list\\xa2id\\x01": peer.sendall(b"refused")
    peer.close()
"""
# Says that it is ready, then tells its number to whatever connects to its socket, and hands its sockets over.
CONTROL = """
import asyncio, json, os, pathlib, signal, socket, sys
from tertulia.supervisor.handover import offer
from tertulia.supervisor.orphan import end_when_orphaned, is_held
stops, grace, _, ready, *sockets = sys.argv[1:]
run = pathlib.Path(ready).parent
signal.signal(signal.SIGTERM, lambda *_: (open(stops, "a").write("control\\n"), os._exit(0)))
end_when_orphaned(supervised=lambda: is_held(run / "supervisor.lock"), grace_s=float(grace))
listener = socket.socket(fileno=int(sockets[1]))
async def main():
    kept = offer(asyncio.get_running_loop(), run, [listener])
    draft = pathlib.Path(ready + ".new")
    draft.write_text(json.dumps({"facts": {"port": listener.getsockname()[1]}, "text": "ready"}))
    draft.rename(ready)
    async def tell(_, writer):
        writer.write(str(os.getpid()).encode())
        await writer.drain()
        writer.close()
    async with await asyncio.start_server(tell, sock=listener) as server:
        await server.serve_forever()
asyncio.run(main())
"""
# Becomes a supervisor that inherits the orphans of its descendants: PR_SET_CHILD_SUBREAPER of prctl(2) is 36.
AS_PROCESS_ONE = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
os.execv(sys.executable, [sys.executable, "-m", "tertulia.supervisor", sys.argv[1]])
"""


class Supervised:
    """A supervisor process with its two children."""

    def __init__(self, folder: Path, launcher: tuple[str, ...] = ("-m", "tertulia.supervisor"), **changes: Any) -> None:
        self.folder = folder
        self.stops = folder / "stops"
        run = folder / "run"
        run.mkdir(exist_ok=True)
        values: dict[str, Any] = {
            "run_folder": str(run),
            "log_folder": str(folder),
            "http_addresses": ("127.0.0.1",),
            "http_port": 0,
            "router": (sys.executable, "-c", ROUTER, str(self.stops), str(run / "router.sock")),
            "control": (sys.executable, "-c", CONTROL, str(self.stops), "60"),
            "announce": "json",
            "fingerprint": "one",
            "router_link": str(run / "router.sock"),
        }
        plan = run / "plan.json"
        Plan(**{**values, **changes}).write(plan)
        command = [sys.executable, *launcher, str(plan)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def announcement(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate()[1]
        facts: dict[str, Any] = json.loads(line)
        return facts

    def pids(self) -> dict[str, int]:
        file = self.folder / "run" / "processes.json"
        known = json.loads(file.read_text()) if file.exists() else {}
        return {name: one["pid"] for name, one in known.items()}

    def kill(self) -> None:
        """Ends the supervisor alone, as nothing can prevent."""
        self.process.kill()
        self.process.wait(DEADLINE_S)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE_S)


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Callable[..., Supervised]]:
    started: list[Supervised] = []

    def supervise(**changes: Any) -> Supervised:
        started.append(Supervised(tmp_path, **changes))
        return started[-1]

    yield supervise
    for one in started:
        with one.process:
            one.process.terminate()
    for leftover in find_leftovers(tmp_path / "run").values():
        leftover.end()


def eventually(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {DEADLINE_S} s: {what}"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def kill_and_wait(pid: int) -> None:
    """Ends a process at once; until it is gone it could still take a connection with it."""
    process = os.pidfd_open(pid)
    try:
        os.kill(pid, signal.SIGKILL)
        ended, _, _ = select.select([process], [], [], DEADLINE_S)
    finally:
        os.close(process)
    assert ended, f"process {pid} is still there"


def ask(port: int) -> int:
    """Connects like a client; returns the number of the control that answers."""
    with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as client:
        return int(client.recv(100))


def test_what_control_says_is_announced_with_the_process_ids(supervise: Callable[..., Supervised]) -> None:
    supervised = supervise()
    facts = supervised.announcement()

    assert facts["pids"] == {"supervisor": supervised.process.pid, **supervised.pids()}
    assert ask(facts["port"]) == facts["pids"]["control"]


def test_each_child_has_a_session_of_its_own(supervise: Callable[..., Supervised]) -> None:
    pids = supervise().announcement()["pids"]

    assert {os.getsid(pids["router"]), os.getsid(pids["control"])} == {pids["router"], pids["control"]}


def test_a_killed_control_is_back_within_a_second_and_clients_wait_for_it(supervise: Callable[..., Supervised]) -> None:
    supervised = supervise()
    facts = supervised.announcement()
    before = facts["pids"]

    killed_at = time.monotonic()
    kill_and_wait(before["control"])
    # The kernel takes the connection while nobody serves it.
    after = ask(facts["port"])

    assert time.monotonic() - killed_at < 1
    assert after != before["control"]
    assert is_alive(before["router"])


def test_a_killed_router_is_started_again_and_control_stays(supervise: Callable[..., Supervised]) -> None:
    supervised = supervise()
    before = supervised.announcement()["pids"]

    os.kill(before["router"], signal.SIGKILL)

    eventually(lambda: supervised.pids().get("router") not in (None, before["router"]), "a new router")
    assert is_alive(before["control"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_stop_signal_drains_control_first_and_leaves_nothing(
    supervise: Callable[..., Supervised], number: signal.Signals
) -> None:
    supervised = supervise()
    pids = supervised.announcement()["pids"]
    # Control does not wait for this router, which may still be on its way to what it does with signals.
    assert router_answers(supervised.folder / "run" / "router.sock", pids["router"])

    supervised.process.send_signal(number)

    assert supervised.process.wait(DEADLINE_S) == 0
    assert supervised.stops.read_text().split() == ["control", "router"]
    assert not any(is_alive(pid) for pid in pids.values())


def test_a_taken_port_is_one_sentence(supervise: Callable[..., Supervised]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        supervised = supervise(http_port=port)
        _, errors = supervised.process.communicate(timeout=DEADLINE_S)

    assert supervised.process.returncode == 1
    assert errors == (
        f"tertulia: TCP port {port} is already in use; stop the program that has it, or choose another with --port.\n"
    )


def test_an_address_of_another_machine_is_one_sentence(supervise: Callable[..., Supervised]) -> None:
    supervised = supervise(http_addresses=("192.0.2.1",))
    _, errors = supervised.process.communicate(timeout=DEADLINE_S)

    assert supervised.process.returncode == 1
    assert "192.0.2.1" in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize("name", ["router", "control"])
def test_a_child_that_cannot_start_has_the_last_word(supervise: Callable[..., Supervised], name: str) -> None:
    program = "import sys; print('{\"level\":\"error\"}'); print('The moon is in the way; move it.'); sys.exit(7)"
    supervised = supervise(**{name: (sys.executable, "-c", program)})
    _, errors = supervised.process.communicate(timeout=DEADLINE_S)

    assert supervised.process.returncode == 1
    assert errors == "tertulia: The moon is in the way; move it.\n"
    assert not (supervised.folder / "run" / "processes.json").exists()


def test_a_mute_router_is_explained_by_its_exit_status(supervise: Callable[..., Supervised]) -> None:
    supervised = supervise(router=(sys.executable, "-c", "raise SystemExit(3)"))
    _, errors = supervised.process.communicate(timeout=DEADLINE_S)

    assert "UDP port" in errors


def test_one_data_folder_has_one_server(supervise: Callable[..., Supervised]) -> None:
    first = supervise()
    first.announcement()
    second = supervise()
    _, errors = second.process.communicate(timeout=DEADLINE_S)

    assert second.process.returncode == 1
    assert "already runs" in errors
    assert is_alive(first.process.pid)


def test_a_new_supervisor_takes_over_what_a_killed_one_left(supervise: Callable[..., Supervised]) -> None:
    killed = supervise()
    facts = killed.announcement()
    left = facts["pids"]
    killed.kill()
    assert ask(facts["port"]) == left["control"], "it serves without a supervisor"

    again = supervise()
    after = again.announcement()

    assert after["port"] == facts["port"]
    assert after["pids"] == {**left, "supervisor": again.process.pid}
    assert ask(facts["port"]) == left["control"]
    assert not again.stops.exists(), "nobody was told to stop"


def test_children_that_were_taken_over_are_restarted_and_drained_as_any(supervise: Callable[..., Supervised]) -> None:
    killed = supervise()
    facts = killed.announcement()
    killed.kill()
    again = supervise()
    again.announcement()

    kill_and_wait(facts["pids"]["control"])
    assert ask(facts["port"]) != facts["pids"]["control"], "the sockets came with control"
    os.kill(facts["pids"]["router"], signal.SIGKILL)
    eventually(lambda: again.pids()["router"] != facts["pids"]["router"], "a new router")
    last = again.pids()
    assert router_answers(again.folder / "run" / "router.sock", last["router"])

    assert again.stop() == 0
    assert again.stops.read_text().split() == ["control", "router"]
    assert not any(is_alive(pid) for pid in last.values())


def test_supervisors_are_killed_one_after_the_other_and_the_children_stay(supervise: Callable[..., Supervised]) -> None:
    first = supervise()
    left = first.announcement()["pids"]
    first.kill()
    for _ in range(3):
        again = supervise()
        again.announcement()
        again.kill()

    assert supervise().announcement()["pids"]["control"] == left["control"]
    assert is_alive(left["router"])


def test_a_control_that_died_with_its_supervisor_is_started_and_the_router_is_kept(
    supervise: Callable[..., Supervised],
) -> None:
    killed = supervise()
    facts = killed.announcement()
    killed.kill()
    kill_and_wait(facts["pids"]["control"])

    after = supervise(http_port=facts["port"]).announcement()["pids"]

    assert after["router"] == facts["pids"]["router"]
    assert ask(facts["port"]) == after["control"] != facts["pids"]["control"]


def test_a_supervisor_killed_before_control_was_ready_is_followed_by_one_that_waits(
    supervise: Callable[..., Supervised], tmp_path: Path
) -> None:
    slow = "import os, time\nwhile not os.path.exists(sys.argv[0]): time.sleep(0.01)\n"
    gate = tmp_path / "go on"
    control = (sys.executable, "-c", f"import sys\nsys.argv[0] = {str(gate)!r}\n{slow}{CONTROL}")
    killed = supervise(control=(*control, str(tmp_path / "stops"), "60"))
    eventually(lambda: killed.pids().keys() == {"router", "control"}, "both are started")
    left = killed.pids()
    killed.kill()

    again = supervise()
    gate.touch()

    assert again.announcement()["pids"]["control"] == left["control"]


def test_children_of_another_plan_are_ended_and_started_anew(supervise: Callable[..., Supervised]) -> None:
    killed = supervise()
    facts = killed.announcement()
    left = facts["pids"]
    killed.kill()

    # The old port is still taken when the new supervisor starts; it frees it by ending what was left.
    after = supervise(http_port=facts["port"], fingerprint="another").announcement()["pids"]

    assert not is_alive(left["control"])
    assert not is_alive(left["router"])
    assert ask(facts["port"]) == after["control"]


@pytest.mark.parametrize("name", ["router", "control"])
def test_a_child_that_does_not_answer_is_started_anew(supervise: Callable[..., Supervised], name: str) -> None:
    killed = supervise()
    facts = killed.announcement()
    left = facts["pids"]
    killed.kill()
    os.kill(left[name], signal.SIGSTOP)

    after = supervise(http_port=facts["port"]).announcement()["pids"]

    other = "control" if name == "router" else "router"
    assert after[other] == left[other]
    assert after[name] != left[name]
    assert not is_alive(left[name])


def test_without_a_new_supervisor_control_ends_by_itself(supervise: Callable[..., Supervised], tmp_path: Path) -> None:
    killed = supervise(control=(sys.executable, "-c", CONTROL, str(tmp_path / "stops"), "1.5"))
    left = killed.announcement()["pids"]
    killed.kill()

    eventually(lambda: not is_alive(left["control"]), "control ends")
    assert killed.stops.read_text().split() == ["control"], "it was asked, not killed"
    assert is_alive(left["router"]), "the router has a minute of its own"


def test_a_process_that_only_inherited_the_number_is_left_alone(tmp_path: Path, supervise: Any) -> None:
    bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with bystander:
        (tmp_path / "run").mkdir()
        remember(tmp_path / "run", "control", bystander.pid, "one")
        file = tmp_path / "run" / "processes.json"
        known = json.loads(file.read_text())
        known["control"]["started"] = "1"
        file.write_text(json.dumps(known))

        supervise().announcement()

        assert bystander.poll() is None
        bystander.kill()


def test_orphans_are_reaped_as_by_process_one(tmp_path: Path, supervise: Callable[..., Supervised]) -> None:
    # Control leaves a grandchild whose parent ends at once; the supervisor inherits it, as process 1 would.
    leave_an_orphan = "import subprocess, sys; subprocess.run(['sh', '-c', 'sleep 0 & echo $! > ' + sys.argv[1]])\n"
    orphan = tmp_path / "orphan"
    moved = "sys.argv[1:] = sys.argv[2:]\n"
    control = (sys.executable, "-c", leave_an_orphan + moved + CONTROL, str(orphan), str(tmp_path / "stops"), "60")
    supervised = supervise(launcher=("-c", AS_PROCESS_ONE), control=control)
    supervised.announcement()

    number = int(orphan.read_text())

    eventually(lambda: not Path(f"/proc/{number}").exists(), "the orphan is reaped")
    assert supervised.stop() == 0

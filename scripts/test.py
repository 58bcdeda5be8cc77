"""Runs every linter and every test of every language, whatever fails, and ends with `N passed, N failed`.

.venv/bin/python scripts/test.py [lint | python | rust | web | integration | e2e …]
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

# The programs that the tests run are made of what `cargo test` is made of anyway. Those that are shipped take about as
# long to compile as everything else together: ROUTER_PROFILE=release tests them.
os.environ.setdefault("ROUTER_PROFILE", "dev")
# What the next compilation could take over costs this one a third more, and half a gigabyte (80 s of processor time
# instead of 60 for the crates and their tests).
os.environ.setdefault("CARGO_INCREMENTAL", "0")

import build

ROOT = Path(__file__).resolve().parent.parent
WEB = ROOT / "web"
BIN = ROOT / ".venv" / "bin"
# Twice what the longest part takes on two quiet processors.
PART_DEADLINE_S = 28 * 60
# Tests of real browsers and processes in real time may stumble over a machine that stands still. So few that failed are
# run once more, by themselves; what fails twice has failed, and what passed at the second time is named.
MOST_TRIED_AGAIN = 5
# What the tests need, by the program that shows whether it is there.
SYSTEM_PACKAGES = {
    "chromium": "chromium",
    "firefox-esr": "firefox-esr",
    "fc-list": "fontconfig fonts-dejavu-core",
    "ip": "iproute2",
    "nft": "nftables",
    "nginx": "nginx-light",
    "pg_ctlcluster": "postgresql",
    "javac": "default-jdk-headless",
    "mvn": "maven",
}
NEEDS_PACKAGES = {"python", "integration", "e2e"}

_say_lock = threading.Lock()


@dataclass(frozen=True)
class Outcome:
    passed: int
    failed: int
    stumbled: tuple[str, ...] = ()


@dataclass(frozen=True)
class Part:
    """Something to run: `count` reads from the exit status and the output how many tests passed and failed.

    `again` is added to the command to run what failed once more; without it nothing is tried twice. What is `patient`
    takes only the time that the rest leaves.
    """

    name: str
    group: str
    command: list[str]
    count: Callable[[int, str, Path], tuple[int, int]]
    folder: Path = ROOT
    again: tuple[str, ...] = ()
    patient: bool = False


def count_one(status: int, _output: str, _report: Path) -> tuple[int, int]:
    """A linter is one test."""
    return (1, 0) if status == 0 else (0, 1)


def count_junit(_status: int, _output: str, report: Path) -> tuple[int, int]:
    passed = failed = 0
    for suite in ElementTree.parse(report).getroot().iter("testsuite"):
        tests, skipped = int(suite.get("tests", 0)), int(suite.get("skipped", 0))
        bad = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        passed, failed = passed + tests - bad - skipped, failed + bad
    return passed, failed


def count_cargo(_status: int, output: str, _report: Path) -> tuple[int, int]:
    results = re.findall(r"^test result: .*? (\d+) passed; (\d+) failed;", output, re.MULTILINE)
    return sum(int(passed) for passed, _ in results), sum(int(failed) for _, failed in results)


def count_vitest(_status: int, _output: str, report: Path) -> tuple[int, int]:
    results = json.loads(report.read_text(encoding="utf-8"))
    # A file that cannot even be loaded holds no test that failed.
    broken = sum(1 for file in results["testResults"] if file["status"] == "failed" and not file["assertionResults"])
    return results["numPassedTests"], results["numFailedTests"] + broken


def lint(name: str, *command: str, folder: Path = ROOT) -> Part:
    return Part(name, "lint", list(command), count_one, folder)


def cargo(name: str, group: str, command: str, count: Callable[[int, str, Path], tuple[int, int]]) -> Part:
    return Part(name, group, ["cargo", *command.split()], count, patient=True)


def pytest(name: str, group: str, *arguments: str) -> Part:
    command = [str(BIN / "pytest"), "--quiet", "--color=no", "--junitxml={report}", *arguments]
    return Part(name, group, command, count_junit)


def in_real_time(name: str, group: str, *arguments: str) -> Part:
    # A memory of its own for what failed: two such parts run beside each other.
    memory = ("-o", "cache_dir=.pytest_cache/" + re.sub(r"\W+", "-", name))
    return replace(pytest(name, group, *memory, *arguments), again=("--last-failed", "--last-failed-no-failures=none"))


RUST = [
    lint("cargo fmt", "cargo", "fmt", "--all", "--check"),
    cargo("cargo clippy", "lint", "clippy --locked --workspace --all-targets --quiet -- -D warnings", count_one),
    cargo("cargo test", "rust", "test --locked --workspace --no-fail-fast -- --skip real_time::", count_cargo),
    # What has real sockets fails if it gets only the time that browsers leave.
    replace(
        cargo("cargo test, in real time", "rust", "test --locked --workspace --no-fail-fast real_time::", count_cargo),
        patient=False,
    ),
]
REST = [
    lint("ruff check", str(BIN / "ruff"), "check", "--quiet"),
    lint("ruff format", str(BIN / "ruff"), "format", "--check", "--quiet"),
    lint("mypy", str(BIN / "mypy")),
    lint("import-linter", str(BIN / "lint-imports")),
    lint("mypy examples", str(BIN / "mypy"), "--strict", "examples"),
    lint("basedpyright examples", str(BIN / "basedpyright"), "--level", "error", "examples"),
    lint("tsc", "npm", "run", "--silent", "typecheck", folder=WEB),
    lint("eslint", "npm", "run", "--silent", "lint", folder=WEB),
    pytest("pytest unit", "python", "tests/unit", "-k", "not postgresql"),
    pytest("pytest unit, PostgreSQL", "python", "tests/unit", "-k", "postgresql"),
    pytest("pytest property", "python", "tests/property", "tests/contract"),
    pytest("pytest fuzz", "python", "tests/fuzz"),
    Part(
        "vitest",
        "web",
        ["npx", "vitest", "run", "--reporter=default", "--reporter=json", "--outputFile={report}"],
        count_vitest,
        WEB,
    ),
]
# Tests with browsers that have servers of their own: they may run apart from the rest, and make the two lanes even.
APART = [f"tests/e2e/test_{name}.py" for name in ("cuts", "v1_mixed")]
# Browsers, processes and networks, mostly waiting for each other: two lanes.
REAL_TIME = [
    [
        in_real_time("pytest integration", "integration", "tests/integration", "tests/docs"),
        in_real_time("pytest e2e, apart", "e2e", *APART),
    ],
    [in_real_time("pytest e2e", "e2e", "tests/e2e", *(f"--ignore={file}" for file in APART))],
]


def run(part: Part) -> Outcome:
    began = time.monotonic()
    passed, failed, output = attempt(part, part.command)
    stumbled: tuple[str, ...] = ()
    if part.again and 0 < failed <= MOST_TRIED_AGAIN:
        first = output
        say("\n".join(f"    {line}" for line in first.rstrip().splitlines()))
        recovered, failed, output = attempt(part, [*part.command, *part.again])
        passed += recovered
        if not failed:
            # A test that left something behind is named for its failure and again for its end.
            stumbled = tuple(dict.fromkeys(re.findall(r"^(?:FAILED|ERROR) (\S+)", first, re.MULTILINE)))
    say(f"{part.name:<24} {passed:>5} passed {failed:>4} failed {time.monotonic() - began:>7.1f} s")
    if failed:
        say("\n".join(f"    {line}" for line in output.rstrip().splitlines()))
    return Outcome(passed, failed, stumbled)


def attempt(part: Part, command: list[str]) -> tuple[int, int, str]:
    """Runs a part's command; returns how many tests passed and failed, and what it printed."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report"
        command = [argument.replace("{report}", str(report)) for argument in command]
        command = [one for one in command if exists(one)]
        status, output = execute(part.folder, command, Path(folder) / "output", patient=part.patient)
        try:
            passed, failed = part.count(status, output, report)
        except (OSError, ValueError, KeyError, ElementTree.ParseError) as error:
            passed, failed, output = 0, 1, f"{output}\n{part.name} left no report: {error}"
    return passed, 1 if status != 0 and failed == 0 else failed, output


def exists(argument: str) -> bool:
    """A folder of tests that nobody has made yet holds no tests."""
    return not argument.startswith("tests/") or (ROOT / argument).exists()


def execute(folder: Path, command: list[str], output: Path, *, patient: bool) -> tuple[int, str]:
    """Runs a program in a process group of its own, none of which survives it; returns exit status and output."""
    environment = {
        **os.environ,
        "NO_COLOR": "1",
        "CARGO_TERM_COLOR": "never",
        "TERTULIA_PROGRAMS_FOLDER": str(build.PROGRAMS_FOLDER),
    }
    environment.pop("FORCE_COLOR", None)
    with output.open("wb") as sink:
        try:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )
        except OSError as error:
            return 1, f"{command[0]} cannot be run: {error}"
        if patient:
            stand_back(process.pid)
        try:
            status, remark = process.wait(PART_DEADLINE_S), ""
        except subprocess.TimeoutExpired:
            status, remark = 1, f"\nended after {PART_DEADLINE_S} seconds"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return status, output.read_text(encoding="utf-8", errors="replace") + remark


def stand_back(pid: int) -> None:
    """Lets a process, the first of a session, and what it starts run when nobody else wants the processors."""
    with contextlib.suppress(ProcessLookupError):
        os.setpriority(os.PRIO_PGRP, pid, 19)
    # Where Linux shares time among sessions first (sched(7), autogroups), the session is what must be nice.
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text("19")


def run_lane(parts: list[Part], needs: list[Future[Outcome]]) -> list[Outcome]:
    """Runs parts one after the other as soon as what they need is there; without it none of them is run."""
    if not parts or any(need.result().failed for need in needs):
        return []
    return [run(part) for part in parts]


def provide_system_packages() -> str | None:
    """Installs what the tests need if that is possible, else says what is missing and how to get it."""
    missing = [packages for program, packages in SYSTEM_PACKAGES.items() if shutil.which(program) is None]
    if not missing:
        return None
    names = " ".join(missing)
    if os.geteuid() == 0 and shutil.which("apt-get"):
        say(f"installing {names} …")
        for arguments in (["update"], ["install", "--yes", "--no-install-recommends", *names.split()]):
            environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            done = subprocess.run(["apt-get", "--quiet", *arguments], env=environment, capture_output=True, text=True)
            if done.returncode:
                return f"The tests need {names}, and apt-get failed: {done.stderr.strip().splitlines()[-1:]}."
        return None
    return f"The tests need {names}; install them with `sudo apt-get install {names}`."


def say(text: str) -> None:
    with _say_lock:
        print(text, flush=True)


def prepare(name: str) -> Outcome:
    """Builds one of the parts of `build.py`, or provides the system's packages."""
    began = time.monotonic()
    complaint = provide_system_packages() if name == "packages" else build.build([name]).get(name)
    say(f"{name + ' built':<43} {time.monotonic() - began:>14.1f} s")
    if complaint:
        say(complaint)
    return Outcome(0, 1 if complaint else 0)


def run_lanes(groups: list[str]) -> list[Outcome]:
    """Three lanes for two processors: the compiler, linters and tests of single parts, and then tests of the whole.

    Tests of the whole wait for the programs, so the compiler makes those first; afterwards it is patient.
    """

    def chosen(parts: list[Part]) -> list[Part]:
        return [part for part in parts if not groups or part.group in groups]

    with ThreadPoolExecutor(8) as pool:
        needs = [pool.submit(prepare, "python"), pool.submit(prepare, "web")]
        whole_lanes = [chosen(lane) for lane in REAL_TIME]
        if any(part.group in NEEDS_PACKAGES for part in [*chosen(REST), *chain(*whole_lanes)]):
            needs.append(pool.submit(prepare, "packages"))
        programs = [pool.submit(prepare, "router")] if any(whole_lanes) else []
        compiler = pool.submit(run_lane, chosen(RUST), programs)
        rest = run_lane(chosen(REST), needs)
        whole = [pool.submit(run_lane, lane, [*needs, *programs]) for lane in whole_lanes]
        lanes = [rest, compiler.result(), *(lane.result() for lane in whole)]
    return [*(made.result() for made in [*needs, *programs]), *(outcome for lane in lanes for outcome in lane)]


def main(groups: list[str]) -> int:
    began = time.monotonic()
    outcomes = run_lanes(groups)
    say(f"{'everything':<24} {time.monotonic() - began:>33.1f} s")
    for name in (name for outcome in outcomes for name in outcome.stumbled):
        say(f"passed at the second time only: {name}")
    failed = sum(outcome.failed for outcome in outcomes)
    say(f"{sum(outcome.passed for outcome in outcomes)} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

"""Scenarios of the router: what a packet costs and how late it is; and how others measure a run.

The router is pinned to one core and everything else to another. The busy time of the router's core is what the kernel
did not count as idle, interrupts included, so a packet's whole way from the sender's socket call to the receiver's
queue is in it. The ceiling is a program that only seals and sends, in the same run.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import sojourns
from bench.figures import Bar, Figure
from tests.servers import TertuliaServer

ROOT = Path(__file__).resolve().parent.parent
LOAD = ROOT / "target" / "release" / "tertulia-load"
CEILING = ROOT / "target" / "release" / "examples" / "ceiling"
ROUTER_CORE, OTHER_CORE = 0, 1
TICKS_PER_S = os.sysconf("SC_CLK_TCK")

TIMES = 3
SECONDS = 5
RECEIVERS = 100
VIDEO_BYTES, AUDIO_BYTES = 1_150, 100
# The shortest frames, so that the core is as busy as with video: with few packets each wakes whoever waits for it.
AUDIO_PUBLISHERS, AUDIO_FRAME_MS = 10, 5
# What the ceiling sends to one receiver at once: of video a part of a frame, of audio what there is of one speaker.
VIDEO_RUN, AUDIO_RUN = 4, 1
# Nine packets per frame at 30 frames per second.
FIRST_BITRATE = 9 * 30 * VIDEO_BYTES * 8
# The core has some air, so that queues do not decide; one client program reads no more packets per second than this.
BUSY_SHARE, HALF, MOST_PACKETS = 0.7, 0.5, 100_000
RAMP = 50


@dataclass(frozen=True)
class Run:
    """One run of the load generator, and what the router's core did meanwhile."""

    packets: int
    busy_s: float
    router_s: float
    waited_s: float
    router_bytes: int
    result: dict[str, Any]
    took_s: float
    sojourns_ms: dict[str, float]

    @property
    def per_busy_second(self) -> float:
        """Packets forwarded in one busy second of the core."""
        return self.packets / self.busy_s

    @property
    def busy_share(self) -> float:
        """Of the time of the run, 0 to 1."""
        return self.busy_s / self.took_s

    @property
    def waited_share(self) -> float:
        """Of the time of the run, 0 to 1: the router had something to do and other programs had its core."""
        return self.waited_s / self.took_s

    @property
    def cpu_us(self) -> float:
        """Microseconds of the router's own processor time for one packet."""
        return self.router_s * 1e6 / self.packets


@contextmanager
def one_shard(folder: Path) -> Iterator[TertuliaServer]:
    """A server whose router was started on one core: it makes a shard for each core that it may use."""
    everywhere = os.sched_getaffinity(0)
    if not {ROUTER_CORE, OTHER_CORE} <= everywhere:
        raise RuntimeError("two cores are needed: one for the router, one for everything else")
    os.sched_setaffinity(0, {ROUTER_CORE})
    try:
        server = TertuliaServer(folder).__enter__()
    finally:
        os.sched_setaffinity(0, everywhere)
    try:
        for pid in server.facts["pids"].values():
            pin(pid, everywhere)
        yield server
    finally:
        server.__exit__(None, None, None)


def build_example(name: str) -> None:
    # With the programs, so that cargo chooses the same features of what they share, and builds none of it again.
    packages = ("-p", "tertulia-router", "-p", "tertulia-load")
    command = ["cargo", "build", "--release", "--locked", "--quiet", *packages, "--bins", "--example", name]
    subprocess.run(command, cwd=ROOT, check=True)


def packets_bitrate(per_s: float) -> int:
    """Bit/s of a video with so many packets per second, whole packets in every frame."""
    return max(1, round(per_s / 30)) * 30 * VIDEO_BYTES * 8


def video(server: TertuliaServer) -> tuple[list[Figure], float]:
    """One publisher to a hundred; the figures, and packets per busy second."""
    group = {"publishers": 1, "subscribers": RECEIVERS}

    def at(bitrate: int) -> Run:
        return measure(server, group, "--audio-bytes", "0", "--bitrate", str(bitrate))

    def bitrate_for(share: float, capacity: float) -> int:
        return packets_bitrate(min(share * capacity, MOST_PACKETS) / RECEIVERS)

    capacity = at(FIRST_BITRATE).per_busy_second
    runs = [at(bitrate_for(BUSY_SHARE, capacity)) for _ in range(TIMES)]
    best = max(runs, key=lambda run: run.per_busy_second)
    half = at(bitrate_for(HALF, best.per_busy_second))
    name = f"video, {VIDEO_BYTES}-byte packets, 1 publisher to {RECEIVERS}"
    why = "router-media-plane.md"
    bars = (Bar("router", at_least=260_000, why=why), Bar("% of the ceiling", at_least=35, why=why))
    return [*throughput(name, best, VIDEO_BYTES, VIDEO_RUN, bars), latency(name, half, "video")], best.per_busy_second


def audio(server: TertuliaServer) -> list[Figure]:
    """Ten publishers to a hundred; the latency with the usual frames of 20 ms and as many publishers as that takes."""
    group = {"publishers": AUDIO_PUBLISHERS, "subscribers": RECEIVERS}
    options = ("--bitrate", "0", "--audio-bytes", str(AUDIO_BYTES))
    runs = [measure(server, group, *options, "--audio-frame", str(AUDIO_FRAME_MS)) for _ in range(TIMES)]
    best = max(runs, key=lambda run: run.per_busy_second)
    # Each publisher is 50 packets a second for everybody.
    publishers = min(20, max(1, round(HALF * best.per_busy_second / RECEIVERS / 50)))
    half = measure(server, {**group, "publishers": publishers}, *options)
    name = f"audio, {AUDIO_BYTES}-byte packets every {AUDIO_FRAME_MS} ms, {AUDIO_PUBLISHERS} publishers to {RECEIVERS}"
    usual = f"audio, {AUDIO_BYTES}-byte packets every 20 ms, {publishers} publishers to {RECEIVERS}"
    why = "router-batching.md"
    bars = (Bar("router", at_least=300_000, why=why), Bar("% of the ceiling", at_least=75, why=why))
    return [*throughput(name, best, AUDIO_BYTES, AUDIO_RUN, bars), latency(usual, half, "audio")]


def throughput(name: str, run: Run, packet_bytes: int, run_packets: int, bars: tuple[Bar, ...]) -> list[Figure]:
    most = ceiling(packet_bytes, run_packets)
    rates = {"router": run.per_busy_second, "ceiling": most, "% of the ceiling": 100 * run.per_busy_second / most}
    cost = {"router's CPU": run.cpu_us, "core busy": 1e6 / run.per_busy_second, "ceiling": 1e6 / most}
    return [
        Figure(f"{name}: packets per busy second of one core, best of {TIMES}", "packets/s", rates, bars),
        Figure(f"{name}: time of one packet", "µs", cost),
    ]


def latency(name: str, run: Run, kind: str) -> Figure:
    """From the publisher's socket call to the kernel's receipt at the subscriber; the share says what the core did."""
    spread = run.result[kind]["latency_ms"]
    delivery = run.result["delivery"]
    values = {"p50": spread["p50"], "p99": spread["p99"], "% busy": 100 * run.busy_share}
    return Figure(f"{name}: latency at half load, {delivery['lost']} of {delivery['expected']} lost", "ms", values)


def ceiling(packet_bytes: int, run_packets: int) -> float:
    """Packets per busy second of a core that only seals and sends, so many to each receiver at once, best of three."""
    words = (RECEIVERS, packet_bytes, 3, ROUTER_CORE, OTHER_CORE, run_packets)
    command = [str(CEILING), *map(str, words)]
    rates: list[float] = []
    for _ in range(TIMES):
        before = busy_s()
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        rates.append(json.loads(done.stdout)["packets_sent"] / (busy_s() - before))
    return max(rates)


def measure(
    server: TertuliaServer,
    group: dict[str, int],
    *options: str,
    sessions: int = 1,
    seconds: float = SECONDS,
    may_fail: bool = False,
) -> Run:
    """Runs the load generator; what happens between its `ready` and its `stopped` counts.

    Raises RuntimeError if clients failed, unless they `may_fail` because that is what is measured.
    """
    plan = {"sessions": [{"token": server.token(server.create_session()), **group} for _ in range(sessions)]}
    command = [str(LOAD), "--url", server.url, "--json", "--duration", str(seconds)]
    command += ["--packet-bytes", str(VIDEO_BYTES), *([] if "--ramp" in options else ["--ramp", str(RAMP)]), *options]
    router = server.facts["pids"]["router"]
    samples: dict[str, tuple[float, ...]] = {}
    readings = {}
    memory_bytes = 0
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(plan))
        process.stdin.close()
        line: dict[str, Any] = {}
        for text in process.stdout:
            line = json.loads(text)
            if line["type"] in ("ready", "stopped"):
                spent = (busy_s(), cpu_s(router), waited_s(router), time.monotonic())
                samples[line["type"]] = (line["packets_received"], *spent)
                memory_bytes = resident_bytes(router)
                # What was told before all had joined is of the time in which they did.
                read = sojourns.read_anew if line["type"] == "ready" else sojourns.read
                readings[line["type"]] = read(server.url)
    # Those who are slow to leave were there while it was measured.
    failures = [failure for failure in line.get("failures", []) if "goodbye" not in failure["message"]]
    may_fail = may_fail or ("stopped" in samples and not failures)
    if (process.returncode and not may_fail) or line.get("type") != "result":
        raise RuntimeError(f"the load generator failed: {line.get('failures')}")
    packets, busy, cpu, waited, took = (
        after - before for before, after in zip(samples["ready"], samples["stopped"], strict=True)
    )
    sojourns_ms = sojourns.spread_ms(readings["ready"], readings["stopped"])
    return Run(int(packets), busy, cpu, waited, memory_bytes, line, took, sojourns_ms)


@contextmanager
def pinned(server: TertuliaServer) -> Iterator[None]:
    """The router on its core and everything else of this run on the other."""
    everywhere = os.sched_getaffinity(0)
    pids = server.facts["pids"]
    try:
        pin(pids["router"], {ROUTER_CORE})
        for pid in (pids["control"], pids["supervisor"], os.getpid()):
            pin(pid, {OTHER_CORE})
        yield
    finally:
        for pid in (*pids.values(), os.getpid()):
            pin(pid, everywhere)


def pin(pid: int, cores: set[int]) -> None:
    """Every thread of a process."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), cores)


def busy_s() -> float:
    """Seconds for which the router's core had something to do, from some moment on.

    Not idle, rather than the sum of the other states: idle time is measured, the others are sampled.
    """
    lines = Path("/proc/stat").read_text().splitlines()
    fields = next(line.split()[1:] for line in lines if line.startswith(f"cpu{ROUTER_CORE} "))
    idle, waiting, stolen = (int(fields[place]) for place in (3, 4, 7))
    return time.monotonic() - (idle + waiting + stolen) / TICKS_PER_S


def cpu_s(pid: int) -> float:
    """Processor time of a process: user and system (proc_pid_stat(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def waited_s(pid: int) -> float:
    """How long threads of a process could have run and did not, together (proc_pid_schedstat, second field)."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[1]) for thread in threads) / 1e9


def resident_bytes(pid: int) -> int:
    """Memory of a process that is in use."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")

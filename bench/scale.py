"""How the router's figures change with what it serves: subscribers, shards, participants, sessions."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from bench.figures import Bar, Figure
from bench.router import FIRST_BITRATE, MOST_PACKETS, TIMES, Run, measure, packets_bitrate
from tests.servers import TertuliaServer

FEW, MANY = 10, 500
# Of video of 0.6 and 1.3 Mbit/s to many: what each subscriber costs by itself weighs less in more packets.
OUT_PER_S = (36_000, 72_000)
SHARED_SESSIONS, SHARED_RECEIVERS = 6, 15
LATENCY_SESSION, LATENCY_MOST = 10, 25
LATENCY_TIMES = 3
PARTICIPANTS, FEW_SESSIONS, MANY_SESSIONS = 11, 5, 15


def growth(server: TertuliaServer, out_per_s: int) -> Figure:
    """The same number of packets sent, to few and to many."""

    def to(subscribers: int) -> Run:
        bitrate = packets_bitrate(out_per_s / subscribers)
        options = ("--audio-bytes", "0", "--bitrate", str(bitrate), "--no-limits")
        return measure(server, {"publishers": 1, "subscribers": subscribers}, *options)

    few, many = to(FEW), to(MANY)
    values = {
        f"to {FEW}": few.cpu_us,
        f"to {MANY}": many.cpu_us,
        "growth": many.cpu_us / few.cpu_us,
    }
    what = f"router's CPU for one video packet of {out_per_s:,} per second, 1 publisher to {FEW} and to {MANY}"
    return Figure(what, "µs", values, (Bar("growth", at_most=1.5, why="router-batching.md"),))


def shards(folder: Path) -> Figure:
    """The same sessions on one shard and on two, which share both cores with the clients.

    By turns and the best of each: what one run says varies by a fifth with where the clients happen to run.
    """

    def cost(count: int) -> float:
        settings = {"TERTULIA_MEDIA_SHARDS": str(count)}
        group = {"publishers": 1, "subscribers": SHARED_RECEIVERS}
        options = ("--audio-bytes", "0", "--bitrate", str(FIRST_BITRATE))
        with TemporaryDirectory(dir=folder) as inner, TertuliaServer(Path(inner), settings=settings) as server:
            return measure(server, group, *options, sessions=SHARED_SESSIONS).cpu_us

    runs = [(cost(1), cost(2)) for _ in range(TIMES)]
    one, two = (min(costs) for costs in zip(*runs, strict=True))
    values = {"one shard": one, "two shards": two, "ratio": two / one}
    sessions = f"{SHARED_SESSIONS} sessions of 1 to {SHARED_RECEIVERS}"
    what = f"router's CPU for one video packet, {sessions}, best of {TIMES}"
    return Figure(what, "µs", values, (Bar("ratio", at_most=1.1, why="router-shards.md"),))


def latency(server: TertuliaServer, capacity: float) -> Figure:
    """Sessions of one to ten, nine packets a frame, up to 70 % of the core or what the clients can read.

    From the kernel's receipt to the return of the router's `sendmmsg`, of one packet in 100, as the router itself
    measures it; and from the publisher's stamp to the kernel's receipt at the subscriber's socket, in which are the
    publisher's own sealing, sending and sleep. The best of three, with how long the router's threads waited for the
    core meanwhile: one pause of 0.1 s in a run of 5 s is 2 % of all packets, and so the p99. And with how late the
    clients' program sent: what it sends late comes together, and waits for each other in the router.
    """
    of_session = 9 * 30 * LATENCY_SESSION
    sessions = min(round(min(0.7 * capacity, MOST_PACKETS) / of_session), LATENCY_MOST)
    group = {"publishers": 1, "subscribers": LATENCY_SESSION}
    options = ("--audio-bytes", "0", "--bitrate", str(FIRST_BITRATE))
    runs = [measure(server, group, *options, sessions=sessions) for _ in range(LATENCY_TIMES)]
    run = min(runs, key=lambda run: run.sojourns_ms["p99"])
    whole = run.result["video"]["latency_ms"]
    outside = {"from client to client p50": whole["p50"], "p99 of that": whole["p99"]}
    core = {"% busy": 100 * run.busy_share, "% waiting for the core": 100 * run.waited_share}
    late = {"sent late p99": run.result["generator"]["sending_late_ms"]["p99"]}
    values = {**run.sojourns_ms, **core, **outside, **late}
    why = "0008-load-generator.md"
    what = f"time in the router of video, {sessions} sessions of 1 to {LATENCY_SESSION}, best of {LATENCY_TIMES}"
    return Figure(what, "ms", values, (Bar("p50", at_most=0.3, why=why), Bar("p99", at_most=2.0, why=why)))


def memory(server: TertuliaServer) -> Figure:
    """The slope, so that what the router has anyway does not count."""
    points = []
    for sessions in (FEW_SESSIONS, MANY_SESSIONS):
        options = ("--frame-rate", "5", "--bitrate", "100000", "--ramp", "20", "--no-limits")
        run = measure(server, {"participants": PARTICIPANTS}, *options, sessions=sessions, seconds=3)
        points.append((PARTICIPANTS * sessions, run.router_bytes))
    (few, small), (many, large) = points
    values = {"per participant": (large - small) / (many - few) / 1024}
    what = f"router's memory, {few} to {many} participants that publish sound and picture and get 10 streams each"
    return Figure(what, "KiB", values, (Bar("per participant", at_most=1.5 * 1024),))

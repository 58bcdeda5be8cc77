"""How many clients a server lets in, and how soon each has its first packet."""

from __future__ import annotations

from typing import Any

from bench.figures import Bar, Figure
from bench.router import cpu_s, measure
from tests.servers import TertuliaServer

PER_SECOND, FOR_S, STAY_S, SESSION = 50, 60, 10, 4
BURST, BURST_S = 500, 10


def join_figures(server: TertuliaServer) -> list[Figure]:
    """About two minutes."""
    return [storm(server), burst(server)]


def storm(server: TertuliaServer) -> Figure:
    """Short visits: sessions of four, of whom one publishes."""
    options = ("--ramp", str(PER_SECOND), "--stay", str(STAY_S), "--bitrate", "300000", "--no-limits")
    sessions = PER_SECOND * FOR_S // SESSION
    group = {"publishers": 1, "subscribers": SESSION - 1}
    spent = {name: cpu_s(pid) for name, pid in server.facts["pids"].items()}
    result = measure(server, group, *options, sessions=sessions, may_fail=True).result
    arriving = result["arriving_ms"]

    def per_join(name: str) -> float:
        """All of a client's visit: its joining, what it sends and gets, its leaving; and making its session."""
        return 1_000 * (cpu_s(server.facts["pids"][name]) - spent[name]) / max(1, result["clients"]["joined"])

    values = {
        "first packet p50": arriving["p50"],
        "first packet p95": arriving["p95"],
        "joined p95": result["joining_ms"]["p95"],
        "failed": float(not_in(result)),
        "silent": float(result["subscriptions"]["silent"]),
        "router's CPU per client": per_join("router"),
        "control's CPU per client": per_join("control"),
    }
    what = f"{PER_SECOND} joins per second for {FOR_S} s into sessions of {SESSION}, each for {STAY_S} s"
    return Figure(
        what,
        "ms from opening the socket; ms of a core",
        values,
        (Bar("first packet p95", at_most=1_500.0, why="joins.md"), Bar("failed", at_most=0.0)),
    )


def burst(server: TertuliaServer) -> Figure:
    """Everybody into one session, where somebody speaks."""
    options = ("--ramp", str(BURST / BURST_S), "--bitrate", "0", "--no-limits")
    result = measure(server, {"publishers": 1, "subscribers": BURST - 1}, *options, seconds=1, may_fail=True).result
    values = {
        "joined p50": result["joining_ms"]["p50"],
        "joined last": result["joining_ms"]["max"],
        "first packet p95": result["arriving_ms"]["p95"],
        "failed": float(not_in(result)),
    }
    what = f"{BURST} joins within {BURST_S} s into one session with one audio publisher"
    return Figure(
        what, "ms from opening the socket", values, (Bar("joined last", at_most=5_000.0), Bar("failed", at_most=0.0))
    )


def not_in(result: dict[str, Any]) -> int:
    """Clients that did not get in or did not get their stream; how they leave again is not asked."""
    clients, subscriptions = result["clients"], result["subscriptions"]
    return int(clients["planned"] - clients["joined"] + subscriptions["silent"] + subscriptions["refused"])

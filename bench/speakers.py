"""Many open microphones in one session: what they cost router and control, and how soon clients are in."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.figures import Bar, Figure
from bench.router import LOAD, cpu_s, resident_bytes
from tests.servers import TertuliaServer

PUBLISHERS, SUBSCRIBERS, STREAMS = 500, 20, 45
RAMP, SECONDS = 25, 15


def speaker_figures() -> Iterator[Figure]:
    """About 45 s. Subscribers take as many streams as a client can, and of these the loudest three."""
    with tempfile.TemporaryDirectory() as folder, TertuliaServer(Path(folder)) as server:
        token = server.token(server.create_session())
        group = {"publishers": PUBLISHERS, "subscribers": SUBSCRIBERS}
        command = [str(LOAD), "--url", server.url, "--json", "--duration", str(SECONDS), "--ramp", str(RAMP)]
        command += ["--bitrate", "0", "--streams", str(STREAMS), "--loudest"]
        costs: list[tuple[float, float, float]] = []
        packets: list[int] = []
        line: dict[str, Any] = {}
        joining = _cost(server)
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps({"sessions": [{"token": token, **group}]}))
            process.stdin.close()
            for text in process.stdout:
                line = json.loads(text)
                if line["type"] in ("ready", "stopped"):
                    costs.append(_cost(server))
                    packets.append(line["packets_received"])
        if len(costs) != 2 or line["type"] != "result":
            raise RuntimeError(f"the load generator failed: {line.get('failures')}")
        ready, stopped = costs
        clients, times = line["clients"], line["joining_ms"]
        what = f"{PUBLISHERS} audio publishers and {SUBSCRIBERS} subscribers to {STREAMS} each in one session"
        yield Figure(
            f"{what}: {RAMP} joins per second",
            "ms from opening the socket",
            {
                "joined p50": times["p50"],
                "joined p95": times["p95"],
                "joined last": times["max"],
                "failed": float(clients["planned"] - clients["joined"]),
            },
            (Bar("failed", at_most=0.0),),
        )
        yield Figure(f"{what}: while they join", "% of a core", _shares(joining, ready))
        yield Figure(f"{what}: while they speak", "% of a core", _shares(ready, stopped))
        took_s = stopped[0] - ready[0]
        yield Figure(
            f"{what}: packets",
            "per second",
            {"to the router": PUBLISHERS * 50.0, "to a subscriber": (packets[1] - packets[0]) / took_s / SUBSCRIBERS},
        )
        memory = {name: resident_bytes(server.pids()[name]) / 2**20 for name in ("router", "control")}
        yield Figure(f"{what}: memory afterwards", "MiB", memory)


def _cost(server: TertuliaServer) -> tuple[float, float, float]:
    """The time, and what router and control have taken so far, in seconds."""
    pids = server.pids()
    return time.monotonic(), cpu_s(pids["router"]), cpu_s(pids["control"])


def _shares(before: tuple[float, float, float], after: tuple[float, float, float]) -> dict[str, float]:
    took_s, router_s, control_s = (late - early for early, late in zip(before, after, strict=True))
    return {"router": 100 * router_s / took_s, "control": 100 * control_s / took_s}

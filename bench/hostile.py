"""What well-behaved clients notice of hostile ones in their session.

Real processes on loopback: the router on one core, as one shard that serves everybody; on the other control, the
well-behaved clients and, at the lowest priority, the hostile ones. Hostile clients are let in with a token and have
real ICE, DTLS and SRTP; half of the well-behaved share their session. Each kind attacks alone, then all together.
Packets are counted by the stamps that well-behaved publishers wrote into them, from before the attack to its end.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from bench.figures import Bar, Figure
from bench.router import LOAD, ROOT, build_example, busy_s, cpu_s, one_shard, pinned
from tests.servers import TertuliaServer

HOSTILE = ROOT / "target" / "release" / "examples" / "hostile"

SESSIONS, PARTICIPANTS = 2, 5
CLIENTS, CLIENTS_OF_ALL = 3, 2
SECONDS = 5
# The program ends by itself if nobody ends it.
LONGEST_S = 60
LOWEST_PRIORITY = 19

ATTACKS = {
    "media": "send ten times as much as a browser",
    "silence": "acknowledge and report nothing",
    "key-frames": "ask for key frames, 5,000 datagrams a second each",
    "nacks": "ask for everything again, 5,000 datagrams a second each",
    "sources": "use another SSRC in each of 5,000 packets a second",
    "lies": "lie in feedback, 5,000 datagrams a second each",
    "handshakes": "begin five transports a second each and finish no handshake",
}


@dataclass(frozen=True)
class Attacked:
    """One run: what the router did during the attack, and what the others got of each other."""

    busy_share: float
    cpu_share: float
    others: dict[str, Any]
    attack: dict[str, Any]

    @property
    def values(self) -> dict[str, float]:
        """A row of the scoreboard."""
        audio, video = (self.others[kind]["latency_ms"] for kind in ("audio", "video"))
        return {
            "% lost": self.others["delivery"]["lost_percent"],
            "router's CPU %": 100 * self.cpu_share,
            "core busy %": 100 * self.busy_share,
            "audio p50": audio["p50"],
            "audio p99": audio["p99"],
            "video p99": video["p99"],
            "longest gap": self.others["delivery"]["longest_gap_ms"],
            "datagrams/s": self.attack["sent"] / SECONDS,
            "unread by clients": self.others["generator"]["dropped_unread"],
        }


def hostile_figures() -> Iterator[Figure]:
    """Each kind of hostile client alone, all together, and as many that are well behaved; about two minutes."""
    build_example("hostile")
    others = f"{SESSIONS} sessions of {PARTICIPANTS}"
    runs = {f"beside {CLIENTS} more that behave": ("none", CLIENTS)}
    runs |= {f"while {CLIENTS} in one session {what}": (name, CLIENTS) for name, what in ATTACKS.items()}
    runs[f"while {CLIENTS_OF_ALL} of each kind attack together"] = (",".join(ATTACKS), CLIENTS_OF_ALL)
    for what, (attacks, clients) in runs.items():
        # A server for each, so that none pays for what was before.
        with tempfile.TemporaryDirectory() as folder, one_shard(Path(folder)) as server, pinned(server):
            run = attacked(server, attacks, clients)
        bars = (Bar("% lost", at_most=0.1),)
        yield Figure(f"{others}, {what}", "%, ms and 1/s", run.values, bars)


def attacked(server: TertuliaServer, attacks: str, clients: int) -> Attacked:
    """Runs well-behaved clients, and `clients` of each of `attacks` in one of their sessions."""
    tokens = [server.token(server.create_session()) for _ in range(SESSIONS)]
    plan = {"sessions": [{"token": token, "participants": PARTICIPANTS} for token in tokens]}
    load = [str(LOAD), "--url", server.url, "--json", "--duration", str(LONGEST_S), "--ramp", "20"]
    load += ["--bitrate", "500000", "--packet-bytes", "1150"]
    attack = [str(HOSTILE), server.url, attacks, str(clients), str(SECONDS)]
    router = server.facts["pids"]["router"]
    with subprocess.Popen(load, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as well_behaved:
        try:
            _say(well_behaved, json.dumps(plan))
            _line(well_behaved.stdout, "ready")
            with subprocess.Popen(
                attack,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                preexec_fn=lambda: os.nice(LOWEST_PRIORITY) and None,
            ) as hostile:
                try:
                    _say(hostile, tokens[0])
                    _line(hostile.stdout, "ready")
                    before = busy_s(), cpu_s(router)
                    outcome = _line(hostile.stdout, "result")
                    busy, cpu = (after - first for first, after in zip(before, (busy_s(), cpu_s(router)), strict=True))
                finally:
                    hostile.kill()
        finally:
            well_behaved.send_signal(signal.SIGINT)
        others = _line(well_behaved.stdout, "result")
    failures = [failure for failure in others["failures"] if "goodbye" not in failure["message"]]
    if failures:
        raise RuntimeError(f"well-behaved clients failed: {failures}")
    return Attacked(busy / SECONDS, cpu / SECONDS, others, outcome)


def _say(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdin is not None
    process.stdin.write(text + "\n")
    process.stdin.close()


def _line(lines: IO[str] | None, kind: str) -> dict[str, Any]:
    """The next line of that kind. Raises RuntimeError if the program ends without it."""
    assert lines is not None
    for text in lines:
        line: dict[str, Any] = json.loads(text)
        if line["type"] == kind:
            return line
    raise RuntimeError(f"a program ended before it was {kind}")

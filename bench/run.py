"""`make bench`: runs every scenario against a server of its own and writes the scoreboard."""

from __future__ import annotations

import asyncio
import datetime
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import uvloop

from bench.browser import in_chromium
from bench.figures import Figure, machine
from bench.hostile import hostile_figures
from bench.joins import join_figures
from bench.layers import layer_figures
from bench.loss import PERCENTS, loss_figures
from bench.media import python_media
from bench.peers import peer_figures
from bench.rest import rest_figures
from bench.router import audio, build_example, one_shard, pinned, video
from bench.scale import OUT_PER_S, growth, latency, memory, shards
from bench.signalling import raise_open_files, signal_fan_out, time_to_connect
from bench.sockets import fan_out, idle_connections, leaving
from bench.speakers import speaker_figures
from tests.servers import TertuliaServer

SCOREBOARD = Path(__file__).parent / "README.md"


async def _signalling(server: TertuliaServer) -> list[Figure]:
    return [await time_to_connect(server), await signal_fan_out(server)]


SCENARIOS: dict[str, Callable[[TertuliaServer], Iterable[Figure]]] = {
    "rest": lambda server: asyncio.run(rest_figures(server)),
    "signalling": lambda server: asyncio.run(_signalling(server)),
    "python": lambda server: asyncio.run(python_media(server)),
    "chromium": in_chromium,
}
"""Those that share one server."""


def _router() -> Iterator[Figure]:
    build_example("ceiling")
    with tempfile.TemporaryDirectory() as folder, one_shard(Path(folder)) as server, pinned(server):
        of_video, capacity = video(server)
        yield from of_video
        yield from audio(server)
        yield latency(server, capacity)
        yield from (growth(server, out_per_s) for out_per_s in OUT_PER_S)


def _sockets() -> list[Figure]:
    # Not beside others: thousands of seats end a minute later, in the midst of what is measured next.
    async def measure(server: TertuliaServer) -> list[Figure]:
        return [await fan_out(server), await leaving(server), await idle_connections(server)]

    with tempfile.TemporaryDirectory() as folder, TertuliaServer(Path(folder)) as server:
        return uvloop.run(measure(server))


def _joins() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder, TertuliaServer(Path(folder)) as server:
        return join_figures(server)


def _scale() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        yield shards(Path(folder))
    with tempfile.TemporaryDirectory() as folder, TertuliaServer(Path(folder)) as server:
        yield memory(server)


ALONE: dict[str, Callable[[], Iterable[Figure]]] = {
    "router": _router,
    "peers": peer_figures,
    "scale": _scale,
    "joins": _joins,
    "sockets": _sockets,
    "loss": loss_figures,
    "hostile": hostile_figures,
    "layers": layer_figures,
    "speakers": speaker_figures,
}
"""Those that have servers of their own."""

PARTS: dict[str, Callable[[], Iterable[Figure]]] = {
    **{f"loss-{percent}": partial(loss_figures, (percent,), with_holes=False) for percent in PERCENTS},
    "loss-holes": partial(loss_figures, ()),
}
"""Parts of those, for who looks at one of them."""


def main() -> None:
    """Measures and prints; what is named on the command line, or all of it, which is also written to the scoreboard."""
    wanted = sys.argv[1:] or (*SCENARIOS, *ALONE)
    names = (*SCENARIOS, *ALONE, *PARTS)
    if unknown := sorted(set(wanted) - set(names)):
        sys.exit(f"There is no {unknown[0]!r}; there are {', '.join(names)}.")
    raise_open_files()
    load = os.getloadavg()[0]
    figures: list[Figure] = []
    missing: list[str] = []

    def collect(name: str, measured: Callable[[], Iterable[Figure]]) -> None:
        """Keeps what a scenario measured before it failed, if it did, and tells both as they come."""
        try:
            for figure in measured():
                print(figure.row(), file=sys.stderr, flush=True)
                figures.append(figure)
        except (RuntimeError, OSError, AssertionError, ValueError, KeyError) as error:
            traceback.print_exc()
            missing.append(f"{name}: {error or type(error).__name__}")

    with tempfile.TemporaryDirectory() as folder, TertuliaServer(Path(folder)) as server:
        for name, measure in SCENARIOS.items():
            if name in wanted:
                collect(name, partial(measure, server))
    for name, measure_alone in (ALONE | PARTS).items():
        if name in wanted:
            collect(name, measure_alone)
    text = scoreboard(figures, datetime.datetime.now(datetime.UTC).date(), load, missing)
    if not sys.argv[1:]:
        SCOREBOARD.write_text(text)
    sys.stdout.write(text)
    if missing:
        sys.exit(1)


def scoreboard(figures: list[Figure], day: datetime.date, load: float, missing: Sequence[str] = ()) -> str:
    """The page that is committed. `load` is the load average before the run: on a busy machine figures mean little.

    `missing` names the scenarios that failed, and why.
    """
    return "\n".join(
        [
            "# Scoreboard",
            "",
            f"Measured by `make bench` on {day}, everything on one machine over loopback, clients included:",
            "",
            *(f"- {line}" for line in machine()),
            f"- load average {load:.1f} before the run",
            "",
            "Rows about hostile clients: they have real ICE, DTLS and SRTP and the lowest priority; the router",
            "has one core and one shard, everything else the other core; loss and latency are those of what",
            "well-behaved clients send each other, half of them in the attacked session, from before the attack",
            "to its end (`bench/hostile.py`).",
            "",
            "| what | result | unit | bar |",
            "|---|---|---|---|",
            *(figure.row() for figure in figures),
            "",
            *(line for failed in missing for line in (f"Not measured to its end: {failed}", "")),
            "These are a starting point. Compare ratios of one run, not numbers of two machines: the bars in packets",
            "per second were set where the ceilings are 742,000 with video and 370,000 with audio.",
            "",
        ]
    )


if __name__ == "__main__":
    main()

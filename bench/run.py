"""`make bench`: runs every scenario against a server of its own and writes the scoreboard."""

from __future__ import annotations

import asyncio
import datetime
import sys
import tempfile
from pathlib import Path

from bench.browser import in_chromium
from bench.figures import Figure, machine
from bench.signalling import raise_open_files, signal_fan_out, time_to_connect
from tests.servers import TertuliaServer

SCOREBOARD = Path(__file__).parent / "README.md"


async def _signalling(server: TertuliaServer) -> list[Figure]:
    return [await time_to_connect(server), await signal_fan_out(server)]


def main() -> None:
    """Measures, prints and writes."""
    raise_open_files()
    with tempfile.TemporaryDirectory() as folder, TertuliaServer(Path(folder)) as server:
        figures = asyncio.run(_signalling(server))
        figures += in_chromium(server)
    text = scoreboard(figures, datetime.datetime.now(datetime.UTC).date())
    SCOREBOARD.write_text(text)
    sys.stdout.write(text)


def scoreboard(figures: list[Figure], day: datetime.date) -> str:
    """The page that is committed."""
    return "\n".join(
        [
            "# Scoreboard",
            "",
            f"Measured by `make bench` on {day}, everything on one machine over loopback, clients included:",
            "",
            *(f"- {line}" for line in machine()),
            "",
            "| what | result | unit |",
            "|---|---|---|",
            *(figure.row() for figure in figures),
            "",
            "These are a starting point. Compare ratios of one run, not numbers of two machines.",
            "",
        ]
    )


if __name__ == "__main__":
    main()

"""Figures of a run, and the description of the machine that they were measured on."""

from __future__ import annotations

import math
import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Bar:
    """What one value of a figure must reach: `at_most` or `at_least` so much.

    `why` is the page of docs/decisions/ that says where the time goes, if the bar may be missed.
    """

    name: str
    at_most: float | None = None
    at_least: float | None = None
    why: str | None = None

    def verdict(self, values: dict[str, float]) -> str:
        """Whether it is met, and by how much."""
        value = values[self.name]
        bar, is_met = (
            (self.at_most, value <= self.at_most)
            if self.at_most is not None
            else (self.at_least or 0.0, value >= (self.at_least or 0.0))
        )
        side = "at most" if self.at_most is not None else "at least"
        share = f"{100 * value / bar:,.0f} % of it" if bar else f"{value:,.1f}"
        verdict = f"{self.name} {side} {bar:,g}: {'met' if is_met else '**missed**'}, {share}"
        return verdict if is_met or self.why is None else f"{verdict} ([why](../docs/decisions/{self.why}))"


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the scoreboard.

    Attributes:
        what: What was measured, and how often.
        unit: Of every value.
        values: Named results in the order of the columns, for example `{"p50": 12.1, "p95": 17.9}`.
        bars: What they must reach, of those that must.
    """

    what: str
    unit: str
    values: dict[str, float]
    bars: tuple[Bar, ...] = ()

    def row(self) -> str:
        """The row in Markdown."""
        results = ", ".join(f"{name} {value:,.1f}" for name, value in self.values.items())
        bars = "; ".join(bar.verdict(self.values) for bar in self.bars)
        return f"| {self.what} | {results} | {self.unit} | {bars} |"


def percentile(samples: Sequence[float], share: float) -> float:
    """The smallest sample that is not below `share` (0 to 1) of all; raises ValueError without samples."""
    if not samples:
        raise ValueError("no samples")
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def spread(samples: Sequence[float]) -> dict[str, float]:
    """The median and the 95th percentile."""
    return {"p50": percentile(samples, 0.50), "p95": percentile(samples, 0.95)}


def machine() -> list[str]:
    """What the figures depend on, a line each."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    lines = [
        f"{os.cpu_count()} cores of {cpu}, {memory_gib:.0f} GiB",
        f"Linux {platform.release()}, Python {platform.python_version()}",
    ]
    chromium = shutil.which("chromium")
    if chromium:
        version = subprocess.run([chromium, "--version"], capture_output=True, text=True, check=False)
        lines.append(version.stdout.strip())
    return lines

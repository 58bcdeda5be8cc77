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
class Figure:
    """One row of the scoreboard.

    Attributes:
        what: What was measured, and how often.
        unit: Of every value.
        values: Named results in the order of the columns, for example `{"p50": 12.1, "p95": 17.9}`.
    """

    what: str
    unit: str
    values: dict[str, float]

    def row(self) -> str:
        """The row in Markdown."""
        results = ", ".join(f"{name} {value:,.1f}" for name, value in self.values.items())
        return f"| {self.what} | {results} | {self.unit} |"


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

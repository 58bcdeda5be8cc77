"""What the scoreboard says of a figure and its bars."""

from __future__ import annotations

import re
from pathlib import Path

from bench.figures import Bar, Figure
from bench.loss import gaps

ROOT = Path(__file__).resolve().parents[2]


def test_a_bar_says_whether_it_is_met_and_by_how_much() -> None:
    values = {"p95": 300.0, "rate": 90.0, "failed": 0.0}

    assert Bar("p95", at_most=1_500.0).verdict(values) == "p95 at most 1,500: met, 20 % of it"
    assert Bar("p95", at_most=200.0).verdict(values) == "p95 at most 200: **missed**, 150 % of it"
    assert Bar("rate", at_least=60.0).verdict(values) == "rate at least 60: met, 150 % of it"
    assert Bar("rate", at_least=100.0).verdict(values) == "rate at least 100: **missed**, 90 % of it"
    assert Bar("failed", at_most=0.0).verdict(values) == "failed at most 0: met, 0.0"


def test_a_bar_that_is_missed_names_the_page_that_says_why() -> None:
    missed, met = (Bar("rate", at_least=least, why="page.md").verdict({"rate": 90.0}) for least in (100.0, 60.0))

    assert missed.endswith("90 % of it ([why](../docs/decisions/page.md))")
    assert "why" not in met


def test_every_page_that_says_why_is_there() -> None:
    pages = ROOT / "docs" / "decisions"
    named = {name for module in ROOT.glob("bench/*.py") for name in re.findall(r'why ?= ?"(.+?)"', module.read_text())}

    assert named
    assert sorted(name for name in named if not (pages / name).is_file()) == []


def test_a_row_has_every_value_and_every_bar() -> None:
    bars = (Bar("p50", at_most=2.0), Bar("p95", at_most=1_000.0))
    row = Figure("joins", "ms", {"p50": 1.04, "p95": 1_234.0}, bars).row()

    verdicts = "p50 at most 2: met, 52 % of it; p95 at most 1,000: **missed**, 123 % of it"
    assert row == f"| joins | p50 1.0, p95 1,234.0 | ms | {verdicts} |"


def test_a_hole_is_a_gap_as_long_as_most_of_it() -> None:
    arrived = [0.0, 40.0, 80.0, 1_400.0, 3_300.0, 3_340.0]

    assert list(gaps(arrived)) == [(1_400.0, 3_300.0)]

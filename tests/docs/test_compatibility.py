"""The conformance table: what it says is written in the documents, and what shows it exists."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHECKS = ROOT / "tests" / "e2e" / "pages" / "conformance"
CONFORMANCE = yaml.safe_load((ROOT / "contract" / "conformance.yaml").read_text(encoding="utf-8"))
ROWS: list[dict[str, Any]] = [row for thing in CONFORMANCE["objects"] for row in thing["rows"]]


def checks() -> set[str]:
    pattern = re.compile(r"^check\('([^']+)'", re.MULTILINE)
    return {name for path in CHECKS.glob("*.js") for name in pattern.findall(path.read_text(encoding="utf-8"))}


def test_the_tables_in_the_documents_are_current() -> None:
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        import compatibility
    finally:
        sys.path.pop(0)
    before = compatibility.PAGE.read_text(encoding="utf-8")
    assert compatibility.BEGIN in before
    assert compatibility.page(before, CONFORMANCE) == before, "run scripts/compatibility.py"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: " ".join(row["members"])[:60])
def test_a_row_says_how_it_is_and_what_shows_it(row: dict[str, Any]) -> None:
    assert row["state"] in ("full", "partial", "absent")
    assert row["fact"].endswith(".")
    if row["state"] != "full":
        assert row["note"], "what is not full says what differs"
    if row["state"] != "absent" and "usePreviousDeviceSelection" not in row["members"]:
        assert row["tests"], "what works is shown by a test"
    for test in row["tests"]:
        file, _, name = test.partition(": ") if ": " in test else ("", "", test)
        if file:
            assert name in (ROOT / file.strip()).read_text(encoding="utf-8"), test
        else:
            assert test in checks(), test


def test_every_check_is_named_by_a_row() -> None:
    named = {test for row in ROWS for test in row["tests"]}
    assert checks() - named == set()

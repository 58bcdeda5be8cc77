"""SECURITY.md lists attacks; each row names a test that is there."""

from __future__ import annotations

import re

import pytest

from tests.docs.examples import ROOT

NAMED = re.compile(r"`(?P<file>[\w./-]+\.(?:rs|py|ts))` `(?P<name>[^`]+)`")


def rows() -> list[str]:
    section = (ROOT / "SECURITY.md").read_text(encoding="utf-8").partition("## Attacks")[2].partition("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("| ") and not line.startswith("| attack |")]


def test_there_are_attacks() -> None:
    assert len(rows()) > 10


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.split("|")[1].strip()[:40])
def test_every_attack_names_a_test_that_exists(row: str) -> None:
    named = list(NAMED.finditer(row.rstrip("| ").rpartition("|")[2]))
    assert named, "the last column names a test"
    for match in named:
        text = (ROOT / match["file"]).read_text(encoding="utf-8")
        name = match["name"]
        written = [f"fn {name}(", f"def {name}(", f"'{name}'", f'"{name}"']
        assert any(one in text for one in written), f"{match['file']} has {name}"

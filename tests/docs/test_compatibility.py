"""The conformance table: what it says is written in the documents, and what shows it exists."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests import openapi

ROOT = Path(__file__).parents[2]
CHECKS = ROOT / "tests" / "e2e" / "pages"
CONFORMANCE = yaml.safe_load((ROOT / "contract" / "conformance.yaml").read_text(encoding="utf-8"))
ROWS: list[dict[str, Any]] = [row for thing in CONFORMANCE["objects"] for row in thing["rows"]]


def checks() -> set[str]:
    pattern = re.compile(r"^check\('([^']+)'", re.MULTILINE)
    return {name for path in CHECKS.glob("*/*.js") for name in pattern.findall(path.read_text(encoding="utf-8"))}


def test_the_tables_in_the_documents_are_current() -> None:
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        import compatibility
    finally:
        sys.path.pop(0)
    before = compatibility.PAGE.read_text(encoding="utf-8")
    assert compatibility.BEGIN in before
    assert compatibility.REST_BEGIN in before
    assert compatibility.page(before, CONFORMANCE, openapi.description()) == before, "run scripts/compatibility.py"


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


def test_the_description_of_rest_is_lawful_openapi_and_says_how_each_request_stands() -> None:
    described = openapi.description()
    assert described["openapi"] == "3.1.0"
    tags = {tag["name"] for tag in described["tags"]}
    names = [one.name for one in openapi.operations()]
    assert len(names) == len(set(names))
    for operation in openapi.operations():
        about = operation.about
        assert about["x-state"] in ("full", "partial", "refused")
        assert about["x-state"] == "full" or about["x-note"]
        assert {*about["tags"]} <= tags
        assert {*re.findall(r"\{(\w+)\}", operation.path)} == {
            one["name"] for one in operation.parameters if one["in"] == "path"
        }
        for status, answer in openapi.resolved(about["responses"]).items():
            assert re.fullmatch("[245][0-9]{2}", status)
            for content in answer.get("content", {}).values():
                jsonschema.Draft202012Validator.check_schema(content["schema"])

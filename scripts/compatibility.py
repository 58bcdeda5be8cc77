"""Writes the tables of docs/compatibility.md from contract/conformance.yaml (browser API) and openapi.yaml (REST).

.venv/bin/python scripts/compatibility.py [--check]
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "compatibility.md"
BEGIN = "<!-- The browser API, written by scripts/compatibility.py from contract/conformance.yaml -->"
END = "<!-- The end of the browser API -->"
REST_BEGIN = "<!-- The REST API, written by scripts/compatibility.py from contract/openapi.yaml -->"
REST_END = "<!-- The end of the REST API -->"
METHODS = ("post", "get", "put", "patch", "delete")
# An operation that is checked and then refused does nothing, whatever the SDK is told.
STATES = {"refused": "absent"}


def tables(conformance: dict[str, Any]) -> str:
    """The tables, one for each object, as Markdown."""
    parts = []
    for thing in conformance["objects"]:
        parts += [f"### {thing.get('era', 'v2')}: {thing['name']}", "", "| member | | state | |", "|---|---|---|---|"]
        for row in thing["rows"]:
            members = ", ".join(code(member) for member in row["members"])
            parts.append(f"| {members} | {row['fact']} | {row['state']} | {row.get('note', '')} |")
        parts.append("")
    return "\n".join(parts)


def code(member: str) -> str:
    """A member as code, and several words as words."""
    return member if " " in member and "…" not in member else f"`{member}`"


def rest_table(description: Mapping[str, Any]) -> str:
    """Every request of the REST API with its state, as Markdown."""
    rows = ["| request | | state | |", "|---|---|---|---|"]
    for path, item in description["paths"].items():
        for method in METHODS:
            if (about := item.get(method)) is not None:
                also = "".join(f", `{other}` ({why})" for other, why in about.get("x-also", {}).items())
                state = STATES.get(about["x-state"], about["x-state"])
                request = f"`{method.upper()} {short(path)}`{also.replace('/v2/project/{key}', '…')}"
                rows.append(f"| {request} | {about['summary']} | {state} | {about.get('x-note', '')} |")
    return "\n".join([*rows, ""])


def short(path: str) -> str:
    """An address without what most of them begin with."""
    return path.replace("/v2/project/{key}/", "…/")


def page(before: str, conformance: dict[str, Any], description: Mapping[str, Any]) -> str:
    """The page with its tables written anew."""
    half = between(before, BEGIN, END, tables(conformance))
    return between(half, REST_BEGIN, REST_END, rest_table(description))


def between(page: str, begin: str, end: str, text: str) -> str:
    """The page with something else between two marks."""
    head, _, rest = page.partition(begin)
    _, _, tail = rest.partition(end)
    return f"{head}{begin}\n\n{text}\n{end}{tail}"


def main(arguments: list[str]) -> int:
    conformance = yaml.safe_load((ROOT / "contract" / "conformance.yaml").read_text(encoding="utf-8"))
    description = yaml.safe_load((ROOT / "contract" / "openapi.yaml").read_text(encoding="utf-8"))
    before = PAGE.read_text(encoding="utf-8")
    after = page(before, conformance, description)
    if before == after:
        return 0
    if "--check" in arguments:
        print("docs/compatibility.md is not what contract/ says; run scripts/compatibility.py")
        return 1
    PAGE.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

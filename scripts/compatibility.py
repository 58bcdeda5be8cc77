"""Writes the tables of the browser API in docs/compatibility.md from contract/conformance.yaml.

.venv/bin/python scripts/compatibility.py [--check]
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "compatibility.md"
BEGIN = "<!-- The browser API, written by scripts/compatibility.py from contract/conformance.yaml -->"
END = "<!-- The end of the browser API -->"


def tables(conformance: dict[str, Any]) -> str:
    """The tables, one for each object, as Markdown."""
    parts = []
    for thing in conformance["objects"]:
        parts += [f"### v2: {thing['name']}", "", "| member | | state | |", "|---|---|---|---|"]
        for row in thing["rows"]:
            members = ", ".join(code(member) for member in row["members"])
            parts.append(f"| {members} | {row['fact']} | {row['state']} | {row.get('note', '')} |")
        parts.append("")
    return "\n".join(parts)


def code(member: str) -> str:
    """A member as code, and several words as words."""
    return member if " " in member and "…" not in member else f"`{member}`"


def page(before: str, conformance: dict[str, Any]) -> str:
    """The page with its tables written anew."""
    head, _, rest = before.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n\n{tables(conformance)}\n{END}{tail}"


def main(arguments: list[str]) -> int:
    conformance = yaml.safe_load((ROOT / "contract" / "conformance.yaml").read_text(encoding="utf-8"))
    before = PAGE.read_text(encoding="utf-8")
    after = page(before, conformance)
    if before == after:
        return 0
    if "--check" in arguments:
        print("docs/compatibility.md is not what contract/conformance.yaml says; run scripts/compatibility.py")
        return 1
    PAGE.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

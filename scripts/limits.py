"""Writes docs/limits.md from the constants of all three languages that `limits.yaml` names.

`--check` says whether it is as the code has it.

.venv/bin/python scripts/limits.py [--check]
"""

from __future__ import annotations

import ast
import operator
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "limits.md"
ROWS = ROOT / "scripts" / "limits.yaml"

HEAD = """\
# Limits

What the server refuses, what it waits for, and what the clients keep. This page is made from the code by
`scripts/limits.py`; a name in `code` is a limit of the wire and stands in `contract/` as well.
"""


@dataclass(frozen=True)
class Limit:
    """One row: `what` is a key of the contract when it is an identifier, and else words."""

    what: str
    file: str
    constant: str
    unit: str
    above: str
    setting: str = ""


def sections() -> dict[str, list[Limit]]:
    """The rows of `limits.yaml` under the titles of their sections, in order."""
    rows = yaml.safe_load(ROWS.read_text(encoding="utf-8"))
    files = rows["files"]
    return {
        title: [Limit(**{**row, "file": files.get(row["file"], row["file"])}) for row in section]
        for title, section in rows["sections"].items()
    }


TAIL = """
A client has at most 48 subscriptions at one time, for each needs a slot pair; the pool of pairs grows 2, 4, 8, 16, 32,
48, and to 56 where audio slots need room: a client with more than 45 subscriptions in a large session publishes at most
eight streams of sound and picture then. The Python client stops reading while 10,000 events wait for its handlers, and
an iterator that falls as far behind fails.
"""


def value_of(limit: Limit) -> float:
    """The constant's number, in seconds if it is a time. Raises LookupError unless it is there exactly once."""
    text = (ROOT / limit.file).read_text(encoding="utf-8")
    found = re.findall(rf"^[ \w()]*\b{limit.constant}(?:: [^=\n]+)? = ([^;\n#]+);?", text, re.MULTILINE)
    if len(found) != 1:
        raise LookupError(f"{limit.constant} is {len(found)} times in {limit.file}")
    expression = re.sub(r"Duration::from_secs\(([\d_]+)\)", r"\1", found[0].strip())
    expression = re.sub(r"Duration::from_millis\(([\d_]+)\)", r"\1 / 1000", expression)
    return _evaluate(ast.parse(expression, mode="eval").body)


_OPERATORS = {ast.Mult: operator.mul, ast.Div: operator.truediv, ast.LShift: operator.lshift, ast.Add: operator.add}


def _evaluate(node: ast.expr) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return node.value
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        result: float = _OPERATORS[type(node.op)](_evaluate(node.left), _evaluate(node.right))
        return result
    raise LookupError(f"not a number: {ast.unparse(node)}")


def page() -> str:
    """The whole page. Raises LookupError for a limit that is not in the code, or differs from the contract."""
    wire = yaml.safe_load((ROOT / "contract" / "signalling.yaml").read_text(encoding="utf-8"))["limits"]
    rows = sections()
    missing = set(wire) - {limit.what for limits in rows.values() for limit in limits}
    if missing:
        raise LookupError(f"limits of the wire without a row in {ROWS.name}: {', '.join(sorted(missing))}")
    parts = [HEAD]
    for title, limits in rows.items():
        parts.append(f"\n## {title}\n\n| what | limit | unit | above it |\n|---|--:|---|---|\n")
        for limit in limits:
            value = value_of(limit)
            if limit.what in wire and wire[limit.what] != value:
                raise LookupError(f"{limit.what} is {value} in {limit.file} and {wire[limit.what]} in the contract")
            name = f"`{limit.what}`" if re.fullmatch(r"[a-z]+(_[a-z]+)+|refusals", limit.what) else limit.what
            above = f"{limit.above} Setting `{limit.setting}`." if limit.setting else limit.above
            parts.append(
                f"| {name} | {value:,g} | {limit.unit} | {above} |\n"
                if value != int(value)
                else f"| {name} | {int(value):,} | {limit.unit} | {above} |\n"
            )
    return "".join(parts) + TAIL


def main(arguments: list[str]) -> int:
    text = page()
    if "--check" in arguments:
        if PAGE.read_text(encoding="utf-8") == text:
            return 0
        print("docs/limits.md is not as the code has it; run `make fmt`.")
        return 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

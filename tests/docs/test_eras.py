"""One engine, two thin faces: what the first generation of the browser API costs in code."""

from __future__ import annotations

import re
import sys
from pathlib import Path

SOURCES = Path(__file__).parents[2] / "web" / "src"


def lines(*patterns: str) -> int:
    """Lines of code of the files, without comments, blank lines and tests."""
    count = 0
    for path in {path for pattern in patterns for path in SOURCES.glob(pattern)}:
        if path.name.endswith(".test.ts"):
            continue
        text = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        count += sum(bool(line.strip()) and not line.strip().startswith("//") for line in text.splitlines())
    return count


def test_both_generations_together_are_smaller_than_twice_one() -> None:
    second = lines("api/*.ts", "eras/index.ts", "eras/v2.ts")
    first = lines("eras/v1/*.ts")
    sys.stdout.write(f"\nlines of code: v2 {second}, what v1 adds {first}\n")
    assert second > 2000, "there is code to compare with"
    assert first > 500
    assert first + second < 2 * second, f"v2 has {second} lines, what v1 adds has {first}"


def test_the_rest_of_the_client_asks_for_no_generation_by_its_name() -> None:
    """Only `eras/` knows which is which; everything else goes by what an era says of itself."""
    asking = {
        str(path.relative_to(SOURCES))
        for path in SOURCES.rglob("*.ts")
        if not path.name.endswith(".test.ts") and "testing" not in path.parts and "eras" not in path.parts
        if re.search(r"""era\.name|=== 'v[12]'""", path.read_text(encoding="utf-8"))
    }
    assert asking <= {"index.ts"}, "the script names what it defines"

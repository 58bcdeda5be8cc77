"""Where the contract is."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

CONTRACT = Path(__file__).parents[2] / "contract"


@cache
def load(name: str) -> dict[str, Any]:
    """Read a page of the contract, once."""
    content = yaml.safe_load((CONTRACT / name).read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


def examples(wire: str) -> Iterator[dict[str, Any]]:
    """Read the golden messages of a wire."""
    for path in sorted((CONTRACT / "examples" / wire).glob("*.json")):
        example = json.loads(path.read_text(encoding="utf-8"))
        assert example["name"] == path.stem
        yield example

"""What commands print: tables for people, one line of JSON for programs."""

from __future__ import annotations

import json as json_text
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

__all__ = ["Row", "print_one", "print_rows", "time_of"]

Row = Mapping[str, object]


def print_one(row: Row, *, json: bool) -> None:
    """Print one thing: a line for each of its values, or an object."""
    if json:
        sys.stdout.write(json_text.dumps(row) + "\n")
        return
    width = max(len(name) for name in row)
    for name, value in row.items():
        sys.stdout.write(f"{name:<{width}}  {_text(value)}".rstrip() + "\n")


def print_rows(rows: Sequence[Row], *, json: bool, none: str) -> None:
    """Print several things of one kind: a table or an array; `none` says that there are none, to people."""
    if json:
        sys.stdout.write(json_text.dumps(list(rows)) + "\n")
        return
    if not rows:
        sys.stdout.write(none + "\n")
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*rows[0], box=None, header_style="bold", pad_edge=False)
    for row in rows:
        # As plain text: names come from people, and rich would take brackets in them for styles.
        table.add_row(*(Text(_text(value), overflow="fold") for value in row.values()))
    Console(width=None if sys.stdout.isatty() else 240).print(table)


def time_of(milliseconds: int | None) -> str | None:
    """A moment in UTC, as in RFC 3339; None if it is not known."""
    if not milliseconds:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(_text(one) for one in value) or "-"
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in str(value))

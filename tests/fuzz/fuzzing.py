"""Mutates real inputs for a while; what a target raises is a failure, which is shortened and printed with its seed."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["BrokenTargetError", "Target", "fuzz"]

CORPUS = Path(__file__).parent / "corpus"
MAX_BYTES = 300_000
LONGEST_S = 5.0
"""No input may take this long; the usual one takes microseconds, and the machine may be loaded."""
INTERESTING = (
    b"", b"0", b"-1", b"1e999", b"9" * 40, b"null", b"true", b"[]", b"{}", b'""', b"NaN", b"\\ud800", b"\\u0000",
    b"\x00", b"\x7f", b"\x80", b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xc1", b"\xdf\xff\xff\xff\xff", b"\xdb\xff",
    b"\xc6\x7f\xff\xff\xff", b"[" * 5000, b'{"a":' * 5000, b"\x91" * 5000, b"\x81\xa1a" * 3000, b"=", b"&", b"%", b".",
)  # fmt: skip


@dataclass(frozen=True)
class Target:
    """A parser: `check` returns if the input is lawfully parsed or refused, and raises otherwise."""

    name: str
    seeds: Callable[[], Sequence[bytes]]
    check: Callable[[bytes], None]


class BrokenTargetError(AssertionError):
    """An input that broke a target."""


def fuzz(target: Target, seed: int, budget_s: float) -> int:
    """Try the corpus, then mutated inputs until the time is over; return how many.

    Raises:
        BrokenTargetError: If the target raised, or took too long; the text has the seed and the shortened input.
    """
    print(f"{target.name} seed {seed}")  # noqa: T201 - a failure is repeated by it
    dice = random.Random(seed)
    kept = [path.read_bytes() for path in sorted((CORPUS / target.name).glob("*"))]
    seeds = [*target.seeds(), *kept]
    end = time.monotonic() + budget_s
    case = 0
    while case < len(seeds) or time.monotonic() < end:
        data = seeds[case] if case < len(seeds) else _mutated(dice, seeds)
        if (cause := _broken(target, data)) is not None:
            data = _shortened(target, data)
            raise BrokenTargetError(
                f"{target.name} failed with seed {seed} at input {case}: {cause!r}\n"
                f"keep the input as a file in tests/fuzz/corpus/{target.name}/; it is {data!r}"
            ) from cause
        case += 1
    return case


def _broken(target: Target, data: bytes) -> BaseException | None:
    began = time.monotonic()
    try:
        target.check(data)
    except Exception as error:  # noqa: BLE001 - whatever it raises is the finding
        return error
    elapsed = time.monotonic() - began
    return TimeoutError(f"it took {elapsed:.1f} s") if elapsed > LONGEST_S else None


def _shortened(target: Target, data: bytes) -> bytes:
    end = time.monotonic() + 10
    piece = max(len(data) // 2, 1)
    while time.monotonic() < end:
        at, is_shorter = 0, False
        while at < len(data) and time.monotonic() < end:
            candidate = data[:at] + data[at + piece :]
            if _broken(target, candidate) is not None:
                data, is_shorter = candidate, True
            else:
                at += piece
        if piece == 1 and not is_shorter:
            break
        piece = max(piece // 2, 1)
    return data


def _mutated(dice: random.Random, seeds: Sequence[bytes]) -> bytes:
    data = dice.choice(seeds)
    for _ in range(dice.randint(1, 6)):
        at = dice.randint(0, len(data))
        to = min(len(data), at + dice.randint(0, 16))
        match dice.randrange(7):
            case 0 if data:
                at %= len(data)
                data = data[:at] + bytes([data[at] ^ 1 << dice.randrange(8)]) + data[at + 1 :]
            case 1:
                data = data[:at] + data[to:]
            case 2:
                data = data[:at] + data[at:to] + data[at:]
            case 3:
                data = data[:at] + dice.randbytes(dice.randint(0, 8)) + data[to:]
            case 4:
                other = dice.choice(seeds)
                data = data[:at] + other[dice.randint(0, len(other)) :]
            case 5:
                data = _with_another_value(dice, data, seeds)
            case _:
                data = data[:at] + dice.choice(INTERESTING) + data[to:]
    return data[:MAX_BYTES]


def _with_another_value(dice: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    """Replace what stands between two separators by what stands so in another seed."""
    separators = b':,"&=.'
    other = dice.choice(seeds)
    places = [i for i, byte in enumerate(data) if byte in separators]
    others = [i for i, byte in enumerate(other) if byte in separators]
    if len(places) < 2 or len(others) < 2:
        return data
    here, there = dice.randrange(len(places) - 1), dice.randrange(len(others) - 1)
    value = dice.choice([other[others[there] + 1 : others[there + 1]], dice.choice(INTERESTING)])
    return data[: places[here] + 1] + value + data[places[here + 1] :]

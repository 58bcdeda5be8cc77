"""Fuzzes for as long as one likes, the router's parsers and then control's.

.venv/bin/python scripts/fuzz.py [TARGET …] [--seconds N] [--seed N]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.fuzz.fuzzing import BrokenTargetError, fuzz  # noqa: E402 - the tests are no installed package
from tests.fuzz.targets import TARGETS  # noqa: E402


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--seed", type=int, default=time.time_ns())
    chosen = parser.parse_args(arguments)
    ours = [target for target in TARGETS if not chosen.targets or target.name in chosen.targets]
    theirs = [name for name in chosen.targets if name not in {target.name for target in TARGETS}]
    status = 0
    if theirs or not chosen.targets:
        options = ["--seconds", str(chosen.seconds), "--seed", str(chosen.seed)]
        command = ["cargo", "run", "--locked", "--release", "--quiet", "--package", "tertulia-fuzz", "--"]
        status = subprocess.run([*command, *theirs, *options], cwd=ROOT, check=False).returncode
    for target in ours:
        try:
            print(f"{target.name}: {fuzz(target, chosen.seed, chosen.seconds)} inputs")
        except BrokenTargetError as failure:
            print(failure)
            status = status or 1
    return status


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

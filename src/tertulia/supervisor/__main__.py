"""The supervisor process: `python -m tertulia.supervisor <plan file>`."""

from __future__ import annotations

import sys
from pathlib import Path

from tertulia.supervisor.errors import CannotStartError
from tertulia.supervisor.plan import Plan
from tertulia.supervisor.supervisor import Supervisor


def main() -> int:
    """Run the plan; a server that cannot start says why in one sentence."""
    try:
        return Supervisor(Plan.read(Path(sys.argv[1]))).run()
    except CannotStartError as error:
        sys.stderr.write(f"tertulia: {error}\n")
        return 1


if __name__ == "__main__":
    raise SystemExit(main())

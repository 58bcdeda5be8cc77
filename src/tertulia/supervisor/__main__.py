"""The supervisor process: `python -m tertulia.supervisor <plan file> [<descriptor>]`.

The descriptor is that of the data folder's lock, if the command that became this process holds it already.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tertulia.supervisor.errors import CannotStartError
from tertulia.supervisor.leftovers import inherit_lock
from tertulia.supervisor.plan import Plan
from tertulia.supervisor.supervisor import Supervisor


def main() -> int:
    """Run the plan; a server that cannot start says why in one sentence."""
    try:
        plan, *held = sys.argv[1:]
        lock = inherit_lock(int(held[0])) if held else None
        return Supervisor(Plan.read(Path(plan)), lock).run()
    except CannotStartError as error:
        sys.stderr.write(f"tertulia: {error}\n")
        return 1


if __name__ == "__main__":
    raise SystemExit(main())

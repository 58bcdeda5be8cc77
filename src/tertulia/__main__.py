"""The command `tertulia`, and `python -m tertulia`."""

from __future__ import annotations

from tertulia.cli.commands import run

__all__ = ["main"]


def main() -> None:
    """Run the command that the user typed; never returns."""
    raise SystemExit(run())


if __name__ == "__main__":
    main()

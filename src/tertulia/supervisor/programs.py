"""Where the parts that are not Python lie: beside the package when installed, in the build folders of a checkout."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

from tertulia.supervisor.errors import CannotStartError

ROUTER = "tertulia-router"
LOAD = "tertulia-load"
SCRIPT = "tertulia.js"

_PACKAGE = Path(__file__).resolve().parents[1]


def find_router(folder: Path | None = None) -> Path:
    """The router program, in `folder` alone if there is one; raises CannotStartError if it is missing."""
    return _find(ROUTER, "router", folder)


def find_load(folder: Path | None = None) -> Path:
    """The load generator, in `folder` alone if there is one; raises CannotStartError if it is missing."""
    return _find(LOAD, "load generator", folder)


def _find(name: str, what: str, chosen: Path | None) -> Path:
    checkout = _checkout()
    if chosen is not None:
        folders, remedy = [chosen], "correct the setting programs_folder."
    elif checkout is not None:
        folders, remedy = [checkout / "target" / "release"], "build it with `make build`."
    else:
        remedy = "install the wheel of this platform again with `pip`."
        folders = [
            Path(sysconfig.get_path("scripts")),
            Path(sys.executable).parent,
            Path(sys.argv[0]).absolute().parent,
        ]
    for folder in folders:
        program = folder / name
        if program.is_file() and os.access(program, os.X_OK):
            return program
    raise CannotStartError(f"The {what} program {name} is missing in {folders[0]}; {remedy}")


def find_web() -> Path:
    """The folder of browser files, with `tertulia.js` and `pages/`; raises CannotStartError if it is missing."""
    checkout = _checkout()
    folder = checkout / "web" / "dist" if checkout else _PACKAGE / "_web"
    if not (folder / SCRIPT).is_file():
        raise CannotStartError(
            f"The browser client {SCRIPT} is missing in {folder}; "
            + ("build it with `make build`." if checkout else "install the wheel again with `pip`.")
        )
    return folder


def find_docs() -> Path:
    """The folder of documents, which may be absent."""
    checkout = _checkout()
    return checkout / "docs" if checkout else _PACKAGE / "_docs"


def _checkout() -> Path | None:
    """The checkout that this package runs from, if it does."""
    root = _PACKAGE.parents[1]
    return root if (root / "Cargo.toml").is_file() and (root / "pyproject.toml").is_file() else None

"""Build hook: a wheel carries the router program, the browser files and the documents beside the Python package."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class TertuliaBuildHook(BuildHookInterface):  # type: ignore[misc]  # hatchling ships no types
    """Runs cargo and Vite before a wheel is put together; an editable install uses the checkout's own build."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Adds the built files to the wheel and gives it a platform tag."""
        if version == "editable":
            return
        root = Path(self.root)
        _run(root, "cargo", "build", "--release", "--locked", "-p", "tertulia-router")
        _run(root / "web", "npm", "ci", "--no-audit", "--no-fund")
        _run(root / "web", "npm", "run", "build")
        target = Path(os.environ.get("CARGO_TARGET_DIR", root / "target"))
        build_data["shared_scripts"] = {str(target / "release" / "tertulia-router"): "tertulia-router"}
        build_data["force_include"][str(root / "web" / "dist")] = "tertulia/_web"
        build_data["force_include"][str(root / "docs")] = "tertulia/_docs"
        build_data["pure_python"] = False
        build_data["tag"] = "py3-none-" + sysconfig.get_platform().replace("-", "_").replace(".", "_")


def _run(folder: Path, program: str, *arguments: str) -> None:
    found = shutil.which(program)
    if found is None:
        raise SystemExit(f"{program} is missing, and a wheel cannot be built without it; install {_REMEDIES[program]}")
    subprocess.run([found, *arguments], cwd=folder, check=True)


_REMEDIES = {"cargo": "Rust from https://rustup.rs", "npm": "Node.js 20 or newer from https://nodejs.org"}

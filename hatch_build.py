"""Build hook: a wheel carries both programs, the browser files and the documents beside the Python package."""

from __future__ import annotations

import importlib.util
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
        builder = _load(root / "scripts" / "build.py", "tertulia_build")
        failures = builder.build(["router", "web"])
        if failures:
            raise SystemExit("\n".join(failures.values()))
        _load(root / "scripts" / "reference.py", "tertulia_reference").main()
        for program in builder.PROGRAMS:
            build_data["shared_scripts"][str(program)] = program.name
        build_data["force_include"][str(root / "web" / "dist")] = "tertulia/_web"
        build_data["force_include"][str(root / "docs")] = "tertulia/_docs"
        build_data["pure_python"] = False
        build_data["tag"] = "py3-none-" + sysconfig.get_platform().replace("-", "_").replace(".", "_")


def _load(file: Path, name: str) -> Any:
    """A script as a module; by its path, for `build` is also the name of a package."""
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

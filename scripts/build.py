"""Builds everything into the checkout: the virtual environment, the router, the browser files.

    python3 scripts/build.py [python] [router] [web]

Progress goes to standard error. A part whose inputs did not change is not built again. `ROUTER_PROFILE` names another
profile of cargo's for the router and the load generator than `release`, which is what is shipped.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
WEB = ROOT / "web"
PROFILE = os.environ.get("ROUTER_PROFILE", "release")
PROGRAMS_FOLDER = ROOT / "target" / ("debug" if PROFILE == "dev" else PROFILE)
# One run of cargo for both: they share nearly everything that they are made of.
PROGRAMS = [PROGRAMS_FOLDER / name for name in ("tertulia-router", "tertulia-load")]
REFERENCE = ROOT / "scripts" / "reference.py"
UV = "uv>=0.8,<1"
OLDEST_PYTHON = (3, 11)
OLDEST_NODE = 20
# The first router takes minutes; nobody should wonder whether anything still happens.
SIGN_OF_LIFE_S = 30

_say_lock = threading.Lock()


class BuildError(Exception):
    """One sentence, or the output of the program that failed."""


def build_python() -> None:
    if sys.version_info < OLDEST_PYTHON:
        wanted = ".".join(map(str, OLDEST_PYTHON))
        raise BuildError(f"Python {wanted} or newer is needed; install it and run `make PYTHON=python{wanted}`.")
    inputs = [ROOT / "pyproject.toml", ROOT / "uv.lock", ROOT / "hatch_build.py"]
    with Stamp("python", inputs, VENV / "bin" / "tertulia") as stamp:
        if not stamp.is_fresh:
            build_environment()
    with Stamp("bytecode", (ROOT / "src").rglob("*.py"), VENV / "bin" / "tertulia") as stamp:
        if not stamp.is_fresh:
            # A server that is to be ready in a second cannot compile itself first.
            compile_all = ["-m", "compileall", "-q", str(ROOT / "src")]
            step("bytecode", [str(VENV / "bin" / "python"), *compile_all], PYTHONDONTWRITEBYTECODE=None)
    package = ROOT / "src" / "tertulia"
    sources = [package / name for name in ("__init__.py", "asgi.py", "services/hooks.py")]
    sources += [*(package / "client").rglob("*.py"), *(package / "server").rglob("*.py"), REFERENCE]
    sources += [ROOT / "scripts" / "rest_reference.py", ROOT / "contract" / "openapi.yaml"]
    with Stamp("reference", sources, ROOT / "docs" / "reference" / "api" / "openapi.json") as stamp:
        if not stamp.is_fresh:
            step("reference pages", [str(VENV / "bin" / "python"), str(REFERENCE)])


def build_environment() -> None:
    if not (VENV / "bin" / "uv").exists():
        step("virtual environment", [sys.executable, "-m", "venv", str(VENV)])
        step("uv", [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", UV])
    # The environment is our own whatever the caller has activated.
    sync = [str(VENV / "bin" / "uv"), "sync", "--locked", "--compile-bytecode", "--quiet"]
    step("Python packages", sync, VIRTUAL_ENV=None)


def build_router() -> None:
    cargo = find("cargo", "the Rust toolchain is missing; install it from https://rustup.rs and run this again.")
    inputs = [ROOT / "Cargo.toml", ROOT / "Cargo.lock", ROOT / "rust-toolchain.toml", *files(ROOT / "crates")]
    with Stamp(f"router-{PROFILE}", inputs, *PROGRAMS) as stamp:
        if stamp.is_fresh:
            return
        if not PROGRAMS[0].exists():
            say("The first router takes minutes: everything that it is made of is compiled.")
        packages = [argument for program in PROGRAMS for argument in ("-p", program.name)]
        command = [cargo, "build", "--profile", PROFILE, "--locked", "--quiet", *packages, "--bins"]
        step("router", command, CARGO_TARGET_DIR=str(ROOT / "target"))


def build_web() -> None:
    npm = find("npm", f"Node.js is missing; install version {OLDEST_NODE} or newer from https://nodejs.org.")
    manifest = [WEB / "package.json", WEB / "package-lock.json"]
    with Stamp("web-packages", manifest, WEB / "node_modules") as stamp:
        if not stamp.is_fresh:
            check_node()
            step("browser packages", [npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"], folder=WEB)
    sources = [path for path in files(WEB) if "dist" not in path.relative_to(WEB).parts]
    with Stamp("web", sources, WEB / "dist" / "tertulia.js") as stamp:
        if not stamp.is_fresh:
            step("browser files", [npm, "run", "--silent", "build"], folder=WEB)


def check_node() -> None:
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.lstrip("v").partition(".")[0]) < OLDEST_NODE:
        wanted = f"install version {OLDEST_NODE} or newer from https://nodejs.org"
        raise BuildError(f"Node.js {version} is too old; {wanted}.")


class Stamp:
    """Remembers the state of a part's inputs when it was last built."""

    def __init__(self, name: str, inputs: Iterable[Path], *outputs: Path) -> None:
        self._file = ROOT / "target" / "stamps" / name
        self._state = fingerprint(inputs)
        self.is_fresh = (
            all(output.exists() for output in outputs) and self._file.exists() and self._file.read_text() == self._state
        )

    def __enter__(self) -> Stamp:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None and not self.is_fresh:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._file.write_text(self._state)


def fingerprint(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256(str(ROOT).encode())
    for path in sorted(paths):
        if path.exists():
            found = path.stat()
            digest.update(f"{path}\0{found.st_mtime_ns}\0{found.st_size}\n".encode())
    return digest.hexdigest()


def files(folder: Path) -> list[Path]:
    """Every file below `folder` but those of installed packages."""
    found: list[Path] = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in ("node_modules", "target")]
        found.extend(Path(place) / name for name in names)
    return found


def find(program: str, otherwise: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise BuildError(f"{program} was not found: {otherwise}")
    return path


def step(name: str, command: list[str], *, folder: Path = ROOT, **environment: str | None) -> None:
    """Runs one program quietly; what it wrote is shown only if it fails, and that it still runs now and then."""
    say(f"building {name} …")
    began = time.monotonic()
    merged = {**os.environ, **environment}
    with subprocess.Popen(
        command,
        cwd=folder,
        env={key: value for key, value in merged.items() if value is not None},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as running:
        written = None
        while written is None:
            try:
                written, _ = running.communicate(timeout=SIGN_OF_LIFE_S)
            except subprocess.TimeoutExpired:
                say(f"building {name} … for {duration(time.monotonic() - began)} now")
    if running.returncode:
        raise BuildError(f"{written.rstrip()}\nbuilding {name} failed: the command was `{' '.join(command)}`.")
    say(f"built {name} in {duration(time.monotonic() - began)}")


def duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def say(text: str) -> None:
    with _say_lock:
        print(text, file=sys.stderr, flush=True)


PARTS: dict[str, Callable[[], None]] = {"python": build_python, "router": build_router, "web": build_web}


def build(names: list[str]) -> dict[str, str]:
    """Builds the parts `names`, all if it is empty, at once; returns what is to be said of each part that failed."""
    failures = {}
    with ThreadPoolExecutor(len(PARTS)) as pool:
        for name, part in [(name, pool.submit(PARTS[name])) for name in names or PARTS]:
            try:
                part.result()
            except BuildError as error:
                failures[name] = str(error)
    return failures


def main(names: list[str]) -> int:
    failures = build(names)
    for failure in failures.values():
        say(failure)
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

"""One wheel carries everything: installed where there is neither Rust nor Node, it serves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import sysconfig
import urllib.request
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UV = Path(sysconfig.get_path("scripts")) / "uv"
DEADLINE_S = 20
BUILD_DEADLINE_S = 600

pytestmark = pytest.mark.timeout(BUILD_DEADLINE_S)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(UV, "build", "--wheel", "--quiet", "--out-dir", folder, ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an empty environment with the wheel in it."""
    folder = tmp_path_factory.mktemp("installed")
    run(UV, "venv", "--quiet", "--python", sys.executable, folder)
    run(UV, "pip", "install", "--quiet", "--python", folder / "bin" / "python", wheel)
    return folder / "bin"


def own_programs(installed: Path) -> dict[str, str]:
    """Variables with which nothing but the environment's own programs is found, and no checkout to fall back on."""
    others = ("PYTHONPATH", "TERTULIA_PROGRAMS_FOLDER")
    return {name: value for name, value in os.environ.items() if name not in others} | {"PATH": str(installed)}


def run(*command: str | Path, folder: Path = ROOT, environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=BUILD_DEADLINE_S,
    )
    assert done.returncode == 0, done.stderr


def test_the_wheel_is_for_this_platform_and_any_python(wheel: Path) -> None:
    assert wheel.name.endswith(f"-py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}.whl")


def test_the_wheel_carries_programs_browser_files_and_documents(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    for program in ("tertulia-router", "tertulia-load"):
        assert any(name.endswith(f".data/scripts/{program}") for name in names)
    for name in ("tertulia/_web/tertulia.js", "tertulia/_web/pages/playground.html", "tertulia/py.typed"):
        assert name in names
    assert any(name.startswith("tertulia/_docs/") for name in names)
    assert not any(name.startswith(("tests/", "crates/", "web/")) for name in names)


def test_an_installed_wheel_serves_without_rust_and_node(installed: Path, tmp_path: Path) -> None:
    command = [str(installed / "tertulia"), "dev", "--json", "--port", "0", "--data", str(tmp_path / "data")]
    environment = own_programs(installed)
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        facts = json.loads(process.stdout.readline())
        try:
            for path, content in (
                ("/v2/js/opentok.min.js", b"OT"),
                ("/playground", b"<html"),
                ("/docs", b"<html"),
                ("/health/ready", b'"ready"'),
            ):
                with urllib.request.urlopen(facts["url"] + path, timeout=DEADLINE_S) as answer:
                    assert content in answer.read()
            router = Path(f"/proc/{facts['pids']['router']}/exe").resolve()
            assert router == (installed / "tertulia-router").resolve()
            load = ["load", "--url", facts["url"], "--data", "data", "--subscribers", "1", "--duration", "0.2"]
            run(installed / "tertulia", *load, folder=tmp_path, environment=environment)
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_S) == 0


def test_a_missing_router_program_is_one_sentence(installed: Path, tmp_path: Path) -> None:
    program = installed / "tertulia-router"
    hidden = installed / "hidden"
    program.rename(hidden)
    try:
        result = subprocess.run(
            [installed / "tertulia", "dev", "--port", "0", "--data", tmp_path],
            env=own_programs(installed),
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
        )
    finally:
        hidden.rename(program)

    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "tertulia-router" in result.stderr
    assert "install" in result.stderr

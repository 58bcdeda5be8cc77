"""The official server SDKs, as their registries have them: fetched once into the checkout, each in a folder of its own.

What is fetched is pinned beside the driver of each SDK: `python/requirements.txt`, `node/package-lock.json` and
`java/pom.xml`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import build

HERE = Path(__file__).parent
FETCHED = build.ROOT / "target" / "sdks"
FETCH_DEADLINE_S = 540
PYTHON = FETCHED / "python" / "bin" / "python"


class FetchError(Exception):
    """An SDK could not be had; the message says which and why."""


def fetch_python() -> None:
    pins = HERE / "python" / "requirements.txt"
    with build.Stamp("sdk-python", [pins], PYTHON) as stamp:
        if not stamp.is_fresh:
            uv = str(build.VENV / "bin" / "uv")
            run("Python", [uv, "venv", "--quiet", "--clear", str(FETCHED / "python")])
            run(
                "Python",
                [uv, "pip", "install", "--quiet", "--require-hashes", "--python", str(PYTHON), "-r", str(pins)],
            )


def fetch_node() -> None:
    pins = [HERE / "node" / name for name in ("package.json", "package-lock.json", ".npmrc")]
    folder = FETCHED / "node"
    with build.Stamp("sdk-node", pins, folder / "node_modules" / "opentok") as stamp:
        if not stamp.is_fresh:
            folder.mkdir(parents=True, exist_ok=True)
            for pin in pins:
                shutil.copy(pin, folder)
            run("Node", ["npm", "ci", "--ignore-scripts", "--loglevel=error"], folder)


def fetch_java() -> None:
    pom = HERE / "java" / "pom.xml"
    folder = FETCHED / "java"
    with build.Stamp("sdk-java", [pom], folder) as stamp:
        if not stamp.is_fresh:
            shutil.rmtree(folder, ignore_errors=True)
            options = ["-DincludeScope=runtime", f"-DoutputDirectory={folder}"]
            run("Java", ["mvn", "--batch-mode", "--quiet", "-f", str(pom), "dependency:copy-dependencies", *options])


def run(language: str, command: list[str], folder: Path = build.ROOT) -> None:
    """Runs a package client. Raises FetchError with what it said last."""
    sentence = f"The official {language} SDK could not be fetched; its tests need a package registry the first time."
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=FETCH_DEADLINE_S, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError as error:
        raise FetchError(f"The official {language} SDK needs `{command[0]}`, which is not installed.") from error
    except subprocess.TimeoutExpired as error:
        raise FetchError(f"{sentence} {command[0]} did not end within {FETCH_DEADLINE_S} s.") from error
    if done.returncode:
        raise FetchError(f"{sentence} {command[0]} said:\n{(done.stdout + done.stderr).strip()[-2000:]}")


def python_program(program: Path) -> list[str]:
    """The command that runs a program with the Python SDK."""
    return [str(PYTHON), "-W", "error", str(program)]


def node_program(program: Path) -> list[str]:
    """The command that runs a program with the Node SDK."""
    return ["node", str(program)]


def java_program(program: Path) -> list[str]:
    """The command that runs a program of one Java source file with the Java SDK."""
    return ["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", f"{FETCHED / 'java'}/*", str(program)]


ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))},
    "NODE_PATH": str(FETCHED / "node" / "node_modules"),
}
"""In which these commands run: Node finds packages beside the program or here."""

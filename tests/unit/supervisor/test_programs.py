"""Where router, browser files and documents are looked for."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import pytest

from tertulia.supervisor import programs
from tertulia.supervisor.errors import CannotStartError


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout in which nothing is built."""
    package = tmp_path / "src" / "tertulia"
    package.mkdir(parents=True)
    for name in ("Cargo.toml", "pyproject.toml"):
        (tmp_path / name).touch()
    monkeypatch.setattr(programs, "_PACKAGE", package)
    return tmp_path


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment with the package alone."""
    package = tmp_path / "lib" / "site-packages" / "tertulia"
    package.mkdir(parents=True)
    scripts = tmp_path / "bin"
    scripts.mkdir()
    monkeypatch.setattr(programs, "_PACKAGE", package)
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(scripts))
    monkeypatch.setattr("sys.executable", str(scripts / "python"))
    monkeypatch.setattr("sys.argv", [str(scripts / "tertulia")])
    return tmp_path


def put(file: Path, *, executable: bool = False) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(0o755 if executable else 0o644)
    return file


def test_a_checkout_uses_what_it_built(checkout: Path) -> None:
    router = put(checkout / "target" / "release" / "tertulia-router", executable=True)
    put(checkout / "web" / "dist" / "tertulia.js")

    load = put(checkout / "target" / "release" / "tertulia-load", executable=True)
    assert programs.find_router() == router
    assert programs.find_load() == load
    assert programs.find_web() == checkout / "web" / "dist"
    assert programs.find_docs() == checkout / "docs"


def test_an_installed_package_uses_what_came_with_it(installed: Path) -> None:
    router = put(installed / "bin" / "tertulia-router", executable=True)
    package = installed / "lib" / "site-packages" / "tertulia"
    put(package / "_web" / "tertulia.js")

    load = put(installed / "bin" / "tertulia-load", executable=True)
    assert programs.find_router() == router
    assert programs.find_load() == load
    assert programs.find_web() == package / "_web"
    assert programs.find_docs() == package / "_docs"


def test_a_folder_that_is_named_is_the_only_one(checkout: Path, tmp_path: Path) -> None:
    put(checkout / "target" / "release" / "tertulia-router", executable=True)
    put(checkout / "target" / "release" / "tertulia-load", executable=True)
    folder = tmp_path / "programs"
    for find in (programs.find_router, programs.find_load):
        with pytest.raises(CannotStartError, match=r"programs; correct the setting programs_folder"):
            find(folder)

    router = put(folder / "tertulia-router", executable=True)
    load = put(folder / "tertulia-load", executable=True)

    assert (programs.find_router(folder), programs.find_load(folder)) == (router, load)


def test_what_is_missing_in_a_checkout_is_to_be_built(checkout: Path) -> None:
    for find in (programs.find_router, programs.find_load, programs.find_web):
        with pytest.raises(CannotStartError, match="make build"):
            find()


def test_what_is_missing_beside_a_package_is_to_be_installed(installed: Path) -> None:
    for find in (programs.find_router, programs.find_load, programs.find_web):
        with pytest.raises(CannotStartError, match="install"):
            find()


def test_a_program_that_cannot_be_run_is_missing(checkout: Path) -> None:
    put(checkout / "target" / "release" / "tertulia-router")

    with pytest.raises(CannotStartError):
        programs.find_router()

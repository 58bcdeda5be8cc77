"""What every test run has in common."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tertulia.adapters.storage import SqlStore
from tertulia.config import StoreSettings
from tests.stores import Postgres

# The same examples on every run and every machine; a slow machine is no failure.
settings.register_profile(
    "tertulia", deadline=None, derandomize=True, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("tertulia")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One PostgreSQL server for all tests of a run."""
    with Postgres() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_template(postgres: Postgres) -> str:
    """A database with the newest tables, to be copied."""
    name = postgres.make_database()
    _make_tables(StoreSettings(url=postgres.url(name)).driver_url)
    return name


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the newest tables, to be copied: migrating takes many times as long."""
    file = tmp_path_factory.mktemp("template") / "tertulia.db"
    _make_tables(f"sqlite:///{file}")
    return file


def _make_tables(url: str) -> None:
    async def fill() -> None:
        await (await SqlStore.open(url)).close()

    with ThreadPoolExecutor(1) as pool:  # whoever asks for this may run in an event loop already
        pool.submit(lambda: asyncio.run(fill())).result()


@pytest.fixture
def postgres_url(postgres: Postgres, postgres_template: str) -> Iterator[str]:
    """The address of a PostgreSQL database that has the newest tables and nothing in them."""
    with postgres.lend_database(postgres_template) as name:
        yield StoreSettings(url=postgres.url(name)).driver_url


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """The same of SQLite."""
    return f"sqlite:///{shutil.copy(sqlite_template, tmp_path)}"


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest) -> str:
    """The address of a new database, of each kind, for `SqlStore.open`."""
    url: str = request.getfixturevalue(f"{'sqlite' if request.param == 'sqlite' else 'postgres'}_url")
    return url


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def store_settings(request: pytest.FixtureRequest) -> dict[str, str]:
    """Settings of a `TertuliaServer` with a new store, of each kind."""
    if request.param == "sqlite":
        return {}
    server: Postgres = request.getfixturevalue("postgres")
    return {"TERTULIA_STORE_URL": server.url(server.make_database(request.getfixturevalue("postgres_template")))}

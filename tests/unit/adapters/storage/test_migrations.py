"""Migrations: they lead to the tables that the code knows, only add, and run while others work."""

import asyncio
from functools import partial
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, inspect, text

from tertulia.adapters.storage import SqlStore, migrate, tables
from tertulia.adapters.storage.engine import Database, open_database
from tertulia.clock import SystemClock
from tertulia.config import StoreSettings
from tertulia.domain.events import All
from tertulia.ids import SessionId
from tertulia.observability.metrics import Metrics
from tertulia.services.ports import LogRow, WriteBatch
from tests.fakes.clock import FakeClock
from tests.stores import Postgres

NOW = FakeClock().wall()
_scripts = Config()
_scripts.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
REVISIONS = sorted(script.revision for script in ScriptDirectory.from_config(_scripts).walk_revisions())


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'tertulia.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return StoreSettings(url=server.url(server.make_database())).driver_url


def test_the_newest_migration_is_the_one_named() -> None:
    assert ScriptDirectory.from_config(_scripts).get_heads() == [migrate.NEWEST]
    assert REVISIONS[-1] == migrate.NEWEST, "revisions grow"


async def test_the_migrations_lead_to_the_tables_that_the_code_knows(empty_url: str) -> None:
    def columns(connection: Connection) -> dict[str, dict[str, bool | None]]:
        inspector = inspect(connection)
        return {
            name: {column["name"]: column["nullable"] for column in inspector.get_columns(name)}
            for name in inspector.get_table_names()
        }

    await (await SqlStore.open(empty_url)).close()
    database = open_database(empty_url)
    found = await database.read(columns)
    version = await database.read(lambda one: one.scalar(text("SELECT version_num FROM alembic_version")))
    await database.close()
    del found["alembic_version"]
    known = {
        table.name: {column.name: column.nullable for column in table.c} for table in tables.metadata.sorted_tables
    }
    assert found == known
    assert version == migrate.NEWEST


async def test_a_control_of_any_age_goes_on_writing_after_the_newest_migration(empty_url: str) -> None:
    """Each older program knows only the columns of its time: rows that have no others must still be accepted."""
    database = open_database(empty_url)
    known: dict[str, MetaData] = {}
    for revision in REVISIONS:
        await database.write(partial(migrate.migrate, target=revision))
        known[revision] = await _reflect(database)
    for revision, metadata in known.items():
        for table in metadata.sorted_tables:
            if table.name != "alembic_version":
                values = {column.name: _value(column.type.python_type, revision) for column in table.c}
                await database.write(partial(Connection.execute, statement=table.insert().values(values)))
    await database.close()


async def test_a_database_that_is_newer_than_the_program_is_accepted(empty_url: str) -> None:
    await (await SqlStore.open(empty_url)).close()
    database = open_database(empty_url)
    await database.write(lambda one: one.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    await database.close()
    store = await SqlStore.open(empty_url)
    await store.commit(_batch(1))
    assert len(await store.read_log(SessionId("2_session"), 0, 9)) == 1
    await store.close()


async def test_of_controls_that_start_at_once_one_migrates(empty_url: str) -> None:
    stores = await asyncio.gather(*(SqlStore.open(empty_url) for _ in range(4)))
    await asyncio.gather(*(store.close() for store in stores))


async def test_a_control_that_runs_loses_nothing_while_another_migrates(empty_url: str) -> None:
    database = open_database(empty_url)
    await database.write(partial(migrate.migrate, target=REVISIONS[0]))
    running = SqlStore(database, Metrics(), SystemClock())
    running._writer.start()
    written = 0
    migrating = asyncio.create_task(SqlStore.open(empty_url))
    while not migrating.done():
        written += 1
        await running.commit(_batch(written))
    await (await migrating).close()
    assert written > 0
    assert len(await running.read_log(SessionId("2_session"), 0, written)) == written
    await running.close()


async def _reflect(database: Database) -> MetaData:
    metadata = MetaData()
    await database.read(metadata.reflect)
    return metadata


def _value(kind: type, revision: str) -> object:
    """A value of the column's type that no other revision uses."""
    if kind is str:
        return revision
    return b"x" if kind is bytes else kind(int(revision))


def _batch(number: int) -> WriteBatch:
    return WriteBatch(SessionId("2_session"), NOW, log=[LogRow(number, All(), False, "{}")])

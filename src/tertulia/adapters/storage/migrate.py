"""Bringing a database to the newest schema when the program starts, while others may be working on it.

Migrations only add: tables, indexes, and columns that may be empty or have a default of the server's. So a control that
runs goes on with the tables as it knows them while a newer one starts on the same database, and starts on a database
that is newer than itself.
"""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

__all__ = ["NEWEST", "migrate"]

NEWEST = "0009"
"""The revision of the newest migration; a test compares it with the files. Revisions are numbers that grow."""

_FOLDER = Path(__file__).parent / "migrations"
_LOCK = 0x7E27
"""Our own choice; nobody else takes advisory locks in our database."""


def migrate(connection: Connection, target: str = NEWEST) -> None:
    """Run the migrations that the database lacks, in one transaction that the caller commits.

    Of several programs that start at once, one migrates and the others wait for it. Alembic is imported only if there
    is something to do: it takes longer to load than everything else that the store needs.

    Args:
        connection: To the database, without a transaction of its own yet.
        target: The revision to reach, for tests.
    """
    if _is_there(connection, target):
        return
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    if _is_there(connection, target):
        return
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.attributes["connection"] = connection
    command.upgrade(config, target)


def _is_there(connection: Connection, target: str) -> bool:
    if not inspect(connection).has_table("alembic_version"):
        return False
    present = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return present is not None and present >= target

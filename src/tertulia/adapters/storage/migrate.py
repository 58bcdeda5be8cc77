"""Bringing a database to the newest schema when the program starts."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

__all__ = ["NEWEST", "migrate"]

NEWEST = "0005"
"""The revision of the newest migration; a test compares it with the files."""

_FOLDER = Path(__file__).parent / "migrations"


def migrate(connection: Connection) -> None:
    """Run the migrations that the database lacks.

    Alembic is imported only if there are any: it takes longer to load than everything else that the store needs.
    """
    if inspect(connection).has_table("alembic_version"):
        present = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        if present == NEWEST:
            return
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")

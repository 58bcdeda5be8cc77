"""The store on an SQL database: SQLite by default, PostgreSQL by another address."""

from tertulia.adapters.storage.store import SqlStore

__all__ = ["SqlStore"]

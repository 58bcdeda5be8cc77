"""The store of the server that a command administers, and the options that say which server that is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tertulia.adapters.storage import SqlStore
from tertulia.clock import SystemClock
from tertulia.config import load
from tertulia.domain.project import Project
from tertulia.errors import NotFoundError
from tertulia.ids import SystemIds
from tertulia.services.projects import Projects

__all__ = ["Config", "Data", "Json", "Opened", "Yes", "open_server", "open_store"]

Config = Annotated[Path | None, Parameter(help="TOML file with the server's settings.")]
Data = Annotated[Path | None, Parameter(help="The server's data folder. [default: var]")]
Json = Annotated[bool, Parameter(help="Print JSON on one line.")]
Yes = Annotated[bool, Parameter(help="Do it: without this nothing happens.")]


@dataclass(frozen=True, slots=True)
class Opened:
    """The parts of a server that need no running server."""

    store: SqlStore
    projects: Projects

    async def project(self, api_key: str) -> Project:
        """The project with this key. Raises NotFoundError."""
        found = await self.projects.find(api_key)
        if found is None:
            raise NotFoundError(f"There is no project with the key {api_key}; `tertulia project list` shows all.")
        return found


@asynccontextmanager
async def open_server(config: Path | None, data: Path | None) -> AsyncIterator[Opened]:
    """The store of the server whose settings or data folder these are, and what works on it; the server may run."""
    settings = load(config, flags={"data_folder": data})
    settings.data_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    store = await SqlStore.open(settings.database_url)
    try:
        keys = [given.api_key for given in settings.projects]
        yield Opened(store, Projects(store, SystemIds(), SystemClock(), keys))
    finally:
        await store.close()


@asynccontextmanager
async def open_store(config: Path | None, data: Path | None) -> AsyncIterator[SqlStore]:
    """The store alone."""
    async with open_server(config, data) as server:
        yield server.store

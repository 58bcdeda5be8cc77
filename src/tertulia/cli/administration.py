"""`tertulia project`, `session` and `token`: administering a server from a shell on its machine, running or not."""

from __future__ import annotations

import asyncio
import json as json_text
import secrets
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from tertulia.adapters.storage import SqlStore
from tertulia.clock import SystemClock
from tertulia.config import load
from tertulia.domain.project import Project
from tertulia.errors import InvalidParameterError, InvalidSessionIdError
from tertulia.ids import SystemIds, session_id_of
from tertulia.services.ports import SessionRecord
from tertulia.services.projects import Projects
from tertulia.wire.tokens import DEFAULT_LIFETIME_S, MAX_LIFETIME_S, encode_jwt, encode_t1

project = App(name="project", help="Projects: who owns sessions, and the secrets that sign tokens.")
session = App(name="session", help="Sessions: the groups whose members see each other's streams.")
token = App(name="token", help="Tokens: what a client needs to enter a session.")

RoleName = Literal["subscriber", "publisher", "publisheronly", "moderator"]
Config = Annotated[Path | None, Parameter(help="TOML file with the server's settings.")]
Data = Annotated[Path | None, Parameter(help="The server's data folder. [default: var]")]
Json = Annotated[bool, Parameter(help="Print JSON on one line.")]


@project.command(name="create")
def create_project(name: str = "", *, config: Config = None, data: Data = None, json: Json = False) -> None:
    """Make a project with a new key and secret."""

    async def create() -> Project:
        async with open_store(config, data) as store:
            return await Projects(store, SystemIds(), SystemClock()).create(name)

    _print([_project_row(asyncio.run(create()))], json=json, alone=True)


@project.command(name="list")
def list_projects(*, config: Config = None, data: Data = None, json: Json = False) -> None:
    """List all projects with their secrets."""

    async def find() -> list[Project]:
        async with open_store(config, data) as store:
            return await store.list_projects()

    _print([_project_row(one) for one in asyncio.run(find())], json=json)


@session.command(name="create")
def create_session(
    api_key: Annotated[str, Parameter(help="The project's key.")],
    *,
    relayed: Annotated[bool, Parameter(help="Let two clients talk directly where that is possible.")] = False,
    config: Config = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Make a session of a project."""

    async def create() -> SessionRecord:
        async with open_store(config, data) as store:
            owner = await _known(store, api_key)
            now = SystemClock().wall()
            record = SessionRecord(
                session_id=session_id_of(
                    owner.api_key,
                    relayed=relayed,
                    location=None,
                    created_at=now,
                    random_text=SystemIds().random_text(),
                ),
                api_key=owner.api_key,
                media_mode="relayed" if relayed else "routed",
                archive_mode="manual",
                created_at_ms=now,
                e2ee=False,
            )
            await store.add_session(record)
            return record

    record = asyncio.run(create())
    row = {"session_id": record.session_id, "api_key": record.api_key, "media_mode": record.media_mode}
    _print([row], json=json, alone=True)


@token.command(name="create")
def create_token(
    session_id: Annotated[str, Parameter(help="The session to enter.")],
    *,
    role: Annotated[RoleName, Parameter(help="What the client may do there.")] = "publisher",
    connection_data: Annotated[str, Parameter(help="Text that the other clients can read.")] = "",
    lifetime_s: Annotated[int, Parameter(help="How long the token is good, in seconds, at most 30 days.")] = (
        DEFAULT_LIFETIME_S
    ),
    format: Annotated[Literal["jwt", "t1"], Parameter(help="t1 is for clients of the older format only.")] = "jwt",
    config: Config = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Make a token that lets one client into a session."""
    if not 0 < lifetime_s <= MAX_LIFETIME_S:
        raise InvalidParameterError(f"The lifetime is between 1 and {MAX_LIFETIME_S} seconds.")

    async def owner() -> Project:
        async with open_store(config, data) as store:
            record = await store.find_session(session_id)  # type: ignore[arg-type]  # a text until it is found
            if record is None:
                raise InvalidSessionIdError("There is no such session.")
            return await _known(store, record.api_key)

    signer = asyncio.run(owner())
    now_s = SystemClock().wall() // 1000
    made = (encode_t1 if format == "t1" else encode_jwt)(
        api_key=signer.api_key,
        api_secret=signer.api_secret,
        session_id=session_id,
        role=role,
        connection_data=connection_data,
        created_at_s=now_s,
        expires_at_s=now_s + lifetime_s,
        nonce=secrets.randbits(32),
    )
    _print([{"token": made}], json=json, alone=True)


@asynccontextmanager
async def open_store(config: Path | None, data: Path | None) -> AsyncIterator[SqlStore]:
    """The store of the server whose settings or data folder these are; the server may run or not."""
    settings = load(config, flags={"data_folder": data})
    settings.data_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    store = await SqlStore.open(settings.database_url)
    try:
        yield store
    finally:
        await store.close()


async def _known(store: SqlStore, api_key: str) -> Project:
    found = await Projects(store, SystemIds(), SystemClock()).find(api_key)
    if found is None:
        raise InvalidParameterError(f"There is no project with the key {api_key}; `tertulia project list` shows all.")
    return found


def _project_row(one: Project) -> dict[str, str]:
    return {"api_key": one.api_key, "api_secret": one.api_secret, "name": one.name, "status": one.status.value}


def _print(rows: Sequence[dict[str, str]], *, json: bool, alone: bool = False) -> None:
    """Print a table for people or one line of JSON for programs; a row that is `alone` is an object, not a list."""
    if json:
        sys.stdout.write(json_text.dumps(rows[0] if alone else list(rows)) + "\n")
        return
    if alone:
        width = max(len(name) for name in rows[0])
        for name, value in rows[0].items():
            sys.stdout.write(f"{name:<{width}}  {value}\n")
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(*(rows[0] if rows else ("no projects yet",)), box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*row.values())
    Console(width=None if sys.stdout.isatty() else 200).print(table)

"""`tertulia project`: who owns sessions, and the secrets that sign tokens. Works on the store, the server may run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from tertulia.cli.store import Config, Data, Json, Opened, Yes, open_server
from tertulia.cli.tables import Row, print_one, print_rows, time_of
from tertulia.config import is_weak_secret
from tertulia.domain.project import Project, ProjectStatus
from tertulia.errors import InvalidParameterError
from tertulia.ids import ApiKey

project = App(name="project", help="Projects: who owns sessions, and the secrets that sign tokens.")

Key = Annotated[str, Parameter(help="The project's key.")]
Keep = Annotated[
    bool | None,
    Parameter(
        negative="--refuse-known-keys", help="Take session ids in that another server made with this project's key."
    ),
]


@project.command
def create(
    name: str = "",
    *,
    key: Annotated[str | None, Parameter(help="Keep this API key: 8 to 10 digits.")] = None,
    secret: Annotated[str | None, Parameter(help="Keep this API secret: 40 hexadecimal digits.")] = None,
    secret_file: Annotated[
        Path | None, Parameter(help="File with the secret to keep, which other users of the machine cannot see.")
    ] = None,
    accept_known_keys: Keep = None,
    config: Config = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Make a project, with a new key and secret or with those that you have already."""
    kept = _secret(secret, secret_file)

    async def make(server: Opened) -> Project:
        return await server.projects.create(
            name, api_key=key, api_secret=kept, accept_known_keys=bool(accept_known_keys)
        )

    _run(make, config, data, json=json)


@project.command(name="list")
def list_all(*, config: Config = None, data: Data = None, json: Json = False) -> None:
    """List all projects with their secrets."""

    async def find() -> list[Project]:
        async with open_server(config, data) as server:
            return await server.projects.list()

    print_rows([_row(one) for one in asyncio.run(find())], json=json, none="There are no projects yet.")


@project.command
def show(api_key: Key, *, config: Config = None, data: Data = None, json: Json = False) -> None:
    """Show one project with its secret."""
    _run(lambda server: server.project(api_key), config, data, json=json)


@project.command
def change(
    api_key: Key,
    *,
    name: Annotated[str | None, Parameter(help="Its name, for people.")] = None,
    accept_known_keys: Keep = None,
    config: Config = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Rename a project, or set whether it takes session ids of another server in."""
    _run(
        lambda server: server.projects.change(api_key, name=name, accept_known_keys=accept_known_keys),
        config,
        data,
        json=json,
    )


@project.command
def suspend(api_key: Key, *, config: Config = None, data: Data = None, json: Json = False) -> None:
    """Refuse every call and every new client of a project, until it is activated again."""
    _run(lambda server: server.projects.set_status(api_key, ProjectStatus.SUSPENDED), config, data, json=json)


@project.command
def activate(api_key: Key, *, config: Config = None, data: Data = None, json: Json = False) -> None:
    """Serve a suspended project again."""
    _run(lambda server: server.projects.set_status(api_key, ProjectStatus.ACTIVE), config, data, json=json)


@project.command
def rotate(api_key: Key, *, yes: Yes = False, config: Config = None, data: Data = None, json: Json = False) -> None:
    """Give a project a new secret; what the old one signed is refused at once."""
    if not yes:
        raise InvalidParameterError("Every token that the old secret signed will be refused; say --yes to do it.")
    _run(lambda server: server.projects.rotate_secret(api_key), config, data, json=json)


@project.command
def delete(api_key: Key, *, yes: Yes = False, config: Config = None, data: Data = None, json: Json = False) -> None:
    """Delete a project and its sessions. Nobody may be in one of them."""

    async def remove(server: Opened) -> Project:
        found = await server.project(api_key)
        if await server.store.sessions_with_seats(ApiKey(api_key)):
            raise InvalidParameterError(
                f"Clients are in sessions of the project {api_key}; suspend it and wait until they have left, "
                "or delete it on the projects page, which sends them out."
            )
        if not yes:
            raise InvalidParameterError("The project's sessions will be gone with it; say --yes to do it.")
        await server.projects.delete(api_key)
        return found

    _run(remove, config, data, json=json, deleted=True)


def _run(
    work: Callable[[Opened], Awaitable[Project]],
    config: Path | None,
    data: Path | None,
    *,
    json: bool,
    deleted: bool = False,
) -> None:
    async def run() -> Project:
        async with open_server(config, data) as server:
            return await work(server)

    row = dict(_row(asyncio.run(run())))
    print_one({"api_key": row["api_key"], "status": "DELETED"} if deleted else row, json=json)


def _secret(given: str | None, file: Path | None) -> str | None:
    if file is not None:
        if given is not None:
            raise InvalidParameterError("Give --secret or --secret-file, not both.")
        try:
            given = file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeError) as error:
            raise InvalidParameterError(f"The secret in {file} cannot be read ({error}).") from error
    if given is not None and is_weak_secret(given):
        raise InvalidParameterError(
            "The secret is weak: it has 40 random lower-case hexadecimal digits, as printed by `openssl rand -hex 20`."
        )
    return given


def _row(one: Project) -> Row:
    return {
        "api_key": one.api_key,
        "api_secret": one.api_secret,
        "name": one.name,
        "status": one.status.value,
        "created_at": time_of(one.created_at_ms),
        "accept_known_keys": one.accept_known_keys,
    }

"""`tertulia session`: the groups whose members see each other's streams. Works on the store, the server may run."""

from __future__ import annotations

import asyncio
import json as json_text
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from tertulia.cli.store import Config, Data, Json, Opened, open_server
from tertulia.cli.tables import Row, print_one, print_rows, time_of
from tertulia.clock import SystemClock
from tertulia.errors import InvalidParameterError, InvalidSessionIdError, TertuliaError
from tertulia.ids import SessionId, SystemIds, is_session_id_shaped, read_session_id, session_id_of
from tertulia.services.ports import SessionRecord
from tertulia.wire.rest import parse_create_session

session = App(name="session", help="Sessions: the groups whose members see each other's streams.")

ApiKeyOf = Annotated[str, Parameter(help="The project's key.")]
Id = Annotated[str, Parameter(help="The session's id.")]


@session.command
def create(
    api_key: ApiKeyOf,
    *,
    relayed: Annotated[bool, Parameter(help="Let two clients talk directly where that is possible.")] = False,
    archive_mode: Annotated[Literal["manual", "always"], Parameter(help="Whether every call is recorded.")] = "manual",
    archive_name: Annotated[str | None, Parameter(help="Name of the recordings, with --archive-mode always.")] = None,
    archive_resolution: Annotated[
        str | None, Parameter(help="Size of the recordings, with --archive-mode always; for example 1280x720.")
    ] = None,
    e2ee: Annotated[bool, Parameter(help="Clients encrypt end to end.")] = False,
    config: Config = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Make a session of a project."""
    asked = {
        "p2p.preference": "enabled" if relayed else "disabled",
        "archiveMode": archive_mode,
        "archiveName": archive_name,
        "archiveResolution": archive_resolution,
        "e2ee": e2ee,
    }
    # The rules of the REST API, which has the same fields.
    wanted = parse_create_session("application/json", json_text.dumps(asked).encode())

    async def make() -> SessionRecord:
        async with open_server(config, data) as server:
            owner = await server.project(api_key)
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
                media_mode="relayed" if wanted.relayed else "routed",
                archive_mode="always" if wanted.always_archived else "manual",
                created_at_ms=now,
                e2ee=wanted.e2ee,
                archive_name=wanted.archive_name,
                archive_resolution=wanted.archive_resolution,
            )
            await server.store.add_session(record)
            return record

    print_one(_row(asyncio.run(make())), json=json)


@session.command(name="list")
def list_newest(
    api_key: ApiKeyOf,
    *,
    count: Annotated[int, Parameter(help="How many at most.")] = 50,
    live: Annotated[bool, Parameter(help="Only those in which somebody is.")] = False,
    config: Config = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """List a project's sessions, the newest first."""
    if not 1 <= count <= 10_000:
        raise InvalidParameterError("The count is between 1 and 10000.")

    async def find() -> list[Row]:
        async with open_server(config, data) as server:
            owner = await server.project(api_key)
            seated = await server.store.sessions_with_seats(owner.api_key)
            if live:
                found = [await server.store.find_session(one) for one in seated[:count]]
                records = [record for record in found if record is not None]
            else:
                records = await server.store.sessions_of(owner.api_key, count)
            return [{**_row(record), "live": record.session_id in seated} for record in records]

    print_rows(asyncio.run(find()), json=json, none="Nobody is in a session." if live else "There are no sessions yet.")


@session.command
def show(session_id: Id, *, config: Config = None, data: Data = None, json: Json = False) -> None:
    """Show a session and who is in it now."""

    async def find() -> tuple[SessionRecord, list[Row]]:
        async with open_server(config, data) as server:
            record = await server.store.find_session(SessionId(session_id))
            if record is None:
                raise InvalidSessionIdError("There is no such session.")
            seats = await server.store.load_seats(record.session_id)
            return record, [
                {
                    "connection_id": one.connection_id,
                    "state": one.state.value,
                    "role": one.role.value,
                    "since": time_of(one.created_at_ms),
                    "streams": [
                        stream.stream_id for stream in seats.streams if stream.connection_id == one.connection_id
                    ],
                }
                for one in seats.connections
            ]

    record, connections = asyncio.run(find())
    if json:
        print_one({**_row(record), "connections": connections}, json=True)
        return
    print_one(_row(record), json=False)
    sys.stdout.write("\n")
    print_rows(connections, json=False, none="Nobody is in it.")


@session.command(name="import")
def import_ids(
    file: Annotated[
        Path, Parameter(help="A session id on each line; - reads standard input.", allow_leading_hyphen=True)
    ],
    /,
    *,
    key: Annotated[str | None, Parameter(help="Whose they are, if their ids do not say it.")] = None,
    config: Config = None,
    data: Data = None,
    json: Json = False,
) -> int:
    """Take sessions in that another server made, so that applications keep their ids.

    An id that says it was relayed becomes relayed, the others routed. Empty lines and lines that begin with # are
    passed over. The status is 1 if any id was refused.
    """

    async def take() -> list[Row]:
        async with open_server(config, data) as server:
            return [
                {"line": number, "session_id": text, **await _take(server, text, key)} for number, text in _ids(file)
            ]

    rows = asyncio.run(take())
    if json:
        print_rows(rows, json=True, none="")
    else:
        refused = [row for row in rows if row["state"] == "refused"]
        if refused:
            print_rows(refused, json=False, none="")
        counts = {
            state: sum(row["state"] == state for row in rows) for state in ("taken in", "known already", "refused")
        }
        sys.stdout.write(", ".join(f"{count} {state}" for state, count in counts.items()) + "\n")
    return 1 if any(row["state"] == "refused" for row in rows) else 0


def _ids(file: Path) -> Iterator[tuple[int, str]]:
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise InvalidParameterError(f"The session ids in {file} cannot be read ({error}).") from error
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line.strip()


async def _take(server: Opened, text: str, key: str | None) -> Row:
    """Take one id in; says what became of it, and why."""
    try:
        if not is_session_id_shaped(text):
            raise InvalidParameterError("This is no session id: a digit, `_`, and 16 to 253 characters of base64.")
        facts = read_session_id(text)
        if facts is None and key is None:
            raise InvalidParameterError("The id does not say whose it is; name the project with --key.")
        if facts is not None and key is not None and facts.api_key != key:
            raise InvalidParameterError(f"The id is of the project {facts.api_key}, not {key}.")
        owner = await server.project(key if facts is None else facts.api_key)  # type: ignore[arg-type]  # one of them is there
    except TertuliaError as error:
        return {"state": "refused", "why": error.message}
    record = SessionRecord(
        session_id=SessionId(text),
        api_key=owner.api_key,
        media_mode="relayed" if facts is not None and facts.relayed else "routed",
        archive_mode="manual",
        created_at_ms=(facts.created_at_ms if facts is not None else None) or SystemClock().wall(),
        e2ee=False,
    )
    if await server.store.add_session(record):
        return {"state": "taken in", "why": ""}
    known = await server.store.find_session(record.session_id)
    if known is not None and known.api_key != owner.api_key:
        return {"state": "refused", "why": f"The id belongs to the project {known.api_key} already."}
    return {"state": "known already", "why": ""}


def _row(record: SessionRecord) -> dict[str, object]:
    return {
        "session_id": record.session_id,
        "api_key": record.api_key,
        "media_mode": record.media_mode,
        "archive_mode": record.archive_mode,
        "e2ee": record.e2ee,
        "created_at": time_of(record.created_at_ms),
    }

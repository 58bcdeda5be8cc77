"""`tertulia issue`: what pages reported by `reportIssue`. Works on the store, the server may run."""

from __future__ import annotations

import asyncio
import json as json_text
from typing import Annotated

from cyclopts import App, Parameter

from tertulia.cli.store import Config, Data, Json, open_store
from tertulia.cli.tables import Row, print_one, print_rows, time_of
from tertulia.errors import NotFoundError
from tertulia.services.ports import KEPT_ISSUES, Issue

issue = App(name="issue", help="Issues: what pages and their users reported.")


@issue.command(name="list")
def list_newest(
    *,
    count: Annotated[int, Parameter(help="How many at most.")] = 50,
    config: Config = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """List what was reported, the newest first."""

    async def read() -> list[Issue]:
        async with open_store(config, data) as store:
            return await store.issues(max(0, min(count, KEPT_ISSUES)))

    print_rows([_row(each) for each in asyncio.run(read())], json=json, none="Nothing has been reported.")


@issue.command
def show(
    issue_id: Annotated[str, Parameter(help="What the user was told, with or without dashes.")],
    *,
    config: Config = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Show a report with the statistics of the client's streams."""
    wanted = _with_dashes(issue_id)

    async def read() -> Issue:
        async with open_store(config, data) as store:
            found = await store.find_issue(wanted)
        if found is None:
            raise NotFoundError(f"There is no report {issue_id}; `tertulia issue list` shows the newest.")
        return found

    found = asyncio.run(read())
    statistics: object = json_text.loads(found.statistics)
    shown = statistics if json else json_text.dumps(statistics)
    print_one({**_row(found), "statistics": shown}, json=json)


def _row(found: Issue) -> Row:
    return {
        "issue_id": found.issue_id,
        "reported_at": time_of(found.at_ms),
        "session_id": found.session_id,
        "connection_id": found.connection_id,
        "client": found.client,
        "description": found.description,
    }


def _with_dashes(issue_id: str) -> str:
    """The id as the store has it: pages of the first era are told it as 32 capital digits."""
    digits = issue_id.replace("-", "").lower()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))

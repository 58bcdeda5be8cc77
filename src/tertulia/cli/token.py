"""`tertulia token`: making tokens, and finding out why one is refused."""

from __future__ import annotations

import asyncio
import secrets
import sys
from typing import Annotated, Literal

from cyclopts import App, Parameter

from tertulia.cli.inspection import Finding, inspect
from tertulia.cli.store import Config, Data, Json, open_server
from tertulia.cli.tables import print_one
from tertulia.clock import SystemClock
from tertulia.domain.project import Project
from tertulia.errors import InvalidParameterError, InvalidSessionIdError
from tertulia.ids import SessionId
from tertulia.wire.tokens import (
    DEFAULT_LIFETIME_S,
    MAX_DATA_CHARACTERS,
    MAX_LIFETIME_S,
    MAX_TOKEN_CHARACTERS,
    encode_jwt,
    encode_t1,
)

token = App(name="token", help="Tokens: what a client needs to enter a session.")

RoleName = Literal["subscriber", "publisher", "publisheronly", "moderator"]


@token.command
def create(
    session_id: Annotated[str, Parameter(help="The session to enter.")],
    *,
    role: Annotated[RoleName, Parameter(help="What the client may do there.")] = "publisher",
    connection_data: Annotated[str, Parameter(help="Text that the other clients can read.")] = "",
    layout_class: Annotated[tuple[str, ...], Parameter(help="Layout class of its streams; may be repeated.")] = (),
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
    if len(connection_data) > MAX_DATA_CHARACTERS or len(" ".join(layout_class)) > MAX_DATA_CHARACTERS:
        raise InvalidParameterError(
            f"Connection data and layout classes have at most {MAX_DATA_CHARACTERS} characters."
        )

    async def owner() -> Project:
        async with open_server(config, data) as server:
            record = await server.store.find_session(SessionId(session_id))
            if record is None:
                raise InvalidSessionIdError("There is no such session.")
            return await server.project(record.api_key)

    signer = asyncio.run(owner())
    now_s = SystemClock().wall() // 1000
    made = (encode_t1 if format == "t1" else encode_jwt)(
        api_key=signer.api_key,
        api_secret=signer.api_secret,
        session_id=session_id,
        role=role,
        connection_data=connection_data,
        layout_classes=layout_class,
        created_at_s=now_s,
        expires_at_s=now_s + lifetime_s,
        nonce=secrets.randbits(32),
    )
    print_one({"token": made}, json=json)


@token.command(name="inspect")
def inspect_token(
    text: Annotated[str, Parameter(help="The token; - reads it from standard input.", allow_leading_hyphen=True)],
    /,
    *,
    session_id: Annotated[str | None, Parameter(help="The session that the client wants to enter.")] = None,
    config: Config = None,
    data: Data = None,
    json: Json = False,
) -> int:
    """Say what is in a token and why this server would accept or refuse it now. The status is 1 if it would refuse."""
    given = sys.stdin.read(4 * MAX_TOKEN_CHARACTERS) if text == "-" else text

    async def judge() -> Finding:
        async with open_server(config, data) as server:
            return await inspect(server, given, SystemClock().wall(), session_id)

    found = asyncio.run(judge())
    if json:
        row = {"accepted": found.accepted, "verdict": found.verdict, "advice": list(found.advice), **found.facts}
        print_one(row, json=True)
        return 0 if found.accepted else 1
    sys.stdout.write("\n".join((found.verdict, *found.advice)) + "\n")
    if found.facts:
        sys.stdout.write("\nWhat it says of itself:\n" if found.accepted else "\nWhat it claims:\n")
        print_one(found.facts, json=False)
    return 0 if found.accepted else 1

"""Plays a file into a session, once.

python examples/player.py API_KEY SESSION_ID TOKEN FILE [SERVER]
"""

from __future__ import annotations

import asyncio
import sys

from tertulia import Publisher, Session, SessionError


async def main(api_key: str, session_id: str, token: str, file: str, server: str = "http://localhost:8080") -> None:
    """Joins, plays and leaves."""
    async with Session(api_key, session_id, server=server) as session:
        await session.connect(token)
        async with Publisher.from_file(file, name=file) as publisher:
            await session.publish(publisher)
            await publisher.ended()


if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:]))
    except SessionError as error:
        raise SystemExit(str(error)) from error

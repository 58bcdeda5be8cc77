"""Sends every stream of a session back into it.

python examples/echo.py API_KEY SESSION_ID TOKEN [SERVER]
"""

from __future__ import annotations

import asyncio
import sys

from tertulia import Publisher, Session, StreamEvent


async def main(api_key: str, session_id: str, token: str, server: str = "http://localhost:8080") -> None:
    """Joins, and stays until it is removed."""
    async with Session(api_key, session_id, server=server) as session:
        events = session.events()

        @session.on("streamCreated")
        async def echo(event: StreamEvent) -> None:
            subscriber = await session.subscribe(event.stream)
            publisher = Publisher(
                audio=subscriber.audio(), video=subscriber.video(), name=f"Echo of {event.stream.name}"
            )
            subscriber.on("destroyed", lambda _: publisher.destroy())
            await session.publish(publisher)

        await session.connect(token)
        async for _ in events:
            pass


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

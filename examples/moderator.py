"""Mutes whoever is loudest for longer than a second.

python examples/moderator.py API_KEY SESSION_ID MODERATOR_TOKEN [SERVER]
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter

from tertulia import Session, StreamEvent

LOUD, TOO_LONG = 0.1, 50  # of 1; packets of 20 ms


async def main(api_key: str, session_id: str, token: str, server: str = "http://localhost:8080") -> None:
    """Joins, and stays until it is removed."""
    async with Session(api_key, session_id, server=server) as session:
        events, loud = session.events(), Counter[str]()

        async def listen(event: StreamEvent) -> None:
            subscriber = await session.subscribe(event.stream, video=False)
            async for _ in subscriber.packets("audio"):
                loud[event.stream.id] += 1 if subscriber.audio_level > LOUD else -loud[event.stream.id]
                if loud and (loudest := loud.most_common(1)[0])[1] > TOO_LONG:
                    del loud[loudest[0]]
                    await session.force_mute_stream(loudest[0])

        await session.connect(token)
        async with asyncio.TaskGroup() as group:
            async for event in events:
                if isinstance(event, StreamEvent) and event.type == "streamCreated":
                    group.create_task(listen(event))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
